/** Lanes of rules kept across printers, with a limit on all sightings pending in them. */
import type { Lane } from './lane.ts';
import type { Settlement } from './settlement.ts';

export class FleetLanes {
  readonly #settlement: Settlement;
  readonly #pendingMax: number;
  readonly #lanes = new Map<string, Lane>();
  /** Pending sightings: the last count, plus those added since. */
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

  /** One more sighting is pending in some lane. */
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

  // Too many sightings are pending. First everything `late` behind the newest of all is settled; if that is not enough,
  // the older half of the rest. Conclusions stay correct, because they depend on accepted sightings only. Entries that
  // still arrive for the settled time count as late.
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
