/** The programs in examples/, run against a real product. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { CommandDriver } from '../agent/drivers/command/command-driver.ts';
import { temporaryFolder } from './harness/folder.ts';
import { type RunningProduct, startProduct } from './harness/product.ts';
import { putSampleCatalog } from './harness/samples.ts';

const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url));
/** Debian's Python, which finds Debian's paho. */
const PYTHON = '/usr/bin/python3';
const LINE_MS_MAX = 90_000;

let product: RunningProduct;
let passwords: Map<string, string>;

beforeAll(async () => {
  product = await startProduct();
  const operator = await product.operator();
  await putSampleCatalog(operator);
  const { items } = (await operator.call('printers.enroll', { printers: ['js-1', 'py-1'] })) as {
    items: { printer: string; password: string }[];
  };
  passwords = new Map(items.map(({ printer, password }) => [printer, password]));
});
afterAll(() => product.stop());

/** Runs a program; resolves with its output when it ends or has printed `until`. */
function run(
  command: string,
  args: string[],
  until?: RegExp,
): Promise<{ output: string; code: number | null }> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), LINE_MS_MAX);
    const take = (chunk: Buffer) => {
      output += chunk.toString();
      if (until?.test(output)) child.kill('SIGTERM');
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ output, code });
    });
  });
}

test('the printer in JavaScript gets its verdict and its acknowledgement', async () => {
  const { output } = await run(
    process.execPath,
    [join(EXAMPLES, 'printer.mjs'), product.mqtt, 'js-1', passwords.get('js-1') ?? ''],
    /verdict[\s\S]*errors\/ack|errors\/ack[\s\S]*verdict/,
  );
  expect(output).toContain('the center has the entry on disk');
  expect(output).toMatch(/verdict \{.*"status":"incompatible"/);
  expect(output).toMatch(/errors\/ack \{.*"upTo":1/);
});

test('the printer in Python gets its verdict and ends', async () => {
  const { hostname, port } = new URL(product.mqtt);
  const { output, code } = await run(PYTHON, [
    join(EXAMPLES, 'printer.py'),
    hostname,
    port,
    'py-1',
    passwords.get('py-1') ?? '',
  ]);
  expect({ output, code }).toEqual({ output: expect.stringMatching(/^incompatible \[\{/), code: 0 });
});

test('the operator prints a reply, and an error with exit code 1', async () => {
  const ask = (...args: string[]) =>
    run(process.execPath, [
      join(EXAMPLES, 'operator.mjs'),
      product.mqtt,
      join(product.data, 'admin.json'),
      ...args,
    ]);
  const right = await ask('printers.get', '{"printer":"py-1"}');
  expect(right.code).toBe(0);
  expect(JSON.parse(right.output)).toMatchObject({ printer: 'py-1', verdict: 'incompatible' });
  const wrong = await ask('printers.get', '{"printer":"nobody"}');
  expect(wrong.code).toBe(1);
  expect(JSON.parse(wrong.output)).toMatchObject({ code: 'request/not-found' });
});

test('the command driver reads, installs and rolls back', async () => {
  const folder = temporaryFolder('platen-example-');
  const file = join(folder, 'printer.json');
  const software = [{ id: 'acme.engine', vendor: 'acme', version: '2.4.0' }];
  const structure = {
    apparatus: { model: 'C360' },
    units: [{ symbol: 'engine', kind: 'engine', model: 'EN-36', software }],
  };
  writeFileSync(file, JSON.stringify(structure));
  const driver = new CommandDriver({
    run: [process.execPath, join(EXAMPLES, 'command-driver.mjs'), file],
    printer: 'office-9',
    url: 'command://office-9',
    log: pino({ level: 'silent' }),
    restartMs: 50,
    stateFile: join(folder, 'state.json'),
  });
  const step = {
    subject: 'engine:acme.engine',
    from: '2.4.0',
    to: '2.5.0',
    target: 'acme.engine/2.5.0.bin',
    length: 3,
    sha256: 'a'.repeat(64),
  };
  const image = { step, file };
  const version = async () => (await driver.readStructure()).units[0]?.software?.[0]?.version;
  try {
    await driver.start({ error: () => undefined, changed: () => undefined });
    expect(await driver.readStructure()).toMatchObject(structure);
    await driver.install([image], () => undefined);
    expect(await version()).toBe('2.5.0');
    await driver.rollback([image]);
    expect(await version()).toBe('2.4.0');
  } finally {
    await driver.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
