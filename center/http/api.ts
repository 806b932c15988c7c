/**
 * `/api/v1`: the center's methods over HTTP, through the same dispatcher as MQTT requests. Callers are identified
 * before the body is read.
 */
import { readFileSync } from 'node:fs';
import rateLimit from '@fastify/rate-limit';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type ErrorBody, httpStatusOf, PlatenError, reasonOf } from '../../schemas/errors.ts';
import { isMethod, METHOD_ROLES, type Method } from '../../schemas/roles.ts';
import { checkNoNul, listColumns, paramsSchema, parseObject } from '../../schemas/validate.ts';
import type { OidcSignIn } from '../accounts/oidc-sign-in.ts';
import type { SignIn, Visitor } from '../accounts/sign-in.ts';
import type { EventRecord } from '../fleet/event-record.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { show } from '../metrics.ts';
import type { Answered, Asked } from '../operators/dispatch.ts';
import { EventStreams, eventFilter, lastSeenId } from './event-streams.ts';
import { LIST_TYPES, type ListPage, listStream, wantedForm } from './lists.ts';
import { serveOidc } from './oidc-routes.ts';
import { VisitorLoad } from './visitor-load.ts';
import { Visitors } from './visitors.ts';

/** What the API serves, once the center has started. */
export interface Answering {
  answer(asked: Asked): Promise<Answered>;
  events: EventRecord;
}

export interface ApiOptions {
  signIn: SignIn;
  publicUrl: string | undefined;
  /** Undefined when OpenID Connect isn't configured. */
  oidc?: OidcSignIn | undefined;
  /** Undefined until the center listens. */
  answering(): Answering | undefined;
  registry: Registry;
  log: Logger;
}

interface Body {
  payload: Buffer;
  params: Record<string, unknown>;
}

/** Methods that take a document: only their bodies may be large. */
const WITH_DOCUMENT = (Object.keys(METHOD_ROLES) as Method[]).filter((method) =>
  Object.hasOwn(paramsSchema(method).properties ?? {}, 'document'),
);

const NO_BODY: Body = { payload: Buffer.alloc(0), params: {} };

/** Fastify's request errors, as errors of the catalogue. */
function knownFault(error: FastifyError, request: FastifyRequest): PlatenError | undefined {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new PlatenError('payload/too-large', {
        bytes: request.headers['content-length'] ?? 'more',
        limit: request.routeOptions.bodyLimit ?? CENTER_LIMITS.request_payload_bytes_max,
      });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new PlatenError('http/media-type', {
        type: request.headers['content-type'] ?? 'of an unknown content type',
      });
    default:
      if (error.statusCode === 429) return new PlatenError('http/too-many');
      return error.statusCode !== undefined && error.statusCode < 500
        ? new PlatenError('request/invalid', { reason: error.message })
        : undefined;
  }
}

function sendError(reply: FastifyReply, error: ErrorBody): FastifyReply {
  const status = httpStatusOf(error.code);
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  return reply.code(status).type('application/json').send({ status: 'error', error });
}

function sendAnswer(reply: FastifyReply, answer: Answered): FastifyReply {
  if (answer.status === 'error') return sendError(reply, answer.error);
  return reply.code(answer.status === 'accepted' ? 202 : 200).send(answer);
}

class Api {
  readonly #options: ApiOptions;
  readonly #visitors: Visitors;
  /** The caller, identified before the body is read. */
  readonly #found = new WeakMap<FastifyRequest, Visitor>();
  readonly #load = new VisitorLoad({
    requests_max: CENTER_LIMITS.http_requests_person_max,
    bytes_max: CENTER_LIMITS.http_bodies_person_bytes_max,
    bytes_total_max: CENTER_LIMITS.http_bodies_bytes_max,
    bytes_per_second_max: CENTER_LIMITS.http_body_bytes_per_second_max,
    bytes_burst_max: CENTER_LIMITS.http_body_bytes_burst_max,
    lists_max: CENTER_LIMITS.http_lists_person_max,
    lists_total_max: CENTER_LIMITS.http_lists_max,
  });

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#visitors = new Visitors(options);
  }

  async serve(scope: FastifyInstance): Promise<void> {
    const { log } = this.#options;
    await scope.register(rateLimit, {
      global: false,
      max: CENTER_LIMITS.http_open_per_minute_max,
      timeWindow: 60_000,
    });
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, payload, done) => {
      const bytes = payload as Buffer;
      // Also bodies that are not valid JSON: parsing those takes just as long.
      const visitor = this.#found.get(request);
      if (visitor) this.#load.charge(visitor.name, bytes.length, performance.now());
      try {
        done(null, { payload: bytes, params: parseObject(bytes) } satisfies Body);
      } catch (error) {
        done(error as Error);
      }
    });
    scope.setErrorHandler((error: FastifyError, request, reply) => {
      const known = error instanceof PlatenError ? error : knownFault(error, request);
      if (known) return sendError(reply, known.body);
      log.error({ url: request.url, err: error }, 'an HTTP request failed');
      return sendError(reply, new PlatenError('request/internal', { reason: reasonOf(error) }).body);
    });
    scope.setNotFoundHandler((request) => {
      const path = request.url.split('?')[0] ?? '';
      throw new PlatenError('http/not-found', { method: request.method, path: path.slice(0, 256) });
    });
    scope.addHook('onSend', async (_request, reply) => {
      reply.header('cache-control', 'no-store');
    });
    this.#serveSession(scope);
    if (this.#options.oidc) serveOidc(scope, this.#options.oidc, this.#visitors);
    this.#serveMethods(scope);
    this.#serveEvents(scope);
    const document = readFileSync(new URL('../../schemas/openapi.json', import.meta.url));
    scope.get('/openapi.json', { config: { rateLimit: {} } }, (_request, reply) =>
      reply.type('application/json').send(document),
    );
  }

  readonly #identify = async (request: FastifyRequest): Promise<void> => {
    this.#found.set(request, await this.#visitors.of(request));
  };

  #visitor(request: FastifyRequest): Visitor {
    const visitor = this.#found.get(request);
    if (!visitor) throw new PlatenError('session/none');
    return visitor;
  }

  #serveSession(scope: FastifyInstance): void {
    const { signIn, oidc } = this.#options;
    const shown = ({ name, role, how, endsAt }: Visitor) => ({
      status: 'ok',
      data: { name, role, how, expires: endsAt.toISOString() },
    });
    scope.post(
      '/session',
      {
        // By address and name: somebody else's attempts from the same address lock nobody out. SignIn limits those.
        config: { rateLimit: { hook: 'preHandler', keyGenerator: nameAtAddress } },
        bodyLimit: CENTER_LIMITS.sign_in_bytes_max,
      },
      async (request, reply) => {
        this.#visitors.checkSignInOrigin(request);
        const { username, password } = checkSignIn((request.body as Body | undefined) ?? NO_BODY);
        const { secret, visitor } = await signIn.withPassword(username, password, request.ip);
        this.#visitors.setCookie(reply, secret);
        return shown(visitor);
      },
    );
    scope.get('/session', { onRequest: this.#identify }, async (request) => shown(this.#visitor(request)));
    scope.delete('/session', { onRequest: this.#identify }, async (request, reply) => {
      const secret = this.#visitors.secretOf(request);
      const visitor = this.#visitor(request);
      if (secret === undefined || visitor.how === 'token') throw new PlatenError('session/none');
      await signIn.end(secret, visitor);
      this.#visitors.clearCookie(reply);
      const endSession = visitor.how === 'oidc' ? await oidc?.endSessionUrl() : undefined;
      return { status: 'ok', ...(endSession === undefined ? {} : { data: { endSession } }) };
    });
  }

  #answering(): Answering {
    const answering = this.#options.answering();
    if (!answering) throw new PlatenError('http/unavailable', { reason: 'the center is starting' });
    return answering;
  }

  #serveEvents(scope: FastifyInstance): void {
    const { signIn, log } = this.#options;
    let streams: EventStreams | undefined;
    scope.get('/events', { onRequest: this.#identify }, async (request, reply) => {
      streams ??= new EventStreams(this.#answering().events, signIn, log);
      const filter = eventFilter(request.query as Record<string, unknown>);
      const lastId = lastSeenId(request.headers['last-event-id']);
      const visitor = this.#visitor(request);
      streams.admit(visitor);
      const bounds = await streams.bounds();
      reply.hijack();
      streams.serve(visitor, { filter, lastId, bounds }, reply.raw);
    });
    scope.addHook('preClose', async () => streams?.stop());
    const { registry } = this.#options;
    show(registry, {
      name: 'platen_event_streams',
      help: 'Event streams that are open.',
      read: () => streams?.open ?? 0,
    });
    show(registry, {
      name: 'platen_event_streams_ended_total',
      help: 'Event streams that ended since the start, by reason.',
      label: 'reason',
      read: () => streams?.ended ?? {},
    });
  }

  /** Admits an identified request by the size that its body may have. */
  readonly #admit = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { headers, routeOptions } = request;
    const limit = routeOptions.bodyLimit ?? CENTER_LIMITS.request_payload_bytes_max;
    const declared = Number(headers['content-length'] ?? 0);
    const bytes = headers['transfer-encoding'] === undefined ? declared : limit;
    // Fastify refuses a body over the limit without reading it.
    if (bytes > limit) return;
    const done = this.#load.enter(this.#visitor(request).name, bytes, performance.now());
    reply.raw.once('close', done);
  };

  #serveMethods(scope: FastifyInstance): void {
    const onRequest = [this.#identify, this.#admit];
    const options = { onRequest, bodyLimit: CENTER_LIMITS.http_body_bytes_max };
    scope.post<{ Params: { method: string } }>('/:method', options, (request, reply) =>
      this.#serveMethod(request, reply, request.params.method),
    );
    for (const method of WITH_DOCUMENT) {
      const large = { onRequest, bodyLimit: CENTER_LIMITS.request_payload_bytes_max };
      scope.post(`/${method}`, large, (request, reply) => this.#serveMethod(request, reply, method));
    }
    show(this.#options.registry, {
      name: 'platen_http_busy_total',
      help: 'HTTP requests answered request/busy before their body was read, and lists refused, by limit.',
      label: 'limit',
      read: () => this.#load.refused,
    });
  }

  async #serveMethod(request: FastifyRequest, reply: FastifyReply, method: string): Promise<FastifyReply> {
    const answering = this.#answering();
    const { name, role, how, id } = this.#visitor(request);
    const { payload, params } = (request.body as Body | undefined) ?? NO_BODY;
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const ask = (more: Record<string, unknown>) =>
      answering.answer({
        name,
        role,
        ...(how === 'token' ? { token: id } : {}),
        signal: gone.signal,
        method,
        params: { ...params, ...more },
        payload,
      });
    const form = wantedForm(request.headers.accept);
    if (form === 'json' || !isMethod(method)) return sendAnswer(reply, await ask({}));
    return this.#sendList(reply, { name, method, form, params }, ask);
  }

  async #sendList(
    reply: FastifyReply,
    list: { name: string; method: Method; form: 'ndjson' | 'csv'; params: Record<string, unknown> },
    ask: (more: Record<string, unknown>) => Promise<Answered>,
  ): Promise<FastifyReply> {
    const { name, method, form, params } = list;
    const columns = listColumns(method);
    const type = LIST_TYPES[form];
    if (!columns) throw new PlatenError('http/not-acceptable', { method, type });
    const size = columns.paged && params['limit'] === undefined ? { limit: CENTER_LIMITS.page_max } : {};
    const done = this.#load.list(name, performance.now());
    reply.raw.once('close', done);
    const first = await ask(size);
    if (first.status === 'error') return sendError(reply, first.error);
    const next = async (cursor: string): Promise<ListPage> => {
      const answer = await ask({ ...size, cursor });
      if (answer.status === 'error') throw new Error(`${answer.error.code}: ${answer.error.message}`);
      return answer.data as unknown as ListPage;
    };
    // The method has checked the parameters: here it is a list of names.
    const chosen = params['columns'] as string[] | undefined;
    const names = chosen === undefined ? columns.names : [...new Set(['printer', ...chosen])];
    const stream = listStream(first.data as unknown as ListPage, next, form, names);
    stream.on('error', (error) =>
      this.#options.log.warn({ method, reason: reasonOf(error) }, 'sending a list failed half-way'),
    );
    return reply.type(form === 'csv' ? `${type}; charset=utf-8; header=present` : type).send(stream);
  }
}

/** The name and address of a sign-in attempt. */
function nameAtAddress(request: FastifyRequest): string {
  const { username } = ((request.body as Body | undefined) ?? NO_BODY).params;
  return JSON.stringify([request.ip, typeof username === 'string' ? username : null]);
}

/** @throws PlatenError request/invalid */
function checkSignIn({ payload, params }: Body): { username: string; password: string } {
  const { username, password, ...rest } = params;
  const [unknown] = Object.keys(rest);
  if (typeof username !== 'string' || typeof password !== 'string' || unknown !== undefined) {
    throw new PlatenError('request/invalid', { reason: '/ is {"username","password"}, both strings' });
  }
  checkNoNul({ username }, payload);
  return { username, password };
}

/** Serves the interface under `/api/v1`. */
export async function serveApi(app: FastifyInstance, options: ApiOptions): Promise<void> {
  const api = new Api(options);
  await app.register((scope) => api.serve(scope), { prefix: '/api/v1' });
}
