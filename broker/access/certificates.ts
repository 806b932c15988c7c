/**
 * X.509 certificates (RFC 5280) of the product's own authority: ECDSA on P-256, one CA, server and client leaves.
 */
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

// The library's types are the browser's; Node's implementation is the same API.
type Provider = Parameters<typeof x509.cryptoProvider.set>[0];
x509.cryptoProvider.set(webcrypto as unknown as Provider);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const SERIAL_BYTES = 16;
/** Clocks differ, so a certificate is valid from a little before its creation. */
const BACKDATED_MS = 300_000;

/** A certificate and its private key, both PEM. */
export interface Issued {
  certificate: string;
  key: string;
  /** Hexadecimal, lower case, without leading zeros, as TLS shows it. */
  serial: string;
  notAfter: Date;
}

function makeSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  // A positive number without leading zeros (RFC 5280, 4.1.2.2), so that every program writes it the same way.
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function keyPair(): Promise<{ keys: webcrypto.CryptoKeyPair; pem: string }> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { keys, pem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') };
}

/** Makes a self-signed authority. */
export async function makeAuthority(name: string, nowMs: number, validMs: number): Promise<Issued> {
  const { keys, pem } = await keyPair();
  const serial = makeSerial();
  const notAfter = new Date(nowMs + validMs);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial,
    name: `CN=${name}`,
    notBefore: new Date(nowMs - BACKDATED_MS),
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), key: pem, serial, notAfter };
}

export interface LeafRequest {
  /** The common name: a printer's id or a host. */
  name: string;
  usage: 'client' | 'server';
  /** Host names and addresses of the server. */
  hosts?: string[];
  nowMs: number;
  validMs: number;
}

/** Issues a leaf with a new key. */
export async function issueLeaf(
  authority: { certificate: string; key: string },
  { name, usage, hosts = [], nowMs, validMs }: LeafRequest,
): Promise<Issued> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    x509.PemConverter.decodeFirst(authority.key),
    ALGORITHM,
    false,
    ['sign'],
  );
  const { keys, pem } = await keyPair();
  const serial = makeSerial();
  const notAfter = new Date(Math.min(nowMs + validMs, issuer.notAfter.getTime()));
  const purpose = usage === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: [{ CN: [name] }],
    issuer: issuer.subject,
    notBefore: new Date(nowMs - BACKDATED_MS),
    notAfter,
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([purpose]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(hosts.length === 0
        ? []
        : [
            new x509.SubjectAlternativeNameExtension(
              hosts.map((host) => ({
                type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const),
                value: host,
              })),
            ),
          ]),
    ],
  });
  return { certificate: certificate.toString('pem'), key: pem, serial, notAfter };
}
