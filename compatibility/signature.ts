/**
 * The signature of a structure: equal for structures that are judged and cured alike. Serials, sites and labels are
 * not in it; symbols are, because findings name them.
 */
import { createHash } from 'node:crypto';
import type { InstalledSoftware } from '../schemas/types.ts';
import type { PrinterStructureLike } from './types.ts';

/** A text, a number of things that follow, or nothing. */
type Field = string | number | undefined;

/** Collects the fields of one structure at a time; valid until the next. */
export class SignatureFields {
  readonly #fields: Field[] = [];
  #length = 0;
  #hash = 0;

  /** Collects the fields that a structure is judged by, after `lead`. */
  gather(structure: PrinterStructureLike, lead?: string): this {
    const { apparatus, units } = structure;
    this.#length = 0;
    this.#hash = 0;
    this.#add(lead);
    this.#add(apparatus.model);
    this.#add(apparatus.hardware);
    this.#addSoftware(apparatus.software);
    if (!units) return this;
    for (let i = 0; i < units.length; i++) {
      const unit = units[i]!;
      this.#add(unit.symbol);
      this.#add(unit.kind);
      this.#add(unit.model);
      this.#add(unit.hardware);
      this.#addCount(unit.state === 'spare' ? 1 : 0);
      this.#addSoftware(unit.software);
    }
    return this;
  }

  /** Equal for equal fields, and rarely for others; a small integer. */
  get hash(): number {
    return this.#hash & 0x3fffffff;
  }

  /** About how many characters a copy takes. */
  get weight(): number {
    let weight = 0;
    for (let i = 0; i < this.#length; i++) {
      const field = this.#fields[i];
      weight += 8 + (typeof field === 'string' ? field.length : 0);
    }
    return weight;
  }

  copy(): readonly Field[] {
    return this.#fields.slice(0, this.#length);
  }

  /** Whether these are the fields that were copied. */
  equals(copy: readonly Field[]): boolean {
    if (copy.length !== this.#length) return false;
    // Versions differ more often than models, and stand after them.
    for (let i = copy.length - 1; i >= 0; i--) if (copy[i] !== this.#fields[i]) return false;
    return true;
  }

  /** The fields as one text, each with its length before it, so that no two structures share it. */
  text(): string {
    let text = '';
    for (let i = 0; i < this.#length; i++) {
      const field = this.#fields[i];
      if (typeof field === 'string') text += `${field.length}:${field}`;
      else text += field === undefined ? '-' : `${field};`;
    }
    return text;
  }

  #addSoftware(software: readonly InstalledSoftware[] | undefined): void {
    if (!software) {
      this.#addCount(0);
      return;
    }
    this.#addCount(software.length);
    for (let i = 0; i < software.length; i++) {
      const installed = software[i]!;
      this.#add(installed.id);
      this.#add(installed.vendor);
      this.#add(installed.version);
    }
  }

  #addCount(count: number): void {
    this.#fields[this.#length++] = count;
    this.#hash = Math.imul(this.#hash ^ count, 0x01000193);
  }

  #add(text: string | undefined): void {
    this.#fields[this.#length++] = text;
    let hash = this.#hash;
    if (text === undefined) hash = Math.imul(hash ^ 0x1ff, 0x01000193);
    else for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    // Carries high bits down, where the hash of the next field begins.
    this.#hash = hash ^ (hash >>> 15);
  }
}

const fields = new SignatureFields();

/** The signature of a structure, to remember verdicts by. */
export function signatureOf(structure: PrinterStructureLike): string {
  return fields.gather(structure).text();
}

/** A short name for structures that are judged and cured alike: campaigns draw by it, and fleets are counted by it. */
export function configurationOf(structure: PrinterStructureLike): string {
  return createHash('sha256').update(signatureOf(structure)).digest('hex').slice(0, 12);
}
