/**
 * The driver of a simulated printer: runs the model of `model.ts` over time.
 */

import { exponential, type Random } from '../../../base/random.ts';
import type { LogEntry, Unit } from '../../../schemas/types.ts';
import type { Clock } from '../../clock.ts';
import type {
  Driver,
  DriverEvents,
  DriverRefusal,
  Image,
  PrinterCounters,
  PrinterReadings,
  PrinterStructure,
} from '../../driver.ts';
import { type ErrorGenerator, PrinterModel, type SimulatedPrinterSpec } from './model.ts';

const INSTALL_MS = 2_000;
const RESTART_MS = 1_000;
const SELF_TEST_MS = 500;
const PROGRESS_STEPS = 4;
/** How often a printer with supplies checks for one that is low or was replaced. */
const SUPPLIES_LOOK_MS = 1_000;
/** Between two checks at least this share of the smallest supply is used up. */
const SUPPLIES_LOOK_SHARE = 0.01;

export interface SimulatedDriverOptions {
  spec: SimulatedPrinterSpec;
  clock: Clock;
  random: Random;
  /** An installation bricked the printer; it sends nothing more. */
  bricked?(): void;
  /** An error happened. */
  logged?(): void;
  /** Its counters were read. */
  counted?(pages: number): void;
}

/** An error as scenarios describe it. */
export interface TroubleEvent {
  code: string;
  severity: LogEntry['severity'];
  unit?: string;
  detail?: object;
}

export class SimulatedDriver implements Driver {
  readonly kind = 'simulated';
  readonly #options: SimulatedDriverOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  #model: PrinterModel;
  #events: DriverEvents | undefined;
  #timers = new Map<ErrorGenerator, () => void>();
  #cancelLook: (() => void) | undefined;
  #bricked = false;
  /** Undo functions for the steps of the current installation, by subject, in the order in which they ran. */
  #undo = new Map<string, () => void>();
  #selfTestWillFail = false;

  constructor(options: SimulatedDriverOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#model = new PrinterModel(options.spec, options.clock.now());
  }

  get bricked(): boolean {
    return this.#bricked;
  }
  get model(): PrinterModel {
    return this.#model;
  }

  async start(events: DriverEvents): Promise<void> {
    this.#events = events;
    for (const generator of this.#options.spec.errors ?? []) this.#wait(generator);
    this.#look();
  }

  async stop(): Promise<void> {
    this.#events = undefined;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#cancelLook?.();
  }

  async readStructure(): Promise<PrinterStructure> {
    this.#mustLive();
    return this.#model.structure();
  }

  async readCounters(): Promise<PrinterCounters> {
    this.#mustLive();
    const { busy = 0 } = this.#options.spec;
    return { pages: this.#model.pages(this.#clock.now()), printing: busy > 0 && this.#random() < busy };
  }

  async readReadings(): Promise<PrinterReadings | undefined> {
    this.#mustLive();
    const now = this.#clock.now();
    this.#options.counted?.(this.#model.pages(now));
    return this.#model.readings(now);
  }

  cannotInstall(subject: string): DriverRefusal | undefined {
    const symbol = subject.split(':', 1)[0] ?? '';
    if (symbol !== 'apparatus' && !this.#model.unit(symbol)) {
      return { code: 'driver/no-such-unit', message: `There is no unit "${symbol}" in this printer.` };
    }
    if (this.#options.spec.install?.refuses?.includes(subject)) {
      return { code: 'driver/not-installable', message: `${subject} cannot be installed over the network.` };
    }
    return undefined;
  }

  async install(images: Image[], progress: (share: number) => void): Promise<void> {
    this.#mustLive();
    const { takesMs = INSTALL_MS, fails = 0, bricks = 0, lies = 0, selfTestFails = 0 } = this.#install;
    for (let step = 1; step <= PROGRESS_STEPS; step++) {
      await this.#sleep(takesMs / PROGRESS_STEPS);
      progress(step / PROGRESS_STEPS);
    }
    if (this.#random() < bricks) {
      this.#brick();
      this.#mustLive();
    }
    if (this.#random() < fails) throw new Error('the printer refused the image');
    this.#selfTestWillFail = this.#random() < selfTestFails;
    if (this.#random() < lies) return;
    for (const { step } of images) {
      const undo = this.#model.apply(step);
      if (!undo) throw new Error(`there is no ${step.subject} to install ${step.to} on`);
      // Installed again after a power loss: a rollback still restores the original.
      if (!this.#undo.has(step.subject)) this.#undo.set(step.subject, undo);
    }
  }

  async rollback(images: Image[]): Promise<void> {
    this.#mustLive();
    const { takesMs = INSTALL_MS, rollbackFails = 0 } = this.#install;
    await this.#sleep(takesMs);
    if (this.#random() < rollbackFails) throw new Error('the old image is damaged');
    for (const { step } of [...images].reverse()) {
      const undo = this.#undo.get(step.subject);
      this.#undo.delete(step.subject);
      if (undo) undo();
      else if (step.from !== undefined) this.#model.setVersion(step.subject, step.from);
    }
    this.#selfTestWillFail = false;
  }

  async selfTest(): Promise<void> {
    this.#mustLive();
    await this.#sleep(this.#install.selfTestMs ?? SELF_TEST_MS);
    if (this.#selfTestWillFail) throw new Error('the self-test page came out blank');
    this.#undo.clear();
  }

  async restart(): Promise<void> {
    this.#mustLive();
    await this.#sleep(this.#install.restartMs ?? RESTART_MS);
  }

  // Events from outside.

  /** An error happens now. */
  emit(event: TroubleEvent): void {
    if (!this.#events) return;
    const now = this.#clock.now();
    this.#options.logged?.();
    this.#events.error({ ...event, at: new Date(now).toISOString(), pages: this.#model.pages(now) });
  }

  /** Changes the model as a technician would, and reports it. `change` returns false when it changed nothing. */
  alter(change: (model: PrinterModel) => boolean): boolean {
    const changed = change(this.#model);
    if (changed) this.#events?.changed();
    return changed;
  }

  addUnit(unit: Unit): boolean {
    return this.alter((model) => model.addUnit(unit));
  }
  removeUnit(symbol: string): boolean {
    return this.alter((model) => model.removeUnit(symbol) !== undefined);
  }
  swapUnit(symbol: string, change: Partial<Omit<Unit, 'symbol'>>): boolean {
    return this.alter((model) => model.swapUnit(symbol, change));
  }
  setVersion(subject: string, version: string | undefined): boolean {
    return this.alter((model) => model.setVersion(subject, version));
  }

  get #install() {
    return this.#options.spec.install ?? {};
  }

  #mustLive(): void {
    if (this.#bricked) throw new Error('the printer is dead');
  }

  #brick(): void {
    this.#bricked = true;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#cancelLook?.();
    this.#options.bricked?.();
  }

  /** Triggers a new reading whenever the smallest supply may have lost 1 %. */
  #look(): void {
    const { supplies = [], pagesPerHour = 0 } = this.#options.spec;
    if (supplies.length === 0 || pagesPerHour <= 0) return;
    const pages = SUPPLIES_LOOK_SHARE * Math.min(...supplies.map((supply) => supply.pages));
    const wait = Math.max(SUPPLIES_LOOK_MS, (pages / pagesPerHour) * 3_600_000);
    this.#cancelLook = this.#clock.after(wait, () => {
      this.#events?.readings?.();
      this.#look();
    });
  }

  #wait(generator: ErrorGenerator): void {
    const delay =
      generator.spread === 'regular' ? generator.everyMs : exponential(this.#random, generator.everyMs);
    this.#timers.set(
      generator,
      this.#clock.after(delay, () => {
        if (this.#model.suffers(generator)) {
          const { code, severity, unit, detail } = generator;
          this.emit({ code, severity, unit, detail });
        }
        this.#wait(generator);
      }),
    );
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(ms, resolve));
  }
}
