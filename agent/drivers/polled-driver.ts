/**
 * Makes a driver out of a reader: polls, compares, keeps its state on disk, backs off while a printer sleeps, and
 * limits the time of every read.
 */
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type {
  Driver,
  DriverEvents,
  DriverRefusal,
  Image,
  PrinterCounters,
  PrinterReadings,
  PrinterStructure,
} from '../driver.ts';
import {
  CLEARED,
  type Comparison,
  type ConditionMemory,
  compareReading,
  EMPTY_MEMORY,
} from '../mapping/conditions.ts';
import type { Reading } from '../mapping/reading.ts';
import { type FoundReadings, withoutReasons } from '../mapping/readings/found-readings.ts';
import { DRIVER_LIMITS } from './limits.ts';
import { ErrorAnswer, type QuickReading, type Reader } from './reader.ts';
import { keepFile } from './state-file.ts';

export interface PolledOptions {
  /** Between two quick reads, ms. */
  pollMs: number;
  /** Between two full reads, ms. */
  fullMs: number;
  /** A printer silent for this long gets an entry; shorter silences are sleep. ms */
  silentMs: number;
  /** File for the state that survives a restart; absent: nothing is kept. */
  stateFile?: string;
  log: Logger;
  /** Shared by many drivers, so that a slow printer never delays a fast one. */
  lanes?: Lanes;
  now?: () => number;
  random?: () => number;
}

/** Limits the number of concurrent reads: one limit for printers that answer, one for those that don't. */
export interface Lanes {
  run<T>(lane: 'answering' | 'silent', task: () => Promise<T>): Promise<T>;
}

/** Code of the entry for a printer that doesn't answer. */
export const NOT_ANSWERING = 'printer-not-answering';

/** What is kept in the state file. */
interface Kept {
  memory: ConditionMemory;
  /** When it last answered, ms since 1970. */
  answeredMs?: number;
  /** Since when it has an open entry for not answering. */
  silentSinceMs?: number;
}

/** Maximum age of a full read that answers `readStructure`. */
const FRESH_MS = 5_000;
/** Up-time and counters change with every read. When only they change, the state is written this often. */
const KEEP_MS = 5 * 60_000;

function withTime<T>(task: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
    task.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

export class PolledDriver implements Driver {
  readonly kind: string;
  private readonly reader: Reader;
  private readonly options: PolledOptions;
  private readonly now: () => number;
  private events: DriverEvents | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private kept: Kept;
  private keptAt = 0;
  private reading: Reading | undefined;
  private readingMs = 0;
  /** The structure as JSON, to detect changes. */
  private structureText: string | undefined;
  private printing: boolean | undefined;
  private pages: number | undefined;
  /** The last state and conditions, to see whether readings must be read again. */
  private shown: string | undefined;
  /** A quick read has seen changes since the last full read. */
  private outdated = false;
  private failures = 0;
  /** Whether it was logged that another printer answers. */
  private otherTold = false;
  private running: Promise<void> | undefined;
  private fullRead: Promise<Reading> | undefined;
  private nudged = false;
  /** When the last read ended, on the process's own clock. */
  private polledMs = Number.NEGATIVE_INFINITY;
  private stopped = false;
  private startedMs = 0;

  constructor(reader: Reader, options: PolledOptions) {
    this.kind = reader.kind;
    this.reader = reader;
    this.options = options;
    this.now = options.now ?? Date.now;
    this.kept = this.load();
    reader.onNudge?.(() => this.poke());
  }

  /** Whether the printer answers, and when it last did; for the status of the process. */
  get state(): { answering: boolean; failures: number; answeredMs?: number } {
    return {
      answering: this.failures === 0 && this.reading !== undefined,
      failures: this.failures,
      ...(this.kept.answeredMs === undefined ? {} : { answeredMs: this.kept.answeredMs }),
    };
  }

  async start(events: DriverEvents): Promise<void> {
    this.events = events;
    this.stopped = false;
    this.startedMs = this.now();
    if (this.kept.silentSinceMs !== undefined) events.reached?.(false);
    // Spread over the poll period, so that a thousand printers are not read in the same second.
    this.schedule((this.options.random ?? Math.random)() * Math.min(this.options.pollMs, 10_000));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
    this.events = undefined;
    this.keep(true);
    await this.reader.close();
  }

  /** Reads at once, for example after a trap. */
  poke(): void {
    if (this.stopped || !this.events) return;
    if (this.running) {
      this.nudged = true;
      return;
    }
    this.schedule(Math.max(0, this.polledMs + DRIVER_LIMITS.nudgeMs - performance.now()));
  }

  private schedule(ms: number): void {
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.running = this.poll().finally(() => {
        this.running = undefined;
        this.polledMs = performance.now();
        const soon = this.nudged;
        this.nudged = false;
        this.schedule(soon ? DRIVER_LIMITS.nudgeMs : this.pause());
      });
    }, ms);
    this.timer.unref();
  }

  /** The poll period with 5 % jitter, doubled for every failed read after the first (single packets do get lost). */
  private pause(): number {
    const doubled = this.options.pollMs * 2 ** Math.min(Math.max(0, this.failures - 1), 8);
    const most = Math.max(this.options.pollMs, DRIVER_LIMITS.backOffMaxMs);
    return Math.min(doubled, most) * (0.95 + (this.options.random ?? Math.random)() * 0.1);
  }

  private async inLane<T>(task: () => Promise<T>): Promise<T> {
    const { lanes } = this.options;
    if (!lanes) return task();
    const knock = this.reader.knock?.bind(this.reader);
    const doubtful = this.reading === undefined || this.failures > 0;
    if (!doubtful) return lanes.run('answering', task);
    if (!knock) return lanes.run(this.failures > 0 ? 'silent' : 'answering', task);
    await lanes.run('silent', knock);
    return lanes.run('answering', task);
  }

  /** One read and its consequences. Never rejects: a failing printer is a state, not an error. */
  private async poll(): Promise<void> {
    try {
      const due = this.reading === undefined || this.now() - this.readingMs >= this.options.fullMs;
      if (due || !this.reader.readQuick) {
        this.take(await this.readFull());
        this.outdated = false;
        // Levels may have changed. The agent decides whether that is worth a message.
        this.events?.readings?.();
        return;
      }
      const quick = this.reader.readQuick.bind(this.reader);
      const found: QuickReading = await this.inLane(() =>
        withTime(quick(), DRIVER_LIMITS.readMs, 'the read'),
      );
      // First check that it is still the same printer in the same run.
      const ticks = this.kept.memory.upTime?.ticks;
      const restarted = found.upTimeTicks !== undefined && ticks !== undefined && found.upTimeTicks < ticks;
      if (found.structureMayDiffer || restarted) this.take(await this.readFull());
      else this.take(found);
    } catch (error) {
      await this.failed(error);
    }
  }

  /** Reads everything; concurrent callers share one read. */
  private readFull(): Promise<Reading> {
    this.fullRead ??= this.inLane(() => withTime(this.reader.read(), DRIVER_LIMITS.readMs, 'the read'))
      .then((reading) => {
        this.reading = reading;
        this.readingMs = this.now();
        this.outdated = false;
        const text = JSON.stringify(reading.structure);
        const changed = this.structureText !== undefined && this.structureText !== text;
        this.structureText = text;
        if (changed) this.events?.changed();
        return reading;
      })
      .finally(() => {
        this.fullRead = undefined;
      });
    return this.fullRead;
  }

  /** Compares with the previous conditions and reports the difference. */
  private take(found: Pick<Reading, 'conditions' | 'conditionsWhole' | 'counters' | 'upTimeTicks'>): void {
    const nowMs = this.now();
    // A printer that wakes up shows its tables before it has filled them, so the first answer after a silence clears nothing.
    const waking = this.failures > 0;
    this.answered(nowMs);
    this.printing = found.counters.printing;
    const before = JSON.stringify(this.kept.memory.held);
    const compared: Comparison = compareReading(
      this.kept.memory,
      waking ? { ...found, conditionsWhole: false } : found,
      nowMs,
      DRIVER_LIMITS,
    );
    this.kept.memory = compared.memory;
    this.pages = compared.pages;
    for (const event of compared.events) this.events?.error(event);
    const shown = JSON.stringify([this.printing, Object.keys(compared.memory.held).sort()]);
    const changed = this.shown !== undefined && this.shown !== shown;
    this.shown = shown;
    if (changed) {
      this.outdated = true;
      this.events?.readings?.();
    }
    this.keep(before !== JSON.stringify(compared.memory.held));
  }

  private answered(nowMs: number): void {
    this.failures = 0;
    this.otherTold = false;
    this.kept.answeredMs = nowMs;
    this.events?.reached?.(true);
    if (this.kept.silentSinceMs === undefined) return;
    const since = this.kept.silentSinceMs;
    delete this.kept.silentSinceMs;
    this.events?.error({
      at: new Date(nowMs).toISOString(),
      code: CLEARED,
      severity: 'info',
      detail: {
        code: NOT_ANSWERING,
        since: new Date(since).toISOString(),
        lastedS: Math.round((nowMs - since) / 1000),
      },
    });
    this.keep(true);
  }

  private async failed(error: unknown): Promise<void> {
    this.failures++;
    const nowMs = this.now();
    const reason = reasonOf(error);
    if (error instanceof ErrorAnswer) {
      // It is there but refuses the request: conditions are neither cleared nor new.
      if (this.failures === 1 || this.kept.silentSinceMs !== undefined) {
        this.options.log.warn({ url: this.reader.url, reason }, 'the printer answers with an error');
      }
      this.answered(nowMs);
      this.failures = 1;
      return;
    }
    // Log once per silence, because printers may be off for weeks; but do log another printer at the address.
    const other = error instanceof PlatenError && error.code === 'agent/other-printer';
    if (other && !this.otherTold) {
      this.options.log.warn({ url: this.reader.url, reason }, 'another printer answers; it is left alone');
    } else if (this.failures === 1) {
      this.options.log.info({ url: this.reader.url, reason }, 'the printer does not answer');
    }
    this.otherTold ||= other;
    const since = this.kept.answeredMs;
    // A printer that never answered gets no entry, because the entry needs a last time. It is still reported as
    // unreachable.
    if (since === undefined && nowMs - this.startedMs >= this.options.silentMs) this.events?.reached?.(false);
    if (since === undefined || this.kept.silentSinceMs !== undefined || nowMs - since < this.options.silentMs)
      return;
    const asleep =
      !other && nowMs - since < DRIVER_LIMITS.asleepMs && ((await this.reader.alive?.()) ?? false);
    if (asleep || this.kept.answeredMs !== since) return;
    this.kept.silentSinceMs = since;
    this.events?.reached?.(false);
    this.events?.error({
      at: new Date(nowMs).toISOString(),
      code: NOT_ANSWERING,
      severity: 'warning',
      ...(this.pages === undefined ? {} : { pages: this.pages }),
      detail: { reason: reason.slice(0, 256), since: new Date(since).toISOString() },
    });
    this.keep(true);
  }

  private load(): Kept {
    const { stateFile, log } = this.options;
    if (stateFile === undefined) return { memory: EMPTY_MEMORY };
    let text: string;
    try {
      text = readFileSync(stateFile, 'utf8');
    } catch {
      return { memory: EMPTY_MEMORY }; // The first start.
    }
    try {
      const kept = JSON.parse(text) as Kept;
      if (typeof kept.memory?.held === 'object' && kept.memory.held !== null) return kept;
      throw new Error('it has no memory of conditions');
    } catch (error) {
      log.warn(
        { stateFile, reason: reasonOf(error) },
        'what was remembered of the printer cannot be read; begun anew',
      );
      return { memory: EMPTY_MEMORY };
    }
  }

  /** Writes the state that survives a restart: at once when `must`, otherwise now and then. */
  private keep(must: boolean): void {
    const { stateFile, log } = this.options;
    if (stateFile === undefined || (!must && this.now() - this.keptAt < KEEP_MS)) return;
    this.keptAt = this.now();
    keepFile(stateFile, this.kept, log);
  }

  async readStructure(): Promise<PrinterStructure> {
    if (this.reading && this.failures === 0 && this.now() - this.readingMs < FRESH_MS)
      return this.reading.structure;
    try {
      return (await this.readFull()).structure;
    } catch (error) {
      throw new PlatenError(
        'agent/no-answer',
        { url: this.reader.url, reason: reasonOf(error) },
        { cause: error },
      );
    }
  }

  readCounters(): Promise<PrinterCounters> {
    return Promise.resolve({
      ...(this.pages === undefined ? {} : { pages: this.pages }),
      ...(this.printing === undefined ? {} : { printing: this.printing }),
    });
  }

  async readReadings(): Promise<PrinterReadings | undefined> {
    try {
      const found = await this.readMeasured();
      return found && this.counted(this.failures > 0 ? withoutReasons(found) : found);
    } catch (error) {
      throw new PlatenError(
        'agent/no-answer',
        { url: this.reader.url, reason: reasonOf(error) },
        { cause: error },
      );
    }
  }

  private async readMeasured(): Promise<FoundReadings | undefined> {
    const fresh = this.failures === 0 && !this.outdated && this.now() - this.readingMs < FRESH_MS;
    if (this.reading && fresh) return this.reading.measured;
    const read = this.reader.readReadings?.bind(this.reader);
    if (!read || !this.reading) return (await this.readFull()).measured;
    return this.inLane(() => withTime(read(), DRIVER_LIMITS.readMs, 'the read'));
  }

  /** Adds the wraps of the life counter, so that it continues beyond 2^32. */
  private counted({ readings }: FoundReadings): PrinterReadings {
    const base = this.kept.memory.pages?.base ?? 0;
    const impressions = readings.counters?.['impressions'];
    if (base === 0 || impressions === undefined || impressions >= base) return readings;
    return { ...readings, counters: { ...readings.counters, impressions: impressions + base } };
  }

  cannotInstall(subject: string): DriverRefusal | undefined {
    if (this.reader.installer) return this.reader.installer.cannotInstall(subject);
    return {
      code: 'driver/read-only',
      message: `${subject} cannot be installed from here: ${this.kind.toUpperCase()} only reads this printer. A technician (or the maker's own tool) has to install it; the verdict names the version to bring.`,
    };
  }

  install(images: Image[], progress: (share: number) => void): Promise<void> {
    if (this.reader.installer) return this.reader.installer.install(images, progress);
    return Promise.reject(
      new PlatenError('agent/read-only', { subject: images[0]?.step.subject ?? '', kind: this.kind }),
    );
  }

  rollback(images: Image[]): Promise<void> {
    if (this.reader.installer) return this.reader.installer.rollback(images);
    return Promise.reject(
      new PlatenError('agent/read-only', { subject: images[0]?.step.subject ?? '', kind: this.kind }),
    );
  }

  async selfTest(): Promise<void> {
    await this.readStructure();
  }

  /** A printer with an installer restarts on its own; here it only has to answer again. */
  async restart(): Promise<void> {
    if (this.reader.installer) {
      await this.readFull();
      return;
    }
    throw new PlatenError('agent/read-only', { subject: 'a restart', kind: this.kind });
  }
}
