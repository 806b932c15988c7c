/**
 * A load client on raw sockets that does as little work as possible, because the generator shares the machine with what
 * it measures. Packets are built once; incoming packets are split but not parsed.
 */
import { connect, type Socket } from 'node:net';

/** An incoming packet: its first byte and where its body lies. Valid only during the call. */
export type OnPacket = (first: number, chunk: Buffer, start: number, end: number) => void;

function remainingLength(length: number): number[] {
  const bytes: number[] = [];
  let rest = length;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return bytes;
}

function packet(first: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([first, ...remainingLength(body.length)]), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** CONNECT with a clean session and no keepalive. */
export function connectBytes(clientId: string, password?: string): Buffer {
  const credentials = password === undefined ? [] : [text(clientId), text(password)];
  const flags = 2 | (password === undefined ? 0 : 0xc0);
  return packet(
    0x10,
    Buffer.concat([text('MQTT'), Buffer.from([4, flags, 0, 0]), text(clientId), ...credentials]),
  );
}

export function subscribeBytes(filters: string[], qos: 0 | 1): Buffer {
  const parts = filters.flatMap((filter) => [text(filter), Buffer.from([qos])]);
  return packet(0x82, Buffer.concat([Buffer.from([0, 1]), ...parts]));
}

export function publishBytes(topic: string, payload: Buffer, qos: 0 | 1, retain: boolean, id = 1): Buffer {
  const idBytes = qos > 0 ? Buffer.from([id >> 8, id & 0xff]) : Buffer.alloc(0);
  return packet(0x30 | (qos << 1) | (retain ? 1 : 0), Buffer.concat([text(topic), idBytes, payload]));
}

export function pubackBytes(id: number): Buffer {
  return Buffer.from([0x40, 2, id >> 8, id & 0xff]);
}

/** One source address has about 28,000 ports, so many connections to one port need several addresses. */
const SOURCES = 8;
let source = 0;

export class LoadClient {
  readonly socket: Socket;
  onPacket: OnPacket = () => {};
  onClose: () => void = () => {};
  #held: Buffer | undefined;

  constructor(port: number) {
    source = (source + 1) % SOURCES;
    this.socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.0.${source + 1}`, noDelay: true });
    this.socket.on('data', (chunk) => this.#take(chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.onClose());
  }

  write(bytes: Buffer): boolean {
    return this.socket.write(bytes);
  }

  /** Sends CONNECT; resolves when CONNACK accepts. */
  open(clientId: string, password?: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onClose = () => reject(new Error(`${clientId}: closed before CONNACK`));
      this.onPacket = (first, chunk, start) => {
        if (first !== 0x20 || chunk[start + 1] !== 0)
          reject(new Error(`${clientId}: refused with ${chunk[start + 1]}`));
        else resolve();
      };
      this.write(connectBytes(clientId, password));
    });
  }

  /** Subscribes; resolves at SUBACK. Later packets go to the next `onPacket`. */
  subscribe(filters: string[], qos: 0 | 1): Promise<void> {
    return new Promise((resolve) => {
      this.onPacket = (first) => {
        if (first === 0x90) resolve();
      };
      this.write(subscribeBytes(filters, qos));
    });
  }

  /** Closes with a reset: tens of thousands of ports in TIME-WAIT would slow down the next run. */
  destroy(): void {
    this.onClose = () => {};
    this.socket.resetAndDestroy();
  }

  #take(incoming: Buffer): void {
    const chunk = this.#held ? Buffer.concat([this.#held, incoming]) : incoming;
    this.#held = undefined;
    let at = 0;
    while (at < chunk.length) {
      let length = 0;
      let body = at + 1;
      let complete = false;
      for (let shift = 0; body < chunk.length; shift += 7) {
        const byte = chunk[body++] as number;
        length += (byte & 0x7f) << shift;
        if (byte < 0x80) {
          complete = true;
          break;
        }
      }
      if (!complete || body + length > chunk.length) {
        this.#held = chunk.subarray(at);
        return;
      }
      this.onPacket(chunk[at] as number, chunk, body, body + length);
      at = body + length;
    }
  }
}

/** The p-quantile; sorts `values` in place. */
export function quantile(values: Float64Array, p: number): number {
  values.sort();
  return values[Math.min(values.length - 1, Math.floor(values.length * p))] ?? Number.NaN;
}
