/**
 * Reads one printer through one protocol. `PolledDriver` makes a driver out of it: when to read, what has changed, what
 * to remember.
 */
import type { Driver } from '../driver.ts';
import type { Reading } from '../mapping/reading.ts';
import type { FoundReadings } from '../mapping/readings/found-readings.ts';

/** The printer answered with an error. It is not silent, and not switched off. */
export class ErrorAnswer extends Error {
  override readonly name = 'ErrorAnswer';
  /** The protocol's own number of the error. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** Result of a quick read: values that change by the minute. */
export interface QuickReading
  extends Pick<Reading, 'conditions' | 'conditionsWhole' | 'counters' | 'upTimeTicks'> {
  /** The printer reports a changed configuration: the structure must be read again. */
  structureMayDiffer: boolean;
}

/** Installs software where a protocol can. The images it is given are verified. */
export type Installer = Pick<Driver, 'cannotInstall' | 'install' | 'rollback'>;

export interface Reader {
  readonly kind: string;
  /** The address without secrets, for messages. */
  readonly url: string;
  /** Absent when the protocol only reads, or installing is not configured. */
  readonly installer?: Installer | undefined;
  /** Reads everything. Rejects when the printer doesn't answer at all; an incomplete answer is a reading. */
  read(): Promise<Reading>;
  /** Reads what changes by the minute in as few packets as possible. Only after `read` has succeeded once. */
  readQuick?(): Promise<QuickReading>;
  /**
   * Reads counters, supplies and the other readings without the structure. Only after `read` has succeeded once. Absent: a
   * full read is used instead.
   */
  readReadings?(): Promise<FoundReadings | undefined>;
  /**
   * The cheapest check that it answers at all. Used for a printer that has not answered yet or failed last time, before a
   * full read takes a slot among the printers that do answer.
   */
  knock?(): Promise<void>;
  /** Whether it accepts connections although `read` got no answer: then the printer is asleep. */
  alive?(): Promise<boolean>;
  /** Something happened (a trap, a pushed message): read at once. */
  onNudge?(nudge: () => void): void;
  close(): Promise<void>;
}

/** A full reading as a quick one. */
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
