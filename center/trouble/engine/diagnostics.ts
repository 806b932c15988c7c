/** What is wrong with a rule document, and where. */

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

  error(path: string, message: string): void {
    this.errors += 1;
    this.add({ path, severity: 'error', message });
  }

  warn(path: string, message: string): void {
    this.add({ path, severity: 'warning', message });
  }

  private add(diagnostic: Diagnostic): void {
    if (this.list.length < Diagnostics.DIAGNOSTICS_MAX) this.list.push(diagnostic);
  }
}
