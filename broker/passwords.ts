/**
 * Passwords: hashed with scrypt (RFC 7914), checked in constant time. A reconnect storm must not cost one scrypt a
 * printer, so a password that was right is remembered, bounded, under a keyed hash that only this process knows.
 */
import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/**
 * Cost (N) of scrypt with r = 8, p = 1. A password that a person chose needs a slow hash; one made here has 144 bits
 * of entropy, which no hash has to protect from guessing, and a fleet enrols by the thousand.
 */
const COST = { chosen: 16_384, generated: 1_024 } as const;
const BLOCK_SIZE = 8;
const PARALLEL = 1;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const PASSWORD_BYTES = 18;
/** Right passwords remembered; 32 bytes of hash and the entry, about 200 bytes each. */
const REMEMBERED_MAX = 50_000;

/** A password of 144 random bits, in characters that survive every shell and form. */
export function makePassword(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url');
}

function derive(password: Buffer, salt: Buffer, cost: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KEY_BYTES, { N: cost, r: BLOCK_SIZE, p: PARALLEL }, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}

/** The hash of a password as text: `scrypt$N$salt$key`, salt and key in base64url. */
export async function hashPassword(password: string, origin: keyof typeof COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(Buffer.from(password), salt, COST[origin]);
  return `scrypt$${COST[origin]}$${salt.toString('base64url')}$${key.toString('base64url')}`;
}

/** Whether `password` is the one that was hashed. A hash of another form is an error, not a wrong password. */
export async function verifyPassword(hash: string, password: Buffer): Promise<boolean> {
  const [scheme, cost, salt, key] = hash.split('$');
  if (scheme !== 'scrypt' || !cost || !salt || !key)
    throw new Error('this is not a hash made by hashPassword');
  const expected = Buffer.from(key, 'base64url');
  const derived = await derive(password, Buffer.from(salt, 'base64url'), Number(cost));
  return expected.length === derived.length && timingSafeEqual(expected, derived);
}

/** Checks passwords and remembers which were right. */
export class PasswordChecker {
  readonly #secret = randomBytes(KEY_BYTES);
  /** By keyed hash of the stored hash and the password, so that a changed password forgets the old one. */
  readonly #right = new Set<string>();

  async check(hash: string, password: Buffer): Promise<boolean> {
    const mark = createHmac('sha256', this.#secret)
      .update(hash)
      .update('\0')
      .update(password)
      .digest('base64url');
    if (this.#right.has(mark)) return true;
    const right = await verifyPassword(hash, password);
    if (right) {
      if (this.#right.size >= REMEMBERED_MAX) {
        for (const oldest of this.#right) {
          this.#right.delete(oldest);
          break;
        }
      }
      this.#right.add(mark);
    }
    return right;
  }

  /** Spends as long on somebody unknown as on somebody known, so that names can't be told apart by time. */
  async pretend(password: Buffer): Promise<false> {
    await derive(password, Buffer.alloc(SALT_BYTES), COST.generated);
    return false;
  }
}
