/**
 * Merges counters and supplies of one printer read through two protocols. The first one's symbols and numbers are kept, so
 * that a place keeps its name; the second adds what the first doesn't know.
 */
import type { ReadingInput, ReadingSupply } from '../../../schemas/types.ts';
import { type FoundReadings, withoutReasons } from './found-readings.ts';

const isMeasured = (known: ReadingSupply['known']) => known === 'exact' || known === 'steps';

/** The n-th supply of a kind and color is the same one in both, where both have as many of them. */
function pairsOf(first: ReadingSupply[], second: ReadingSupply[]): Map<ReadingSupply, ReadingSupply> {
  const sort = ({ kind, color }: ReadingSupply) => JSON.stringify([kind, color]);
  const pairs = new Map<ReadingSupply, ReadingSupply>();
  for (const key of new Set(first.map(sort))) {
    const mine = first.filter((supply) => sort(supply) === key);
    const theirs = second.filter((supply) => sort(supply) === key);
    if (mine.length !== theirs.length) continue;
    mine.forEach((supply, i) => {
      const other = theirs[i];
      if (other) pairs.set(supply, other);
    });
  }
  return pairs;
}

/** Level, capacity and measure belong together and come from the same side. */
function leveled<T extends ReadingSupply | ReadingInput>(mine: T, other: T): T {
  if (isMeasured(mine.known) || !isMeasured(other.known)) return mine;
  const { level: _, capacity: __, ...rest } = mine;
  const measure = 'measure' in other ? { measure: other.measure } : {};
  return {
    ...rest,
    ...measure,
    known: other.known,
    ...(other.level === undefined ? {} : { level: other.level }),
    ...(other.capacity === undefined ? {} : { capacity: other.capacity }),
  } as T;
}

/**
 * Both as one.
 * @param symbols symbol of a unit in the second to the same unit's in the first
 */
export function mergeMeasured(
  first: FoundReadings | undefined,
  second: FoundReadings | undefined,
  symbols: ReadonlyMap<string, string>,
): FoundReadings | undefined {
  if (!first || !second) return first ?? second;
  const mine = first.readings;
  const theirs = second.readings;
  const from: FoundReadings['from'] = { ...first.from };
  for (const [path, origin] of Object.entries(second.from)) {
    if (/^(?:counters|facts)\.|^state$/.test(path) && !Object.hasOwn(from, path)) from[path] = origin;
  }
  const takeParts = (symbol: string, other: string) => {
    for (const part of ['level', 'capacity', 'measure']) {
      const origin = second.from[`${other}.${part}`];
      if (origin !== undefined) from[`${symbol}.${part}`] = origin;
    }
  };
  const takeAll = (symbol: string, other: string) => {
    for (const [path, origin] of Object.entries(second.from)) {
      if (path.startsWith(`${other}.`)) from[`${symbol}${path.slice(other.length)}`] = origin;
    }
  };

  const supplies: ReadingSupply[] = [];
  const pairs = pairsOf(mine.supplies ?? [], theirs.supplies ?? []);
  for (const supply of mine.supplies ?? []) {
    const other = pairs.get(supply);
    const merged = other ? { ...other, ...leveled(supply, other) } : supply;
    if (other && merged.level !== supply.level) takeParts(supply.symbol, other.symbol);
    supplies.push(merged);
  }
  const kinds = new Set(supplies.map(({ kind }) => kind));
  for (const supply of theirs.supplies ?? []) {
    // The first already has this kind, so it is probably the same supply under another name.
    if (kinds.has(supply.kind) || (kinds.size > 0 && supply.kind === 'other')) continue;
    let { symbol } = supply;
    for (let n = 2; supplies.some((each) => each.symbol === symbol); n++) symbol = `${supply.symbol}-${n}`;
    supplies.push({ ...supply, symbol });
    takeAll(symbol, supply.symbol);
  }

  const inputs: ReadingInput[] = [...(mine.inputs ?? [])];
  for (const input of theirs.inputs ?? []) {
    const symbol = symbols.get(input.symbol) ?? input.symbol;
    const at = inputs.findIndex((each) => each.symbol === symbol);
    const known = inputs[at];
    if (!known) {
      inputs.push({ ...input, symbol });
      takeAll(symbol, input.symbol);
      continue;
    }
    const merged = leveled(known, { ...input, symbol });
    if (merged.level !== known.level) takeParts(symbol, input.symbol);
    inputs[at] = { ...input, ...merged };
  }

  const state = mine.state ?? theirs.state;
  const whole = mine.reasons !== undefined && theirs.reasons !== undefined;
  const reasons = whole
    ? [...new Set([...(mine.reasons ?? []), ...(theirs.reasons ?? [])])].slice(0, 64)
    : undefined;
  const counters = { ...theirs.counters, ...mine.counters };
  const facts = { ...theirs.facts, ...mine.facts };
  return {
    readings: {
      ...(state === undefined ? {} : { state }),
      ...(reasons === undefined ? {} : { reasons }),
      ...(Object.keys(counters).length === 0 ? {} : { counters }),
      ...(supplies.length === 0 ? {} : { supplies: supplies.slice(0, 256) }),
      ...(inputs.length === 0 ? {} : { inputs: inputs.slice(0, 64) }),
      ...(Object.keys(facts).length === 0 ? {} : { facts }),
    },
    from,
    missing: [...first.missing, ...second.missing],
  };
}

/**
 * What to send while one of two protocols doesn't answer. Values that it provided last time are left out: the other
 * protocol counts differently and names places differently.
 * @param silent its last values
 * @param first whether it is the first protocol, whose values take precedence
 */
export function besideSilent(
  found: FoundReadings | undefined,
  silent: FoundReadings | undefined,
  first: boolean,
): FoundReadings | undefined {
  if (!found || !silent) return found;
  const { counters, supplies, inputs, ...rest } = withoutReasons(found).readings;
  const owned = silent.readings.counters ?? {};
  const counted = Object.entries(counters ?? {}).filter(([name]) => !first || !Object.hasOwn(owned, name));
  const keep = <T extends { known?: ReadingSupply['known'] }>(
    mine: T[] | undefined,
    theirs: unknown[] | undefined,
  ) => (theirs === undefined ? mine : first ? undefined : mine?.filter(({ known }) => isMeasured(known)));
  const keptSupplies = keep(supplies, silent.readings.supplies);
  const keptInputs = keep(inputs, silent.readings.inputs);
  return {
    ...found,
    readings: {
      ...rest,
      ...(counted.length === 0 ? {} : { counters: Object.fromEntries(counted) }),
      ...(keptSupplies === undefined || keptSupplies.length === 0 ? {} : { supplies: keptSupplies }),
      ...(keptInputs === undefined || keptInputs.length === 0 ? {} : { inputs: keptInputs }),
    },
  };
}
