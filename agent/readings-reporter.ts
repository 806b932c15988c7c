/**
 * When counters and supplies are read and sent: on connect, periodically, after a relevant change, and when the center
 * asks. Part of the agent's state machine. Printers without readings are skipped.
 */
import type { Random } from '../base/random.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { Readings } from '../schemas/types.ts';
import type { PrinterReadings } from './driver.ts';
import type { ReadingsPolicy } from './policy.ts';
import { ReportSchedule } from './report-schedule.ts';

/** A level that moved by this share of its capacity counts as a change. */
const LEVEL_STEP = 0.05;

interface ReadEffect {
  do: 'read-readings';
}

/** The part of a reading whose changes are worth sending: states and reasons as they are, levels in steps of 5 %. */
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

function effects(reads: boolean): ReadEffect[] {
  return reads ? [{ do: 'read-readings' }] : [];
}

export class ReadingsReporter {
  readonly #topic: string;
  readonly #schedule: ReportSchedule;
  #onChange: boolean;
  #number = 0;
  #sent: Remarkable | undefined;

  constructor(printer: string, { everyMs, onChange }: ReadingsPolicy, random: Random) {
    this.#topic = printerTopic.readings(printer);
    this.#onChange = onChange;
    this.#schedule = new ReportSchedule({ everyMs, random, changeOutranksPeriod: false });
  }

  get dueAt(): number {
    return this.#schedule.dueAt;
  }

  /** Begins a new session, whose numbers start over. */
  renew(): void {
    this.#number = 0;
  }

  connected(): ReadEffect[] {
    return effects(this.#schedule.connected());
  }

  disconnected(): void {
    this.#schedule.disconnected();
  }

  /** The driver reports that readings may have changed. */
  changed(): ReadEffect[] {
    return effects(this.#onChange && this.#schedule.changed());
  }

  /** Undefined when too many requests are waiting. */
  request(id: string): ReadEffect[] | undefined {
    const reads = this.#schedule.request(id);
    return reads === undefined ? undefined : effects(reads);
  }

  setPolicy({ everyMs, onChange }: ReadingsPolicy, now: number): void {
    this.#onChange = onChange;
    this.#schedule.setPeriod(everyMs, now);
  }

  tick(now: number): ReadEffect[] {
    return effects(this.#schedule.tick(now));
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
    const { wanted, requests, again } = this.#schedule.done();
    this.#schedule.restart(now);
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
      else if (this.#onChange && (!this.#sent || differs(this.#sent, remarkable))) send('change');
      for (const id of requests) send('request', id);
    }
    return { messages, again };
  }

  /** The read failed. Returns after how many ms it is tried again. */
  failed(now: number): number {
    return this.#schedule.failed(now);
  }
}
