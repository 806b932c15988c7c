/**
 * Packs pending sightings and page readings column by column: one printer may have thousands, each much like the one
 * before. Growing numbers are stored as differences, and the repeating end of a column is left out.
 */
import type { Sighting } from './sighting.ts';

/** Numbers; the last one repeats to the end of the column. */
type Column = number[];

function trimmed(column: Column): Column {
  let length = column.length;
  while (length > 1 && column[length - 1] === column[length - 2]) length -= 1;
  column.length = length;
  return column;
}

function plain<T>(list: readonly T[], read: (one: T) => number): Column {
  return trimmed(list.map(read));
}

/** The first number, then the differences. Exact for whole numbers and multiples of 1/4096. */
function differences<T>(list: readonly T[], read: (one: T) => number): Column {
  let before = 0;
  return trimmed(
    list.map((one) => {
      const value = read(one);
      const difference = value - before;
      before = value;
      return difference;
    }),
  );
}

function at(column: Column, index: number): number {
  return column[Math.min(index, column.length - 1)] as number;
}

function summed(column: Column, count: number): number[] {
  let sum = 0;
  return Array.from({ length: count }, (_, index) => {
    sum += at(column, index);
    return sum;
  });
}

/** Texts stored once and referred to by index. */
export class Names {
  readonly list: string[] = [];
  readonly #places = new Map<string, number>();

  placeOf(text: string): number {
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.list.push(text) - 1;
      this.#places.set(text, place);
    }
    return place;
  }
}

export interface SightingColumns {
  n: number;
  at: Column;
  printer: Column;
  log: Column;
  seq: Column;
  code: Column;
  rule: Column;
  key: Column;
  mask: Column;
  pages: Column;
  values?: (string | null)[][];
}

export function packSightings(list: readonly Sighting[], names: Names): SightingColumns {
  const columns: SightingColumns = {
    n: list.length,
    at: differences(list, (one) => one.at),
    printer: plain(list, (one) => names.placeOf(one.printer)),
    log: plain(list, (one) => names.placeOf(one.log)),
    seq: differences(list, (one) => one.seq),
    code: plain(list, (one) => names.placeOf(one.code)),
    rule: plain(list, (one) => one.rule),
    key: plain(list, (one) => names.placeOf(one.key)),
    mask: plain(list, (one) => one.mask),
    pages: differences(list, (one) => one.pages),
  };
  if (list.some(({ values }) => values.length > 0)) {
    columns.values = list.map(({ values }) => values.map((value) => value ?? null));
  }
  return columns;
}

const NO_VALUES: Sighting['values'] = [];

export function unpackSightings(columns: SightingColumns, names: readonly string[]): Sighting[] {
  const { n } = columns;
  const times = summed(columns.at, n);
  const seqs = summed(columns.seq, n);
  const pages = summed(columns.pages, n);
  const name = (column: Column, index: number) => names[at(column, index)] as string;
  return Array.from({ length: n }, (_, index) => ({
    at: times[index] as number,
    printer: name(columns.printer, index),
    log: name(columns.log, index),
    seq: seqs[index] as number,
    code: name(columns.code, index),
    rule: at(columns.rule, index),
    key: name(columns.key, index),
    mask: at(columns.mask, index),
    pages: pages[index] as number,
    values: columns.values?.[index]?.map((value) => value ?? undefined) ?? NO_VALUES,
  }));
}

interface Reading {
  at: number;
  log: string;
  seq: number;
  pages: number;
}

export interface ReadingColumns {
  n: number;
  at: Column;
  log: Column;
  seq: Column;
  pages: Column;
  names: string[];
}

export function packReadings(list: readonly Reading[]): ReadingColumns {
  const names = new Names();
  return {
    n: list.length,
    at: differences(list, (one) => one.at),
    log: plain(list, (one) => names.placeOf(one.log)),
    seq: differences(list, (one) => one.seq),
    pages: differences(list, (one) => one.pages),
    names: names.list,
  };
}

export function unpackReadings(columns: ReadingColumns): Reading[] {
  const { n } = columns;
  const times = summed(columns.at, n);
  const seqs = summed(columns.seq, n);
  const pages = summed(columns.pages, n);
  return Array.from({ length: n }, (_, index) => ({
    at: times[index] as number,
    log: columns.names[at(columns.log, index)] as string,
    seq: seqs[index] as number,
    pages: pages[index] as number,
  }));
}
