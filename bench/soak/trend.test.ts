import { seededRandom } from '../../base/random.ts';
import { trendOf } from './trend.ts';

const SEED = 7;
const minutes = (count: number, value: (minute: number) => number) =>
  Array.from({ length: count }, (_, minute) => ({ minute, value: value(minute) }));

test('noise around a level is flat, also when some minutes are far off', () => {
  const random = seededRandom(SEED);
  const noisy = minutes(90, (minute) => 300 + 20 * random() + (minute % 30 === 29 ? 2_000 : 0));
  expect(trendOf(noisy, { share: 0.05, least: 0 })).toMatchObject({ flat: true, samples: 90 });
});

test('a leak below the noise of a minute is seen', () => {
  const random = seededRandom(SEED);
  const leaks = minutes(90, (minute) => 300 + minute * 0.6 + 20 * random());
  const trend = trendOf(leaks, { share: 0.05, least: 0 });
  expect(trend.flat).toBe(false);
  expect(trend.perHour).toBeCloseTo(36, -1);
});

test('what falls is flat, and small counts are given room', () => {
  expect(
    trendOf(
      minutes(60, (minute) => 100 - minute),
      { share: 0.05, least: 0 },
    ).flat,
  ).toBe(true);
  expect(
    trendOf(
      minutes(60, (minute) => minute / 30),
      { share: 0.05, least: 5 },
    ).flat,
  ).toBe(true);
  expect(trendOf([], { share: 0.05, least: 0 })).toMatchObject({ samples: 0, flat: true, perHour: 0 });
});
