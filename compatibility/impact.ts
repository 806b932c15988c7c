/**
 * What a new revision of the catalog changes in a fleet, by count and example, before it is put.
 */
import { judge } from './judge.ts';
import { signatureOf } from './signature.ts';
import type { CompiledCatalog } from './tables.ts';
import type { PrinterStructureLike, Status } from './types.ts';

/** Printers that are named for each change. */
export const IMPACT_EXAMPLES_MAX = 5;
const RULES_MAX = 100;
/** Distinct structures whose effect is remembered; a fleet of a million has a few thousand. */
const EFFECTS_REMEMBERED_MAX = 50_000;

/** How many printers go from one status to another. */
export interface Transition {
  from: Status;
  to: Status;
  printers: number;
  /** Some of them. */
  examples: string[];
}

/** A rule that is newly broken or no longer broken, and for how many printers. */
export interface RuleChange {
  rule: string;
  change: 'broken' | 'mended';
  printers: number;
  examples: string[];
}

export interface ImpactResult {
  from: string;
  to: string;
  printers: number;
  /** Printers whose status or findings change. */
  changed: number;
  /** Printers that become misfits, or are and break another rule: those for which corrections would begin. */
  misfits: number;
  transitions: Transition[];
  /** The most frequent first. */
  rules: RuleChange[];
}

interface Effect {
  from: Status;
  to: Status;
  broken: string[];
  mended: string[];
}

/** Counts what changes, structure by structure; equal structures are judged once. */
export class Impact {
  private readonly before: CompiledCatalog;
  private readonly after: CompiledCatalog;
  private readonly effects = new Map<string, Effect>();
  private readonly transitions = new Map<string, Transition>();
  private readonly rules = new Map<string, RuleChange>();
  private printers = 0;
  private changed = 0;
  private misfits = 0;

  constructor(before: CompiledCatalog, after: CompiledCatalog) {
    this.before = before;
    this.after = after;
  }

  /** @param printers how many have the structure @param examples some of them */
  add(structure: PrinterStructureLike, printers: number, examples: readonly string[]): void {
    const signature = signatureOf(structure);
    let effect = this.effects.get(signature);
    if (!effect) {
      effect = this.effectOn(structure);
      if (this.effects.size >= EFFECTS_REMEMBERED_MAX) this.effects.clear();
      this.effects.set(signature, effect);
    }
    const { from, to, broken, mended } = effect;
    this.printers += printers;
    if (from !== to || broken.length > 0 || mended.length > 0) this.changed += printers;
    if (to === 'incompatible' && broken.length > 0) this.misfits += printers;
    const whom = { printers, examples };
    this.count(this.transitions, `${from} ${to}`, () => ({ from, to, printers: 0, examples: [] }), whom);
    for (const change of ['broken', 'mended'] as const) {
      for (const rule of effect[change]) {
        this.count(
          this.rules,
          `${change} ${rule}`,
          () => ({ rule, change, printers: 0, examples: [] }),
          whom,
        );
      }
    }
  }

  private effectOn(structure: PrinterStructureLike): Effect {
    const before = judge(this.before, structure);
    const after = judge(this.after, structure);
    const were = new Set(before.findings.map(({ rule }) => rule));
    const are = new Set(after.findings.map(({ rule }) => rule));
    return {
      from: before.status,
      to: after.status,
      broken: [...are].filter((rule) => !were.has(rule)),
      mended: [...were].filter((rule) => !are.has(rule)),
    };
  }

  private count<T extends { printers: number; examples: string[] }>(
    counts: Map<string, T>,
    key: string,
    fresh: () => T,
    { printers, examples }: { printers: number; examples: readonly string[] },
  ): void {
    let entry = counts.get(key);
    if (!entry) {
      entry = fresh();
      counts.set(key, entry);
    }
    entry.printers += printers;
    entry.examples.push(...examples.slice(0, IMPACT_EXAMPLES_MAX - entry.examples.length));
  }

  result(): ImpactResult {
    const byCount = (a: { printers: number }, b: { printers: number }): number => b.printers - a.printers;
    return {
      from: this.before.name,
      to: this.after.name,
      printers: this.printers,
      changed: this.changed,
      misfits: this.misfits,
      transitions: [...this.transitions.values()].filter(({ from, to }) => from !== to).sort(byCount),
      rules: [...this.rules.values()].sort(byCount).slice(0, RULES_MAX),
    };
  }
}

/** What a new catalog changes for these printers. */
export function impact(
  before: CompiledCatalog,
  after: CompiledCatalog,
  structures: Iterable<{ printer: string; structure: PrinterStructureLike }>,
): ImpactResult {
  const counted = new Impact(before, after);
  for (const { printer, structure } of structures) counted.add(structure, 1, [printer]);
  return counted.result();
}
