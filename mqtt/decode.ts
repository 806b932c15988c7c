/**
 * A strict decoder: what MQTT 3.1.1 forbids throws a ProtocolError that cites the statement. It buffers at most one
 * incomplete packet, and checks the length against the limit before it buffers the body.
 */
import { isUtf8 } from 'node:buffer';
import type { QoS } from './packet.ts';
import {
  type AckPacket,
  type ConnectPacket,
  type Packet,
  ProtocolError,
  type PublishPacket,
  TYPE,
  type Will,
} from './packet.ts';

export interface DecodeLimits {
  packetBytesMax: number;
  topicBytesMax: number;
  topicLevelsMax: number;
}

const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;
const EMPTY = Buffer.alloc(0);
const ACKS: AckPacket['cmd'][] = ['puback', 'pubrec', 'pubrel', 'pubcomp'];
/** Required low bits of the first byte, by type (table 2.2). -1: a client doesn't send it, or PUBLISH (3). */
const FLAGS = [-1, 0, -1, 0, 0, 0, 2, 0, 2, -1, 2, -1, 0, -1, 0, -1];

/** C1 control characters and noncharacters of Unicode. */
const NOT_TEXT = /[\u0080-\u009f]|\p{Noncharacter_Code_Point}/u;

/** Splits a stream of chunks into packets. */
export class Decoder {
  /** Replaced when CONNECT is accepted. */
  limits: DecodeLimits;
  /** Protocol level of the client. Level 3 (MQTT 3.1) may set DUP in SUBSCRIBE, UNSUBSCRIBE and PUBREL. */
  level = 4;
  #buffer: Buffer = EMPTY;
  #position = 0;
  /** Whether the buffer belongs to the decoder, and is no chunk whose memory may be reused. */
  #own = false;
  /** The beginning of an incomplete packet. One buffer, so that a peer that sends byte by byte costs no object a byte. */
  #part: Buffer | undefined;
  #partBytes = 0;
  /** The full length of that packet. */
  #wanted = 0;
  /** The last topic that passed the checks: most clients publish to one topic. */
  #topic = '';

  constructor(limits: DecodeLimits) {
    this.limits = limits;
  }

  /** Bytes in the buffer. */
  get held(): number {
    return this.#buffer.length - this.#position + this.#partBytes;
  }

  /** Adds a chunk. Its memory may be reused after `keep`. */
  push(chunk: Buffer): void {
    if (this.#part) {
      this.#collect(chunk);
      if (this.#partBytes < this.#wanted) return;
      this.#buffer = this.#part.subarray(0, this.#partBytes);
      this.#own = true;
      this.#position = 0;
      this.#part = undefined;
      this.#partBytes = 0;
    } else if (this.#position < this.#buffer.length) {
      this.#buffer = Buffer.concat([this.#buffer.subarray(this.#position), chunk]);
      this.#own = true;
      this.#position = 0;
    } else {
      this.#buffer = chunk;
      this.#own = false;
      this.#position = 0;
    }
  }

  /** Copies the unread rest of the last chunk. */
  keep(): void {
    if (this.#own || this.#position >= this.#buffer.length) return;
    this.#buffer = Buffer.from(this.#buffer.subarray(this.#position));
    this.#own = true;
    this.#position = 0;
  }

  /** Appends to the incomplete packet. The buffer grows to at most twice what arrived. */
  #collect(bytes: Buffer): void {
    const length = this.#partBytes + bytes.length;
    if (!this.#part || length > this.#part.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, Math.min(this.#wanted, 2 * length)));
      this.#part?.copy(grown, 0, 0, this.#partBytes);
      this.#part = grown;
    }
    bytes.copy(this.#part, this.#partBytes);
    this.#partBytes = length;
  }

  /** The next complete packet, or undefined when more bytes are needed. */
  next(): Packet | undefined {
    if (this.#part) return undefined;
    const buffer = this.#buffer;
    const start = this.#position;
    const available = buffer.length - start;
    if (available < 2) {
      if (available === 0) this.#buffer = EMPTY;
      if (available === 0) this.#position = 0;
      return undefined;
    }
    const first = buffer[start] as number;
    checkFirstByte(first, this.level);
    // 2.2.3: at most four bytes of remaining length, least significant first.
    let length = 0;
    let headerEnd = start + 1;
    for (let shift = 0; ; shift += 7) {
      if (shift > 21) throw new ProtocolError('Remaining length takes more than four bytes (2.2.3)');
      if (headerEnd >= buffer.length) return undefined;
      const byte = buffer[headerEnd++] as number;
      length += (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const total = headerEnd - start + length;
    if (total > this.limits.packetBytesMax) {
      throw new ProtocolError(`A packet of ${total} bytes exceeds the limit`, 'packet-too-large');
    }
    if (total > available) {
      this.#wanted = total;
      this.#collect(buffer.subarray(start));
      this.#buffer = EMPTY;
      this.#position = 0;
      return undefined;
    }
    const end = start + total;
    this.#position = end;
    const packet =
      first >> 4 === TYPE.publish
        ? this.#publish(first, new Reader(buffer, headerEnd, end))
        : decodeBody(first, buffer, headerEnd, end, this.limits);
    if (this.#position >= buffer.length) {
      this.#buffer = EMPTY;
      this.#position = 0;
    }
    return packet;
  }

  #publish(first: number, reader: Reader): PublishPacket {
    const qos = ((first >> 1) & 3) as QoS;
    if (!reader.skip(this.#topic)) {
      const topic = reader.string();
      checkTopic(topic, this.limits);
      this.#topic = topic;
    }
    const messageId = qos > 0 ? reader.id() : 0;
    const payload = reader.buffer.subarray(reader.position, reader.end);
    return {
      cmd: 'publish',
      topic: this.#topic,
      // A large payload may stay in the buffer that was made for it. A small one would retain a chunk that others share.
      payload: this.#own && payload.length * 2 >= reader.buffer.length ? payload : Buffer.from(payload),
      qos,
      retain: (first & 1) === 1,
      dup: (first & 8) === 8,
      messageId,
    };
  }
}

const DUP = 0x08;

function checkFirstByte(first: number, level: number): void {
  const type = first >> 4;
  if (type === TYPE.publish) {
    if ((first & 6) === 6) throw new ProtocolError('QoS 3 in PUBLISH [MQTT-3.3.1-4]');
    if ((first & 0x0e) === 0x08) throw new ProtocolError('DUP with QoS 0 [MQTT-3.3.1-2]');
    return;
  }
  const flags = FLAGS[type] as number;
  if (flags < 0) throw new ProtocolError(`A client doesn't send packets of type ${type} (2.2.1)`);
  const given = first & 0x0f;
  // MQTT 3.1, 2.1: the three packets with QoS 1 may have DUP.
  if (level === 3 && flags === 2 && given === (flags | DUP)) return;
  if (given !== flags) throw new ProtocolError('Wrong fixed header flags [MQTT-2.2.2-2]');
}

/** Reads the fields of one body. */
class Reader {
  readonly buffer: Buffer;
  position: number;
  readonly end: number;

  constructor(buffer: Buffer, position: number, end: number) {
    this.buffer = buffer;
    this.position = position;
    this.end = end;
  }

  byte(): number {
    if (this.position >= this.end) throw new ProtocolError('The packet ends early');
    return this.buffer[this.position++] as number;
  }

  uint16(): number {
    const at = this.position;
    if (at + 2 > this.end) throw new ProtocolError('The packet ends early');
    this.position = at + 2;
    return ((this.buffer[at] as number) << 8) | (this.buffer[at + 1] as number);
  }

  id(): number {
    const id = this.uint16();
    if (id === 0) throw new ProtocolError('Packet identifier 0 [MQTT-2.3.1-1]');
    return id;
  }

  binary(): Buffer {
    const length = this.uint16();
    const at = this.position;
    if (at + length > this.end) throw new ProtocolError('The packet ends early');
    this.position = at + length;
    return this.buffer.subarray(at, at + length);
  }

  /**
   * A UTF-8 string: well formed, so no surrogates [MQTT-1.5.3-1], and without U+0000 [MQTT-1.5.3-2]. Control
   * characters and code points that are no characters may be refused (1.5.3), and are, as mosquitto does.
   */
  string(): string {
    const length = this.uint16();
    const at = this.position;
    const end = at + length;
    if (end > this.end) throw new ProtocolError('The packet ends early');
    this.position = end;
    let ascii = true;
    for (let index = at; index < end; index++) {
      const byte = this.buffer[index] as number;
      if (byte < 0x20 || byte === 0x7f)
        throw new ProtocolError('A control character in a string [MQTT-1.5.3-2]');
      if (byte > 0x7f) ascii = false;
    }
    if (ascii) return this.buffer.toString('latin1', at, end);
    if (!isUtf8(this.buffer.subarray(at, end))) throw new ProtocolError('Ill-formed UTF-8 [MQTT-1.5.3-1]');
    const text = this.buffer.toString('utf8', at, end);
    if (NOT_TEXT.test(text)) throw new ProtocolError('A code point that is no character in a string (1.5.3)');
    return text;
  }

  /** Skips the string if it equals `known` and is ASCII. */
  skip(known: string): boolean {
    const { buffer, position, end } = this;
    const { length } = known;
    const at = position + 2;
    if (length === 0 || at + length > end) return false;
    if ((((buffer[position] as number) << 8) | (buffer[position + 1] as number)) !== length) return false;
    // From the end, where topics of one client differ.
    for (let index = length - 1; index >= 0; index--) {
      const code = known.charCodeAt(index);
      if (code !== buffer[at + index] || code > 0x7f) return false;
    }
    this.position = at + length;
    return true;
  }

  finish(): void {
    if (this.position !== this.end) throw new ProtocolError('Bytes after the last field of the packet');
  }
}

function decodeBody(first: number, buffer: Buffer, start: number, end: number, limits: DecodeLimits): Packet {
  const reader = new Reader(buffer, start, end);
  const type = first >> 4;
  switch (type) {
    case TYPE.puback:
    case TYPE.pubrec:
    case TYPE.pubrel:
    case TYPE.pubcomp: {
      const messageId = reader.id();
      reader.finish();
      return { cmd: ACKS[type - TYPE.puback] as AckPacket['cmd'], messageId };
    }
    case TYPE.subscribe:
      return decodeSubscribe(reader, limits);
    case TYPE.unsubscribe: {
      const messageId = reader.id();
      const unsubscriptions: string[] = [];
      while (reader.position < end) unsubscriptions.push(filterOf(reader, limits));
      if (unsubscriptions.length === 0)
        throw new ProtocolError('UNSUBSCRIBE without a filter [MQTT-3.10.3-2]');
      return { cmd: 'unsubscribe', messageId, unsubscriptions };
    }
    case TYPE.connect:
      return decodeConnect(reader, limits);
    default:
      reader.finish();
      return { cmd: type === TYPE.pingreq ? 'pingreq' : 'disconnect' };
  }
}

function decodeSubscribe(reader: Reader, limits: DecodeLimits): Packet {
  const messageId = reader.id();
  const subscriptions: { topic: string; qos: QoS }[] = [];
  while (reader.position < reader.end) {
    const topic = filterOf(reader, limits);
    const qos = reader.byte();
    if (qos > 2) throw new ProtocolError('Reserved bits or QoS 3 in SUBSCRIBE [MQTT-3.8.3-4]');
    subscriptions.push({ topic, qos: qos as QoS });
  }
  if (subscriptions.length === 0) throw new ProtocolError('SUBSCRIBE without a filter [MQTT-3.8.3-3]');
  return { cmd: 'subscribe', messageId, subscriptions };
}

function filterOf(reader: Reader, limits: DecodeLimits): string {
  const filter = reader.string();
  checkFilter(filter, limits);
  return filter;
}

function decodeConnect(reader: Reader, limits: DecodeLimits): ConnectPacket {
  const name = reader.string();
  if (name !== 'MQTT' && name !== 'MQIsdp') throw new ProtocolError('Not MQTT [MQTT-3.1.2-1]');
  const level = reader.byte();
  const packet: ConnectPacket = {
    cmd: 'connect',
    supported: level === (name === 'MQTT' ? 4 : 3),
    protocolId: name,
    protocolVersion: level,
    clean: true,
    keepalive: 0,
    clientId: '',
    will: undefined,
    username: undefined,
    password: undefined,
  };
  // Another version has other fields, so nothing after the level is read [MQTT-3.1.2-2].
  if (!packet.supported) return packet;
  const flags = reader.byte();
  const willQos = (flags >> 3) & 3;
  const hasWill = (flags & 4) === 4;
  if (flags & 1) throw new ProtocolError('Reserved CONNECT flag [MQTT-3.1.2-3]');
  if (!hasWill && willQos !== 0) throw new ProtocolError('Will QoS without a will [MQTT-3.1.2-13]');
  if (willQos === 3) throw new ProtocolError('Will QoS 3 [MQTT-3.1.2-14]');
  if (!hasWill && flags & 32) throw new ProtocolError('Will retain without a will [MQTT-3.1.2-15]');
  if (!(flags & 128) && flags & 64 && level === 4) {
    throw new ProtocolError('Password without a user name [MQTT-3.1.2-22]');
  }
  packet.clean = (flags & 2) === 2;
  packet.keepalive = reader.uint16();
  packet.clientId = reader.string();
  if (hasWill) {
    const topic = reader.string();
    checkTopic(topic, limits);
    const payload = Buffer.from(reader.binary());
    packet.will = { topic, payload, qos: willQos as QoS, retain: (flags & 32) === 32 } satisfies Will;
  }
  if (flags & 128) packet.username = reader.string();
  if (flags & 64) packet.password = Buffer.from(reader.binary());
  reader.finish();
  return packet;
}

/** @throws ProtocolError unless `topic` is a valid topic name (4.7) */
export function checkTopic(topic: string, limits: DecodeLimits): void {
  if (topic.length === 0) throw new ProtocolError('An empty topic [MQTT-4.7.3-1]');
  let levels = 1;
  for (let index = 0; index < topic.length; index++) {
    const code = topic.charCodeAt(index);
    if (code === SLASH) levels++;
    else if (code === PLUS || code === HASH) throw new ProtocolError('A wildcard in a topic [MQTT-3.3.2-2]');
  }
  checkSize(topic, levels, limits);
}

/** @throws ProtocolError unless `filter` is valid: wildcards fill a level, `#` only the last (4.7.1) */
export function checkFilter(filter: string, limits: DecodeLimits): void {
  if (filter.length === 0) throw new ProtocolError('An empty filter [MQTT-4.7.3-1]');
  let levels = 1;
  const last = filter.length - 1;
  for (let index = 0; index <= last; index++) {
    const code = filter.charCodeAt(index);
    if (code === SLASH) levels++;
    else if (code === HASH) {
      if (index !== last || (index > 0 && filter.charCodeAt(index - 1) !== SLASH)) {
        throw new ProtocolError('# must be the last level, alone [MQTT-4.7.1-2]');
      }
    } else if (code === PLUS) {
      const before = index === 0 || filter.charCodeAt(index - 1) === SLASH;
      const after = index === last || filter.charCodeAt(index + 1) === SLASH;
      if (!before || !after) throw new ProtocolError('+ must be a whole level [MQTT-4.7.1-3]');
    }
  }
  checkSize(filter, levels, limits);
}

function checkSize(text: string, levels: number, limits: DecodeLimits): void {
  if (levels > limits.topicLevelsMax) {
    throw new ProtocolError(`${levels} topic levels exceed the limit`, 'topic-too-deep');
  }
  // A UTF-16 unit takes at most three bytes, so only a text that could be too long is measured.
  if (text.length * 3 > limits.topicBytesMax && Buffer.byteLength(text) > limits.topicBytesMax) {
    throw new ProtocolError('The topic is longer than the limit', 'topic-too-long');
  }
}
