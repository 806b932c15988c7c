/**
 * The updater's journal, from which it continues after a power loss. An entry is on disk before the step it announces
 * begins.
 */
import { join } from 'node:path';
import { readWholeJson, writeWholeSync } from '../../files/whole-file.ts';
import type { ErrorReport, Order } from '../../schemas/types.ts';

/** The state of an order. `group` counts groups of steps that are installed together. */
export interface JournalEntry {
  order: Order;
  /**
   * `taken`: nothing touched yet. `installing`: group `group` is being installed, the groups before it are done.
   * `testing`: all are installed. `rolling-back`: group `group` is being rolled back, the groups after it are done.
   * `ended`: see `outcome`.
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

/** Lost with the process; for simulated printers. */
export function memoryJournal(): Journal {
  let text: string | undefined;
  return {
    load: () => (text === undefined ? { ended: [] } : (JSON.parse(text) as JournalState)),
    save: (state) => {
      text = JSON.stringify(state);
    },
  };
}

/** A file that is replaced as a whole and synced before and after. */
export function fileJournal(folder: string): Journal {
  const file = join(folder, 'journal.json');
  return {
    load: () =>
      (readWholeJson(
        file,
        'It held which update was under way. See which versions the printer has, remove the file, and start again.',
      ) as JournalState | undefined) ?? { ended: [] },
    save: (state) => writeWholeSync(file, JSON.stringify(state)),
  };
}
