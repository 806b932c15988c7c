/**
 * When the driver is read for a report: on connect, periodically, after a change, when the center asks, and again after
 * a failed read. Pure; part of the agent's state machine.
 */
import type { Random } from '../base/random.ts';
import { READ_RETRY_MS, READ_RETRY_MS_MAX, REQUESTS_WAITING_MAX } from './limits.ts';

/** Periodic reports come up to this share early, so that printers that started together drift apart. */
const JITTER = 0.1;

/** Why a report is wanted. */
export type ReportReason = 'connect' | 'change' | 'periodic';

/** The reports that a finished read is for. */
export interface ReportDue {
  /** The strongest reason, without requests, which are answered one by one. */
  wanted: ReportReason | undefined;
  requests: string[];
  /** Something changed while the driver was read: it must be read again. */
  again: boolean;
}

export interface ReportScheduleOptions {
  everyMs: number;
  random: Random;
  /** A change that was announced keeps a periodic report from being sent in its place. */
  changeOutranksPeriod: boolean;
}

export class ReportSchedule {
  readonly #random: Random;
  readonly #changeOutranksPeriod: boolean;
  #everyMs: number;
  #wanted: ReportReason | undefined;
  #requests: string[] = [];
  #reading = false;
  #changedMeanwhile = false;
  #periodicAt = Number.POSITIVE_INFINITY;
  #retryAt = Number.POSITIVE_INFINITY;
  #retryMs = READ_RETRY_MS;

  constructor({ everyMs, random, changeOutranksPeriod }: ReportScheduleOptions) {
    this.#everyMs = everyMs;
    this.#random = random;
    this.#changeOutranksPeriod = changeOutranksPeriod;
  }

  /** When `tick` has something to do. */
  get dueAt(): number {
    return Math.min(this.#periodicAt, this.#retryAt);
  }

  /** @returns here as in the methods below: whether the driver must be read now */
  connected(): boolean {
    this.#wanted = 'connect';
    return this.#begin();
  }

  /** Nothing is owed any more: the next connection begins with a report anyway. */
  disconnected(): void {
    this.#wanted = undefined;
    this.#requests = [];
    this.#reading = false;
    this.#changedMeanwhile = false;
    this.#periodicAt = Number.POSITIVE_INFINITY;
    this.#retryAt = Number.POSITIVE_INFINITY;
    this.#retryMs = READ_RETRY_MS;
  }

  changed(): boolean {
    // What is being read now may be older than the change.
    if (this.#reading) this.#changedMeanwhile = true;
    else if (this.#changeOutranksPeriod && this.#wanted !== 'connect') this.#wanted = 'change';
    return this.#begin();
  }

  /** @returns undefined when too many requests wait already */
  request(id: string): boolean | undefined {
    if (this.#requests.includes(id)) return false;
    if (this.#requests.length >= REQUESTS_WAITING_MAX) return undefined;
    this.#requests.push(id);
    return this.#begin();
  }

  setPeriod(everyMs: number, now: number): void {
    if (everyMs === this.#everyMs) return;
    this.#everyMs = everyMs;
    if (this.#periodicAt !== Number.POSITIVE_INFINITY) this.restart(now);
  }

  tick(now: number): boolean {
    // The printer's clock was put back: without this, nothing would be due for as long as it jumped.
    if (this.#periodicAt !== Number.POSITIVE_INFINITY && this.#periodicAt - now > this.#everyMs) {
      this.restart(now);
    }
    if (this.#retryAt !== Number.POSITIVE_INFINITY && this.#retryAt - now > READ_RETRY_MS_MAX) {
      this.#retryAt = now;
    }
    if (now >= this.#retryAt) {
      this.#retryAt = Number.POSITIVE_INFINITY;
      return this.#begin();
    }
    if (now < this.#periodicAt) return false;
    this.restart(now);
    this.#wanted ??= 'periodic';
    return this.#begin();
  }

  /** The driver was read. */
  done(): ReportDue {
    const due = { wanted: this.#wanted, requests: this.#requests, again: this.#changedMeanwhile };
    this.#wanted = undefined;
    this.#requests = [];
    this.#retryMs = READ_RETRY_MS;
    this.#reading = due.again;
    this.#changedMeanwhile = false;
    if (due.again && this.#changeOutranksPeriod) this.#wanted = 'change';
    return due;
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

  /** A report was sent: the period begins anew. */
  restart(now: number): void {
    this.#periodicAt = now + this.#everyMs * (1 - JITTER * this.#random());
  }

  #begin(): boolean {
    if (this.#reading) return false;
    this.#reading = true;
    this.#retryAt = Number.POSITIVE_INFINITY;
    return true;
  }
}
