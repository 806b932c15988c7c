/**
 * Reads the broker's file write by write. A crash leaves an incomplete write at the end of the file; it was never
 * acknowledged and is ignored. Any other damage is rot: a single flipped bit is repaired; a record with more damage is
 * lost, and those before and after it are kept.
 *
 * The blocks of the last write may reach the disk in any order. So a damaged record counts as rot only if another write
 * follows, because that began only after the damaged one was on the disk.
 */
import type { FileHandle } from 'node:fs/promises';
import { endsWrite, HEADER_BYTES, isWhole, knownKind, plausibleLength, repaired } from './record.ts';

const WINDOW_BYTES = 1024 * 1024;

/** A damaged range. */
export interface Damage {
  /** Where it begins in the file. */
  at: number;
  /** How many bytes are lost; 0 when it was repaired. */
  lostBytes: number;
}

/** The records of one write, and where it ends. */
export interface Write {
  bodies: Buffer[];
  end: number;
}

interface Found {
  body: Buffer;
  end: number;
  damage?: Damage;
}

export class RecordReader {
  readonly #file: FileHandle;
  readonly #size: number;
  readonly #complete: boolean;
  #window = Buffer.alloc(0);
  #windowAt = 0;
  /** The damage found so far. */
  readonly damages: Damage[] = [];

  /** `complete`: the last write is known to be on the disk, so damage in it is rot too. */
  constructor(file: FileHandle, size: number, complete = false) {
    this.#file = file;
    this.#size = size;
    this.#complete = complete;
  }

  /** All complete writes, in order. */
  async *writes(): AsyncIterable<Write> {
    let at = 0;
    let bodies: Buffer[] = [];
    /** Damage in the current write. It counts as rot if another write follows. */
    let damages: Damage[] = [];
    /** The last write, if it lost a record: it may never have been complete. */
    let doubtful: Write | undefined;
    const begun = () => bodies.length > 0 || damages.length > 0;
    let start = 0;
    for (;;) {
      const found = await this.#record(at);
      if (!found) {
        const next = at < this.#size ? await this.#nextRecord(at) : undefined;
        if (next === undefined) break;
        if (doubtful) {
          yield doubtful;
          doubtful = undefined;
        }
        if (!begun()) start = at;
        damages.push({ at, lostBytes: next.at - at });
        at = next.at;
        if (next.endedWrite) {
          this.damages.push(...damages);
          yield { bodies, end: at };
          bodies = [];
          damages = [];
        }
        continue;
      }
      if (doubtful) {
        yield doubtful;
        doubtful = undefined;
      }
      if (!begun()) start = at;
      if (found.damage) damages.push(found.damage);
      bodies.push(found.body);
      at = found.end;
      if (!endsWrite(found.body[0] as number)) continue;
      const write = { bodies, end: at };
      const lost = damages.some(({ lostBytes }) => lostBytes > 0);
      this.damages.push(...damages);
      if (lost) doubtful = write;
      else yield write;
      bodies = [];
      damages = [];
      if (!lost) start = at;
    }
    this.damages.push(...damages);
    if (this.#complete) {
      if (doubtful) yield doubtful;
      if (bodies.length > 0) yield { bodies, end: at };
    }
    // A write cut off by a crash was never acknowledged and isn't reported.
    if (!(await this.#cutOff(at))) this.damages.push({ at: start, lostBytes: this.#size - start });
  }

  /** Whether the file just ends within the record at `at`, or holds only zeros from there. */
  async #cutOff(at: number): Promise<boolean> {
    if (this.#size - at < HEADER_BYTES) return true;
    const header = await this.#bytes(at, HEADER_BYTES);
    const length = header.readUInt32LE(0);
    if (plausibleLength(length) && at + HEADER_BYTES + length > this.#size) {
      return (await this.#scan(at + 1)) === undefined;
    }
    for (let from = at; from < this.#size; from += WINDOW_BYTES) {
      const bytes = await this.#bytes(from, Math.min(WINDOW_BYTES, this.#size - from));
      if (bytes.some((byte) => byte !== 0)) return false;
    }
    return true;
  }

  /** The record at `at`, repaired if one bit is wrong. */
  async #record(at: number): Promise<Found | undefined> {
    if (at + HEADER_BYTES > this.#size) return undefined;
    const header = await this.#bytes(at, HEADER_BYTES);
    const length = header.readUInt32LE(0);
    const checksum = header.readUInt32LE(4);
    const body = await this.#body(at, length);
    if (body) {
      const end = at + HEADER_BYTES + length;
      if (isWhole(body, checksum)) return { body, end };
      const right = repaired(body, checksum);
      if (right) return { body: right, end, damage: { at, lostBytes: 0 } };
    }
    for (let bit = 0; bit < 32; bit++) {
      const other = (length ^ (1 << bit)) >>> 0;
      const candidate = await this.#body(at, other);
      if (candidate && isWhole(candidate, checksum)) {
        return { body: candidate, end: at + HEADER_BYTES + other, damage: { at, lostBytes: 0 } };
      }
    }
    return undefined;
  }

  /** The next valid record after a damaged one, and whether the damaged one certainly ended its write. */
  async #nextRecord(at: number): Promise<{ at: number; endedWrite: boolean } | undefined> {
    const header = await this.#bytes(at, Math.min(HEADER_BYTES + 1, this.#size - at));
    if (header.length > HEADER_BYTES) {
      const length = header.readUInt32LE(0);
      const behind = at + HEADER_BYTES + length;
      // It looks cut off. Apparent records inside may be part of a payload, so they aren't read.
      if (plausibleLength(length) && behind > this.#size) return undefined;
      if (plausibleLength(length) && (await this.#wholeAt(behind))) {
        const kind = header[HEADER_BYTES] as number;
        return { at: behind, endedWrite: knownKind(kind) && endsWrite(kind) };
      }
    }
    const place = await this.#scan(at + 1);
    return place === undefined ? undefined : { at: place, endedWrite: false };
  }

  /** The first valid record from `from` on. */
  async #scan(from: number): Promise<number | undefined> {
    for (let place = from; place + HEADER_BYTES < this.#size; place++) {
      if (this.#surelyNone(place)) continue;
      if (await this.#wholeAt(place)) return place;
    }
    return undefined;
  }

  /** Whether the window already rules out a record here. It nearly always does, and needs no promise. */
  #surelyNone(at: number): boolean {
    const inWindow = at - this.#windowAt;
    if (inWindow < 0 || inWindow + HEADER_BYTES + 1 > this.#window.length) return false;
    const length = this.#window.readUInt32LE(inWindow);
    if (!plausibleLength(length) || at + HEADER_BYTES + length > this.#size) return true;
    return !knownKind(this.#window[inWindow + HEADER_BYTES] as number);
  }

  async #wholeAt(at: number): Promise<boolean> {
    if (at + HEADER_BYTES + 1 > this.#size) return false;
    const header = await this.#bytes(at, HEADER_BYTES + 1);
    const length = header.readUInt32LE(0);
    if (!plausibleLength(length) || at + HEADER_BYTES + length > this.#size) return false;
    if (!knownKind(header[HEADER_BYTES] as number)) return false;
    const body = await this.#body(at, length);
    return body !== undefined && isWhole(body, header.readUInt32LE(4));
  }

  async #body(at: number, length: number): Promise<Buffer | undefined> {
    if (!plausibleLength(length) || at + HEADER_BYTES + length > this.#size) return undefined;
    return this.#bytes(at + HEADER_BYTES, length);
  }

  /** `length` bytes at `at`, which must be inside the file. They may point into the window: copy them to keep them. */
  async #bytes(at: number, length: number): Promise<Buffer> {
    const inWindow = at - this.#windowAt;
    if (inWindow < 0 || inWindow + length > this.#window.length) {
      const window = Buffer.allocUnsafe(Math.min(Math.max(length, WINDOW_BYTES), this.#size - at));
      let filled = 0;
      while (filled < window.length) {
        const { bytesRead } = await this.#file.read(window, filled, window.length - filled, at + filled);
        if (bytesRead === 0) throw new Error('the file became shorter while it was read');
        filled += bytesRead;
      }
      this.#window = window;
      this.#windowAt = at;
      return window.subarray(0, length);
    }
    return this.#window.subarray(inWindow, inWindow + length);
  }
}
