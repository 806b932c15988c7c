/**
 * Credentials in a file, for a broker that runs without a center: `credentials.json` in the data folder, mode 0600,
 * replaced as a whole. It is read again when it changes, so that live connections end when rights are withdrawn.
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { readWholeJson, writeWholeSync } from '../../files/whole-file.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { ROLES, type Role } from '../../schemas/roles.ts';
import type { Credentials, Identity, Principal } from './identity.ts';
import { enrolmentOf, PasswordChecker } from './passwords.ts';

interface Entry {
  name: string;
  role: Role;
  hash: string;
}

/** How often the file is checked for changes. */
const LOOK_MS = 2_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const MEND =
  'Restore it from a copy, or remove it and admin.json: the next start makes a new administrator, and printers need new passwords (platen broker add).';

function invalid(file: string, reason: string): PlatenError {
  return new PlatenError('setting/invalid', { name: file, reason, hint: MEND });
}

/** Reads the file; a missing one is empty. @throws PlatenError setting/invalid */
function read(file: string): Map<string, Entry> {
  const document = readWholeJson(file, MEND);
  if (document === undefined) return new Map();
  try {
    const { credentials } = document as { credentials: Entry[] };
    return new Map(
      credentials.map(({ name, role, hash }) => {
        if (!NAME.test(name) || !ROLES.includes(role) || typeof hash !== 'string') {
          throw new Error(`the entry "${name}" is wrong`);
        }
        return [name, { name, role, hash }];
      }),
    );
  } catch (error) {
    throw invalid(file, reasonOf(error));
  }
}

/** Called with a name whose credential was changed or removed. */
export type Changed = (name: string) => void;

export class CredentialFile implements Identity {
  readonly takesTurns = true;
  readonly #file: string;
  readonly #checker = new PasswordChecker();
  #entries: Map<string, Entry>;
  #watching: NodeJS.Timeout | undefined;
  #stamp = '';

  /** @throws PlatenError setting/invalid */
  constructor(file: string) {
    this.#file = file;
    this.#entries = read(file);
    this.#stamp = this.#stampOf();
  }

  get size(): number {
    return this.#entries.size;
  }

  async authenticate(credentials: Credentials): Promise<Principal | undefined> {
    const { username, password, certificateName, certificateEnrolment, turn } = credentials;
    if (certificateName !== undefined && (username === undefined || username === certificateName)) {
      // A certificate is valid as long as its printer has an entry here.
      const entry = this.#entries.get(certificateName);
      if (entry?.role !== 'printer') return undefined;
      const enrolment = enrolmentOf(entry.hash);
      const holds = certificateEnrolment === undefined || certificateEnrolment === enrolment;
      return holds ? { name: entry.name, role: entry.role, enrolment } : undefined;
    }
    if (username === undefined || password === undefined) return undefined;
    const entry = this.#entries.get(username);
    const right = entry
      ? await this.#checker.check(entry.hash, password, turn)
      : await this.#checker.pretend(password, turn);
    if (!right || !entry) return undefined;
    return { name: entry.name, role: entry.role, enrolment: enrolmentOf(entry.hash) };
  }

  /** The enrolment that certificates of this printer are bound to; undefined when it is not a printer. */
  enrolmentOf(name: string): string | undefined {
    const entry = this.#entries.get(name);
    return entry?.role === 'printer' ? enrolmentOf(entry.hash) : undefined;
  }

  /** Sets a credential. @throws PlatenError setting/invalid for an invalid name */
  put(name: string, role: Role, hash: string): void {
    if (!NAME.test(name)) throw invalid('name', `"${name}" is not [A-Za-z0-9][A-Za-z0-9._-]{0,63}`);
    this.#entries.set(name, { name, role, hash });
    this.#save();
  }

  /** Removes a credential. Returns false when there was none. */
  remove(name: string): boolean {
    const known = this.#entries.delete(name);
    if (known) this.#save();
    return known;
  }

  /** Follows changes by other processes. While the file can't be read, nothing changes. */
  watch(changed: Changed, failed: (error: unknown) => void): void {
    this.#watching = setInterval(() => {
      const stamp = this.#stampOf();
      if (stamp === this.#stamp) return;
      this.#stamp = stamp;
      try {
        const before = this.#entries;
        this.#entries = read(this.#file);
        for (const [name, entry] of before) {
          const now = this.#entries.get(name);
          if (now?.hash !== entry.hash || now.role !== entry.role) changed(name);
        }
      } catch (error) {
        failed(error);
      }
    }, LOOK_MS);
    this.#watching.unref();
  }

  unwatch(): void {
    clearInterval(this.#watching);
  }

  #stampOf(): string {
    try {
      const { mtimeMs, size, ino } = statSync(this.#file);
      return `${mtimeMs}:${size}:${ino}`;
    } catch {
      return '';
    }
  }

  #save(): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    const text = JSON.stringify({ credentials: [...this.#entries.values()] }, null, 2);
    writeWholeSync(this.#file, `${text}\n`);
    this.#stamp = this.#stampOf();
  }
}
