import { trial } from './fuzz.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_122);

test(`10,000 damaged conversations (FUZZ_SEED=${SEED}): alive, nothing left, memory back at its level`, async () => {
  const { growth_bytes } = await trial(SEED, 10_000);
  expect(growth_bytes).toBeLessThan(8 * 1024 * 1024);
}, 180_000);
