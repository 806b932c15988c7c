/**
 * The printer's own memory of its errors: a ring, bounded in entries and bytes, in which new entries overwrite the
 * oldest. Entries overwritten before the center had them are counted, and the center learns of them through `first`.
 *
 * Acknowledged entries stay until their room is needed: the center may ask for them again.
 */
import { randomUUID } from 'node:crypto';
import type { PrinterEvent } from './driver.ts';
import { cleanEvent } from './entry.ts';
import { LOG_BYTES_DEFAULT, LOG_BYTES_MAX, LOG_ENTRIES_DEFAULT, LOG_ENTRIES_MAX } from './limits.ts';

/** An entry as it lies in the memory: its number and its JSON, ready to be put into a batch. */
export interface StoredEntry {
  seq: number;
  /** The entry as JSON, `seq` included. */
  text: string;
  /** Bytes of `text` in UTF-8. */
  bytes: number;
}

export interface LogMemory {
  /** Id of this memory on the wire (`log`). A new one means that the memory was lost or reset. */
  readonly id: string;
  /** The oldest entry still in memory; `last + 1` when there is none. */
  readonly first: number;
  /** The newest entry; 0 before the first one. */
  readonly last: number;
  /**
   * The newest entry that survives a power loss. Nothing above it may be sent: if the printer forgot an entry that the
   * center has, it would give the entry's number to another one.
   */
  readonly durable: number;
  /** The center has every entry up to here, or knows that it is lost. */
  readonly acknowledged: number;
  /** Entries overwritten before the center had them. */
  readonly lost: number;
  /** Share of the capacity (entries or bytes, whichever is scarcer) used by entries after `seq`, 0 to 1. */
  fullness(seq: number): number;
  /** Numbers an event and keeps it. */
  append(event: PrinterEvent, now: number): StoredEntry;
  /** Entries from `seq` on (or the oldest), in order, within the limits but at least one if there is any. */
  read(seq: number, entriesMax: number, bytesMax: number): StoredEntry[];
  /** Adopts the center's cursor. It may go back when the center lost entries. */
  acknowledge(upTo: number): void;
  /** Resolves when every entry so far is durable. */
  sync(): Promise<void>;
  /** Sets the one listener that is called when `durable` grows. */
  onDurable(listener: () => void): void;
  close(): Promise<void>;
}

export interface RingLimits {
  entriesMax: number;
  bytesMax: number;
}

/** Checks the user's settings and fills in defaults. */
export function ringLimits(options: Partial<RingLimits> = {}): RingLimits {
  const { entriesMax = LOG_ENTRIES_DEFAULT, bytesMax = LOG_BYTES_DEFAULT } = options;
  if (!Number.isInteger(entriesMax) || entriesMax < 1 || entriesMax > LOG_ENTRIES_MAX) {
    throw new RangeError(`a log memory holds 1 to ${LOG_ENTRIES_MAX} entries, not ${entriesMax}`);
  }
  if (!Number.isInteger(bytesMax) || bytesMax < 1024 || bytesMax > LOG_BYTES_MAX) {
    throw new RangeError(`a log memory holds 1024 to ${LOG_BYTES_MAX} bytes, not ${bytesMax}`);
  }
  return { entriesMax, bytesMax };
}

/**
 * The ring itself: entries with consecutive numbers in [first, last]. A slot's index is
 * its number modulo the capacity, which grows by doubling so that thousands of almost empty rings stay small.
 */
export class EntryRing {
  #slots: (StoredEntry | undefined)[] = [];
  #first: number;
  #last: number;
  #bytes = 0;
  readonly limits: RingLimits;

  /** An empty ring whose next entry gets the number `next`. */
  constructor(limits: RingLimits, next = 1) {
    this.limits = limits;
    this.#first = next;
    this.#last = next - 1;
  }

  get first(): number {
    return this.#first;
  }
  get last(): number {
    return this.#last;
  }
  get bytes(): number {
    return this.#bytes;
  }
  get size(): number {
    return this.#last - this.#first + 1;
  }

  get(seq: number): StoredEntry | undefined {
    return seq < this.#first || seq > this.#last ? undefined : this.#slots[seq % this.#slots.length];
  }

  /** Adds `entry`, whose number must be `last + 1`. Returns how many old entries it overwrote. */
  push(entry: StoredEntry): number {
    if (entry.seq !== this.#last + 1)
      throw new RangeError(`entry ${entry.seq} does not follow ${this.#last}`);
    let gone = 0;
    while (
      this.size > 0 &&
      (this.size >= this.limits.entriesMax || this.#bytes + entry.bytes > this.limits.bytesMax)
    ) {
      this.dropOldest();
      gone++;
    }
    if (this.size >= this.#slots.length) this.#grow();
    this.#slots[entry.seq % this.#slots.length] = entry;
    this.#last = entry.seq;
    this.#bytes += entry.bytes;
    return gone;
  }

  dropOldest(): void {
    const index = this.#first % this.#slots.length;
    this.#bytes -= this.#slots[index]?.bytes ?? 0;
    this.#slots[index] = undefined;
    this.#first++;
  }

  read(seq: number, entriesMax: number, bytesMax: number): StoredEntry[] {
    const found: StoredEntry[] = [];
    let bytes = 0;
    for (let at = Math.max(seq, this.#first); at <= this.#last && found.length < entriesMax; at++) {
      const entry = this.get(at);
      if (!entry) break;
      // A comma stands between two entries of a batch.
      bytes += entry.bytes + 1;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  /** Share of the room that entries after `seq` take. */
  fullness(seq: number): number {
    const entries = this.#last - Math.max(seq, this.#first - 1);
    if (entries <= 0) return 0;
    const bytes = (this.#bytes / this.size) * entries;
    return Math.min(1, Math.max(entries / this.limits.entriesMax, bytes / this.limits.bytesMax));
  }

  #grow(): void {
    const old = this.#slots;
    const capacity = Math.min(this.limits.entriesMax, Math.max(4, old.length * 2));
    this.#slots = new Array<StoredEntry | undefined>(capacity);
    for (let seq = this.#first; seq <= this.#last; seq++) {
      this.#slots[seq % capacity] = old[seq % old.length];
    }
  }
}

/** `event` with its number, serialized once for all the times it is sent. */
export function storedEntry(seq: number, event: PrinterEvent): StoredEntry {
  const text = JSON.stringify({ seq, ...event });
  return { seq, text, bytes: Buffer.byteLength(text) };
}

export interface MemoryLogOptions extends Partial<RingLimits> {
  /** Id of the memory; a new random one by default. */
  id?: string;
  /** Free entries as soon as they are acknowledged instead of when their room is needed: smaller, tells less. */
  freeAcknowledged?: boolean;
}

/** The common part of all log memories with a ring: numbering, contents, and lost entries. */
export abstract class RingLog implements LogMemory {
  abstract readonly id: string;
  abstract readonly durable: number;
  protected ring: EntryRing;
  protected upTo = 0;
  protected overwritten = 0;

  protected constructor(ring: EntryRing) {
    this.ring = ring;
  }

  get first(): number {
    return this.ring.first;
  }
  get last(): number {
    return this.ring.last;
  }
  get acknowledged(): number {
    return this.upTo;
  }
  get lost(): number {
    return this.overwritten;
  }

  fullness(seq: number): number {
    return this.ring.fullness(seq);
  }

  append(event: PrinterEvent, now: number): StoredEntry {
    const entry = storedEntry(this.ring.last + 1, cleanEvent(event, now));
    this.keep(entry);
    return entry;
  }

  read(seq: number, entriesMax: number, bytesMax: number): StoredEntry[] {
    return this.ring.read(seq, entriesMax, bytesMax);
  }

  /** Adds an entry. Returns how many overwritten entries the center did not have; they are counted. */
  protected keep(entry: StoredEntry): number {
    const oldest = this.ring.first;
    const lost = lostOf(oldest, this.ring.push(entry), this.upTo);
    this.overwritten += lost;
    return lost;
  }

  abstract acknowledge(upTo: number): void;
  abstract sync(): Promise<void>;
  abstract onDurable(listener: () => void): void;
  abstract close(): Promise<void>;
}

/** A log memory without a disk: lost with the process, so every start has a new id. */
export class MemoryLog extends RingLog {
  readonly id: string;
  readonly #freeAcknowledged: boolean;

  constructor(options: MemoryLogOptions = {}) {
    super(new EntryRing(ringLimits(options)));
    this.id = options.id ?? randomUUID();
    this.#freeAcknowledged = options.freeAcknowledged ?? false;
  }

  get durable(): number {
    return this.ring.last;
  }

  acknowledge(upTo: number): void {
    this.upTo = Math.min(upTo, this.ring.last);
    if (!this.#freeAcknowledged) return;
    while (this.ring.size > 0 && this.ring.first <= this.upTo) this.ring.dropOldest();
  }

  async sync(): Promise<void> {}

  // Nothing in memory ever becomes more durable, so the listener is never called.
  onDurable(_listener: () => void): void {}

  async close(): Promise<void> {}
}

/** How many of `gone` entries from `oldest` on the center did not have. */
function lostOf(oldest: number, gone: number, acknowledged: number): number {
  const known = Math.max(0, Math.min(gone, acknowledged - oldest + 1));
  return gone - known;
}
