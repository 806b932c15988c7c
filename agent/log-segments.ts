/**
 * The files of a log memory on disk. A segment is a text file of lines `<crc32> <json>`: first a header with the log id
 * and the number of the first entry, then the entries in order. Segments are only appended to; the oldest is deleted
 * when all its entries have been overwritten.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { PrinterEvent } from './driver.ts';
import type { StoredEntry } from './log-memory.ts';

/** Suffix of files that were set aside. */
const ASIDE = '.damaged';
const NAME = /^segment-(\d{16})\.log$/;

export interface SegmentHeader {
  log: string;
  first: number;
}

/** What was found on disk. */
export interface FoundLog {
  log: string;
  /** Entries with consecutive numbers. */
  entries: StoredEntry[];
  /** Number of the next entry. */
  next: number;
  /** The segments that hold them, oldest first. */
  segments: { first: number; file: string }[];
}

export function segmentFile(folder: string, first: number): string {
  return join(folder, `segment-${String(first).padStart(16, '0')}.log`);
}

/** A line of a segment for `json`. */
export function segmentLine(json: string): string {
  return `${crc32(Buffer.from(json)).toString(16).padStart(8, '0')} ${json}\n`;
}

/**
 * The lines of a segment that are whole, where the part without a fault ends, and the whole lines behind that. A power
 * loss leaves no whole lines there, because each line is synced before the next is written: they mean that the disk lost data.
 */
function readLines(bytes: Buffer): { lines: string[]; goodBytes: number; behind: string[] } {
  const lines: string[] = [];
  const behind: string[] = [];
  let goodBytes: number | undefined;
  for (let at = 0; ; ) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) return { lines, goodBytes: goodBytes ?? at, behind };
    const json = bytes.subarray(at + 9, end);
    const sum = bytes.toString('latin1', at, at + 8);
    const whole = bytes[at + 8] === 0x20 && crc32(json).toString(16).padStart(8, '0') === sum;
    if (!whole) goodBytes ??= at;
    else (goodBytes === undefined ? lines : behind).push(json.toString('utf8'));
    at = end + 1;
  }
}

interface Segment {
  file: string;
  header: SegmentHeader;
  entries: StoredEntry[];
  goodBytes: number;
  /** Bytes after the good part. */
  badBytes: number;
}

/** `torn` when not even the header is whole, `rotten` when there are whole lines behind one that isn't. */
function readSegment(file: string): Segment | 'torn' | 'rotten' {
  const bytes = readFileSync(file);
  const { lines, goodBytes, behind } = readLines(bytes);
  const [head, ...rest] = lines;
  if (behind.length > 0) return 'rotten';
  if (head === undefined) return 'torn';
  const header = JSON.parse(head) as SegmentHeader;
  const entries = rest.map((text, index) => ({
    seq: header.first + index,
    text,
    bytes: Buffer.byteLength(text),
  }));
  return { file, header, entries, goodBytes, badBytes: bytes.length - goodBytes };
}

/**
 * Reads the newest log in `folder`. What a power loss left torn at the very end is cut off: it was never sent,
 * because it was not durable yet. Undefined when there is no log or it is damaged in a way that no power loss
 * explains; then its numbers can't be trusted and a new log has to begin.
 * @param acknowledged the center's cursor, to see whether entries that it has are missing here
 */
export function readLog(
  folder: string,
  acknowledged: { log: string; upTo: number } | undefined,
): FoundLog | undefined {
  const files = readdirSync(folder)
    .filter((name) => NAME.test(name))
    .sort();
  const segments: Segment[] = [];
  for (const [index, name] of files.entries()) {
    const file = join(folder, name);
    const segment = readSegment(file);
    const newest = index === files.length - 1;
    if (segment === 'rotten') return undefined;
    if (segment === 'torn') {
      // A power loss right after a segment was begun leaves it without a header, the newest one only.
      if (!newest) return undefined;
      rmSync(file);
      continue;
    }
    const previous = segments.at(-1);
    const follows =
      !previous ||
      (previous.header.log === segment.header.log &&
        previous.header.first + previous.entries.length === segment.header.first);
    if (!follows || (segment.badBytes > 0 && !newest)) return undefined;
    segments.push(segment);
  }
  const last = segments.at(-1);
  if (!last) return undefined;
  if (last.badBytes > 0) truncateSync(last.file, last.goodBytes);
  const entries = segments.flatMap((segment) => segment.entries);
  const next = last.header.first + last.entries.length;
  if (acknowledged?.log === last.header.log && acknowledged.upTo >= next) return undefined;
  return {
    log: last.header.log,
    entries,
    next,
    segments: segments.map(({ file, header }) => ({ file, first: header.first })),
  };
}

/** The entries recovered from a damaged log. */
export interface Salvage {
  /** The entries that can still be read and that the center may lack, in order. */
  entries: PrinterEvent[];
  /** Where the damaged files are kept. */
  kept: string[];
}

/**
 * Saves what can still be read of a damaged log and sets its files aside, in place of those of an earlier damage.
 * @param acknowledged the center's cursor: what it has is not sent again
 */
export function salvageLog(folder: string, acknowledged: { log: string; upTo: number } | undefined): Salvage {
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(folder);
  const damaged = names.filter((name) => NAME.test(name)).sort();
  if (damaged.length === 0) return { entries: [], kept: [] };
  for (const name of names) if (name.endsWith(ASIDE)) rmSync(join(folder, name));
  const found = new Map<number, PrinterEvent>();
  const kept: string[] = [];
  for (const name of damaged) {
    const file = join(folder, name);
    const { lines, behind } = readLines(readFileSync(file));
    const parsed = [...lines, ...behind].map((text) => JSON.parse(text) as Record<string, unknown>);
    const header = parsed.find((line) => typeof line['log'] === 'string');
    // A segment without a header belongs to the cursor's log, because the folder holds only one log.
    const other = header !== undefined && header['log'] !== acknowledged?.log;
    const upTo = other ? 0 : (acknowledged?.upTo ?? 0);
    for (const line of parsed) {
      const { seq, ...event } = line;
      if (typeof seq === 'number' && seq > upTo) found.set(seq, event as unknown as PrinterEvent);
    }
    renameSync(file, `${file}${ASIDE}`);
    kept.push(`${file}${ASIDE}`);
  }
  const entries = [...found].sort(([a], [b]) => a - b).map(([, event]) => event);
  return { entries, kept };
}
