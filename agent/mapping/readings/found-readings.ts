/**
 * Collects a printer's counters, supplies and trays, each value with its source. Values that break the wire contract are
 * bounded or left out here and reported as missing: a single one would make the center refuse the whole reading.
 */
import type { ReadingFacts, ReadingInput, ReadingSupply, Readings } from '../../../schemas/types.ts';
import type { PrinterReadings } from '../../driver.ts';
import { clip, meaningful } from '../text.ts';
import type { Measure } from './supply-words.ts';

/** Limits of schemas/wire/readings.json. */
const COUNTERS_MAX = 64;
export const SUPPLIES_MAX = 256;
const INPUTS_MAX = 64;
const REASONS_MAX = 64;
const TEXT_LENGTH_MAX = 256;
const REASON_LENGTH_MAX = 128;

/** A capacity of so few units is a scale of steps: "three of four". */
const STEPS_MAX = 5;
/** A level beyond this multiple of its capacity is a fault of the printer and means nothing. */
const ABSURD_FACTOR = 2;

export interface FoundReadings {
  readings: PrinterReadings;
  /** Path of a value (`counters.impressions`, `supply.1.level`, `state`) to its OID, attribute or JSON path. */
  from: Record<string, string>;
  /** Values that could not be used or could not be read. */
  missing: { field: string; because: string }[];
}

export type Known = NonNullable<ReadingSupply['known']>;
export type SupplyState = NonNullable<ReadingSupply['state']>;

export interface Level {
  level?: number;
  capacity?: number;
  known: Known;
}

/** Six significant digits: a unit is converted, no precision is invented. */
const rounded = (value: number) => Number(value.toPrecision(6));

/**
 * A level and a capacity as RFC 3805 writes them: -1 is "other", -2 unknown, -3 "some left"; a capacity below 1 is none.
 * @param factor what one unit of the printer is in our measure
 */
export function levelOf(level: number | undefined, capacity: number | undefined, factor = 1): Level {
  const full = capacity !== undefined && capacity > 0 ? capacity : undefined;
  const held = full === undefined ? {} : { capacity: factor === 1 ? full : rounded(full * factor) };
  if (level === -3) return { ...held, known: 'some' };
  if (level === undefined || level < 0 || !Number.isFinite(level)) return { ...held, known: 'unknown' };
  if (full !== undefined && level > full * ABSURD_FACTOR) return { ...held, known: 'unknown' };
  const known = full !== undefined && full <= STEPS_MAX ? 'steps' : 'exact';
  return { ...held, level: factor === 1 ? level : rounded(level * factor), known };
}

/**
 * The state of a supply: the printer's own word, else what its level shows. `trusted`: all alerts were read, so a supply
 * without one is ok.
 */
export function stateOfLevel(
  { level, known }: Level,
  kind: string,
  said: SupplyState | undefined,
  trusted: boolean,
): SupplyState | undefined {
  const end = kind === 'waste' ? 'full' : 'empty';
  if (said !== undefined) return said === 'empty' ? end : said;
  if (level === 0) return end;
  return trusted && known !== 'unknown' ? 'ok' : undefined;
}

export interface SupplyFound extends Level {
  symbol: string;
  kind: string;
  measure?: Measure;
  unit?: string | undefined;
  color?: string | undefined;
  model?: string | undefined;
  serial?: string | undefined;
  state?: SupplyState | undefined;
}

/** Parts of a supply or an input to where they came from. */
export type Origins = Partial<Record<string, string | undefined>>;

export class ReadingsBuilder {
  private readonly counters = new Map<string, number>();
  private readonly supplies = new Map<string, ReadingSupply>();
  private readonly inputs = new Map<string, ReadingInput>();
  private readonly facts = new Map<keyof ReadingFacts, string>();
  private readonly from = new Map<string, string>();
  private readonly missing: FoundReadings['missing'] = [];
  private reasons: string[] | undefined;
  private state: Readings['state'];

  miss(field: string, because: string): void {
    this.missing.push({ field, because });
  }

  private note(path: string, from: string | undefined): void {
    if (from !== undefined) this.from.set(path, from);
  }

  private noteParts(symbol: string, from: Origins): void {
    for (const [part, origin] of Object.entries(from)) this.note(`${symbol}.${part}`, origin);
  }

  /** Adds a counter; the first value of a name is kept. Negative and unsafe numbers are left out and reported. */
  counter(name: string, value: number | undefined, from: string): void {
    if (value === undefined || this.counters.has(name)) return;
    if (!Number.isSafeInteger(value) || value < 0) {
      this.miss(`counters.${name}`, `The printer counts ${value}, which no counter can be.`);
      return;
    }
    if (this.counters.size >= COUNTERS_MAX) return;
    this.counters.set(name, value);
    this.note(`counters.${name}`, from);
  }

  supply(found: SupplyFound, from: Origins): void {
    if (this.supplies.has(found.symbol)) return;
    if (this.supplies.size >= SUPPLIES_MAX) {
      if (!this.missing.some(({ field }) => field === 'supplies'))
        this.miss('supplies', `The printer has more than ${SUPPLIES_MAX} supplies; the rest is not told.`);
      return;
    }
    const { symbol, level, capacity, known, measure, state } = found;
    const color = meaningful(found.color, 64);
    const model = meaningful(found.model, TEXT_LENGTH_MAX);
    const serial = meaningful(found.serial, TEXT_LENGTH_MAX);
    const unit = meaningful(found.unit, 64);
    this.supplies.set(symbol, {
      symbol,
      kind: clip(found.kind, 64),
      ...(color === undefined ? {} : { color }),
      ...(unit === undefined ? {} : { unit }),
      ...(model === undefined ? {} : { model }),
      ...(serial === undefined ? {} : { serial }),
      ...(level === undefined ? {} : { level }),
      ...(capacity === undefined ? {} : { capacity }),
      ...(measure === undefined ? {} : { measure }),
      known,
      ...(state === undefined ? {} : { state }),
    });
    this.noteParts(symbol, from);
  }

  input(found: Level & { symbol: string; media?: string | undefined }, from: Origins): void {
    const { symbol, level, capacity, known } = found;
    if (this.inputs.has(symbol) || this.inputs.size >= INPUTS_MAX) return;
    const media = meaningful(found.media, REASON_LENGTH_MAX);
    this.inputs.set(symbol, {
      symbol,
      ...(level === undefined ? {} : { level }),
      ...(capacity === undefined ? {} : { capacity }),
      known,
      ...(media === undefined ? {} : { media }),
    });
    this.noteParts(symbol, from);
  }

  fact(name: keyof ReadingFacts, text: string | undefined, from: string): void {
    const value = meaningful(text, TEXT_LENGTH_MAX);
    if (value === undefined || this.facts.has(name)) return;
    this.facts.set(name, value);
    this.note(`facts.${name}`, from);
  }

  is(state: Readings['state'], from: string): void {
    if (state === undefined || this.state !== undefined) return;
    this.state = state;
    this.note('state', from);
  }

  /** Sets all reasons. Call it only when they are complete: an empty list means that there are none. */
  because(reasons: Iterable<string>, from: string): void {
    this.reasons = [
      ...new Set([...(this.reasons ?? []), ...[...reasons].map((reason) => clip(reason, REASON_LENGTH_MAX))]),
    ]
      .filter((reason) => reason !== '')
      .slice(0, REASONS_MAX);
    this.note('reasons', from);
  }

  build(): FoundReadings {
    return {
      readings: {
        ...(this.state === undefined ? {} : { state: this.state }),
        ...(this.reasons === undefined ? {} : { reasons: this.reasons }),
        ...(this.counters.size === 0 ? {} : { counters: Object.fromEntries(this.counters) }),
        ...(this.supplies.size === 0 ? {} : { supplies: [...this.supplies.values()] }),
        ...(this.inputs.size === 0 ? {} : { inputs: [...this.inputs.values()] }),
        ...(this.facts.size === 0 ? {} : { facts: Object.fromEntries(this.facts) }),
      },
      from: Object.fromEntries(this.from),
      missing: this.missing,
    };
  }
}

/** Drops the reasons, when not all of them could be read. */
export function withoutReasons(found: FoundReadings): FoundReadings {
  const { reasons: _, ...readings } = found.readings;
  const from = Object.fromEntries(Object.entries(found.from).filter(([path]) => path !== 'reasons'));
  return { ...found, readings, from };
}
