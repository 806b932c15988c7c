import { expect, test } from '@jest/globals';
import { campaignUnderFire } from './campaign-under-fire.ts';

test('a campaign over 60 printers survives kills of the product, power losses and cut networks', async () => {
  const result = await campaignUnderFire({
    printers: 60,
    kills: 3,
    powerLoss: 0.05,
    cut: 0.3,
    cutsEach: 3,
    seed: 20261122,
    endsWithinMs: 120_000,
  });
  const { campaign, printers, versions, twice, powerLosses, cuts, resumed } = result;
  expect(campaign.state).toBe('finished');
  expect(printers.size).toBe(60);
  expect(powerLosses).toBeGreaterThan(0);
  expect(twice).toEqual([]);
  expect(cuts.size).toBeGreaterThan(10);
  // In the middle of their downloads and of their installations. A printer that received its image over MQTT while the
  // product was down has fewer cuts.
  const whole = [...cuts.values()].filter(({ downloads }) => downloads === 3).length;
  expect(whole).toBeGreaterThan(cuts.size / 2);
  expect([...cuts.values()].filter(({ connections }) => connections > 0).length).toBeGreaterThan(
    cuts.size / 2,
  );
  expect(resumed).toBeGreaterThanOrEqual(cuts.size);
  for (const [printer, { is, error }] of printers) {
    // The center's state agrees with the printer's.
    expect([printer, is, versions.get(printer)]).toEqual([printer, is, is === 'proven' ? '2.5.0' : '2.4.0']);
    if (is !== 'proven') expect([is, error?.code]).toEqual(['rolled-back', 'update/self-test-failed']);
  }
}, 240_000);

test('a campaign ends though Redis, which has its queue, is killed and emptied in the middle', async () => {
  const { campaign, printers, versions, twice } = await campaignUnderFire({
    printers: 40,
    // The product, Redis, and the data in Redis.
    kills: 3,
    redis: true,
    powerLoss: 0,
    cut: 0,
    cutsEach: 0,
    seed: 20261130,
    endsWithinMs: 120_000,
  });
  expect(campaign.state).toBe('finished');
  expect(printers.size).toBe(40);
  expect(twice).toEqual([]);
  for (const [printer, { is }] of printers) {
    expect([printer, is, versions.get(printer)]).toEqual([printer, is, is === 'proven' ? '2.5.0' : '2.4.0']);
  }
}, 240_000);
