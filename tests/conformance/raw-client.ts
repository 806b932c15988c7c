/**
 * A client that sends exactly the given bytes and exposes exactly the packets that arrive, for tests of MQTT 3.1.1 at
 * byte level. It sends no reply of its own.
 */
import { connect as connectTcp, type Socket } from 'node:net';

/** A received packet: type, flags of the first byte, body. */
export interface RawPacket {
  type: number;
  flags: number;
  body: Buffer;
}

const WAIT_MS = 30_000;
/** How long nothing may arrive for `quiet` to succeed. */
const QUIET_MS = 60;

/** A UTF-8 string or bytes, prefixed with their length. */
export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

/** A packet with its remaining length. */
export function packet(first: number, ...parts: (Buffer | number[])[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as Buffer)));
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from([first, ...length]), body]);
}

export interface ConnectOptions {
  clientId?: string | Buffer;
  clean?: boolean;
  keepalive?: number;
  /** Replaces the flags derived from the other options. */
  flags?: number;
  will?: { topic: string; payload: string; qos?: number; retain?: boolean };
  username?: string;
  password?: string;
  level?: number;
  name?: string;
}

export function connectPacket(options: ConnectOptions = {}): Buffer {
  const { clientId = '', clean = true, keepalive = 0, will, username, password } = options;
  const flags =
    options.flags ??
    (clean ? 2 : 0) |
      (will ? 4 | ((will.qos ?? 0) << 3) | (will.retain ? 32 : 0) : 0) |
      (username === undefined ? 0 : 128) |
      (password === undefined ? 0 : 64);
  return packet(
    0x10,
    text(options.name ?? 'MQTT'),
    [options.level ?? 4, flags],
    uint16(keepalive),
    text(clientId),
    ...(will ? [text(will.topic), text(will.payload)] : []),
    ...(username === undefined ? [] : [text(username)]),
    ...(password === undefined ? [] : [text(password)]),
  );
}

export function subscribePacket(id: number, ...filters: [string | Buffer, number][]): Buffer {
  return packet(0x82, uint16(id), ...filters.flatMap(([filter, qos]) => [text(filter), Buffer.from([qos])]));
}

export function unsubscribePacket(id: number, ...filters: string[]): Buffer {
  return packet(0xa2, uint16(id), ...filters.map(text));
}

export interface PublishOptions {
  qos?: number;
  id?: number;
  dup?: boolean;
  retain?: boolean;
}

export function publishPacket(topic: string | Buffer, payload: string, options: PublishOptions = {}): Buffer {
  const { qos = 0, id = 0, dup = false, retain = false } = options;
  return packet(
    0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0),
    text(topic),
    qos > 0 ? uint16(id) : [],
    Buffer.from(payload),
  );
}

/** A received PUBLISH, decoded. */
export interface Published {
  topic: string;
  payload: string;
  qos: number;
  dup: boolean;
  retain: boolean;
  id: number;
}

export function published({ type, flags, body }: RawPacket): Published {
  if (type !== 3) throw new Error(`PUBLISH expected, a packet of type ${type} came`);
  const length = body.readUInt16BE(0);
  const qos = (flags >> 1) & 3;
  const payloadAt = 2 + length + (qos > 0 ? 2 : 0);
  return {
    topic: body.toString('utf8', 2, 2 + length),
    payload: body.toString('utf8', payloadAt),
    qos,
    dup: (flags & 8) !== 0,
    retain: (flags & 1) !== 0,
    id: qos > 0 ? body.readUInt16BE(2 + length) : 0,
  };
}

export class RawClient {
  readonly #socket: Socket;
  #held = Buffer.alloc(0);
  readonly #packets: RawPacket[] = [];
  #wake = () => {};
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => {});
    const ended = () => {
      this.#closed = true;
      this.#wake();
    };
    socket.on('end', ended);
    socket.on('close', ended);
  }

  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connectTcp(port, '127.0.0.1', () => resolve(new RawClient(socket)));
      socket.once('error', reject);
    });
  }

  /** Connects and sends CONNECT; CONNACK must accept. */
  static async connected(port: number, options: ConnectOptions = {}): Promise<RawClient> {
    const client = await RawClient.open(port);
    client.send(connectPacket(options));
    const { type, body } = await client.next();
    if (type !== 2 || body[1] !== 0)
      throw new Error(`CONNACK 0 expected, ${type}:${body.toString('hex')} came`);
    return client;
  }

  send(...bytes: Buffer[]): this {
    this.#socket.write(Buffer.concat(bytes));
    return this;
  }

  /** The next packet. */
  async next(ms = WAIT_MS): Promise<RawPacket> {
    const until = Date.now() + ms;
    while (this.#packets.length === 0) {
      if (this.#closed) throw new Error('the broker closed the connection');
      if (Date.now() >= until) throw new Error('nothing came in time');
      await this.#news(until);
    }
    return this.#packets.shift() as RawPacket;
  }

  /** The next packet in hexadecimal: its first byte, then the body. */
  async nextHex(): Promise<string> {
    const { type, flags, body } = await this.next();
    return `${Buffer.from([(type << 4) | flags]).toString('hex')} ${body.toString('hex')}`.trim();
  }

  /** The next packet, which must be a PUBLISH. */
  async nextPublish(): Promise<Published> {
    return published(await this.next());
  }

  /** Resolves when the broker closes; returns the packets received before. */
  async closed(): Promise<RawPacket[]> {
    const until = Date.now() + WAIT_MS;
    while (!this.#closed) {
      if (Date.now() >= until) throw new Error('the broker did not close the connection');
      await this.#news(until);
    }
    return this.#packets.splice(0);
  }

  /** Nothing arrives, and the connection stays open. */
  async quiet(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    if (this.#closed) throw new Error('the broker closed the connection');
    const [first] = this.#packets;
    if (first) throw new Error(`nothing expected, a packet of type ${first.type} came`);
  }

  /** Subscribes and returns the codes of SUBACK. */
  async subscribe(...filters: [string | Buffer, number][]): Promise<number[]> {
    this.send(subscribePacket(0x51, ...filters));
    const { type, body } = await this.next();
    if (type !== 9) throw new Error(`SUBACK expected, a packet of type ${type} came`);
    return [...body.subarray(2)];
  }

  /** Closes with DISCONNECT. */
  async disconnect(): Promise<void> {
    this.send(packet(0xe0));
    await this.closed();
    this.#socket.destroy();
  }

  /** Closes without DISCONNECT. */
  vanish(): void {
    this.#socket.destroy();
  }

  #news(until: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, until - Date.now()));
      // Must not keep the process alive when the test has ended.
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #take(chunk: Buffer): void {
    this.#held = Buffer.concat([this.#held, chunk]);
    for (;;) {
      let length = 0;
      let at = 1;
      for (let shift = 0; ; shift += 7, at++) {
        const byte = this.#held[at];
        if (byte === undefined) return;
        length += (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      at++;
      if (this.#held.length < at + length) return;
      const first = this.#held[0] as number;
      this.#packets.push({ type: first >> 4, flags: first & 15, body: this.#held.subarray(at, at + length) });
      this.#held = this.#held.subarray(at + length);
      this.#wake();
    }
  }
}
