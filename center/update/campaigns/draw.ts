/**
 * The random order in which a campaign's printers get the release. Pure. The campaign stores the seed, so that a draw can
 * be repeated.
 */

/** A printer in a draw. */
export interface Lot {
  printer: string;
  /** Printers of the same configuration share a stratum. */
  stratum: string;
}

/**
 * A place in [0, 1) for each printer. Sorted by place, every prefix of the list is a random sample in which each
 * configuration has its share: each stratum is shuffled and spread evenly from a random start.
 */
export function drawPlaces(lots: readonly Lot[], random: () => number): Map<string, number> {
  const strata = new Map<string, string[]>();
  for (const { printer, stratum } of [...lots].sort((a, b) => (a.printer < b.printer ? -1 : 1))) {
    const list = strata.get(stratum);
    if (list) list.push(printer);
    else strata.set(stratum, [printer]);
  }
  const places = new Map<string, number>();
  for (const [, list] of [...strata].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (let at = list.length - 1; at > 0; at--) {
      const other = Math.floor(random() * (at + 1));
      [list[at], list[other]] = [list[other] as string, list[at] as string];
    }
    const start = random();
    for (const [rank, printer] of list.entries()) places.set(printer, (rank + start) / list.length);
  }
  return places;
}
