/**
 * Publishes the broker's refusals on `fleet/events/security`. Rate-limited, so that nobody can flood operators by
 * hammering the broker; the next event says how many were dropped.
 */
import type { FleetEvents } from './events.ts';

/** A refusal as a broker reports it. */
export interface Refusal {
  /** A stable identifier of the reason. */
  reason: string;
  /** The authenticated identity, if any. */
  name: string | undefined;
  /** The claimed name, without proof. */
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

  /** Publishes one refusal. `printer`: the authenticated printer that was refused, if it is one. */
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
