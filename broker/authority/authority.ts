/**
 * The product's own certificate authority, in a folder:
 *
 *   ca.pem, ca-key.pem            made at first use; ca-key.pem is all that has to be kept secret and backed up
 *   server.pem, server-key.pem    renewed at a start when little of it is left
 *   issued.json                   every client certificate: serial, name, until when, and when it was revoked
 *
 * Clients' private keys are given out once and not kept. A revocation holds at the next handshake, and whoever watches
 * (`onRevoked`) ends the live connections.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Issued, issueLeaf, makeAuthority } from './certificates.ts';

const DAY_MS = 86_400_000;
/** 397 days is the longest that common TLS stacks take from a server. */
const LEAF_MS = 397 * DAY_MS;
const AUTHORITY_MS = 20 * 365 * DAY_MS;
/** Renewed when less than this is left. */
const RENEW_MS = 30 * DAY_MS;
const WATCH_MS = 1_000;

/** One client certificate that was issued. */
export interface Entry {
  serial: string;
  name: string;
  /** RFC 3339. */
  notAfter: string;
  revokedAt?: string;
}

interface Server {
  key: string;
  cert: string;
}

function writePrivate(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export class Authority {
  readonly #folder: string;
  readonly #now: () => number;
  #entries = new Map<string, Entry>();
  /** Which file was read: its inode, time and size, because two writes can fall into one tick of the file's clock. */
  #readFrom = '';
  #watch: NodeJS.Timeout | undefined;

  private constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  /** Opens the authority in `folder`, making one when there is none. */
  static async open(folder: string, now: () => number): Promise<Authority> {
    const authority = new Authority(folder, now);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!existsSync(join(folder, 'ca-key.pem'))) {
      const { certificate, key } = await makeAuthority('Platen authority', now(), AUTHORITY_MS);
      writePrivate(join(folder, 'ca.pem'), certificate);
      writePrivate(join(folder, 'ca-key.pem'), key);
    }
    authority.#read();
    return authority;
  }

  /** The authority's certificate, PEM: what clients are given to know the server by. */
  get certificate(): string {
    return readFileSync(join(this.#folder, 'ca.pem'), 'utf8');
  }

  /** The file of it. */
  get certificateFile(): string {
    return join(this.#folder, 'ca.pem');
  }

  #keys(): { certificate: string; key: string } {
    return { certificate: this.certificate, key: readFileSync(join(this.#folder, 'ca-key.pem'), 'utf8') };
  }

  /** The server's certificate, renewed when little of it is left or when it is for other hosts. */
  async server(hosts: string[]): Promise<Server> {
    const note = join(this.#folder, 'server.json');
    const known = existsSync(note)
      ? (JSON.parse(readFileSync(note, 'utf8')) as { notAfter: string; hosts: string[] })
      : undefined;
    const fresh =
      known !== undefined &&
      Date.parse(known.notAfter) - this.#now() > RENEW_MS &&
      hosts.every((host) => known.hosts.includes(host));
    if (!fresh) {
      const [name = 'localhost'] = hosts;
      const { certificate, key, notAfter } = await issueLeaf(this.#keys(), {
        name,
        usage: 'server',
        hosts,
        now_ms: this.#now(),
        valid_ms: LEAF_MS,
      });
      writePrivate(join(this.#folder, 'server-key.pem'), key);
      writePrivate(join(this.#folder, 'server.pem'), certificate);
      writePrivate(note, JSON.stringify({ notAfter: notAfter.toISOString(), hosts }));
    }
    return {
      key: readFileSync(join(this.#folder, 'server-key.pem'), 'utf8'),
      cert: readFileSync(join(this.#folder, 'server.pem'), 'utf8'),
    };
  }

  /** Issues a client certificate with the printer's id as its common name. Its older ones stay valid until revoked. */
  async issue(name: string): Promise<Issued> {
    this.#read();
    const issued = await issueLeaf(this.#keys(), {
      name,
      usage: 'client',
      now_ms: this.#now(),
      valid_ms: LEAF_MS,
    });
    const entry: Entry = { serial: issued.serial, name, notAfter: issued.notAfter.toISOString() };
    this.#write([...this.#entries.values(), entry]);
    return issued;
  }

  /** Revokes one certificate by its serial, or all of a name; gives those that were valid. */
  revoke(nameOrSerial: string): Entry[] {
    this.#read();
    const revokedAt = new Date(this.#now()).toISOString();
    const revoked = [...this.#entries.values()].filter(
      ({ serial, name, revokedAt: before }) =>
        before === undefined && (serial === nameOrSerial.toLowerCase() || name === nameOrSerial),
    );
    if (revoked.length > 0) {
      this.#write(
        [...this.#entries.values()].map((entry) =>
          revoked.includes(entry) ? { ...entry, revokedAt } : entry,
        ),
      );
    }
    return revoked;
  }

  list(): Entry[] {
    this.#read();
    return [...this.#entries.values()];
  }

  /** Whether a certificate may not be used: revoked, or none that this authority knows of. */
  readonly isRevoked = (serial: string): boolean => {
    this.#read();
    const entry = this.#entries.get(serial.toLowerCase());
    return entry === undefined || entry.revokedAt !== undefined;
  };

  /** Tells names whose certificate was revoked, also by another process; until `close`. */
  onRevoked(listener: (name: string) => void): void {
    const revoked = () => [...this.#entries.values()].filter((entry) => entry.revokedAt !== undefined);
    this.#read();
    const told = new Set(revoked().map(({ serial }) => serial));
    let seen = this.#readFrom;
    this.#watch = setInterval(() => {
      // A handshake in between may have read the file already: what counts is what was told.
      this.#read();
      if (this.#readFrom === seen) return;
      seen = this.#readFrom;
      for (const { serial, name } of revoked()) {
        if (told.has(serial)) continue;
        told.add(serial);
        listener(name);
      }
    }, WATCH_MS);
    this.#watch.unref();
  }

  close(): void {
    clearInterval(this.#watch);
  }

  /** Reads what was issued when the file changed since; tells whether it did. */
  #read(): boolean {
    const file = join(this.#folder, 'issued.json');
    if (!existsSync(file)) return false;
    const { ino, mtimeMs, size } = statSync(file);
    const from = `${ino} ${mtimeMs} ${size}`;
    if (from === this.#readFrom) return false;
    const entries = JSON.parse(readFileSync(file, 'utf8')) as Entry[];
    this.#entries = new Map(entries.map((entry) => [entry.serial, entry]));
    this.#readFrom = from;
    return true;
  }

  /** Only the file is written: what is known is read from it, so that whoever watches sees every change alike. */
  #write(entries: Entry[]): void {
    writePrivate(join(this.#folder, 'issued.json'), JSON.stringify(entries));
  }
}
