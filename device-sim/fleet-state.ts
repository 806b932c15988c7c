/**
 * Keeps the structures and page counts of simulated printers in a file, so that updates and replaced cartridges survive
 * a restart of the simulation.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PrinterStructure } from '../agent/driver.ts';
import { readWholeJson, writeWholeSync } from '../files/whole-file.ts';

/** How long changes are collected before a write, because an update changes many printers at once. */
const WRITE_AFTER_MS = 200;
/** How long page counts are collected. They change constantly, and a crash loses no more than this. */
const WRITE_PAGES_AFTER_MS = 5_000;

interface Kept {
  structure: PrinterStructure;
  pages: number;
}

export class FleetState {
  readonly #file: string;
  readonly #printers: Record<string, Kept>;
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;

  /** @throws PlatenError setting/invalid when the file exists but can't be read */
  constructor(file: string) {
    this.#file = file;
    this.#printers = readState(file);
  }

  /** The saved state of a printer. */
  of(printer: string): Kept | undefined {
    return this.#printers[printer];
  }

  keep(printer: string, kept: Kept): void {
    this.#printers[printer] = kept;
    this.#writeWithin(WRITE_AFTER_MS);
  }

  /** Records the page counter of a printer. Its structure must have been saved before. */
  count(printer: string, pages: number): void {
    const kept = this.#printers[printer];
    if (!kept || kept.pages === pages) return;
    kept.pages = pages;
    this.#writeWithin(WRITE_PAGES_AFTER_MS);
  }

  #writeWithin(ms: number): void {
    const due = performance.now() + ms;
    if (this.#timer && due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.flush(), ms);
  }

  /** Writes pending changes. A crash leaves the old file or the new one, never half of one. */
  flush(): void {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = Number.POSITIVE_INFINITY;
    mkdirSync(dirname(this.#file), { recursive: true });
    writeWholeSync(this.#file, JSON.stringify(this.#printers), { synced: false });
  }
}

function readState(file: string): Record<string, Kept> {
  const kept = readWholeJson(
    file,
    'It holds the structures of the simulated printers. Remove it to start the simulation over.',
  );
  return (kept ?? {}) as Record<string, Kept>;
}
