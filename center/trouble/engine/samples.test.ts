import { readdirSync, readFileSync } from 'node:fs';
import { PlatenError } from '../../../schemas/errors.ts';
import type { TroubleRules } from '../../../schemas/types.ts';
import { checkRules, runRuleTests } from './expectations.ts';

const folder = new URL('../../../deploy/samples/', import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as TroubleRules;

test('the sample rules pass their own tests, which cover every rule', () => {
  const report = runRuleTests(read('rules.json'));
  expect(report.failures).toEqual([]);
  expect(report.uncovered).toEqual([]);
  expect(report.diagnostics).toEqual([]);
  expect(report.tests).toBeGreaterThan(35);
});

test('every rule sample is accepted', () => {
  for (const name of readdirSync(folder).filter((one) => /rules.*\.json$/.test(one))) {
    expect(checkRules(read(name)).list.length).toBeGreaterThan(0);
  }
});

test('rules whose own tests fail are refused, with the test and what was found', () => {
  const rules = read('rules.json');
  const [first] = rules.tests as unknown as { expect: { openedAt?: string }[] }[];
  if (first?.expect[0]) first.expect[0].openedAt = '2026-11-02T08:04:00Z';
  expect(() => checkRules(rules)).toThrow(PlatenError);
  expect(() => checkRules(rules)).toThrow(/\/tests\/0 .*openedAt.*08:04:00Z.*08:05:00Z/);
});

test('every case that technicians know by its code has a rule, and a test that opens it', () => {
  const { list, tests } = read('rules.json') as unknown as {
    list: { id: string }[];
    tests: { log: { code?: string }[]; expect: { rule: string }[] }[];
  };
  const opening = (code: string) =>
    tests.some(({ log, expect: expected }) => expected.length > 0 && log.some((line) => line.code === code));
  const codes = `SC390 SC496 SC499 SC498 SC541 SC542 SC651 SC652 SC672 SC724 SC728 SC792 SC860-52 1001 1101 1500 E602-0001
    E000720-0001 E064-0001 13.B2.D1 13.D3.DZ 32.21.01 C6000 024-340 924.01 E002 E301`;
  expect(codes.split(/\s+/).filter((code) => !opening(code))).toEqual([]);
  const ids = list.map(({ id }) => id);
  expect(ids).toEqual(
    expect.arrayContaining([
      'ricoh-excessive-jam',
      'konica-minolta-misfeed',
      'xerox-repeated-fault',
      'hp-49-firmware',
      'feed-roller-worn',
    ]),
  );
});
