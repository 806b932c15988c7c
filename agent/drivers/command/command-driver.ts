/**
 * A driver in any language: an external program that speaks JSON lines on stdin and stdout. The protocol is described in
 * docs/reference/command-driver.md. Unlike the reading drivers this one can install.
 */
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { PlatenError, reasonOf } from '../../../schemas/errors.ts';
import { schemaFault } from '../../../schemas/validate.ts';
import type {
  Driver,
  DriverEvents,
  DriverRefusal,
  Image,
  PrinterCounters,
  PrinterEvent,
  PrinterReadings,
  PrinterStructure,
} from '../../driver.ts';
import { type ConditionMemory, compareReading, EMPTY_MEMORY } from '../../mapping/conditions.ts';
import { Pattern } from '../../mapping/pattern.ts';
import type { Condition } from '../../mapping/reading.ts';
import { DRIVER_LIMITS } from '../limits.ts';
import { keepFile } from '../state-file.ts';
import { CommandProcess } from './command-process.ts';

export interface CommandOptions {
  /** Program and arguments. */
  run: string[];
  /** Passed to the program in `hello`. */
  settings?: object;
  /** The printer's id, for the program's own use. */
  printer: string;
  /** `command://name`, for messages. */
  url: string;
  /** File for the conditions that held when the agent stopped. */
  stateFile?: string;
  log: Logger;
  /** Pause before an exited program is restarted, in ms. */
  restartMs?: number;
}

/** The content of `hello`. */
interface Hello {
  name?: string;
  /** true: everything; a list of subjects with `*`; false or absent: nothing. */
  installs: boolean | string[];
  /** It answers `readings`. */
  readings: boolean;
  /** Why it installs nothing, for an operator. */
  because?: string;
}

function helloOf(result: unknown): Hello {
  const { protocol, name, installs, because, readings } = (result ?? {}) as Record<string, unknown>;
  if (protocol !== 1)
    throw new Error(`the program speaks protocol ${JSON.stringify(protocol)}, 1 is expected`);
  const listed =
    Array.isArray(installs) && installs.every((item) => typeof item === 'string')
      ? (installs as string[])
      : installs === true;
  return {
    installs: listed,
    readings: readings === true,
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof because === 'string' ? { because } : {}),
  };
}

/** Why a program's structure violates the wire schema, or undefined. */
function structureFault(result: unknown): string | undefined {
  if (typeof result !== 'object' || result === null) return 'an object is expected';
  return schemaFault('structure', {
    ...result,
    session: 'x',
    revision: 1,
    at: '2026-01-01T00:00:00Z',
    reason: 'connect',
  });
}

function readingsFault(result: unknown): string | undefined {
  if (typeof result !== 'object' || result === null) return 'an object is expected';
  return schemaFault('readings', { ...result, session: 'x', number: 1, at: '2026-01-01T00:00:00Z' });
}

function eventFault(event: unknown): string | undefined {
  if (typeof event !== 'object' || event === null) return 'an object is expected';
  return schemaFault('errors', { log: 'x', first: 1, reason: 'event', entries: [{ ...event, seq: 1 }] });
}

/** Subject patterns: `*` stands for any text. */
function matches(pattern: string, subject: string): boolean {
  const source = pattern.replace(/[.+?^${}()|[\]\\/]/g, '\\$&').replaceAll('*', '.*');
  return new Pattern(source, { whole: true, anyCase: false }).test(subject);
}

export class CommandDriver implements Driver {
  readonly kind = 'command';
  private readonly options: CommandOptions;
  private readonly process: CommandProcess;
  private events: DriverEvents | undefined;
  private hello: Hello | undefined;
  private helloFault = 'the program has not answered yet';
  private memory: ConditionMemory = EMPTY_MEMORY;

  constructor(options: CommandOptions) {
    this.options = options;
    this.memory = this.load();
    this.process = new CommandProcess({
      run: options.run,
      log: options.log,
      restartMs: options.restartMs ?? DRIVER_LIMITS.commandRestartMs,
      started: () => this.greet(),
      told: (message) => this.told(message),
    });
  }

  async start(events: DriverEvents): Promise<void> {
    this.events = events;
    this.process.start();
  }

  async stop(): Promise<void> {
    await this.process.stop();
    this.events = undefined;
  }

  /** Each start begins with `hello`; nothing else is sent before its answer. */
  private async greet(): Promise<void> {
    const { printer, settings } = this.options;
    try {
      const result = await this.process.request(
        'hello',
        { protocol: 1, printer, settings: settings ?? {} },
        DRIVER_LIMITS.commandRequestMs,
      );
      this.hello = helloOf(result);
      this.process.ready();
      this.events?.changed();
      this.events?.readings?.();
    } catch (error) {
      this.hello = undefined;
      this.helloFault = reasonOf(error);
      this.options.log.warn(
        { url: this.options.url, reason: this.helloFault },
        'the driver program did not begin as it should',
      );
    }
  }

  private told(message: Record<string, unknown>): void {
    switch (message['event']) {
      case 'changed':
        this.events?.changed();
        return;
      case 'readings':
        this.events?.readings?.();
        return;
      case 'error': {
        const event = { at: new Date().toISOString(), ...(message['data'] as object) };
        const fault = eventFault(event);
        if (fault === undefined) this.events?.error(event as PrinterEvent);
        else this.refuse('error', fault);
        return;
      }
      case 'conditions':
        this.takeConditions(message);
        return;
      default:
        this.refuse('event', `${JSON.stringify(message['event'])} is unknown`);
    }
  }

  private refuse(what: string, reason: string): void {
    this.options.log.warn(
      { url: this.options.url, what, reason: reason.slice(0, 500) },
      'a line of the driver program was refused',
    );
  }

  /** Compares the current conditions here, so that a program needs no state of its own. */
  private takeConditions(message: Record<string, unknown>): void {
    const { data, pages, whole } = message;
    if (!Array.isArray(data)) {
      this.refuse('conditions', 'data is no list');
      return;
    }
    const at = new Date().toISOString();
    const conditions: Condition[] = [];
    for (const item of data.slice(0, DRIVER_LIMITS.conditionsMax) as Record<string, unknown>[]) {
      const detail =
        typeof item?.['detail'] === 'object' && item['detail'] !== null
          ? (item['detail'] as Condition['detail'])
          : {};
      const fault = eventFault({
        at,
        code: item?.['code'],
        severity: item?.['severity'],
        ...(item?.['unit'] === undefined ? {} : { unit: item['unit'] }),
      });
      if (fault !== undefined) {
        this.refuse('conditions', fault);
        return;
      }
      conditions.push({ ...(item as unknown as Condition), detail });
    }
    const compared = compareReading(
      this.memory,
      {
        conditions,
        conditionsWhole: whole !== false,
        counters: typeof pages === 'number' && pages >= 0 ? { pages } : {},
      },
      Date.now(),
      DRIVER_LIMITS,
    );
    this.memory = compared.memory;
    for (const event of compared.events) this.events?.error(event);
    if (this.options.stateFile !== undefined)
      keepFile(this.options.stateFile, { memory: this.memory }, this.options.log);
  }

  private load(): ConditionMemory {
    if (this.options.stateFile === undefined) return EMPTY_MEMORY;
    try {
      const kept = JSON.parse(readFileSync(this.options.stateFile, 'utf8')) as { memory?: ConditionMemory };
      return typeof kept.memory?.held === 'object' ? kept.memory : EMPTY_MEMORY;
    } catch {
      return EMPTY_MEMORY; // First start or unreadable file: current conditions are reported again.
    }
  }

  private async ask(
    method: string,
    params: object = {},
    ms: number = DRIVER_LIMITS.commandRequestMs,
    progress?: (share: number) => void,
  ): Promise<unknown> {
    try {
      return await this.process.request(method, params, ms, progress);
    } catch (error) {
      throw new PlatenError(
        'agent/driver',
        {
          url: this.options.url,
          reason: `${method}: ${reasonOf(error)}`,
          hint: 'See the log of the agent for what the program wrote to stderr.',
        },
        { cause: error },
      );
    }
  }

  async readStructure(): Promise<PrinterStructure> {
    const result = await this.ask('structure');
    const fault = structureFault(result);
    if (fault !== undefined) {
      throw new PlatenError('agent/driver', {
        url: this.options.url,
        reason: `structure: ${fault}`,
        hint: 'See schemas/wire/structure.json.',
      });
    }
    const { apparatus, units, site, labels, timezone } = result as PrinterStructure;
    return {
      apparatus,
      units,
      ...(site === undefined ? {} : { site }),
      ...(labels === undefined ? {} : { labels }),
      ...(timezone === undefined ? {} : { timezone }),
    };
  }

  async readCounters(): Promise<PrinterCounters> {
    const result = (await this.ask('counters')) as { pages?: unknown; printing?: unknown } | null;
    return {
      ...(typeof result?.pages === 'number' && Number.isSafeInteger(result.pages) && result.pages >= 0
        ? { pages: result.pages }
        : {}),
      ...(typeof result?.printing === 'boolean' ? { printing: result.printing } : {}),
    };
  }

  async readReadings(): Promise<PrinterReadings | undefined> {
    if (!this.hello) {
      throw new PlatenError('agent/driver', {
        url: this.options.url,
        reason: `readings: ${this.helloFault}`,
        hint: 'See the log of the agent for what the program wrote to stderr.',
      });
    }
    if (!this.hello.readings) return undefined;
    const result = await this.ask('readings');
    const fault = readingsFault(result);
    if (fault !== undefined) {
      throw new PlatenError('agent/driver', {
        url: this.options.url,
        reason: `readings: ${fault}`,
        hint: 'See schemas/wire/readings.json.',
      });
    }
    const { state, reasons, counters, supplies, inputs, facts } = result as PrinterReadings;
    return JSON.parse(
      JSON.stringify({ state, reasons, counters, supplies, inputs, facts }),
    ) as PrinterReadings;
  }

  cannotInstall(subject: string): DriverRefusal | undefined {
    if (!this.hello) {
      return {
        code: 'driver/not-running',
        message: `The driver program of this printer does not run: ${this.helloFault}.`,
      };
    }
    const { installs, because } = this.hello;
    const can =
      installs === true || (Array.isArray(installs) && installs.some((pattern) => matches(pattern, subject)));
    if (can) return undefined;
    return {
      code: 'driver/not-installable',
      message:
        because ?? `The driver program of this printer cannot install ${subject}; a technician has to.`,
    };
  }

  async install(images: Image[], progress: (share: number) => void): Promise<void> {
    await this.ask(
      'install',
      { images: images.map(({ step, file }) => ({ ...step, file })) },
      DRIVER_LIMITS.commandInstallMs,
      progress,
    );
  }

  async rollback(images: Image[]): Promise<void> {
    await this.ask(
      'rollback',
      { images: images.map(({ step, file }) => ({ ...step, file })) },
      DRIVER_LIMITS.commandInstallMs,
    );
  }

  async selfTest(): Promise<void> {
    await this.ask('selfTest', {}, DRIVER_LIMITS.commandInstallMs);
  }

  async restart(): Promise<void> {
    await this.ask('restart', {}, DRIVER_LIMITS.commandInstallMs);
  }
}
