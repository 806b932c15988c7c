/**
 * What the broker refused, told on `fleet/events/security`. Whoever hammers the broker must not be able to flood the
 * operators through it, so only so many a second are told; the next one says how many were not.
 */
import type { FleetEvents } from './events.ts';

/** What a broker tells of a refusal. */
export interface Refusal {
  /** A stable word. */
  reason: string;
  /** Who it was, when that was proven. */
  name: string | undefined;
  /** The name it gave without proving it. */
  claimed?: string;
  clientId: string;
  address: string;
  topic?: string;
}

const SECOND_MS = 1_000;

export class SecurityNews {
  readonly #events: FleetEvents;
  readonly #now: () => number;
  readonly #perSecondMax: number;
  #second = 0;
  #told = 0;
  #untold = 0;

  constructor(events: FleetEvents, now: () => number, perSecondMax: number) {
    this.#events = events;
    this.#now = now;
    this.#perSecondMax = perSecondMax;
  }

  /** Tells one refusal. `printer` when the one refused is a printer that proved who it is. */
  tell({ reason, name, claimed, clientId, address, topic }: Refusal, printer: boolean): void {
    const second = Math.floor(this.#now() / SECOND_MS);
    if (second !== this.#second) {
      this.#second = second;
      this.#told = 0;
    }
    if (this.#told >= this.#perSecondMax) {
      this.#untold += 1;
      return;
    }
    this.#told += 1;
    const untold = this.#untold;
    this.#untold = 0;
    this.#events.tell('security', reason, {
      ...(printer && name !== undefined ? { printer: name } : {}),
      data: { name, claimed, clientId, address, topic, ...(untold > 0 ? { untold } : {}) },
    });
  }
}
