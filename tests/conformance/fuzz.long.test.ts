import { trial } from './fuzz.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);

test(`200,000 damaged conversations (FUZZ_SEED=${SEED}): alive, nothing left, memory back at its level`, async () => {
  const { growth_bytes } = await trial(SEED, 200_000);
  expect(growth_bytes).toBeLessThan(8 * 1024 * 1024);
}, 1_800_000);
