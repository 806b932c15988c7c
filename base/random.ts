/** Seeded pseudo-random numbers: the same seed gives the same sequence everywhere. Never for secrets. */

/** A source of numbers in [0, 1). */
export type Random = () => number;

/** 32-bit FNV-1a of a text; turns a name into a seed. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/** Numbers in [0, 1) from a 32-bit seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A separate stream for every name, so that adding a printer doesn't change the others. */
export function randomFor(seed: number, name: string): Random {
  return seededRandom(hashOf(`${seed}/${name}`));
}

/** A draw from the exponential distribution with the given mean. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean;
}
