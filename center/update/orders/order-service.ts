import type { Logger } from 'pino';
import { Serial, SerialByKey } from '../../../base/serial.ts';
import type { Repository } from '../../../releases/repository.ts';
import { reasonOf } from '../../../schemas/errors.ts';
import { printerTopic } from '../../../schemas/topics.ts';
import type { Structure, UpdateReport } from '../../../schemas/types.ts';
import type { Conclude } from '../../conclusions.ts';
import {
  PAGE_ROWS,
  PUBLISHED_FLUSH_MS,
  SET_ASIDE_TOLD_MS,
  SWEEP_EVERY_MS,
  WAKE_GRAIN_MS,
  WAKES_REMEMBERED_MAX,
} from '../limits.ts';
import type { SetAside } from './admission.ts';
import type { Budget } from './budget.ts';
import {
  type Applied,
  type EventFor,
  type ExecutionRow,
  ExecutionStore,
  type UpdateDatabase,
} from './execution-store.ts';
import { type ExecutionPlan, orderDocument } from './order-plan.ts';
import { DEFAULT_TIMES, type OrderEvent, type OrderTimes, shows } from './order-state.ts';
import { type Nudge, type NudgeAt, type NudgeQueue, openQueue, type QueueConnection } from './queue.ts';

export interface UpdateSettings {
  database: UpdateDatabase;
  queue: QueueConnection;
  /** Resolves when the broker has the message. */
  publish(topic: string, payload: string, options: { qos: 0 | 1; retain: boolean }): Promise<void>;
  repository: Repository;
  /** Base URL of the repository for printers, with a trailing slash. */
  repositoryUrl: string;
  /** Announces what became of an order. */
  tell(
    kind: 'order' | 'campaign',
    what: string,
    details: { printer?: string; data: Record<string, unknown> },
  ): void;
  conclude: Conclude;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
  /** From 0 to 1; default Math.random. */
  random?(): number;
  times?: Partial<OrderTimes>;
  /** The budget in force. */
  budget?(): Promise<Budget>;
  /** Opens the trouble that announces a set-aside and returns its id. May be called twice for one. */
  setAside?(aside: SetAside): Promise<string>;
  /** Asks a printer for its structure. */
  requestStructure?(printer: string): Promise<void>;
  /** Judges a printer again whose order no longer fits it. */
  rejudge?(printer: string): Promise<void>;
  /** Whether a printer is connected; asked after long silence. */
  online?(printer: string): Promise<boolean>;
}

/** An execution as operators see it. */
export interface ExecutionView {
  execution: string;
  printer: string;
  campaign?: string;
  trouble?: string;
  /** Who or what asked for it. */
  cause?: ExecutionPlan['cause'];
  state: string;
  attempt: number;
  step: number;
  progress: number;
  error?: { code: string; message: string };
  steps: { subject: string; from?: string; to: string }[];
}

export function executionView(row: ExecutionRow): ExecutionView {
  const { execution, plan } = row;
  return {
    execution: row.id,
    printer: row.printer,
    ...(row.campaign === undefined ? {} : { campaign: row.campaign }),
    ...(row.trouble === undefined ? {} : { trouble: row.trouble }),
    ...(plan.cause === undefined ? {} : { cause: plan.cause }),
    state: execution.state,
    attempt: execution.attempt,
    step: execution.step,
    progress: execution.progress,
    ...(execution.error === undefined ? {} : { error: execution.error }),
    steps: plan.steps.map(({ subject, from, to }) => ({
      subject,
      ...(from === undefined ? {} : { from }),
      to,
    })),
  };
}

export class OrderService {
  readonly store: ExecutionStore;
  readonly #settings: UpdateSettings;
  readonly #times: OrderTimes;
  readonly #queue: NudgeQueue;
  readonly #random: () => number;
  #campaignNudge: ((id: string) => Promise<void>) | undefined;
  #flush: NodeJS.Timeout | undefined;
  #underWay = new Set<Promise<unknown>>();
  /** Wake-up times that are queued already. */
  #wakes = new Set<number>();
  #sweeping: NodeJS.Timeout | undefined;
  #tellTimer: NodeJS.Timeout | undefined;
  /** Opens the troubles of those set aside, one batch after the other. */
  readonly #setAsides = new Serial();
  /** Publishes of one printer's order must not overtake one another. */
  readonly #publishing = new SerialByKey();

  constructor(settings: UpdateSettings) {
    this.#settings = settings;
    this.#times = { ...DEFAULT_TIMES, ...settings.times };
    this.#random = settings.random ?? Math.random;
    this.store = new ExecutionStore(settings.database, this.#times, settings.budget);
    this.#queue = openQueue(settings.queue, settings.log);
    this.store.admission.onSetAside = () => {
      this.#tellTimer ??= setTimeout(() => {
        this.#tellTimer = undefined;
        this.#track(this.#tellSetAside());
      }, SET_ASIDE_TOLD_MS);
      this.#tellTimer.unref();
    };
  }

  /** Registers the handler of campaign nudges. */
  onCampaignNudge(handle: (id: string) => Promise<void>): void {
    this.#campaignNudge = handle;
  }

  get queue(): NudgeQueue {
    return this.#queue;
  }

  /** Starts, and finishes what a kill left undone. */
  async start(): Promise<void> {
    await this.#queue.start((nudge) => this.#nudged(nudge));
    this.#flush = setInterval(() => {
      this.#track(this.store.flushPublished());
    }, PUBLISHED_FLUSH_MS);
    this.#flush.unref();
    // A Redis without persistence loses delayed jobs; the store still knows what is due.
    this.#sweeping = setInterval(() => this.#track(this.#sweep()), SWEEP_EVERY_MS);
    this.#sweeping.unref();
    await this.#catchUp();
  }

  async stop(): Promise<void> {
    clearInterval(this.#flush);
    clearInterval(this.#sweeping);
    clearTimeout(this.#tellTimer);
    await this.#queue.stop();
    await Promise.allSettled([...this.#underWay]);
    await this.store.flushPublished();
  }

  /** Publishes orders that may be out of date, replays reports, and queues every nudge again. */
  async #catchUp(): Promise<void> {
    for (let after = ''; ; ) {
      const rows = await this.store.publishDue(after, PAGE_ROWS);
      await Promise.all(rows.map((row) => this.#publish(row)));
      after = rows.at(-1)?.id ?? '';
      if (rows.length < PAGE_ROWS) break;
    }
    for (let after = ''; ; ) {
      const rows = await this.store.activePage(after, PAGE_ROWS);
      await this.#replay(rows.map((row) => row.id));
      await this.#queue.add(rows.flatMap((row) => this.#offer(row)));
      after = rows.at(-1)?.id ?? '';
      if (rows.length < PAGE_ROWS) break;
    }
    for (const { id, online, standing } of await this.store.leftBehind()) {
      const hears = online && standing === 'retired';
      const at = this.#settings.now();
      await this.#apply(id, {
        type: hears ? 'cancel' : 'withdraw',
        at,
        reason: `the printer was ${standing}`,
      });
    }
    const next = await this.store.nextDue();
    if (next !== undefined) this.#wakeAt(next);
  }

  /** Replays reports that were stored before a kill and never processed. */
  async #replay(ids: string[]): Promise<void> {
    const rows = await this.#settings.database.query<{ printer: string; document: UpdateReport }>(
      `SELECT r.printer, r.document FROM update_reports r JOIN executions e ON e.id = r.execution AND e.printer = r.printer
       WHERE r.execution = ANY($1) AND r.attempt = (e.record->>'attempt')::int AND r.seq > (e.record->>'reportSeq')::bigint
       ORDER BY r.execution, r.seq`,
      [ids],
    );
    for (const { printer, document } of rows) await this.onUpdateReport(printer, document);
  }

  /** Queues the offers of new executions. */
  async dispatch(rows: readonly ExecutionRow[]): Promise<void> {
    await this.#queue.add(rows.flatMap((row) => this.#offer(row)));
  }

  /** Opens the troubles of printers that were set aside, one after the other. */
  #tellSetAside(): Promise<void> {
    return this.#setAsides.run(() => this.#tellUntold());
  }

  async #tellUntold(): Promise<void> {
    const { setAside } = this.#settings;
    if (!setAside) return;
    for (const aside of await this.store.admission.untold(PAGE_ROWS)) {
      await this.store.admission.told(aside, await setAside(aside));
    }
  }

  /**
   * Ends the order of a printer that left the fleet.
   * @param hears the printer is still connected: it is asked to cancel, so that no installation is cut off
   */
  async onLeft(printer: string, reason: string, hears: boolean): Promise<void> {
    const at = this.#settings.now();
    for (const { id } of await this.store.active([printer])) {
      await this.#apply(id, { type: hears ? 'cancel' : 'withdraw', at, reason });
    }
  }

  async onUpdateReport(printer: string, report: UpdateReport): Promise<void> {
    const random = this.#random();
    await this.#apply(report.execution, (row) =>
      // Ignore reports about another printer's execution.
      row.printer === printer ? { type: 'report', at: this.#settings.now(), report, random } : undefined,
    );
  }

  /** @param executions those of the structure's printer that had not ended when it came */
  async onStructure(structure: Structure, executions: readonly string[]): Promise<void> {
    for (const id of executions) {
      await this.#apply(id, ({ plan }) => ({
        type: 'structure',
        at: this.#settings.now(),
        session: structure.session === plan.structure.session ? 'judged' : 'new',
        shows: shows(structure, plan.steps),
      }));
    }
  }

  /** A printer came online: its executions, which waited for it, may go on. */
  async onOnline(executions: readonly string[]): Promise<void> {
    for (const id of executions) {
      await this.#apply(id, { type: 'online', at: this.#settings.now() });
    }
  }

  /** Cancels an execution; has no effect once it installs. */
  async cancel(id: string, reason: string): Promise<ExecutionRow | undefined> {
    return (await this.#apply(id, { type: 'cancel', at: this.#settings.now(), reason }))?.row;
  }

  async #nudged(nudge: Nudge): Promise<void> {
    if (nudge.kind === 'campaign') {
      await this.#campaignNudge?.(nudge.id);
      return;
    }
    if (nudge.kind === 'due') {
      await this.#sweep();
      return;
    }
    await this.#apply(nudge.id, (row) =>
      row.execution.state === 'planned' ? this.#toOffer(row) : undefined,
    );
  }

  /** The offer, or a withdrawal if the printer left after the order was created. */
  #toOffer({ left }: ExecutionRow): OrderEvent {
    const at = this.#settings.now();
    return left ? { type: 'withdraw', at, reason: 'the printer left the fleet' } : { type: 'offer', at };
  }

  /** Applies the timers of all executions that are due. */
  async #sweep(): Promise<void> {
    const { now, online } = this.#settings;
    await this.#tellSetAside();
    for (;;) {
      const due = await this.store.due(now(), PAGE_ROWS);
      const moved = await Promise.all(
        due.map(async (each) => {
          const isOnline = online ? await online(each.printer) : each.online;
          const random = this.#random();
          return this.#apply(each.id, (row) =>
            row.execution.state === 'planned'
              ? this.#toOffer(row)
              : { type: 'timer', at: now(), online: isOnline, random },
          );
        }),
      );
      // Stop when the rest stays due, or the loop would never end.
      const stuck = moved.filter((each) => each && each.row.execution === each.before).length;
      if (due.length < PAGE_ROWS || stuck === due.length) break;
    }
  }

  async #apply(id: string, event: EventFor): Promise<Applied | undefined> {
    const applied = await this.store.apply(id, event);
    if (applied) await this.#carryOut(applied);
    return applied;
  }

  async #carryOut({ row, before, effects }: Applied): Promise<void> {
    const { log } = this.#settings;
    for (const effect of effects) {
      switch (effect.type) {
        case 'publish':
          await this.#publish(row);
          break;
        case 'wake':
          this.#wakeAt(effect.at);
          break;
        case 'request-structure':
          await this.#settings.requestStructure?.(row.printer);
          break;
        case 'rejudge':
          await this.#settings.rejudge?.(row.printer);
          break;
        case 'quarantine':
          log.warn(
            { printer: row.printer, execution: row.id, reason: row.execution.error?.message },
            'release quarantined',
          );
          break;
        case 'changed':
          this.#settings.tell('order', row.execution.state, {
            printer: row.printer,
            data: { ...executionView(row) },
          });
          this.#settings.conclude({ kind: 'order', row, before: before.state });
          break;
      }
    }
  }

  /** Waits for the publish in progress for a printer. Its own caller handles a failure. */
  async published(printer: string): Promise<void> {
    await this.#publishing.run(printer, () => undefined);
  }

  #publish(row: ExecutionRow): Promise<void> {
    return this.#publishing.run(row.printer, () => this.#publishNow(row));
  }

  async #publishNow(row: ExecutionRow): Promise<void> {
    const order = orderDocument(
      row.id,
      row.printer,
      row.execution,
      row.plan,
      row.campaign,
      this.#settings.repositoryUrl,
    );
    // An ended execution must not clear the order of the next one.
    if (!order && (await this.store.active([row.printer])).some((other) => other.id !== row.id)) {
      this.store.published(row);
      return;
    }
    await this.#settings.publish(printerTopic.order(row.printer), order ? JSON.stringify(order) : '', {
      qos: 1,
      retain: true,
    });
    this.store.published(row);
  }

  /** The nudge that offers a planned execution. */
  #offer({ id, execution }: ExecutionRow): NudgeAt[] {
    if (execution.state !== 'planned') return [];
    const delayMs = Math.max(0, execution.offerAt - this.#settings.now());
    return [{ nudge: { kind: 'execution', id }, jobId: `${id}-${execution.attempt}-offer`, delayMs }];
  }

  /** Queues a delayed nudge for everything due at that time. Times close together share one. */
  #wakeAt(at: number): void {
    const delayMs = Math.max(0, at - this.#settings.now());
    // The grain is a sixteenth of the delay, but never finer than a short timer needs.
    const grainMs = Math.max(WAKE_GRAIN_MS, 2 ** Math.floor(Math.log2(delayMs / 16 + 1)));
    const bucket = (Math.floor(at / grainMs) + 1) * grainMs;
    if (this.#wakes.has(bucket)) return;
    this.#wakes.add(bucket);
    if (this.#wakes.size > WAKES_REMEMBERED_MAX) {
      for (const each of this.#wakes) if (each < this.#settings.now()) this.#wakes.delete(each);
      if (this.#wakes.size > WAKES_REMEMBERED_MAX) this.#wakes.clear();
    }
    const delay = Math.max(0, bucket - this.#settings.now());
    this.#track(
      this.#queue.add([{ nudge: { kind: 'due', id: '' }, jobId: `due-${bucket}`, delayMs: delay }]),
    );
  }

  #track(promise: Promise<unknown>): void {
    const settled = promise
      .catch((error: unknown) => {
        this.#settings.log.warn({ reason: reasonOf(error) }, 'background work on orders failed');
      })
      .finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
  }
}
