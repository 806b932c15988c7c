import type { Cause } from '../cause.ts';
import { type Stop, stopFor } from './stops.ts';

const person: Cause = { kind: 'person', by: 'ana' };
const rule: Cause = { kind: 'rule', rule: 'jams', question: 'q1', trouble: 't1' };
const verdict: Cause = { kind: 'verdict', catalog: 'c1', wrong: ['a'], mends: ['acme.engine@2.5.0'] };
const stop = (change: Partial<Stop>): Stop => ({
  id: 's1',
  kind: 'guard',
  releases: ['acme.engine@2.5.0'],
  reason: '3 of 9 printers failed',
  by: 'guard',
  at: 1_000,
  ...change,
});
const asked = (cause: Cause, change = {}) => ({
  releases: ['acme.controller@3.1.0', 'acme.engine@2.5.0'],
  stratum: 'a',
  cause,
  ...change,
});

test('what the guard halted holds whoever asks, for the whole plan that contains it', () => {
  for (const cause of [person, rule, verdict]) expect(stopFor([stop({})], asked(cause))?.id).toBe('s1');
  expect(stopFor([stop({})], asked(verdict, { releases: ['acme.engine@2.6.1'] }))).toBeUndefined();
});

test("a person's stop holds for what starts by itself, on the configurations that it was for", () => {
  const stops = [stop({ kind: 'person', by: 'ana', strata: ['a', 'b'] })];
  expect(stopFor(stops, asked(rule))?.by).toBe('ana');
  expect(stopFor(stops, asked(verdict, { stratum: 'c' }))).toBeUndefined();
  expect(stopFor(stops, asked(person))).toBeUndefined();
});

test('a rule that was changed after the stop is another question; one that was there before is not', () => {
  expect(stopFor([stop({})], asked(rule, { ruleSince: 999 }))).toBeDefined();
  expect(stopFor([stop({})], asked(rule, { ruleSince: 1_001 }))).toBeUndefined();
  expect(stopFor([stop({})], asked(verdict, { ruleSince: 1_001 }))).toBeDefined();
});
