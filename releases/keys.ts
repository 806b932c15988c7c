/**
 * Signing keys of a release repository: Ed25519, private halves as PKCS#8 PEM, public halves and ids as TUF has them.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Key, Signature } from '@tufjs/models';
import { PlatenError, reasonOf } from '../schemas/errors.ts';

/** A key that can sign. */
export interface SigningKey {
  id: string;
  /** The public half, as it stands in root or in a delegation. */
  key: Key;
  sign(bytes: Buffer): Signature;
}

/** The public half of a key. Its id is the SHA-256 of its canonical JSON form (TUF 4.2). */
export function publicKey(hex: string): Key {
  const canonical = `{"keytype":"ed25519","keyval":{"public":"${hex}"},"scheme":"ed25519"}`;
  return new Key({
    keyID: createHash('sha256').update(canonical).digest('hex'),
    keyType: 'ed25519',
    scheme: 'ed25519',
    keyVal: { public: hex },
  });
}

/** A new private key as PKCS#8 PEM. */
export function generateKeyPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * A signing key from its PKCS#8 PEM.
 * @throws PlatenError release/bad-key when it isn't an Ed25519 private key; the message never holds the key
 */
export function signingKey(pem: string, name: string): SigningKey {
  let raw: Buffer;
  let secret: ReturnType<typeof createPrivateKey>;
  try {
    secret = createPrivateKey(pem);
    if (secret.asymmetricKeyType !== 'ed25519') throw new Error(`it is of type ${secret.asymmetricKeyType}`);
    const spki = createPublicKey(secret).export({ type: 'spki', format: 'der' });
    // An Ed25519 SPKI is a header of 12 bytes and the key (RFC 8410).
    raw = spki.subarray(spki.length - 32);
  } catch (error) {
    throw new PlatenError('release/bad-key', { name, reason: reasonOf(error) });
  }
  const key = publicKey(raw.toString('hex'));
  return {
    id: key.keyID,
    key,
    sign: (bytes) => new Signature({ keyID: key.keyID, sig: signBytes(null, bytes, secret).toString('hex') }),
  };
}

/**
 * The public half of a key from a PEM (a public key as SPKI, or a private one as PKCS#8).
 * @throws PlatenError release/bad-key
 */
export function publicKeyOf(pem: string, name: string): Key {
  if (pem.includes('PRIVATE KEY')) return signingKey(pem, name).key;
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType !== 'ed25519') throw new Error(`it is of type ${key.asymmetricKeyType}`);
    const spki = key.export({ type: 'spki', format: 'der' });
    return publicKey(spki.subarray(spki.length - 32).toString('hex'));
  } catch (error) {
    throw new PlatenError('release/bad-key', { name, reason: reasonOf(error) });
  }
}

/** The public half of a private key, as SPKI PEM: what is handed to whoever holds the ceremony. */
export function publicPem(pem: string): string {
  return createPublicKey(createPrivateKey(pem)).export({ type: 'spki', format: 'pem' }).toString();
}

/**
 * Reads a key: a file, or `env:NAME` for a PEM in the environment (line ends may be written as \\n).
 * @throws PlatenError release/bad-key
 */
export function readKeyPem(source: string, environment: NodeJS.ProcessEnv): string {
  if (source.startsWith('env:')) {
    const text = environment[source.slice(4)];
    if (text === undefined || text === '') {
      throw new PlatenError('release/bad-key', { name: source, reason: 'the variable is not set' });
    }
    return text.replace(/\\n/g, '\n');
  }
  try {
    return readFileSync(source, 'utf8');
  } catch (error) {
    throw new PlatenError('release/bad-key', { name: source, reason: reasonOf(error) });
  }
}
