/**
 * What a catalog would change in the fleet, before it is put: the engine's count over every stored structure.
 */

import { type CompiledCatalog, compileCatalog, Impact } from '../../compatibility/index.ts';
import type { Structure } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';

/** Where structures are read from, in the order of their printers' ids. */
export interface StructurePages {
  structurePage(after: string, limit: number): Promise<{ printer: string; structure: Structure }[]>;
}

/** Without a catalog everything is unknown: what the first one changes is told against that. */
const NO_CATALOG = compileCatalog({ catalog: '' }).catalog;

/** Judges every printer under both catalogs and tells by count and example what differs. */
export async function impactOf(
  pages: StructurePages,
  proposed: CompiledCatalog,
  current: CompiledCatalog | undefined,
): Promise<Record<string, unknown>> {
  const impact = new Impact(current ?? NO_CATALOG, proposed);
  let last = '';
  for (;;) {
    const page = await pages.structurePage(last, CENTER_LIMITS.verdict_page_printers);
    for (const { printer, structure } of page) impact.add(printer, structure);
    last = page.at(-1)?.printer ?? last;
    if (page.length < CENTER_LIMITS.verdict_page_printers) break;
    // Other work gets its turn between two pages.
    await new Promise(setImmediate);
  }
  return { ...impact.result() };
}
