import { test } from '@jest/globals';
import { killUnderLoad } from './kill-under-load.ts';

const KILLS = 6;
const SEED = 20261122;

test(
  `after ${KILLS} times kill -9 under load, every entry that was acknowledged is in the store, none twice (seed ${SEED})`,
  () => killUnderLoad(KILLS, SEED),
  300_000,
);
