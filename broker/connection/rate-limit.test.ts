import { RateLimit, RateLimits } from './rate-limit.ts';

const rates = {
  publishesPerSecond: 10,
  bytesPerSecond: 1_000,
  burstMs: 2_000,
  packetsPerSecond: 0,
  packetBurstMs: 0,
};

test('within the burst nothing waits; beyond it for as long as is owed, by the rate that is broken more', () => {
  const limit = new RateLimit(rates);
  for (let n = 0; n < 20; n++) expect(limit.charge(1, 0, 5_000)).toBe(0);
  expect(limit.charge(1, 0, 5_000)).toBe(100);
  expect(limit.charge(0, 2_500, 5_000)).toBe(500);
  // Time restores the allowance, but never beyond the burst.
  expect(limit.charge(1, 0, 5_600)).toBe(0);
  for (let n = 0; n < 20; n++) expect(limit.charge(1, 0, 100_000)).toBe(0);
  expect(limit.charge(1, 0, 100_000)).toBe(100);
});

test('a rate of 0 bounds nothing', () => {
  const limit = new RateLimit({ ...rates, publishesPerSecond: 0, bytesPerSecond: 0, burstMs: 0 });
  expect(limit.charge(1_000_000, 1_000_000_000, 0)).toBe(0);
  expect(new RateLimits({ ...rates, publishesPerSecond: 0, bytesPerSecond: 0 }).acquire('p')).toBeUndefined();
});

test('an account outlives its connections until nothing is owed', () => {
  const limits = new RateLimits(rates);
  const first = limits.acquire('p') as RateLimit;
  first.charge(20, 0, 0);
  first.holders--;
  limits.prune(1_000);
  expect(limits.acquire('p')).toBe(first);
  limits.prune(10_000);
  expect(limits.acquire('p')).toBe(first);
  first.holders = 0;
  limits.prune(10_000);
  expect(limits.acquire('p')).not.toBe(first);
});

test('other packets have a rate and a burst of their own', () => {
  const limit = new RateLimit({ ...rates, packetsPerSecond: 100, packetBurstMs: 500 });
  expect(limit.chargePackets(50, 1_000)).toBe(0);
  expect(limit.chargePackets(10, 1_000)).toBe(100);
  expect([limit.settled(1_500), limit.settled(1_600)]).toEqual([false, true]);
  expect(limit.charge(20, 0, 1_000)).toBe(0);
});
