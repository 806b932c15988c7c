/**
 * The updater's journal: what it was doing, so that it can go on after a power loss. Every entry is on disk before
 * what it announces is begun.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ErrorReport, Order } from '../../schemas/types.ts';

/** Where an order stands. `group` counts groups of steps that are installed together. */
export interface JournalEntry {
  order: Order;
  /**
   * `taken` nothing touched yet; `installing` group `group` is being installed, those before are; `testing` all are;
   * `rolling-back` group `group` is being taken back, those after are; `ended` as `outcome` says.
   */
  phase: 'taken' | 'installing' | 'testing' | 'rolling-back' | 'ended';
  group: number;
  /** Why it is rolled back. */
  error?: ErrorReport;
  outcome?: { state: 'claimed' | 'rejected' | 'rolled-back' | 'failed' | 'cancelled'; error?: ErrorReport };
}

export interface JournalState {
  current?: JournalEntry;
  /** `execution/attempt` of orders that ended, oldest first. */
  ended: string[];
}

export interface Journal {
  load(): JournalState;
  /** Returns when it is on disk. */
  save(state: JournalState): void;
}

/** Keeps nothing beyond the process: for simulated printers. */
export function memoryJournal(): Journal {
  let text: string | undefined;
  return {
    load: () => (text === undefined ? { ended: [] } : (JSON.parse(text) as JournalState)),
    save: (state) => {
      text = JSON.stringify(state);
    },
  };
}

/** A file that is replaced whole, synced before and after. */
export function fileJournal(folder: string): Journal {
  const file = join(folder, 'journal.json');
  return {
    load: () => {
      try {
        return JSON.parse(readFileSync(file, 'utf8')) as JournalState;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { ended: [] };
        throw error;
      }
    },
    save: (state) => {
      mkdirSync(dirname(file), { recursive: true });
      const temporary = `${file}.tmp`;
      const descriptor = openSync(temporary, 'w', 0o600);
      try {
        writeSync(descriptor, JSON.stringify(state));
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, file);
      const directory = openSync(dirname(file), 'r');
      try {
        fsyncSync(directory);
      } finally {
        closeSync(directory);
      }
    },
  };
}
