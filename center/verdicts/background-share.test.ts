import { expect, test } from '@jest/globals';
import { CENTER_LIMITS } from '../limits.ts';
import { giveWay } from './background-share.ts';

const WORKED_MS = 10;
const SHARE_MS = WORKED_MS / CENTER_LIMITS.background_share_max - WORKED_MS;

test('a round waits for its share while the event loop is busy', async () => {
  let busy = true;
  const spin = () => {
    const until = performance.now() + 5;
    while (performance.now() < until);
    if (busy) setImmediate(spin);
  };
  spin();
  const started = performance.now();
  await giveWay(WORKED_MS, () => false);
  busy = false;
  expect(performance.now() - started).toBeGreaterThanOrEqual(SHARE_MS * 0.9);
});

test('a stopped round stops waiting', async () => {
  const started = performance.now();
  await giveWay(60_000, () => performance.now() - started > 20);
  // On an idle machine it ends for that reason; either way long before its share would require.
  expect(performance.now() - started).toBeLessThan(5_000);
});
