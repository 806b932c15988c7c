/**
 * Reporting policies: the fleet's default, and what single printers have instead. A printer's policy is a retained
 * document, so it finds it when it connects.
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

/** The durable side of policies. */
export interface PolicyStore {
  defaultPolicy(): Promise<Policy | undefined>;
  putDefaultPolicy(policy: Policy): Promise<void>;
  policyOf(printer: string): Promise<Policy | undefined>;
  putPolicy(printer: string, policy: Policy): Promise<void>;
}

/** `change` over `base`, group by group, so that one can be set without repeating the other. */
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
  /** What was set, kept in memory: a reconnect storm must not ask the database for a policy that nobody set. */
  #default: Policy | undefined;
  /** Printers that were told since this start; the documents are retained, so once is enough. */
  readonly #told = new Set<string>();

  constructor(store: PolicyStore, link: Link) {
    this.#store = store;
    this.#link = link;
  }

  /** Takes up the default that was set before. */
  async load(): Promise<void> {
    this.#default = await this.#store.defaultPolicy();
  }

  /** Acts on what other parts concluded. */
  hear(conclusion: Conclusion): void | Promise<void> {
    if (conclusion.kind !== 'presence' || !conclusion.online) return;
    // A printer that was not there when the default was set gets it when it comes.
    if (this.#default === undefined || this.#told.has(conclusion.printer)) return;
    return this.tell(conclusion.printer);
  }

  /** The policy that holds for a printer: its own over the fleet's default over the contract's. */
  async of(printer: string): Promise<Policy> {
    const fleet = mergePolicy(DEFAULT_POLICY, this.#default ?? {});
    return mergePolicy(fleet, (await this.#store.policyOf(printer)) ?? {});
  }

  /** Sets what one printer has instead of the default, and tells it. */
  async set(printer: string, change: Policy): Promise<void> {
    await this.#store.putPolicy(printer, mergePolicy((await this.#store.policyOf(printer)) ?? {}, change));
    await this.tell(printer);
  }

  /** Sets the fleet's default. The printers are told by whoever asked, in pages. */
  async setDefault(change: Policy): Promise<void> {
    const policy = mergePolicy(this.#default ?? {}, change);
    await this.#store.putDefaultPolicy(policy);
    this.#default = policy;
    this.#told.clear();
  }

  /** A printer was removed: whoever gets its id is told anew. */
  forget(printer: string): void {
    this.#told.delete(printer);
  }

  /** Publishes the policy that holds for a printer on its retained topic. */
  async tell(printer: string): Promise<void> {
    const policy = await this.of(printer);
    await this.#link.publish(printerTopic.policy(printer), JSON.stringify(policy), { qos: 1, retain: true });
    if (this.#told.size >= CENTER_LIMITS.policies_remembered_max) this.#told.clear();
    this.#told.add(printer);
  }
}
