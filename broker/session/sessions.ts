/**
 * Sessions by client and the connections that hold them: beginning, takeover, resumption, end, expiry (3.1.2.4,
 * 3.1.4). A client is told to have gone only when nobody took its place.
 */
import type { Logger } from 'pino';
import { connack } from '../../mqtt/encode.ts';
import { CONNACK } from '../../mqtt/packet.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { Principal } from '../access/identity.ts';
import type { ConnectQueue } from '../connection/connect-queue.ts';
import type { Connection } from '../connection/connection.ts';
import type { RateLimits } from '../connection/rate-limit.ts';
import type { Monitor } from '../monitor.ts';
import type { Publishing } from '../routing/publishing.ts';
import type { Router } from '../routing/router.ts';
import { OWN_RECORD, Session } from './session.ts';
import { removeOrphans, restoreSessions, SessionJournal, setAside } from './session-journal.ts';

/** Reasons to close a connection that say nothing against it. */
const ORDINARY = new Set(['disconnected', 'peer-closed', 'taken-over', 'shutdown']);
/** Reasons that were told when they were found. */
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
  /** Milliseconds since the epoch, which mean the same after a restart. */
  date(): number;
  log: Logger;
}

/** Why a connection is over. */
export function endOf(connection: Connection): string {
  return connection.reason ?? 'peer-closed';
}

/** What waits for somebody who was removed isn't for whoever gets the name next. Records of before know no enrolment. */
function sameEnrolment(before: Principal | undefined, now: Principal | undefined): boolean {
  if (before?.enrolment === undefined || now?.enrolment === undefined) return true;
  return before.enrolment === now.enrolment;
}

/** Sessions of one client that ended, and when their records are gone. */
interface Ending {
  sessions: Session[];
  erased: Promise<void>;
  failed: boolean;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #byKey = new Map<string, Session>();
  /** The connections that hold a session. */
  readonly #held = new Map<string, Connection>();
  /** Of operators, by name: sessions that are kept, the one that left longest ago first. */
  readonly #keptOf = new Map<string, Set<Session>>();
  /** Connections of operators, by name. */
  readonly #connectionsOf = new Map<string, number>();
  /** Sessions that ended and of which the disk may still know, by key: nearly always none. */
  readonly #ending = new Map<string, Ending>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** How many there are, also of clients that are away. */
  get size(): number {
    return this.#byKey.size;
  }

  /** How many have a connection. */
  get connected(): number {
    return this.#held.size;
  }

  /** What waits for subscribers, over all sessions. */
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

  /** Why there is no place for a client with this key; undefined when there is. */
  full({ principal, clean, sessionKey: key }: Connection): string | undefined {
    const { connectionsMax, connectionsPerUserMax, sessionsPerUserMax } = this.#options.router.limits;
    // It takes its own place.
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
   * A client was let in and gets its session; ends the predecessor with the same key. CONNACK must wait for the
   * promise, if any: what it says of the session then holds over a crash. With a clean session, and none before it,
   * there is nothing to wait for.
   */
  register(connection: Connection): Promise<void> | undefined {
    const { router, publishing, connectQueue, printerRates, operatorRates, monitor, now } = this.#options;
    const key = connection.sessionKey;
    // The predecessor ends first [MQTT-3.1.4-2], its will before anything of its successor.
    this.#held.get(key)?.close('taken-over');
    let session = this.#byKey.get(key);
    if (
      session &&
      (connection.clean || session.clean || !sameEnrolment(session.principal, connection.principal))
    ) {
      this.#discard(session);
      session = undefined;
    }
    const erased = this.#ending.size > 0 ? this.#erased(key) : undefined;
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

  /** Answers CONNECT and begins the deliveries of the session. */
  accept(connection: Connection): void {
    connection.send(connack(CONNACK.accepted, connection.sessionPresent));
    connection.session?.resume(connection);
    connection.accepted();
  }

  /** A connection is over: its session waits for the next one, or ends. */
  unregister(connection: Connection): void {
    const { router, monitor, now, date } = this.#options;
    const session = connection.session;
    if (!session || !connection.connected) return;
    connection.connected = false;
    connection.releaseRateLimits();
    this.#countConnection(connection, -1);
    // Whoever took the session over is not touched by the end of its predecessor.
    if (this.#held.get(session.key) === connection) {
      this.#held.delete(session.key);
      session.suspend(now());
      // The map holds those that are away in the order in which they left.
      this.#byKey.delete(session.key);
      this.#byKey.set(session.key, session);
      this.#keep(session);
      router.redistribute(session);
      if (session.clean) this.#discard(session);
      else session.journal?.putLeft(date());
    }
    const reason = endOf(connection);
    if (!ORDINARY.has(reason) && !REPORTED.has(reason)) monitor.refused(connection, reason);
    // Its successor is there already: the client didn't go.
    if (reason !== 'taken-over') monitor.session(connection, 'disconnected', reason);
  }

  /** Ends sessions that are away for too long, and those away longest when there are too many. */
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

  /** Takes back the sessions that the broker kept when it ended. What can't be read is set aside, and told. */
  restore(records: ReadonlyMap<string, Buffer>): void {
    const { router, now, date, log } = this.#options;
    const { sessions, unreadable, orphans } = restoreSessions(records);
    const [first] = unreadable;
    if (first) {
      setAside(router.retained, unreadable);
      log.error(
        { records: unreadable.length, name: first.name, reason: first.reason },
        'records of sessions could not be read and were set aside',
      );
    }
    if (orphans.length > 0) {
      log.warn(
        { records: orphans.length, name: orphans[0] },
        'records of sessions that are over were removed',
      );
      removeOrphans(router.retained, orphans).catch((error: unknown) => {
        log.error({ reason: reasonOf(error) }, 'records of sessions that are over could not be removed');
      });
    }
    for (const kept of sessions) {
      const last = kept.messages.at(-1)?.[0] ?? 0;
      const session = new Session(router, kept.key, kept.clientId, false, this.#journal(kept.key, last));
      session.principal = kept.principal;
      // A clock that was set back must not make it leave later than now.
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
    return retained.lasting ? new SessionJournal(retained, key, lastSequence) : undefined;
  }

  /** Puts a session of an operator behind its others. */
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
    if (erased) this.#await(session.key, [session], erased);
    session.emptied();
    this.#options.router.forget(session);
    this.#byKey.delete(session.key);
    const name = session.principal?.name ?? '';
    const kept = this.#keptOf.get(name);
    if (kept?.delete(session) && kept.size === 0) this.#keptOf.delete(name);
  }

  /** When nothing is known of earlier sessions of a client; begins again where that failed. */
  #erased(key: string): Promise<void> | undefined {
    const ending = this.#ending.get(key);
    if (!ending?.failed) return ending?.erased;
    // All in one group write: its promise is one.
    let erased: Promise<void> | undefined;
    for (const session of ending.sessions) erased = session.erase();
    if (erased) this.#await(key, [], erased);
    return erased;
  }

  #await(key: string, sessions: Session[], erased: Promise<void>): void {
    const ending: Ending = {
      sessions: [...(this.#ending.get(key)?.sessions ?? []), ...sessions],
      erased,
      failed: false,
    };
    this.#ending.set(key, ending);
    erased.then(
      () => {
        if (this.#ending.get(key) === ending) this.#ending.delete(key);
      },
      () => {
        ending.failed = true;
      },
    );
  }
}
