/**
 * Seeded instances for `choose`: subjects on one apparatus, versions 1.0.0 … n.0.0, where every release requires ranges
 * of a few other subjects. A hidden assignment satisfies every requirement, so every instance has an optimum.
 */

import { seededRandom } from '../../base/random.ts';
import type { PrinterStructureLike } from '../../compatibility/index.ts';
import type { Catalog } from '../../schemas/types.ts';

/** Release `at` of `subject` requires `of` in `low`..`high`, all as indices. */
export interface Demand {
  subject: number;
  at: number;
  of: number;
  low: number;
  high: number;
}

export interface Instance {
  seed: number;
  subjects: number;
  versions: number;
  installed: number[];
  demands: Demand[];
}

/** An instance of `subjects` × `versions` with `demandsEach` requirements per release on average. */
export function makeInstance(seed: number, subjects: number, versions: number, demandsEach = 2): Instance {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const clamp = (value: number): number => Math.max(0, Math.min(versions - 1, value));
  const hidden = Array.from({ length: subjects }, () => below(versions));
  const installed = Array.from({ length: subjects }, () => below(versions));
  const demands: Demand[] = [];
  for (let subject = 0; subject < subjects; subject++) {
    const partners = Array.from({ length: Math.ceil(demandsEach) + 1 }, () => below(subjects));
    for (let at = 0; at < versions; at++) {
      for (const of of partners) {
        if (of === subject || random() > demandsEach / partners.length) continue;
        const width = 5 + below(Math.ceil(versions / 2));
        // Required versions rise roughly with the release's own version.
        const near = clamp(Math.round(hidden[of]! + (at - hidden[subject]!) * (0.5 + random())));
        let low = clamp(near - below(width));
        let high = clamp(low + width);
        if (at === hidden[subject]) {
          low = Math.min(low, hidden[of]!);
          high = Math.max(high, hidden[of]!);
        }
        demands.push({ subject, at, of, low, high });
      }
    }
  }
  return { seed, subjects, versions, installed, demands };
}

const idOf = (subject: number): string => `s${String(subject).padStart(2, '0')}`;
const versionOf = (index: number): string => `${index + 1}.0.0`;

/** The instance as documents of the wire contract. */
export function documentsOf(instance: Instance): { catalog: Catalog; structure: PrinterStructureLike } {
  const software = Array.from({ length: instance.subjects }, (_, subject) => ({
    id: idOf(subject),
    releases: Array.from({ length: instance.versions }, (_, at) => ({
      version: versionOf(at),
      downgradeFrom: '*',
      requires: [] as { software: string; range: string }[],
    })),
  }));
  for (const { subject, at, of, low, high } of instance.demands) {
    const range = `>=${versionOf(low)} <=${versionOf(high)}`;
    software[subject]!.releases[at]!.requires.push({ software: idOf(of), range });
  }
  return {
    catalog: { catalog: `seed-${instance.seed}`, software },
    structure: {
      apparatus: {
        model: 'A',
        software: instance.installed.map((at, subject) => ({ id: idOf(subject), version: versionOf(at) })),
      },
    },
  };
}
