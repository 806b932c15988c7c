/** Accounts: the passwords of printers and operators, from the database. The broker checks every CONNECT here. */
import type { Identity, Principal, Credentials as Shown } from '../../broker/access/identity.ts';
import { enrolmentOf, hashPassword, makePassword, PasswordChecker } from '../../broker/access/passwords.ts';
import { PlatenError } from '../../schemas/errors.ts';
import type { Role } from '../../schemas/roles.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Accounts, PutUser } from '../queries.ts';
import type { Credential, Credentials } from './credential-store.ts';

/** The most printers that one error message names. */
const ENROLLED_NAMED_MAX = 5;

export class StoredAccounts implements Accounts, Identity {
  readonly takesTurns = true;
  readonly #store: Credentials;
  readonly #checker = new PasswordChecker();
  /** Recently used credentials, least recently used first, so that a reconnect storm looks up each printer once. */
  readonly #known = new Map<string, Credential>();
  /** Changes of rights since the start. */
  #changes = 0;
  #enrolled: (printers: readonly string[]) => void = () => undefined;
  readonly #revoked = new Set<(name: string, enrolment: string | undefined) => void>();

  constructor(store: Credentials) {
    this.#store = store;
  }

  /** Ends the connections of an account whose rights changed, and those with certificates of an earlier enrolment. */
  onRevoked(listener: (name: string, enrolment: string | undefined) => void): void {
    this.#revoked.add(listener);
  }

  /** Called with newly enrolled printers before their passwords are handed out. */
  onEnrolled(listener: (printers: readonly string[]) => void): void {
    this.#enrolled = listener;
  }

  /** What this printer's certificates are bound to; undefined when it isn't enrolled. */
  async enrolmentOf(printer: string): Promise<string | undefined> {
    const credential = await this.#find(printer);
    return credential?.role === 'printer' ? enrolmentOf(credential.hash) : undefined;
  }

  /**
   * Preloads as many credentials as the cache holds: after a restart the whole fleet connects at once and should not
   * wait for the database.
   */
  async readAhead(): Promise<void> {
    for (const credential of await this.#store.first(CENTER_LIMITS.accounts_remembered_max)) {
      this.#known.set(credential.name, credential);
    }
  }

  async authenticate({
    username,
    password,
    certificateName,
    certificateEnrolment,
    turn,
  }: Shown): Promise<Principal | undefined> {
    const name = certificateName ?? username;
    if (name === undefined) return undefined;
    const credential = await this.#find(name);
    if (certificateName !== undefined) {
      // The certificate proves the identity. The printer must still be enrolled, under the enrolment the certificate
      // was issued for.
      if (credential?.role !== 'printer') return undefined;
      if (username !== undefined && username !== certificateName) return undefined;
      const enrolment = enrolmentOf(credential.hash);
      const holds = certificateEnrolment === undefined || certificateEnrolment === enrolment;
      return holds ? { name, role: credential.role, enrolment } : undefined;
    }
    if (password === undefined) return undefined;
    const right = credential
      ? await this.#checker.check(credential.hash, password, turn)
      : await this.#checker.pretend(password, turn);
    if (!right || !credential) return undefined;
    return { name, role: credential.role, enrolment: enrolmentOf(credential.hash) };
  }

  async #find(name: string): Promise<Credential | undefined> {
    let credential = this.#known.get(name);
    if (credential) {
      this.#known.delete(name);
    } else {
      let before: number;
      do {
        before = this.#changes;
        credential = await this.#store.find(name);
        // The account changed during the query, so the result may be stale.
      } while (before !== this.#changes);
      if (!credential || credential.revokedAt !== undefined) return undefined;
    }
    this.#remember(credential);
    return credential;
  }

  #remember(credential: Credential): void {
    if (this.#known.size >= CENTER_LIMITS.accounts_remembered_max) {
      this.#known.delete(this.#known.keys().next().value as string);
    }
    this.#known.set(credential.name, credential);
  }

  async enroll(printers: string[], again = false): Promise<{ printer: string; password: string }[]> {
    const enrolled: string[] = [];
    for (const { name, role, revokedAt } of (await this.#store.findMany(printers)).values()) {
      if (role !== 'printer') {
        throw new PlatenError('request/conflict', { reason: `"${name}" is the name of an operator` });
      }
      if (revokedAt === undefined) enrolled.push(name);
    }
    if (enrolled.length > 0 && !again) {
      const more = enrolled.length - ENROLLED_NAMED_MAX;
      const named = enrolled.sort().slice(0, ENROLLED_NAMED_MAX).join(', ');
      throw new PlatenError('request/enrolled', { printers: more > 0 ? `${named} and ${more} more` : named });
    }
    const made = await Promise.all(
      printers.map(async (printer) => {
        const password = makePassword();
        return { printer, password, hash: await hashPassword(password, 'generated') };
      }),
    );
    await this.#store.putPrinters(made.map(({ printer, hash }) => ({ name: printer, hash })));
    for (const { printer, hash } of made) {
      this.#changed(printer, enrolmentOf(hash));
      // A printer usually connects soon after it was enrolled.
      this.#remember({ name: printer, role: 'printer', hash });
    }
    this.#enrolled(printers);
    return made.map(({ printer, password }) => ({ printer, password }));
  }

  async revoke(name: string): Promise<boolean> {
    const revoked = await this.#store.revoke(name);
    this.#changed(name, undefined);
    return revoked;
  }

  #changed(name: string, enrolment: string | undefined): void {
    this.#changes += 1;
    this.#known.delete(name);
    for (const listener of this.#revoked) listener(name, enrolment);
  }

  /**
   * Creates or changes an operator's account. Returns the password when a new one was set. An existing account keeps
   * its password unless one is given or requested, and keeps its connections unless something changes.
   * @param later ends the connections of an account that changed itself, after the reply was sent
   * @throws PlatenError request/conflict
   */
  async putUser(
    name: string,
    role: Exclude<Role, 'printer'>,
    { password, newPassword = false, later }: PutUser = {},
  ): Promise<string | undefined> {
    const known = await this.#store.find(name);
    const valid = known?.revokedAt === undefined ? known : undefined;
    if (valid?.role === 'printer') {
      throw new PlatenError('request/conflict', { reason: `"${name}" is the name of a printer` });
    }
    const shown = password ?? (newPassword || !valid ? makePassword() : undefined);
    if (shown === undefined && valid?.role === role) return undefined;
    const hash =
      shown === undefined
        ? undefined
        : await hashPassword(shown, password === undefined ? 'generated' : 'chosen');
    await this.#store.putUser(name, role, hash ?? valid?.hash ?? '');
    if (later) {
      this.#known.delete(name);
      later(() => this.#changed(name, undefined));
    } else this.#changed(name, undefined);
    return shown;
  }

  /** Another process changed this account: reload it and end its connections. */
  forget(name: string): void {
    this.#changed(name, undefined);
  }

  async listUsers(): Promise<{ name: string; role: Role }[]> {
    return (await this.#store.listUsers()).map(({ name, role }) => ({ name, role }));
  }

  async roleOf(name: string): Promise<Role | undefined> {
    return (await this.#find(name))?.role;
  }

  /** Whether this is a printer, including one with revoked credentials: operators must still see it as gone. */
  async isPrinter(name: string): Promise<boolean> {
    const credential = this.#known.get(name) ?? (await this.#store.find(name));
    return credential?.role === 'printer';
  }
}
