/**
 * The HTTP server: methods, health, metrics and the release repository. Whoever composes broker and center attaches
 * MQTT over WebSocket to the same server.
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

/** Whether a part is ready, and why not. */
export type Readiness = () => { ready: boolean; reason?: string };

export interface HttpOptions {
  host: string;
  port: number;
  /** Folder served under `/repository/`, created when missing; undefined: none. */
  repository: string | undefined;
  registry: Registry;
  /** Who may read these endpoints: everybody (the default), holders of a token or session, or nobody. */
  access?: { metrics?: Access; repository?: Access };
  /** By name of the part. */
  readiness: Record<string, Readiness>;
  log: Logger;
  /** The handlers of `/api/v1`; undefined: no API. */
  api?: ApiOptions;
  /** The setting that the port comes from, for errors. */
  setting?: string;
  /** Addresses of trusted proxies: their X-Forwarded-For is taken as the client's address. */
  proxies?: string[];
  /** Reported by `/healthz`. */
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
    // Without trusted proxies a client could claim any address.
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
  // Before any route: routes defined earlier keep the framework's handler.
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
    // Printers that read the repository are not browsers, and TLS may end at a proxy.
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
    // Also for the routes besides the API.
    await app.register(cookie);
    const visitors = new Visitors(options.api);
    app.addHook('onRequest', async (request) => {
      for (const [path, access] of guards) {
        // By the matched route, not by the raw path, which may be percent-encoded.
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
      // Metadata changes in place. Targets never change: their names carry the version and their hash is signed.
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
