/**
 * Retained documents in a file: a log of changes, each record with its length and checksum, flushed to the disk before
 * a write is done. A record that was cut off by a crash is the end of the log. When most of it is history, the log is
 * written anew beside itself and put in its place.
 */
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { QoS, RetainedBackend, RetainedChange, RetainedDocument } from './retained-backend.ts';

/** Record: length of what follows (4), CRC-32 of it (4), QoS or REMOVED (1), length of the topic (2), topic, payload. */
const HEADER_BYTES = 8;
const REMOVED = 0xff;
/** The log is written anew when it is this much and twice what lives. */
const COMPACT_BYTES_MIN = 4 * 1024 * 1024;
const RECORD_BYTES_MAX = 512 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

function encode(change: RetainedChange): Buffer {
  const topic = Buffer.from(change.topic);
  const payload = change.payload ?? Buffer.alloc(0);
  const record = Buffer.allocUnsafe(HEADER_BYTES + 3 + topic.length + payload.length);
  record.writeUInt32LE(record.length - HEADER_BYTES, 0);
  record[8] = change.payload === undefined ? REMOVED : change.qos;
  record.writeUInt16LE(topic.length, 9);
  topic.copy(record, 11);
  payload.copy(record, 11 + topic.length);
  record.writeUInt32LE(checksum(record.subarray(HEADER_BYTES)), 4);
  return record;
}

function checksum(bytes: Buffer): number {
  return crc32(bytes);
}

export class FileBackend implements RetainedBackend {
  readonly #path: string;
  #file: FileHandle | undefined;
  #bytes = 0;
  /** Bytes of the living record of each topic. */
  readonly #living = new Map<string, number>();
  #livingBytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async *load(): AsyncIterable<RetainedDocument> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    this.#file = await open(this.#path, 'a+', 0o600);
    const documents = new Map<string, RetainedDocument>();
    let end = 0;
    for await (const record of this.#records()) {
      end += HEADER_BYTES + record.length;
      const topicBytes = record.readUInt16LE(1);
      const topic = record.toString('utf8', 3, 3 + topicBytes);
      if (record[0] === REMOVED) {
        documents.delete(topic);
        this.#count(topic, 0);
      } else {
        const payload = Buffer.from(record.subarray(3 + topicBytes));
        documents.set(topic, { topic, payload, qos: record[0] as QoS });
        this.#count(topic, HEADER_BYTES + record.length);
      }
    }
    // What a crash cut off was never acknowledged: it goes, so that what follows can be read.
    await this.#file.truncate(end);
    this.#bytes = end;
    yield* documents.values();
  }

  async write(changes: RetainedChange[]): Promise<void> {
    if (!this.#file) throw new Error('load comes before write');
    const records = changes.map(encode);
    const bytes = Buffer.concat(records);
    await this.#file.appendFile(bytes);
    await this.#file.datasync();
    this.#bytes += bytes.length;
    changes.forEach((change, index) => {
      this.#count(change.topic, change.payload === undefined ? 0 : (records[index] as Buffer).length);
    });
    if (this.#bytes > COMPACT_BYTES_MIN && this.#bytes > 2 * this.#livingBytes) await this.#compact();
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

  async #compact(): Promise<void> {
    const old = this.#file as FileHandle;
    const documents = new Map<string, Buffer>();
    for await (const body of this.#records()) {
      const topic = body.toString('utf8', 3, 3 + body.readUInt16LE(1));
      if (body[0] === REMOVED) documents.delete(topic);
      else documents.set(topic, Buffer.from(body));
    }
    const next = await open(`${this.#path}.next`, 'w', 0o600);
    let bytes = 0;
    for (const body of documents.values()) {
      const header = Buffer.allocUnsafe(HEADER_BYTES);
      header.writeUInt32LE(body.length, 0);
      header.writeUInt32LE(checksum(body), 4);
      await next.appendFile(Buffer.concat([header, body]));
      bytes += HEADER_BYTES + body.length;
    }
    await next.sync();
    await next.close();
    await rename(`${this.#path}.next`, this.#path);
    await old.close();
    this.#file = await open(this.#path, 'a+', 0o600);
    this.#bytes = bytes;
  }
}
