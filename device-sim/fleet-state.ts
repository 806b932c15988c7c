/**
 * Keeps the structures of simulated printers in a file, so that an updated printer is still updated after a restart of
 * the simulation.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PrinterStructure } from '../agent/driver.ts';
import { readWholeJson, writeWholeSync } from '../files/whole-file.ts';

/** How long changes are collected before a write: an update changes many printers at once. */
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

  /** The kept state of a printer. */
  of(printer: string): Kept | undefined {
    return this.#printers[printer];
  }

  keep(printer: string, kept: Kept): void {
    this.#printers[printer] = kept;
    this.#timer ??= setTimeout(() => this.flush(), WRITE_AFTER_MS);
  }

  /** Writes pending changes. A crash leaves the old file or the new one, never half of one. */
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
    'It holds the structures of the simulated printers. Remove it to start the simulation over.',
  );
  return (kept ?? {}) as Record<string, Kept>;
}
