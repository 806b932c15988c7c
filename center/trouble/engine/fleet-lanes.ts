/** Lanes of rules that are kept across printers, and the bound on all that waits in them for late entries. */
import type { Lane } from './lane.ts';
import type { Settlement } from './settlement.ts';

export class FleetLanes {
  readonly #settlement: Settlement;
  readonly #pendingMax: number;
  readonly #lanes = new Map<string, Lane>();
  /** Sightings that wait: as last counted, and those added since. */
  #pending = 0;
  #newest = Number.NEGATIVE_INFINITY;

  constructor(settlement: Settlement, pendingMax: number) {
    this.#settlement = settlement;
    this.#pendingMax = pendingMax;
  }

  get size(): number {
    return this.#lanes.size;
  }

  find(group: number, key: string): Lane | undefined {
    return this.#lanes.get(`${group} ${key}`);
  }

  add(group: number, key: string, lane: Lane): void {
    this.#lanes.set(`${group} ${key}`, lane);
  }

  values(): IterableIterator<Lane> {
    return this.#lanes.values();
  }

  /** One more sighting waits in some lane. */
  sighted(at: number): void {
    this.#see(at);
    this.#pending += 1;
    if (this.#pending > this.#pendingMax) this.#settle();
  }

  /** Lanes were restored from exported state. */
  restored(lanes: Iterable<Lane>): void {
    for (const { newest } of lanes) if (newest !== undefined) this.#see(newest);
    this.#pending = this.#countPending();
  }

  #see(at: number): void {
    if (at > this.#newest) this.#newest = at;
  }

  // Too many sightings wait for late ones of other printers. What is `late` behind the newest of all is settled, then,
  // if that is not enough, the older half of the rest. Conclusions stay as they are: they follow from what was taken.
  // Entries that still come for the settled time are late, and counted as such.
  #settle(): void {
    const before = this.#countPending();
    for (const lane of this.#lanes.values()) {
      this.#settlement.settleBefore(lane, this.#newest - lane.group.lateMs);
    }
    this.#pending = this.#countPending();
    this.#settlement.hastened += before - this.#pending;
    if (this.#pending <= this.#pendingMax / 2) return;
    for (const lane of this.#lanes.values()) if (lane.pending.length > 0) this.#settlement.hasten(lane);
    this.#pending = this.#countPending();
  }

  #countPending(): number {
    let pending = 0;
    for (const lane of this.#lanes.values()) pending += lane.pending.length;
    return pending;
  }
}
