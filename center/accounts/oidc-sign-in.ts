/** Sign-in with OpenID Connect: the provider says who a person is, the settings say which role that gives. */
import type { Logger } from 'pino';
import { hashPassword, makePassword } from '../../broker/access/passwords.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type { Audit } from '../database/audit-store.ts';
import type { StoredAccounts } from './accounts.ts';
import { OidcClient, type OidcFlow, type OidcProvider } from './oidc-client.ts';
import { nameOfClaims, type RoleRule, roleOfClaims } from './oidc-roles.ts';
import type { OidcPeople } from './oidc-store.ts';
import type { SignIn, Visitor } from './sign-in.ts';

export interface OidcSettings extends Omit<OidcProvider, 'claims'> {
  /** Names of the claims for the account name and for the role. */
  nameClaim: string;
  roleClaim: string;
  roles: readonly RoleRule[];
}

export interface OidcParts {
  settings: OidcSettings;
  people: OidcPeople;
  accounts: StoredAccounts;
  signIn: SignIn;
  audit: Pick<Audit, 'add'>;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** The author recorded for changes that follow from claims. */
const AUTHOR = { actor: 'openid-connect', role: 'center' } as const;

export class OidcSignIn {
  readonly #parts: OidcParts;
  readonly #client: OidcClient;

  constructor(parts: OidcParts) {
    this.#parts = parts;
    const { nameClaim, roleClaim, roles: _roles, ...provider } = parts.settings;
    this.#client = new OidcClient({ ...provider, claims: [nameClaim, roleClaim] }, parts.now);
  }

  /** The provider's URL to send a person to who signs in. @throws PlatenError oidc/unavailable */
  begin(): Promise<{ url: URL; flow: OidcFlow }> {
    return this.#client.begin();
  }

  /**
   * Begins a session for the person whom the provider redirected back.
   * @throws PlatenError oidc/refused, oidc/unavailable, oidc/no-role, oidc/removed, oidc/name-taken
   */
  async finish(query: string, flow: OidcFlow): Promise<{ secret: string; visitor: Visitor }> {
    const { settings, people, accounts, signIn, audit, log, now } = this.#parts;
    const claims = await this.#client.finish(query, flow);
    const person = { issuer: settings.issuer, subject: claims.sub };
    const role = roleOfClaims(claims, settings.roleClaim, settings.roles);
    if (role === undefined) {
      await this.#lose(person);
      throw new PlatenError('oidc/no-role', { claim: settings.roleClaim });
    }
    const wished = nameOfClaims(claims, settings.nameClaim);
    const hash = await hashPassword(makePassword(), 'generated');
    const entered = await people.enter(person, wished, role, hash, new Date(now()));
    const { name } = entered;
    if (entered.outcome !== 'in') {
      throw new PlatenError(entered.outcome === 'taken' ? 'oidc/name-taken' : 'oidc/removed', { name });
    }
    if (entered.changed) {
      accounts.forget(name);
      await audit.add({ ...AUTHOR, method: 'users.put', params: { name, role, ...person }, outcome: 'ok' });
      log.info({ name, role }, 'an account got its role from the OpenID provider');
    }
    return signIn.begin(name, role, 'oidc');
  }

  async #lose(person: { issuer: string; subject: string }): Promise<void> {
    const { people, accounts, audit, log } = this.#parts;
    const name = await people.lose(person);
    if (name === undefined) return;
    accounts.forget(name);
    await audit.add({ ...AUTHOR, method: 'users.remove', params: { name, ...person }, outcome: 'ok' });
    log.info({ name }, 'an account ended: the OpenID provider gives it no role');
  }

  /** The provider's end-session URL. The provider may be down: the local session has ended either way. */
  async endSessionUrl(): Promise<string | undefined> {
    try {
      return (await this.#client.endSessionUrl())?.href;
    } catch (error) {
      this.#parts.log.warn(
        { reason: reasonOf(error) },
        'the sign-out page of the OpenID provider is unknown',
      );
      return undefined;
    }
  }
}
