/**
 * Reporting policies: the fleet's default and overrides of single printers. A policy is a retained document, so a
 * printer gets it when it connects.
 */
import { printerTopic } from '../../schemas/topics.ts';
import type { Policy } from '../../schemas/types.ts';
import type { Conclusion } from '../conclusions.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Link } from '../link/link.ts';

/** Contract: stream, structure every 6 h, readings every hour and on change. */
export const DEFAULT_POLICY: Policy = {
  structure: { every: 'PT6H' },
  errors: { mode: 'stream', every: 'PT10M', atEntries: 50 },
  readings: { every: 'PT1H', onChange: true },
};

/** Stores policies. */
export interface PolicyStore {
  defaultPolicy(): Promise<Policy | undefined>;
  putDefaultPolicy(policy: Policy): Promise<void>;
  policyOf(printer: string): Promise<Policy | undefined>;
  putPolicy(printer: string, policy: Policy): Promise<void>;
}

/** Merges `change` over `base` by group, so that one group can be set without repeating the others. */
export function mergePolicy(base: Policy, change: Policy): Policy {
  return {
    structure: { ...base.structure, ...change.structure },
    errors: { ...base.errors, ...change.errors },
    readings: { ...base.readings, ...change.readings },
  };
}

export class Policies {
  readonly #store: PolicyStore;
  readonly #link: Link;
  /**
   * The policies that were set, in memory: a reconnect storm must not query the database for a policy that nobody
   * set.
   */
  #default: Policy | undefined;
  /** Printers whose policy was published since the start; the documents are retained, so once is enough. */
  readonly #told = new Set<string>();

  constructor(store: PolicyStore, link: Link) {
    this.#store = store;
    this.#link = link;
  }

  /** Loads the stored default. */
  async load(): Promise<void> {
    this.#default = await this.#store.defaultPolicy();
  }

  /** Handles a conclusion of another part. */
  hear(conclusion: Conclusion): void | Promise<void> {
    if (conclusion.kind !== 'presence' || !conclusion.online) return;
    // A printer that was offline when the default was set gets it when it connects.
    if (this.#default === undefined || this.#told.has(conclusion.printer)) return;
    return this.tell(conclusion.printer);
  }

  /** The effective policy of a printer: its own over the fleet's default over the contract's. */
  async of(printer: string): Promise<Policy> {
    const fleet = mergePolicy(DEFAULT_POLICY, this.#default ?? {});
    return mergePolicy(fleet, (await this.#store.policyOf(printer)) ?? {});
  }

  /** Sets one printer's override of the default and publishes it. */
  async set(printer: string, change: Policy): Promise<void> {
    await this.#store.putPolicy(printer, mergePolicy((await this.#store.policyOf(printer)) ?? {}, change));
    await this.tell(printer);
  }

  /** Sets the fleet's default. The caller publishes it to the printers, in pages. */
  async setDefault(change: Policy): Promise<void> {
    const policy = mergePolicy(this.#default ?? {}, change);
    await this.#store.putDefaultPolicy(policy);
    this.#default = policy;
    this.#told.clear();
  }

  /** Forgets a removed printer, so that the next printer with its id gets its policy. */
  forget(printer: string): void {
    this.#told.delete(printer);
  }

  /** Publishes the effective policy of a printer on its retained topic. */
  async tell(printer: string): Promise<void> {
    const policy = await this.of(printer);
    await this.#link.publish(printerTopic.policy(printer), JSON.stringify(policy), { qos: 1, retain: true });
    if (this.#told.size >= CENTER_LIMITS.policies_remembered_max) this.#told.clear();
    this.#told.add(printer);
  }
}
