/**
 * Finds candidate places of a printer that left its address: printers announced by mDNS, the likeliest first.
 */
import { DRIVER_LIMITS } from '../drivers/limits.ts';
import type { FoundPrinter } from './discover.ts';
import type { KnownIdentity } from './identity.ts';

/** A candidate place of a printer. */
export interface Place {
  host: string;
  /** Only the model matches: any other printer of that model is as likely. */
  byModel: boolean;
  /** Its IPP addresses as it announces them. */
  urls: string[];
}

/** Candidate places, the likeliest first. Each must still prove its identity. */
export type Find = (wanted: KnownIdentity) => Promise<Place[]>;

/** How well an announced printer matches: 3 by UUID, 2 by name, 1 by model, 0 not at all. */
function likeness(found: FoundPrinter, wanted: KnownIdentity): number {
  if (wanted.uuid !== undefined && found.uuid?.toLowerCase() === wanted.uuid.toLowerCase()) return 3;
  if (wanted.announced !== undefined && found.name === wanted.announced) return 2;
  const model = wanted.model?.toLowerCase();
  return model !== undefined && found.model?.toLowerCase().includes(model) ? 1 : 0;
}

/** An address that can be asked: IPv4 before IPv6, no link-local one (it means nothing without its interface). */
function hostOf(found: FoundPrinter): string | undefined {
  const usable = found.addresses.filter((address) => !/^fe80:/i.test(address));
  return usable.find((address) => !address.includes(':')) ?? usable[0];
}

export function placesFor(wanted: KnownIdentity, all: FoundPrinter[]): Place[] {
  return all
    .map((found) => ({ found, likely: likeness(found, wanted) }))
    .filter(({ likely }) => likely > 0)
    .sort((a, b) => b.likely - a.likely)
    .flatMap(({ found, likely }) => {
      const host = hostOf(found);
      return host === undefined ? [] : [{ host, urls: found.urls, byModel: likely === 1 }];
    })
    .slice(0, DRIVER_LIMITS.placesMax);
}

/** One mDNS search serves all concurrent callers, and those who call soon after it. */
export function createFinder(listen: () => Promise<FoundPrinter[]>, now: () => number = Date.now): Find {
  let last: { at: number; found: Promise<FoundPrinter[]> } | undefined;
  return async (wanted) => {
    if (!last || now() - last.at >= DRIVER_LIMITS.findAgainMs) {
      const found = listen();
      last = { at: now(), found };
      // The network may be available the next time.
      found.catch(() => {
        if (last?.found === found) last = undefined;
      });
    }
    return placesFor(wanted, await last.found);
  };
}
