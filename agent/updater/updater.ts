/**
 * The printer's side of an update: judges an order again, downloads, verifies, installs group by group under a journal,
 * tests, and rolls everything back in reverse when something fails. One order at a time.
 *
 * After a power loss it continues from the journal: a group that was being installed is installed again (drivers must
 * support that), and an interrupted rollback is finished first.
 */
import { join } from 'node:path';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { isImageStep } from '../../schemas/order-steps.ts';
import type { ErrorReport, Order, UpdateReport } from '../../schemas/types.ts';
import type { Image, PrinterStructure } from '../driver.ts';
import type { Updater, UpdaterContext, UpdaterFactory } from '../updater-seam.ts';
import { fetchOverAsk } from './chunks.ts';
import { download, isWhole } from './download.ts';
import { fileJournal, type Journal, type JournalEntry, type JournalState, memoryJournal } from './journal.ts';
import { groupsOf, isThere, judgeOrder, lastSteps, type StepGroup } from './judge.ts';
import {
  DOWNLOAD_RETRY_MS,
  DOWNLOAD_RETRY_MS_MAX,
  DOWNLOAD_TRIES_MAX,
  ENDED_REMEMBERED_MAX,
  HTTP_TRIES_MAX,
  PRINTING_POLL_MS,
  PROGRESS_SHARE,
  TIMER_MS_MAX,
} from './limits.ts';
import { isOpen, untilOpen } from './window.ts';

/** Checks an order against signed metadata before anything is downloaded; throws a PlatenError `update/…`. */
export type Trust = (
  order: Order,
  structure: PrinterStructure,
  signal: AbortSignal,
  /** How to reach the repository; default HTTP. */
  fetchBy?: typeof fetch,
) => Promise<void>;

export interface UpdaterOptions {
  /** Where the journal is; default a file in the agent's folder, or memory when it has none. */
  journal?: Journal;
  trust?: Trust;
}

/** Why the preparation was aborted. */
class Withdrawn extends Error {
  readonly tell: boolean;
  constructor(tell: boolean) {
    super('the order was withdrawn');
    this.tell = tell;
  }
}

function errorReport(error: unknown, fallback: ErrorReport['code']): ErrorReport {
  if (error instanceof PlatenError) return error.body;
  return { code: fallback, message: reasonOf(error) };
}

function keyOf(order: Order): string {
  return `${order.execution}/${order.attempt}`;
}

class OrderUpdater implements Updater {
  readonly #context: UpdaterContext;
  readonly #journal: Journal;
  readonly #trust: Trust | undefined;
  #state: JournalState;
  #wanted: Order | undefined;
  #working: Promise<void> | undefined;
  /** The order that is being prepared and its abort controller; undefined while it installs. */
  #preparing: { key: string; abort: AbortController } | undefined;
  #stopped = false;
  readonly #stopping = new AbortController();
  /** The execution that fell back to MQTT. */
  #overMqtt: string | undefined;
  /** Why the journal can't be used. */
  readonly #damage: ErrorReport | undefined;
  /** Whether the current installation was begun by an earlier process. */
  #resumed = false;
  /** An order arrived since it was last handled. */
  #asked = false;

  constructor(context: UpdaterContext, options: UpdaterOptions) {
    this.#context = context;
    this.#journal =
      options.journal ?? (context.folder ? fileJournal(join(context.folder, 'updater')) : memoryJournal());
    this.#trust = options.trust;
    try {
      this.#state = this.#journal.load();
    } catch (error) {
      // The printer stays connected, but nothing is installed: the state of the last installation is unknown.
      this.#damage = errorReport(error, 'file/damaged');
      this.#state = { ended: [] };
      const { message, hint } = this.#damage;
      context.log.error(
        { reason: message, hint },
        'the journal of updates cannot be read: no order is taken',
      );
    }
    const entry = this.#state.current;
    // An installation that began is finished even if the order is gone; an order that was only taken waits for it.
    if (entry && entry.phase !== 'taken' && entry.phase !== 'ended') {
      this.#resumed = true;
      this.#begin();
    }
  }

  onOrder(order: Order | undefined): void {
    if (this.#damage) {
      if (order) this.#report(order, 'rejected', { error: this.#damage });
      return;
    }
    this.#wanted = order;
    this.#asked = true;
    const preparing = this.#preparing;
    if (preparing && (order === undefined || order.cancel === true || keyOf(order) !== preparing.key)) {
      preparing.abort.abort(new Withdrawn(order?.cancel === true && keyOf(order) === preparing.key));
    }
    this.#begin();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopping.abort();
    this.#preparing?.abort.abort(new Withdrawn(false));
    await this.#working;
  }

  #begin(): void {
    if (this.#working || this.#stopped) return;
    this.#working = this.#work()
      .catch((error: unknown) => {
        // Only the journal can fail here, and without it nothing may be installed.
        this.#context.log.error({ reason: reasonOf(error) }, 'the updater stopped');
        this.#stopped = true;
      })
      .finally(() => {
        this.#working = undefined;
      });
  }

  /** Works until nothing is left to do. */
  async #work(): Promise<void> {
    for (;;) {
      const entry = this.#state.current;
      if (entry && entry.phase !== 'taken' && entry.phase !== 'ended') {
        await this.#finish(entry);
        // Stopped before it continued from the journal; the next start will.
        if (this.#stopped && this.#resumed) return;
        continue;
      }
      const order = this.#wanted;
      if (this.#stopped || !this.#asked || order === undefined) return;
      this.#asked = false;
      const key = keyOf(order);
      if (entry?.phase === 'ended' && keyOf(entry.order) === key) {
        // The order came again, so the report may have been lost.
        if (entry.outcome) this.#report(order, entry.outcome.state, { error: entry.outcome.error });
        return;
      }
      if (this.#state.ended.includes(key) && !(entry?.phase === 'taken' && keyOf(entry.order) === key)) {
        const error = new PlatenError('update/replayed', { execution: order.execution });
        this.#report(order, 'rejected', { error: error.body });
        return;
      }
      if (order.cancel === true) {
        this.#end({ order, phase: 'taken', group: 0 }, 'cancelled');
        return;
      }
      await this.#take(order);
    }
  }

  #save(entry: JournalEntry): void {
    this.#state = { ...this.#state, current: entry };
    this.#journal.save(this.#state);
  }

  #report(
    order: Order,
    state: UpdateReport['state'],
    more: { step?: number; progress?: number; error?: ErrorReport } = {},
  ): void {
    this.#context.report({ execution: order.execution, attempt: order.attempt, state, ...more });
  }

  #end(entry: JournalEntry, state: NonNullable<JournalEntry['outcome']>['state'], error?: ErrorReport): void {
    const key = keyOf(entry.order);
    const ended = this.#state.ended.filter((each) => each !== key).slice(1 - ENDED_REMEMBERED_MAX);
    this.#state = {
      ended: [...ended, key],
      current: { ...entry, phase: 'ended', outcome: { state, error } },
    };
    this.#journal.save(this.#state);
    this.#report(entry.order, state, { error });
  }

  #wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.#context.after(Math.min(ms, TIMER_MS_MAX), done);
      if (signal?.aborted) done();
      else signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** Judges, downloads and waits for the right moment: everything that can still be aborted. */
  async #take(order: Order): Promise<void> {
    const abort = new AbortController();
    const { signal } = abort;
    const { driver, log } = this.#context;
    const entry: JournalEntry = { order, phase: 'taken', group: 0 };
    this.#preparing = { key: keyOf(order), abort };
    try {
      if (order.printer !== undefined && order.printer !== this.#context.printer) {
        throw new PlatenError('update/wrong-printer', { reason: `it is for ${order.printer}` });
      }
      const structure = await driver.readStructure();
      this.#checkDeadline(order);
      if (isThere(order, structure)) {
        // An earlier attempt succeeded, but its report was lost. The center only accepts a new session as proof. Orders that
        // change nothing must not restart the printer, so only the session is renewed.
        await this.#trusted({ ...order, steps: lastSteps(order) }, structure, signal);
        signal.throwIfAborted();
        const { currentStructure, newSession, structureChanged } = this.#context;
        if (currentStructure()?.session === order.structure?.session) await newSession?.();
        this.#preparing = undefined;
        this.#end(entry, 'claimed');
        structureChanged();
        return;
      }
      judgeOrder(order, structure, driver);
      await this.#trusted(order, structure, signal);
      this.#save(entry);
      this.#report(order, 'accepted');
      await this.#untilTime(order, signal);
      const files = await this.#downloadAll(order, signal);
      this.#report(order, 'verified', { progress: 1 });
      const timezone = structure.timezone ?? 'UTC';
      do {
        await this.#untilAllowed(order, timezone, signal);
        // Weeks may have passed until the window opened: a release may be revoked, or the disk may have lost a bit.
        this.#checkDeadline(order);
        const now = await driver.readStructure();
        judgeOrder(order, now, driver);
        await this.#trusted(order, now, signal);
        await this.#downloadAll(order, signal, false);
        signal.throwIfAborted();
        // Those checks may have taken long, too.
      } while ((await this.#waitBeforeInstalling(order, timezone)) > 0);
      this.#preparing = undefined;
      this.#save({ ...entry, phase: 'installing' });
      log.info({ execution: order.execution, steps: order.steps.length, files: files.size }, 'installing');
    } catch (error) {
      this.#preparing = undefined;
      if (error instanceof Withdrawn) {
        if (error.tell) this.#end(entry, 'cancelled');
        return;
      }
      const report = errorReport(error, 'update/unreachable');
      log.warn({ execution: order.execution, code: report.code, reason: report.message }, 'order refused');
      const transient = report.code === 'update/unreachable' || report.code === 'update/no-space';
      this.#end(entry, transient ? 'failed' : 'rejected', report);
    }
  }

  /** Checks the order against signed metadata. An unreachable repository is retried for a while. */
  async #trusted(order: Order, structure: PrinterStructure, signal: AbortSignal): Promise<void> {
    for (let tries = 1; this.#trust; tries++) {
      try {
        return await this.#trust(order, structure, signal, this.#fetchFor(order));
      } catch (error) {
        const unreachable = error instanceof PlatenError && error.code === 'update/unreachable';
        if (!unreachable || tries >= DOWNLOAD_TRIES_MAX) throw error;
        if (tries >= HTTP_TRIES_MAX) this.#noHttp(order);
        const ceilingMs = Math.min(DOWNLOAD_RETRY_MS_MAX, DOWNLOAD_RETRY_MS * 2 ** tries);
        await this.#wait(this.#context.random() * ceilingMs, signal);
        signal.throwIfAborted();
      }
    }
  }

  /** Sends this order's further requests over MQTT, where possible. */
  #noHttp(order: Order): void {
    if (!this.#context.ask || this.#overMqtt === order.execution) return;
    this.#overMqtt = order.execution;
    this.#context.log.info(
      { execution: order.execution },
      'the repository is out of reach: pieces over MQTT',
    );
  }

  #fetchFor(order: Order): typeof fetch {
    const { ask } = this.#context;
    return ask && this.#overMqtt === order.execution ? fetchOverAsk(ask, order.repository) : fetch;
  }

  #checkDeadline({ deadline }: Order): void {
    if (deadline !== undefined && Date.parse(deadline) <= this.#context.now()) {
      throw new PlatenError('update/expired', { deadline });
    }
  }

  async #untilTime(order: Order, signal: AbortSignal): Promise<void> {
    if (order.notBefore === undefined) return;
    const at = Date.parse(order.notBefore);
    for (let told = false; this.#context.now() < at; ) {
      if (!told) this.#report(order, 'deferred');
      told = true;
      await this.#wait(at - this.#context.now(), signal);
      signal.throwIfAborted();
    }
  }

  /** Waits for the maintenance window and until the printer stops printing. */
  async #untilAllowed(order: Order, timezone: string, signal: AbortSignal): Promise<void> {
    for (let told = false; ; ) {
      const waitMs = await this.#waitBeforeInstalling(order, timezone);
      if (waitMs === 0) return;
      if (!told) this.#report(order, 'deferred');
      told = true;
      await this.#wait(waitMs, signal);
      signal.throwIfAborted();
      this.#checkDeadline(order);
    }
  }

  /** How long to wait before checking again, in ms; 0 when it may install now. */
  async #waitBeforeInstalling(order: Order, timezone: string): Promise<number> {
    const { driver, now } = this.#context;
    if (order.window && !isOpen(order.window, timezone, now())) {
      return untilOpen(order.window, timezone, now()) ?? PRINTING_POLL_MS;
    }
    return (await driver.readCounters()).printing === true ? PRINTING_POLL_MS : 0;
  }

  /**
   * Downloads and verifies every image; images already there are only verified. `told`: whether progress is reported.
   */
  async #downloadAll(
    order: Order,
    signal: AbortSignal,
    told = true,
  ): Promise<Map<string, string | undefined>> {
    // Without a folder the bytes are not kept, so nothing can have changed.
    if (!told && this.#context.folder === undefined) return new Map();

    const { folder, random } = this.#context;
    const images = [...order.steps.entries()].flatMap(([step, wanted]) =>
      isImageStep(wanted) ? [{ step, wanted }] : [],
    );
    const total = images.reduce((sum, { wanted }) => sum + wanted.length, 0) || 1;
    const files = new Map<string, string | undefined>();
    let before = 0;
    let toldShare = 0;
    if (told) this.#report(order, 'downloading', { step: 0, progress: 0 });
    for (const { step, wanted } of images) {
      if (!files.has(wanted.sha256)) {
        const get = () =>
          download(wanted, {
            repository: order.repository,
            folder: folder && join(folder, 'updater', 'images'),
            signal,
            random,
            wait: (ms) => this.#wait(ms, signal),
            fetchImpl: this.#fetchFor(order),
            progress: (bytes) => {
              const share = (before + bytes) / total;
              if (!told || share - toldShare < PROGRESS_SHARE) return;
              toldShare = share;
              this.#report(order, 'downloading', { step, progress: Math.min(1, share) });
            },
          });
        const file = await get().catch((error: unknown) => {
          const unreachable = error instanceof PlatenError && error.code === 'update/unreachable';
          if (!unreachable || !this.#context.ask || this.#overMqtt === order.execution) throw error;
          this.#noHttp(order);
          return get();
        });
        files.set(wanted.sha256, file);
      }
      before += wanted.length;
    }
    return files;
  }

  #images(group: StepGroup): Image[] {
    const { folder } = this.#context;
    return group.map((step) => ({
      step,
      ...(folder && isImageStep(step) ? { file: join(folder, 'updater', 'images', step.sha256) } : {}),
    }));
  }

  /** Continues from the journal until the order ends. */
  async #finish(entry: JournalEntry): Promise<void> {
    const groups = groupsOf(entry.order.steps);
    if (entry.phase === 'installing') {
      // Only after a power loss: otherwise it was verified a moment ago.
      const resumed = this.#resumed;
      if (resumed) await this.#trustAgain(entry);
      if (resumed && this.#stopped) return;
      this.#resumed = false;
      if (this.#state.current?.phase === 'installing') await this.#install(entry, groups, resumed);
    } else if (entry.phase === 'testing') await this.#test(entry, groups);
    else await this.#rollBack(entry, groups);
  }

  /**
   * A power loss in the middle of an installation may last weeks. What is no longer trusted is rolled back. An
   * unreachable repository is no reason to leave the installation half done.
   */
  async #trustAgain(entry: JournalEntry): Promise<void> {
    const { driver, log } = this.#context;
    try {
      await this.#trusted(entry.order, await driver.readStructure(), this.#stopping.signal);
    } catch (error) {
      if (this.#stopped) return;
      const refused = error instanceof PlatenError && error.code.startsWith('update/');
      if (!refused || error.code === 'update/unreachable') {
        log.warn({ reason: reasonOf(error) }, 'the order could not be checked again; it is finished');
        return;
      }
      this.#save({ ...entry, phase: 'rolling-back', error: error.body });
    }
  }

  /** @throws PlatenError update/bad-hash when an image no longer matches its signed hash */
  async #checkImages(images: readonly Image[]): Promise<void> {
    for (const { step, file } of images) {
      if (file === undefined || !isImageStep(step) || (await isWhole(file, step))) continue;
      throw new PlatenError('update/bad-hash', {
        target: step.target,
        actual: 'another one on the disk of the agent',
        expected: step.sha256,
      });
    }
  }

  /** @param begun whether the journal's current group may be half installed */
  async #install(entry: JournalEntry, groups: StepGroup[], begun: boolean): Promise<void> {
    const { order } = entry;
    const { driver } = this.#context;
    let step = groups.slice(0, entry.group).reduce((sum, group) => sum + group.length, 0);
    for (let at = entry.group; at < groups.length; at++) {
      const group = groups[at] ?? [];
      this.#save({ ...entry, phase: 'installing', group: at });
      this.#report(order, 'installing', { step, progress: step / order.steps.length });
      const images = this.#images(group);
      try {
        await this.#checkImages(images);
      } catch (error) {
        const failure = errorReport(error, 'update/bad-hash');
        // Only what was begun can be rolled back.
        const last = begun && at === entry.group ? at : at - 1;
        if (last < 0) this.#end(entry, 'failed', failure);
        else this.#save({ ...entry, phase: 'rolling-back', group: last, error: failure });
        return;
      }
      try {
        await driver.install(images, () => {});
      } catch (error) {
        const subject = group.map((each) => each.subject).join(', ');
        const failure =
          error instanceof PlatenError
            ? error
            : new PlatenError('update/install-failed', { subject, reason: reasonOf(error) });
        this.#save({ ...entry, phase: 'rolling-back', group: at, error: failure.body });
        return;
      }
      step += group.length;
    }
    this.#save({ ...entry, phase: 'testing', group: groups.length });
  }

  async #test(entry: JournalEntry, groups: StepGroup[]): Promise<void> {
    const { order } = entry;
    const { driver, log } = this.#context;
    this.#report(order, 'self-testing', { step: order.steps.length - 1, progress: 0 });
    try {
      await driver.restart();
      await driver.selfTest();
    } catch (error) {
      const failure = new PlatenError('update/self-test-failed', { reason: reasonOf(error) });
      this.#save({ ...entry, phase: 'rolling-back', group: groups.length - 1, error: failure.body });
      return;
    }
    log.info({ execution: order.execution }, 'installed');
    this.#end(entry, 'claimed');
    this.#context.structureChanged();
  }

  async #rollBack(entry: JournalEntry, groups: StepGroup[]): Promise<void> {
    const { order, error } = entry;
    const { driver, log } = this.#context;
    log.warn({ execution: order.execution, code: error?.code, reason: error?.message }, 'rolling back');
    try {
      for (let at = entry.group; at >= 0; at--) {
        this.#save({ ...entry, phase: 'rolling-back', group: at });
        await driver.rollback(this.#images(groups[at] ?? []).reverse());
      }
      await driver.restart();
    } catch (failure) {
      const report = new PlatenError('update/rollback-failed', {
        cause: error?.message ?? 'unknown',
        reason: reasonOf(failure),
      });
      this.#end(entry, 'failed', report.body);
      this.#context.structureChanged();
      return;
    }
    this.#end(entry, 'rolled-back', error);
    this.#context.structureChanged();
  }
}

/** Creates the updater of an agent. */
export function createUpdater(options: UpdaterOptions = {}): UpdaterFactory {
  return (context) => new OrderUpdater(context, options);
}
