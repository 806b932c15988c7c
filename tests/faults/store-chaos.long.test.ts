import { expect, test } from '@jest/globals';
import { storeChaos } from './store-chaos.ts';

const SEED = Number(process.env['PLATEN_SEED'] ?? 20261130);
/** Each takes about a quarter of an hour; together a hundred kills. */
const PARTS = [0, 1, 2, 3].map((part) => SEED + part);

test.each(PARTS)(
  'kills and every other fault of the store, under load (seed %i)',
  async (seed) => {
    const { faults, ...figures } = await storeChaos({
      faults: {
        kill: 18,
        power: 7,
        'postgres-killed': 2,
        'postgres-paused': 1,
        'read-only': 1,
        'disk-full': 1,
        'clock-ahead': 1,
        'torn-files': 3,
        'second-product': 1,
      },
      printers: 40,
      // Longer than any timeout, so that everything that waited has given up.
      pause_ms: 180_000,
      seed,
    });
    process.stdout.write(`${JSON.stringify({ ...figures, faults: faults.length })}\n`);
    expect(figures).toMatchObject({ wrong: [], sameDatabase: true });
    expect(figures.stored).toBeGreaterThanOrEqual(figures.acknowledged);
  },
  1_800_000,
);
