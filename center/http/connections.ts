/**
 * Limits the connections of an HTTP server. Connections without a request in progress share a small pool: they are
 * closed after a short time, and when the pool is full a random one is closed. So silent connections can't lock anybody
 * out.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Counter, Counter as MakeCounter, type Registry } from 'prom-client';
import { type Stranger, Strangers } from '../../broker/connection/strangers.ts';
import { CENTER_LIMITS } from '../limits.ts';

export interface HttpConnectionsOptions {
  connectionsMax: number;
  idleMax: number;
  idlePerAddressMax: number;
  requestsPerAddressMax: number;
  registry: Registry;
}

export const HTTP_CONNECTIONS = {
  connectionsMax: CENTER_LIMITS.http_connections_max,
  idleMax: CENTER_LIMITS.http_idle_connections_max,
  idlePerAddressMax: CENTER_LIMITS.http_idle_connections_per_address_max,
  requestsPerAddressMax: CENTER_LIMITS.http_requests_per_address_max,
};

/** Watches a server's connections. Call it before the server listens. */
export function boundConnections(server: Server, options: HttpConnectionsOptions): void {
  const { connectionsMax, idleMax, idlePerAddressMax, requestsPerAddressMax, registry } = options;
  const idle = new Strangers({ max: idleMax, perAddressMax: idlePerAddressMax });
  const waiting = new WeakMap<Socket, Stranger>();
  const requests = new Map<string, number>();
  const turnedAway: Counter<'reason'> = new MakeCounter({
    name: 'platen_http_turned_away_total',
    help: 'HTTP connections and requests refused',
    labelNames: ['reason'],
    registers: [registry],
  });
  server.maxConnections = connectionsMax;
  server.on('drop', () => turnedAway.inc({ reason: 'connections' }));

  const becomeIdle = (socket: Socket) => {
    if (socket.destroyed) return;
    waiting.get(socket)?.leave();
    const stranger = idle.enter(socket.remoteAddress ?? '', (reason) => {
      turnedAway.inc({ reason: reason === 'strangers' ? 'idle' : 'idle-per-address' });
      socket.destroy();
    });
    waiting.set(socket, stranger);
  };
  server.on('connection', (socket: Socket) => {
    becomeIdle(socket);
    socket.once('close', () => waiting.get(socket)?.leave());
  });
  // The WebSocket listener limits upgraded connections itself.
  server.prependListener('upgrade', ({ socket }: IncomingMessage) => waiting.get(socket)?.leave());
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    waiting.get(socket)?.leave();
    const address = socket.remoteAddress ?? '';
    const there = (requests.get(address) ?? 0) + 1;
    requests.set(address, there);
    response.once('close', () => {
      const left = (requests.get(address) ?? 1) - 1;
      if (left > 0) requests.set(address, left);
      else requests.delete(address);
      becomeIdle(socket);
    });
    if (there <= requestsPerAddressMax) return;
    turnedAway.inc({ reason: 'requests-per-address' });
    socket.destroy();
  });
}
