/**
 * One record of the broker's file: length of the rest (4), CRC-32 of it (4), kind (1), length of the topic (2), topic,
 * payload. Also repairs damaged records.
 */
import { crc32 } from 'node:zlib';
import type { QoS } from '../../mqtt/packet.ts';
import type { RetainedChange } from './retained-backend.ts';

export const HEADER_BYTES = 8;
/** The shortest body: kind and the length of an empty topic. */
const BODY_BYTES_MIN = 3;
export const RECORD_BYTES_MAX = 512 * 1024 * 1024;
/** A kind is a QoS, or a removal when the highest bit is set. */
const QOS_BITS = 0x03;
const REMOVED_BIT = 0x80;
/** More records of the same write follow. */
const MORE_BIT = 0x40;
/** A removal that ends its write, whatever its bits say. Old files contain it, with one record per write. */
const REMOVED = 0xff;
/** In a longer body several flipped bits could look like one. */
const REPAIRED_BYTES_MAX = 64 * 1024;

function kindOf({ payload, qos }: RetainedChange, more: boolean): number {
  if (payload === undefined) return more ? REMOVED_BIT | MORE_BIT : REMOVED;
  return more ? qos | MORE_BIT : qos;
}

export function encodeRecord(change: RetainedChange, more: boolean): Buffer {
  const topic = Buffer.from(change.topic);
  const payload = change.payload ?? Buffer.alloc(0);
  const body = Buffer.allocUnsafe(BODY_BYTES_MIN + topic.length + payload.length);
  body[0] = kindOf(change, more);
  body.writeUInt16LE(topic.length, 1);
  topic.copy(body, BODY_BYTES_MIN);
  payload.copy(body, BODY_BYTES_MIN + topic.length);
  return withHeader(body);
}

/** Puts length and checksum before a body. */
export function withHeader(body: Buffer): Buffer {
  const record = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  record.writeUInt32LE(body.length, 0);
  record.writeUInt32LE(crc32(body), 4);
  body.copy(record, HEADER_BYTES);
  return record;
}

export interface Decoded {
  removed: boolean;
  qos: QoS;
  topic: string;
  payload: Buffer;
}

export function decodeBody(body: Buffer): Decoded {
  const kind = body.readUInt8(0);
  const payloadAt = BODY_BYTES_MIN + body.readUInt16LE(1);
  return {
    removed: (kind & REMOVED_BIT) !== 0,
    qos: (kind & QOS_BITS) as QoS,
    topic: body.toString('utf8', BODY_BYTES_MIN, payloadAt),
    payload: body.subarray(payloadAt),
  };
}

/** The same record as a separate write. */
export function alone(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  copy[0] = (copy[0] as number) & QOS_BITS;
  return copy;
}

export function plausibleLength(length: number): boolean {
  return length >= BODY_BYTES_MIN && length <= RECORD_BYTES_MAX;
}

export function knownKind(kind: number): boolean {
  if (kind === REMOVED || kind === (REMOVED_BIT | MORE_BIT)) return true;
  return (kind & ~(QOS_BITS | MORE_BIT)) === 0 && (kind & QOS_BITS) !== 3;
}

/** Whether a record of this kind is the last of its write. */
export function endsWrite(kind: number): boolean {
  return kind === REMOVED || (kind & MORE_BIT) === 0;
}

/** Whether a body matches its checksum and is well-formed. */
export function isWhole(body: Buffer, checksum: number): boolean {
  return crc32(body) === checksum && makesSense(body);
}

function makesSense(body: Buffer): boolean {
  return knownKind(body.readUInt8(0)) && BODY_BYTES_MIN + body.readUInt16LE(1) <= body.length;
}

/** The body before one bit of it, or of its checksum, was flipped; undefined when more is damaged. */
export function repaired(body: Buffer, checksum: number): Buffer | undefined {
  if (body.length > REPAIRED_BYTES_MAX) return undefined;
  const difference = (crc32(body) ^ checksum) >>> 0;
  const copy = Buffer.from(body);
  // A difference of one bit: the checksum itself was damaged.
  if ((difference & (difference - 1)) !== 0) {
    const bit = flippedBit(body.length, difference);
    if (bit === undefined) return undefined;
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  }
  return makesSense(copy) ? copy : undefined;
}

/**
 * Finds the bit that changes the checksum of `bytes` bytes by `difference`, counted from the lowest of the first byte.
 * CRC is linear: what a flipped bit changes depends only on how many bytes follow.
 */
function flippedBit(bytes: number, difference: number): number | undefined {
  const changes = Array.from({ length: 8 }, (_, bit) => CHANGES[1 << bit] as number);
  for (let byte = bytes - 1; byte >= 0; byte--) {
    for (let bit = 0; bit < 8; bit++) {
      const change = changes[bit] as number;
      if (change === difference) return byte * 8 + bit;
      changes[bit] = ((change >>> 8) ^ (CHANGES[change & 0xff] as number)) >>> 0;
    }
  }
  return undefined;
}

/** How each byte value changes the checksum (RFC 1952, section 8). */
const CHANGES = Uint32Array.from({ length: 256 }, (_, byte) => {
  let change = byte;
  for (let bit = 0; bit < 8; bit++) change = change & 1 ? (change >>> 1) ^ 0xedb88320 : change >>> 1;
  return change >>> 0;
});
