/**
 * Who may connect: printers and operators with their passwords, in the store. The broker asks here at every CONNECT.
 */
import type { Identity, Principal, Credentials as Shown } from '../../broker/access/identity.ts';
import { enrolmentOf, hashPassword, makePassword, PasswordChecker } from '../../broker/access/passwords.ts';
import { PlatenError } from '../../schemas/errors.ts';
import type { Role } from '../../schemas/roles.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Accounts, PutUser } from '../queries.ts';
import type { Credential, Credentials } from './credential-store.ts';

/** Printers that an error names. */
const ENROLLED_NAMED_MAX = 5;

export class StoredAccounts implements Accounts, Identity {
  readonly takesTurns = true;
  readonly #store: Credentials;
  readonly #checker = new PasswordChecker();
  /** Credentials read lately, least recently used first: a reconnect storm asks for each printer once. */
  readonly #known = new Map<string, Credential>();
  /** How often rights changed since the start. */
  #changes = 0;
  #enrolled: (printers: readonly string[]) => void = () => undefined;
  readonly #revoked = new Set<(name: string, enrolment: string | undefined) => void>();

  constructor(store: Credentials) {
    this.#store = store;
  }

  /** Who ends the connections of somebody whose rights changed, and the certificates of other enrolments. */
  onRevoked(listener: (name: string, enrolment: string | undefined) => void): void {
    this.#revoked.add(listener);
  }

  /** Who wants to know which printers were enrolled, before their passwords are told. */
  onEnrolled(listener: (printers: readonly string[]) => void): void {
    this.#enrolled = listener;
  }

  /** What certificates of this printer are bound to; undefined when it is not enrolled. */
  async enrolmentOf(printer: string): Promise<string | undefined> {
    const credential = await this.#find(printer);
    return credential?.role === 'printer' ? enrolmentOf(credential.hash) : undefined;
  }

  /**
   * Reads credentials ahead, as many as are remembered: after a start a whole fleet connects at once, and none of it
   * should wait for the database.
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
      // The certificate proves who it is. It still has to be a printer, in the enrolment that it was issued for.
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
        // Taken away or renewed while it was read: what was read may be what was there before.
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
      // Whoever is enrolled connects soon.
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
   * Makes an operator's account or changes it; gives the password where it is a new one. An account that is there keeps
   * its password unless one is given or asked for, and its connections unless something changes.
   * @param later ends the connections of somebody who changes the own account, after the reply
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

  /** Another process changed this account: it is read again, and its connections end. */
  forget(name: string): void {
    this.#changed(name, undefined);
  }

  async listUsers(): Promise<{ name: string; role: Role }[]> {
    return (await this.#store.listUsers()).map(({ name, role }) => ({ name, role }));
  }

  async roleOf(name: string): Promise<Role | undefined> {
    return (await this.#find(name))?.role;
  }

  /** Whether it is a printer, one whose credentials were revoked included: it still has to be shown as gone. */
  async isPrinter(name: string): Promise<boolean> {
    const credential = this.#known.get(name) ?? (await this.#store.find(name));
    return credential?.role === 'printer';
  }
}
