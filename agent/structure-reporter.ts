/**
 * When the structure is read and sent: on connect, when it changed, periodically, and when the center asks. Part of
 * the agent's state machine.
 */

import type { Random } from '../base/random.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { Structure } from '../schemas/types.ts';
import type { PrinterStructure } from './driver.ts';
import { READ_RETRY_MS, READ_RETRY_MS_MAX, REQUESTS_WAITING_MAX } from './limits.ts';
import type { StructurePolicy } from './policy.ts';

/** Periodic reports come up to this share early, so that a fleet that started together drifts apart. */
const JITTER = 0.1;

interface ReadEffect {
  do: 'read';
}

export class StructureReporter {
  readonly #topic: string;
  readonly #random: Random;
  #policy: StructurePolicy;
  #revision = 0;
  #last: Structure | undefined;
  /** What was sent last, without what differs in every message: to see whether anything changed. */
  #lastContent = '';
  /** Why a structure is wanted; the strongest reason wins, requests are answered one by one. */
  #wanted: 'connect' | 'change' | 'periodic' | undefined;
  #requests: string[] = [];
  #reading = false;
  #changedMeanwhile = false;
  #periodicAt = Number.POSITIVE_INFINITY;
  #retryAt = Number.POSITIVE_INFINITY;
  #retryMs = READ_RETRY_MS;

  constructor(printer: string, policy: StructurePolicy, random: Random) {
    this.#topic = printerTopic.structure(printer);
    this.#policy = policy;
    this.#random = random;
  }

  get last(): Structure | undefined {
    return this.#last;
  }
  get dueAt(): number {
    return Math.min(this.#periodicAt, this.#retryAt);
  }

  renew(): void {
    this.#revision = 0;
  }

  connected(): ReadEffect[] {
    this.#wanted = 'connect';
    return this.#read();
  }

  /** Nothing is owed any more: the next connection begins with a structure anyway. */
  disconnected(): void {
    this.#wanted = undefined;
    this.#requests = [];
    this.#reading = false;
    this.#changedMeanwhile = false;
    this.#periodicAt = Number.POSITIVE_INFINITY;
    this.#retryAt = Number.POSITIVE_INFINITY;
    this.#retryMs = READ_RETRY_MS;
  }

  changed(): ReadEffect[] {
    // What is being read now may be older than the change.
    if (this.#reading) this.#changedMeanwhile = true;
    else if (this.#wanted !== 'connect') this.#wanted = 'change';
    return this.#read();
  }

  /** Undefined when too many requests wait already. */
  request(id: string): ReadEffect[] | undefined {
    if (this.#requests.includes(id)) return [];
    if (this.#requests.length >= REQUESTS_WAITING_MAX) return undefined;
    this.#requests.push(id);
    return this.#read();
  }

  setPolicy(policy: StructurePolicy, now: number): void {
    if (policy.everyMs === this.#policy.everyMs) return;
    this.#policy = policy;
    if (this.#periodicAt !== Number.POSITIVE_INFINITY) this.#schedule(now);
  }

  tick(now: number): ReadEffect[] {
    // The printer's clock was put back: without this, nothing would be due for as long as it jumped.
    if (this.#periodicAt !== Number.POSITIVE_INFINITY && this.#periodicAt - now > this.#policy.everyMs) {
      this.#schedule(now);
    }
    if (this.#retryAt !== Number.POSITIVE_INFINITY && this.#retryAt - now > READ_RETRY_MS_MAX) {
      this.#retryAt = now;
    }
    if (now >= this.#retryAt) {
      this.#retryAt = Number.POSITIVE_INFINITY;
      return this.#read();
    }
    if (now < this.#periodicAt) return [];
    this.#schedule(now);
    this.#wanted ??= 'periodic';
    return this.#read();
  }

  /** The messages that `read` makes due, and whether the driver must be read again. */
  read(
    read: PrinterStructure,
    session: string,
    now: number,
  ): { messages: { topic: string; payload: string }[]; again: boolean } {
    this.#reading = false;
    this.#retryMs = READ_RETRY_MS;
    const content = JSON.stringify(read);
    const messages: { topic: string; payload: string }[] = [];
    const send = (reason: Structure['reason'], request?: string) => {
      this.#revision++;
      const at = new Date(now).toISOString();
      const head = {
        session,
        revision: this.#revision,
        at,
        reason,
        ...(request === undefined ? {} : { request }),
      };
      this.#last = { ...head, ...read };
      this.#lastContent = content;
      messages.push({ topic: this.#topic, payload: JSON.stringify(this.#last) });
    };
    const wanted = this.#wanted;
    const requests = this.#requests;
    this.#wanted = undefined;
    this.#requests = [];
    if (wanted === 'connect' || wanted === 'periodic') send(wanted);
    // A change is told even when it came to light through another reason's read; no change is not told.
    else if (content !== this.#lastContent) send('change');
    for (const id of requests) send('request', id);
    if (messages.length > 0) this.#schedule(now);
    const again = this.#changedMeanwhile;
    if (again) {
      this.#changedMeanwhile = false;
      this.#wanted = 'change';
      this.#reading = true;
    }
    return { messages, again };
  }

  /** The read failed. Returns after how many ms it is tried again. */
  failed(now: number): number {
    this.#reading = false;
    this.#changedMeanwhile = false;
    const delay = this.#retryMs;
    this.#retryAt = now + delay;
    this.#retryMs = Math.min(READ_RETRY_MS_MAX, delay * 2);
    return delay;
  }

  #read(): ReadEffect[] {
    if (this.#reading) return [];
    this.#reading = true;
    this.#retryAt = Number.POSITIVE_INFINITY;
    return [{ do: 'read' }];
  }

  #schedule(now: number): void {
    this.#periodicAt = now + this.#policy.everyMs * (1 - JITTER * this.#random());
  }
}
