/**
 * What sessions with clean session 0 must not forget over a restart: their subscriptions, the messages on their way to
 * them, the identifiers of QoS 2 publishes taken over from them. Each is a record of its own beside the retained
 * documents, so that one group write makes both durable. The names of records begin with `#`: no topic can.
 */
import { reasonOf } from '../../schemas/errors.ts';
import type { Principal } from '../identity.ts';
import type { QoS } from '../retained-backend.ts';
import type { RetainedStore } from '../topics/retained-store.ts';

/** A message on its way to a client, as it is kept. */
export interface KeptMessage {
  topic: string;
  payload: Buffer;
  /** With which it is delivered. */
  qos: QoS;
  retain: boolean;
  /** Identifier under which it was sent; 0 when it wasn't yet. */
  id: number;
  /** PUBREC came: from now on only PUBREL is sent. */
  released: boolean;
}

/** A session as it is kept, its messages aside. */
export interface KeptSession {
  key: string;
  clientId: string;
  principal?: Principal;
  /** Filters as they were subscribed to. */
  subscriptions: [filter: string, qos: QoS][];
}

/** What was read at the start: a session and what belongs to it, in order. */
export interface RestoredSession extends KeptSession {
  messages: [sequence: number, message: KeptMessage][];
  inboundQos2: number[];
  /** When its client went, in milliseconds since the epoch; undefined when it was there until the end. */
  left: number | undefined;
}

/** All that was read at the start. */
export interface Restored {
  /** Those away longest first; last those whose clients were there. */
  sessions: RestoredSession[];
  /** Records that say nothing that could be used, with the reason. */
  unreadable: { name: string; record: Buffer; reason: string }[];
}

const SESSION = '#session/';
const MESSAGE = '#message/';
const RECEIVED = '#received/';
const LEFT = '#left/';
/** Before the name of a record that couldn't be read: it is kept for whoever wants to look at it. */
const ASIDE = '#aside/';

function recordId(key: string): string {
  return Buffer.from(key).toString('base64url');
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

/** @throws Error when it is no message */
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

  constructor(store: RetainedStore, key: string, lastSequence = 0) {
    this.#store = store;
    this.#id = recordId(key);
    this.#sequence = lastSequence;
  }

  /** A number for a new message, above all before it. */
  next(): number {
    return ++this.#sequence;
  }

  putSession(session: KeptSession): Promise<void> {
    return this.#store.record(SESSION + this.#id, Buffer.from(JSON.stringify(session)));
  }

  removeSession(): void {
    void this.#store.record(SESSION + this.#id, undefined);
  }

  putMessage(sequence: number, message: KeptMessage): Promise<void> {
    return this.#store.record(`${MESSAGE}${this.#id}/${sequence}`, encode(message));
  }

  removeMessage(sequence: number): void {
    void this.#store.record(`${MESSAGE}${this.#id}/${sequence}`, undefined);
  }

  /** A QoS 2 publish of the client was taken over. */
  putReceived(id: number): Promise<void> {
    return this.#store.record(`${RECEIVED}${this.#id}/${id}`, Buffer.from([1]));
  }

  /** Its PUBREL came: the next publish with this identifier is another one. */
  removeReceived(id: number): Promise<void> {
    return this.#store.record(`${RECEIVED}${this.#id}/${id}`, undefined);
  }

  /** The client went, at a time in milliseconds since the epoch. */
  putLeft(at: number): void {
    void this.#store.record(LEFT + this.#id, Buffer.from(String(at)));
  }

  /** The client is there again. */
  removeLeft(): void {
    void this.#store.record(LEFT + this.#id, undefined);
  }
}

/** Puts records that couldn't be read out of the way of what comes to have their names, in one group write. */
export function setAside(store: RetainedStore, unreadable: Restored['unreadable']): void {
  for (const { name, record } of unreadable) {
    void store.record(ASIDE + name, record);
    void store.record(name, undefined);
  }
}

/** Puts the records that were read at the start together. */
export function restoreSessions(records: ReadonlyMap<string, Buffer>): Restored {
  const sessions = new Map<string, RestoredSession>();
  const unreadable: Restored['unreadable'] = [];
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
    read(name, record, () => belong(sessions, name, record));
  }
  for (const { messages } of sessions.values()) messages.sort(([a], [b]) => a - b);
  const order = ({ left = Number.POSITIVE_INFINITY }: RestoredSession) => left;
  return { sessions: [...sessions.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1)), unreadable };
}

/** @throws Error when it is no session */
function parseSession(record: Buffer): KeptSession {
  const { key, clientId, principal, subscriptions } = JSON.parse(record.toString()) as Partial<KeptSession>;
  if (typeof key !== 'string' || typeof clientId !== 'string' || !Array.isArray(subscriptions)) {
    throw new Error('not a session');
  }
  for (const [filter, qos] of subscriptions) {
    if (typeof filter !== 'string' || ![0, 1, 2].includes(qos)) throw new Error('not a subscription');
  }
  if (principal && (typeof principal.name !== 'string' || typeof principal.role !== 'string')) {
    throw new Error('not a principal');
  }
  return { key, clientId, ...(principal ? { principal } : {}), subscriptions };
}

/** Gives a record to its session. @throws Error when there is none, or it says nothing */
function belong(sessions: ReadonlyMap<string, RestoredSession>, name: string, record: Buffer): void {
  const [, id = '', text = ''] = name.split('/');
  const session = sessions.get(id);
  if (!session) throw new Error('of no session');
  if (name.startsWith(LEFT)) session.left = whole(record.toString());
  else if (name.startsWith(MESSAGE)) session.messages.push([whole(text), decode(record)]);
  else if (name.startsWith(RECEIVED)) session.inboundQos2.push(whole(text));
  else throw new Error('of an unknown kind');
}

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error('not a number');
  return Number(text);
}
