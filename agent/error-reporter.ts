/**
 * Which entries of the log memory are sent, when and why. Part of the agent's state machine.
 *
 * Four cursors over the entry numbers, always in this order: acknowledged by the center ≤ sent on this connection ≤
 * due by the policy ≤ the newest entry. A lost connection or a missing acknowledgement puts `sent` back.
 */

import type { Random } from '../base/random.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { DownlinkRequest, ErrorBatch } from '../schemas/types.ts';
import {
  ACK_TIMEOUT_MS,
  ACK_TIMEOUT_MS_MAX,
  BATCH_ENTRIES_BYTES_MAX,
  BATCH_ENTRIES_MAX,
  BATCHES_IN_FLIGHT_MAX,
  REQUESTS_WAITING_MAX,
} from './limits.ts';
import type { LogMemory, StoredEntry } from './log-memory.ts';
import type { ErrorPolicy } from './policy.ts';

/** When waiting entries take this share of the memory, they are sent before they are overwritten, whatever the policy. */
const FULLNESS_MAX = 0.75;

interface WaitingRequest {
  id: string;
  /** The next entry to send. */
  from: number;
  /** The newest entry when the request came; later entries are not part of the answer. */
  upTo: number;
}

export class ErrorReporter {
  readonly #topic: string;
  readonly #memory: LogMemory;
  readonly #random: Random;
  #policy: ErrorPolicy;
  /** The log id that the cursors refer to. */
  #log: string;
  #sent = 0;
  #due = 0;
  #dueReason: ErrorBatch['reason'] = 'event';
  #requests: WaitingRequest[] = [];
  /** Tokens of batches that the broker has not acknowledged. */
  #inFlight = new Set<number>();
  #periodicAt = Number.POSITIVE_INFINITY;
  #ackBy = Number.POSITIVE_INFINITY;
  #ackTimeoutMs = ACK_TIMEOUT_MS;

  constructor(printer: string, memory: LogMemory, policy: ErrorPolicy, random: Random) {
    this.#topic = printerTopic.errors(printer);
    this.#memory = memory;
    this.#policy = policy;
    this.#random = random;
    this.#log = memory.id;
    this.#sent = memory.acknowledged;
    this.#due = memory.acknowledged;
  }

  get dueAt(): number {
    return Math.min(this.#periodicAt, this.#ackBy);
  }
  get unacknowledged(): number {
    return this.#memory.last - Math.max(this.#memory.acknowledged, this.#memory.first - 1);
  }

  connected(now: number): void {
    this.#sent = this.#memory.acknowledged;
    this.#ackTimeoutMs = ACK_TIMEOUT_MS;
    this.#schedule(now);
    this.#apply();
  }

  disconnected(): void {
    this.#inFlight.clear();
    this.#requests = [];
    this.#periodicAt = Number.POSITIVE_INFINITY;
    this.#ackBy = Number.POSITIVE_INFINITY;
  }

  /** Call when an entry was appended or became durable. */
  logged(_now: number): void {
    if (this.#log !== this.#memory.id) {
      // The memory was reset: its numbers start over, and so do all cursors.
      this.#log = this.#memory.id;
      this.#sent = this.#memory.acknowledged;
      this.#due = this.#memory.acknowledged;
      this.#requests = [];
    }
    this.#apply();
  }

  setPolicy(policy: ErrorPolicy, now: number): void {
    const old = this.#policy;
    this.#policy = policy;
    if (old.mode !== policy.mode || old.everyMs !== policy.everyMs) this.#schedule(now);
    this.#apply();
  }

  /** False when too many requests are waiting. */
  request(request: DownlinkRequest): boolean {
    if (this.#requests.some((waiting) => waiting.id === request.id)) return true;
    if (this.#requests.length >= REQUESTS_WAITING_MAX) return false;
    const since = request.since?.log === this.#memory.id ? request.since.seq : 0;
    this.#requests.push({ id: request.id, from: since + 1, upTo: this.#memory.last });
    return true;
  }

  /** The center's cursor. When it is behind what was acknowledged, the center lost entries and gets them again. */
  acknowledged(log: string, upTo: number, now: number): void {
    if (log !== this.#memory.id) return;
    const before = this.#memory.acknowledged;
    this.#memory.acknowledge(upTo);
    const after = this.#memory.acknowledged;
    if (after > before) this.#ackTimeoutMs = ACK_TIMEOUT_MS;
    else if (after < before) this.#sent = after;
    this.#sent = Math.max(this.#sent, after);
    this.#due = Math.max(this.#due, this.#sent);
    this.#ackBy = this.#sent > after ? now + this.#ackTimeoutMs : Number.POSITIVE_INFINITY;
  }

  /** A batch was refused. It stays unacknowledged; the delay before it is sent again grows as for a lost batch. */
  refused(now: number): void {
    if (this.#sent > this.#memory.acknowledged) this.#ackBy = now + this.#ackTimeoutMs;
  }

  /** True when `token` was one of the batches. */
  published(token: number, now: number): boolean {
    if (!this.#inFlight.delete(token)) return false;
    if (this.#sent > this.#memory.acknowledged) this.#ackBy = now + this.#ackTimeoutMs;
    return true;
  }

  tick(now: number): void {
    // The printer's clock was put back: without this, nothing would be due for as long as it jumped.
    if (this.#periodicAt !== Number.POSITIVE_INFINITY && this.#periodicAt - now > this.#policy.everyMs) {
      this.#schedule(now);
    }
    if (this.#ackBy !== Number.POSITIVE_INFINITY && this.#ackBy - now > this.#ackTimeoutMs) {
      this.#ackBy = now + this.#ackTimeoutMs;
    }
    if (now >= this.#periodicAt) {
      this.#schedule(now);
      this.#makeDue('periodic');
    }
    if (now >= this.#ackBy) {
      this.#ackTimeoutMs = Math.min(ACK_TIMEOUT_MS_MAX, this.#ackTimeoutMs * 2);
      this.#ackBy = Number.POSITIVE_INFINITY;
      this.#sent = this.#memory.acknowledged;
    }
  }

  /** The next batch to publish under `token`, or undefined when nothing is due or enough is under way. */
  next(token: number, now: number): { topic: string; payload: string } | undefined {
    if (this.#inFlight.size >= BATCHES_IN_FLIGHT_MAX) return undefined;
    const payload = this.#answer() ?? this.#dueBatch();
    if (payload === undefined) return undefined;
    this.#inFlight.add(token);
    if (this.#sent > this.#memory.acknowledged) this.#ackBy = now + this.#ackTimeoutMs;
    return { topic: this.#topic, payload };
  }

  #answer(): string | undefined {
    const request = this.#requests[0];
    // The rest becomes durable in a moment; the request continues then.
    if (!request || this.#memory.durable < request.upTo) return undefined;
    const entries = this.#read(request.from, request.upTo);
    const end = entries.at(-1)?.seq ?? request.upTo;
    if (end < request.upTo) request.from = end + 1;
    else this.#requests.shift();
    const begin = entries[0]?.seq;
    if (begin !== undefined && begin <= Math.max(this.#sent + 1, this.#memory.first)) {
      this.#sent = Math.max(this.#sent, end);
      this.#due = Math.max(this.#due, this.#sent);
    }
    return this.#batch(entries, 'request', request.id);
  }

  #dueBatch(): string | undefined {
    const upTo = Math.min(this.#due, this.#memory.durable);
    if (this.#sent >= upTo) return undefined;
    const entries = this.#read(this.#sent + 1, upTo);
    const end = entries.at(-1)?.seq;
    if (end === undefined) return undefined;
    this.#sent = end;
    return this.#batch(entries, this.#dueReason);
  }

  #read(from: number, upTo: number): StoredEntry[] {
    const room = upTo - Math.max(from, this.#memory.first) + 1;
    if (room <= 0) return [];
    return this.#memory.read(from, Math.min(BATCH_ENTRIES_MAX, room), BATCH_ENTRIES_BYTES_MAX);
  }

  /** The batch as JSON. Entries are stored as JSON; serialising them again would take most of the time. */
  #batch(entries: StoredEntry[], reason: ErrorBatch['reason'], request?: string): string {
    const asked = request === undefined ? '' : `,"request":${JSON.stringify(request)}`;
    const texts = entries.map((entry) => entry.text).join(',');
    const first = Math.max(1, this.#memory.first);
    return `{"log":${JSON.stringify(this.#memory.id)},"first":${first},"reason":"${reason}"${asked},"entries":[${texts}]}`;
  }

  /** What the policy makes due regardless of the clock. */
  #apply(): void {
    const { mode, atEntries } = this.#policy;
    if (mode === 'stream') {
      this.#makeDue('event');
      return;
    }
    const waiting = this.#memory.last - this.#due;
    if (waiting <= 0) return;
    const enough = atEntries !== undefined && waiting >= atEntries;
    if (enough || this.#memory.fullness(this.#due) >= FULLNESS_MAX) this.#makeDue('accumulated');
  }

  #makeDue(reason: ErrorBatch['reason']): void {
    if (this.#memory.last <= this.#due) return;
    this.#due = this.#memory.last;
    this.#dueReason = reason;
  }

  #schedule(now: number): void {
    // Up to a tenth early, so that printers that got their policy at the same time don't all report at the same time.
    this.#periodicAt =
      this.#policy.mode === 'periodic'
        ? now + this.#policy.everyMs * (1 - 0.1 * this.#random())
        : Number.POSITIVE_INFINITY;
  }
}
