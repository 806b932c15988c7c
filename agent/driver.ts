/**
 * What an agent needs from a printer. Each kind of printer (simulated, IPP, SNMP, Bambu, external command) has one
 * implementation; the agent adds the session, the log memory, reporting and updates.
 */
import type { LogEntry, OrderStep, Readings, Structure } from '../schemas/types.ts';

/** The part of a structure that only the printer knows. The agent adds session, revision, time and reason. */
export type PrinterStructure = Pick<Structure, 'apparatus' | 'units'> &
  Partial<Pick<Structure, 'site' | 'labels' | 'timezone'>>;

/** An error as the printer shows it; the agent's log memory numbers it. */
export type PrinterEvent = Omit<LogEntry, 'seq'>;

export interface PrinterCounters {
  /** Life counter in pages; absent when the printer has none. */
  pages?: number;
  /** Whether it is printing. Nothing is installed meanwhile. */
  printing?: boolean;
}

/** Counters and supply levels. The agent adds session, number, time and reason. */
export type PrinterReadings = Omit<Readings, 'session' | 'number' | 'at' | 'reason' | 'request'>;

/** Events that a driver sends between two reads. */
export interface DriverEvents {
  /** A new error, in the order in which it happened. */
  error(event: PrinterEvent): void;
  /** Units or versions may have changed: read the structure again. */
  changed(): void;
  /** Counters or supplies may have changed in a way that matters: read them again. */
  readings?(): void;
  /** The printer became reachable, or unreachable for longer than it sleeps. Not sent by drivers that run in the printer. */
  reached?(reachable: boolean): void;
}

/** A verified image, ready to be installed. */
export interface Image {
  step: OrderStep;
  /** The file that holds it; undefined if the driver only needs to identify the image (simulated). */
  file?: string;
}

/** Why a driver can't do something, in words an operator understands. */
export interface DriverRefusal {
  code: string;
  message: string;
}

export interface Driver {
  /** Short word for the kind of driver: `simulated`, `ipp`, … */
  readonly kind: string;
  /** Starts watching the printer; events may arrive from now on. */
  start(events: DriverEvents): Promise<void>;
  stop(): Promise<void>;
  /** The current structure. Rejects when the printer doesn't answer. */
  readStructure(): Promise<PrinterStructure>;
  readCounters(): Promise<PrinterCounters>;
  /**
   * Counters, supplies and other values that change all the time; undefined when the printer has none. Drivers that
   * never have readings omit the method. Rejects when the printer doesn't answer.
   */
  readReadings?(): Promise<PrinterReadings | undefined>;
  /** Undefined when software can be installed on `subject`, otherwise the reason why not. */
  cannotInstall(subject: string): DriverRefusal | undefined;
  /**
   * Installs one image (or several that belong together) and resolves when the printer runs it or will after a
   * restart. Must be safe to repeat: after a power loss the agent calls it again for the same step.
   */
  install(images: Image[], progress: (share: number) => void): Promise<void>;
  /** Restores what `install` replaced. */
  rollback(images: Image[]): Promise<void>;
  /** Checks that the printer works after the installation. Rejects with the reason when it doesn't. */
  selfTest(): Promise<void>;
  /** Restarts the printer (or the unit), as an installation demands. */
  restart(): Promise<void>;
}
