/** Identifies the caller of an HTTP request by token or session cookie. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PlatenError } from '../../schemas/errors.ts';
import type { SignIn, Visitor } from '../accounts/sign-in.ts';
import { CENTER_LIMITS } from '../limits.ts';

export interface VisitorsOptions {
  signIn: SignIn;
  /** The public address, if configured: its pages may make changes. */
  publicUrl: string | undefined;
}

/** Safe methods change nothing, so they are allowed from any origin. */
const READING = ['GET', 'HEAD'];
const BEARER = /^Bearer +(\S+)$/i;

export class Visitors {
  readonly #signIn: SignIn;
  readonly #publicOrigin: string | undefined;
  /** Browsers send the cookie only over TLS, to this host and path. */
  readonly #secure: boolean;
  readonly #cookie: string;

  constructor({ signIn, publicUrl }: VisitorsOptions) {
    this.#signIn = signIn;
    this.#publicOrigin = publicUrl === undefined ? undefined : new URL(publicUrl).origin;
    this.#secure = publicUrl?.startsWith('https:') ?? false;
    this.#cookie = this.#secure ? '__Host-platen' : 'platen';
  }

  /**
   * The caller.
   * @throws PlatenError session/none, session/ended, session/foreign-origin, token/refused
   */
  async of(request: FastifyRequest): Promise<Visitor> {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const [, token] = BEARER.exec(authorization) ?? [];
      if (token === undefined) throw new PlatenError('token/refused');
      return this.#signIn.byToken(token);
    }
    const secret = this.secretOf(request);
    if (secret === undefined) throw new PlatenError('session/none');
    // Only browsers send a cookie, and they name the page's origin with every request that isn't a plain GET.
    if (!READING.includes(request.method)) this.#checkOrigin(request, true);
    return this.#signIn.bySession(secret);
  }

  /** The session cookie's value. */
  secretOf(request: FastifyRequest): string | undefined {
    return request.cookies[this.#cookie];
  }

  /** Signing in needs no cookie: programs send no origin, pages of other origins are refused. */
  checkSignInOrigin(request: FastifyRequest): void {
    this.#checkOrigin(request, false);
  }

  #checkOrigin(request: FastifyRequest, needed: boolean): void {
    const { origin, host } = request.headers;
    if (origin === undefined && !needed) return;
    const own =
      origin !== undefined &&
      URL.canParse(origin) &&
      (origin === this.#publicOrigin || new URL(origin).host === host);
    if (!own) throw new PlatenError('session/foreign-origin', { origin: origin ?? 'an unknown origin' });
  }

  setCookie(reply: FastifyReply, secret: string): void {
    reply.setCookie(this.#cookie, secret, {
      ...this.#cookieOptions(),
      maxAge: Math.floor(CENTER_LIMITS.session_ms_max / 1_000),
    });
  }

  clearCookie(reply: FastifyReply): void {
    reply.clearCookie(this.#cookie, this.#cookieOptions());
  }

  /** Keeps the state of an OpenID flow. The browser returns with it from another site, hence SameSite=Lax. */
  setFlow(reply: FastifyReply, text: string): void {
    reply.setCookie(this.#flowCookie, text, {
      ...this.#cookieOptions(),
      sameSite: 'lax',
      maxAge: CENTER_LIMITS.oidc_flow_ms_max / 1_000,
    });
  }

  flowOf(request: FastifyRequest): string | undefined {
    return request.cookies[this.#flowCookie];
  }

  clearFlow(reply: FastifyReply): void {
    reply.clearCookie(this.#flowCookie, { ...this.#cookieOptions(), sameSite: 'lax' });
  }

  get #flowCookie(): string {
    return `${this.#cookie}-oidc`;
  }

  #cookieOptions() {
    return { path: '/', httpOnly: true, sameSite: 'strict', secure: this.#secure } as const;
  }
}
