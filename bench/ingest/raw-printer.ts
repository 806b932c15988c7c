/**
 * A printer reduced to its socket: packets encoded beforehand, a window of unacknowledged messages, acknowledgements
 * counted. It uses so little CPU that the other side dominates the measurement.
 */
import { connect, type Socket } from 'node:net';
import mqttPacket from 'mqtt-packet';
import { printerTopic } from '../../schemas/topics.ts';

export interface RawPrinterOptions {
  host: string;
  port: number;
  id: string;
  /** Undefined: no user name either. */
  password: string | undefined;
  /** Filters to subscribe to with QoS 1; deliveries are acknowledged and discarded. */
  filters: string[];
  /** Messages sent but not yet acknowledged. */
  window: number;
  /** Called for every PUBACK with the index of its message. */
  onAcknowledged?(index: number): void;
}

const PACKET_IDS = 65_535;

/** A PUBLISH with QoS 1; `setId` sets its packet id. */
export function encodePublish(topic: string, payload: string | Buffer, retain = false): Buffer {
  return mqttPacket.generate({
    cmd: 'publish',
    topic,
    payload,
    qos: 1,
    messageId: 1,
    retain,
    dup: false,
  });
}

/**
 * A batch of `count` entries in wire format, starting at `from`, one per second.
 * @param zero_ms time of the entry before the first, ms since the epoch
 */
export function encodeEntries(
  printer: string,
  log: string,
  from: number,
  count: number,
  zero_ms = 1_795_000_000_000,
): Buffer {
  const entries = Array.from({ length: count }, (_, offset) => ({
    seq: from + offset,
    at: new Date(zero_ms + (from + offset) * 1_000).toISOString(),
    code: `J-72${String((from + offset) % 40).padStart(2, '0')}`,
    severity: (from + offset) % 10 === 0 ? 'error' : 'info',
    unit: 'finisher.1',
    pages: 100_000 + (from + offset) * 7,
  }));
  const payload = JSON.stringify({ log, first: 1, reason: count === 1 ? 'event' : 'accumulated', entries });
  return encodePublish(printerTopic.errors(printer), payload);
}

function idOffset(packet: Buffer): number {
  let at = 1;
  while ((packet[at] as number) & 0x80) at += 1;
  at += 1;
  return at + 2 + packet.readUInt16BE(at);
}

export class RawPrinter {
  readonly #options: RawPrinterOptions;
  readonly #socket: Socket;
  #rest: Buffer | undefined;
  #messages: Buffer[] = [];
  #sent = 0;
  #acknowledged = 0;
  #base = 0;
  #done: (() => void) | undefined;
  #failed: ((error: Error) => void) | undefined;
  #waiting = new Map<number, () => void>();

  private constructor(options: RawPrinterOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#failed?.(error));
    socket.on('close', () => this.#failed?.(new Error(`${options.id}: the connection was closed`)));
  }

  /** Number of acknowledged messages. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  static async connect(options: RawPrinterOptions): Promise<RawPrinter> {
    const socket = connect(options.port, options.host);
    const printer = new RawPrinter(options, socket);
    const { id, password, filters } = options;
    await new Promise<void>((resolve, reject) => {
      printer.#failed = reject;
      printer.#waiting.set(filters.length > 0 ? 0x90 : 0x20, resolve);
      socket.once('connect', () => {
        socket.write(
          mqttPacket.generate({
            cmd: 'connect',
            protocolId: 'MQTT',
            protocolVersion: 4,
            clientId: id,
            clean: true,
            keepalive: 0,
            ...(password === undefined ? {} : { username: id, password: Buffer.from(password) }),
          }),
        );
        if (filters.length > 0) {
          const subscriptions = filters.map((topic) => ({ topic, qos: 1 as const }));
          socket.write(mqttPacket.generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
        }
      });
    });
    return printer;
  }

  /** Sends messages in order; resolves when all are acknowledged, rejects when the connection ends before. */
  send(messages: Buffer[]): Promise<void> {
    this.#base += this.#messages.length;
    this.#messages = messages;
    this.#sent = 0;
    this.#acknowledged = 0;
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#fill();
    });
  }

  #fill(): void {
    const { window } = this.#options;
    if (this.#sent >= this.#messages.length || this.#sent - this.#acknowledged >= window) return;
    this.#socket.cork();
    while (this.#sent < this.#messages.length && this.#sent - this.#acknowledged < window) {
      const message = this.#messages[this.#sent] as Buffer;
      message.writeUInt16BE((this.#sent % PACKET_IDS) + 1, idOffset(message));
      this.#socket.write(message);
      this.#sent += 1;
    }
    this.#socket.uncork();
  }

  #read(chunk: Buffer): void {
    let data = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    for (;;) {
      let length = 0;
      let shift = 0;
      let header = at + 1;
      let byte: number | undefined;
      do {
        byte = data[header];
        if (byte === undefined) break;
        length += (byte & 0x7f) << shift;
        shift += 7;
        header += 1;
      } while (byte & 0x80);
      if (byte === undefined || data.length < header + length) break;
      this.#take(data[at] as number, data.subarray(header, header + length));
      at = header + length;
    }
    data = data.subarray(at);
    this.#rest = data.length > 0 ? data : undefined;
    this.#fill();
    if (this.#messages.length > 0 && this.#acknowledged === this.#messages.length) this.#done?.();
  }

  #take(first: number, body: Buffer): void {
    const type = first & 0xf0;
    if (type === 0x40) {
      const id = body.readUInt16BE(0);
      this.#acknowledged += 1;
      this.#options.onAcknowledged?.(this.#base + id - 1);
    } else if (type === 0x30 && (first & 0x06) !== 0) {
      const at = 2 + body.readUInt16BE(0);
      this.#socket.write(Buffer.from([0x40, 2, body[at] as number, body[at + 1] as number]));
    } else if (type === 0x20 && body[1] !== 0) {
      this.#failed?.(new Error(`${this.#options.id}: the connection was refused with ${body[1]}`));
    } else {
      this.#waiting.get(type)?.();
    }
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }
}
