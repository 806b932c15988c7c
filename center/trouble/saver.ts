/**
 * Writes what the rules concluded: soon if it is awaited, now and then further evidence and the rules' state.
 * Everything that reads or changes this state runs here, one piece after the other.
 */
import type { Logger } from 'pino';
import { Serial } from '../../base/serial.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { LogJudge, StateRow } from './log-judge.ts';
import type { PendingChanges } from './pending-changes.ts';
import type { TroubleRow } from './rows.ts';
import type { TroubleStore } from './store.ts';
import type { TroubleWriter, WrittenTrouble } from './writer.ts';

/** How often things are done, ms. */
export interface SaverTimes {
  /** Openings and endings are written after at most this. */
  flush: number;
  /** Further evidence of open troubles is written after at most this. */
  evidence: number;
  /** The rules' state is written after this; later when writing takes long. */
  checkpoint: number;
  tick: number;
  /** A failed attempt is repeated after this. */
  retry: number;
}

const TIMES: SaverTimes = { flush: 100, evidence: 5_000, checkpoint: 10_000, tick: 1_000, retry: 1_000 };

/** A slow flush is followed by a pause of this many times its duration, up to a limit. */
const FLUSH_PAUSE_SHARE = 4;
const FLUSH_PAUSE_MS_MAX = 1_000;
/** A slow checkpoint is followed by a pause of this many times its duration, up to a limit. */
const CHECKPOINT_PAUSE_SHARE = 10;
const CHECKPOINT_PAUSE_MS_MAX = 300_000;

export interface SaverSettings {
  store: TroubleStore;
  judge: LogJudge;
  pending: PendingChanges;
  writer: TroubleWriter;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
  times?: Partial<SaverTimes>;
}

/** Further content of a transaction. */
interface MoreToWrite {
  /** Everything received until this time is in the rules' state. */
  cursor?: Date;
  /** A trouble ended by an operator or a cure. */
  ended?: TroubleRow;
}

export class TroubleSaver {
  readonly #settings: SaverSettings;
  readonly #times: SaverTimes;
  readonly #serial = new Serial();
  #timers: NodeJS.Timeout[] = [];
  #checkpointTimer: NodeJS.Timeout | undefined;
  #flushTimer: NodeJS.Timeout | undefined;
  /** Publishes again what could not be published. */
  #dueTimer: NodeJS.Timeout | undefined;
  /** Shortest wait before the next flush, ms. */
  #flushPause_ms = 0;
  #stopped = false;

  constructor(settings: SaverSettings) {
    this.#settings = settings;
    this.#times = { ...TIMES, ...settings.times };
  }

  /** Starts the periodic work. */
  start(): void {
    const { now } = this.#settings;
    const { tick, checkpoint, evidence } = this.#times;
    this.#every(tick, () => this.tick(now()));
    this.#checkpointIn(checkpoint);
    this.#every(evidence, () => this.#soon('evidence', () => this.commit([], true)));
  }

  #every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms);
    timer.unref();
    this.#timers.push(timer);
  }

  #checkpointIn(ms: number): void {
    if (this.#stopped) return;
    this.#checkpointTimer = setTimeout(() => {
      this.#soon('checkpoint', async () => {
        const began = performance.now();
        try {
          await this.checkpointNow();
        } finally {
          const pause_ms = (performance.now() - began) * CHECKPOINT_PAUSE_SHARE;
          this.#checkpointIn(Math.max(this.#times.checkpoint, Math.min(pause_ms, CHECKPOINT_PAUSE_MS_MAX)));
        }
      });
    }, ms);
    this.#checkpointTimer.unref();
  }

  /** Writes what is left to write. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#flushTimer);
    clearTimeout(this.#dueTimer);
    clearTimeout(this.#checkpointTimer);
    await this.checkpoint();
  }

  /** Resolves when everything judged so far is in the store. */
  async checkpoint(): Promise<void> {
    this.#soon('checkpoint', () => this.checkpointNow());
    await this.#serial.idle();
  }

  /** Runs `work` after everything started before; the caller gets its failure. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#serial.run(work);
  }

  /** Like `inTurn`, but logs failures: nobody waits. */
  #soon(what: string, work: () => Promise<unknown>): void {
    this.#serial.run(work).catch((error: unknown) => {
      this.#settings.log.error({ what, reason: reasonOf(error) }, 'cannot write troubles');
    });
  }

  /** Advances event time to `now` (ms). */
  tick(now: number): void {
    const { judge } = this.#settings;
    if (judge.loading) return;
    this.#soon('tick', async () => {
      await judge.judgeInTurns();
      judge.advance(now);
      judge.warnOfHaste(now);
    });
  }

  /**
   * Judges what waits and writes what changed. Writing is limited to a share of the time: the slower it is, the more is
   * written together.
   */
  flushSoon(): void {
    if (this.#flushTimer || this.#stopped) return;
    const wait_ms = Math.max(this.#times.flush, this.#flushPause_ms);
    this.#flushTimer = setTimeout(() => this.#soon('flush', () => this.#flush()), wait_ms);
  }

  async #flush(): Promise<void> {
    try {
      await this.#settings.judge.judgeInTurns();
    } finally {
      this.#flushTimer = undefined;
    }
    const began = performance.now();
    await this.commit([], false);
    this.#flushPause_ms = Math.min((performance.now() - began) * FLUSH_PAUSE_SHARE, FLUSH_PAUSE_MS_MAX);
  }

  /** Schedules writing of amendments, also while stopping. */
  amendedSoon(): void {
    if (this.#stopped) this.#soon('amend', () => this.commit([], false));
    else this.flushSoon();
  }

  /**
   * Writes changes, and with them the state of some printers, in one transaction; then announces them. Call it within
   * `inTurn`.
   */
  async commit(states: StateRow[], evidence: boolean, more: MoreToWrite = {}): Promise<void> {
    const { store, judge, pending, writer, now } = this.#settings;
    const { cursor, ended } = more;
    // Exporting state settles lanes: what that changed is written with it.
    if (states.length > 0) judge.advance(now());
    const taken = pending.take(evidence);
    const { changes, amendments } = taken;
    if (changes.length + states.length + amendments.length === 0 && !cursor && !ended) return;
    let written: WrittenTrouble[];
    try {
      written = await store.transaction(async (client) => {
        const changed = changes.length > 0 ? await writer.write(client, changes) : [];
        if (ended) changed.push(await writer.end(client, ended));
        const amended = await writer.amend(client, amendments);
        if (states.length > 0) await store.putStates(client, states);
        if (cursor) await store.putCursor(client, cursor, JSON.stringify(judge.fingerprints()));
        return [...changed, ...amended];
      });
    } catch (error) {
      judge.markDirty(states);
      // While stopping nobody may wait forever: the next start begins a remedy again whose outcome was not written.
      if (this.#stopped) for (const { done } of amendments) done();
      pending.putBack(this.#stopped ? { changes, amendments: [] } : taken);
      if (!this.#stopped) setTimeout(() => this.flushSoon(), this.#times.retry).unref();
      throw error;
    }
    // Written, whether or not it can be announced.
    for (const { done } of amendments) done();
    await this.announce(written);
  }

  /** Announces what was written. Documents that could not be published stay due in the store. */
  async announce(written: WrittenTrouble[]): Promise<void> {
    if (!(await this.#settings.writer.tell(written))) this.publishDueSoon();
  }

  /** Publishes due documents soon, and again until it works. */
  publishDueSoon(): void {
    if (this.#dueTimer || this.#stopped) return;
    this.#dueTimer = setTimeout(() => {
      this.#dueTimer = undefined;
      this.#soon('documents', () =>
        this.#settings.writer.publishDue().catch((error: unknown) => {
          this.publishDueSoon();
          throw error;
        }),
      );
    }, this.#times.retry);
    this.#dueTimer.unref();
  }

  /** Writes all changed state, and the time it covers. Call it within `inTurn`. */
  async checkpointNow(): Promise<void> {
    const { judge, now } = this.#settings;
    if (judge.loading) return;
    await judge.judgeInTurns();
    const cursor = new Date(now());
    // Printers judged meanwhile are left for the next time.
    const printers = judge.dirty();
    while (printers.length > 0) await this.commit(judge.export(printers), true);
    await this.commit([], true, { cursor });
  }
}
