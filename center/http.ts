/**
 * The HTTP side: health, metrics and the release repository. MQTT over WebSocket is attached to the same server by
 * whoever puts broker and center together.
 */
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastifyStatic from '@fastify/static';
import fastify from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { serveImages } from '../releases/images.ts';
import { reasonOf } from '../schemas/errors.ts';
import { listenError } from '../schemas/listen-error.ts';
import { boundConnections, HTTP_CONNECTIONS } from './http-connections.ts';
import { CENTER_LIMITS } from './limits.ts';

/** Whether a part is ready, and if not, why. */
export type Readiness = () => { ready: boolean; reason?: string };

export interface HttpOptions {
  host: string;
  port: number;
  /** Folder served under `/repository/`, made when it is missing; undefined: none. */
  repository: string | undefined;
  registry: Registry;
  /** By name of the part. */
  readiness: Record<string, Readiness>;
  log: Logger;
}

export interface HttpServer {
  readonly server: Server;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts the HTTP server.
 * @throws PlatenError start/port
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const app = fastify({
    logger: false,
    requestTimeout: CENTER_LIMITS.http_request_ms_max,
    connectionTimeout: CENTER_LIMITS.http_silence_ms_max,
    keepAliveTimeout: CENTER_LIMITS.http_idle_ms_max,
    http: {
      headersTimeout: CENTER_LIMITS.http_headers_ms_max,
      connectionsCheckingInterval: CENTER_LIMITS.http_look_ms,
    },
    // Keep-alive connections must not hold up the stop.
    forceCloseConnections: true,
  });
  boundConnections(app.server, { ...HTTP_CONNECTIONS, registry: options.registry });
  app.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const parts = Object.entries(options.readiness).map(([name, readiness]) => [name, readiness()] as const);
    const ready = parts.every(([, part]) => part.ready);
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ready' : 'not ready', parts: Object.fromEntries(parts) });
  });
  app.get('/metrics', async (_request, reply) =>
    reply.header('content-type', options.registry.contentType).send(await options.registry.metrics()),
  );
  if (options.repository !== undefined) {
    mkdirSync(options.repository, { recursive: true });
    await app.register(fastifyStatic, {
      root: options.repository,
      prefix: '/repository/',
      acceptRanges: true,
      // Metadata changes in place, targets never do: their names carry the version and their hash is signed.
      cacheControl: false,
      dotfiles: 'deny',
      index: false,
    });
    serveImages(app, options.repository, '/repository/');
  }
  app.setErrorHandler((error, request, reply) => {
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status >= 500)
      options.log.error({ url: request.url, reason: reasonOf(error) }, 'an HTTP request failed');
    return reply.code(status).send({ error: status >= 500 ? 'internal error' : reasonOf(error) });
  });
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    throw listenError(error, { port: options.port, host: options.host, setting: 'PLATEN_HTTP_PORT' });
  }
  return {
    server: app.server,
    port: (app.server.address() as AddressInfo).port,
    close: () => app.close(),
  };
}
