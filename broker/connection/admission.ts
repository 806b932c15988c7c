/** Answers CONNECT: authenticates the client, then accepts it or refuses it with a return code (3.2.2.3). */
import type { Logger } from 'pino';
import { CONNACK, type ConnectPacket, type Will } from '../../mqtt/packet.ts';
import { mayPublish } from '../access/access.ts';
import { CheckQueue, type CheckTurn } from '../access/check-queue.ts';
import {
  CheckRefused,
  type Credentials,
  type Identity,
  type Principal,
  sessionKey,
} from '../access/identity.ts';
import type { BrokerLimits } from '../limits.ts';
import type { Monitor, Who } from '../monitor.ts';
import type { ConnectQueue } from './connect-queue.ts';
import type { Connection } from './connection.ts';

export interface AdmissionOptions {
  limits: BrokerLimits;
  log: Logger;
  identity: Identity | 'open';
  connectQueue: ConnectQueue;
  monitor: Monitor;
  /** Milliseconds, monotonic. */
  now(): number;
  /** The client may connect. Its principal and the key of its session are set. */
  admit(connection: Connection, packet: ConnectPacket): void;
  /** Why there is no room for this client; undefined when there is. */
  full(connection: Connection): string | undefined;
}

/** The longest an authentication can take. */
const ANSWER_MS_MAX = 60_000;

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #turns: CheckQueue;
  /** When rights changed, by name, for the last minute. */
  readonly #changed = new Map<string, number>();
  /** The broker is shutting down: every CONNECT is refused. */
  closed = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#turns = new CheckQueue(options);
  }

  /** Password checks in the queue. */
  get waiting(): number {
    return this.#turns.waiting;
  }

  /** The rights of `name` changed: authentications in progress are repeated. */
  rightsChanged(name: string): void {
    const now = this.#options.now();
    for (const [known, at] of this.#changed) {
      if (now - at < ANSWER_MS_MAX) break;
      this.#changed.delete(known);
    }
    this.#changed.delete(name);
    this.#changed.set(name, now);
  }

  /** Decides on a CONNECT: admits the client, or refuses it and ends its connection. */
  decide(connection: Connection, packet: ConnectPacket): void {
    const { identity, connectQueue, now } = this.#options;
    if (this.closed) {
      connection.deny(CONNACK.unavailable, 'shutdown');
      return;
    }
    if (identity === 'open') {
      this.#enter(connection, packet);
      return;
    }
    const { username, password } = packet;
    const { address, certificateName, certificateEnrolment } = connection.origin;
    const at = now();
    const turn = this.#turns.of(username, address);
    if (connectQueue.bans(at) && connectQueue.refuses(`${username ?? ''}\0${connection.clientId}`, at)) {
      this.#banned(connection, username);
      return;
    }
    const credentials: Credentials = { clientId: connection.clientId, address, turn };
    if (username) credentials.username = username;
    if (password) credentials.password = password;
    if (certificateName !== undefined) credentials.certificateName = certificateName;
    if (certificateEnrolment !== undefined) credentials.certificateEnrolment = certificateEnrolment;
    void this.#ask(connection, packet, identity, credentials, turn);
  }

  /** Authenticates, and repeats it if rights changed meanwhile. */
  async #ask(
    connection: Connection,
    packet: ConnectPacket,
    identity: Identity,
    credentials: Credentials,
    turn: CheckTurn,
  ): Promise<void> {
    const { log, now } = this.#options;
    const began = now();
    let principal: Principal | undefined;
    try {
      if (!identity.takesTurns) turn.admit();
      let asked: number;
      do {
        asked = now();
        principal = await identity.authenticate(credentials);
      } while (principal && (this.#changed.get(principal.name) ?? -1) >= asked);
    } catch (error) {
      if (error instanceof CheckRefused) this.#refusedCheck(connection, error, credentials.username);
      else {
        log.error({ err: error, clientId: connection.clientId }, 'authentication failed');
        connection.deny(CONNACK.unavailable, 'identity-unavailable');
      }
      return;
    }
    if (principal) this.#turns.proved(turn, principal.role !== 'printer');
    else if (!connection.closed) await this.#untilStep(began);
    // A client that has left meanwhile is still counted as refused.
    const admitted = this.#admitted(connection, packet.will, principal, turn);
    if (admitted && !connection.closed) this.#enter(connection, packet);
  }

  /** Waits until the next multiple of `refusalStepMs`, so that timing doesn't reveal what was looked up. */
  async #untilStep(began: number): Promise<void> {
    const { limits, now } = this.#options;
    const step = limits.refusalStepMs;
    if (step === 0) return;
    const wait = step - ((now() - began) % step);
    await new Promise<void>((resume) => setTimeout(resume, wait));
  }

  #enter(connection: Connection, packet: ConnectPacket): void {
    const { full, admit } = this.#options;
    const reason = full(connection);
    if (reason === undefined) admit(connection, packet);
    else this.#refuse(connection, CONNACK.unavailable, reason, { who: { name: connection.principal?.name } });
  }

  #banned(connection: Connection, claimed: string | undefined): void {
    this.#refuse(connection, CONNACK.notAuthorized, 'banned', { who: { name: undefined, claimed } });
  }

  #refusedCheck(connection: Connection, { reason }: CheckRefused, claimed: string | undefined): void {
    if (reason === 'banned') this.#banned(connection, claimed);
    else this.#refuse(connection, CONNACK.unavailable, reason, { who: { name: undefined, claimed } });
  }

  /** Gives the connection its principal, or refuses CONNECT. */
  #admitted(
    connection: Connection,
    will: Will | undefined,
    principal: Principal | undefined,
    turn: CheckTurn,
  ): boolean {
    const { monitor } = this.#options;
    if (!principal) {
      // The name was not proven, so it is reported as claimed only.
      const who = { name: undefined, claimed: turn.username };
      if (this.#turns.failed(turn)) monitor.refused(connection, 'failures', { who });
      return this.#refuse(connection, CONNACK.credentials, 'credentials', { who });
    }
    const who = { name: principal.name };
    if (principal.role === 'printer' && principal.name !== connection.clientId) {
      return this.#refuse(connection, CONNACK.identifier, 'client-id-not-user', { who });
    }
    if (will && !mayPublish(principal, will.topic)) {
      return this.#refuse(connection, CONNACK.notAuthorized, 'will-not-authorized', {
        who,
        topic: will.topic,
      });
    }
    connection.principal = principal;
    // With the name in the key nobody can take over another user's session.
    connection.sessionKey = sessionKey(principal.name, connection.clientId);
    return true;
  }

  #refuse(connection: Connection, code: number, reason: string, about: { who: Who; topic?: string }): false {
    this.#options.monitor.refused(connection, reason, about);
    connection.deny(code, reason);
    return false;
  }
}
