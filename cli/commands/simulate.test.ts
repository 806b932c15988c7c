/** `platen simulate` as a user runs it, against a real mosquitto. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { WITH_TYPES } from '../../tests/harness/run/with-types.ts';
import { type Mosquitto, startMosquitto } from '../../tests/mosquitto.ts';
import { command } from './simulate.ts';

let folder: string;
let broker: Mosquitto;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  folder = temporaryFolder('platen-simulate-');
  broker = await startMosquitto({ users: { 'a-01': 'one', 'a-02': 'two' } });
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function run(args: string[], act?: (child: ChildProcess, err: () => string) => void): Promise<Ended> {
  const child = spawn(process.execPath, [...WITH_TYPES, 'cli/platen.ts', 'simulate', ...args]);
  children.add(child);
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
    act?.(child, () => err);
  });
  return new Promise((resolve) =>
    child.on('close', (code) => {
      children.delete(child);
      resolve({ code, out, err });
    }),
  );
}

function file(name: string, content: object): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

const SCENARIO = {
  scenario: 'two',
  populations: [
    {
      name: 'a',
      count: 2,
      apparatus: { model: 'C360' },
      errors: [{ code: 'J-1', severity: 'error', every: 'PT0.2S', spread: 'regular' }],
    },
  ],
};

test('runs a scenario file with a file of passwords; the summary is one JSON object', async () => {
  const { code, out } = await run([
    ...['--scenario', file('two.json', SCENARIO), '--url', broker.url, '--duration', 'PT2S', '--json'],
    ...['--credentials', file('passwords.json', { 'a-01': 'one', 'a-02': 'two' })],
  ]);
  const summary = JSON.parse(out) as Record<string, number>;
  expect(code).toBe(0);
  expect(summary).toMatchObject({ scenario: 'two', printers: 2, online: 2, connects: 2, structures: 2 });
  expect(summary['entriesLogged']).toBeGreaterThanOrEqual(4);
  expect(summary['puback_p99_ms']).toBeGreaterThan(0);
});

test('Ctrl-C ends it with a summary; the exit code shows printers that never connected', async () => {
  const { code, out, err } = await run(
    ['--scenario', file('two.json', SCENARIO), '--url', broker.url, '--password', 'one', '--verbose'],
    (child, text) => {
      // The one that may not is told in the log; then it is enough.
      if (!text().includes('does not authorize') || child.killed) return;
      child.kill('SIGINT');
    },
  );
  expect(code).toBe(3);
  expect(err).toContain('interrupted');
  expect(err).toContain('1 of 2 printers never connected');
  expect(out).toMatch(/^online +1$/m);
});

/** What the command refuses, in this process: nothing has been started by then. */
async function refusal(args: string[]): Promise<string> {
  const refused = command()
    .exitOverride()
    .configureOutput({ writeErr() {} });
  return refused.parseAsync(args, { from: 'user' }).then(
    () => 'nothing was refused',
    (error: Error) => error.message,
  );
}

test.each([
  ['a missing file', ['--scenario', 'nowhere.json'], 'nowhere.json'],
  ['an invalid duration', ['--duration', 'soon'], '"soon" is not an ISO 8601 duration'],
  ['an invalid number', ['--printers', 'many'], '"many" is not a whole number'],
  ['an invalid address', ['--url', 'http://x'], '"http://x" is not an mqtt:// or mqtts:// address'],
  ['two kinds of credentials', ['--password', 'x', '--enroll-admin', 'y'], 'cannot be used with'],
])('%s is refused', async (_name, args, reason) => {
  expect(await refusal(args)).toContain(reason);
});

test('an invalid scenario is refused with the path of the fault', async () => {
  const wrong = { ...SCENARIO, populations: [{ ...SCENARIO.populations[0], count: -1 }] };
  expect(await refusal(['--scenario', file('wrong.json', wrong)])).toContain(
    '/populations/0/count must be >= 0',
  );
});

test('a missing password is reported before anything starts; the exit code is 1', async () => {
  const { code, err } = await run([
    ...['--scenario', file('two.json', SCENARIO), '--url', broker.url],
    ...['--credentials', file('one.json', { 'a-01': 'one' })],
  ]);
  expect(code).toBe(1);
  expect(err).toContain('there is no password for "a-02"');
});

test('the help names the options and the exit codes', () => {
  let help = '';
  const writeOut = (text: string) => {
    help += text;
  };
  command().configureOutput({ writeOut }).outputHelp();
  for (const text of ['--printers', '--scenario', '--enroll-admin', '--duration', 'Exit codes']) {
    expect(help).toContain(text);
  }
});
