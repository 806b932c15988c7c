/**
 * Runs every command of the guides as written, in order, each guide on its own product. A block that cannot be run has
 * a comment before it with the reason: `<!-- not run: reason -->`.
 */
import { spawn } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from '@jest/globals';
import { temporaryFolder } from './harness/folder.ts';
import { type RunningProduct, startProduct } from './harness/product.ts';
import { WITH_TYPES } from './harness/run/with-types.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const GUIDES = join(ROOT, 'docs/guides');
const BLOCK = /(?:<!-- not run: ([^>]*) -->\n)?```(\w*)\n([\s\S]*?)```/g;

interface Block {
  commands: string;
  notRun: string | undefined;
}

/** The shell blocks of a guide. */
function blocksOf(file: string): Block[] {
  const text = readFileSync(join(GUIDES, file), 'utf8');
  return [...text.matchAll(BLOCK)]
    .filter(([, , language]) => language === 'sh')
    .map(([, notRun, , commands = '']) => ({ notRun, commands }));
}

/** Runs a block as a user's shell does, in a folder that looks like a checkout. */
function run(
  commands: string,
  folder: string,
  product?: RunningProduct,
): Promise<{ code: number | null; output: string }> {
  const addresses = product
    ? commands
        .replaceAll('mqtt://127.0.0.1:1883', product.mqtt)
        .replaceAll('http://127.0.0.1:8080/', product.http)
    : commands;
  // `npm run -s platen -- …` without the start of npm: the command line is the same.
  const script = `set -e\nnpm() { shift 4; "${process.execPath}" ${WITH_TYPES.map((arg) => `"${arg}"`).join(' ')} "${ROOT}cli/platen.ts" "$@"; }\n${addresses}`;
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', script], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        PLATEN_LOG: 'json',
      },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** Runs a block. @throws with its output when a command fails */
async function succeed(commands: string, folder: string, product?: RunningProduct): Promise<void> {
  const { code, output } = await run(commands, folder, product);
  if (code !== 0) throw new Error(`exit code ${code}:\n${commands}\n${output}`);
}

/** A folder with the files of a checkout that the guides name. */
function checkout(): string {
  const folder = temporaryFolder('platen-guide-');
  symlinkSync(join(ROOT, 'deploy'), join(folder, 'deploy'));
  symlinkSync(join(ROOT, 'examples'), join(folder, 'examples'));
  return folder;
}

const ended: (() => Promise<unknown> | undefined)[] = [];
afterAll(async () => {
  for (const end of ended.reverse()) await end();
});

test('a block of a guide that is not run says why', () => {
  for (const file of readdirSync(GUIDES)) {
    for (const { notRun } of blocksOf(file)) if (notRun !== undefined) expect(notRun.trim()).not.toBe('');
  }
});

describe('operating', () => {
  test('every command works', async () => {
    const folder = checkout();
    const data = join(folder, '.platen');
    let running: RunningProduct | undefined = await startProduct({ data });
    ended.push(async () => {
      await running?.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    for (const { commands, notRun } of blocksOf('operating.md')) {
      if (notRun !== undefined) continue;
      // The backup is a copy of a stopped instance.
      const stopped = commands.includes('cp -a');
      if (stopped) {
        await running?.stop();
        running = undefined;
      }
      await succeed(commands, folder, running);
      if (stopped) running = await startProduct({ data });
    }
    const operator = await (running as RunningProduct).operator();
    expect(await operator.call('users.list', {})).toMatchObject({
      items: expect.arrayContaining([{ name: 'lena', role: 'operator' }]),
    });
  });
});

describe('releasing', () => {
  test('every command works', async () => {
    const folder = checkout();
    ended.push(async () => rmSync(folder, { recursive: true, force: true }));
    cpSync(join(ROOT, 'deploy/samples/catalog.json'), join(folder, 'catalog.json'));
    writeFileSync(join(folder, 'engine-2.5.0.img'), 'an image');
    for (const { commands, notRun } of blocksOf('releasing.md')) {
      if (notRun !== undefined) continue;
      await succeed(commands, folder);
    }
  });
});

describe('simulating', () => {
  test('every command works', async () => {
    const folder = checkout();
    const product = await startProduct({ data: join(folder, '.platen') });
    ended.push(async () => {
      await product.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    for (const { commands, notRun } of blocksOf('simulating.md')) {
      if (notRun !== undefined) continue;
      // Two thousand printers for a minute need a machine of their own.
      const short = commands.replace('--printers 2000', '--printers 20').replace('PT60S', 'PT5S');
      await succeed(short, folder, product);
    }
  });
});
