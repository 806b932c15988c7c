/**
 * The product's own certificate authority: it issues the certificate of the TLS listener and those that printers show
 * instead of a password, renews and revokes them. Keys are ECDSA P-256. What was issued is kept beside the
 * authority's key, in the folder of the data that only its owner can read; a certificate that isn't in that list is
 * as good as revoked.
 */
import { randomBytes, webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { PlatenError } from '../schemas/errors.ts';
import { PRINTER_ID } from '../schemas/topics.ts';

type Key = webcrypto.CryptoKey;

cryptoProvider.set(webcrypto);

const KEYS = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const DAY_MS = 24 * 3600 * 1000;
const AUTHORITY_DAYS = 3_650;
const SERVER_DAYS = 397;
const PRINTER_DAYS = 365;
/** Clocks of printers are wrong: a certificate is valid a little before it was made. */
const BACKDATE_MS = DAY_MS;
const SERIAL_BYTES = 16;

/** A certificate that was issued; times are RFC 3339. */
export interface Issued {
  serial: string;
  name: string;
  notAfter: string;
  revokedAt?: string;
}

/** Key and certificate in PEM. */
export interface KeyAndCertificate {
  key: string;
  cert: string;
  serial: string;
}

/** A positive serial number without leading zeros, so that it reads the same in every program. */
function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

async function exportKey(key: Key): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(KEYS, true, ['sign', 'verify']);
}

export class CertificateAuthority {
  readonly #folder: string;
  readonly #key: Key;
  readonly #certificate: X509Certificate;
  readonly #issued: Map<string, Issued>;

  private constructor(folder: string, key: Key, certificate: X509Certificate, issued: Issued[]) {
    this.#folder = folder;
    this.#key = key;
    this.#certificate = certificate;
    this.#issued = new Map(issued.map((one) => [one.serial, one]));
  }

  /** Opens the authority in `folder`, or makes one there. */
  static async open(folder: string): Promise<CertificateAuthority> {
    const files = {
      key: join(folder, 'ca.key'),
      cert: join(folder, 'ca.crt'),
      issued: join(folder, 'issued.json'),
    };
    if (!existsSync(files.key)) await CertificateAuthority.#create(folder, files);
    const [pkcs8] = PemConverter.decode(readFileSync(files.key, 'utf8'));
    const key = await webcrypto.subtle.importKey('pkcs8', pkcs8 as ArrayBuffer, KEYS, true, ['sign']);
    const certificate = new X509Certificate(readFileSync(files.cert, 'utf8'));
    const issued = existsSync(files.issued)
      ? (JSON.parse(readFileSync(files.issued, 'utf8')) as Issued[])
      : [];
    return new CertificateAuthority(folder, key, certificate, issued);
  }

  static async #create(folder: string, files: { key: string; cert: string }): Promise<void> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: newSerial(),
      name: 'CN=Platen printers',
      notBefore: new Date(Date.now() - BACKDATE_MS),
      notAfter: new Date(Date.now() + AUTHORITY_DAYS * DAY_MS),
      keys,
      signingAlgorithm: SIGNING,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    writeFileSync(files.cert, `${certificate.toString('pem')}\n`);
    writeFileSync(files.key, `${await exportKey(keys.privateKey)}\n`, { mode: 0o600 });
  }

  /** The authority's own certificate, PEM: what printers trust. */
  get certificate(): string {
    return this.#certificate.toString('pem');
  }

  /** A certificate for the TLS listener, valid for these host names and addresses. */
  issueServer(hosts: string[]): Promise<KeyAndCertificate> {
    const names = hosts.map((host) => ({
      type: isIP(host) ? ('ip' as const) : ('dns' as const),
      value: host,
    }));
    return this.#issue(hosts[0] ?? 'platen', SERVER_DAYS, ExtendedKeyUsage.serverAuth, [
      new SubjectAlternativeNameExtension(names),
    ]);
  }

  /** A certificate that proves to be that printer; one that it had stays valid until it is revoked or runs out. */
  issuePrinter(printer: string): Promise<KeyAndCertificate> {
    if (!PRINTER_ID.test(printer))
      throw new PlatenError('request/invalid', { reason: `"${printer}" is no printer id` });
    return this.#issue(printer, PRINTER_DAYS, ExtendedKeyUsage.clientAuth, []);
  }

  /** Revokes every certificate of a name, but for `except`. Returns how many there were. */
  revoke(name: string, except?: string): number {
    let count = 0;
    for (const one of this.#issued.values()) {
      if (one.name !== name || one.revokedAt !== undefined || one.serial === except) continue;
      one.revokedAt = new Date().toISOString();
      count++;
    }
    if (count > 0) this.#save();
    return count;
  }

  /** Gives a printer a new certificate and revokes those it had. */
  async renew(printer: string): Promise<KeyAndCertificate> {
    const next = await this.issuePrinter(printer);
    this.revoke(printer, next.serial);
    return next;
  }

  /** Whether a certificate with this serial number (hexadecimal) is not to be trusted any more. */
  isRevoked(serial: string): boolean {
    const one = this.#issued.get(serial.toLowerCase().replace(/^0+/, ''));
    return one === undefined || one.revokedAt !== undefined;
  }

  /** Everything that was issued and hasn't run out. */
  get issued(): Issued[] {
    return [...this.#issued.values()];
  }

  async #issue(
    name: string,
    days: number,
    usage: ExtendedKeyUsage,
    extensions: SubjectAlternativeNameExtension[],
  ): Promise<KeyAndCertificate> {
    const keys = await newKeys();
    const serial = newSerial();
    const notAfter = new Date(Date.now() + days * DAY_MS);
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial,
      subject: [{ CN: [name] }],
      issuer: this.#certificate.subject,
      notBefore: new Date(Date.now() - BACKDATE_MS),
      notAfter,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      signingAlgorithm: SIGNING,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([usage], false),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        await AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
        ...extensions,
      ],
    });
    this.#issued.set(serial, { serial, name, notAfter: notAfter.toISOString() });
    this.#save();
    return { key: await exportKey(keys.privateKey), cert: certificate.toString('pem'), serial };
  }

  #save(): void {
    const now = new Date().toISOString();
    // A certificate that ran out is refused by TLS itself.
    for (const one of this.#issued.values()) if (one.notAfter < now) this.#issued.delete(one.serial);
    const file = join(this.#folder, 'issued.json');
    writeFileSync(`${file}.next`, `${JSON.stringify([...this.#issued.values()], null, 1)}\n`, {
      mode: 0o600,
    });
    renameSync(`${file}.next`, file);
  }
}
