/** CONNECT: who is let in, as whom, and with which return code the others are refused (3.2.2.3). */
import type { Logger } from 'pino';
import { mayPublish } from '../access.ts';
import type { AedesClient } from '../aedes/internals.ts';
import { type Wire, wireOf } from '../aedes/wire.ts';
import type { Gate } from '../gate.ts';
import type { Identity, Principal } from '../identity.ts';
import { CONNACK } from '../packets/packet.ts';
import type { Monitor } from './monitor.ts';

/** An error that makes Aedes refuse CONNECT with that return code. */
export interface Refusal extends Error {
  returnCode: number;
}

export type Authenticated = (error: Refusal | null, success: boolean) => void;

export interface AdmissionOptions {
  log: Logger;
  identity: Identity | 'open';
  gate: Gate;
  monitor: Monitor;
  /** Milliseconds, monotonic. */
  now(): number;
}

function refusal(code: number): Refusal {
  return Object.assign(new Error(`CONNECT refused with ${code}`), { returnCode: code });
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

  /** Aedes asks whether the client may connect. */
  authenticate(
    client: AedesClient,
    username: string | null,
    password: Buffer | null,
    done: Authenticated,
  ): void {
    const { identity, gate, monitor, log, now } = this.#options;
    const wire = wireOf(client);
    if (this.closed) {
      done(refusal(CONNACK.unavailable), false);
      return;
    }
    if (identity === 'open') {
      done(null, true);
      return;
    }
    const { address, certificateName } = wire.origin;
    if (gate.refuses(`${username ?? ''}\0${wire.clientId}`, username ?? undefined, address, now())) {
      wire.reason = 'banned';
      monitor.refused(wire, 'banned', { who: { name: undefined, claimed: username ?? undefined } });
      done(refusal(CONNACK.notAuthorized), false);
      return;
    }
    const credentials = {
      clientId: wire.clientId,
      address,
      ...(username ? { username } : {}),
      ...(password ? { password } : {}),
      ...(certificateName === undefined ? {} : { certificateName }),
    };
    const asked = now();
    identity.authenticate(credentials).then(
      (principal) => {
        if (principal && (this.#changed.get(principal.name) ?? -1) >= asked) {
          this.authenticate(client, username, password, done);
          return;
        }
        const refused = this.#examine(client, wire, principal, username ?? undefined);
        if (refused) done(refused, false);
        else done(null, true);
      },
      (error: unknown) => {
        log.error({ err: error, clientId: wire.clientId }, 'authentication failed');
        wire.reason = 'identity-unavailable';
        done(refusal(CONNACK.unavailable), false);
      },
    );
  }

  /** Gives the connection its principal, or says how CONNECT is refused. */
  #examine(
    client: AedesClient,
    wire: Wire,
    principal: Principal | undefined,
    username: string | undefined,
  ): Refusal | undefined {
    const { gate, monitor, now } = this.#options;
    // A name that wasn't proven is told as one that was claimed: it may be anybody's.
    const who = principal ? { name: principal.name } : { name: undefined, claimed: username };
    const refuse = (code: number, reason: string, topic?: string): Refusal => {
      wire.reason = reason;
      monitor.refused(wire, reason, { who, topic });
      return refusal(code);
    };
    if (!principal) {
      if (gate.failed(username, wire.origin.address, now())) monitor.refused(wire, 'failures', { who });
      return refuse(CONNACK.credentials, 'credentials');
    }
    if (principal.role === 'printer' && principal.name !== wire.clientId) {
      return refuse(CONNACK.identifier, 'client-id-not-user');
    }
    const will = (client as unknown as { _will: { topic: string } | null })._will;
    if (will && !mayPublish(principal, will.topic)) {
      return refuse(CONNACK.notAuthorized, 'will-not-authorized', will.topic);
    }
    wire.principal = principal;
    // An operator's client ids are its own: nobody can take over the session of another name.
    client.id = `${principal.name}\0${wire.clientId}`;
    return undefined;
  }
}
