/**
 * OpenID Connect client: authorization code flow with PKCE, state and nonce. Discovery runs at the first sign-in, so
 * the center can start while the provider is down.
 */
import * as openid from 'openid-client';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { type Claims, hasClaim } from './oidc-roles.ts';

export interface OidcProvider {
  issuer: string;
  clientId: string;
  /** Undefined for a public client. */
  clientSecret: string | undefined;
  scope: string;
  /** The redirect URI, exactly as registered at the provider. */
  redirectUri: string;
  /** Where the provider redirects to after signing out. */
  homeUri: string;
  /** Required claims. Those missing from the ID token are requested from the userinfo endpoint. */
  claims: readonly string[];
}

/** State kept between the redirect to the provider and the callback. */
export interface OidcFlow {
  state: string;
  nonce: string;
  verifier: string;
}

/** Errors that mean a faulty provider or callback. All others mean that the provider is unreachable. */
const REFUSALS = ['AuthorizationResponseError', 'ResponseBodyError', 'WWWAuthenticateChallengeError'];

function refusalOf(error: unknown): PlatenError {
  if (error instanceof PlatenError) return error;
  const {
    name,
    code,
    error_description: described,
  } = error as {
    name?: string;
    code?: string;
    error_description?: string;
  };
  const reason = described ?? reasonOf(error);
  const refused =
    REFUSALS.includes(name ?? '') || (code?.startsWith('OAUTH_') === true && code !== 'OAUTH_TIMEOUT');
  return new PlatenError(refused ? 'oidc/refused' : 'oidc/unavailable', { reason }, { cause: error });
}

export class OidcClient {
  readonly provider: OidcProvider;
  readonly #now: () => number;
  #found: { config: Promise<openid.Configuration>; at_ms: number } | undefined;

  /** @param now milliseconds since the epoch */
  constructor(provider: OidcProvider, now: () => number) {
    this.provider = provider;
    this.#now = now;
  }

  /** The provider's metadata. @throws PlatenError oidc/unavailable */
  #config(): Promise<openid.Configuration> {
    const { issuer, clientId, clientSecret } = this.provider;
    const at_ms = this.#now();
    if (this.#found && at_ms - this.#found.at_ms < CENTER_LIMITS.oidc_kept_ms) return this.#found.config;
    const server = new URL(issuer);
    // Plain HTTP only on loopback; the settings enforce that.
    const execute = server.protocol === 'http:' ? [openid.allowInsecureRequests] : [];
    const how = clientSecret === undefined ? openid.None() : openid.ClientSecretBasic(clientSecret);
    const config = openid.discovery(server, clientId, undefined, how, {
      execute,
      timeout: CENTER_LIMITS.oidc_answer_ms_max / 1_000,
    });
    const found = { config, at_ms };
    this.#found = found;
    // Forget a failure, so that the next sign-in tries again.
    config.catch(() => {
      if (this.#found === found) this.#found = undefined;
    });
    return config;
  }

  /** The provider's URL to send a person to who signs in. @throws PlatenError oidc/unavailable */
  async begin(): Promise<{ url: URL; flow: OidcFlow }> {
    const { scope, redirectUri } = this.provider;
    const flow = {
      state: openid.randomState(),
      nonce: openid.randomNonce(),
      verifier: openid.randomPKCECodeVerifier(),
    };
    try {
      const url = openid.buildAuthorizationUrl(await this.#config(), {
        redirect_uri: redirectUri,
        scope,
        response_type: 'code',
        code_challenge: await openid.calculatePKCECodeChallenge(flow.verifier),
        code_challenge_method: 'S256',
        state: flow.state,
        nonce: flow.nonce,
      });
      return { url, flow };
    } catch (error) {
      throw new PlatenError('oidc/unavailable', { reason: reasonOf(error) }, { cause: error });
    }
  }

  /**
   * The claims about the person whom the provider redirected back.
   * @param query of the callback, with `code` and `state`
   * @throws PlatenError oidc/refused, oidc/unavailable
   */
  async finish(query: string, { state, nonce, verifier }: OidcFlow): Promise<Claims & { sub: string }> {
    const url = new URL(this.provider.redirectUri);
    url.search = query;
    try {
      const config = await this.#config();
      const tokens = await openid.authorizationCodeGrant(config, url, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (!claims) throw new PlatenError('oidc/refused', { reason: 'it returned no ID token' });
      const missing = this.provider.claims.some((claim) => !hasClaim(claims, claim));
      if (!missing || config.serverMetadata().userinfo_endpoint === undefined) return claims;
      return { ...(await openid.fetchUserInfo(config, tokens.access_token, claims.sub)), ...claims };
    } catch (error) {
      throw refusalOf(error);
    }
  }

  /** The provider's end-session URL; undefined when it has none. */
  async endSessionUrl(): Promise<URL | undefined> {
    try {
      const config = await this.#config();
      if (config.serverMetadata().end_session_endpoint === undefined) return undefined;
      return openid.buildEndSessionUrl(config, { post_logout_redirect_uri: this.provider.homeUri });
    } catch (error) {
      throw refusalOf(error);
    }
  }
}
