/**
 * TCP and TLS listeners. A socket passes the connect queue, then the PROXY header is read (from trusted addresses), then
 * comes the TLS handshake, then MQTT.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Logger } from 'pino';
import { listenError } from '../../schemas/listen-error.ts';
import type { ConnectQueue, WaitingConnect } from '../connection/connect-queue.ts';
import type { Origin } from '../connection/connection.ts';
import type { Stranger } from '../connection/strangers.ts';
import { readProxyHeader } from './proxy-protocol.ts';

/** Where to listen. Port 0 takes a free one. */
export interface Endpoint {
  host: string;
  port: number;
}

export interface TlsEndpoint extends Endpoint {
  /** PEM. */
  key: string;
  cert: string;
  /** The authority of client certificates, PEM. Without one, no client certificates are asked for. */
  clientAuthority?: string;
  /** Whether a certificate with this serial number (hexadecimal, lower case) is revoked. Called at each handshake. */
  isRevoked?(serial: string): boolean;
  /** The enrolment of a certificate, by its serial number. */
  enrolmentOf?(serial: string): string | undefined;
}

export interface SocketsOptions {
  log: Logger;
  connectQueue: ConnectQueue;
  now(): number;
  connectMsMax: number;
  /** Addresses whose PROXY header is believed. They must send one. */
  trustedProxies: ReadonlySet<string>;
  /** Serves a socket that is ready for MQTT. */
  serve(socket: Duplex, origin: Origin): void;
  turnedAway(reason: string, address: string): void;
}

/** The next step for a socket that passed the connect queue. `heard` goes into its origin. */
type Ready = (socket: Socket, address: string, heard: () => void) => void;

const BACKLOG = 4_096;

/** The error listener of sockets that nothing else handles yet: one function for all of them. */
function destroyIt(this: Socket): void {
  this.destroy();
}

/** An address in one form: IPv4 without the IPv6 prefix. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:/, '');
}

export class Sockets {
  readonly #options: SocketsOptions;
  readonly #servers: Server[] = [];
  readonly #tlsServers: TlsServer[] = [];
  /** Sockets that are not ready for MQTT yet. */
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
      // A certificate is optional: clients without one send a password.
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

  /** Stops listening. MQTT connections stay open. */
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

/** A socket before MQTT. One object and two listeners, because a storm brings thousands a second. */
class Entrant implements WaitingConnect {
  /** The socket's address, or the one from the header of a trusted proxy. */
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

  /** Until CONNECT it may be closed to make room. A proxy is exempt from the limit per address: it speaks for many. */
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

  /** Replaces the proxy's address by the one in its header. */
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
