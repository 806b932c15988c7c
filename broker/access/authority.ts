/**
 * The product's own certificate authority, in a folder:
 *
 *   ca.pem, ca-key.pem            created at first use; only ca-key.pem must be kept secret and backed up
 *   server.pem, server-key.pem    renewed at startup when they expire soon
 *   issued.json                   every client certificate: serial, name, enrolment, expiry and revocation time
 *
 * Private keys of clients are handed out once and not kept. A revocation takes effect at the next handshake; a listener
 * of `onRevoked` ends live connections.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readWholeJson, readWholePem, writeWholeSync } from '../../files/whole-file.ts';
import { withLockSync } from '../../files/with-lock.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { type Issued, issueLeaf, makeAuthority } from './certificates.ts';

const DAY_MS = 86_400_000;
/** Common TLS stacks accept at most 397 days from a server. */
const LEAF_MS = 397 * DAY_MS;
const AUTHORITY_MS = 20 * 365 * DAY_MS;
/** A server certificate with less validity left is renewed. */
const RENEW_MS = 30 * DAY_MS;
const WATCH_MS = 1_000;

/** One issued client certificate. */
export interface Entry {
  serial: string;
  name: string;
  /** RFC 3339. */
  notAfter: string;
  /**
   * The enrolment it was issued for (`enrolmentOf` in passwords.ts); it is valid for no other. Missing in old
   * certificates.
   */
  enrolment?: string;
  revokedAt?: string;
}

interface Server {
  key: string;
  cert: string;
}

const AUTHORITY_LOST =
  'Restore the folder from a copy. Without one, move it away: the next start makes a new authority, and every client certificate has to be issued again.';
const ISSUED_LOST =
  'Restore it from a copy: it says which certificates were issued and which of them were revoked. Without one, move the whole folder away; every client certificate then has to be issued again.';

/** Undefined for a damaged file. Only for files that can be created again. */
function unlessDamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof PlatenError && error.code === 'file/damaged') return undefined;
    throw error;
  }
}

function expiryOf(pem: string): number {
  return Date.parse(new X509Certificate(pem).validTo);
}

export class Authority {
  readonly #folder: string;
  readonly #now: () => number;
  #entries = new Map<string, Entry>();
  #byName = new Map<string, Entry[]>();
  /** The inode, time and size of the file that was read. Two writes can have the same time. */
  #readFrom = '';
  #watch: NodeJS.Timeout | undefined;
  #failed: (error: unknown) => void = () => undefined;
  /** The list existed before, so a missing one is lost. Older versions created it only with the first certificate. */
  #hasList = false;
  /** The last fault that was reported. */
  #fault = '';

  private constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  /**
   * Opens the authority in `folder`, creating it if there is none.
   * @throws PlatenError file/damaged, file/denied
   */
  static async open(folder: string, now: () => number): Promise<Authority> {
    const authority = new Authority(folder, now);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!existsSync(join(folder, 'ca-key.pem'))) {
      const { certificate, key } = await makeAuthority('Platen authority', now(), AUTHORITY_MS);
      writeWholeSync(join(folder, 'ca.pem'), certificate);
      writeWholeSync(join(folder, 'issued.json'), '[]');
      // Written last: after an interrupted start everything is created again.
      writeWholeSync(join(folder, 'ca-key.pem'), key);
    }
    // Reports a damaged key at startup and not at the first certificate.
    authority.#keys();
    authority.#read();
    return authority;
  }

  /** The authority's certificate, PEM, by which clients verify the server. */
  get certificate(): string {
    return this.#pem('ca.pem');
  }

  /** When the authority's and the server's certificate expire, in milliseconds since the epoch. */
  expiries(): Record<'authority' | 'server', number> {
    return { authority: expiryOf(this.certificate), server: expiryOf(this.#pem('server.pem')) };
  }

  /** The file of that certificate. */
  get certificateFile(): string {
    return join(this.#folder, 'ca.pem');
  }

  #pem(name: string): string {
    const file = join(this.#folder, name);
    const text = readWholePem(file, AUTHORITY_LOST);
    if (text === undefined)
      throw new PlatenError('file/damaged', { file, reason: 'it is missing', hint: AUTHORITY_LOST });
    return text;
  }

  #keys(): { certificate: string; key: string } {
    return { certificate: this.certificate, key: this.#pem('ca-key.pem') };
  }

  /** The server's certificate. It is renewed when it expires soon or when the hosts changed. */
  async server(hosts: string[]): Promise<Server> {
    const note = join(this.#folder, 'server.json');
    // A damaged one is treated as missing: nobody depends on the old certificate.
    const known = unlessDamaged(
      () => readWholeJson(note, '') as { notAfter: string; hosts: string[] } | undefined,
    );
    const saved = (name: string) => unlessDamaged(() => readWholePem(join(this.#folder, name), ''));
    const key = saved('server-key.pem');
    const cert = saved('server.pem');
    if (
      key !== undefined &&
      cert !== undefined &&
      known !== undefined &&
      Date.parse(known.notAfter) - this.#now() > RENEW_MS &&
      hosts.every((host) => known.hosts.includes(host))
    ) {
      return { key, cert };
    }
    const [name = 'localhost'] = hosts;
    const made = await issueLeaf(this.#keys(), {
      name,
      usage: 'server',
      hosts,
      nowMs: this.#now(),
      validMs: LEAF_MS,
    });
    writeWholeSync(join(this.#folder, 'server-key.pem'), made.key);
    writeWholeSync(join(this.#folder, 'server.pem'), made.certificate);
    writeWholeSync(note, JSON.stringify({ notAfter: made.notAfter.toISOString(), hosts }));
    return { key: made.key, cert: made.certificate };
  }

  /**
   * Issues a client certificate with the printer's id as its common name, for its current enrolment. Older ones stay
   * valid until they are revoked.
   * @throws PlatenError file/busy, file/damaged
   */
  async issue(name: string, enrolment?: string): Promise<Issued> {
    this.#read();
    const issued = await issueLeaf(this.#keys(), {
      name,
      usage: 'client',
      nowMs: this.#now(),
      validMs: LEAF_MS,
    });
    const entry: Entry = {
      serial: issued.serial,
      name,
      notAfter: issued.notAfter.toISOString(),
      ...(enrolment === undefined ? {} : { enrolment }),
    };
    this.#change((entries) => [...entries, entry]);
    return issued;
  }

  /** Revokes one certificate by its serial, or all certificates of a name. Returns those that were valid. */
  revoke(nameOrSerial: string): Entry[] {
    const serial = nameOrSerial.toLowerCase();
    return this.#revokeWhere((entry) => entry.serial === serial || entry.name === nameOrSerial);
  }

  /**
   * Revokes the certificates of a name except those of its current enrolment: after it was enrolled again, or after its
   * account was removed (`enrolment` undefined). Writes nothing when there are none.
   */
  revokeEarlier(name: string, enrolment: string | undefined): Entry[] {
    const earlier = (entry: Entry) =>
      entry.name === name && (enrolment === undefined || entry.enrolment !== enrolment);
    this.#read();
    const some = this.#byName.get(name)?.some((entry) => entry.revokedAt === undefined && earlier(entry));
    return some ? this.#revokeWhere(earlier) : [];
  }

  #revokeWhere(chosen: (entry: Entry) => boolean): Entry[] {
    const revokedAt = new Date(this.#now()).toISOString();
    const revoked: Entry[] = [];
    this.#change((entries) => {
      const next = entries.map((entry) => {
        if (entry.revokedAt !== undefined || !chosen(entry)) return entry;
        revoked.push(entry);
        return { ...entry, revokedAt };
      });
      return revoked.length > 0 ? next : undefined;
    });
    return revoked;
  }

  /** Changes the list under a lock, because two processes that write at once would lose a change. */
  #change(edit: (entries: Entry[]) => Entry[] | undefined): void {
    withLockSync(join(this.#folder, 'issued.json'), () => {
      this.#read();
      const next = edit([...this.#entries.values()]);
      if (next) this.#write(next);
    });
  }

  /** The enrolment of a certificate; undefined for an old one without it. */
  readonly enrolmentOf = (serial: string): string | undefined =>
    this.#entries.get(serial.toLowerCase())?.enrolment;

  list(): Entry[] {
    this.#read();
    return [...this.#entries.values()];
  }

  /** Whether a certificate is revoked or unknown to this authority. */
  readonly isRevoked = (serial: string): boolean => {
    this.#look();
    const entry = this.#entries.get(serial.toLowerCase());
    return entry === undefined || entry.revokedAt !== undefined;
  };

  /** Calls back with the name of each certificate that is revoked, by any process, until `close`. */
  onRevoked(listener: (name: string) => void): void {
    const revoked = () => [...this.#entries.values()].filter((entry) => entry.revokedAt !== undefined);
    this.#read();
    const reported = new Set(revoked().map(({ serial }) => serial));
    let seen = this.#readFrom;
    this.#watch = setInterval(() => {
      // A handshake may have read the file already, so this compares with what was reported.
      this.#look();
      if (this.#readFrom === seen) return;
      seen = this.#readFrom;
      for (const { serial, name } of revoked()) {
        if (reported.has(serial)) continue;
        reported.add(serial);
        listener(name);
      }
    }, WATCH_MS);
    this.#watch.unref();
  }

  /** Calls back when the list can't be read. Until it can, the last known list applies. */
  onFailed(listener: (error: unknown) => void): void {
    this.#failed = listener;
    if (!this.#hasList) listener(this.#missing());
  }

  #missing(): PlatenError {
    return new PlatenError('file/damaged', {
      file: join(this.#folder, 'issued.json'),
      reason: 'it is missing, and without it no certificate of a client is accepted',
      hint: `${ISSUED_LOST} If none was ever issued, write [] into it.`,
    });
  }

  close(): void {
    clearInterval(this.#watch);
  }

  /** `#read` for handshakes and the watch, where a damaged list must not end the process. */
  #look(): void {
    try {
      this.#read();
      this.#fault = '';
    } catch (error) {
      const fault = reasonOf(error);
      if (fault !== this.#fault) this.#failed(error);
      this.#fault = fault;
    }
  }

  /** Reads the list again if the file changed. Returns whether it did. */
  #read(): boolean {
    const file = join(this.#folder, 'issued.json');
    if (!existsSync(file)) {
      if (this.#hasList) throw this.#missing();
      return false;
    }
    this.#hasList = true;
    const { ino, mtimeMs, size } = statSync(file);
    const from = `${ino} ${mtimeMs} ${size}`;
    if (from === this.#readFrom) return false;
    const entries = readWholeJson(file, ISSUED_LOST);
    if (!Array.isArray(entries))
      throw new PlatenError('file/damaged', { file, reason: 'it is no list', hint: ISSUED_LOST });
    this.#entries = new Map((entries as Entry[]).map((entry) => [entry.serial, entry]));
    this.#byName = new Map();
    for (const entry of this.#entries.values()) {
      const same = this.#byName.get(entry.name);
      if (same) same.push(entry);
      else this.#byName.set(entry.name, [entry]);
    }
    this.#readFrom = from;
    return true;
  }

  /** Writes only the file. The list in memory is read back from it, so the watch sees every change. */
  #write(entries: Entry[]): void {
    writeWholeSync(join(this.#folder, 'issued.json'), JSON.stringify(entries));
  }
}
