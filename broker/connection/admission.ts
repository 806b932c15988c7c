/** CONNECT: who is let in, as whom, and with which return code the others are refused (3.2.2.3). */
import type { Logger } from 'pino';
import { CONNACK, type ConnectPacket } from '../../mqtt/packet.ts';
import { mayPublish } from '../access/access.ts';
import type { Credentials, Identity, Principal } from '../access/identity.ts';
import type { AedesClient } from '../aedes/internals.ts';
import type { Monitor, Who } from '../monitor.ts';
import type { Gate } from './connect-queue.ts';
import type { Wire } from './wire.ts';

export interface AdmissionOptions {
  log: Logger;
  identity: Identity | 'open';
  gate: Gate;
  monitor: Monitor;
  /** Milliseconds, monotonic. */
  now(): number;
  /** The client may connect; its `id` is the key of its session. */
  letIn(wire: Wire, client: AedesClient): void;
}

/** An answer about somebody's rights isn't under way for longer. */
const ANSWER_MS_MAX = 60_000;

export class Admission {
  readonly #options: AdmissionOptions;
  /** When rights changed last, by name; those of the last minute. */
  readonly #changed = new Map<string, number>();
  /** From now on everybody is refused: the broker is going down. */
  closed = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** The rights of a name changed: answers about them that are under way don't count any more. */
  rightsChanged(name: string): void {
    const now = this.#options.now();
    for (const [known, at] of this.#changed) {
      if (now - at < ANSWER_MS_MAX) break;
      this.#changed.delete(known);
    }
    this.#changed.delete(name);
    this.#changed.set(name, now);
  }

  /** Decides about a CONNECT: lets the client in, or refuses it and ends its connection. */
  decide(wire: Wire, client: AedesClient, packet: ConnectPacket): void {
    const { identity, gate, monitor, now, letIn } = this.#options;
    if (this.closed) {
      wire.deny(CONNACK.unavailable, 'shutdown');
      return;
    }
    if (identity === 'open') {
      letIn(wire, client);
      return;
    }
    const { username, password } = packet;
    const { address, certificateName, certificateEnrolment } = wire.origin;
    const at = now();
    if (gate.bans(at) && gate.refuses(`${username ?? ''}\0${wire.clientId}`, username, address, at)) {
      monitor.refused(wire, 'banned', { who: { name: undefined, claimed: username } });
      wire.deny(CONNACK.notAuthorized, 'banned');
      return;
    }
    const credentials: Credentials = { clientId: wire.clientId, address };
    if (username) credentials.username = username;
    if (password) credentials.password = password;
    if (certificateName !== undefined) credentials.certificateName = certificateName;
    if (certificateEnrolment !== undefined) credentials.certificateEnrolment = certificateEnrolment;
    void this.#ask(wire, client, identity, credentials);
  }

  /** Asks who it is, and again when rights changed meanwhile. */
  async #ask(wire: Wire, client: AedesClient, identity: Identity, credentials: Credentials): Promise<void> {
    const { log, now, letIn } = this.#options;
    let principal: Principal | undefined;
    try {
      let asked: number;
      do {
        asked = now();
        principal = await identity.authenticate(credentials);
      } while (principal && (this.#changed.get(principal.name) ?? -1) >= asked);
    } catch (error) {
      log.error({ err: error, clientId: wire.clientId }, 'authentication failed');
      wire.deny(CONNACK.unavailable, 'identity-unavailable');
      return;
    }
    // Who is gone by now is still counted when it had no right to come.
    const admitted = this.#admitted(client, wire, principal, credentials.username);
    if (admitted && !client.closed) letIn(wire, client);
  }

  /** Gives the connection its principal, or refuses CONNECT. */
  #admitted(
    client: AedesClient,
    wire: Wire,
    principal: Principal | undefined,
    username: string | undefined,
  ): boolean {
    const { gate, monitor, now } = this.#options;
    if (!principal) {
      // A name that wasn't proven is told as one that was claimed: it may be anybody's.
      const who = { name: undefined, claimed: username };
      if (gate.failed(username, wire.origin.address, now())) monitor.refused(wire, 'failures', { who });
      return this.#refuse(wire, CONNACK.credentials, 'credentials', { who });
    }
    const who = { name: principal.name };
    if (principal.role === 'printer' && principal.name !== wire.clientId) {
      return this.#refuse(wire, CONNACK.identifier, 'client-id-not-user', { who });
    }
    const will = client._will;
    if (will && !mayPublish(principal, will.topic)) {
      return this.#refuse(wire, CONNACK.notAuthorized, 'will-not-authorized', { who, topic: will.topic });
    }
    wire.principal = principal;
    // An operator's client ids are its own: nobody can take over the session of another name.
    client.id = `${principal.name}\0${wire.clientId}`;
    return true;
  }

  #refuse(wire: Wire, code: number, reason: string, about: { who: Who; topic?: string }): false {
    this.#options.monitor.refused(wire, reason, about);
    wire.deny(code, reason);
    return false;
  }
}
