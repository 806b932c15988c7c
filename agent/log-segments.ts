/**
 * The files of a log memory on disk. A segment is a text file of lines `<crc32> <json>`: first a header with the id
 * of the log and the number of the first entry, then the entries in order. Segments are only appended to; the oldest
 * is deleted when all its entries have given way.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { StoredEntry } from './log-memory.ts';

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

/** The lines of a segment that are whole, and where the good part of the file ends. */
function readLines(bytes: Buffer): { lines: string[]; goodBytes: number } {
  const lines: string[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) break;
    const json = bytes.subarray(at + 9, end);
    const sum = bytes.toString('latin1', at, at + 8);
    if (bytes[at + 8] !== 0x20 || crc32(json).toString(16).padStart(8, '0') !== sum) break;
    lines.push(json.toString('utf8'));
    at = end + 1;
  }
  return { lines, goodBytes: at };
}

interface Segment {
  file: string;
  header: SegmentHeader;
  entries: StoredEntry[];
  goodBytes: number;
  /** Bytes after the good part. */
  badBytes: number;
}

/** Undefined when not even the header is whole. */
function readSegment(file: string): Segment | undefined {
  const bytes = readFileSync(file);
  const { lines, goodBytes } = readLines(bytes);
  const [head, ...rest] = lines;
  if (head === undefined) return undefined;
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
    if (!segment) {
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

/** Deletes every segment in `folder`. */
export function clearLog(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (NAME.test(name)) rmSync(join(folder, name));
}
