/**
 * The numbers of update reports: they grow within an attempt, also when the agent restarts in the middle of it.
 */
import { readFileSync } from 'node:fs';
import { writeWholeSync } from '../files/whole-file.ts';
import { REPORT_NUMBERS_RESERVED } from './limits.ts';
import type { ReportNumbers } from './update-reports.ts';

/** Numbers for an agent that keeps nothing on disk. A new attempt begins at 1. */
export class ReportNumbersInMemory implements ReportNumbers {
  #key = '';
  #last = 0;

  next(execution: string, attempt: number): number {
    const key = `${execution}/${attempt}`;
    if (key !== this.#key) this.#last = 0;
    this.#key = key;
    this.#last++;
    return this.#last;
  }
}

interface Reserved {
  key: string;
  upTo: number;
}

function readReserved(file: string): Reserved | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const value = JSON.parse(text) as Partial<Reserved>;
    if (typeof value.key === 'string' && Number.isSafeInteger(value.upTo)) return value as Reserved;
  } catch {
    // The rename is atomic, so this is a damaged disk, not a torn write; a fresh start is all that is left.
  }
  return undefined;
}

/**
 * Numbers that survive a restart: a block is reserved in `file` before its first number is used, and a restart continues
 * after the block.
 */
export class ReportNumbersOnDisk implements ReportNumbers {
  readonly #file: string;
  #key: string;
  #last: number;
  #reserved: number;

  constructor(file: string) {
    this.#file = file;
    const reserved = readReserved(file);
    this.#key = reserved?.key ?? '';
    this.#last = reserved?.upTo ?? 0;
    this.#reserved = this.#last;
  }

  next(execution: string, attempt: number): number {
    const key = `${execution}/${attempt}`;
    if (key !== this.#key) {
      this.#key = key;
      this.#last = 0;
      this.#reserved = 0;
    }
    this.#last++;
    if (this.#last > this.#reserved) this.#reserve(this.#last - 1 + REPORT_NUMBERS_RESERVED);
    return this.#last;
  }

  #reserve(upTo: number): void {
    writeWholeSync(this.#file, JSON.stringify({ key: this.#key, upTo } satisfies Reserved));
    this.#reserved = upTo;
  }
}
