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

  /** @param ofStored the document was put before: what means nothing in it is only warned of */
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

  /** What is refused of a new document; one that was put before keeps it. */
  errorIfNew(path: string, message: string): void {
    if (this.#ofStored) this.warn(path, message);
    else this.error(path, message);
  }

  /** Members of an object that mean nothing there. */
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
