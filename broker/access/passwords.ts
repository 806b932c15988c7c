/**
 * Passwords, hashed with scrypt (RFC 7914) and compared in constant time.
 *
 * A password chosen by a person is hashed at a high cost. One from `makePassword` has 144 random bits, and no cost
 * makes it harder to guess. It is hashed at the lowest cost, because a whole fleet reconnects at once after a restart:
 * 15,000 printers at 40 ms each would keep two cores busy for five minutes; at 0.01 ms it is a sixth of a second.
 */
import {
  createHash,
  createHmac,
  randomBytes,
  type ScryptOptions,
  scrypt,
  scryptSync,
  timingSafeEqual,
} from 'node:crypto';
import type { Turn } from './identity.ts';

/** Cost (N) and block size (r) of scrypt, p = 1. */
const EFFORT = { chosen: { cost: 16_384, block: 8 }, generated: { cost: 2, block: 1 } } as const;
type Effort = { cost: number; block: number };
/** The block size of hashes that don't name one. */
const BLOCK_DEFAULT = 8;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const PASSWORD_BYTES = 18;
/** Up to this cost, hashing takes less time than a round trip to the thread pool. */
const SYNC_COST_MAX = 64;
/** Bounds the memory that a forged hash can take: 128 MiB at r = 8. */
const COST_MAX = 1 << 17;
/** Number of correct passwords to remember, at about 200 bytes each. */
const REMEMBERED_MAX = 50_000;

/** Generates a password of 144 random bits, in characters that are safe in shells and forms. */
export function makePassword(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url');
}

function derive(password: Buffer, salt: Buffer, { cost, block }: Effort): Promise<Buffer> {
  const options: ScryptOptions = { N: cost, r: block, p: 1, maxmem: 256 * cost * block + (1 << 20) };
  if (cost <= SYNC_COST_MAX) return Promise.resolve(scryptSync(password, salt, KEY_BYTES, options));
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KEY_BYTES, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

/** The hash of a password as text: `scrypt$N,r$salt$key`, salt and key in base64url. */
export async function hashPassword(password: string, origin: keyof typeof EFFORT): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const effort = EFFORT[origin];
  const key = await derive(Buffer.from(password), salt, effort);
  return `scrypt$${effort.cost},${effort.block}$${salt.toString('base64url')}$${key.toString('base64url')}`;
}

/**
 * The id of an enrolment, derived from the hash of its password: enrolling again gives another id. It reveals nothing
 * about the hash.
 */
export function enrolmentOf(hash: string): string {
  return createHash('sha256').update(hash).digest('hex').slice(0, 16);
}

interface Parsed extends Effort {
  salt: Buffer;
  key: Buffer;
}

function parse(hash: string): Parsed {
  const [scheme, effortText, salt, key, ...rest] = hash.split('$');
  const [cost = 0, block = BLOCK_DEFAULT] = (effortText ?? '').split(',').map(Number);
  const possible =
    Number.isInteger(cost) &&
    cost > 1 &&
    cost <= COST_MAX &&
    (cost & (cost - 1)) === 0 &&
    (block === 1 || block === BLOCK_DEFAULT);
  if (scheme !== 'scrypt' || !possible || !salt || !key || rest.length > 0) {
    throw new Error('this is not a hash made by hashPassword');
  }
  return { cost, block, salt: Buffer.from(salt, 'base64url'), key: Buffer.from(key, 'base64url') };
}

async function matches(parsed: Parsed, password: Buffer): Promise<boolean> {
  const { salt, key } = parsed;
  const derived = await derive(password, salt, parsed);
  return key.length === derived.length && timingSafeEqual(key, derived);
}

/** Whether `password` matches `hash`. @throws Error when `hash` was not made by hashPassword */
export async function verifyPassword(hash: string, password: Buffer): Promise<boolean> {
  return matches(parse(hash), password);
}

/** Outside the broker there is no queue. */
const AT_ONCE: Turn = { admit: () => {}, take: (check) => check() };

/**
 * Checks passwords and remembers correct ones by a keyed hash with a secret of this process. Wrong ones are never
 * remembered. Every refusal costs one expensive derivation, whether the name exists or not, so timing doesn't reveal
 * names.
 */
export class PasswordChecker {
  readonly #secret = randomBytes(KEY_BYTES);
  /** By keyed hash of the stored hash and the password, so that a changed password forgets the old one. */
  readonly #right = new Set<string>();

  /** @throws CheckRefused, and the errors of verifyPassword */
  async check(hash: string, password: Buffer, turn: Turn = AT_ONCE): Promise<boolean> {
    const parsed = parse(hash);
    if (parsed.cost <= SYNC_COST_MAX) {
      // A generated password can't be guessed, so it needs no queue; remembering it would cost as much as checking.
      return (await matches(parsed, password)) || this.pretend(password, turn);
    }
    turn.admit();
    const mark = createHmac('sha256', this.#secret)
      .update(hash)
      .update('\0')
      .update(password)
      .digest('base64url');
    if (this.#right.has(mark)) return true;
    // Another check may have accepted the same password while this one waited.
    if (!(await turn.take(async () => this.#right.has(mark) || matches(parsed, password)))) return false;
    // Evicts the oldest: a set keeps insertion order.
    if (this.#right.size >= REMEMBERED_MAX) this.#right.delete(this.#right.values().next().value as string);
    this.#right.add(mark);
    return true;
  }

  /** Takes as long for an unknown name as for a wrong password of a known one. @throws CheckRefused */
  async pretend(password: Buffer, turn: Turn = AT_ONCE): Promise<false> {
    turn.admit();
    await turn.take(() => derive(password, Buffer.alloc(SALT_BYTES), EFFORT.chosen));
    return false;
  }
}
