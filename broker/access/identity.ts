/** Who a connection belongs to. */
import type { Role } from '../../schemas/roles.ts';

/** Somebody known: a printer (its id) or an operator (the user name). */
export interface Principal {
  name: string;
  role: Role;
  /** Its present enrolment, where the identity knows of such: a session that another one began isn't gone on with. */
  enrolment?: string;
}

/** What a client shows when it connects. */
export interface Credentials {
  clientId: string;
  username?: string;
  password?: Buffer;
  /** Common name of a client certificate that the product's own CA issued and hasn't revoked. */
  certificateName?: string;
  /** The enrolment that the certificate was issued for; missing in certificates of before there were any. */
  certificateEnrolment?: string;
  /** The client's network address, as told by PROXY protocol where that is trusted. */
  address: string;
  /** Asked before a password is looked at that could be guessed. */
  turn?: Turn;
}

/** The turn of one CONNECT among the costly password checks. */
export interface Turn {
  /** Throws `CheckRefused` when passwords of this user from there aren't looked at for now. */
  admit(): void;
  /** Runs a costly check when its turn has come. @throws CheckRefused */
  take<T>(check: () => Promise<T>): Promise<T>;
}

/** A password is not looked at. `banned`: after too many wrong ones; `checks-waiting`: too many wait, try again later. */
export class CheckRefused extends Error {
  readonly reason: 'banned' | 'checks-waiting';

  constructor(reason: 'banned' | 'checks-waiting') {
    super(reason);
    this.name = 'CheckRefused';
    this.reason = reason;
  }
}

/** Knows who may connect. The center has one over Postgres, `platen broker` one over a file. */
export interface Identity {
  /**
   * True: it takes `credentials.turn` for every check of a password that could be guessed, right or wrong. Without it
   * the broker counts wrong passwords afterwards, and asks nothing for users that are banned.
   */
  readonly takesTurns?: boolean;
  /** Resolves to the principal, or to undefined when the credentials don't prove one. A rejection: try later. */
  authenticate(credentials: Credentials): Promise<Principal | undefined>;
}
