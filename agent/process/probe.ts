/**
 * Reads a printer once and keeps the raw answer beside the reading.
 */
import { pino } from 'pino';
import type { AgentPrinter } from '../../schemas/types.ts';
import { BambuReader } from '../drivers/bambu/bambu-reader.ts';
import { IppReader } from '../drivers/ipp/ipp-reader.ts';
import { SnmpSession } from '../drivers/snmp/session.ts';
import { readSnmp } from '../drivers/snmp/snmp-reader.ts';
import { ippReading } from '../mapping/ipp-reading.ts';
import { mergeReadings } from '../mapping/merge.ts';
import type { Reading } from '../mapping/reading.ts';
import { snmpReading } from '../mapping/snmp-reading.ts';
import type { MappingTables } from '../mapping/tables.ts';
import { rawText } from './doctor.ts';
import { bambuAccess, openDriver } from './open-driver.ts';
import { ippAccess, snmpAccess } from './open-reader.ts';

export interface Probe {
  /** Rejects when one of the addresses doesn't answer. */
  read(): Promise<Reading>;
  /** The merged reading of the addresses that answer, and the errors of the others. */
  readEach(): Promise<{ reading?: Reading; failures: { url: string; error: unknown }[] }>;
  /** The raw answer as lines; empty for protocols without one. */
  raw(): string;
  close(): Promise<void>;
}

/** Reads each address of a printer once. */
export function openProbe(printer: AgentPrinter, mapping: MappingTables): Probe {
  const closers: (() => void | Promise<void>)[] = [];
  let raw = '';
  const readOne = async (address: string): Promise<Reading> => {
    if (address.startsWith('snmp:')) {
      const session = new SnmpSession(snmpAccess(address, printer.snmp));
      closers.push(() => session.close());
      const answer = await readSnmp(session, mapping);
      raw += rawText({ snmp: answer });
      return snmpReading(answer, mapping);
    }
    if (address.startsWith('bambu:')) {
      const reader = new BambuReader(bambuAccess(address, printer.bambu));
      closers.push(() => reader.close());
      return reader.read();
    }
    if (address.startsWith('command:')) return readCommand(printer, mapping, closers);
    const answer = await new IppReader(ippAccess(address, printer.ipp), mapping).readAnswer();
    raw += rawText({ ipp: answer });
    return ippReading(answer, mapping);
  };
  const readEach: Probe['readEach'] = async () => {
    // SNMP first: its values take precedence.
    const ordered = [...printer.urls].sort(
      (a, b) => Number(b.startsWith('snmp:')) - Number(a.startsWith('snmp:')),
    );
    const readings: Reading[] = [];
    const failures: { url: string; error: unknown }[] = [];
    for (const url of ordered) {
      try {
        readings.push(await readOne(url));
      } catch (error) {
        failures.push({ url, error });
      }
    }
    const [first, ...others] = readings;
    return { ...(first === undefined ? {} : { reading: others.reduce(mergeReadings, first) }), failures };
  };
  return {
    readEach,
    async read() {
      const { reading, failures } = await readEach();
      if (!reading || failures.length > 0) throw failures[0]?.error;
      return reading;
    },
    raw: () => raw,
    close: async () => {
      for (const close of closers) await close();
    },
  };
}

/** Runs the program once and returns its answer as a reading. */
async function readCommand(
  printer: AgentPrinter,
  mapping: MappingTables,
  closers: (() => void | Promise<void>)[],
): Promise<Reading> {
  const { driver } = openDriver(printer, mapping, {
    pollMs: 1,
    fullMs: 1,
    silentMs: 1,
    log: pino({ level: 'silent' }),
  });
  closers.push(() => driver.stop());
  await driver.start({ error: () => undefined, changed: () => undefined });
  const structure = await driver.readStructure();
  const counters = await driver.readCounters();
  return {
    source: 'command',
    structure,
    sources: {},
    conditions: [],
    conditionsWhole: false,
    counters,
    identity: { model: structure.apparatus.model, tables: [] },
    missing: [],
  };
}
