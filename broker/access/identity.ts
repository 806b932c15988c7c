/** Who a connection belongs to. */
import type { Role } from '../../schemas/roles.ts';

/** Somebody known: a printer (its id) or an operator (the user name). */
export interface Principal {
  name: string;
  role: Role;
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
}

/** Knows who may connect. The center has one over Postgres, `platen broker` one over a file. */
export interface Identity {
  /** Resolves to the principal, or to undefined when the credentials don't prove one. A rejection: try later. */
  authenticate(credentials: Credentials): Promise<Principal | undefined>;
}
