/**
 * Retained documents in a file: a log of changes, each record with its length and checksum, flushed to the disk before
 * a write is done. The changes of one write hold together: when a crash cut one of them off, none of them counts, and
 * the log ends before them. When most of it is history, the log is written anew beside itself and put in its place.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Logger } from 'pino';
import type { QoS } from '../../mqtt/packet.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { RetainedBackend, RetainedChange, RetainedDocument } from './retained-backend.ts';

/** Record: length of what follows (4), CRC-32 of it (4), kind (1), length of the topic (2), topic, payload. */
const HEADER_BYTES = 8;
/** A kind is a QoS; or it says, by its highest bit, that the topic holds nothing any more. */
const QOS_BITS = 0x03;
const REMOVED_BIT = 0x80;
/** More records of the same write follow. */
const MORE_BIT = 0x40;
/** Ends a write, in spite of its bits: in files of before every record stands for itself. */
const REMOVED = 0xff;
/** The log is written anew when it is this much and twice what lives. */
const COMPACT_BYTES_MIN = 4 * 1024 * 1024;
const RECORD_BYTES_MAX = 512 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;
/** Of the log that is written anew: it begins empty, and is the log itself once it has the name. */
const NEXT_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

function kindOf({ payload, qos }: RetainedChange, more: boolean): number {
  if (payload === undefined) return more ? REMOVED_BIT | MORE_BIT : REMOVED;
  return more ? qos | MORE_BIT : qos;
}

function encode(change: RetainedChange, more: boolean): Buffer {
  const topic = Buffer.from(change.topic);
  const payload = change.payload ?? Buffer.alloc(0);
  const record = Buffer.allocUnsafe(HEADER_BYTES + 3 + topic.length + payload.length);
  record.writeUInt32LE(record.length - HEADER_BYTES, 0);
  record[8] = kindOf(change, more);
  record.writeUInt16LE(topic.length, 9);
  topic.copy(record, 11);
  payload.copy(record, 11 + topic.length);
  record.writeUInt32LE(checksum(record.subarray(HEADER_BYTES)), 4);
  return record;
}

function checksum(bytes: Buffer): number {
  return crc32(bytes);
}

function decode(body: Buffer): { kind: number; topic: string; payload: Buffer } {
  const payloadAt = 3 + body.readUInt16LE(1);
  return {
    kind: body.readUInt8(0),
    topic: body.toString('utf8', 3, payloadAt),
    payload: body.subarray(payloadAt),
  };
}

/** Makes the name of a file durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export class FileBackend implements RetainedBackend {
  readonly #path: string;
  readonly #log: Pick<Logger, 'error'> | undefined;
  #file: FileHandle | undefined;
  /** What of the file counts. */
  #bytes = 0;
  /** Whether something may stand behind it, of a write that failed. */
  #torn = false;
  /** Below this the log isn't written anew. */
  #compactBytesMin = COMPACT_BYTES_MIN;
  /** Another file got the name, and a power cut could still bring the old one back. */
  #renamed = false;
  /** Bytes of the living record of each topic. */
  readonly #living = new Map<string, number>();
  #livingBytes = 0;

  /** `log` is told when the file could not be written anew, which loses nothing but room. */
  constructor(path: string, log?: Pick<Logger, 'error'>) {
    this.#path = path;
    this.#log = log;
  }

  async *load(): AsyncIterable<RetainedDocument> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    this.#file = await open(this.#path, 'a+', 0o600);
    await syncFolder(this.#path);
    const documents = new Map<string, RetainedDocument>();
    let end = 0;
    for await (const group of this.#groups()) {
      for (const body of group) {
        end += HEADER_BYTES + body.length;
        const { kind, topic, payload } = decode(body);
        if (kind & REMOVED_BIT) {
          documents.delete(topic);
          this.#count(topic, 0);
        } else {
          documents.set(topic, { topic, payload: Buffer.from(payload), qos: (kind & QOS_BITS) as QoS });
          this.#count(topic, HEADER_BYTES + body.length);
        }
      }
    }
    // What a crash cut off was never acknowledged: it goes, so that what follows can be read.
    await this.#file.truncate(end);
    this.#bytes = end;
    yield* documents.values();
  }

  async write(changes: RetainedChange[]): Promise<void> {
    if (!this.#file) throw new Error('load comes before write');
    const records = changes.map((change, index) => encode(change, index < changes.length - 1));
    const bytes = Buffer.concat(records);
    // Behind what a failed write left nothing could be read.
    if (this.#torn) await this.#file.truncate(this.#bytes);
    this.#torn = true;
    await this.#file.appendFile(bytes);
    await this.#file.datasync();
    this.#torn = false;
    this.#bytes += bytes.length;
    changes.forEach((change, index) => {
      this.#count(change.topic, change.payload === undefined ? 0 : (records[index] as Buffer).length);
    });
    if (this.#bytes > this.#compactBytesMin && this.#bytes > 2 * this.#livingBytes) await this.#tryCompact();
    if (this.#renamed) await syncFolder(this.#path);
    this.#renamed = false;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  #count(topic: string, bytes: number): void {
    this.#livingBytes += bytes - (this.#living.get(topic) ?? 0);
    if (bytes === 0) this.#living.delete(topic);
    else this.#living.set(topic, bytes);
  }

  /** The bodies of the records of each whole write, in order. */
  async *#groups(): AsyncIterable<Buffer[]> {
    let group: Buffer[] = [];
    for await (const body of this.#records()) {
      group.push(body);
      const kind = body[0] as number;
      if (kind !== REMOVED && kind & MORE_BIT) continue;
      yield group;
      group = [];
    }
  }

  /** The bodies of all whole records, in order. */
  async *#records(): AsyncIterable<Buffer> {
    const file = this.#file as FileHandle;
    let held = Buffer.alloc(0);
    let position = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(READ_BYTES);
      const { bytesRead } = await file.read(chunk, 0, READ_BYTES, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      held = Buffer.concat([held, chunk.subarray(0, bytesRead)]);
      let at = 0;
      while (held.length - at >= HEADER_BYTES) {
        const length = held.readUInt32LE(at);
        if (length < 3 || length > RECORD_BYTES_MAX) return;
        if (held.length - at < HEADER_BYTES + length) break;
        const body = held.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
        if (checksum(body) !== held.readUInt32LE(at + 4)) return;
        yield body;
        at += HEADER_BYTES + length;
      }
      held = held.subarray(at);
    }
  }

  /** What was written lasts whether or not there is room to write the log anew. */
  async #tryCompact(): Promise<void> {
    try {
      await this.#compact();
      this.#compactBytesMin = COMPACT_BYTES_MIN;
    } catch (error) {
      this.#compactBytesMin = this.#bytes + COMPACT_BYTES_MIN;
      this.#log?.error(
        { reason: reasonOf(error) },
        'the file of retained documents could not be written anew',
      );
    }
  }

  async #compact(): Promise<void> {
    const old = this.#file as FileHandle;
    const documents = new Map<string, Buffer>();
    for await (const group of this.#groups()) {
      for (const body of group) {
        const { kind, topic } = decode(body);
        // Here each stands for itself.
        if (kind & REMOVED_BIT) documents.delete(topic);
        else documents.set(topic, Buffer.concat([Buffer.from([kind & QOS_BITS]), body.subarray(1)]));
      }
    }
    const path = `${this.#path}.next`;
    const next = await open(path, NEXT_FLAGS, 0o600);
    let bytes = 0;
    try {
      for (const body of documents.values()) {
        const header = Buffer.allocUnsafe(HEADER_BYTES);
        header.writeUInt32LE(body.length, 0);
        header.writeUInt32LE(checksum(body), 4);
        await next.appendFile(Buffer.concat([header, body]));
        bytes += HEADER_BYTES + body.length;
      }
      await next.sync();
      await rename(path, this.#path);
    } catch (error) {
      await next.close();
      await unlink(path);
      throw error;
    }
    // From here on the old file has no name: whatever is written must go into the new one.
    this.#file = next;
    this.#bytes = bytes;
    this.#renamed = true;
    await old.close();
  }
}
