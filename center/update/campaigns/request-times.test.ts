import { checkTimes, opensInMs } from './request-times.ts';

const HOUR_MS = 3_600_000;
/** Monday, 30 November 2026, 22:00 UTC. */
const NOW = Date.parse('2026-11-30T22:00:00Z');

test('when a window opens, in the zone of the printer', () => {
  const night = { from: '23:00', to: '02:00' };
  expect(opensInMs(night, NOW, 0)).toBe(HOUR_MS);
  expect(opensInMs(night, NOW, 2)).toBe(0);
  expect(opensInMs(night, NOW, 5)).toBe(20 * HOUR_MS);
  // It belongs to the day on which it opens: Monday's is still open on Tuesday.
  expect(opensInMs({ ...night, days: [1] }, NOW, 2)).toBe(0);
  expect(opensInMs({ ...night, days: [2] }, NOW, 2)).toBe(23 * HOUR_MS);
  // Equal ends are the whole day.
  expect(opensInMs({ from: '04:00', to: '04:00', days: [1] }, NOW, 0)).toBe(0);
  expect(opensInMs({ from: '04:00', to: '04:00', days: [7] }, NOW, 0)).toBe((5 * 24 + 6) * HOUR_MS);
});

test.each([
  [
    'a window that opens after the deadline',
    { window: { from: '03:00', to: '04:00', days: [6] }, deadline: 'P1D' },
    /does not open before the deadline P1D in any time zone/,
  ],
  ['no time at all', { deadline: 'PT0S' }, /deadline PT0S is too short/],
  [
    'downloads that start after the deadline',
    { spread: 'P2D', deadline: 'P1D' },
    /spread P2D is not shorter/,
  ],
])('%s is refused', (_what, options, message) => {
  expect(() => checkTimes(options, NOW)).toThrow(message);
});

test('a window that opens in time in some zones only is warned of; the default deadline fits every window', () => {
  const window = { from: '03:00', to: '04:00' };
  expect(checkTimes({ window, deadline: 'PT8H' }, NOW)).toEqual([
    expect.stringMatching(/in every time zone/),
  ]);
  for (let day = 1; day <= 7; day++)
    expect(checkTimes({ window: { ...window, days: [day] } }, NOW)).toEqual([]);
  expect(checkTimes(undefined, NOW)).toEqual([]);
});
