/** Who a client is, and the interface that authenticates it. */
import type { Role } from '../../schemas/roles.ts';

/** An authenticated printer (its id) or operator (its user name). */
export interface Principal {
  name: string;
  role: Role;
  /** The current enrolment, if the identity has enrolments. A session of another enrolment isn't resumed. */
  enrolment?: string;
}

/** The key of a session. A client id alone doesn't say whose it is. */
export function sessionKey(name: string, clientId: string): string {
  return `${name}\0${clientId}`;
}

/** What a client presents in CONNECT and TLS. */
export interface Credentials {
  clientId: string;
  username?: string;
  password?: Buffer;
  /** Common name of a valid client certificate of the product's own CA. */
  certificateName?: string;
  /** The enrolment the certificate was issued for; missing in old certificates. */
  certificateEnrolment?: string;
  /** The client's network address; that of the PROXY header behind a trusted proxy. */
  address: string;
  /** Must be used for each check of a password that could be guessed. */
  turn?: Turn;
}

/** The place of one CONNECT in the queue of costly password checks. */
export interface Turn {
  /** @throws CheckRefused when this user is banned at this address */
  admit(): void;
  /** Runs a costly check at its turn. @throws CheckRefused */
  take<T>(check: () => Promise<T>): Promise<T>;
}

/**
 * Why a password is not checked. `banned`: too many wrong ones; `checks-waiting`: the queue is full, try again later.
 */
export class CheckRefused extends Error {
  readonly reason: 'banned' | 'checks-waiting';

  constructor(reason: 'banned' | 'checks-waiting') {
    super(reason);
    this.name = 'CheckRefused';
    this.reason = reason;
  }
}

/** Authenticates clients. The center implements it with Postgres, `platen broker` with a file. */
export interface Identity {
  /**
   * True: it uses `credentials.turn` for every check of a password that could be guessed. Otherwise the broker counts
   * wrong passwords afterwards and doesn't call it for banned users.
   */
  readonly takesTurns?: boolean;
  /**
   * Resolves to the principal, or to undefined when the credentials are wrong. Rejects when it can't decide at the
   * moment.
   */
  authenticate(credentials: Credentials): Promise<Principal | undefined>;
}
