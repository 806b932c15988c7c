import { Allowance, Allowances } from './rate-limit.ts';

const rates = {
  publishesPerSecond: 10,
  bytesPerSecond: 1_000,
  burstMs: 2_000,
  packetsPerSecond: 0,
  packetBurstMs: 0,
};

test('within the burst nothing waits; beyond it for as long as is owed, by the rate that is broken more', () => {
  const allowance = new Allowance(rates);
  for (let n = 0; n < 20; n++) expect(allowance.spend(1, 0, 5_000)).toBe(0);
  expect(allowance.spend(1, 0, 5_000)).toBe(100);
  expect(allowance.spend(0, 2_500, 5_000)).toBe(500);
  // Time pays, and never more than the burst.
  expect(allowance.spend(1, 0, 5_600)).toBe(0);
  for (let n = 0; n < 20; n++) expect(allowance.spend(1, 0, 100_000)).toBe(0);
  expect(allowance.spend(1, 0, 100_000)).toBe(100);
});

test('a rate of 0 bounds nothing', () => {
  const allowance = new Allowance({ ...rates, publishesPerSecond: 0, bytesPerSecond: 0, burstMs: 0 });
  expect(allowance.spend(1_000_000, 1_000_000_000, 0)).toBe(0);
  expect(new Allowances({ ...rates, publishesPerSecond: 0, bytesPerSecond: 0 }).hold('p')).toBeUndefined();
});

test('an account outlives its connections until nothing is owed', () => {
  const allowances = new Allowances(rates);
  const first = allowances.hold('p') as Allowance;
  first.spend(20, 0, 0);
  first.holders--;
  allowances.forget(1_000);
  expect(allowances.hold('p')).toBe(first);
  allowances.forget(10_000);
  expect(allowances.hold('p')).toBe(first);
  first.holders = 0;
  allowances.forget(10_000);
  expect(allowances.hold('p')).not.toBe(first);
});

test('other packets have a rate and a burst of their own', () => {
  const allowance = new Allowance({ ...rates, packetsPerSecond: 100, packetBurstMs: 500 });
  expect(allowance.spendPackets(50, 1_000)).toBe(0);
  expect(allowance.spendPackets(10, 1_000)).toBe(100);
  expect([allowance.settled(1_500), allowance.settled(1_600)]).toEqual([false, true]);
  expect(allowance.spend(20, 0, 1_000)).toBe(0);
});
