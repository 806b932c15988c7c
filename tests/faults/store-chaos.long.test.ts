import { expect, test } from '@jest/globals';
import { storeChaos } from './store-chaos.ts';

const SEED = Number(process.env['PLATEN_SEED'] ?? 20261130);

test(`a hundred kills and every other fault of the store, under load (seed ${SEED})`, async () => {
  const result = await storeChaos({
    faults: {
      kill: 70,
      power: 30,
      'postgres-killed': 5,
      'postgres-paused': 2,
      'read-only': 3,
      'disk-full': 3,
      'clock-ahead': 3,
      'torn-files': 12,
      'second-product': 2,
    },
    printers: 40,
    pause_ms: 90_000,
    seed: SEED,
  });
  const { faults, ...figures } = result;
  process.stdout.write(`${JSON.stringify({ ...figures, faults: faults.length })}\n`);
  expect(result).toMatchObject({ wrong: [], sameDatabase: true });
  expect(result.stored).toBeGreaterThanOrEqual(result.acknowledged);
}, 3_600_000);
