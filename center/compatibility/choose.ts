/**
 * Chooses the best set that fits, and the order to get there. Plain version: tries sets of growing size.
 */
import type { InstalledSoftware } from '../../schemas/types.ts';
import { marksOf } from './diagnose.ts';
import { judgeWorld } from './judge.ts';
import type { CompiledCatalog, Product } from './tables.ts';
import type { Budget, Choice, ChooseOptions, Cost, PrinterStructureLike } from './types.ts';
import { resolveWorld, type Subject } from './world.ts';

type Assignment = Map<Subject, number>;

function withVersions(structure: PrinterStructureLike, chosen: Assignment): PrinterStructureLike {
  const versions = new Map(
    [...chosen].map(([s, release]) => [s.name, s.product!.releases[release]!.version]),
  );
  const lay = (symbol: string, software?: InstalledSoftware[]) =>
    software?.map((each) => ({ ...each, version: versions.get(`${symbol}:${each.id}`) ?? each.version }));
  const { apparatus, units } = structure;
  return {
    apparatus: { ...apparatus, software: lay('apparatus', apparatus.software) },
    units: units?.map((unit) => ({ ...unit, software: lay(unit.symbol, unit.software) })),
  };
}

/** Whether the subject may step from its release straight to another. */
export function mayStep(product: Product, from: number, to: number): boolean {
  const release = product.releases[to]!;
  if (to > from) return release.from === undefined || marksOf(product, release.from)[from] === 1;
  return release.downgradeFrom !== undefined && marksOf(product, release.downgradeFrom)[from] === 1;
}

/** Chooses a remedy. */
export function choose(
  catalog: CompiledCatalog,
  structure: PrinterStructureLike,
  options: ChooseOptions = {},
  budget: Budget = { exhausted: () => false },
): Choice {
  const world = resolveWorld(catalog, structure);
  const before = judgeWorld(catalog, world);
  const known = new Set(before.unknown.map((finding) => finding.rule));
  const wanted = { ...options.pins, ...options.require };
  const fits = (chosen: Assignment): boolean => {
    for (const subject of world.subjects) {
      const range = wanted[subject.name] ?? wanted[subject.id];
      const release = chosen.get(subject) ?? subject.release;
      if (range === undefined) continue;
      if (!subject.product || release < 0 || marksOf(subject.product, range)[release] !== 1) return false;
    }
    const after = judgeWorld(catalog, resolveWorld(catalog, withVersions(structure, chosen)));
    return after.findings.length === 0 && after.unknown.every((finding) => known.has(finding.rule));
  };
  const movable = world.subjects.filter((subject) => subject.release >= 0 && !subject.host.spare);
  const nothing: Choice = {
    outcome: before.status === 'compatible' ? 'compatible' : 'chosen',
    remedy: { software: [], structure: [], steps: [] },
    cost: [0, 0, 0],
  };
  if (fits(new Map())) return nothing;
  let gaveUp = false;
  const grow = (from: number, left: number, chosen: Assignment): Assignment | undefined => {
    if (budget.exhausted()) gaveUp = true;
    if (gaveUp) return undefined;
    if (left === 0) return fits(chosen) ? new Map(chosen) : undefined;
    for (let i = from; i < movable.length; i++) {
      const subject = movable[i]!;
      const { releases } = subject.product!;
      for (let k = releases.length - 1; k > subject.release; k--) {
        if (releases[k]!.status !== 'released') continue;
        chosen.set(subject, k);
        const found = grow(i + 1, left - 1, chosen);
        chosen.delete(subject);
        if (found) return found;
      }
    }
    return undefined;
  };
  for (let size = 1; size <= movable.length; size++) {
    const found = grow(0, size, new Map());
    if (gaveUp) return { outcome: 'gave-up', explanation: `No answer within ${budget.ms ?? 'its'} ms.` };
    if (!found) continue;
    const cost: Cost = [0, 0, size];
    const software = [...found].map(([subject, release]) => ({
      subject: subject.name,
      from: subject.version,
      to: subject.product!.releases[release]!.version,
    }));
    const steps = software.map(({ subject, to }) => [subject, to]);
    return { outcome: 'chosen', remedy: { software, structure: [], steps }, cost };
  }
  return { outcome: 'impossible', explanation: before.findings.map((finding) => finding.message).join(' ') };
}
