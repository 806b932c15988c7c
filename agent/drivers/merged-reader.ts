/**
 * Reads one printer through two protocols at once. When one of them fails, its last structure is kept: a printer whose
 * SNMP is slow today has not lost its serial numbers.
 */
import { reasonOf } from '../../schemas/errors.ts';
import { mergeConditions, mergeWithSymbols } from '../mapping/merge.ts';
import type { Reading } from '../mapping/reading.ts';
import type { FoundReadings } from '../mapping/readings/found-readings.ts';
import { besideSilent, mergeMeasured } from '../mapping/readings/merge-readings.ts';
import { ErrorAnswer, type Installer, type QuickReading, quickOf, type Reader } from './reader.ts';

export class MergedReader implements Reader {
  readonly kind: string;
  readonly url: string;
  private readonly readers: Reader[];
  private readonly last: (Reading | undefined)[];
  /** Each reader's last counters and supplies. */
  private readonly measured: (FoundReadings | undefined)[];
  /** Symbols of units that the second reader names differently from the first. */
  private symbols: ReadonlyMap<string, string> = new Map();

  /** The reader that can install, if there is one. */
  get installer(): Installer | undefined {
    return this.readers.find((reader) => reader.installer)?.installer;
  }

  /** If both have a value, the first reader's is used. SNMP comes first. */
  constructor(readers: Reader[]) {
    this.readers = readers;
    this.last = readers.map(() => undefined);
    this.measured = readers.map(() => undefined);
    this.kind = readers.map((reader) => reader.kind).join('+');
    this.url = readers.map((reader) => reader.url).join(' ');
  }

  async read(): Promise<Reading> {
    const results = await Promise.allSettled(this.readers.map((reader) => reader.read()));
    const readings: Reading[] = [];
    results.forEach((result, i) => {
      if (result.status === 'fulfilled') {
        this.last[i] = result.value;
        this.measured[i] = result.value.measured;
        readings.push(result.value);
      } else {
        const before = this.last[i];
        // The structure is kept; the counters date from that reading.
        const { measured: _, ...rest } = before ?? {};
        if (before) readings.push({ ...(rest as Reading), conditionsWhole: false });
      }
    });
    if (results.every((result) => result.status === 'rejected')) throw this.failure(results);
    const [first, ...others] = readings;
    if (!first) throw this.failure(results);
    const merged = others.reduce((one, reading) => {
      const both = mergeWithSymbols(one, reading);
      this.symbols = both.symbols;
      return both.reading;
    }, first);
    const measured = this.besideSilentOnes(merged.measured, results);
    return { ...merged, ...(measured === undefined ? {} : { measured }) };
  }

  private besideSilentOnes(
    found: FoundReadings | undefined,
    results: PromiseSettledResult<unknown>[],
  ): FoundReadings | undefined {
    return results.reduce(
      (kept, { status }, i) => (status === 'rejected' ? besideSilent(kept, this.measured[i], i === 0) : kept),
      found,
    );
  }

  async readReadings(): Promise<FoundReadings | undefined> {
    const results = await Promise.allSettled(
      this.readers.map(async (reader) =>
        reader.readReadings ? reader.readReadings() : (await reader.read()).measured,
      ),
    );
    if (results.every((result) => result.status === 'rejected')) throw this.failure(results);
    let merged: FoundReadings | undefined;
    results.forEach((result, i) => {
      if (result.status === 'rejected') return;
      this.measured[i] = result.value;
      merged = mergeMeasured(merged, result.value, this.symbols);
    });
    return this.besideSilentOnes(merged, results);
  }

  private failure(results: PromiseSettledResult<unknown>[]): Error {
    const reasons = results.flatMap((result, i) =>
      result.status === 'rejected' ? [`${this.readers[i]?.kind}: ${reasonOf(result.reason)}`] : [],
    );
    const answered = results.some(
      (result) => result.status === 'rejected' && result.reason instanceof ErrorAnswer,
    );
    return answered ? new ErrorAnswer(reasons.join('; ')) : new Error(reasons.join('; '));
  }

  async readQuick(): Promise<QuickReading> {
    const results = await Promise.allSettled(
      this.readers.map(async (reader, i): Promise<QuickReading> => {
        if (this.last[i] === undefined) {
          // It had failed until now, so its first answer may change the structure.
          this.last[i] = await reader.read();
          return { ...quickOf(this.last[i]), structureMayDiffer: true };
        }
        if (reader.readQuick) return reader.readQuick();
        const before = JSON.stringify(this.last[i].structure);
        const reading = await reader.read();
        this.last[i] = reading;
        return { ...quickOf(reading), structureMayDiffer: JSON.stringify(reading.structure) !== before };
      }),
    );
    if (results.every((result) => result.status === 'rejected')) throw this.failure(results);
    const found: QuickReading[] = [];
    results.forEach((result, i) => {
      const before = this.last[i];
      if (result.status === 'fulfilled') found.push(result.value);
      else if (before) found.push({ ...quickOf(before), conditionsWhole: false });
    });
    const [first, ...others] = found;
    if (!first) throw this.failure(results);
    return others.reduce(
      (merged, quick) => ({
        conditions: mergeConditions(merged.conditions, quick.conditions),
        conditionsWhole: merged.conditionsWhole && quick.conditionsWhole,
        counters: { ...quick.counters, ...merged.counters },
        ...(merged.upTimeTicks === undefined ? {} : { upTimeTicks: merged.upTimeTicks }),
        structureMayDiffer: merged.structureMayDiffer || quick.structureMayDiffer,
      }),
      first,
    );
  }

  /** One answer is enough. A reader without `knock` counts as answering. */
  async knock(): Promise<void> {
    await Promise.any(this.readers.map((reader) => reader.knock?.() ?? Promise.resolve()));
  }

  async alive(): Promise<boolean> {
    const alive = await Promise.all(this.readers.map((reader) => reader.alive?.() ?? false));
    return alive.includes(true);
  }

  onNudge(nudge: () => void): void {
    for (const reader of this.readers) reader.onNudge?.(nudge);
  }

  async close(): Promise<void> {
    await Promise.all(this.readers.map((reader) => reader.close()));
  }
}
