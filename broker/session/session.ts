/**
 * The session state of one client (MQTT 3.1.1, 3.1.2.4): subscriptions, messages in flight, queued messages. All of it
 * is bounded by the limits.
 */
import { acknowledgement, publish } from '../../mqtt/encode.ts';
import { type Packet, type QoS, TYPE } from '../../mqtt/packet.ts';
import type { Principal } from '../access/identity.ts';
import type { BrokerLimits } from '../limits.ts';
import type { Retained, RetainedStore } from '../retained/retained-store.ts';
import { Message } from '../routing/message.ts';
import type { SharedGroup, Subscription } from '../routing/subscription-tree.ts';
import type { RestoredSession, SessionJournal } from './session-journal.ts';

/** The connection as seen by its session. */
export interface Outlet {
  /** Bytes the peer hasn't read yet. */
  readonly pendingBytes: number;
  /** Sends bytes at the end of this turn of the event loop. */
  send(bytes: Buffer): void;
  /** Ends the connection, soon but not inside this call. */
  fail(reason: string): void;
}

/** What a session needs from the broker. */
export interface SessionOwner {
  readonly limits: BrokerLimits;
  readonly retained: RetainedStore;
  /** A message was dropped. */
  dropped(reason: 'offline-queue-full' | 'offline-qos0' | 'not-authorized', session: Session): void;
  /** A PUBLISH was sent. */
  sent(message: Message | Retained): void;
  /** The queue of the session changed by `bytes`. */
  queued(session: Session, bytes: number): void;
  /** Whether its queue may grow by `bytes`: there is a limit for each user and one for all together. */
  roomFor(session: Session, bytes: number): boolean;
  /** Whether the session's principal may receive `topic`. */
  mayReceive(session: Session, topic: string): boolean;
}

/** A message sent with QoS 1 or 2 whose handshake isn't complete. */
interface InFlight {
  /** Its number in the journal; 0 without a journal. */
  sequence: number;
  message: Message | Retained;
  qos: QoS;
  retain: boolean;
  /** PUBREC came and PUBCOMP is awaited. The message itself is no longer needed. */
  released: boolean;
  group: SharedGroup<Session> | undefined;
  /** It isn't sent before it is durable. */
  unwritten?: boolean;
}

interface QueuedMessage {
  /** As above. */
  sequence: number;
  message: Message;
  qos: QoS;
  group: SharedGroup<Session> | undefined;
  /** QoS 2 only: its publisher has no PUBREC yet and may send it again. */
  unwritten?: boolean;
}

/** Retained documents that a new subscription still has to get. */
interface Replay {
  topics: readonly string[];
  next: number;
  qos: QoS;
}

/** The key of the session's own record in the set of filters. No filter is empty. */
export const OWN_RECORD = '';
const HIGHEST_ID = 65_535;
const NOTHING = Buffer.alloc(0);

export class Session {
  readonly key: string;
  readonly clientId: string;
  readonly clean: boolean;
  /** Keeps it across a restart of the broker; undefined for a session that isn't kept. */
  readonly journal: SessionJournal | undefined;
  readonly subscriptions = new Map<string, Subscription<Session>>();
  /** Identifiers of QoS 2 publishes that await PUBREL. */
  inboundQos2: Set<number> | undefined;
  outlet: Outlet | undefined;
  /** Its owner; undefined with open access. Follows changes of rights. */
  principal: Principal | undefined;
  /** When the last connection ended, in ms of the broker's clock. */
  leftAt = 0;
  /** Marks the message being routed, so that overlapping subscriptions cause one delivery. */
  routeStamp = 0;
  routeQos: QoS = 0;
  /** Deliveries wait for the next flush of the connection. */
  #heldBack = false;
  readonly #owner: SessionOwner;
  #inFlight: Map<number, InFlight> | undefined;
  #waiting: QueuedMessage[] = [];
  #waitingHead = 0;
  #waitingBytes = 0;
  #replays: Replay[] | undefined;
  #nextId = 1;
  /** Settles when all changed records are durable; undefined when they are. */
  #saving: Promise<void> | undefined;
  /** Records that still have to be written: filters, or `OWN_RECORD`. */
  #unsaved: Set<string> | undefined;

  constructor(
    owner: SessionOwner,
    key: string,
    clientId: string,
    clean: boolean,
    journal: SessionJournal | undefined,
  ) {
    this.#owner = owner;
    this.key = key;
    this.clientId = clientId;
    this.clean = clean;
    this.journal = journal;
  }

  /**
   * Writes what changed: filters whose subscriptions began, ended or changed QoS, and `OWN_RECORD`. The promise, if
   * any, settles when these and all earlier changes are durable.
   */
  save(changed: readonly string[]): Promise<void> | undefined {
    const { journal, key, clientId, principal } = this;
    if (!journal) return undefined;
    if (changed.length === 0 && !this.#unsaved) return this.#saving;
    const names = new Set([...changed, ...(this.#unsaved ?? [])]);
    this.#unsaved = undefined;
    let saving: Promise<void> | undefined;
    for (const name of names) {
      const subscription = this.subscriptions.get(name);
      if (name === OWN_RECORD)
        saving = journal.putSession({ key, clientId, ...(principal ? { principal } : {}) });
      else if (subscription) saving = journal.putSubscription(name, subscription.qos);
      else saving = journal.removeSubscription(name);
    }
    this.#saving = saving;
    const settled = () => {
      if (this.#saving === saving) this.#saving = undefined;
    };
    saving?.then(settled, () => {
      settled();
      this.#unsaved = new Set([...names, ...(this.#unsaved ?? [])]);
    });
    return saving;
  }

  /** Restores the messages that were in flight or queued when the broker ended. */
  restore({ messages, inboundQos2 }: RestoredSession): void {
    if (inboundQos2.length > 0) this.inboundQos2 = new Set(inboundQos2);
    for (const [sequence, { topic, payload, qos, retain, id, released }] of messages) {
      const message = new Message(topic, payload, qos, false, undefined);
      if (id > 0) {
        this.#inFlight ??= new Map();
        this.#inFlight.set(id, { sequence, message, qos, retain, released, group: undefined });
      } else {
        this.#waiting.push({ sequence, message, qos, group: undefined });
        this.#queue(message.bytes);
      }
    }
  }

  /** Removes all its records. The promise, if any, settles when that is durable. */
  erase(): Promise<void> | undefined {
    const { journal } = this;
    if (!journal) return undefined;
    for (const { sequence } of this.#inFlight?.values() ?? []) journal.removeMessage(sequence);
    for (const { sequence } of this.#waiting.slice(this.#waitingHead)) journal.removeMessage(sequence);
    for (const id of this.inboundQos2 ?? []) void journal.removeReceived(id);
    // Remembered for another call if this one fails: the subscriptions are gone by then.
    this.#unsaved = new Set([...this.subscriptions.keys(), ...(this.#unsaved ?? [])]);
    for (const filter of this.#unsaved) if (filter !== OWN_RECORD) void journal.removeSubscription(filter);
    journal.removeLeft();
    return journal.end();
  }

  /** The session ended: its queue no longer counts. Its state stays, in case `erase` is called again. */
  uncountQueue(): void {
    this.#queue(-this.#waitingBytes);
  }

  get inFlight(): number {
    return this.#inFlight?.size ?? 0;
  }

  get waiting(): number {
    return this.#waiting.length - this.#waitingHead;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Whether anything waits to be sent. */
  get backlog(): boolean {
    return this.waiting > 0 || this.#replays !== undefined;
  }

  /** Sends, queues or drops a message that was just published, within the limits. */
  deliver(message: Message, qos: QoS, group?: SharedGroup<Session>): void {
    if (!this.#owner.mayReceive(this, message.topic)) {
      this.#owner.dropped('not-authorized', this);
      return;
    }
    const outlet = this.outlet;
    // A client that subscribes to its own QoS 2 message gets PUBREC first: mosquitto's clients and tests expect it.
    if (message.qos === 2 && message.source === this) this.#heldBack = true;
    if (!outlet) {
      if (qos === 0) this.#owner.dropped('offline-qos0', this);
      else this.#keepOffline({ sequence: 0, message, qos, group });
      return;
    }
    if (!this.backlog && this.#sendable(outlet, qos)) {
      this.#send(outlet, message, qos, false, group, 0);
      return;
    }
    const { queuedMessagesMax, queuedBytesMax } = this.#owner.limits;
    if (
      this.waiting >= queuedMessagesMax ||
      this.#waitingBytes + message.bytes > queuedBytesMax ||
      !this.#owner.roomFor(this, message.bytes)
    ) {
      outlet.fail('slow-consumer');
      // QoS 0 is dropped. The rest waits until the client is back.
      if (qos > 0 && !this.clean) this.#keepOffline({ sequence: 0, message, qos, group });
      return;
    }
    this.#enqueue({ sequence: 0, message, qos, group });
  }

  /** Starts sending the retained documents of a new subscription [MQTT-3.3.1-6]. */
  replay(filter: string, qos: QoS): void {
    const topics = this.#owner.retained.match(filter);
    if (topics.length === 0) return;
    this.#replays ??= [];
    this.#replays.push({ topics, next: 0, qos });
    this.pump();
    const waiting = this.#replays?.reduce((sum, replay) => sum + replay.topics.length - replay.next, 0) ?? 0;
    if (waiting > this.#owner.limits.replayTopicsMax) this.outlet?.fail('slow-consumer');
  }

  /** Sends from the queue as far as the window and the socket allow. */
  pump(): void {
    const outlet = this.outlet;
    if (!outlet) return;
    while (this.#replays) {
      if (!this.#pumpReplay(outlet)) return;
    }
    while (this.waiting > 0) {
      const head = this.#waiting[this.#waitingHead] as QueuedMessage;
      // Rights may have changed since it was queued.
      const allowed = this.#owner.mayReceive(this, head.message.topic);
      if (allowed && !this.#sendable(outlet, head.qos)) return;
      this.#shift();
      if (!allowed) {
        if (head.sequence > 0) this.journal?.removeMessage(head.sequence);
        this.#owner.dropped('not-authorized', this);
        continue;
      }
      this.#send(outlet, head.message, head.qos, false, head.group, head.sequence, head.unwritten);
    }
  }

  /** The connection flushed. */
  release(): void {
    this.#heldBack = false;
  }

  /** A connection took the session over. In-flight messages are sent again first, in order [MQTT-4.4.0-1]. */
  resume(outlet: Outlet): void {
    this.outlet = outlet;
    if (this.#inFlight) {
      for (const [id, entry] of this.#inFlight) {
        if (entry.unwritten) continue;
        if (entry.released) outlet.send(acknowledgement(TYPE.pubrel, id));
        else if (this.#owner.mayReceive(this, entry.message.topic)) {
          this.#write(outlet, entry.message, entry.qos, entry.retain, true, id);
        } else {
          this.#inFlight.delete(id);
          this.journal?.removeMessage(entry.sequence);
          this.#owner.dropped('not-authorized', this);
        }
      }
      if (this.#inFlight.size === 0) this.#inFlight = undefined;
    }
    this.pump();
  }

  /** Its client has left and nothing is kept for it: nobody reads what is sent to it. */
  get gone(): boolean {
    return this.clean && this.outlet === undefined;
  }

  /** The connection ended. */
  suspend(now: number): void {
    this.outlet = undefined;
    this.#heldBack = false;
    this.leftAt = now;
    this.#replays = undefined;
    // QoS 0 isn't kept, and the queue of an absent client has its own limits.
    const kept = this.#waiting.slice(this.#waitingHead).filter((entry) => entry.qos > 0);
    this.#waiting = [];
    this.#waitingHead = 0;
    this.#queue(-this.#waitingBytes);
    for (const entry of kept) this.#keepOffline(entry);
  }

  /** PUBACK or PUBCOMP came: the message is complete. */
  acknowledged(id: number): void {
    const entry = this.#inFlight?.get(id);
    if (!entry || !this.#inFlight?.delete(id)) return;
    this.journal?.removeMessage(entry.sequence);
    if (this.#inFlight.size === 0) this.#inFlight = undefined;
    this.pump();
  }

  /**
   * Whether an acknowledgement fits the in-flight message with its identifier. An identifier that isn't in flight
   * accepts any, because the peer may repeat an earlier acknowledgement.
   */
  expects(cmd: 'puback' | 'pubrec' | 'pubcomp', id: number): boolean {
    const entry = this.#inFlight?.get(id);
    if (!entry) return true;
    if (cmd === 'puback') return entry.qos === 1;
    return entry.qos === 2 && (cmd === 'pubrec' || entry.released);
  }

  /** Whether a packet answers a message in flight. Their number is bounded, so they are not charged. */
  awaits(packet: Packet): boolean {
    switch (packet.cmd) {
      case 'puback':
      case 'pubcomp':
        return this.#inFlight?.has(packet.messageId) ?? false;
      case 'pubrec':
        return this.#inFlight?.get(packet.messageId)?.released === false;
      case 'pubrel':
        return this.inboundQos2?.has(packet.messageId) ?? false;
      default:
        return false;
    }
  }

  /**
   * PUBREC came: from now on only PUBREL is repeated [MQTT-4.3.3-1]. PUBREL must wait for the promise, if any: after a
   * crash the broker would send the message again, and the client, which freed the identifier, would take it for a new
   * one.
   */
  released(id: number): Promise<void> | undefined {
    const entry = this.#inFlight?.get(id);
    if (entry?.qos !== 2 || entry.released) return undefined;
    entry.released = true;
    return this.#record(entry, id);
  }

  /**
   * PUBREL came, or the publish failed: its identifier is free. PUBCOMP must wait for the promise, if any: after a crash
   * the broker would take the next message with this identifier for a duplicate.
   */
  releaseInbound(id: number): Promise<void> | undefined {
    return this.inboundQos2?.delete(id) ? this.journal?.removeReceived(id) : undefined;
  }

  /** Removes and returns the unacknowledged messages that this member of shared subscriptions got. */
  takeShared(of?: SharedGroup<Session>): { message: Message; qos: QoS; group: SharedGroup<Session> }[] {
    const taken: { message: Message; qos: QoS; group: SharedGroup<Session> }[] = [];
    const mine = (group: SharedGroup<Session> | undefined): group is SharedGroup<Session> =>
      group !== undefined && (of === undefined || of === group);
    if (this.#inFlight) {
      for (const [id, entry] of this.#inFlight) {
        if (!mine(entry.group) || entry.released) continue;
        taken.push({ message: entry.message as Message, qos: entry.qos, group: entry.group });
        this.#inFlight.delete(id);
        this.journal?.removeMessage(entry.sequence);
      }
      if (this.#inFlight.size === 0) this.#inFlight = undefined;
    }
    const rest: QueuedMessage[] = [];
    for (const entry of this.#waiting.slice(this.#waitingHead)) {
      const { message, qos, group } = entry;
      if (mine(group)) {
        taken.push({ message, qos, group });
        this.journal?.removeMessage(entry.sequence);
      } else rest.push(entry);
    }
    if (taken.length > 0) {
      this.#waiting = rest;
      this.#waitingHead = 0;
      this.#queue(rest.reduce((sum, entry) => sum + entry.message.bytes, 0) - this.#waitingBytes);
    }
    return taken;
  }

  #pumpReplay(outlet: Outlet): boolean {
    const replays = this.#replays as Replay[];
    const replay = replays[0] as Replay;
    while (replay.next < replay.topics.length) {
      // Read only now: a document that changed meanwhile is sent in its current form.
      const document = this.#owner.retained.get(replay.topics[replay.next] as string);
      if (document && this.#owner.mayReceive(this, document.topic)) {
        const qos = Math.min(document.qos, replay.qos) as QoS;
        if (!this.#sendable(outlet, qos)) return false;
        this.#send(outlet, document, qos, true, undefined, 0);
      }
      replay.next++;
    }
    replays.shift();
    if (replays.length === 0) this.#replays = undefined;
    return true;
  }

  #sendable(outlet: Outlet, qos: QoS): boolean {
    const limits = this.#owner.limits;
    if (this.#heldBack || outlet.pendingBytes >= limits.outboundSocketBytesMax) return false;
    return qos === 0 || this.inFlight < limits.outboundInFlightMax;
  }

  #send(
    outlet: Outlet,
    message: Message | Retained,
    qos: QoS,
    retain: boolean,
    group: SharedGroup<Session> | undefined,
    sequence: number,
    unwritten = false,
  ): void {
    if (qos === 0) {
      if ('encoded' in message) {
        outlet.send(message.encoded);
        this.#owner.sent(message);
      } else this.#write(outlet, message, 0, retain, false, 0);
      return;
    }
    const id = this.#freeId();
    this.#inFlight ??= new Map();
    const entry: InFlight = {
      sequence: sequence || (this.journal?.next() ?? 0),
      message,
      qos,
      retain,
      released: false,
      group,
    };
    this.#inFlight.set(id, entry);
    const durable = this.#record(entry, id);
    if (qos === 2 && durable) this.#writeLater(entry, id, durable, sequence > 0 && !unwritten);
    else this.#write(outlet, message, qos, retain, false, id);
  }

  /**
   * A QoS 2 message must be durable before anybody sees it: after a crash its publisher sends it again, and it would
   * arrive a second time under another identifier. A `queued` message was already acknowledged to its publisher.
   */
  #writeLater(entry: InFlight, id: number, durable: Promise<void>, queued: boolean): void {
    entry.unwritten = true;
    durable.then(
      () => {
        if (this.#inFlight?.get(id) !== entry) return;
        entry.unwritten = false;
        if (this.outlet) this.#write(this.outlet, entry.message, 2, entry.retain, false, id);
      },
      () => {
        if (this.#inFlight?.get(id) !== entry) return;
        this.#inFlight.delete(id);
        if (queued) this.#queueAgain(entry);
        this.outlet?.fail('storage-failed');
      },
    );
  }

  /** A message could not be sent: it returns to its place in the queue. */
  #queueAgain({ sequence, message, qos, group }: InFlight): void {
    const before = (entry: QueuedMessage) => entry.sequence > sequence;
    const rest = this.#waiting.slice(this.#waitingHead);
    const at = rest.findIndex(before);
    rest.splice(at < 0 ? rest.length : at, 0, { sequence, message: message as Message, qos, group });
    this.#waiting = rest;
    this.#waitingHead = 0;
    this.#queue((message as Message).bytes);
  }

  #write(
    outlet: Outlet,
    message: Message | Retained,
    qos: QoS,
    retain: boolean,
    dup: boolean,
    id: number,
  ): void {
    outlet.send(publish(message.topic, message.payload, qos, retain, dup, id));
    this.#owner.sent(message);
  }

  /** The window is far smaller than the number of identifiers, so there is always a free one [MQTT-2.3.1-2]. */
  #freeId(): number {
    let id = this.#nextId;
    while (this.#inFlight?.has(id)) id = id === HIGHEST_ID ? 1 : id + 1;
    this.#nextId = id === HIGHEST_ID ? 1 : id + 1;
    return id;
  }

  /** Writes the record of a message. `id` is 0 until it is sent. */
  #record({ sequence, message, qos, retain, released }: InFlight, id: number): Promise<void> | undefined {
    const { topic } = message;
    // After PUBREC the payload is no longer needed.
    const payload = released ? NOTHING : message.payload;
    return this.journal?.putMessage(sequence, { topic, payload, qos, retain, released, id });
  }

  #enqueue(entry: QueuedMessage): void {
    if (this.journal && entry.qos > 0 && entry.sequence === 0) {
      entry.sequence = this.journal.next();
      const durable = this.#record({ ...entry, retain: false, released: false }, 0);
      if (entry.qos === 2 && durable) {
        entry.unwritten = true;
        durable.then(
          () => {
            entry.unwritten = false;
          },
          // Its publisher gets no PUBREC and sends it again, so it would arrive twice.
          () => this.#giveUp(entry),
        );
      }
    }
    this.#waiting.push(entry);
    this.#queue(entry.message.bytes);
  }

  /** A message could not be written: it is removed from the queue, or from the window if it isn't sent yet. */
  #giveUp(entry: QueuedMessage): void {
    const at = this.#waiting.indexOf(entry, this.#waitingHead);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      this.#queue(-entry.message.bytes);
      return;
    }
    for (const [id, { sequence, unwritten }] of this.#inFlight ?? []) {
      if (sequence !== entry.sequence || !unwritten) continue;
      this.#inFlight?.delete(id);
      this.journal?.removeMessage(sequence);
      this.pump();
      return;
    }
  }

  #keepOffline(entry: QueuedMessage): void {
    const { offlineMessagesMax, offlineBytesMax, offlineFull } = this.#owner.limits;
    while (
      this.waiting >= offlineMessagesMax ||
      (this.waiting > 0 && this.#waitingBytes + entry.message.bytes > offlineBytesMax) ||
      !this.#owner.roomFor(this, entry.message.bytes)
    ) {
      this.#owner.dropped('offline-queue-full', this);
      if (offlineFull === 'drop-newest' || this.waiting === 0) {
        if (entry.sequence > 0) this.journal?.removeMessage(entry.sequence);
        return;
      }
      this.journal?.removeMessage((this.#waiting[this.#waitingHead] as QueuedMessage).sequence);
      this.#shift();
    }
    this.#enqueue(entry);
  }

  #queue(bytes: number): void {
    this.#waitingBytes += bytes;
    this.#owner.queued(this, bytes);
  }

  #shift(): void {
    const head = this.#waiting[this.#waitingHead] as QueuedMessage;
    this.#queue(-head.message.bytes);
    this.#waitingHead++;
    // Moving the rest only now and then keeps both the shift and the memory cheap.
    if (this.#waitingHead > 64 && this.#waitingHead * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#waitingHead);
      this.#waitingHead = 0;
    }
  }
}
