/**
 * Where a printer that is not at its address any more may be: what announces itself by mDNS, the likeliest first.
 */
import { DRIVER_LIMITS } from '../drivers/limits.ts';
import type { FoundPrinter } from './discover.ts';
import type { KnownIdentity } from './identity.ts';

/** Where a printer may be. */
export interface Place {
  host: string;
  /** Only the model speaks for it: any other printer of that model is as likely. */
  byModel: boolean;
  /** Its IPP addresses as it announces them. */
  urls: string[];
}

/** Places for a printer, the likeliest first; none of them is believed before it has shown who it is. */
export type Find = (wanted: KnownIdentity) => Promise<Place[]>;

/** How much speaks for a printer that announces itself: 3 its UUID, 2 its name, 1 its model, 0 nothing. */
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

/** One listening serves all who look at the same time, and those who come soon after it. */
export function createFinder(listen: () => Promise<FoundPrinter[]>, now: () => number = Date.now): Find {
  let last: { at: number; found: Promise<FoundPrinter[]> } | undefined;
  return async (wanted) => {
    if (!last || now() - last.at >= DRIVER_LIMITS.findAgainMs) {
      const found = listen();
      last = { at: now(), found };
      // A network that can't be listened to now may be there the next time.
      found.catch(() => {
        if (last?.found === found) last = undefined;
      });
    }
    return placesFor(wanted, await last.found);
  };
}
