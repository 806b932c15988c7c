import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WITH_TYPES } from '../tests/harness/run/with-types.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const sample = join(root, 'deploy/samples/catalog.json');
const folder = mkdtempSync(join(tmpdir(), 'platen-lines-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function platen(args: string[], input = '') {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...WITH_TYPES, join(root, 'cli/platen.ts'), ...args],
    { cwd: root, input, encoding: 'utf8' },
  );
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { status, stderr, stdout, lines };
}

function structure(printer: string, controller: string, engine: string, extra: object = {}): string {
  return JSON.stringify({
    printer,
    apparatus: { model: 'C360', software: [{ id: 'acme.controller', vendor: 'acme', version: controller }] },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'EN-36',
        hardware: '1.1',
        software: [{ id: 'acme.engine', version: engine }],
      },
    ],
    fieldFromTheFuture: true,
    ...extra,
  });
}

test('judge answers every line in order and exits with 0', () => {
  const input = [
    structure('p1', '3.1.0', '2.5.0'),
    '',
    structure('p2', '3.1.0', '2.4.0'),
    structure('p3', '3.1.0', '9.9.9'),
  ].join('\r\n');
  const { status, lines } = platen(['judge', '--catalog', sample, '--structures', '-'], input);
  expect(status).toBe(0);
  const answers = lines.map((line) => JSON.parse(line) as { printer: string; status: string });
  expect(answers.map(({ printer, status: verdict }) => [printer, verdict])).toEqual([
    ['p1', 'compatible'],
    ['p2', 'incompatible'],
    ['p3', 'unknown'],
  ]);
  expect(Object.keys(answers[0]!)).toEqual(['printer', 'status', 'findings', 'unknown']);
});

/** Reads `stopAfter` bytes slowly, then stops reading. */
async function readSome(args: string[], stopAfter: number) {
  const child = spawn(process.execPath, [...WITH_TYPES, join(root, 'cli/platen.ts'), ...args], {
    cwd: root,
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  let bytes = 0;
  let answers = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    for (const byte of chunk) if (byte === 0x0a) answers++;
    if (bytes >= stopAfter) child.stdout.destroy();
    else {
      child.stdout.pause();
      setTimeout(() => child.stdout.resume(), 1);
    }
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stderr, answers };
}

test('a slow reader gets every answer, and a reader may close the pipe early', async () => {
  const file = join(folder, 'many.jsonl');
  const count = 30_000;
  writeFileSync(file, `${structure('p', '3.1.0', '2.4.0')}\n`.repeat(count));
  const args = ['judge', '--catalog', sample, '--structures', file];
  // Nothing on stderr: waiting hundreds of times leaves no listeners behind.
  const all = await readSome(args, Number.POSITIVE_INFINITY);
  expect(all).toEqual({ status: 0, stderr: '', answers: count });
  const some = await readSome(args, 100_000);
  expect({ ...some, answers: some.answers > 0 }).toEqual({ status: 0, stderr: '', answers: true });
});

test('bad input ends with its line number, after the answers before it', () => {
  const input = `${structure('p1', '3.1.0', '2.5.0')}\n{"printer":"p2"}\n`;
  const { status, stderr, lines } = platen(['judge', '--catalog', sample, '--structures', '-'], input);
  expect(status).toBe(1);
  expect(lines).toHaveLength(1);
  expect(stderr).toContain("-:2: The payload breaks its schema: / must have required property 'apparatus'");
});

test('choose gives remedy, steps and cost; options stand in the line', () => {
  const pin = { options: { pins: { 'engine:acme.engine': '<2.5' }, allowDowngrade: false } };
  const input = `${structure('p1', '3.1.0', '2.4.0')}\n${structure('p2', '3.1.0', '2.4.0', pin)}\n`;
  const { status, lines } = platen(['choose', '--catalog', sample, '--structures', '-'], input);
  expect(status).toBe(0);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    printer: 'p1',
    status: 'incompatible',
    remedy: {
      software: [{ subject: 'engine:acme.engine', from: '2.4.0', to: '2.6.1' }],
      steps: [
        ['engine:acme.engine', '2.5.0'],
        ['engine:acme.engine', '2.6.1'],
      ],
    },
    cost: [0, 0, 1],
  });
  expect(JSON.parse(lines[1]!)).toMatchObject({
    printer: 'p2',
    outcome: 'impossible',
    explanation: expect.stringContaining('engine:acme.engine is pinned to <2.5'),
  });
});

test('catalog check names the JSON path of what is wrong', () => {
  expect(platen(['catalog', 'check', sample])).toMatchObject({
    status: 0,
    stdout: '2026-11-22.1: 0 errors, 0 warnings\n',
  });
  const document = JSON.parse(readFileSync(sample, 'utf8'));
  document.software[0].releases[1].requires[0].range = '>=two';
  document.software[1].releases[2].from = '2.6.1';
  document.software[1].releases[3].from = '2.5.0';
  const file = join(folder, 'bad.json');
  writeFileSync(file, JSON.stringify(document));
  const { status, lines } = platen(['catalog', 'check', file]);
  expect(status).toBe(1);
  expect(lines).toEqual([
    `${file}: error: $.software[0].releases[1].requires[0].range: Invalid comparator: >=two`,
    `${file}: warning: $.software[1].releases[2].from: nobody can reach acme.engine 2.5.0: it is reached only from 2.6.1, which is reached only from it: a cycle`,
    '2026-11-22.1: 1 error, 1 warning',
  ]);
  expect(platen(['judge', '--catalog', file, '--structures', '-']).stderr).toContain(
    'The catalog has 1 errors, the first: $.software[0].releases[1].requires[0].range',
  );
});
