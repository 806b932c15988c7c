/**
 * Judgements and choices remembered per signature, for one catalog: a fleet of a million printers has a few thousand
 * distinct structures.
 */
import { createHash } from 'node:crypto';
import { choose } from './choose.ts';
import { judge } from './judge.ts';
import { signatureOf } from './signature.ts';
import type { CompiledCatalog } from './tables.ts';
import type { Budget, Choice, ChooseOptions, Judgement, PrinterStructureLike } from './types.ts';

/**
 * Characters of signature that are remembered in all: a judgement grows with what it judges, so a few thousand large
 * structures must not take the place, and the memory, of all the others.
 */
const SIGNATURE_CHARACTERS_MAX = 32 * 1024 * 1024;
/** Signatures longer than this are remembered by their hash. */
const KEY_CHARACTERS_MAX = 1_024;

function keyOf(text: string): string {
  return text.length <= KEY_CHARACTERS_MAX ? text : createHash('sha256').update(text).digest('base64');
}

/** A map that forgets what was used longest ago. */
class Recent<T> {
  private readonly entries = new Map<string, { value: T; weight: number }>();
  private readonly max: number;
  private weight = 0;

  constructor(max: number) {
    this.max = max;
  }

  get(key: string): T | undefined {
    const entry = this.entries.get(key);
    // Moving an entry to the end costs; it only matters once something has to be forgotten.
    if (entry && (this.entries.size >= this.max || this.weight * 2 > SIGNATURE_CHARACTERS_MAX)) {
      this.entries.delete(key);
      this.entries.set(key, entry);
    }
    return entry?.value;
  }

  set(key: string, value: T, weight: number): void {
    this.entries.set(key, { value, weight });
    this.weight += weight;
    for (const [oldest, entry] of this.entries) {
      if (this.entries.size <= this.max && this.weight <= SIGNATURE_CHARACTERS_MAX) return;
      this.entries.delete(oldest);
      this.weight -= entry.weight;
    }
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
    const key = keyOf(signature);
    let judgement = this.judgements.get(key);
    if (!judgement) {
      judgement = judge(this.catalog, structure);
      this.judgements.set(key, judgement, signature.length);
    }
    return judgement;
  }

  /** A choice that gave up is not remembered: there may be more time the next time. */
  choose(structure: PrinterStructureLike, options: ChooseOptions = {}, budget?: Budget): Choice {
    const wished = `${JSON.stringify(options)} ${signatureOf(structure)}`;
    const key = keyOf(wished);
    let choice = this.choices.get(key);
    if (!choice) {
      choice = choose(this.catalog, structure, options, budget);
      if (choice.outcome !== 'gave-up') this.choices.set(key, choice, wished.length);
    }
    return choice;
  }
}
