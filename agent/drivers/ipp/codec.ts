/**
 * The binary encoding of IPP (RFC 8010), as far as the agent needs it.
 *
 * Tests use @sealsystems/ipp as the peer, but it is not fit for the field: it decodes all text as UTF-8 and destroys
 * Latin-1 and Shift-JIS; it loses its place in the message at an unknown tag or an unexpected length; it discards a
 * truncated message entirely; and it leaves out request attributes that are not in its tables (`system-uri`).
 */
import { IppAnswer, type IppCollection, type IppValue } from '../../mapping/ipp-answer.ts';
import { decodeText } from '../../mapping/text.ts';
import { DRIVER_LIMITS } from '../limits.ts';

const TAG = {
  operation: 0x01,
  end: 0x03,
  integer: 0x21,
  boolean: 0x22,
  enum: 0x23,
  dateTime: 0x31,
  resolution: 0x32,
  range: 0x33,
  beginCollection: 0x34,
  textWithLanguage: 0x35,
  nameWithLanguage: 0x36,
  endCollection: 0x37,
  octetString: 0x30,
  keyword: 0x44,
  uri: 0x45,
  charset: 0x47,
  language: 0x48,
  memberName: 0x4a,
} as const;

export type IppVersion = '1.0' | '1.1' | '2.0';

export const OPERATION = { getPrinterAttributes: 0x000b, getSystemAttributes: 0x005b } as const;

/** Maximum nesting of collections; deeper nesting is an error or an attack. */
const DEPTH_MAX = 16;

function attribute(tag: number, name: string, value: string): Buffer {
  const nameBytes = Buffer.from(name);
  const valueBytes = Buffer.from(value);
  const head = Buffer.alloc(3);
  head.writeUInt8(tag, 0);
  head.writeUInt16BE(nameBytes.length, 1);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(valueBytes.length, 0);
  return Buffer.concat([head, nameBytes, length, valueBytes]);
}

/** A request that reads attributes of the printer (or the system) at `uri`; without `requested` all of them. */
export function encodeRequest(request: {
  version: IppVersion;
  operation: number;
  id: number;
  uri: string;
  requested: string[];
  /** The requesting user name; absent: no name is sent. */
  userName?: string;
  /** Keywords of the operation. */
  keywords?: Record<string, string>;
}): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(Number(request.version[0]), 0);
  head.writeUInt8(Number(request.version[2]), 1);
  head.writeUInt16BE(request.operation, 2);
  head.writeUInt32BE(request.id, 4);
  const target = request.operation === OPERATION.getSystemAttributes ? 'system-uri' : 'printer-uri';
  return Buffer.concat([
    head,
    Buffer.from([TAG.operation]),
    attribute(TAG.charset, 'attributes-charset', 'utf-8'),
    attribute(TAG.language, 'attributes-natural-language', 'en'),
    attribute(TAG.uri, target, request.uri),
    ...(request.userName === undefined
      ? []
      : [attribute(TAG.keyword, 'requesting-user-name', request.userName).fill(0x42, 0, 1)]),
    ...request.requested.map((name, i) =>
      attribute(TAG.keyword, i === 0 ? 'requested-attributes' : '', name),
    ),
    ...Object.entries(request.keywords ?? {}).map(([name, word]) => attribute(TAG.keyword, name, word)),
    Buffer.from([TAG.end]),
  ]);
}

/** Thrown inside the decoder where the message ends early; the part already decoded is kept. */
class Cut extends Error {}

class Cursor {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private need(length: number): void {
    if (this.at + length > this.bytes.length) throw new Cut();
  }

  peek(): number {
    this.need(1);
    return this.view.getUint8(this.at);
  }

  byte(): number {
    this.need(1);
    return this.view.getUint8(this.at++);
  }

  short(): number {
    this.need(2);
    this.at += 2;
    return this.view.getUint16(this.at - 2);
  }

  long(): number {
    this.need(4);
    this.at += 4;
    return this.view.getUint32(this.at - 4);
  }

  take(length: number): Uint8Array {
    this.need(length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/** RFC 2579 DateAndTime. */
function dateOf(bytes: Uint8Array): Date {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sign = bytes[8] === 0x2d ? -1 : 1;
  const offsetMinutes = sign * ((bytes[9] ?? 0) * 60 + (bytes[10] ?? 0));
  const local = Date.UTC(
    view.getUint16(0),
    (bytes[2] ?? 1) - 1,
    bytes[3] ?? 1,
    bytes[4] ?? 0,
    bytes[5] ?? 0,
    bytes[6] ?? 0,
    (bytes[7] ?? 0) * 100,
  );
  return new Date(local - offsetMinutes * 60_000);
}

/** The text of a value with a language; some makers leave the inner lengths out. */
function textWithLanguage(bytes: Uint8Array): string {
  if (bytes.length >= 4) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const language = view.getUint16(0);
    if (language + 4 <= bytes.length) {
      const length = view.getUint16(2 + language);
      if (4 + language + length <= bytes.length)
        return decodeText(bytes.subarray(4 + language, 4 + language + length));
    }
  }
  return decodeText(bytes);
}

function simpleValue(tag: number, bytes: Uint8Array): IppValue {
  // Below 0x20 are the out-of-band values: unsupported, unknown, no-value.
  if (tag < 0x20) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (tag) {
    case TAG.integer:
    case TAG.enum:
    case 0x20:
      // Lengths of 1 and 2 violate the RFC but occur in the field.
      if (bytes.length >= 4) return view.getInt32(bytes.length - 4);
      if (bytes.length === 2) return view.getInt16(0);
      return bytes.length === 1 ? view.getInt8(0) : null;
    case TAG.boolean:
      return bytes.length > 0 && bytes[bytes.length - 1] !== 0;
    case TAG.dateTime:
      return bytes.length >= 8 ? dateOf(bytes) : null;
    case TAG.range:
      return bytes.length >= 8 ? { from: view.getInt32(0), to: view.getInt32(4) } : null;
    case TAG.resolution:
      return bytes.length >= 8
        ? `${view.getInt32(0)}x${view.getInt32(4)}${bytes[8] === 4 ? 'dpcm' : 'dpi'}`
        : null;
    case TAG.textWithLanguage:
    case TAG.nameWithLanguage:
      return textWithLanguage(bytes);
    case TAG.octetString:
      return Uint8Array.from(bytes);
    default:
      // Texts, names, keywords, and unknown tags, whose bytes are treated as text.
      return decodeText(bytes);
  }
}

/** Members of a collection up to its end, after its begin was read. */
function readCollection(cursor: Cursor, depth: number): IppCollection {
  if (depth > DEPTH_MAX) throw new Cut();
  const collection: IppCollection = new Map();
  let member = '';
  for (;;) {
    const tag = cursor.byte();
    cursor.take(cursor.short()); // Names are empty inside a collection.
    const bytes = cursor.take(cursor.short());
    if (tag === TAG.endCollection) return collection;
    if (tag === TAG.memberName) {
      member = decodeText(bytes);
      if (!collection.has(member)) collection.set(member, []);
    } else {
      const value = tag === TAG.beginCollection ? readCollection(cursor, depth + 1) : simpleValue(tag, bytes);
      const values = collection.get(member) ?? [];
      values.push(value);
      collection.set(member, values);
    }
  }
}

/**
 * Decodes a response into attributes. Groups are merged: the first value of an attribute wins. Doesn't throw for a
 * truncated message; `cut` reports it.
 * @throws Error when it is not IPP at all
 */
export function decodeResponse(bytes: Uint8Array): IppAnswer {
  const answer = new IppAnswer();
  if (bytes.length < 8 || (bytes[0] ?? 0) < 1 || (bytes[0] ?? 0) > 3)
    throw new Error('the answer is not IPP');
  const cursor = new Cursor(bytes);
  cursor.short();
  answer.status = cursor.short();
  cursor.long();
  try {
    let name = '';
    let keep = true;
    let stray = false;
    for (;;) {
      const tag = cursor.byte();
      if (tag === TAG.end) return answer;
      if (tag < 0x10) {
        name = '';
        continue; // The next group begins.
      }
      const own = cursor.short();
      // Members and ends of a collection that never began are not values of the preceding attribute.
      if (own > 0) stray = false;
      else if (tag === TAG.memberName || tag === TAG.endCollection) stray = true;
      if (own > 0) {
        name = decodeText(cursor.take(own));
        // Operation attributes (charset, status-message) come first; a later group never overwrites them.
        keep = !answer.attributes.has(name);
        if (answer.attributes.size >= DRIVER_LIMITS.ippAttributesMax) throw new Cut();
        if (keep) answer.attributes.set(name, []);
      }
      const value = cursor.take(cursor.short());
      const decoded = tag === TAG.beginCollection ? readCollection(cursor, 1) : simpleValue(tag, value);
      const values = keep && !stray ? answer.attributes.get(name) : undefined;
      if (values && values.length < DRIVER_LIMITS.ippValuesMax) values.push(decoded);
    }
  } catch (error) {
    if (!(error instanceof Cut)) throw error;
    answer.cut = true;
    return answer;
  }
}
