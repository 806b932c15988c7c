/**
 * Judgements and choices remembered per signature, for one catalog: a fleet of a million printers has a few thousand
 * distinct structures.
 */
import { choose } from './choose.ts';
import { judge } from './judge.ts';
import { signatureOf } from './signature.ts';
import type { CompiledCatalog } from './tables.ts';
import type { Budget, Choice, ChooseOptions, Judgement, PrinterStructureLike } from './types.ts';

/** A map that forgets what was used longest ago. */
class Recent<T> {
  private readonly entries = new Map<string, T>();
  private readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  get(key: string): T | undefined {
    const value = this.entries.get(key);
    // Moving an entry to the end costs; it only matters once something has to be forgotten.
    if (value !== undefined && this.entries.size >= this.max) {
      this.entries.delete(key);
      this.entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: T): void {
    if (this.entries.size >= this.max) {
      const oldest = this.entries.keys().next();
      if (!oldest.done) this.entries.delete(oldest.value);
    }
    this.entries.set(key, value);
  }
}

/** Judges and chooses for one catalog, each distinct structure once. */
export class Memo {
  readonly catalog: CompiledCatalog;
  private readonly judgements: Recent<Judgement>;
  private readonly choices: Recent<Choice>;

  /** `max`: how many structures are remembered. */
  constructor(catalog: CompiledCatalog, max: number) {
    this.catalog = catalog;
    this.judgements = new Recent(max);
    this.choices = new Recent(max);
  }

  judge(structure: PrinterStructureLike): Judgement {
    const signature = signatureOf(structure);
    let judgement = this.judgements.get(signature);
    if (!judgement) {
      judgement = judge(this.catalog, structure);
      this.judgements.set(signature, judgement);
    }
    return judgement;
  }

  /** A choice that gave up is not remembered: there may be more time the next time. */
  choose(structure: PrinterStructureLike, options: ChooseOptions = {}, budget?: Budget): Choice {
    const key = `${JSON.stringify(options)} ${signatureOf(structure)}`;
    let choice = this.choices.get(key);
    if (!choice) {
      choice = choose(this.catalog, structure, options, budget);
      if (choice.outcome !== 'gave-up') this.choices.set(key, choice);
    }
    return choice;
  }
}
