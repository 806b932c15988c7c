/**
 * Seeded instances that are too large for exhaustive search: a dozen subjects with a dozen releases each on several
 * units, some of them spares, with every kind of constraint except those about hardware and vendors.
 */

import { seededRandom } from '../../../base/random.ts';
import type { ChooseOptions, UnitLike } from '../../../compatibility/types.ts';
import type { Catalog, Constraint } from '../../../schemas/types.ts';
import type { Case } from './instances.ts';

/** Seeded random integers below a bound. */
function randomOf(seed: number): (below: number) => number {
  const random = seededRandom(seed);
  return (below) => Math.floor(random() * below);
}

const KINDS = ['engine', 'finisher', 'feeder'] as const;

export function largeCase(seed: number): Case {
  const below = randomOf(seed);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const versions = Array.from({ length: 6 + below(7) }, (_, i) => `${1 + Math.floor(i / 4)}.${i % 4}.0`);
  const ids = ['controller', 'panel', 'network', ...KINDS.map((kind) => `${kind}-main`), 'boot'];
  const range = (around: number): string => {
    const low = Math.max(0, around - below(4));
    const high = Math.min(versions.length - 1, around + 1 + below(4));
    return pick([
      `>=${versions[low]}`,
      `>=${versions[low]} <=${versions[high]}`,
      `<=${versions[high]}`,
      `^${versions[around]}`,
      `${versions[low]} || ${versions[high]}`,
    ]);
  };
  const modelsOf = (kind: string): string[] => [`${kind}-A`, `${kind}-B`];
  const constraint = (around: number): Constraint => {
    const severity = pick(['boot', 'function', undefined] as const);
    const of = pick(['every', 'some', undefined] as const);
    const optional = pick([true, true, undefined]);
    if (below(10) === 0) {
      const kind = pick(KINDS);
      return { kind, ...(below(2) === 0 ? { model: pick(modelsOf(kind)) } : {}), of, optional, severity };
    }
    if (below(25) === 0) return { apparatus: pick([['A'], ['A', 'B'], ['B']]), severity };
    return { software: pick(ids), range: range(around), of, optional, severity };
  };
  const many = (times: number, around: number): Constraint[] =>
    Array.from({ length: times }, () => JSON.parse(JSON.stringify(constraint(around))) as Constraint);
  const document: Catalog = {
    catalog: `seed-${seed}`,
    apparatus: [
      {
        model: 'A',
        transactional: below(2) === 0,
        slots: KINDS.map((kind) => ({
          kind,
          models: modelsOf(kind),
          min: pick([0, 0, 0, 1]),
          max: 2 + below(3),
        })),
        requires: many(below(2), below(versions.length)),
      },
    ],
    units: KINDS.flatMap(modelsOf).map((model) => ({
      model,
      requires: many(below(2), below(versions.length)),
      conflicts: below(10) === 0 ? many(1, 0) : [],
    })),
    software: ids.map((id) => ({
      id,
      releases: versions.map((version, i) => ({
        version,
        status: pick(['released', 'released', 'released', 'released', 'staged', 'withdrawn'] as const),
        downgradeFrom: '*',
        requires: many(pick([0, 0, 1, 2]), i),
        conflicts: below(8) === 0 ? many(1, below(versions.length)) : [],
      })),
    })),
  };
  const installed = (id: string) => ({ id, version: pick(versions) });
  const units: UnitLike[] = Array.from({ length: 3 + below(4) }, (_, i) => {
    const kind = pick(KINDS);
    return {
      symbol: `${kind}.${i}`,
      kind,
      model: below(20) === 0 ? `${kind}-C` : pick(modelsOf(kind)),
      state: below(4) === 0 ? ('spare' as const) : ('active' as const),
      software: [installed(`${kind}-main`), ...(below(2) === 0 ? [installed('boot')] : [])],
    };
  });
  const options: ChooseOptions = {};
  if (below(3) === 0) options.pins = { [pick(ids.slice(0, 3))]: range(below(versions.length)) };
  if (below(3) === 0)
    options.require = { [`apparatus:${pick(ids.slice(0, 3))}`]: range(below(versions.length)) };
  if (below(3) === 0) options.allowUnitReplacement = false;
  if (below(4) === 0) options.allowDowngrade = false;
  if (below(2) === 0) options.objective = 'upgrade';
  return {
    catalog: document,
    structure: {
      apparatus: { model: 'A', software: ['controller', 'panel', 'network'].map(installed) },
      units,
    },
    options,
  };
}
