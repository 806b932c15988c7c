/**
 * Judgements and choices remembered per signature, for one catalog: a fleet of a million printers has a few thousand
 * distinct structures.
 */
import { choose } from './choose.ts';
import { judge } from './judge.ts';
import { SignatureFields } from './signature.ts';
import type { CompiledCatalog } from './tables.ts';
import type { Budget, Choice, ChooseOptions, Judgement, PrinterStructureLike } from './types.ts';

/**
 * Total length of remembered signatures: a judgement grows with its structure, so a few thousand large structures must
 * not displace all others or take their memory.
 */
const SIGNATURE_CHARACTERS_MAX = 32 * 1024 * 1024;
/** Signatures remembered per hash; making collisions on purpose gains nothing. */
const SAME_HASH_MAX = 8;

/** What is remembered of one signature. */
interface Entry<T> {
  fields: ReturnType<SignatureFields['copy']>;
  value: T;
  weight: number;
}

/** A map by signature that drops the least recently used. */
class Recent<T> {
  private readonly buckets = new Map<number, Entry<T>[]>();
  private readonly max: number;
  private weight = 0;
  private size = 0;

  constructor(max: number) {
    this.max = max;
  }

  get(signature: SignatureFields): T | undefined {
    const { hash } = signature;
    const bucket = this.buckets.get(hash);
    let entry: Entry<T> | undefined;
    for (let i = 0; bucket && !entry && i < bucket.length; i++) {
      if (signature.equals(bucket[i]!.fields)) entry = bucket[i];
    }
    // Moving to the end costs; it only matters once something has to be forgotten.
    if (entry && (this.size >= this.max || this.weight * 2 > SIGNATURE_CHARACTERS_MAX)) {
      this.buckets.delete(hash);
      this.buckets.set(hash, bucket!);
    }
    return entry?.value;
  }

  set(signature: SignatureFields, value: T): void {
    const { hash, weight } = signature;
    const bucket = this.buckets.get(hash) ?? [];
    if (bucket.length >= SAME_HASH_MAX) this.forget(bucket.splice(0));
    this.buckets.delete(hash);
    this.buckets.set(hash, bucket);
    bucket.push({ fields: signature.copy(), value, weight });
    this.weight += weight;
    this.size++;
    for (const [oldest, entries] of this.buckets) {
      if (this.size <= this.max && this.weight <= SIGNATURE_CHARACTERS_MAX) return;
      this.buckets.delete(oldest);
      this.forget(entries);
    }
  }

  private forget(entries: readonly Entry<T>[]): void {
    this.size -= entries.length;
    for (const { weight } of entries) this.weight -= weight;
  }
}

/** Judges and chooses for one catalog, each distinct structure once. */
export class Memo {
  readonly catalog: CompiledCatalog;
  private readonly judgements: Recent<Judgement>;
  private readonly choices: Recent<Choice>;
  private readonly signature = new SignatureFields();

  /** `max`: how many structures are remembered. */
  constructor(catalog: CompiledCatalog, max: number) {
    this.catalog = catalog;
    this.judgements = new Recent(max);
    this.choices = new Recent(max);
  }

  judge(structure: PrinterStructureLike): Judgement {
    const signature = this.signature.gather(structure);
    let judgement = this.judgements.get(signature);
    if (!judgement) {
      judgement = judge(this.catalog, structure);
      this.judgements.set(signature, judgement);
    }
    return judgement;
  }

  /** What was chosen for such a structure before; undefined when nothing was. */
  recall(structure: PrinterStructureLike, options: ChooseOptions = {}): Choice | undefined {
    return this.choices.get(this.signature.gather(structure, JSON.stringify(options)));
  }

  /** Remembers a choice, unless it gave up: there may be more time the next time. */
  remember(structure: PrinterStructureLike, options: ChooseOptions, choice: Choice): void {
    if (choice.outcome === 'gave-up') return;
    this.choices.set(this.signature.gather(structure, JSON.stringify(options)), choice);
  }

  choose(structure: PrinterStructureLike, options: ChooseOptions = {}, budget?: Budget): Choice {
    const known = this.recall(structure, options);
    if (known) return known;
    const choice = choose(this.catalog, structure, options, budget);
    this.remember(structure, options, choice);
    return choice;
  }
}
