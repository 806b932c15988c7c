/**
 * A log memory on disk, for real printers: it survives the end of the process and a power loss. Entries that were
 * appended while the disk was busy become durable together, with one write and one sync.
 */

import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Serial } from '../base/serial.ts';
import { writeWhole } from '../files/whole-file.ts';
import { reasonOf } from '../schemas/errors.ts';
import type { PrinterEvent } from './driver.ts';
import { CHECKPOINT_MS, LOG_SEGMENTS } from './limits.ts';
import {
  EntryRing,
  type RingLimits,
  RingLog,
  ringLimits,
  type StoredEntry,
  storedEntry,
} from './log-memory.ts';
import { readLog, salvageLog, segmentFile, segmentLine } from './log-segments.ts';

export interface DiskLogOptions extends Partial<RingLimits> {
  /** A dedicated folder; created when missing. Only one process may use it at a time. */
  folder: string;
  log: Logger;
}

interface Checkpoint {
  log: string;
  upTo: number;
  lost: number;
}

interface OpenSegment {
  first: number;
  file: string;
}

export class DiskLog extends RingLog {
  readonly #folder: string;
  readonly #log: Logger;
  #id: string;
  #durable: number;
  #segments: OpenSegment[];
  #handle: FileHandle | undefined;
  #bytesInSegment = 0;
  #waiting: StoredEntry[] = [];
  #flushing: Promise<void> | undefined;
  #listener: () => void = () => {};
  /** The disk failed: from now on the log is only in memory. */
  #failed = false;
  #closed = false;
  #checkpointTimer: NodeJS.Timeout | undefined;
  readonly #checkpoints = new Serial();

  constructor(options: DiskLogOptions) {
    const limits = ringLimits(options);
    mkdirSync(options.folder, { recursive: true });
    const checkpoint = readCheckpoint(checkpointFile(options.folder));
    const found = readLog(options.folder, checkpoint);
    super(new EntryRing(limits, found?.entries[0]?.seq ?? found?.next ?? 1));
    this.#folder = options.folder;
    this.#log = options.log;
    const same = found !== undefined && checkpoint?.log === found.log ? checkpoint : undefined;
    this.#id = found?.log ?? randomUUID();
    this.upTo = same?.upTo ?? 0;
    this.#segments = found?.segments ?? [];
    // The numbers of a damaged log can't be trusted, so its readable entries move to a new log.
    const salvage = found ? undefined : salvageLog(this.#folder, checkpoint);
    for (const entry of found?.entries ?? []) this.keep(entry);
    this.#durable = this.ring.last;
    // Entries overwritten before the last stop were already counted, as far as the checkpoint shows.
    this.overwritten = Math.max(same?.lost ?? 0, this.ring.first - 1 - this.upTo, 0);
    if (salvage && (salvage.kept.length > 0 || checkpoint)) {
      const { kept, entries } = salvage;
      this.#log.warn(
        { damaged: kept, saved: entries.length, lostLog: checkpoint?.log },
        'the log memory is damaged: what can be read of it goes on in a new one, the damaged files are kept',
      );
      for (const entry of entries) this.append(entry, Date.parse(entry.at));
    }
  }

  get id(): string {
    return this.#id;
  }
  get durable(): number {
    return this.#durable;
  }

  override append(event: PrinterEvent, now: number): StoredEntry {
    const entry = super.append(event, now);
    if (this.#failed) {
      this.#durable = this.ring.last;
      return entry;
    }
    this.#waiting.push(entry);
    this.#begin();
    return entry;
  }

  acknowledge(upTo: number): void {
    const cursor = Math.min(upTo, this.ring.last);
    if (cursor === this.upTo) return;
    this.upTo = cursor;
    this.#checkpointSoon();
  }

  async sync(): Promise<void> {
    while (this.#flushing) await this.#flushing;
  }

  onDurable(listener: () => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.sync();
    await this.#checkpoint();
    await this.#handle?.close();
    this.#handle = undefined;
  }

  protected override keep(entry: StoredEntry): number {
    const lost = super.keep(entry);
    if (lost > 0) this.#checkpointSoon();
    return lost;
  }

  /** Delayed on purpose: losing an acknowledgement in a power loss only costs sending some entries again. */
  #checkpointSoon(): void {
    if (!this.#closed) this.#checkpointTimer ??= setTimeout(() => void this.#checkpoint(), CHECKPOINT_MS);
  }

  #begin(): void {
    this.#flushing ??= this.#flush()
      .catch((error: unknown) => this.#giveUp(error))
      .finally(() => {
        this.#flushing = undefined;
        // An entry may have been added since the last check.
        if (this.#waiting.length > 0 && !this.#failed) this.#begin();
      });
  }

  /** Writes and syncs waiting entries until none are left. */
  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const entries = this.#waiting;
      this.#waiting = [];
      const last = entries[entries.length - 1] as StoredEntry;
      const handle = await this.#segmentFor(entries[0] as StoredEntry);
      const lines = entries.map((entry) => segmentLine(entry.text)).join('');
      await writeAll(handle, lines);
      await handle.datasync();
      this.#bytesInSegment += lines.length;
      this.#durable = last.seq;
      await this.#dropOld();
      this.#listener();
    }
  }

  /** The segment for `entry`; a new one when the current segment is full. */
  async #segmentFor(entry: StoredEntry): Promise<FileHandle> {
    const { entriesMax, bytesMax } = this.ring.limits;
    const current = this.#segments.at(-1);
    if (current && this.#handle === undefined) {
      this.#handle = await open(current.file, 'a');
      this.#bytesInSegment = (await this.#handle.stat()).size;
    }
    const full =
      !current ||
      entry.seq - current.first >= Math.ceil(entriesMax / LOG_SEGMENTS) ||
      this.#bytesInSegment >= bytesMax / LOG_SEGMENTS;
    if (this.#handle && !full) return this.#handle;
    await this.#handle?.close();
    const file = segmentFile(this.#folder, entry.seq);
    const handle = await open(file, 'a');
    this.#handle = handle;
    const header = segmentLine(JSON.stringify({ log: this.#id, first: entry.seq }));
    await writeAll(handle, header);
    await syncFolder(this.#folder);
    this.#bytesInSegment = header.length;
    this.#segments.push({ first: entry.seq, file });
    return handle;
  }

  /** Deletes segments whose entries have all been overwritten in the ring. */
  async #dropOld(): Promise<void> {
    for (;;) {
      const [oldest, next] = this.#segments;
      if (!oldest || !next || next.first > this.ring.first) return;
      await rm(oldest.file, { force: true });
      this.#segments.shift();
    }
  }

  /**
   * The disk accepts no more writes. Unacknowledged entries continue under a new log id. Otherwise, after the next
   * start, the old log on disk would lack entries that were sent and would reuse their numbers.
   */
  #giveUp(error: unknown): void {
    this.#log.error(
      { reason: reasonOf(error) },
      'the log memory cannot be written: it goes on without the disk',
    );
    this.#failed = true;
    this.#waiting = [];
    const left = this.ring.read(this.upTo + 1, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    this.#id = randomUUID();
    this.upTo = 0;
    this.ring = new EntryRing(this.ring.limits);
    for (const entry of left) {
      const { seq: _old, ...event } = JSON.parse(entry.text) as PrinterEvent & { seq: number };
      this.ring.push(storedEntry(this.ring.last + 1, event));
    }
    this.#durable = this.ring.last;
    this.#listener();
  }

  #checkpoint(): Promise<void> {
    clearTimeout(this.#checkpointTimer);
    this.#checkpointTimer = undefined;
    if (this.#failed) return Promise.resolve();
    const checkpoint: Checkpoint = { log: this.#id, upTo: this.upTo, lost: this.overwritten };
    const file = checkpointFile(this.#folder);
    return this.#checkpoints
      .run(() => writeWhole(file, JSON.stringify(checkpoint), { synced: false }))
      .catch((error: unknown) => {
        this.#log.warn({ reason: reasonOf(error) }, 'the acknowledgement cannot be kept on disk');
      });
  }
}

function checkpointFile(folder: string): string {
  return join(folder, 'checkpoint.json');
}

async function writeAll(handle: FileHandle, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  let at = 0;
  while (at < bytes.length) at += (await handle.write(bytes, at)).bytesWritten;
}

/** Makes a new file's name durable (fsync(2): syncing the file alone doesn't). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Undefined when it is missing or torn by a power loss; then everything in memory is sent again. */
function readCheckpoint(file: string): Checkpoint | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const value = JSON.parse(text) as Partial<Checkpoint>;
    if (typeof value.log === 'string' && Number.isSafeInteger(value.upTo)) {
      return { log: value.log, upTo: value.upTo ?? 0, lost: value.lost ?? 0 };
    }
  } catch {
    // Empty or torn: the rename became durable before the file's content.
  }
  return undefined;
}
