/** MQTT 3.1.1 packets, encoded and framed by hand, because the simulator writes hundreds of thousands a second. */
import { generate } from 'mqtt-packet';
import type { ConnectOptions } from '../agent/transport.ts';

/** First bytes of the fixed headers, with the required flags (MQTT 3.1.1, section 2.2). */
export const PACKET = {
  connack: 0x20,
  publish: 0x30,
  puback: 0x40,
  suback: 0x90,
  pingreq: 0xc0,
  pingresp: 0xd0,
  disconnect: 0xe0,
} as const;

/** Encoded topics in the cache. A printer has about ten, so this is enough for thousands of printers. */
const TOPICS_KEPT_MAX = 200_000;
const topics = new Map<string, Buffer>();

function topicBytes(topic: string): Buffer {
  let bytes = topics.get(topic);
  if (!bytes) {
    const text = Buffer.from(topic);
    bytes = Buffer.allocUnsafe(text.length + 2);
    bytes.writeUInt16BE(text.length, 0);
    text.copy(bytes, 2);
    // When the cache is full, adding more gains nothing: topics that end in an id are used only once.
    if (topics.size < TOPICS_KEPT_MAX) topics.set(topic, bytes);
  }
  return bytes;
}

/** How many bytes the remaining length takes (MQTT 3.1.1, section 2.2.3). */
function lengthBytes(length: number): number {
  if (length < 128) return 1;
  if (length < 16_384) return 2;
  return length < 2_097_152 ? 3 : 4;
}

/** A PUBLISH with QoS 1. */
export function publishPacket(topic: string, payload: string, retain: boolean, id: number): Buffer {
  const head = topicBytes(topic);
  const payloadBytes = Buffer.byteLength(payload);
  let length = head.length + 2 + payloadBytes;
  const packet = Buffer.allocUnsafe(1 + lengthBytes(length) + length);
  let at = packet.writeUInt8(PACKET.publish | 0x02 | (retain ? 1 : 0), 0);
  do {
    const digit = length % 128;
    length = Math.floor(length / 128);
    at = packet.writeUInt8(length > 0 ? digit | 0x80 : digit, at);
  } while (length > 0);
  at += head.copy(packet, at);
  at = packet.writeUInt16BE(id, at);
  packet.write(payload, at);
  return packet;
}

/** A CONNECT with a clean session and a retained will of QoS 1. */
export function connectPacket(options: ConnectOptions): Buffer {
  return generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    clientId: options.clientId,
    keepalive: options.keepalive,
    username: options.username,
    ...(options.password === undefined ? {} : { password: Buffer.from(options.password) }),
    will: { topic: options.will.topic, payload: Buffer.from(options.will.payload), qos: 1, retain: true },
  });
}

/** A SUBSCRIBE to `filters` with QoS 1. */
export function subscribePacket(filters: string[], id: number): Buffer {
  return generate({
    cmd: 'subscribe',
    messageId: id,
    subscriptions: filters.map((topic) => ({ topic, qos: 1 as const })),
  });
}

/** Splits a stream of bytes into packets. */
export class FrameReader {
  #rest: Buffer | undefined;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Adds a chunk and calls back with each complete packet: type (the upper half of the first byte), flags, body. The body
   * is a view of the chunk.
   * @throws Error when a packet is larger than the limit or its length is malformed
   */
  push(chunk: Buffer, packet: (type: number, flags: number, body: Buffer) => void): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    for (;;) {
      const frame = frameAt(bytes, at, this.#bytesMax);
      if (!frame) break;
      const first = bytes[at] ?? 0;
      at = frame.end;
      packet(first & 0xf0, first & 0x0f, bytes.subarray(frame.start, frame.end));
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : undefined;
  }
}

/** Where the body of the packet at `at` begins and ends; undefined while it is incomplete. */
function frameAt(bytes: Buffer, at: number, bytesMax: number): { start: number; end: number } | undefined {
  let length = 0;
  for (let digit = 0; digit < 4; digit++) {
    const byte = bytes[at + 1 + digit];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** digit;
    if (byte & 0x80) continue;
    if (length > bytesMax) throw new Error(`the broker sent a packet of ${length} bytes`);
    const start = at + 2 + digit;
    return start + length <= bytes.length ? { start, end: start + length } : undefined;
  }
  throw new Error('the broker sent a malformed packet length');
}
