/** Who connects, and who decides that. */
import type { Role } from '../../schemas/roles.ts';

/** An authenticated printer (its id) or operator (its user name). */
export interface Principal {
  name: string;
  role: Role;
  /** Its current enrolment, if the identity has those. A session of another enrolment isn't resumed. */
  enrolment?: string;
}

/** What a session is kept by: a client id says nothing without who uses it. */
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
  /** To be used for each check of a password that could be guessed. */
  turn?: Turn;
}

/** The place of one CONNECT in the queue of costly password checks. */
export interface Turn {
  /** @throws CheckRefused when this user is banned at this address */
  admit(): void;
  /** Runs a costly check at its turn. @throws CheckRefused */
  take<T>(check: () => Promise<T>): Promise<T>;
}

/** A password is not checked. `banned`: too many wrong ones; `checks-waiting`: the queue is full, try again later. */
export class CheckRefused extends Error {
  readonly reason: 'banned' | 'checks-waiting';

  constructor(reason: 'banned' | 'checks-waiting') {
    super(reason);
    this.name = 'CheckRefused';
    this.reason = reason;
  }
}

/** Authenticates clients. The center has one over Postgres, `platen broker` one over a file. */
export interface Identity {
  /**
   * True: it uses `credentials.turn` for every check of a password that could be guessed. Else the broker counts wrong
   * passwords afterwards and doesn't ask for banned users.
   */
  readonly takesTurns?: boolean;
  /** Resolves to the principal, or to undefined when the credentials are wrong. Rejects when it can't tell now. */
  authenticate(credentials: Credentials): Promise<Principal | undefined>;
}
