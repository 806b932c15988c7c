/**
 * TCP and TLS listeners. A socket passes the gate first, then tells its origin (PROXY protocol, where that is
 * trusted), then shakes hands (TLS), and only then speaks MQTT.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Logger } from 'pino';
import { listenError } from '../../schemas/listen-error.ts';
import type { ConnectQueue, Waiting } from '../connection/connect-queue.ts';
import type { Origin } from '../connection/connection.ts';
import type { Stranger } from '../connection/strangers.ts';
import { readProxyHeader } from './proxy-protocol.ts';

/** Where a listener listens; port 0 takes a free one. */
export interface Endpoint {
  host: string;
  port: number;
}

export interface TlsEndpoint extends Endpoint {
  /** PEM. */
  key: string;
  cert: string;
  /** The authority that issues client certificates, PEM. Without one, clients show no certificates. */
  clientAuthority?: string;
  /** Whether a serial number (hexadecimal, lower case) was revoked; asked at every handshake. */
  isRevoked?(serial: string): boolean;
  /** The enrolment that a certificate was issued for, by its serial number. */
  enrolmentOf?(serial: string): string | undefined;
}

export interface SocketsOptions {
  log: Logger;
  connectQueue: ConnectQueue;
  now(): number;
  connectMsMax: number;
  /** Addresses whose PROXY header is heard, and which must send one. */
  trustedProxies: ReadonlySet<string>;
  /** A socket that may speak MQTT now. */
  serve(socket: Duplex, origin: Origin): void;
  turnedAway(reason: string, address: string): void;
}

/** What comes next for a socket that passed the gate. `heard` is for the origin that it is served with. */
type Ready = (socket: Socket, address: string, heard: () => void) => void;

const BACKLOG = 4_096;

/** Listens to errors of sockets that nobody else looks after yet: one function for all of them. */
function destroyIt(this: Socket): void {
  this.destroy();
}

/** An address as it is compared and told: IPv4 without its IPv6 form. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:/, '');
}

export class Sockets {
  readonly #options: SocketsOptions;
  readonly #servers: Server[] = [];
  readonly #tlsServers: TlsServer[] = [];
  /** Sockets that don't speak MQTT yet. */
  readonly #pending = new Set<Socket>();

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /** Listens for MQTT over TCP. Resolves to the URL. @throws PlatenError start/port */
  tcp(endpoint: Endpoint): Promise<string> {
    return this.#listen(endpoint, 'mqtt', 'PLATEN_MQTT_PORT', (socket, address, heard) => {
      this.#options.serve(socket, { listener: 'tcp', address, certificateName: undefined, heard });
    });
  }

  /** Listens for MQTT over TLS 1.2 or later. Resolves to the URL. @throws PlatenError start/port */
  tls(endpoint: TlsEndpoint): Promise<string> {
    const { key, cert, clientAuthority, isRevoked, enrolmentOf } = endpoint;
    const origins = new WeakMap<Socket, { address: string; heard: () => void }>();
    const server = createTlsServer({
      key,
      cert,
      minVersion: 'TLSv1.2',
      handshakeTimeout: this.#options.connectMsMax,
      // A certificate is one way to prove a name; who has none shows a password.
      ...(clientAuthority === undefined
        ? {}
        : { ca: clientAuthority, requestCert: true, rejectUnauthorized: false }),
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      const raw = (socket as unknown as { _parent?: Socket })._parent;
      const origin = raw && origins.get(raw);
      const address = origin?.address ?? plainAddress(socket.remoteAddress);
      const certificate = socket.getPeerCertificate();
      const shown = certificate && Object.keys(certificate).length > 0;
      if (shown && (!socket.authorized || isRevoked?.(certificate.serialNumber.toLowerCase()))) {
        this.#options.turnedAway(socket.authorized ? 'certificate-revoked' : 'certificate-invalid', address);
        socket.destroy();
        return;
      }
      const name = shown ? certificate.subject.CN : undefined;
      this.#options.serve(socket, {
        listener: 'tls',
        address,
        certificateName: typeof name === 'string' ? name : undefined,
        certificateEnrolment: shown ? enrolmentOf?.(certificate.serialNumber) : undefined,
        ...(origin ? { heard: origin.heard } : {}),
      });
    });
    server.on('tlsClientError', (_error, socket) => {
      this.#options.turnedAway('tls-handshake', plainAddress(socket.remoteAddress));
      socket.destroy();
    });
    this.#tlsServers.push(server);
    return this.#listen(endpoint, 'mqtts', 'PLATEN_MQTTS_PORT', (socket, address, heard) => {
      origins.set(socket, { address, heard });
      server.emit('connection', socket);
    });
  }

  /** Stops listening; connections that speak MQTT are not touched. */
  async close(): Promise<void> {
    const closing = this.#servers.map((server) => new Promise<void>((done) => server.close(() => done())));
    for (const socket of this.#pending) socket.destroy();
    for (const server of this.#tlsServers) server.close();
    await Promise.all(closing);
  }

  async #listen(endpoint: Endpoint, scheme: string, setting: string, ready: Ready): Promise<string> {
    const { host, port } = endpoint;
    const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) =>
      this.#enter(socket, ready),
    );
    server.listen({ host, port, backlog: BACKLOG });
    try {
      await once(server, 'listening');
    } catch (error) {
      throw listenError(error, { port, host, setting });
    }
    server.on('error', (error) => this.#options.log.error({ err: error }, 'a listener failed'));
    this.#servers.push(server);
    const address = server.address() as AddressInfo;
    const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return `${scheme}://${name}:${address.port}`;
  }

  #enter(socket: Socket, ready: Ready): void {
    const { connectQueue, now } = this.#options;
    connectQueue.enter(new Entrant(socket, ready, this.#pending, this.#options), now());
  }
}

/** A socket on its way to speak MQTT. One object and two listeners: in a storm there are thousands a second. */
class Entrant implements Waiting {
  /** The socket's, or the one that a trusted proxy told. */
  address: string;
  readonly #socket: Socket;
  readonly #ready: Ready;
  readonly #pending: Set<Socket>;
  readonly #options: SocketsOptions;
  #turnedAway = false;
  #stranger: Stranger | undefined;

  constructor(socket: Socket, ready: Ready, pending: Set<Socket>, options: SocketsOptions) {
    this.address = plainAddress(socket.remoteAddress);
    this.#socket = socket;
    this.#ready = ready;
    this.#pending = pending;
    this.#options = options;
    pending.add(socket);
    socket.on('error', destroyIt);
    socket.on('close', () => {
      this.#pending.delete(this.#socket);
      this.#stranger?.leave();
      if (!this.#turnedAway) this.#options.connectQueue.leave(this.address);
    });
  }

  get gone(): boolean {
    return this.#socket.destroyed;
  }

  begin(): void {
    const socket = this.#socket;
    socket.off('error', destroyIt);
    this.#pending.delete(socket);
    const proxy = this.#options.trustedProxies.has(this.address);
    this.#becomeStranger(proxy);
    if (proxy) {
      void this.#awaitHeader();
      return;
    }
    this.#speak();
  }

  /** Until CONNECT it may have to give way to others. A proxy speaks for many addresses. */
  #becomeStranger(proxy: boolean): void {
    const { connectQueue, turnedAway } = this.#options;
    const { address } = this;
    this.#stranger?.leave();
    this.#stranger = connectQueue.stranger(
      address,
      (reason) => {
        turnedAway(reason, address);
        this.#socket.destroy();
      },
      proxy,
    );
  }

  #speak(): void {
    this.#ready(this.#socket, this.address, () => this.#stranger?.leave());
    this.#socket.resume();
  }

  turnAway(reason: string): void {
    this.#turnedAway = true;
    this.#pending.delete(this.#socket);
    this.#options.turnedAway(reason, this.address);
    this.#socket.destroy();
  }

  /** The address that a trusted proxy tells takes the place of the proxy's own. */
  async #awaitHeader(): Promise<void> {
    const socket = this.#socket;
    socket.on('error', destroyIt);
    const header = await readProxyHeader(socket, this.#options.connectMsMax);
    socket.off('error', destroyIt);
    if (!header) {
      this.#options.turnedAway('proxy-header', this.address);
      socket.destroy();
      return;
    }
    if (!header.local) {
      const full = this.#options.connectQueue.move(this.address, header.address);
      if (full !== undefined) {
        this.#options.turnedAway(full, header.address);
        socket.destroy();
        return;
      }
      this.address = header.address;
      this.#becomeStranger(false);
    }
    this.#speak();
  }
}
