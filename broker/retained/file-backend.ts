/**
 * Retained documents in a file: a log of changes, each with its length and checksum, flushed to the disk at the end of
 * each write. A write is atomic: if a crash cuts it off, none of its changes counts. When most of the log is history it
 * is compacted into a new file, which then replaces it.
 */
import { constants } from 'node:fs';
import { copyFile, type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { reasonOf } from '../../schemas/errors.ts';
import { alone, decodeBody, encodeRecord, HEADER_BYTES, withHeader } from './record.ts';
import { type Damage, RecordReader } from './record-reader.ts';
import type { BackendDamage, RetainedBackend, RetainedChange, RetainedDocument } from './retained-backend.ts';

/** The log is compacted above this size, once it is twice as large as its live records. */
const COMPACT_BYTES_MIN = 4 * 1024 * 1024;
/** The compacted log: it starts empty and becomes the log by renaming. */
const NEXT_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

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
  /** The valid length of the file. */
  #bytes = 0;
  /** Whether a failed write may have left bytes after it. */
  #torn = false;
  /** Below this the log isn't compacted. */
  #compactBytesMin = COMPACT_BYTES_MIN;
  /** The log was renamed, but a power failure could still bring the old file back. */
  #renamed = false;
  /** Damage found since the start. */
  readonly damage: BackendDamage = { repaired: 0, lost: 0, lostBytes: 0 };
  /** Bytes of the live record of each topic. */
  readonly #live = new Map<string, number>();
  #liveBytes = 0;

  /** `log` gets damage and failed compactions, which cost only disk space. */
  constructor(path: string, log?: Pick<Logger, 'error'>) {
    this.#path = path;
    this.#log = log;
  }

  async *load(): AsyncIterable<RetainedDocument> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    this.#file = await open(this.#path, 'a+', 0o600);
    await syncFolder(this.#path);
    const { size } = await this.#file.stat();
    const reader = new RecordReader(this.#file, size);
    const documents = new Map<string, RetainedDocument>();
    let end = 0;
    for await (const write of reader.writes()) {
      for (const body of write.bodies) {
        const { removed, topic, payload, qos } = decodeBody(body);
        if (removed) {
          documents.delete(topic);
          this.#count(topic, 0);
        } else {
          documents.set(topic, { topic, payload: Buffer.from(payload), qos });
          this.#count(topic, HEADER_BYTES + body.length);
        }
      }
      end = write.end;
    }
    await this.#reportDamages(reader.damages);
    if (reader.damages.length === 0) {
      // A write cut off by a crash was never acknowledged. It is removed, so that later writes can be read.
      await this.#file.truncate(end);
      this.#bytes = end;
    } else {
      // If the disk has no room for a compaction, the file stays and is read the same way next time.
      this.#bytes = size;
      await this.#tryCompact(documents.values());
    }
    yield* documents.values();
  }

  async write(changes: RetainedChange[]): Promise<void> {
    if (!this.#file) throw new Error('load comes before write');
    const records = changes.map((change, index) => encodeRecord(change, index < changes.length - 1));
    const bytes = Buffer.concat(records);
    // Records after the remains of a failed write could not be read.
    if (this.#torn) await this.#file.truncate(this.#bytes);
    this.#torn = true;
    await this.#file.appendFile(bytes);
    await this.#file.datasync();
    this.#torn = false;
    this.#bytes += bytes.length;
    changes.forEach((change, index) => {
      this.#count(change.topic, change.payload === undefined ? 0 : (records[index] as Buffer).length);
    });
    if (this.#bytes > this.#compactBytesMin && this.#bytes > 2 * this.#liveBytes) await this.#tryCompact();
    if (this.#renamed) await syncFolder(this.#path);
    this.#renamed = false;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  #count(topic: string, bytes: number): void {
    this.#liveBytes += bytes - (this.#live.get(topic) ?? 0);
    if (bytes === 0) this.#live.delete(topic);
    else this.#live.set(topic, bytes);
  }

  /** Copies a damaged file before dropping any part of it, and logs the damage. */
  async #reportDamages(damages: readonly Damage[]): Promise<void> {
    const [first] = damages;
    if (!first) return;
    const lost = damages.filter(({ lostBytes }) => lostBytes > 0);
    const lostBytes = lost.reduce((sum, damage) => sum + damage.lostBytes, 0);
    this.damage.repaired += damages.length - lost.length;
    this.damage.lost += lost.length;
    this.damage.lostBytes += lostBytes;
    const copy = `${this.#path}.damaged-${new Date().toISOString().replaceAll(':', '')}`;
    await copyFile(this.#path, copy, constants.COPYFILE_EXCL);
    await syncFolder(copy);
    this.#log?.error(
      {
        file: this.#path,
        copy,
        at: first.at,
        repaired: damages.length - lost.length,
        lost: lost.length,
        lostBytes,
      },
      'the file of retained documents and sessions is damaged: what can be read is kept, and a copy was set aside',
    );
  }

  /** Compacts the log. A failure is logged; written data stays durable. */
  async #tryCompact(documents?: Iterable<RetainedDocument>): Promise<void> {
    try {
      await this.#compact(documents ? recordsOf(documents) : await this.#liveRecords());
      this.#compactBytesMin = COMPACT_BYTES_MIN;
    } catch (error) {
      this.#compactBytesMin = this.#bytes + COMPACT_BYTES_MIN;
      this.#log?.error(
        { reason: reasonOf(error) },
        'the file of retained documents could not be compacted; it keeps growing until that works',
      );
    }
  }

  /** The live records, each as a separate write. */
  async #liveRecords(): Promise<Iterable<Buffer>> {
    const reader = new RecordReader(this.#file as FileHandle, this.#bytes, true);
    const documents = new Map<string, Buffer>();
    for await (const { bodies } of reader.writes()) {
      for (const body of bodies) {
        const { removed, topic } = decodeBody(body);
        if (removed) documents.delete(topic);
        else documents.set(topic, alone(body));
      }
    }
    await this.#reportDamages(reader.damages);
    return documents.values();
  }

  async #compact(bodies: Iterable<Buffer>): Promise<void> {
    const old = this.#file as FileHandle;
    const path = `${this.#path}.next`;
    const next = await open(path, NEXT_FLAGS, 0o600);
    let bytes = 0;
    try {
      for (const body of bodies) {
        await next.appendFile(withHeader(body));
        bytes += HEADER_BYTES + body.length;
      }
      await next.sync();
      await rename(path, this.#path);
    } catch (error) {
      await next.close();
      await unlink(path);
      throw error;
    }
    // The old file has no name now, so everything must be written to the new one.
    this.#file = next;
    this.#bytes = bytes;
    this.#renamed = true;
    await old.close();
  }
}

/** The record bodies of documents. */
function* recordsOf(documents: Iterable<RetainedDocument>): Iterable<Buffer> {
  for (const document of documents) yield encodeRecord(document, false).subarray(HEADER_BYTES);
}
