/**
 * Reads one printer through one protocol. `PolledDriver` makes a driver out of it: when to read, what has changed, what
 * to remember.
 */
import type { Driver } from '../driver.ts';
import type { Reading } from '../mapping/reading.ts';
import type { FoundReadings } from '../mapping/readings/found-readings.ts';

/** The printer answered, with an error: that is no silence, and no reason to take it for switched off. */
export class ErrorAnswer extends Error {
  override readonly name = 'ErrorAnswer';
  /** The protocol's own number of the error. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** What a quick read finds: what changes by the minute. */
export interface QuickReading
  extends Pick<Reading, 'conditions' | 'conditionsWhole' | 'counters' | 'upTimeTicks'> {
  /** The printer says that its configuration changed: the structure has to be read again. */
  structureMayDiffer: boolean;
}

/** Installs software where a protocol can. What it is given was verified. */
export type Installer = Pick<Driver, 'cannotInstall' | 'install' | 'rollback'>;

export interface Reader {
  readonly kind: string;
  /** What stands in messages: the address without secrets. */
  readonly url: string;
  /** Absent: the protocol only reads, or installing is not configured. */
  readonly installer?: Installer | undefined;
  /** Everything. Rejects when the printer doesn't answer at all; a half-answer is a reading. */
  read(): Promise<Reading>;
  /** What changes by the minute, in as few packets as possible. Only after `read` has succeeded once. */
  readQuick?(): Promise<QuickReading>;
  /**
   * Counters, supplies and what else is sent as readings, without the structure. Only after `read` has succeeded once;
   * without it a whole read tells them.
   */
  readReadings?(): Promise<FoundReadings | undefined>;
  /**
   * Whether it is there at all, with as little as possible: asked of a printer that has not answered yet or did not last
   * time, before a whole read takes a place among those that do.
   */
  knock?(): Promise<void>;
  /** Whether something is there that takes connections, although `read` got no answer: then the printer is asleep. */
  alive?(): Promise<boolean>;
  /** Something happened (a trap, a pushed message): read at once. */
  onNudge?(nudge: () => void): void;
  close(): Promise<void>;
}

/** A whole reading as a quick one. */
export function quickOf(reading: Reading): QuickReading {
  const { conditions, conditionsWhole, counters, upTimeTicks } = reading;
  return {
    conditions,
    conditionsWhole,
    counters,
    ...(upTimeTicks === undefined ? {} : { upTimeTicks }),
    structureMayDiffer: false,
  };
}
