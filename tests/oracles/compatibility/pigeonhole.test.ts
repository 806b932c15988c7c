/** Pigeonhole conflicts against exhaustive search: found where they are, and never where something fits. */
import fc from 'fast-check';
import { choose, compileCatalog } from '../../../compatibility/index.ts';
import { buildInstance, type Instance } from '../../../compatibility/instance.ts';
import { findCrowd } from '../../../compatibility/solver/pigeonhole.ts';
import { resolveWorld } from '../../../compatibility/world.ts';
import type { Catalog } from '../../../schemas/types.ts';

/** Software with versions 1, 2, …, and its conflicts as 0-based `[piece, version, piece, version]`. */
function tangle(versions: readonly number[], conflicts: readonly (readonly number[])[]) {
  const document: Catalog = {
    catalog: 'pigeons',
    software: versions.map((count, i) => ({
      id: `p${i}`,
      scheme: 'dotted' as const,
      releases: Array.from({ length: count }, (_, k) => ({
        version: `${k + 1}`,
        conflicts: conflicts
          .filter(([piece, version]) => piece === i && version === k)
          .map(([, , other, version]) => ({ software: `p${other}`, range: `=${version! + 1}` })),
      })),
    })),
  };
  const { catalog } = compileCatalog(document);
  const software = versions.map((_, i) => ({ id: `p${i}`, version: '1' }));
  const structure = { apparatus: { model: 'M', software } };
  return { catalog, structure, instance: buildInstance(catalog, resolveWorld(catalog, structure), {}) };
}

/** `pieces` pieces with `holes` versions each, no two of which may have the same version. */
function pigeons(pieces: number, holes: number) {
  const all = Array.from({ length: pieces }, (_, i) => i);
  const conflicts = all.flatMap((i) =>
    all.filter((j) => j > i).flatMap((j) => Array.from({ length: holes }, (_, k) => [i, k, j, k])),
  );
  return tangle(
    all.map(() => holes),
    conflicts,
  );
}

test.each([2, 5, 12, 30])('%i pieces that need one version more than there is', (holes) => {
  const { catalog, structure, instance } = pigeons(holes + 1, holes);
  const crowd = findCrowd(instance);
  expect(crowd).toMatchObject({ places: holes, even: true });
  expect(crowd!.variables).toHaveLength(holes + 1);
  expect(crowd!.requirements).toHaveLength(((holes + 1) * holes * holes) / 2);
  expect(findCrowd(pigeons(holes, holes).instance)).toBeUndefined();
  const choice = choose(catalog, structure);
  expect(choice.outcome).toBe('impossible');
  if (holes === 30) {
    expect(choice.explanation).toBe(
      'apparatus:p0, apparatus:p1, apparatus:p2, apparatus:p3 and 27 more each need a version, but all versions they can have fall into 30 sets, and no two of one set go together: that is enough for 30 of them, not for 31.',
    );
  }
});

/** Whether any assignment breaks no conflict, by trying them all. */
function anyFits(versions: readonly number[], conflicts: readonly (readonly number[])[]): boolean {
  const chosen: number[] = [];
  const extend = (piece: number): boolean => {
    if (piece === versions.length) return true;
    for (let version = 0; version < versions[piece]!; version++) {
      chosen[piece] = version;
      const broken = conflicts.some(
        ([a, v, b, w]) => Math.max(a!, b!) === piece && a !== b && chosen[a!] === v && chosen[b!] === w,
      );
      if (!broken && extend(piece + 1)) return true;
    }
    return false;
  };
  return extend(0);
}

test('where anything fits, no crowd is found', () => {
  const seen = { crowds: 0 };
  const random = fc
    .tuple(
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 3, maxLength: 5 }),
      fc.integer({ min: 0, max: 1e9 }),
    )
    .chain(([versions]) =>
      fc
        .array(fc.tuple(fc.nat(versions.length - 1), fc.nat(2), fc.nat(versions.length - 1), fc.nat(2)), {
          minLength: 3,
          maxLength: 40,
        })
        .map((conflicts) => ({
          versions,
          conflicts: conflicts.filter(([a, v, b, w]) => a !== b && v < versions[a]! && w < versions[b]!),
        })),
    );
  fc.assert(
    fc.property(random, ({ versions, conflicts }) => {
      const { instance }: { instance: Instance } = tangle(versions, conflicts);
      const crowd = findCrowd(instance);
      if (!crowd) return;
      expect(anyFits(versions, conflicts)).toBe(false);
      expect(crowd.places).toBe(crowd.variables.length - 1);
      seen.crowds++;
    }),
    { numRuns: 2_000, seed: 20261130 },
  );
  expect(seen.crowds).toBeGreaterThan(20);
});
