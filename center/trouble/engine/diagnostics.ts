/** What is wrong with a rule document, and where. */
import { unknownMember } from '../../../schemas/nearest-name.ts';

export interface Diagnostic {
  /** JSON pointer into the document. */
  path: string;
  severity: 'error' | 'warning';
  message: string;
}

/** Collects diagnostics; after `DIAGNOSTICS_MAX` further ones are only counted. */
export class Diagnostics {
  readonly list: Diagnostic[] = [];
  errors = 0;
  static readonly DIAGNOSTICS_MAX = 1000;
  readonly #ofStored: boolean;

  /** @param ofStored the document is stored already: unknown members are only warned of */
  constructor(ofStored = false) {
    this.#ofStored = ofStored;
  }

  error(path: string, message: string): void {
    this.errors += 1;
    this.add({ path, severity: 'error', message });
  }

  warn(path: string, message: string): void {
    this.add({ path, severity: 'warning', message });
  }

  /** An error in a new document; a stored one keeps the member. */
  errorIfNew(path: string, message: string): void {
    if (this.#ofStored) this.warn(path, message);
    else this.error(path, message);
  }

  /** Reports unknown members of an object. */
  unknownMembers(value: object, known: readonly string[], path: string): void {
    for (const name of Object.keys(value)) {
      if (known.includes(name)) continue;
      const message = unknownMember(name, path, known);
      this.errorIfNew(`${path}/${name}`, message);
    }
  }

  private add(diagnostic: Diagnostic): void {
    if (this.list.length < Diagnostics.DIAGNOSTICS_MAX) this.list.push(diagnostic);
  }
}
