/**
 * What a catalog revision would change in the fleet, before it is put: counts of verdicts that turn, with examples.
 */

import type { Structure } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { CatalogAssessor } from './assessor.ts';

/** Where structures are read from, in the order of their printers' ids. */
export interface StructurePages {
  structurePage(after: string, limit: number): Promise<{ printer: string; structure: Structure }[]>;
}

interface Turn {
  from: string;
  to: string;
  printers: number;
  examples: { printer: string; first?: string }[];
}

/** Judges every printer under both catalogs and tells where the status differs. */
export async function impactOf(
  pages: StructurePages,
  proposed: CatalogAssessor,
  current: CatalogAssessor,
  examples: number,
): Promise<Record<string, unknown>> {
  const turns = new Map<string, Turn>();
  const before: Record<string, number> = {};
  const after: Record<string, number> = {};
  let judged = 0;
  let last = '';
  for (;;) {
    const page = await pages.structurePage(last, CENTER_LIMITS.verdict_page_printers);
    for (const { printer, structure } of page) {
      const from = current.judge(structure).status;
      const verdict = proposed.judge(structure);
      judged += 1;
      before[from] = (before[from] ?? 0) + 1;
      after[verdict.status] = (after[verdict.status] ?? 0) + 1;
      if (from === verdict.status) continue;
      const key = `${from} ${verdict.status}`;
      const turn: Turn = turns.get(key) ?? { from, to: verdict.status, printers: 0, examples: [] };
      turn.printers += 1;
      if (turn.examples.length < examples) {
        const first = verdict.findings[0]?.message ?? verdict.unknown[0]?.message;
        turn.examples.push({ printer, ...(first === undefined ? {} : { first }) });
      }
      turns.set(key, turn);
    }
    last = page.at(-1)?.printer ?? last;
    if (page.length < CENTER_LIMITS.verdict_page_printers) break;
    // Other work gets its turn between two pages.
    await new Promise(setImmediate);
  }
  return { catalog: proposed.catalog, printers: judged, before, after, turns: [...turns.values()] };
}
