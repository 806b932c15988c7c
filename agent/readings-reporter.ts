/**
 * When counters and supplies are read and sent: on connect, periodically, when something changed that matters, and when
 * the center asks. Part of the agent's state machine; a printer that tells no readings takes no part.
 */
import type { Random } from '../base/random.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { Readings } from '../schemas/types.ts';
import type { PrinterReadings } from './driver.ts';
import { READ_RETRY_MS, READ_RETRY_MS_MAX, REQUESTS_WAITING_MAX } from './limits.ts';
import type { ReadingsPolicy } from './policy.ts';

/** Periodic readings come up to this share early, so that a fleet that started together drifts apart. */
const JITTER = 0.1;
/** A level that moved by this share of its capacity is a change. */
const LEVEL_STEP = 0.05;

interface ReadEffect {
  do: 'read-readings';
}

/** What makes a reading worth sending: states and reasons as they are, levels in steps of five per cent. */
interface Remarkable {
  words: string;
  levels: Map<string, number>;
}

function remarkableOf({ state, reasons = [], supplies = [] }: PrinterReadings): Remarkable {
  const states = supplies.map(({ symbol, state: is, serial }) => [symbol, is, serial]);
  const levels = new Map<string, number>();
  for (const { symbol, level, capacity, measure } of supplies) {
    const full = capacity ?? (measure === 'percent' ? 100 : undefined);
    if (level !== undefined && full !== undefined && full > 0) levels.set(symbol, level / full);
  }
  return { words: JSON.stringify([state, [...reasons].sort(), states]), levels };
}

function differs(before: Remarkable, now: Remarkable): boolean {
  if (before.words !== now.words) return true;
  for (const [symbol, share] of now.levels) {
    const last = before.levels.get(symbol);
    if (last === undefined || Math.abs(share - last) >= LEVEL_STEP) return true;
  }
  return false;
}

export class ReadingsReporter {
  readonly #topic: string;
  readonly #random: Random;
  #policy: ReadingsPolicy;
  #number = 0;
  #sent: Remarkable | undefined;
  #wanted: 'connect' | 'periodic' | undefined;
  #requests: string[] = [];
  #reading = false;
  /** Something may have changed since the current read began. */
  #again = false;
  #periodicAt = Number.POSITIVE_INFINITY;
  #retryAt = Number.POSITIVE_INFINITY;
  #retryMs = READ_RETRY_MS;

  constructor(printer: string, policy: ReadingsPolicy, random: Random) {
    this.#topic = printerTopic.readings(printer);
    this.#policy = policy;
    this.#random = random;
  }

  get dueAt(): number {
    return Math.min(this.#periodicAt, this.#retryAt);
  }

  /** Begins a new session, whose numbers start over. */
  renew(): void {
    this.#number = 0;
  }

  connected(): ReadEffect[] {
    this.#wanted = 'connect';
    return this.#read();
  }

  disconnected(): void {
    this.#wanted = undefined;
    this.#requests = [];
    this.#reading = false;
    this.#again = false;
    this.#periodicAt = Number.POSITIVE_INFINITY;
    this.#retryAt = Number.POSITIVE_INFINITY;
    this.#retryMs = READ_RETRY_MS;
  }

  /** The driver reports that readings may have changed. */
  changed(): ReadEffect[] {
    if (!this.#policy.onChange) return [];
    if (this.#reading) this.#again = true;
    return this.#read();
  }

  /** Undefined when too many requests are waiting. */
  request(id: string): ReadEffect[] | undefined {
    if (this.#requests.includes(id)) return [];
    if (this.#requests.length >= REQUESTS_WAITING_MAX) return undefined;
    this.#requests.push(id);
    return this.#read();
  }

  setPolicy(policy: ReadingsPolicy, now: number): void {
    const { everyMs } = this.#policy;
    this.#policy = policy;
    if (policy.everyMs !== everyMs && this.#periodicAt !== Number.POSITIVE_INFINITY) this.#schedule(now);
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

  /**
   * The messages that `read` makes due, and whether the driver must be read again.
   * @param read undefined: this printer tells no readings
   */
  read(
    read: PrinterReadings | undefined,
    session: string,
    now: number,
  ): { messages: { topic: string; payload: string }[]; again: boolean } {
    const wanted = this.#wanted;
    const requests = this.#requests;
    this.#wanted = undefined;
    this.#requests = [];
    this.#reading = false;
    this.#retryMs = READ_RETRY_MS;
    const again = this.#again;
    this.#again = false;
    this.#schedule(now);
    const messages: { topic: string; payload: string }[] = [];
    if (read) {
      const remarkable = remarkableOf(read);
      const send = (reason: NonNullable<Readings['reason']>, request?: string) => {
        this.#number++;
        this.#sent = remarkable;
        const head = { session, number: this.#number, at: new Date(now).toISOString(), reason };
        const document: Readings = { ...head, ...(request === undefined ? {} : { request }), ...read };
        messages.push({ topic: this.#topic, payload: JSON.stringify(document) });
      };
      if (wanted) send(wanted);
      else if (this.#policy.onChange && (!this.#sent || differs(this.#sent, remarkable))) send('change');
      for (const id of requests) send('request', id);
    }
    if (again) this.#reading = true;
    return { messages, again };
  }

  /** The read failed. Returns after how many ms it is tried again. */
  failed(now: number): number {
    this.#reading = false;
    this.#again = false;
    const delay = this.#retryMs;
    this.#retryAt = now + delay;
    this.#retryMs = Math.min(READ_RETRY_MS_MAX, delay * 2);
    return delay;
  }

  #read(): ReadEffect[] {
    if (this.#reading) return [];
    this.#reading = true;
    this.#retryAt = Number.POSITIVE_INFINITY;
    return [{ do: 'read-readings' }];
  }

  #schedule(now: number): void {
    this.#periodicAt = now + this.#policy.everyMs * (1 - JITTER * this.#random());
  }
}
