import { expect, test } from '@jest/globals';
import { Admission, type Entering } from './admission.ts';

const LIMITS = {
  under_way_max: 10,
  under_way_operator_max: 3,
  operator_per_second_max: 10,
  operator_burst_max: 20,
  changes_per_second_max: { printer: 0, viewer: 0.5, operator: 5, admin: 10 },
  changes_burst_max: { printer: 0, viewer: 2, operator: 10, admin: 20 },
};
const asks = (operator: string, heavy = false): Entering => ({
  operator,
  role: 'operator',
  heavy,
  changes: false,
});
const busy = expect.objectContaining({ code: 'request/busy' });

test('one operator has so many requests under way; another is let in all the same, up to a bound for all', () => {
  const admission = new Admission(LIMITS);
  const mine = [1, 2, 3].map(() => admission.enter(asks('ana'), 0));
  expect(() => admission.enter(asks('ana'), 0)).toThrow(busy);
  const others = ['b', 'c'].flatMap((name) => [1, 2, 3].map(() => admission.enter(asks(name), 0)));
  admission.enter(asks('d'), 0);
  expect(() => admission.enter(asks('e'), 0)).toThrow(busy);
  for (const { done } of [...mine, ...others]) done();
  admission.enter(asks('ana'), 0);
  expect(admission.refused).toEqual({ all: 1, operator: 1, rate: 0, heavy: 0, changes: 0 });
});

test('one heavy question an operator at a time', () => {
  const admission = new Admission(LIMITS);
  const { done } = admission.enter(asks('ana', true), 0);
  expect(() => admission.enter(asks('ana', true), 0)).toThrow(busy);
  admission.enter(asks('ana'), 0);
  admission.enter(asks('ben', true), 0);
  done();
  admission.enter(asks('ana', true), 0);
  expect(admission.refused.heavy).toBe(1);
});

test('so many requests a second, after a burst', () => {
  const admission = new Admission(LIMITS);
  let now_ms = 0;
  let taken = 0;
  const ask = () => {
    try {
      admission.enter(asks('ana'), now_ms).done();
      taken += 1;
    } catch (error) {
      expect(error).toEqual(busy);
    }
  };
  for (let n = 0; n < 100; n += 1) ask();
  expect(taken).toBe(LIMITS.operator_burst_max);
  // Eighths of a second add up exactly.
  for (; now_ms <= 2_000; now_ms += 125) for (let n = 0; n < 3; n += 1) ask();
  expect(taken).toBe(LIMITS.operator_burst_max + 2 * LIMITS.operator_per_second_max);
});

test('changes leave rows behind, so the least role makes few of them, however fast it asks', () => {
  const admission = new Admission(LIMITS);
  const changes = (role: 'viewer' | 'admin'): Entering => ({
    operator: role,
    role,
    heavy: false,
    changes: true,
  });
  const taken = (role: 'viewer' | 'admin', now_ms: number) => {
    let count = 0;
    for (let n = 0; n < 15; n += 1) {
      try {
        admission.enter(changes(role), now_ms).done();
        count += 1;
      } catch (error) {
        expect(error).toEqual(busy);
      }
    }
    return count;
  };
  expect([taken('viewer', 0), taken('admin', 0)]).toEqual([2, 15]);
  // Requests that change nothing have a budget of their own.
  admission.enter({ ...changes('viewer'), changes: false }, 2_000).done();
  expect(taken('viewer', 2_000)).toBe(1);
  expect(admission.refused.changes).toBe(13 + 14);
});
