/**
 * A subscriber that acknowledges a message only when it was handled, with many messages under way at once.
 *
 * mqtt.js handles one message per connection at a time when the acknowledgement is delayed, and several connections
 * would break the order of one printer's messages (online, then offline). So the center receives with a small client
 * of its own on top of mqtt-packet: one connection that uses the broker's whole in-flight window, in order. Messages
 * not acknowledged when the connection or this process ends come again, because the session at the broker persists
 * [MQTT-4.4.0-1].
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import mqttPacket, { type IConnackPacket, type IPublishPacket, type Packet } from 'mqtt-packet';
import { reasonOf } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { LinkHandler } from './link.ts';

/** Address and credentials for the broker. */
export interface BrokerAddress {
  host: string;
  port: number;
  tls: boolean;
  username: string | undefined;
  password: string | undefined;
}

export interface ReceiverLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface ReceiverOptions {
  address: BrokerAddress;
  clientId: string;
  /** True: the broker keeps the session and its queue while this client is away. */
  persistent: boolean;
  filters: string[];
  qos: 0 | 1;
  handler: LinkHandler;
  log: ReceiverLog;
}

const CONNECT_MS_MAX = 10_000;
const KEEPALIVE_S = 30;
const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5_000;
const CONNACK_REASONS = [
  'accepted',
  'protocol version refused',
  'client id refused',
  'server unavailable',
  'wrong user name or password',
  'not authorised',
];

/** Reads `mqtt://user:password@host:port` or `mqtts://…`. */
export function parseBrokerAddress(text: string): BrokerAddress {
  const url = new URL(text);
  const tls = url.protocol === 'mqtts:';
  if (!tls && url.protocol !== 'mqtt:')
    throw new Error('an address beginning with mqtt:// or mqtts:// is expected');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (tls ? 8883 : 1883) : Number(url.port),
    tls,
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
  };
}

export class MqttReceiver {
  readonly #options: ReceiverOptions;
  readonly #underWay = new Set<Promise<void>>();
  #socket: Socket | undefined;
  #stopped = false;
  #reconnect_ms = RECONNECT_MS_MIN;
  #timer: NodeJS.Timeout | undefined;
  #pinging: NodeJS.Timeout | undefined;
  #subscribed = false;
  #firstTry: { resolve(): void; reject(error: Error): void } | undefined;
  #lastHeard_ms = 0;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Whether it is receiving. */
  get connected(): boolean {
    return this.#subscribed;
  }

  /** Time of the last packet, in milliseconds since the epoch. */
  get lastHeard_ms(): number {
    return this.#lastHeard_ms;
  }

  /** Connects and subscribes. Rejects when the first attempt fails; later losses are repaired automatically. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#firstTry = { resolve, reject };
      this.#connect();
    });
  }

  /** Stops receiving, waits for messages under way and acknowledges them, then disconnects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#pinging);
    const socket = this.#socket;
    socket?.pause();
    await Promise.allSettled(this.#underWay);
    if (!socket || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.end(mqttPacket.generate({ cmd: 'disconnect' }));
      socket.resume();
      setTimeout(() => socket.destroy(), 1_000).unref();
    });
  }

  #connect(): void {
    const { host, port, tls, username, password } = this.#options.address;
    const socket: Socket = tls ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
    this.#socket = socket;
    let ended = false;
    const end = (reason: string) => {
      if (ended) return;
      ended = true;
      socket.destroy();
      this.#lost(reason);
    };
    const patience = setTimeout(() => end('the broker does not answer'), CONNECT_MS_MAX);
    socket.once('close', () => clearTimeout(patience));
    socket.setNoDelay(true);
    const parser = mqttPacket.parser({ protocolVersion: 4 });
    parser.on('packet', (packet) => {
      try {
        if (this.#socket === socket && !ended) this.#take(packet, socket, patience, end);
      } catch (error) {
        end(reasonOf(error));
      }
    });
    parser.on('error', (error) => end(reasonOf(error)));
    socket.on('data', (chunk: Buffer) => {
      this.#lastHeard_ms = Date.now();
      parser.parse(chunk);
    });
    socket.on('error', (error) => end(reasonOf(error)));
    socket.on('close', () => end('the connection was closed'));
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      socket.write(
        mqttPacket.generate({
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: 4,
          clientId: this.#options.clientId,
          clean: !this.#options.persistent,
          keepalive: KEEPALIVE_S,
          ...(username === undefined ? {} : { username }),
          ...(password === undefined ? {} : { password: Buffer.from(password) }),
        }),
      );
    });
  }

  #take(packet: Packet, socket: Socket, patience: NodeJS.Timeout, end: (reason: string) => void): void {
    switch (packet.cmd) {
      case 'connack':
        this.#connacked(packet, socket, end);
        return;
      case 'suback': {
        clearTimeout(patience);
        const refused = packet.granted.indexOf(0x80);
        if (refused >= 0) {
          end(`the broker refuses the subscription to ${this.#options.filters[refused]}`);
          return;
        }
        this.#subscribed = true;
        this.#reconnect_ms = RECONNECT_MS_MIN;
        this.#firstTry?.resolve();
        this.#firstTry = undefined;
        return;
      }
      case 'publish':
        this.#published(packet, socket, end);
        return;
      default:
        return;
    }
  }

  #connacked(packet: IConnackPacket, socket: Socket, end: (reason: string) => void): void {
    if (packet.returnCode !== 0) {
      end(
        `the broker refuses the connection: ${CONNACK_REASONS[packet.returnCode ?? 3] ?? packet.returnCode}`,
      );
      return;
    }
    const { filters, qos } = this.#options;
    socket.write(
      mqttPacket.generate({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: filters.map((topic) => ({ topic, qos })),
      }),
    );
    clearInterval(this.#pinging);
    this.#pinging = setInterval(() => {
      if (Date.now() - this.#lastHeard_ms > KEEPALIVE_S * 1_500) end('the broker sends nothing');
      else socket.write(mqttPacket.generate({ cmd: 'pingreq' }));
    }, KEEPALIVE_S * 500);
  }

  #published(packet: IPublishPacket, socket: Socket, end: (reason: string) => void): void {
    if (this.#stopped) return;
    const handled = this.#options.handler({
      topic: packet.topic,
      payload: packet.payload as Buffer,
      replayed: packet.retain,
    });
    const work = Promise.resolve(handled)
      .then(
        () => {
          if (packet.qos > 0 && packet.messageId !== undefined && !socket.destroyed) {
            socket.write(mqttPacket.generate({ cmd: 'puback', messageId: packet.messageId }));
          }
        },
        // Not acknowledged; brokers repeat a message only on a new connection.
        (error: unknown) => end(`cannot store a message: ${reasonOf(error)}`),
      )
      .finally(() => {
        this.#underWay.delete(work);
        if (
          socket.isPaused() &&
          !this.#stopped &&
          this.#underWay.size < CENTER_LIMITS.link_under_way_max / 2
        ) {
          socket.resume();
        }
      });
    this.#underWay.add(work);
    if (this.#underWay.size >= CENTER_LIMITS.link_under_way_max) socket.pause();
  }

  #lost(reason: string): void {
    this.#subscribed = false;
    clearInterval(this.#pinging);
    if (this.#stopped) return;
    if (this.#firstTry) {
      this.#stopped = true;
      this.#firstTry.reject(new Error(reason));
      this.#firstTry = undefined;
      return;
    }
    this.#options.log.warn({ reason }, 'lost the broker; connecting again');
    this.#timer = setTimeout(() => this.#connect(), this.#reconnect_ms);
    this.#reconnect_ms = Math.min(this.#reconnect_ms * 2, RECONNECT_MS_MAX);
  }
}
