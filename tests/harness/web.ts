/** A program or a browser on the HTTP interface, for tests. */
import { request as httpRequest } from 'node:http';

export interface WebAnswer {
  code: number;
  headers: Headers;
  text: string;
  /** The body as JSON; undefined when it is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came.
  body: any;
}

export interface WebOptions {
  token?: string;
  /** The session cookie that the server set. */
  cookie?: string;
  origin?: string;
  headers?: Record<string, string>;
}

/** The HTTP interface at an address, as one caller uses it. */
export class Web {
  readonly base: string;
  readonly options: WebOptions;

  constructor(base: string, options: WebOptions = {}) {
    this.base = base.replace(/\/$/, '');
    this.options = options;
  }

  with(options: WebOptions): Web {
    return new Web(this.base, options);
  }

  headers(more: Record<string, string> = {}): Record<string, string> {
    const { token, cookie, origin, headers } = this.options;
    return {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(cookie === undefined ? {} : { cookie }),
      ...(origin === undefined ? {} : { origin }),
      ...headers,
      ...more,
    };
  }

  async send(
    method: string,
    path: string,
    body?: string | Buffer | object,
    more: Record<string, string> = {},
  ): Promise<WebAnswer> {
    const isText = typeof body === 'string' || Buffer.isBuffer(body);
    const response = await fetch(`${this.base}${path}`, {
      method,
      headers: this.headers({
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...more,
      }),
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    let parsed: unknown;
    if (response.headers.get('content-type')?.startsWith('application/json')) parsed = JSON.parse(text);
    return { code: response.status, headers: response.headers, text, body: parsed };
  }

  /** Announces a body that is never sent: the server must answer without reading it. */
  announce(path: string, bytes: number): Promise<{ code: number; body: string }> {
    return new Promise((resolve, reject) => {
      const headers = this.headers({ 'content-type': 'application/json', 'content-length': String(bytes) });
      const request = httpRequest(`${this.base}${path}`, { method: 'POST', headers }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on('end', () => {
          resolve({ code: response.statusCode ?? 0, body });
          request.destroy();
        });
      });
      request.on('error', reject);
      request.flushHeaders();
    });
  }

  /** Begins a body and never ends it. */
  hold(path: string, bytes: number): { answer(): { code: number; body: string } | undefined; stop(): void } {
    const headers = this.headers({ 'content-type': 'application/json', 'content-length': String(bytes) });
    const request = httpRequest(`${this.base}${path}`, { method: 'POST', headers, agent: false });
    let answer: { code: number; body: string } | undefined;
    request.on('response', (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => {
        answer = { code: response.statusCode ?? 0, body };
      });
    });
    // When the server answers early, or `stop` is called, the connection ends in the middle of the body.
    request.on('error', () => undefined);
    request.write('{"document":"');
    return { answer: () => answer, stop: () => request.destroy() };
  }

  call(method: string, params: object = {}, more: Record<string, string> = {}): Promise<WebAnswer> {
    return this.send('POST', `/api/v1/${method}`, params, more);
  }

  /** Signs in as a browser does. @returns the caller with its session */
  async signIn(username: string, password: string): Promise<Web> {
    const origin = this.base;
    const answer = await this.with({ origin }).send('POST', '/api/v1/session', { username, password });
    if (answer.code !== 200) throw new Error(`signing in failed: ${answer.text}`);
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    return this.with({ cookie, origin });
  }
}

/** One event of a stream. */
export interface WebEvent {
  id: string | undefined;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came.
  data: any;
}

/** A reader of server-sent events that reads continuously; `pause` leaves incoming data in the socket. */
export class EventReader {
  readonly events: WebEvent[] = [];
  code = 0;
  /** Local port of the connection. */
  port: number | undefined;
  ended = false;
  body = '';
  #stop: () => void = () => undefined;
  #pause: () => void = () => undefined;
  readonly opened: Promise<void>;

  constructor(web: Web, path: string, more: Record<string, string> = {}) {
    let buffer = '';
    this.opened = new Promise((resolve, reject) => {
      const request = httpRequest(`${web.base}${path}`, { headers: web.headers(more) }, (response) => {
        this.code = response.statusCode ?? 0;
        this.port = response.socket.localPort;
        this.#pause = () => response.pause();
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          if (this.code !== 200) this.body += text;
          buffer += text;
          const blocks = buffer.split('\n\n');
          buffer = blocks.pop() ?? '';
          for (const block of blocks) this.#take(block);
        });
        const over = () => {
          this.ended = true;
        };
        response.on('end', over);
        response.on('close', over);
        response.on('error', over);
        resolve();
      });
      request.on('error', (error) => {
        this.ended = true;
        reject(error);
      });
      this.#stop = () => request.destroy();
      request.end();
    });
  }

  #take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trimStart());
    }
    const data = fields.get('data');
    if (data === undefined) return;
    this.events.push({
      id: fields.get('id'),
      event: fields.get('event') ?? 'message',
      data: JSON.parse(data),
    });
  }

  pause(): void {
    this.#pause();
  }

  close(): void {
    this.#stop();
  }
}
