/** Encodes the packets that a server sends. */
import type { QoS } from './packet.ts';
import { CONNACK, TYPE } from './packet.ts';

/** The CONNACK of nearly every client. Shared, so never modify it. */
const ACCEPTED = Buffer.from([TYPE.connack << 4, 2, 0, CONNACK.accepted]);

/** PINGRESP (3.13). */
export const PINGRESP = Buffer.from([TYPE.pingresp << 4, 0]);

/** CONNACK (3.2). */
export function connack(code: number, sessionPresent: boolean): Buffer {
  if (code === CONNACK.accepted && !sessionPresent) return ACCEPTED;
  return Buffer.from([TYPE.connack << 4, 2, sessionPresent ? 1 : 0, code]);
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK: four bytes, two of them the identifier. */
export function acknowledgement(type: 4 | 5 | 6 | 7 | 11, id: number): Buffer {
  const buffer = Buffer.allocUnsafe(4);
  writeAcknowledgement(buffer, 0, type, id);
  return buffer;
}

/** Writes the same into `buffer`, from `at` on. */
export function writeAcknowledgement(buffer: Buffer, at: number, type: 4 | 5 | 6 | 7 | 11, id: number): void {
  buffer[at] = (type << 4) | (type === TYPE.pubrel ? 2 : 0);
  buffer[at + 1] = 2;
  buffer[at + 2] = id >> 8;
  buffer[at + 3] = id & 0xff;
}

/** SUBACK (3.9): one return code for each filter, in order. */
export function suback(id: number, codes: number[]): Buffer {
  const buffer = Buffer.allocUnsafe(1 + lengthBytes(2 + codes.length) + 2 + codes.length);
  buffer[0] = TYPE.suback << 4;
  let at = writeLength(buffer, 1, 2 + codes.length);
  buffer[at++] = id >> 8;
  buffer[at++] = id & 0xff;
  for (const code of codes) buffer[at++] = code;
  return buffer;
}

/** PUBLISH (3.3). `id` is ignored with QoS 0. */
export function publish(
  topic: string,
  payload: Buffer,
  qos: QoS,
  retain: boolean,
  dup: boolean,
  id: number,
): Buffer {
  const topicBytes = Buffer.byteLength(topic);
  const length = 2 + topicBytes + (qos > 0 ? 2 : 0) + payload.length;
  const buffer = Buffer.allocUnsafe(1 + lengthBytes(length) + length);
  buffer[0] = (TYPE.publish << 4) | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0);
  let at = writeLength(buffer, 1, length);
  buffer[at++] = topicBytes >> 8;
  buffer[at++] = topicBytes & 0xff;
  if (topicBytes === topic.length) buffer.write(topic, at, 'latin1');
  else buffer.write(topic, at, 'utf8');
  at += topicBytes;
  if (qos > 0) {
    buffer[at++] = id >> 8;
    buffer[at++] = id & 0xff;
  }
  payload.copy(buffer, at);
  return buffer;
}

function lengthBytes(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : 4;
}

function writeLength(buffer: Buffer, at: number, length: number): number {
  let rest = length;
  let position = at;
  while (rest >= 0x80) {
    buffer[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buffer[position++] = rest;
  return position;
}
