import { readdirSync, readFileSync } from 'node:fs';
import { PlatenError } from '../../schemas/errors.ts';
import type { TroubleRules } from '../../schemas/types.ts';
import { checkRules, runRuleTests } from './expectations.ts';

const folder = new URL('../../deploy/samples/', import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as TroubleRules;

test('the sample rules pass their own tests, and each rule is tried', () => {
  const report = runRuleTests(read('rules.json'));
  expect(report.failures).toEqual([]);
  expect(report.uncovered).toEqual([]);
  expect(report.diagnostics).toEqual([]);
  expect(report.tests).toBeGreaterThan(20);
});

test('every sample of rules can be put', () => {
  for (const name of readdirSync(folder).filter((one) => /rules.*\.json$/.test(one))) {
    expect(checkRules(read(name)).list.length).toBeGreaterThan(0);
  }
});

test('rules whose own tests fail are refused, with the test and what was found', () => {
  const rules = read('rules.json');
  const [first] = rules.tests as { expect: { openedAt?: string }[] }[];
  if (first?.expect[0]) first.expect[0].openedAt = '2026-11-02T08:04:00Z';
  expect(() => checkRules(rules)).toThrow(PlatenError);
  expect(() => checkRules(rules)).toThrow(/\/tests\/0 .*openedAt.*08:04:00Z.*08:05:00Z/);
});
