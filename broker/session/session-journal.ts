/**
 * Keeps sessions with clean session 0 across a restart: their subscriptions, queued and in-flight messages, and the
 * identifiers of QoS 2 publishes received from them. Each is a record beside the retained documents, so that one group
 * write makes both durable. Record names begin with `#`, which no topic can.
 */
import { createHash } from 'node:crypto';
import type { QoS } from '../../mqtt/packet.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { Principal } from '../access/identity.ts';
import type { RetainedStore } from '../retained/retained-store.ts';

/** A queued or in-flight message as stored. */
export interface KeptMessage {
  topic: string;
  payload: Buffer;
  /** The QoS of its delivery. */
  qos: QoS;
  retain: boolean;
  /** The identifier it was sent with; 0 until then. */
  id: number;
  /** PUBREC came: from now on only PUBREL is sent. */
  released: boolean;
}

/** The record of a session, without its subscriptions and messages. */
export interface KeptSession {
  key: string;
  clientId: string;
  principal?: Principal;
}

/** A session read at the start, with its subscriptions and messages in order. */
export interface RestoredSession extends KeptSession {
  /** Filters as the client sent them. */
  subscriptions: Map<string, QoS>;
  /** Whether the subscriptions were in the session's own record, where earlier versions kept them. */
  inOneRecord: boolean;
  messages: [sequence: number, message: KeptMessage][];
  inboundQos2: number[];
  /** When its client left, in milliseconds since the epoch; undefined when it was connected until the end. */
  left: number | undefined;
}

/** Everything that was read at the start. */
export interface Restored {
  /** Longest absent first; those whose clients were connected come last. */
  sessions: RestoredSession[];
  /** Records that could not be read, with the reason. */
  unreadable: { name: string; record: Buffer; reason: string }[];
  /** Names of records that belong to no session. */
  orphans: string[];
}

const SESSION = '#session/';
const SUBSCRIPTION = '#subscription/';
const MESSAGE = '#message/';
const RECEIVED = '#received/';
const LEFT = '#left/';
/** Kinds of records that belong to a session. */
const BELONGING = new Set([SUBSCRIPTION, MESSAGE, RECEIVED, LEFT]);
const ORPHANS_IN_A_WRITE_MAX = 1_000;
/** Prefix of unreadable records, which are kept for inspection. */
const ASIDE = '#aside/';

function recordId(key: string): string {
  return Buffer.from(key).toString('base64url');
}

/** A hash, because filters can be longer than record names. */
function filterId(filter: string): string {
  return createHash('sha256').update(filter).digest('base64url');
}

/** Flags (1: QoS in bits 0 and 1, retain 4, released 8), identifier (2), length of the topic (2), topic, payload. */
function encode({ topic, payload, qos, retain, id, released }: KeptMessage): Buffer {
  const topicBytes = Buffer.byteLength(topic);
  const record = Buffer.allocUnsafe(5 + topicBytes + payload.length);
  record[0] = qos | (retain ? 4 : 0) | (released ? 8 : 0);
  record.writeUInt16BE(id, 1);
  record.writeUInt16BE(topicBytes, 3);
  record.write(topic, 5);
  payload.copy(record, 5 + topicBytes);
  return record;
}

/** @throws Error when the record is not a message */
function decode(record: Buffer): KeptMessage {
  const flags = record.readUInt8(0);
  const payloadAt = 5 + record.readUInt16BE(3);
  if (flags > 15 || (flags & 3) === 3 || payloadAt === 5 || payloadAt > record.length) {
    throw new Error('not a message');
  }
  return {
    topic: record.toString('utf8', 5, payloadAt),
    payload: record.subarray(payloadAt),
    qos: (flags & 3) as QoS,
    retain: (flags & 4) !== 0,
    released: (flags & 8) !== 0,
    id: record.readUInt16BE(1),
  };
}

/** The records of one session. Promises settle with the group write that holds the record. */
export class SessionJournal {
  readonly #store: RetainedStore;
  readonly #id: string;
  #sequence = 0;
  #ended = false;

  constructor(store: RetainedStore, key: string, lastSequence = 0) {
    this.#store = store;
    this.#id = recordId(key);
    this.#sequence = lastSequence;
  }

  /** The number of a new message, higher than all before it. */
  next(): number {
    return ++this.#sequence;
  }

  putSession(session: KeptSession): Promise<void> {
    return this.#store.record(SESSION + this.#id, Buffer.from(JSON.stringify(session)));
  }

  /** The session ended. Publishes of its client may still be in flight; they must not write for its successor. */
  end(): Promise<void> {
    this.#ended = true;
    return this.#store.record(SESSION + this.#id, undefined);
  }

  putSubscription(filter: string, qos: QoS): Promise<void> {
    const record = Buffer.concat([Buffer.from([qos]), Buffer.from(filter)]);
    return this.#store.record(`${SUBSCRIPTION}${this.#id}/${filterId(filter)}`, record);
  }

  removeSubscription(filter: string): Promise<void> {
    return this.#store.record(`${SUBSCRIPTION}${this.#id}/${filterId(filter)}`, undefined);
  }

  putMessage(sequence: number, message: KeptMessage): Promise<void> {
    return this.#store.record(`${MESSAGE}${this.#id}/${sequence}`, encode(message));
  }

  removeMessage(sequence: number): void {
    void this.#store.record(`${MESSAGE}${this.#id}/${sequence}`, undefined);
  }

  /** A QoS 2 publish was received. Undefined when the session has ended: nobody will ask for it. */
  putReceived(id: number): Promise<void> | undefined {
    if (this.#ended) return undefined;
    return this.#store.record(`${RECEIVED}${this.#id}/${id}`, Buffer.from([1]));
  }

  /** PUBREL came: the next publish with this identifier is a new one. */
  removeReceived(id: number): Promise<void> {
    return this.#store.record(`${RECEIVED}${this.#id}/${id}`, undefined);
  }

  /** The client left, at a time in milliseconds since the epoch. */
  putLeft(at: number): void {
    void this.#store.record(LEFT + this.#id, Buffer.from(String(at)));
  }

  /** The client is back. */
  removeLeft(): void {
    void this.#store.record(LEFT + this.#id, undefined);
  }
}

/** Renames unreadable records, so that new ones can take their names. One group write. */
export function setAside(store: RetainedStore, unreadable: Restored['unreadable']): void {
  for (const { name, record } of unreadable) {
    void store.record(ASIDE + name, record);
    void store.record(name, undefined);
  }
}

/** Removes records that belong to no session, in group writes of bounded size. */
export async function removeOrphans(store: RetainedStore, names: readonly string[]): Promise<void> {
  for (let at = 0; at < names.length; at += ORPHANS_IN_A_WRITE_MAX) {
    const removed = names.slice(at, at + ORPHANS_IN_A_WRITE_MAX).map((name) => store.record(name, undefined));
    await Promise.all(removed);
  }
}

/** Assembles sessions from the records read at the start. */
export function restoreSessions(records: ReadonlyMap<string, Buffer>): Restored {
  const sessions = new Map<string, RestoredSession>();
  const unreadable: Restored['unreadable'] = [];
  const orphans: string[] = [];
  const read = (name: string, record: Buffer, use: () => void): void => {
    try {
      use();
    } catch (error) {
      unreadable.push({ name, record, reason: reasonOf(error) });
    }
  };
  for (const [name, record] of records) {
    if (!name.startsWith(SESSION)) continue;
    read(name, record, () => {
      const id = name.slice(SESSION.length);
      const kept = parseSession(record);
      if (recordId(kept.key) !== id) throw new Error('a session of another name');
      sessions.set(id, { ...kept, messages: [], inboundQos2: [], left: undefined });
    });
  }
  for (const [name, record] of records) {
    if (name.startsWith(SESSION) || name.startsWith(ASIDE)) continue;
    const [kind = '', id = '', text = ''] = name.split('/');
    const session = sessions.get(id);
    if (session) read(name, record, () => belong(session, `${kind}/`, text, record));
    else if (!BELONGING.has(`${kind}/`)) unreadable.push({ name, record, reason: 'of an unknown kind' });
    // Records of an unreadable session are kept with it.
    else if (records.has(SESSION + id))
      unreadable.push({ name, record, reason: 'of a session that is unreadable' });
    else orphans.push(name);
  }
  for (const { messages } of sessions.values()) messages.sort(([a], [b]) => a - b);
  const order = ({ left = Number.POSITIVE_INFINITY }: RestoredSession) => left;
  return {
    sessions: [...sessions.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1)),
    unreadable,
    orphans,
  };
}

/** @throws Error when the record is not a session */
function parseSession(record: Buffer): KeptSession & Pick<RestoredSession, 'subscriptions' | 'inOneRecord'> {
  const parsed = JSON.parse(record.toString()) as Partial<KeptSession> & { subscriptions?: unknown };
  const { key, clientId, principal, subscriptions = [] } = parsed;
  if (typeof key !== 'string' || typeof clientId !== 'string' || !Array.isArray(subscriptions)) {
    throw new Error('not a session');
  }
  for (const [filter, qos] of subscriptions) {
    if (typeof filter !== 'string' || ![0, 1, 2].includes(qos)) throw new Error('not a subscription');
  }
  if (principal && (typeof principal.name !== 'string' || typeof principal.role !== 'string')) {
    throw new Error('not a principal');
  }
  return {
    key,
    clientId,
    ...(principal ? { principal } : {}),
    subscriptions: new Map(subscriptions),
    inOneRecord: subscriptions.length > 0,
  };
}

/** Adds a record to its session. @throws Error when it can't be read */
function belong(session: RestoredSession, kind: string, text: string, record: Buffer): void {
  if (kind === LEFT) session.left = whole(record.toString());
  else if (kind === MESSAGE) session.messages.push([whole(text), decode(record)]);
  else if (kind === RECEIVED) session.inboundQos2.push(whole(text));
  else if (kind === SUBSCRIPTION) {
    const qos = record.readUInt8(0);
    const filter = record.toString('utf8', 1);
    if (qos > 2 || filterId(filter) !== text) throw new Error('not a subscription');
    session.subscriptions.set(filter, qos as QoS);
  } else throw new Error('of an unknown kind');
}

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error('not a number');
  return Number(text);
}
