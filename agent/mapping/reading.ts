/**
 * The result of one read of a printer, independent of the protocol: structure, current conditions, counters, the source of
 * every field, and what was missing.
 */
import type { InstalledSoftware, LogEntry, Unit } from '../../schemas/types.ts';
import type { PrinterStructure } from '../driver.ts';
import { withinSteps } from './pattern.ts';
import { type FoundReadings, withoutReasons } from './readings/found-readings.ts';

/** Where a field came from. */
export type Source = 'ipp' | 'snmp' | 'bambu' | 'command';

export type Severity = LogEntry['severity'];

/**
 * Something that holds now: a row of prtAlertTable, a state reason, an HMS code. Printers list what holds, not what
 * happened; `conditions.ts` turns the difference between two reads into log entries.
 */
export interface Condition {
  /** Our code: the vendor's own if known (`J-7218`), else the IPP keyword (`media-jam`). */
  code: string;
  severity: Severity;
  /** Symbol of the unit it is on, where that is known. */
  unit?: string;
  /** IPP keyword of the condition, whatever the vendor calls it. */
  keyword?: string;
  /** Distinguishes occurrences, if the printer numbers them (prtAlertIndex). */
  occurrence?: string;
  /** When it began: hundredths of a second of the printer's own up-time (prtAlertTime). */
  ticks?: number;
  /** When it began, where the printer has a clock (RFC 3339). */
  at?: string;
  detail: Record<string, string | number | boolean>;
}

/** A missing field, for `platen agent doctor`. */
export interface Missing {
  /** Name of the field: `apparatus.serial`, `apparatus.software[engine].version`, `alerts`. */
  field: string;
  /** Why that matters, in a sentence. */
  because: string;
}

export interface ReadCounters {
  /** Life counter in pages as the printer shows it, not yet corrected for wraps. */
  pages?: number;
  /** Width of that counter in bits: it wraps after 2^bits. Absent: it doesn't wrap. */
  pagesBits?: number;
  printing?: boolean;
}

export interface Reading {
  source: Source;
  structure: PrinterStructure;
  /** Path of a structure field (`apparatus.serial`, `finisher.1.model`) to where it came from. */
  sources: Record<string, Source>;
  conditions: Condition[];
  /** Whether the conditions are complete: an incomplete answer clears nothing. */
  conditionsWhole: boolean;
  counters: ReadCounters;
  /** Counters, supplies and what else is sent as readings. */
  measured?: FoundReadings;
  /** Hundredths of a second since the printer's management started (sysUpTime, printer-up-time). */
  upTimeTicks?: number;
  /** Make, model and mapping tables, for the doctor; and what identifies the printer at another address. */
  identity: {
    make?: string;
    model?: string;
    tables: string[];
    /** Serial number by protocol: the two may write it differently. */
    serials?: Partial<Record<Source, string>>;
    /** `printer-uuid` without its scheme. */
    uuid?: string;
    /** Name under which it announces itself by mDNS. */
    announced?: string;
  };
  missing: Missing[];
}

/** Pattern steps of one reading in total, about 300 ms; an ordinary printer needs some ten thousand. */
export const READING_STEPS_MAX = 2_000_000;

/** Maps an answer within the step limit. When the limit is reached, the reading says so and is incomplete. */
export function boundedReading(map: () => Reading): Reading {
  const { result, enough } = withinSteps(READING_STEPS_MAX, map);
  if (enough) return result;
  const because = 'The printer tells more, or longer, texts than are looked at in one reading.';
  const { measured, ...rest } = result;
  return {
    ...rest,
    ...(measured === undefined ? {} : { measured: withoutReasons(measured) }),
    conditionsWhole: false,
    missing: [...result.missing, { field: 'texts', because }],
  };
}

export type FoundUnit = Unit & { software: InstalledSoftware[] };

/** Text lengths of the wire contract (schemas/wire/structure.json, errors.json). */
export const TEXT_MAX = {
  code: 64,
  symbol: 64,
  kind: 64,
  model: 256,
  serial: 256,
  hardware: 64,
  softwareId: 128,
  version: 128,
};
