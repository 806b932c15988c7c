/**
 * What sessions with clean session 0 must not forget over a restart: their subscriptions, the messages on their way to
 * them, the identifiers of QoS 2 publishes taken over from them. Each is a record of its own beside the retained
 * documents, so that one group write makes both durable. The names of records begin with `#`: no topic can.
 */
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
}

const SESSION = '#session/';
const MESSAGE = '#message/';
const RECEIVED = '#received/';

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

function decode(record: Buffer): KeptMessage {
  const flags = record[0] as number;
  const payloadAt = 5 + record.readUInt16BE(3);
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

  putMessage(sequence: number, message: KeptMessage): void {
    void this.#store.record(`${MESSAGE}${this.#id}/${sequence}`, encode(message));
  }

  removeMessage(sequence: number): void {
    void this.#store.record(`${MESSAGE}${this.#id}/${sequence}`, undefined);
  }

  /** A QoS 2 publish of the client was taken over. */
  putReceived(id: number): Promise<void> {
    return this.#store.record(`${RECEIVED}${this.#id}/${id}`, Buffer.from([1]));
  }

  removeReceived(id: number): void {
    void this.#store.record(`${RECEIVED}${this.#id}/${id}`, undefined);
  }
}

/** Puts the records that were read at the start together. Those of a session that is gone are left out. */
export function restoreSessions(records: ReadonlyMap<string, Buffer>): RestoredSession[] {
  const sessions = new Map<string, RestoredSession>();
  for (const [name, record] of records) {
    if (!name.startsWith(SESSION)) continue;
    const kept = JSON.parse(record.toString()) as KeptSession;
    sessions.set(name.slice(SESSION.length), { ...kept, messages: [], inboundQos2: [] });
  }
  for (const [name, record] of records) {
    const [, id = '', number] = name.split('/');
    const session = sessions.get(id);
    if (!session) continue;
    if (name.startsWith(MESSAGE)) session.messages.push([Number(number), decode(record)]);
    else if (name.startsWith(RECEIVED)) session.inboundQos2.push(Number(number));
  }
  for (const { messages } of sessions.values()) messages.sort(([a], [b]) => a - b);
  return [...sessions.values()];
}
