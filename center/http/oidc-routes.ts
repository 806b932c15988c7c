/**
 * `/api/v1/oidc`: redirects to the OpenID provider and back. A separate cookie keeps the flow's state in between, so
 * that a link from somebody else can't sign anybody in (login CSRF).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PlatenError } from '../../schemas/errors.ts';
import type { OidcFlow } from '../accounts/oidc-client.ts';
import type { OidcSignIn } from '../accounts/oidc-sign-in.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Visitors } from './visitors.ts';

/** A path of this server to show after signing in. */
const OWN_PAGE = /^\/(?![/\\])[A-Za-z0-9/_.~?=&%-]*$/;
const HOME = '/';

interface Remembered extends OidcFlow {
  to: string;
}

/** The page to show after signing in. @throws PlatenError request/invalid */
function pageOf(query: unknown): string {
  const { to = HOME } = query as { to?: unknown };
  if (typeof to === 'string' && to.length <= CENTER_LIMITS.oidc_page_characters_max && OWN_PAGE.test(to)) {
    return to;
  }
  throw new PlatenError('request/invalid', { reason: '/to is not a path of this server, such as /printers' });
}

function remembered(text: string | undefined): Remembered {
  try {
    const value = JSON.parse(Buffer.from(text ?? '', 'base64url').toString()) as Partial<Remembered>;
    const { state, nonce, verifier, to } = value;
    if ([state, nonce, verifier].every((each) => typeof each === 'string') && typeof to === 'string') {
      return value as Remembered;
    }
  } catch {
    // Not JSON: treat it as a missing cookie, reported below.
  }
  throw new PlatenError('oidc/refused', {
    reason: 'this browser began no sign-in, or too long ago',
  });
}

/**
 * A page that forwards to another one. A redirect would not do: the browser comes from the provider and withholds a
 * SameSite=Strict cookie until a page of this server leads on.
 */
function onwards(to: string): string {
  const page = to.replaceAll('&', '&amp;');
  return `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=${page}">
<title>Signed in</title><p>Signed in. <a href="${page}">Go on</a></p>\n`;
}

export function serveOidc(scope: FastifyInstance, oidc: OidcSignIn, visitors: Visitors): void {
  const open = { config: { rateLimit: {} } };
  scope.get('/oidc/login', open, async (request: FastifyRequest, reply: FastifyReply) => {
    const to = pageOf(request.query);
    const { url, flow } = await oidc.begin();
    const kept: Remembered = { ...flow, to };
    visitors.setFlow(reply, Buffer.from(JSON.stringify(kept)).toString('base64url'));
    return reply.redirect(url.href, 302);
  });
  scope.get('/oidc/callback', open, async (request: FastifyRequest, reply: FastifyReply) => {
    const { to, ...flow } = remembered(visitors.flowOf(request));
    // Used up, whatever the result.
    visitors.clearFlow(reply);
    const at = request.url.indexOf('?');
    const { secret } = await oidc.finish(at < 0 ? '' : request.url.slice(at), flow);
    visitors.setCookie(reply, secret);
    return reply.type('text/html; charset=utf-8').send(onwards(OWN_PAGE.test(to) ? to : HOME));
  });
}
