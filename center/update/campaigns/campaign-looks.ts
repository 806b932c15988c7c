/** When campaigns are looked at: soon, once for many reasons to look, and only so many at a time. */
import { CAMPAIGN_LOOK_MS, LOOKS_AT_ONCE_MAX } from '../limits.ts';

export class CampaignLooks {
  readonly #look: (id: string) => Promise<void>;
  #started = false;
  readonly #looking = new Map<string, Promise<void>>();
  /** Campaigns to be looked at once more when the present look ends. */
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** @param look looks at one campaign; never rejects */
  constructor(look: (id: string) => Promise<void>) {
    this.#look = look;
  }

  start(): void {
    this.#started = true;
  }

  /** Waits for looks that are under way. */
  async stop(): Promise<void> {
    this.#started = false;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await Promise.allSettled([...this.#looking.values()]);
  }

  soon(id: string): void {
    if (!this.#started) return;
    if (this.#looking.has(id)) {
      this.#again.add(id);
      return;
    }
    if (this.#timers.has(id)) return;
    // A look holds a connection and needs others: if all connections held one, none could go on.
    const waitMs = this.#looking.size < LOOKS_AT_ONCE_MAX ? CAMPAIGN_LOOK_MS : 5 * CAMPAIGN_LOOK_MS;
    this.#timers.set(
      id,
      setTimeout(() => this.#begin(id), waitMs),
    );
  }

  #begin(id: string): void {
    this.#timers.delete(id);
    if (this.#looking.size >= LOOKS_AT_ONCE_MAX) {
      this.soon(id);
      return;
    }
    const look = this.#look(id).finally(() => {
      this.#looking.delete(id);
      if (this.#again.delete(id)) this.soon(id);
    });
    this.#looking.set(id, look);
  }

  /** Waits for the look at a campaign that is under way. */
  async underWay(id: string): Promise<void> {
    await this.#looking.get(id);
  }

  /** Looks again after `ms`. */
  in(id: string, ms: number): void {
    if (this.#started) setTimeout(() => this.soon(id), ms).unref();
  }
}
