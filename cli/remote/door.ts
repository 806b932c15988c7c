/** A client of the center's HTTP interface: methods, pages of lists, and the stream of events. */

import type { Method } from '../../schemas/roles.ts';
import { createParser } from './event-stream.ts';
import { CommandFailure, EXIT, exitFor } from './exits.ts';

/** How long a reply may take, in ms. Questions about the whole fleet may take a while. */
const REPLY_MS_MAX = 120_000;
/** Rows asked for at a time. */
export const PAGE_ROWS = 500;

export type Row = Record<string, unknown>;

/** How a client says who it is. */
export type Identity = { token: string } | { cookie: string };

export interface FleetEventMessage {
  id: string;
  event: string;
  data: unknown;
}

/** Who a session or token belongs to. */
export interface Who {
  name: string;
  role: string;
  how: string;
  expires: string;
}

interface Envelope {
  status: 'ok' | 'accepted' | 'error';
  data?: unknown;
  error?: { code: string; message: string; hint?: string };
}

function unreachable(url: string, error: unknown): CommandFailure {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  const why = cause?.code ?? cause?.message ?? (error instanceof Error ? error.message : String(error));
  return new CommandFailure(
    EXIT.unreachable,
    `${url} can't be reached: ${why}.`,
    'Is Platen running there? "platen context list" shows the addresses that are known.',
    { cause: error },
  );
}

/** @throws CommandFailure for an error of the center */
function dataOf(envelope: Envelope, status: number, method: string): unknown {
  if (envelope.status !== 'error') return envelope.data ?? {};
  const { code = 'request/internal', message = `HTTP ${status}`, hint } = envelope.error ?? {};
  const again = status === 401 ? 'Sign in again: platen login URL' : hint;
  throw new CommandFailure(exitFor(code, status), `${method}: ${message} [${code}]`, again);
}

/** @throws CommandFailure when it isn't an answer of a center */
async function envelopeOf(response: Response, url: string): Promise<Envelope> {
  try {
    const parsed = (await response.json()) as Envelope;
    if (typeof parsed?.status === 'string') return parsed;
  } catch {
    // What is no JSON is no answer either.
  }
  throw new CommandFailure(
    EXIT.unreachable,
    `${url} answers HTTP ${response.status} and not as a center does.`,
    'Check the address: it is where HTTP listens, such as http://127.0.0.1:8080.',
  );
}

export class Door {
  readonly url: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, identity: Identity | undefined) {
    this.url = url.replace(/\/+$/, '');
    // A request with a cookie must show that it doesn't come from a page of another site.
    this.#headers = {
      ...(identity === undefined
        ? {}
        : 'token' in identity
          ? { authorization: `Bearer ${identity.token}` }
          : { cookie: identity.cookie, origin: new URL(this.url).origin }),
    };
  }

  /**
   * Signs in with a password.
   * @returns a client that has the session
   */
  static async signIn(url: string, username: string, password: string): Promise<Door> {
    const open = new Door(url, undefined);
    const response = await open.#fetch('/session', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password }),
    });
    dataOf(await envelopeOf(response, open.url), response.status, 'sign-in');
    const cookie = (response.headers.getSetCookie()[0] ?? '').split(';')[0] ?? '';
    return new Door(url, { cookie });
  }

  async #fetch(path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
    try {
      return await fetch(`${this.url}/api/v1${path}`, {
        redirect: 'error',
        ...init,
        headers: { ...this.#headers, ...(init.headers as Record<string, string> | undefined) },
        signal: signal ?? AbortSignal.timeout(REPLY_MS_MAX),
      });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw unreachable(this.url, error);
    }
  }

  /** Who this is. */
  async who(): Promise<Who> {
    const response = await this.#fetch('/session', {});
    return dataOf(await envelopeOf(response, this.url), response.status, 'session') as Who;
  }

  /** Ends the session of `signIn`. */
  async signOut(): Promise<void> {
    const response = await this.#fetch('/session', { method: 'DELETE' });
    await response.body?.cancel();
  }

  /** @throws CommandFailure with the exit code that fits the center's error */
  async call(method: Method, params: Row = {}): Promise<Row> {
    const response = await this.#fetch(`/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(params),
    });
    return dataOf(await envelopeOf(response, this.url), response.status, method) as Row;
  }

  /** The items of a list that has no pages. */
  async *whole(method: Method, params: Row = {}): AsyncGenerator<{ items: Row[]; page: Row }> {
    const page = await this.call(method, params);
    yield { items: (page['items'] ?? []) as Row[], page };
  }

  /**
   * The items of a list, a page at a time.
   * @param rowsMax most items in all; undefined: all
   */
  async *pages(method: Method, params: Row, rowsMax?: number): AsyncGenerator<{ items: Row[]; page: Row }> {
    let cursor: string | undefined;
    let left = rowsMax ?? Number.POSITIVE_INFINITY;
    while (left > 0) {
      const limit = Math.min(PAGE_ROWS, left);
      const page = await this.call(method, { ...params, limit, ...(cursor === undefined ? {} : { cursor }) });
      const items = (page['items'] ?? []) as Row[];
      left -= items.length;
      yield { items, page };
      cursor = page['next'] as string | undefined;
      if (cursor === undefined) return;
    }
  }

  /**
   * Events of the fleet, as they happen. Ends when the center closes the stream.
   * @param lastId goes on after this event
   * @param opened called when the center has begun to send
   */
  async *events(
    query: URLSearchParams,
    signal: AbortSignal,
    lastId?: string,
    opened?: () => void,
  ): AsyncGenerator<FleetEventMessage> {
    const response = await this.#fetch(
      `/events?${query}`,
      {
        headers: {
          accept: 'text/event-stream',
          ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
        },
      },
      signal,
    );
    if (!response.ok || response.body === null) {
      dataOf(await envelopeOf(response, this.url), response.status, 'events');
      return;
    }
    opened?.();
    const parser = createParser();
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body) {
        for (const message of parser(decoder.decode(chunk as Uint8Array, { stream: true }))) {
          yield { ...message, data: JSON.parse(message.data) as unknown };
        }
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw unreachable(this.url, error);
    }
  }

  /** What `/healthz` and `/readyz` say. */
  async health(): Promise<{ version: string; ready: boolean; parts: Row }> {
    try {
      const signal = AbortSignal.timeout(REPLY_MS_MAX);
      const health = (await (await fetch(`${this.url}/healthz`, { signal })).json()) as Row;
      const ready = await fetch(`${this.url}/readyz`, { signal });
      const body = (await ready.json()) as Row;
      return { version: String(health['version']), ready: ready.ok, parts: (body['parts'] ?? {}) as Row };
    } catch (error) {
      throw unreachable(this.url, error);
    }
  }
}
