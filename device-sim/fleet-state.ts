/**
 * What simulated printers are made of, kept in a file, so that a printer that was updated is still updated when the
 * simulation starts again.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PrinterStructure } from '../agent/driver.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';

/** Changes are written together after so many ms: an update touches many printers at once. */
const WRITE_AFTER_MS = 200;

interface Kept {
  structure: PrinterStructure;
  pages: number;
}

export class FleetState {
  readonly #file: string;
  readonly #printers: Record<string, Kept>;
  #timer: NodeJS.Timeout | undefined;

  /** @throws PlatenError setting/invalid when the file is there but can't be read */
  constructor(file: string) {
    this.#file = file;
    this.#printers = readState(file);
  }

  /** What is known of a printer from before. */
  of(printer: string): Kept | undefined {
    return this.#printers[printer];
  }

  keep(printer: string, kept: Kept): void {
    this.#printers[printer] = kept;
    this.#timer ??= setTimeout(() => this.flush(), WRITE_AFTER_MS);
  }

  /** Writes what is not written yet. A crash leaves the old file or the new one, never half of one. */
  flush(): void {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#printers));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function readState(file: string): Record<string, Kept> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    return JSON.parse(text) as Record<string, Kept>;
  } catch (error) {
    throw new PlatenError('setting/invalid', {
      name: file,
      reason: reasonOf(error),
      hint: 'It holds what the simulated printers are made of; delete it to begin the simulation anew.',
    });
  }
}
