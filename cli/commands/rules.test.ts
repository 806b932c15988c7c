import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WITH_TYPES } from '../../tests/harness/run/with-types.ts';

const PLATEN = fileURLToPath(new URL('../platen.ts', import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-rules-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** `platen rules test` as a user runs it. */
function rulesTest(args: string[], input = ''): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...WITH_TYPES, PLATEN, 'rules', 'test', ...args]);
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
    child.stdin.on('error', () => {
      // It may have ended before it read everything: then what it said is looked at.
    });
    child.stdin.end(input);
  });
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const JAMS = {
  rules: 'r',
  list: [
    {
      id: 'jams',
      where: { all: [['code', 'prefix', 'J']] },
      by: ['printer'],
      when: { count: { ge: 2, over: 'PT1H' } },
      clear: { quiet: 'PT1H' },
    },
  ],
};
const line = (printer: string, seq: number, at: string, more: object = {}) =>
  JSON.stringify({ printer, log: 'l', seq, at, code: 'J-1', severity: 'error', ...more });
const troubles = ({ out }: Ended) =>
  out
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text) as Record<string, unknown>);

test('a log from standard input gives a line for each trouble in order of their opening, and tells the rate', async () => {
  const rules = file('jams.json', JSON.stringify(JAMS));
  const log = [
    // One printer after the other, with offsets, microseconds, unusual codes and Windows' ends of lines.
    line('b', 1, '2024-02-28T23:50:00+01:00'),
    line('b', 2, '2024-02-29T00:10:00.000250+01:00', { code: 'J "ü\\"', pages: null, extra: true }),
    line('b', 2, '2024-02-29T00:10:00.000250+01:00', { code: 'J "ü\\"', pages: null, extra: true }),
    line('a', 7, '2024-02-28T10:00:00Z'),
    line('a', 9, '2024-02-28T10:59:59.999999Z', { log: 'other' }),
    line('a', 10, '2024-02-28T08:30:00Z'),
  ].join('\r\n');
  const ended = await rulesTest(['--rules', rules, '--log', '-', '--json'], `\uFEFF${log}`);
  expect(ended.code).toBe(0);
  const [first, second, summary] = troubles(ended);
  expect(first).toEqual({
    rule: 'jams',
    printer: 'a',
    unit: null,
    openedAt: '2024-02-28T10:59:59.999999Z',
    closedAt: '2024-02-28T11:59:59.999999Z',
    severity: 'minor',
    evidence: [7, 9],
  });
  expect(second).toMatchObject({ printer: 'b', openedAt: '2024-02-28T23:10:00.000250Z', closedAt: null });
  expect(summary).toMatchObject({ entries: 6, late: 1, crowded: 0, troubles: 2, opened: { jams: 2 } });
  expect(ended.err).toMatch(/6 entries and 0 structures in [\d.]+ s \(\d+ entries a second\), 2 troubles/);
  expect(ended.err).toMatch(
    /1 times an entry came later than its rule allows and was left out, first in line 6/,
  );
});

test('what cannot be used, and what fails, ends with 1 and says where', async () => {
  const rules = file('jams.json', JSON.stringify(JAMS));
  const good = line('a', 1, '2026-11-01T00:00:00Z');
  const bad: [string, RegExp][] = [
    ['{"printer":"a"', /bad-0\.jsonl: line 2: .*JSON/],
    [line('a', 2, '2026-02-30T00:00:00Z'), /line 2: "at" is missing or not an RFC 3339 time/],
    [line('a', 2, '2026-11-01T00:00:00Z', { severity: 'FATAL' }), /line 2: "severity" must be one of info, /],
    [line('a', 0, '2026-11-01T00:00:00Z'), /line 2: "seq" is missing or not a whole number from 1/],
    [line('a', 2, '2026-11-01T00:00:00Z', { pages: 1.5 }), /line 2: "pages" is not a whole number from 0/],
    ['[1]', /line 2: a JSON object is expected/],
    ['{"structure":{}}', /line 2: "printer" is missing/],
  ];
  await Promise.all(
    bad.map(async ([text, told], index) => {
      const log = file(`bad-${index}.jsonl`, `${good}\n${text}\n`);
      const ended = await rulesTest(['--rules', rules, '--log', log]);
      expect([ended.code, ended.out]).toEqual([1, '']);
      expect(ended.err).toMatch(told);
    }),
  );
  const missing = await rulesTest(['--rules', rules, '--log', join(folder, 'none.jsonl')]);
  expect([missing.code, missing.err]).toEqual([1, expect.stringMatching(/none\.jsonl: there is no /)]);
  const wrong = file(
    'wrong.json',
    JSON.stringify({ rules: 'r', list: [{ id: 'x', when: { count: { ge: 0 } } }] }),
  );
  const refused = await rulesTest(['--rules', wrong]);
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringMatching(/error at \/list\/0\/when\/count\/ge: /),
  ]);

  const log = file('log.jsonl', `${good}\n${line('a', 2, '2026-11-01T00:01:00Z')}\n`);
  const expected = file('expect.jsonl', '{"rule":"jams","printer":"z"}\n');
  const differs = await rulesTest(['--rules', rules, '--log', log, '--expect', expected]);
  expect(differs.code).toBe(1);
  expect(differs.err).toMatch(/trouble 1: .*"printer":"z".* is expected, .*"printer":"a"/);
  const failing = { ...JAMS, tests: [{ log: [], expect: [{ rule: 'jams' }] }] };
  const failed = await rulesTest(['--rules', file('failing.json', JSON.stringify(failing))]);
  expect([failed.code, failed.err]).toEqual([1, expect.stringMatching(/\/tests\/0 "test 1" FAILS: /)]);
});
