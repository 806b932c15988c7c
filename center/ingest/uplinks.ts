/**
 * Handles uplinks: each is validated as a whole, made durable, and passed to the parts that conclude something from it.
 * The promise of `handle` settles when the message is durable. Conclusions follow later, because a printer need not
 * wait for them and they can be drawn again from the store.
 */
import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { doubledName } from '../../schemas/json.ts';
import { type ParsedTopic, PRINTER_ID, printerTopic, type UplinkKind } from '../../schemas/topics.ts';
import type {
  ErrorBatch,
  ErrorsAck,
  Presence,
  Readings,
  Structure,
  UpdateReport,
  Verdict,
} from '../../schemas/types.ts';
import { parsePayload } from '../../schemas/validate.ts';
import type { Conclude } from '../conclusions.ts';
import type { FleetEvents } from '../fleet/events.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Handled, Link, LinkMessage } from '../link/link.ts';
import { FailedMessages } from './failed-messages.ts';
import type { IngestWriter } from './ingest.ts';
import type { ErrorsResult, ErrorsTaker } from './ingest-errors.ts';
import { NewLogs } from './new-logs.ts';
import type { Refusals } from './refusals.ts';

/** The durable store. Every promise resolves, and every taker is called, after the commit. */
export type IngestPort = Pick<
  IngestWriter,
  'structure' | 'knowsLog' | 'takeErrors' | 'presence' | 'connection' | 'update' | 'readings'
>;

function isOfPayload(error: unknown): error is PlatenError {
  return error instanceof PlatenError && error.code.startsWith('payload/');
}

const TAKEN: Promise<undefined> = Promise.resolve(undefined);

const BYTES_MAX: Record<UplinkKind, number> = {
  structure: CENTER_LIMITS.structure_payload_bytes_max,
  errors: CENTER_LIMITS.errors_payload_bytes_max,
  readings: CENTER_LIMITS.readings_payload_bytes_max,
  presence: CENTER_LIMITS.payload_bytes_max,
  update: CENTER_LIMITS.payload_bytes_max,
  ask: CENTER_LIMITS.payload_bytes_max,
};

/**
 * Refuses a structure that uses a symbol twice.
 * @throws PlatenError payload/duplicate-symbol
 */
export function checkSymbols(structure: Structure): void {
  const seen = new Set<string>(['apparatus']);
  for (const { symbol } of structure.units) {
    if (seen.has(symbol)) throw new PlatenError('payload/duplicate-symbol', { symbol });
    seen.add(symbol);
  }
}

/**
 * Refuses readings that use a name twice: JSON itself would keep the last one.
 * @throws PlatenError payload/duplicate-name
 */
export function checkNames(readings: Readings, payload: Uint8Array): void {
  for (const what of ['supplies', 'inputs'] as const) {
    const seen = new Set<string>();
    for (const { symbol } of readings[what] ?? []) {
      if (seen.has(symbol)) throw new PlatenError('payload/duplicate-name', { name: symbol, what });
      seen.add(symbol);
    }
  }
  const doubled = doubledName(Buffer.from(payload).toString());
  if (doubled !== undefined)
    throw new PlatenError('payload/duplicate-name', { name: doubled, what: 'members' });
}

/**
 * Refuses a batch whose sequence numbers don't ascend.
 * @throws PlatenError payload/seq-backwards
 */
export function checkSequence(batch: ErrorBatch): void {
  let previous = 0;
  for (const { seq } of batch.entries) {
    if (seq <= previous) throw new PlatenError('payload/seq-backwards', { seq, previous });
    previous = seq;
  }
}

/** A cursor to be sent to the printer. */
interface Ack {
  printer: string;
  log: string;
  upTo: number;
}

/** Handles the outcome of messages with entries. */
interface EntriesListener {
  stored(message: EntriesUnderWay, result: ErrorsResult): void;
  /** Whether its content is to blame: then it was counted and reported. */
  refused(message: EntriesUnderWay, error: unknown): boolean;
}

/** A message with entries under way to the store. It reports to the broker like a promise, without its costs. */
class EntriesUnderWay implements Handled, ErrorsTaker {
  readonly printer: string;
  readonly log: string;
  readonly topic: string;
  /** Identifies the message, also when it comes again. */
  readonly name: string;
  readonly #listener: EntriesListener;
  #settled: Parameters<Handled['then']>[0] | undefined;
  #failed: Parameters<Handled['then']>[1] | undefined;
  /** The outcome until somebody listens: the store may refuse at once. */
  #untold: (() => void) | undefined;

  constructor(printer: string, batch: ErrorBatch, topic: string, listener: EntriesListener) {
    this.printer = printer;
    this.log = batch.log;
    this.topic = topic;
    this.name = `${batch.log} ${batch.first} ${batch.entries[0]?.seq} ${batch.entries.length}`;
    this.#listener = listener;
  }

  // biome-ignore lint/suspicious/noThenProperty: it is what a promise is to the broker, and is never awaited.
  then(settled: Parameters<Handled['then']>[0], failed: Parameters<Handled['then']>[1]): void {
    this.#settled = settled;
    this.#failed = failed;
    if (this.#untold) queueMicrotask(this.#untold);
  }

  stored(result: ErrorsResult): void {
    this.#listener.stored(this, result);
    this.#settled?.(undefined);
  }

  failed(error: unknown): void {
    const tell = this.#listener.refused(this, error)
      ? () => this.#settled?.('refused')
      : () => this.#failed?.(error);
    if (this.#settled) tell();
    else this.#untold = tell;
  }
}

export class Uplinks {
  readonly #ingest: IngestPort;
  readonly #conclude: Conclude;
  readonly #knownVerdict: (structure: Structure) => Verdict | undefined;
  readonly #ask: (printer: string, method: string, payload: Buffer) => Promise<void>;
  readonly #refusals: Refusals;
  readonly #events: FleetEvents;
  readonly #link: Link;
  readonly #log: Logger;
  readonly #failed = new FailedMessages({
    tries_max: CENTER_LIMITS.message_tries_max,
    remembered_max: CENTER_LIMITS.messages_failed_remembered_max,
  });
  readonly #newLogs: NewLogs;
  readonly #hear: (printer: string) => void;
  readonly #isRemoved: (printer: string) => boolean;
  /** Cursors to be sent, by printer and log memory. */
  #acks = new Map<string, Map<string, Ack>>();
  /** The one used last. */
  #ack: Ack | undefined;
  /** Uplinks taken and entries stored, by kind: read by the metrics. */
  readonly counts = {
    presence: 0,
    structure: 0,
    errors: 0,
    readings: 0,
    update: 0,
    ask: 0,
    entries: 0,
    entries_lost: 0,
  };

  constructor(parts: {
    ingest: IngestPort;
    conclude: Conclude;
    /** The verdict on a structure, if known without judging. */
    knownVerdict(structure: Structure): Verdict | undefined;
    /** Answers a question of a printer. */
    ask(printer: string, method: string, payload: Buffer): Promise<void>;
    refusals: Refusals;
    events: FleetEvents;
    link: Link;
    log: Logger;
    now(): number;
    /** Called for every uplink that a printer has just sent, entries included, so it must be cheap. */
    hear?(printer: string): void;
    /** Whether a printer was removed, so that nothing of it is accepted. It must be cheap too. */
    isRemoved?(printer: string): boolean;
  }) {
    this.#ingest = parts.ingest;
    this.#conclude = parts.conclude;
    this.#knownVerdict = parts.knownVerdict.bind(parts);
    this.#ask = parts.ask.bind(parts);
    this.#refusals = parts.refusals;
    this.#events = parts.events;
    this.#link = parts.link;
    this.#log = parts.log;
    this.#newLogs = new NewLogs(parts.now);
    this.#hear = parts.hear?.bind(parts) ?? (() => undefined);
    this.#isRemoved = parts.isRemoved?.bind(parts) ?? (() => false);
  }

  /**
   * Handles one uplink of a printer.
   * @returns settles with 'refused' when the content was refused (it was counted and reported), otherwise with nothing;
   * fails with the store's error when the message can't be stored and must not be acknowledged
   */
  handle(message: LinkMessage, parsed: ParsedTopic & { from: 'printer' }): Handled {
    const { printer, kind } = parsed;
    // A cleared retained document ("none") contains nothing to keep.
    if (message.payload.length === 0 && (kind === 'structure' || kind === 'presence')) return TAKEN;
    // Entries are the most frequent uplink: they take the shortest path, without a promise between commit and broker.
    if (kind === 'errors') return this.#entries(printer, message);
    return this.#document(printer, kind, parsed.method, message);
  }

  /** @throws PlatenError when a message names another printer or is too large */
  #check(printer: string, kind: UplinkKind, message: LinkMessage): void {
    // A printer that the broker has authenticated has a valid id.
    const known = message.publisher?.role === 'printer' ? message.publisher.name : undefined;
    if (known === undefined ? !PRINTER_ID.test(printer) : known !== printer) {
      throw new PlatenError('payload/wrong-printer');
    }
    if (this.#isRemoved(printer)) throw new PlatenError('payload/removed', { printer });
    if (message.payload.length > BYTES_MAX[kind]) {
      throw new PlatenError('payload/too-large', { bytes: message.payload.length, limit: BYTES_MAX[kind] });
    }
    // A presence may be a will, which the broker publishes when the printer is gone.
    if (kind !== 'presence' && !message.replayed) this.#hear(printer);
  }

  /** @throws the error itself, unless the content is to blame or the message failed too often */
  #refuse(printer: string, kind: UplinkKind, message: LinkMessage, error: unknown): 'refused' {
    const name = () => createHash('sha256').update(message.payload).digest('base64');
    const refusal = isOfPayload(error) ? error : this.#setAside(printer, kind, name(), error);
    if (!refusal) throw error;
    this.#refusals.refuse(printer, kind, message.topic, refusal);
    return 'refused';
  }

  /** Why a message that could not be stored is given up; undefined while it should come again. */
  #setAside(printer: string, kind: UplinkKind, name: string, error: unknown): PlatenError | undefined {
    const tries = this.#failed.failed(`${printer} ${kind} ${name}`, error, this.counts[kind]);
    if (tries === undefined) return undefined;
    this.#log.error({ printer, kind, tries, err: error }, 'a message that keeps failing was set aside');
    return new PlatenError('payload/set-aside', { tries, reason: reasonOf(error) });
  }

  async #document(
    printer: string,
    kind: Exclude<UplinkKind, 'errors'>,
    method: string,
    message: LinkMessage,
  ): Promise<'refused' | undefined> {
    try {
      this.#check(printer, kind, message);
      await this.#take(printer, kind, method, message);
      this.counts[kind] += 1;
      return undefined;
    } catch (error) {
      return this.#refuse(printer, kind, message, error);
    }
  }

  #entries(printer: string, message: LinkMessage): Handled {
    let batch: ErrorBatch;
    try {
      this.#check(printer, 'errors', message);
      batch = parsePayload('errors', message.payload);
      checkSequence(batch);
      if (!this.#ingest.knowsLog(printer, batch.log)) this.#newLogs.check(printer, batch.log);
    } catch (error) {
      return this.#refusedNow(printer, message, error);
    }
    const underWay = new EntriesUnderWay(printer, batch, message.topic, this.#listener);
    this.#ingest.takeErrors(printer, batch, underWay, message.payload.length);
    return underWay;
  }

  readonly #listener: EntriesListener = {
    stored: ({ printer, log }, { upTo, fresh, lost }) => {
      this.counts.errors += 1;
      this.counts.entries += fresh.length;
      this.counts.entries_lost += lost;
      this.#acknowledge(printer, log, upTo);
      if (fresh.length > 0) this.#conclude({ kind: 'entries', printer, log, entries: fresh });
    },
    refused: ({ printer, topic, name }, error) => {
      const refusal = isOfPayload(error) ? error : this.#setAside(printer, 'errors', name, error);
      if (!refusal) return false;
      this.#refusals.refuse(printer, 'errors', topic, refusal);
      return true;
    },
  };

  async #refusedNow(printer: string, message: LinkMessage, error: unknown): Promise<'refused'> {
    return this.#refuse(printer, 'errors', message, error);
  }

  #take(
    printer: string,
    kind: Exclude<UplinkKind, 'errors'>,
    method: string,
    message: LinkMessage,
  ): Promise<void> {
    switch (kind) {
      case 'structure':
        return this.#structure(printer, parsePayload('structure', message.payload), message.payload);
      case 'presence':
        return this.#presence(printer, parsePayload('presence', message.payload), message.replayed);
      case 'update':
        return this.#update(printer, parsePayload('update', message.payload));
      case 'readings':
        return this.#readings(printer, message);
      case 'ask':
        return this.#ask(printer, method, message.payload);
    }
  }

  async #readings(printer: string, { topic, payload }: LinkMessage): Promise<void> {
    const readings = parsePayload('readings', payload);
    checkNames(readings, payload);
    const { notes, signs } = await this.#ingest.readings(printer, readings, payload.length);
    if (signs) this.#conclude({ kind: 'reading', printer, signs });
    for (const note of notes) this.#refusals.refuse(printer, 'readings', topic, note);
  }

  async #update(printer: string, report: UpdateReport): Promise<void> {
    await this.#ingest.update(printer, report);
    this.#conclude({ kind: 'update-report', printer, report });
  }

  async #structure(printer: string, structure: Structure, payload: Buffer): Promise<void> {
    checkSymbols(structure);
    const verdict = this.#knownVerdict(structure);
    const { outcome, previous, judged } = await this.#ingest.structure(printer, structure, payload, verdict);
    if (outcome === 'stale') {
      throw new PlatenError('payload/revision-backwards', {
        revision: structure.revision,
        session: structure.session,
        known: previous?.revision ?? structure.revision,
      });
    }
    const same = outcome === 'same';
    const sessionSame = previous?.session === structure.session;
    // A repeated delivery.
    if (same && sessionSame && previous.revision === structure.revision) return;
    if (!same || !sessionSame || structure.request !== undefined) {
      this.#events.tell('structure', structure.reason, {
        printer,
        data: { session: structure.session, revision: structure.revision, request: structure.request },
      });
    }
    // An unchanged structure is news too: it shows whether an update was installed.
    this.#conclude({
      kind: 'structure',
      printer,
      structure,
      judged: verdict && judged && { verdict, previous: judged.previous },
    });
  }

  /** Sends the cursor, once for all messages of a log memory that one commit stored. */
  #acknowledge(printer: string, log: string, upTo: number): void {
    // Several messages of a log memory come together.
    let ack = this.#ack;
    if (ack?.printer !== printer || ack.log !== log) {
      if (this.#acks.size === 0) setImmediate(() => this.#tellAcks());
      let logs = this.#acks.get(printer);
      if (!logs) {
        logs = new Map();
        this.#acks.set(printer, logs);
      }
      ack = logs.get(log);
      if (!ack) {
        ack = { printer, log, upTo };
        logs.set(log, ack);
      }
      this.#ack = ack;
    }
    if (upTo > ack.upTo) ack.upTo = upTo;
  }

  #tellAcks(): void {
    const acks = this.#acks;
    this.#acks = new Map();
    this.#ack = undefined;
    for (const [printer, logs] of acks) {
      for (const { log, upTo } of logs.values()) {
        const ack: ErrorsAck = { log, upTo };
        this.#link
          .publish(printerTopic.errorsAck(printer), JSON.stringify(ack), { qos: 1, retain: false })
          .catch((error: unknown) =>
            this.#log.warn({ printer, reason: reasonOf(error) }, 'cannot send errors/ack'),
          );
      }
    }
  }

  async #presence(printer: string, presence: Presence, replayed: boolean): Promise<void> {
    if (presence.state === 'online' && !replayed) this.#hear(printer);
    const { flipped, device } = await this.#ingest.presence(printer, presence);
    this.#cameOrWent(printer, presence.state === 'online', flipped);
    if (device === undefined) return;
    this.#events.tell('presence', device, { printer });
    if (device === 'reachable') this.#conclude({ kind: 'reachable', printer });
  }

  /** The broker saw a printer's connection begin or end: this gives a presence to printers that send none. */
  connection(printer: string, connected: boolean): void {
    if (this.#isRemoved(printer)) return;
    this.#ingest.connection(printer, connected).then(
      ({ flipped }) => this.#cameOrWent(printer, connected, flipped),
      (error: unknown) => this.#log.warn({ printer, reason: reasonOf(error) }, 'cannot store a presence'),
    );
  }

  #cameOrWent(printer: string, online: boolean, flipped: boolean): void {
    if (!flipped) return;
    this.#events.tell('presence', online ? 'online' : 'offline', { printer });
    this.#conclude({ kind: 'presence', printer, online });
  }
}
