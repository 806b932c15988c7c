/**
 * When the structure is read and sent: on connect, when it changed, periodically, and when the center asks. Part of
 * the agent's state machine.
 */

import type { Random } from '../base/random.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { Structure } from '../schemas/types.ts';
import type { PrinterStructure } from './driver.ts';
import type { StructurePolicy } from './policy.ts';
import { ReportSchedule } from './report-schedule.ts';

interface ReadEffect {
  do: 'read';
}

function effects(reads: boolean): ReadEffect[] {
  return reads ? [{ do: 'read' }] : [];
}

export class StructureReporter {
  readonly #topic: string;
  readonly #schedule: ReportSchedule;
  #revision = 0;
  #last: Structure | undefined;
  /** The last structure sent, without the fields that differ in every message, to detect changes. */
  #lastContent = '';

  constructor(printer: string, { everyMs }: StructurePolicy, random: Random) {
    this.#topic = printerTopic.structure(printer);
    this.#schedule = new ReportSchedule({ everyMs, random, changeOutranksPeriod: true });
  }

  get last(): Structure | undefined {
    return this.#last;
  }
  get dueAt(): number {
    return this.#schedule.dueAt;
  }

  renew(): void {
    this.#revision = 0;
  }

  connected(): ReadEffect[] {
    return effects(this.#schedule.connected());
  }

  disconnected(): void {
    this.#schedule.disconnected();
  }

  changed(): ReadEffect[] {
    return effects(this.#schedule.changed());
  }

  /** Undefined when too many requests wait already. */
  request(id: string): ReadEffect[] | undefined {
    const reads = this.#schedule.request(id);
    return reads === undefined ? undefined : effects(reads);
  }

  setPolicy({ everyMs }: StructurePolicy, now: number): void {
    this.#schedule.setPeriod(everyMs, now);
  }

  tick(now: number): ReadEffect[] {
    return effects(this.#schedule.tick(now));
  }

  /** The messages that `read` makes due, and whether the driver must be read again. */
  read(
    read: PrinterStructure,
    session: string,
    now: number,
  ): { messages: { topic: string; payload: string }[]; again: boolean } {
    const { wanted, requests, again } = this.#schedule.done();
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
    if (wanted === 'connect' || wanted === 'periodic') send(wanted);
    // A change is reported even when another reason's read found it; a read that finds none reports none.
    else if (content !== this.#lastContent) send('change');
    for (const id of requests) send('request', id);
    if (messages.length > 0) this.#schedule.restart(now);
    return { messages, again };
  }

  /** The read failed. Returns after how many ms it is tried again. */
  failed(now: number): number {
    return this.#schedule.failed(now);
  }
}
