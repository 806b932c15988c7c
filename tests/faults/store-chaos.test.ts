import { expect, test } from '@jest/globals';
import { FAULTS, storeChaos } from './store-chaos.ts';

const SEED = 20261130;

test(`every fault of the store once, under load (seed ${SEED}): nothing acknowledged is lost or doubled`, async () => {
  const result = await storeChaos({
    // kill.test.ts has many kills in a row.
    faults: Object.fromEntries(FAULTS.map((fault) => [fault, 1])),
    printers: 20,
    pause_ms: 2_000,
    seed: SEED,
  });
  expect(result).toMatchObject({ wrong: [], sameDatabase: true });
  expect(result.faults).toHaveLength(FAULTS.length);
  expect(result.acknowledged).toBeGreaterThan(1_000);
  expect(result.stored).toBeGreaterThanOrEqual(result.acknowledged);
}, 600_000);
