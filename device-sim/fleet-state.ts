/**
 * What simulated printers are made of, kept in a file, so that a printer that was updated is still updated when the
 * simulation starts again.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PrinterStructure } from '../agent/driver.ts';
import { readWholeJson, writeWholeSync } from '../files/whole-file.ts';

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
    writeWholeSync(this.#file, JSON.stringify(this.#printers), { synced: false });
  }
}

function readState(file: string): Record<string, Kept> {
  const kept = readWholeJson(
    file,
    'It holds what the simulated printers are made of. Remove it to begin the simulation anew.',
  );
  return (kept ?? {}) as Record<string, Kept>;
}
