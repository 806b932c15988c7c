/**
 * A printer for the updater's tests: a driver over a structure in memory that can be made to fail, and an agent's
 * context around it. A power loss is an exception thrown by the journal, after which nothing of the old updater runs.
 */
import { pino } from 'pino';
import type { Driver, Image, PrinterStructure } from '../../agent/driver.ts';
import type { UnnumberedReport } from '../../agent/update-reports.ts';
import type { UpdaterContext } from '../../agent/updater-seam.ts';
import { parseSubject } from '../../schemas/subject.ts';
import type { OrderStep, Structure, UpdateReport } from '../../schemas/types.ts';

export interface FakePrinter {
  driver: Driver;
  structure: PrinterStructure;
  /** Every installation and rollback, in order: `+subject@to`, `-subject@to`. */
  done: string[];
  printing: boolean;
  restarts: number;
  /** Sessions begun without a restart. */
  sessions: number;
  fail: { install?: string; selfTest?: string; rollback?: string };
}

function setVersion(structure: PrinterStructure, step: OrderStep, version: string | undefined): void {
  const { symbol, software } = parseSubject(step.subject);
  const part =
    symbol === 'apparatus' ? structure.apparatus : structure.units.find((unit) => unit.symbol === symbol);
  const installed = part?.software?.find((each) => each.id === software);
  if (!installed) throw new Error(`there is no ${step.subject}`);
  installed.version = version;
}

export function fakePrinter(): FakePrinter {
  const printer: FakePrinter = {
    structure: {
      apparatus: { model: 'C360', software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }] },
      units: [
        {
          symbol: 'engine',
          kind: 'engine',
          model: 'EN-36',
          software: [{ id: 'acme.engine', vendor: 'acme', version: '2.4.0' }],
        },
      ],
      timezone: 'Europe/Berlin',
    },
    done: [],
    printing: false,
    restarts: 0,
    sessions: 0,
    fail: {},
    driver: undefined as unknown as Driver,
  };
  const each = (images: Image[], sign: string, version: (step: OrderStep) => string | undefined) => {
    for (const { step } of images) {
      printer.done.push(`${sign}${step.subject}@${step.to}`);
      setVersion(printer.structure, step, version(step));
    }
  };
  printer.driver = {
    kind: 'fake',
    start: async () => {},
    stop: async () => {},
    readStructure: async () => structuredClone(printer.structure),
    readCounters: async () => ({ pages: 1, printing: printer.printing }),
    cannotInstall: (subject) =>
      subject.startsWith('finisher') ? { code: 'no', message: 'it has no storage' } : undefined,
    install: async (images) => {
      if (printer.fail.install !== undefined) throw new Error(printer.fail.install);
      each(images, '+', (step) => step.to);
    },
    rollback: async (images) => {
      if (printer.fail.rollback !== undefined) throw new Error(printer.fail.rollback);
      each(images, '-', (step) => step.from);
    },
    selfTest: async () => {
      if (printer.fail.selfTest !== undefined) throw new Error(printer.fail.selfTest);
    },
    restart: async () => {
      printer.restarts++;
    },
  };
  return printer;
}

export interface FakeContext extends UpdaterContext {
  reports: UnnumberedReport[];
  /** Resolves when a report in one of these states has come. */
  until(...states: UpdateReport['state'][]): Promise<UnnumberedReport>;
  /** Advances the clock; due timers fire. */
  advance(ms: number): void;
}

export function fakeContext(printer: FakePrinter, folder?: string): FakeContext {
  let nowMs = Date.parse('2026-11-23T10:00:00Z');
  const timers = new Set<{ at: number; task: () => void }>();
  const waiting = new Set<() => void>();
  const reports: UnnumberedReport[] = [];
  return {
    printer: 'p1',
    driver: printer.driver,
    reports,
    report: (report) => {
      reports.push(report);
      for (const look of waiting) look();
    },
    newSession: async () => {
      printer.sessions++;
    },
    structureChanged: () => {},
    currentStructure: () =>
      ({
        ...structuredClone(printer.structure),
        session: 's',
        revision: 1,
        at: '',
        reason: 'connect',
      }) as Structure,
    currentVerdict: () => undefined,
    log: pino({ level: 'silent' }),
    now: () => nowMs,
    folder,
    after: (ms, task) => {
      // The waits between attempts of a download are real in these tests, only short.
      if (ms < 60_000) {
        const timer = setTimeout(task, Math.min(ms, 5));
        return () => clearTimeout(timer);
      }
      const timer = { at: nowMs + ms, task };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    random: () => 0.5,
    until: (...states) =>
      new Promise((resolve) => {
        const look = () => {
          const found = reports.find((each) => states.includes(each.state));
          if (!found) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    advance: (ms) => {
      nowMs += ms;
      for (const timer of [...timers]) {
        if (timer.at > nowMs) continue;
        timers.delete(timer);
        timer.task();
      }
    },
  };
}
