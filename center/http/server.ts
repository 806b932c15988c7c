/**
 * The HTTP side: the methods, health, metrics and the release repository. MQTT over WebSocket is attached to the same server by
 * whoever puts broker and center together.
 */
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import fastifyStatic from '@fastify/static';
import fastify from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { serveImages } from '../../releases/images.ts';
import { httpStatusOf, PlatenError, reasonOf } from '../../schemas/errors.ts';
import { listenError } from '../../schemas/listen-error.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { type ApiOptions, serveApi } from './api.ts';
import { boundConnections, HTTP_CONNECTIONS } from './connections.ts';
import { Scrapes } from './scrapes.ts';
import { Visitors } from './visitors.ts';

export type Access = 'open' | 'token' | 'none';

/** Whether a part is ready, and if not, why. */
export type Readiness = () => { ready: boolean; reason?: string };

export interface HttpOptions {
  host: string;
  port: number;
  /** Folder served under `/repository/`, made when it is missing; undefined: none. */
  repository: string | undefined;
  registry: Registry;
  /** Who may read these here: everybody (as when nothing is said), holders of a token or a session, nobody. */
  access?: { metrics?: Access; repository?: Access };
  /** By name of the part. */
  readiness: Record<string, Readiness>;
  log: Logger;
  /** What is served under `/api/v1`; without it there is no such interface. */
  api?: ApiOptions;
  /** The setting that the port comes from. */
  setting?: string;
  /** Addresses of proxies: the address in X-Forwarded-For that they put there is taken for the caller's. */
  proxies?: string[];
  /** Told by `/healthz`. */
  version?: string;
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
    // Without one a caller could claim to be anywhere.
    trustProxy: options.proxies?.length ? options.proxies : false,
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
  // Before any route: those that are there already would keep the framework's own.
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof PlatenError) {
      const code = httpStatusOf(error.code);
      if (code === 401) reply.header('www-authenticate', 'Bearer');
      return reply.code(code).send({ status: 'error', error: error.body });
    }
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status >= 500)
      options.log.error({ url: request.url, reason: reasonOf(error) }, 'an HTTP request failed');
    return reply.code(status).send({ error: status >= 500 ? 'internal error' : reasonOf(error) });
  });
  await app.register(helmet, {
    // A printer that reads the repository is no page; and what TLS there is may end before this server.
    crossOriginResourcePolicy: false,
    strictTransportSecurity: options.api?.publicUrl?.startsWith('https:') ?? false,
  });
  boundConnections(app.server, { ...HTTP_CONNECTIONS, registry: options.registry });
  app.get('/healthz', (_request, reply) => reply.send({ status: 'ok', version: options.version }));
  app.get('/readyz', (_request, reply) => {
    const parts = Object.entries(options.readiness).map(([name, readiness]) => [name, readiness()] as const);
    const ready = parts.every(([, part]) => part.ready);
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ready' : 'not ready', parts: Object.fromEntries(parts) });
  });
  const { metrics = 'open', repository = 'open' } = options.access ?? {};
  const guards = new Map<string, Access>([
    ['/metrics', metrics],
    ['/repository/', repository],
  ]);
  if (options.api) {
    // Also for what is served here beside the interface.
    await app.register(cookie);
    const visitors = new Visitors(options.api);
    app.addHook('onRequest', async (request) => {
      for (const [path, access] of guards) {
        // By the route that was found, not by the path as it was written: that may be encoded.
        if (access === 'token' && request.routeOptions.url?.startsWith(path)) await visitors.of(request);
      }
    });
  }
  if (metrics !== 'none') {
    const scrapes = new Scrapes(options.registry, () => performance.now());
    app.get('/metrics', async (_request, reply) =>
      reply.header('content-type', options.registry.contentType).send(await scrapes.text()),
    );
  }
  if (options.api) await serveApi(app, options.api);
  if (options.repository !== undefined && repository !== 'none') {
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
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    throw listenError(error, {
      port: options.port,
      host: options.host,
      setting: options.setting ?? 'PLATEN_HTTP_PORT',
    });
  }
  return {
    server: app.server,
    port: (app.server.address() as AddressInfo).port,
    close: () => app.close(),
  };
}
