import { expect, test } from '@jest/globals';
import { Admission } from './admission.ts';

const LIMITS = {
  under_way_max: 10,
  under_way_operator_max: 3,
  operator_per_second_max: 10,
  operator_burst_max: 20,
};
const busy = expect.objectContaining({ code: 'request/busy' });

test('one operator has so many requests under way; another is let in all the same, up to a bound for all', () => {
  const admission = new Admission(LIMITS);
  const mine = [1, 2, 3].map(() => admission.enter('ana', false, 0));
  expect(() => admission.enter('ana', false, 0)).toThrow(busy);
  const others = ['b', 'c'].flatMap((name) => [1, 2, 3].map(() => admission.enter(name, false, 0)));
  admission.enter('d', false, 0);
  expect(() => admission.enter('e', false, 0)).toThrow(busy);
  for (const { done } of [...mine, ...others]) done();
  admission.enter('ana', false, 0);
  expect(admission.refused).toEqual({ all: 1, operator: 1, rate: 0, heavy: 0 });
});

test('one heavy question an operator at a time', () => {
  const admission = new Admission(LIMITS);
  const { done } = admission.enter('ana', true, 0);
  expect(() => admission.enter('ana', true, 0)).toThrow(busy);
  admission.enter('ana', false, 0);
  admission.enter('ben', true, 0);
  done();
  admission.enter('ana', true, 0);
  expect(admission.refused.heavy).toBe(1);
});

test('so many requests a second, after a burst', () => {
  const admission = new Admission(LIMITS);
  let now_ms = 0;
  let taken = 0;
  const ask = () => {
    try {
      admission.enter('ana', false, now_ms).done();
      taken += 1;
    } catch (error) {
      expect(error).toEqual(busy);
    }
  };
  for (let n = 0; n < 100; n += 1) ask();
  expect(taken).toBe(LIMITS.operator_burst_max);
  // Eighths of a second: what is added up is exact.
  for (; now_ms <= 2_000; now_ms += 125) for (let n = 0; n < 3; n += 1) ask();
  expect(taken).toBe(LIMITS.operator_burst_max + 2 * LIMITS.operator_per_second_max);
});
