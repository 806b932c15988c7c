import { expect, test } from '@jest/globals';
import { CENTER_LIMITS } from '../limits.ts';
import { Scrapes } from './scrapes.ts';

test('a flood of scrapes renders seldom, and gets text that is at most a moment old', async () => {
  let now_ms = 0;
  let rendered = 0;
  const scrapes = new Scrapes({ metrics: () => Promise.resolve(String(++rendered)) }, () => now_ms);
  const { scrapes_burst_max, scrapes_per_second_max } = CENTER_LIMITS;
  for (let n = 1; n <= scrapes_burst_max; n += 1) expect(await scrapes.text()).toBe(String(n));
  let oldest_ms = 0;
  let made_ms = 0;
  let last = rendered;
  for (; now_ms < 2_000; now_ms += 1) {
    const text = Number(await scrapes.text());
    if (text > last) made_ms = now_ms;
    last = text;
    oldest_ms = Math.max(oldest_ms, now_ms - made_ms);
  }
  expect(rendered).toBeLessThanOrEqual(scrapes_burst_max + 2 * scrapes_per_second_max);
  expect(oldest_ms).toBeLessThanOrEqual(1_000 / scrapes_per_second_max);
});
