/**
 * The printer's side of an update: judges an order again, downloads, verifies, installs group by group under a journal,
 * tests, and takes everything back in reverse when something fails. One order at a time.
 *
 * After a power loss it goes on from the journal: a group that was being installed is installed again (drivers must
 * take that), a rollback that was under way is finished first.
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

/** Why work before the installation was broken off. */
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
  /** The order that is being prepared, and how to break it off; undefined while it installs. */
  #preparing: { key: string; abort: AbortController } | undefined;
  #stopped = false;
  readonly #stopping = new AbortController();
  /** The execution for which HTTP was given up. */
  #overMqtt: string | undefined;
  /** Why the journal can't be used. */
  readonly #damage: ErrorReport | undefined;
  /** Whether what is being installed was begun before this process. */
  #resumed = false;
  /** The order has been put before us since we looked at it last. */
  #asked = false;

  constructor(context: UpdaterContext, options: UpdaterOptions) {
    this.#context = context;
    this.#journal =
      options.journal ?? (context.folder ? fileJournal(join(context.folder, 'updater')) : memoryJournal());
    this.#trust = options.trust;
    try {
      this.#state = this.#journal.load();
    } catch (error) {
      // The printer is spoken for all the same; only installed is nothing, because nobody knows what was under way.
      this.#damage = errorReport(error, 'file/damaged');
      this.#state = { ended: [] };
      const { message, hint } = this.#damage;
      context.log.error(
        { reason: message, hint },
        'the journal of updates cannot be read: no order is taken',
      );
    }
    const entry = this.#state.current;
    // What was begun is ended, whether or not the order still stands; what was only taken waits for it.
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
        // Only the journal itself can fail here: without it nothing may be installed.
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
        // Stopped before it went on with what the journal says: the next start does.
        if (this.#stopped && this.#resumed) return;
        continue;
      }
      const order = this.#wanted;
      if (this.#stopped || !this.#asked || order === undefined) return;
      this.#asked = false;
      const key = keyOf(order);
      if (entry?.phase === 'ended' && keyOf(entry.order) === key) {
        // It asks again, so it may not have heard.
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

  /** Judges, downloads and waits for the right moment: everything that can be broken off. */
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
        // An attempt before this one came to its end unheard. The center believes only a new session, but whoever gives
        // orders in which everything is there already must not be able to restart the printer with them.
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
        // Much may have happened since the order was taken: weeks pass before a window opens, a release is revoked, a
        // disk forgets a bit.
        this.#checkDeadline(order);
        const now = await driver.readStructure();
        judgeOrder(order, now, driver);
        await this.#trusted(order, now, signal);
        await this.#downloadAll(order, signal, false);
        signal.throwIfAborted();
        // And that may have taken its time.
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

  /** Checks the order against signed metadata; a repository that can't be reached is asked again for a while. */
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

  /** From now on this order's requests go over MQTT, if they can. */
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

  /** Waits for the maintenance window and for the printer to stand still. */
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

  /** How long it should wait before it looks again whether it may install; 0 when it may now. */
  async #waitBeforeInstalling(order: Order, timezone: string): Promise<number> {
    const { driver, now } = this.#context;
    if (order.window && !isOpen(order.window, timezone, now())) {
      return untilOpen(order.window, timezone, now()) ?? PRINTING_POLL_MS;
    }
    return (await driver.readCounters()).printing === true ? PRINTING_POLL_MS : 0;
  }

  /** Gets and checks every image; one that is there is only checked. `told`: whether progress is reported. */
  async #downloadAll(
    order: Order,
    signal: AbortSignal,
    told = true,
  ): Promise<Map<string, string | undefined>> {
    // Without a folder the bytes are gone once they are checked: there is nothing that could rot.
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

  /** Goes on from where the journal stands, until the order has ended. */
  async #finish(entry: JournalEntry): Promise<void> {
    const groups = groupsOf(entry.order.steps);
    if (entry.phase === 'installing') {
      // After a power loss; without one it was trusted a moment ago.
      const resumed = this.#resumed;
      if (resumed) await this.#trustAgain(entry);
      if (resumed && this.#stopped) return;
      this.#resumed = false;
      if (this.#state.current?.phase === 'installing') await this.#install(entry, groups, resumed);
    } else if (entry.phase === 'testing') await this.#test(entry, groups);
    else await this.#rollBack(entry, groups);
  }

  /**
   * A printer that was off while it installed may have been so for weeks. What is not trusted any more is taken back; a
   * repository that can't be reached is no reason to stay half done.
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

  /** @throws PlatenError update/bad-hash when an image is not what was signed any more */
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

  /** @param begun whether the group where the journal stands may be half installed */
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
        // Only what was begun can be taken back.
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

/** Makes the updater of an agent. */
export function createUpdater(options: UpdaterOptions = {}): UpdaterFactory {
  return (context) => new OrderUpdater(context, options);
}
