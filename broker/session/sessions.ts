/**
 * All sessions and the connections that hold them: start, takeover, resumption, end, expiry (3.1.2.4, 3.1.4). A client
 * is reported as disconnected only when no other connection took its place.
 */
import type { Logger } from 'pino';
import { connack } from '../../mqtt/encode.ts';
import { CONNACK } from '../../mqtt/packet.ts';
import { reasonOf } from '../../schemas/errors.ts';
import { type Principal, sessionKey } from '../access/identity.ts';
import type { ConnectQueue } from '../connection/connect-queue.ts';
import type { Connection } from '../connection/connection.ts';
import type { RateLimits } from '../connection/rate-limit.ts';
import type { Monitor } from '../monitor.ts';
import type { Publishing } from '../routing/publishing.ts';
import type { Router } from '../routing/router.ts';
import { OWN_RECORD, Session } from './session.ts';
import { removeOrphans, restoreSessions, SessionJournal, setAside } from './session-journal.ts';

/** Reasons that are not the client's fault. */
const ORDINARY = new Set(['disconnected', 'peer-closed', 'taken-over', 'shutdown']);
/** Reasons that were already reported when they arose. */
const REPORTED = new Set(['publish-not-authorized', 'client-id', 'protocol-version']);

export interface SessionsOptions {
  router: Router;
  publishing: Publishing;
  connectQueue: ConnectQueue;
  /** The rates of printers. */
  printerRates: RateLimits;
  /** The rates of operators. */
  operatorRates: RateLimits;
  monitor: Monitor;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Milliseconds since the epoch, which stay valid across a restart. */
  date(): number;
  log: Logger;
}

/** Why a connection ended. */
export function endOf(connection: Connection): string {
  return connection.reason ?? 'peer-closed';
}

/** Messages for a removed user must not go to the next one with its name. Old records have no enrolment. */
function sameEnrolment(before: Principal | undefined, now: Principal | undefined): boolean {
  if (before?.enrolment === undefined || now?.enrolment === undefined) return true;
  return before.enrolment === now.enrolment;
}

/** The ended sessions of one client whose records are being removed. */
interface Erasure {
  sessions: Session[];
  erased: Promise<void>;
  failed: boolean;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #byKey = new Map<string, Session>();
  /** The connections that hold a session. */
  readonly #held = new Map<string, Connection>();
  /** The persistent sessions of each operator, the one absent longest first. */
  readonly #keptOf = new Map<string, Set<Session>>();
  /** How many connections each operator has. */
  readonly #connectionsOf = new Map<string, number>();
  /** Ended sessions whose records may still be on the disk, by key. Nearly always empty. */
  readonly #erasures = new Map<string, Erasure>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** The number of sessions, including those of absent clients. */
  get size(): number {
    return this.#byKey.size;
  }

  /** The number of connected sessions. */
  get connected(): number {
    return this.#held.size;
  }

  /** Queued messages and bytes, and messages in flight, over all sessions. */
  queued(): { messages: number; bytes: number; inFlight: number } {
    let messages = 0;
    let bytes = 0;
    let inFlight = 0;
    for (const session of this.#byKey.values()) {
      messages += session.waiting;
      bytes += session.waitingBytes;
      inFlight += session.inFlight;
    }
    return { messages, bytes, inFlight };
  }

  /** Why there is no room for this client; undefined when there is. May end another session of its operator. */
  full({ principal, clean, sessionKey: key }: Connection): string | undefined {
    const { connectionsMax, connectionsPerUserMax, sessionsPerUserMax } = this.#options.router.limits;
    // It takes over its own place.
    if (this.#held.has(key)) return undefined;
    if (this.#held.size >= connectionsMax) return 'connections';
    if (!principal || principal.role === 'printer') return undefined;
    if ((this.#connectionsOf.get(principal.name) ?? 0) >= connectionsPerUserMax)
      return 'connections-per-user';
    if (clean || this.#byKey.has(key)) return undefined;
    const kept = this.#keptOf.get(principal.name);
    if (!kept || kept.size < sessionsPerUserMax) return undefined;
    for (const session of kept) {
      if (this.#held.has(session.key)) continue;
      this.#options.monitor.dropped('session-displaced');
      this.#discard(session);
      return undefined;
    }
    return 'sessions-per-user';
  }

  /**
   * Gives an admitted client its session and ends an earlier connection with the same key. CONNACK must wait for the
   * promise, if any, so that the session state it reports survives a crash. A clean session without a predecessor has
   * nothing to wait for.
   */
  register(connection: Connection): Promise<void> | undefined {
    const { router, publishing, connectQueue, printerRates, operatorRates, monitor, now } = this.#options;
    const key = connection.sessionKey;
    // The predecessor ends first [MQTT-3.1.4-2], so that its will precedes everything of its successor.
    this.#held.get(key)?.close('taken-over');
    let session = this.#byKey.get(key);
    if (
      session &&
      (connection.clean || session.clean || !sameEnrolment(session.principal, connection.principal))
    ) {
      this.#discard(session);
      session = undefined;
    }
    const erased = this.#erasures.size > 0 ? this.#erased(key) : undefined;
    // MQTT 3.1 has no "session present" [MQTT-3.2.2-2].
    connection.sessionPresent = session !== undefined && connection.protocolLevel >= 4;
    const begins = session === undefined;
    if (!session) {
      const journal = connection.clean ? undefined : this.#journal(key);
      session = new Session(router, key, connection.clientId, connection.clean, journal);
      this.#byKey.set(key, session);
    } else session.journal?.removeLeft();
    const { principal } = connection;
    const changed =
      session.principal?.name !== principal?.name ||
      session.principal?.role !== principal?.role ||
      session.principal?.enrolment !== principal?.enrolment;
    session.principal = principal;
    if (begins) this.#keep(session);
    const anew = begins || changed || erased !== undefined;
    const saved = session.journal ? session.save(anew ? [OWN_RECORD] : []) : undefined;
    this.#held.set(key, connection);
    this.#countConnection(connection, 1);
    connection.session = session;
    connection.publishQueue = publishing.queueOf(key);
    if (principal) {
      connection.addRateLimit(
        (principal.role === 'printer' ? printerRates : operatorRates).acquire(principal.name),
      );
    }
    connection.connected = true;
    monitor.counters.connectsAccepted++;
    if (connectQueue.connected(key, now())) monitor.refused(connection, 'flapping');
    monitor.session(connection, 'connected');
    if (!saved || !erased || saved === erased) return saved ?? erased;
    return Promise.all([erased, saved]).then(() => {});
  }

  /** Answers CONNECT and starts the session's deliveries. */
  accept(connection: Connection): void {
    connection.send(connack(CONNACK.accepted, connection.sessionPresent));
    connection.session?.resume(connection);
    connection.accepted();
  }

  /** A connection ended: its session waits for the next one, or ends too. */
  unregister(connection: Connection): void {
    const { router, monitor, now, date } = this.#options;
    const session = connection.session;
    if (!session || !connection.connected) return;
    connection.connected = false;
    connection.releaseRateLimits();
    this.#countConnection(connection, -1);
    // Another connection may have taken the session over already.
    if (this.#held.get(session.key) === connection) {
      this.#held.delete(session.key);
      session.suspend(now());
      // The map holds absent sessions in the order in which their clients left.
      this.#byKey.delete(session.key);
      this.#byKey.set(session.key, session);
      this.#keep(session);
      router.redistribute(session);
      if (session.clean) this.#discard(session);
      else session.journal?.putLeft(date());
    }
    const reason = endOf(connection);
    if (!ORDINARY.has(reason) && !REPORTED.has(reason)) monitor.refused(connection, reason);
    // The client is still here, on its next connection.
    if (reason !== 'taken-over') monitor.session(connection, 'disconnected', reason);
  }

  /** Ends sessions absent for too long, and the longest absent ones when there are too many. */
  expire(now: number): void {
    const { offlineSecondsMax, offlineSessionsMax } = this.#options.router.limits;
    const before = now - offlineSecondsMax * 1_000;
    const away = this.#byKey.size - this.#held.size;
    if (away <= 0) return;
    let excess = away - offlineSessionsMax;
    for (const session of this.#byKey.values()) {
      if (this.#held.has(session.key)) continue;
      if (session.leftAt >= before && excess <= 0) continue;
      excess--;
      this.#options.monitor.dropped('session-expired');
      this.#discard(session);
    }
  }

  /** Ends the session of a printer for good. Resolves when all its records are gone. */
  async forget(printer: string): Promise<void> {
    // With open access a client has only its id.
    for (const key of [sessionKey(printer, printer), printer]) {
      // If its connection ends later, that must not keep the session.
      this.#held.get(key)?.close('removed');
      this.#held.delete(key);
      const session = this.#byKey.get(key);
      if (session) this.#discard(session);
      await this.#erased(key);
    }
  }

  /** Restores the sessions kept by an earlier run of the broker. Unreadable records are set aside and logged. */
  restore(records: ReadonlyMap<string, Buffer>): void {
    const { router, now, date, log } = this.#options;
    const { sessions, unreadable, orphans } = restoreSessions(records);
    const [first] = unreadable;
    if (first) {
      setAside(router.retained, unreadable);
      log.error(
        { records: unreadable.length, name: first.name, reason: first.reason },
        'session records could not be read; they were set aside under #aside/',
      );
    }
    if (orphans.length > 0) {
      log.warn({ records: orphans.length, name: orphans[0] }, 'records of ended sessions were removed');
      removeOrphans(router.retained, orphans).catch((error: unknown) => {
        log.error({ reason: reasonOf(error) }, 'records of ended sessions could not be removed');
      });
    }
    for (const kept of sessions) {
      const last = kept.messages.at(-1)?.[0] ?? 0;
      const session = new Session(router, kept.key, kept.clientId, false, this.#journal(kept.key, last));
      session.principal = kept.principal;
      // If the clock was set back, no session may have a leave time in the future.
      session.leftAt = now() - (kept.left === undefined ? 0 : Math.max(0, date() - kept.left));
      if (kept.left === undefined) session.journal?.putLeft(date());
      for (const [filter, qos] of kept.subscriptions) router.subscribe(session, filter, qos);
      if (kept.inOneRecord) session.save([OWN_RECORD, ...kept.subscriptions.keys()])?.catch(() => {});
      session.restore(kept);
      this.#byKey.set(kept.key, session);
      this.#keep(session);
    }
  }

  #journal(key: string, lastSequence?: number): SessionJournal | undefined {
    const { retained } = this.#options.router;
    return retained.isDurable ? new SessionJournal(retained, key, lastSequence) : undefined;
  }

  /** Moves a session of an operator to the end of its list. */
  #keep(session: Session): void {
    const { principal, clean } = session;
    if (clean || !principal || principal.role === 'printer') return;
    let kept = this.#keptOf.get(principal.name);
    if (!kept) {
      kept = new Set();
      this.#keptOf.set(principal.name, kept);
    }
    kept.delete(session);
    kept.add(session);
  }

  #countConnection({ principal }: Connection, by: 1 | -1): void {
    if (!principal || principal.role === 'printer') return;
    const now = (this.#connectionsOf.get(principal.name) ?? 0) + by;
    if (now > 0) this.#connectionsOf.set(principal.name, now);
    else this.#connectionsOf.delete(principal.name);
  }

  #discard(session: Session): void {
    const erased = session.erase();
    if (erased) this.#trackErasure(session.key, [session], erased);
    session.uncountQueue();
    this.#options.router.forget(session);
    this.#byKey.delete(session.key);
    const name = session.principal?.name ?? '';
    const kept = this.#keptOf.get(name);
    if (kept?.delete(session) && kept.size === 0) this.#keptOf.delete(name);
  }

  /** Settles when the records of a client's earlier sessions are gone. Retries removals that failed. */
  #erased(key: string): Promise<void> | undefined {
    const erasure = this.#erasures.get(key);
    if (!erasure?.failed) return erasure?.erased;
    // One group write removes them all, so the last promise covers all.
    let erased: Promise<void> | undefined;
    for (const session of erasure.sessions) erased = session.erase();
    if (erased) this.#trackErasure(key, [], erased);
    return erased;
  }

  #trackErasure(key: string, sessions: Session[], erased: Promise<void>): void {
    const erasure: Erasure = {
      sessions: [...(this.#erasures.get(key)?.sessions ?? []), ...sessions],
      erased,
      failed: false,
    };
    this.#erasures.set(key, erasure);
    erased.then(
      () => {
        if (this.#erasures.get(key) === erasure) this.#erasures.delete(key);
      },
      () => {
        erasure.failed = true;
      },
    );
  }
}
