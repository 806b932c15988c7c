/**
 * Identifies callers over HTTP: people by session, programs by token. Password checks take turns, as at the broker, and
 * stop for a while after too many wrong ones.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { CheckQueue } from '../../broker/access/check-queue.ts';
import { CheckRefused } from '../../broker/access/identity.ts';
import { ConnectQueue } from '../../broker/connection/connect-queue.ts';
import { DEFAULT_LIMITS } from '../../broker/limits.ts';
import { PlatenError } from '../../schemas/errors.ts';
import type { Role } from '../../schemas/roles.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { StoredAccounts } from './accounts.ts';
import type { Sessions, SignedInWith } from './sessions.ts';
import { TOKEN_PREFIX, type Tokens } from './tokens.ts';

/** An authenticated caller. */
export interface Visitor {
  name: string;
  role: Role;
  how: SignedInWith | 'token';
  /** Id of the session or the token. */
  id: string;
  endsAt: Date;
}

export interface SignInParts {
  accounts: StoredAccounts;
  sessions: Sessions;
  tokens: Tokens;
  /** Milliseconds since the epoch. */
  now(): number;
}

export class SignIn {
  readonly #parts: SignInParts;
  readonly #checks: CheckQueue;
  readonly #ended = new Set<(who: { name?: string; id?: string }) => void>();

  constructor(parts: SignInParts) {
    this.#parts = parts;
    const limits = {
      ...DEFAULT_LIMITS,
      failuresMax: CENTER_LIMITS.sign_in_failures_max,
      flapWindowMs: CENTER_LIMITS.sign_in_window_ms,
      flapBanMs: CENTER_LIMITS.sign_in_ban_ms,
    };
    const steady = () => performance.now();
    this.#checks = new CheckQueue({ limits, connectQueue: new ConnectQueue(limits, steady()), now: steady });
    parts.accounts.onRevoked((name) => this.#tell({ name }));
    parts.tokens.onRevoked((id) => this.#tell({ id }));
  }

  /** Calls `listener` when an account, session or token ends, until the returned function is called. */
  onEnded(listener: (who: { name?: string; id?: string }) => void): () => void {
    this.#ended.add(listener);
    return () => this.#ended.delete(listener);
  }

  #tell(who: { name?: string; id?: string }): void {
    for (const listener of this.#ended) listener(who);
  }

  /**
   * Signs somebody in with a password.
   * @throws PlatenError session/wrong-password, session/too-many-tries
   */
  async withPassword(
    username: string,
    password: string,
    address: string,
  ): Promise<{ secret: string; visitor: Visitor }> {
    const { accounts } = this.#parts;
    const turn = this.#checks.of(username, address);
    const credentials = { clientId: '', username, password: Buffer.from(password), address, turn };
    let principal: Awaited<ReturnType<StoredAccounts['authenticate']>>;
    try {
      principal = await accounts.authenticate(credentials);
    } catch (error) {
      if (error instanceof CheckRefused) throw new PlatenError('session/too-many-tries');
      throw error;
    }
    // Printers may not sign in, even with the right password.
    if (!principal || principal.role === 'printer') {
      this.#checks.failed(turn);
      await pause(CENTER_LIMITS.sign_in_wrong_ms);
      throw new PlatenError('session/wrong-password');
    }
    this.#checks.proved(turn, true);
    return this.begin(principal.name, principal.role, 'password');
  }

  /** Begins a session for a person who has authenticated. */
  async begin(name: string, role: Role, how: SignedInWith): Promise<{ secret: string; visitor: Visitor }> {
    const { sessions, now } = this.#parts;
    const { secret } = await sessions.begin(name, how, now());
    const found = await sessions.find(secret, now());
    // The account may have been removed in the meantime.
    if (!found) throw new PlatenError('session/ended');
    return { secret, visitor: { ...found, role } };
  }

  /** The caller with this session. @throws PlatenError session/ended */
  async bySession(secret: string): Promise<Visitor> {
    const { sessions, now } = this.#parts;
    const session = await sessions.find(secret, now());
    if (!session) throw new PlatenError('session/ended');
    return session;
  }

  /** The caller with this token. @throws PlatenError token/refused */
  async byToken(secret: string): Promise<Visitor> {
    const token = secret.startsWith(TOKEN_PREFIX) ? await this.#parts.tokens.find(secret) : undefined;
    if (!token) throw new PlatenError('token/refused');
    return { name: token.owner, role: token.role, how: 'token', id: token.id, endsAt: token.endsAt };
  }

  /** Whether a caller's session or token is still valid. Doesn't reset the idle timeout. */
  holds({ how, id }: Visitor): Promise<boolean> {
    const { sessions, tokens, now } = this.#parts;
    return how === 'token' ? tokens.holds(id) : sessions.holds(id, now());
  }

  /** Ends a session. */
  async end(secret: string, { id }: Visitor): Promise<void> {
    await this.#parts.sessions.end(secret);
    this.#tell({ id });
  }
}
