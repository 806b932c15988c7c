import { evidenceNeeded, evidenceOf } from './e-process.ts';
import { afterFirstEvent, FIRST_EVENT_RATIOS, newFirstEventLogs } from './first-event.ts';

test('under the hypothesis the expected factor of each step is 1', () => {
  for (const q of [0.01, 0.3, 0.9]) {
    for (const ratio of [1, 1.5]) {
      const chance = (ratio * q) / (1 + q * (ratio - 1));
      const yes = afterFirstEvent(newFirstEventLogs(), true, q, ratio);
      const no = afterFirstEvent(newFirstEventLogs(), false, q, ratio);
      FIRST_EVENT_RATIOS.forEach((_, index) => {
        const mean = chance * Math.exp(yes[index] ?? 0) + (1 - chance) * Math.exp(no[index] ?? 0);
        expect(mean).toBeCloseTo(1, 10);
      });
      expect(chance * evidenceOf(yes) + (1 - chance) * evidenceOf(no)).toBeCloseTo(1, 10);
    }
  }
});

test('nothing is learnt where all printers at risk are in one group', () => {
  expect(evidenceOf(afterFirstEvent(newFirstEventLogs(), false, 0))).toBeCloseTo(1, 12);
  expect(evidenceOf(afterFirstEvent(newFirstEventLogs(), true, 1))).toBeCloseTo(1, 12);
});

test('evidence stays a number that JSON can represent, however strong', () => {
  let logs = newFirstEventLogs();
  for (let event = 0; event < 2_000; event++) logs = afterFirstEvent(logs, true, 0.1);
  expect(Number.isFinite(evidenceOf(logs))).toBe(true);
  expect(evidenceOf(logs)).toBeGreaterThan(1e300);
  logs = newFirstEventLogs();
  for (let event = 0; event < 2_000; event++) logs = afterFirstEvent(logs, false, 0.9);
  expect(evidenceOf(logs)).toBeLessThan(1e-6);
});

test('the levels of many tests sum to α', () => {
  const alpha = 0.01;
  const used = Array.from({ length: 10_000 }, (_, index) => 1 / evidenceNeeded(alpha, index + 1));
  const sum = used.reduce((all, each) => all + each, 0);
  expect(sum).toBeLessThanOrEqual(alpha);
  expect(sum).toBeGreaterThan(alpha * 0.999);
});
