import { expect, test } from '@jest/globals';
import { campaignUnderFire } from './campaign-under-fire.ts';

test('a campaign over 2,000 printers survives 20 kills of the product, power losses and cut networks', async () => {
  const result = await campaignUnderFire({
    printers: 2000,
    kills: 20,
    powerLoss: 0.01,
    cut: 0.2,
    cutsEach: 3,
    seed: 20261122,
    endsWithinMs: 600_000,
  });
  const { campaign, printers, versions, twice, powerLosses, cuts, resumed } = result;
  const ends = new Map<string, number>();
  for (const { is } of printers.values()) ends.set(is, (ends.get(is) ?? 0) + 1);
  process.stdout.write(
    `${JSON.stringify({ ends: Object.fromEntries(ends), powerLosses, cuts: cuts.size, resumed, twice: twice.length })}\n`,
  );
  expect(campaign.state).toBe('finished');
  expect(printers.size).toBe(2000);
  expect(twice).toEqual([]);
  expect(cuts.size).toBeGreaterThan(300);
  const whole = [...cuts.values()].filter(({ downloads }) => downloads === 3).length;
  expect(whole).toBeGreaterThan(cuts.size / 2);
  expect(resumed).toBeGreaterThanOrEqual(cuts.size);
  for (const [printer, { is, error }] of printers) {
    expect([printer, is, versions.get(printer)]).toEqual([printer, is, is === 'proven' ? '2.5.0' : '2.4.0']);
    if (is !== 'proven') expect([is, error?.code]).toEqual(['rolled-back', 'update/self-test-failed']);
  }
}, 1_800_000);
