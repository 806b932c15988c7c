import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPORT_NUMBERS_RESERVED } from './limits.ts';
import { ReportNumbersInMemory, ReportNumbersOnDisk } from './report-numbers.ts';

const folder = mkdtempSync(join(tmpdir(), 'platen-numbers-'));
const file = join(folder, 'report-numbers.json');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => rmSync(file, { force: true }));

test('grow within an attempt and begin anew with the next one', () => {
  for (const numbers of [new ReportNumbersInMemory(), new ReportNumbersOnDisk(file)]) {
    expect([numbers.next('e', 1), numbers.next('e', 1), numbers.next('e', 2), numbers.next('f', 1)]).toEqual([
      1, 2, 1, 1,
    ]);
  }
});

test('on disk they go on growing however often the agent starts again', () => {
  let last = 0;
  for (let start = 0; start < 5; start++) {
    const numbers = new ReportNumbersOnDisk(file);
    for (let report = 0; report < REPORT_NUMBERS_RESERVED + 7; report++) {
      const next = numbers.next('e', 1);
      expect(next).toBeGreaterThan(last);
      last = next;
    }
  }
});

test('a damaged file begins anew', () => {
  writeFileSync(file, '{"key":');
  expect(new ReportNumbersOnDisk(file).next('e', 1)).toBe(1);
});
