/**
 * `/api/v1/oidc`: to the OpenID provider and back. Between the two a cookie of its own remembers what the answer must
 * fit, so that nobody can be signed in by a link that somebody else began.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PlatenError } from '../../schemas/errors.ts';
import type { OidcFlow } from '../accounts/oidc-client.ts';
import type { OidcSignIn } from '../accounts/oidc-sign-in.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Visitors } from './visitors.ts';

/** A page of this server, where somebody goes on after signing in. */
const OWN_PAGE = /^\/(?![/\\])[A-Za-z0-9/_.~?=&%-]*$/;
const HOME = '/';

interface Remembered extends OidcFlow {
  to: string;
}

/** The page to go on with. @throws PlatenError request/invalid */
function pageOf(query: unknown): string {
  const { to = HOME } = query as { to?: unknown };
  if (typeof to === 'string' && to.length <= CENTER_LIMITS.oidc_page_characters_max && OWN_PAGE.test(to)) {
    return to;
  }
  throw new PlatenError('request/invalid', { reason: '/to is no path of this server, such as /printers' });
}

function remembered(text: string | undefined): Remembered {
  try {
    const value = JSON.parse(Buffer.from(text ?? '', 'base64url').toString()) as Partial<Remembered>;
    const { state, nonce, verifier, to } = value;
    if ([state, nonce, verifier].every((each) => typeof each === 'string') && typeof to === 'string') {
      return value as Remembered;
    }
  } catch {
    // No JSON: as if there were no cookie, which is told below.
  }
  throw new PlatenError('oidc/refused', {
    reason: 'nobody began to sign in with this browser, or too long ago',
  });
}

/**
 * A page that goes on to another one. A redirect would not do: the browser came here from the provider, and holds a
 * cookie that is SameSite=Strict back until a page of this server leads on.
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
    // Whatever comes of it, it is used up.
    visitors.clearFlow(reply);
    const at = request.url.indexOf('?');
    const { secret } = await oidc.finish(at < 0 ? '' : request.url.slice(at), flow);
    visitors.setCookie(reply, secret);
    return reply.type('text/html; charset=utf-8').send(onwards(OWN_PAGE.test(to) ? to : HOME));
  });
}
