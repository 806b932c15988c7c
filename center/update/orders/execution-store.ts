/**
 * Executions in Postgres. Every change is a transition of the pure state machine, written with compare-and-set; a
 * transition from an outdated version is retried. Concurrent changes are batched, one statement to read and one to write,
 * so that a campaign over thousands of printers costs few round trips.
 */

import type { PoolClient } from 'pg';
import { softwareOf } from '../../../schemas/subject.ts';
import { textArray } from '../../database/sql-arrays.ts';
import { GroupCommit } from '../../ingest/group-commit.ts';
import { BATCH_TRANSITIONS_MAX, TRANSITION_TRIES_MAX } from '../limits.ts';
import { Admission, type Refusal } from './admission.ts';
import { type Budget, DEFAULT_BUDGET } from './budget.ts';
import type { ExecutionPlan } from './order-plan.ts';
import {
  type Execution,
  isEnd,
  type OrderEffect,
  type OrderEvent,
  type OrderTimes,
  planExecution,
  transition,
  wakeAt,
} from './order-state.ts';

/** What orders and campaigns need from the database. */
export interface UpdateDatabase {
  query<R extends object>(text: string, values?: unknown[]): Promise<R[]>;
  transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T>;
}

export type Query = <R extends object>(text: string, values?: unknown[]) => Promise<R[]>;

/** Runs statements in a transaction. */
export function queryOf(client: PoolClient): Query {
  return async <R extends object>(text: string, values: unknown[] = []) =>
    (await client.query<R>(text, values)).rows;
}

/** Runs statements outside a transaction. */
export function queryIn(database: UpdateDatabase): Query {
  return (text, values) => database.query(text, values);
}

/** An execution as it is stored. */
export interface ExecutionRow {
  id: string;
  printer: string;
  campaign: string | undefined;
  trouble: string | undefined;
  version: number;
  execution: Execution;
  plan: ExecutionPlan;
  /** The printer has left the fleet. Only set where an event is decided. */
  left?: boolean;
}

/** What a transition did. */
export interface Applied {
  row: ExecutionRow;
  before: Execution;
  effects: OrderEffect[];
}

export interface NewExecution {
  id: string;
  printer: string;
  campaign?: string;
  trouble?: string;
  plan: ExecutionPlan;
  at: number;
  deadlineAt: number;
  offerAt?: number;
}

/** An event, or a function that chooses one from the current row (undefined: none). */
export type EventFor = OrderEvent | ((row: ExecutionRow) => OrderEvent | undefined);

interface PendingTransition {
  id: string;
  event: EventFor;
  tries: number;
  resolve(applied: Applied | undefined): void;
  reject(error: unknown): void;
}

interface Row {
  id: string;
  printer: string;
  campaign: string | null;
  trouble: string | null;
  version: number | string;
  record: Execution;
  plan: ExecutionPlan;
  standing?: string | null;
}

/** Printers per lookup of active executions, and how many may wait. */
const ACTIVE_LOOKUP_MAX = 2_000;
const ACTIVE_WAITING_MAX = 200_000;

const COLUMNS = 'id, printer, campaign, trouble, version, record, plan';

function fromRow(row: Row): ExecutionRow {
  return {
    id: row.id,
    printer: row.printer,
    campaign: row.campaign ?? undefined,
    trouble: row.trouble ?? undefined,
    version: Number(row.version),
    execution: row.record,
    plan: row.plan,
    ...(row.standing === undefined ? {} : { left: row.standing !== null && row.standing !== 'active' }),
  };
}

export class ExecutionStore {
  readonly #database: UpdateDatabase;
  readonly #times: OrderTimes;
  #waiting: PendingTransition[] = [];
  #busy = false;
  #published: string[] = [];

  /** Batched lookups of active executions; they wait while the database is lost. */
  readonly #active: GroupCommit<readonly string[], ExecutionRow[]>;
  readonly admission: Admission;

  constructor(
    database: UpdateDatabase,
    times: OrderTimes,
    budget: () => Promise<Budget> = () => Promise.resolve(DEFAULT_BUDGET),
  ) {
    this.#database = database;
    this.#times = times;
    this.admission = new Admission((text, values) => database.query(text, values), budget);
    this.#active = new GroupCommit({
      write: async (lists: (readonly string[])[]) => {
        const rows = await this.active(lists.flat());
        return lists.map(() => rows);
      },
      weigh: (list) => list.length,
      batchWeight_max: ACTIVE_LOOKUP_MAX,
      waiting_max: ACTIVE_WAITING_MAX,
    });
  }

  /**
   * Creates executions. Printers that already have one, or are not admitted, get none and are missing from the result.
   */
  async create(list: readonly NewExecution[], client?: PoolClient): Promise<ExecutionRow[]> {
    return (await this.createOrRefuse(list, client)).created;
  }

  /**
   * Like `create`, and tells why printers were not admitted. Every order is created here, so admission is checked here
   * whatever asked for it.
   */
  async createOrRefuse(
    wanted: readonly NewExecution[],
    client?: PoolClient,
  ): Promise<{ created: ExecutionRow[]; refused: Map<string, Refusal> }> {
    const query = client
      ? async <R extends object>(text: string, values?: unknown[]) =>
          (await client.query<R>(text, values)).rows
      : <R extends object>(text: string, values?: unknown[]) => this.#database.query<R>(text, values);
    const now = Math.max(0, ...wanted.map(({ at }) => at));
    const refused = await this.admission.admit(wanted, now, query);
    const list = wanted.filter(({ printer }) => !refused.has(printer));
    if (list.length === 0) return { created: [], refused };
    const rows = await query<Row>(
      `INSERT INTO executions (id, printer, campaign, trouble, state, record, plan, created_at, updated_at, wake_at)
       SELECT id, printer, campaign, trouble, 'planned', record, plan, at, at, wake
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::jsonb[], $7::timestamptz[],
                   $8::timestamptz[]) AS n(id, printer, campaign, trouble, record, plan, at, wake)
       ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`,
      [
        list.map((each) => each.id),
        list.map((each) => each.printer),
        list.map((each) => each.campaign ?? null),
        list.map((each) => each.trouble ?? null),
        list.map((each) => JSON.stringify(planExecution(each.at, each.deadlineAt, each.offerAt ?? each.at))),
        list.map((each) => JSON.stringify(each.plan)),
        list.map((each) => new Date(each.at)),
        list.map((each) => new Date(each.offerAt ?? each.at)),
      ],
    );
    return { created: rows.map(fromRow), refused };
  }

  async get(id: string): Promise<ExecutionRow | undefined> {
    const [row] = await this.#database.query<Row>(`SELECT ${COLUMNS} FROM executions WHERE id = $1`, [id]);
    return row && fromRow(row);
  }

  /** Ids of executions that have not ended, by printer: of these printers, perhaps also of others. */
  async activeIds(printers: readonly string[]): Promise<Map<string, string[]>> {
    const ids = new Map<string, string[]>();
    for (const { id, printer } of await this.#active.submit(printers)) {
      ids.set(printer, [...(ids.get(printer) ?? []), id]);
    }
    return ids;
  }

  /** The active executions of these printers. */
  async active(printers: readonly string[]): Promise<ExecutionRow[]> {
    const rows = await this.#database.query<Row>(
      `SELECT ${COLUMNS} FROM executions WHERE printer = ANY($1::text[]) AND ended_at IS NULL`,
      [textArray(printers)],
    );
    return rows.map(fromRow);
  }

  /** A page of active executions, ordered by id. */
  async activePage(after: string, limit: number, campaign?: string): Promise<ExecutionRow[]> {
    const rows = await this.#database.query<Row>(
      `SELECT ${COLUMNS} FROM executions
       WHERE ended_at IS NULL AND id > $1 AND ($3::text IS NULL OR campaign = $3) ORDER BY id LIMIT $2`,
      [after, limit, campaign ?? null],
    );
    return rows.map(fromRow);
  }

  /** Executions whose timer is due, longest due first, and whether their printers are online. */
  async due(atMs: number, limit: number): Promise<{ id: string; printer: string; online: boolean }[]> {
    return this.#database.query(
      `SELECT e.id, e.printer, coalesce(p.online, true) AS online
       FROM executions e LEFT JOIN printers p ON p.id = e.printer
       WHERE e.ended_at IS NULL AND e.wake_at <= $1 ORDER BY e.wake_at LIMIT $2`,
      [new Date(atMs), limit],
    );
  }

  /** When the next timer is due; undefined when there is none. */
  async nextDue(): Promise<number | undefined> {
    const [row] = await this.#database.query<{ at: Date | null }>(
      'SELECT min(wake_at) AS at FROM executions WHERE ended_at IS NULL',
    );
    return row?.at?.getTime();
  }

  /** Active executions of printers that left the fleet. */
  async leftBehind(): Promise<{ id: string; printer: string; online: boolean; standing: string }[]> {
    return this.#database.query(
      `SELECT e.id, e.printer, p.online, p.standing FROM executions e JOIN printers p ON p.id = e.printer
       WHERE e.ended_at IS NULL AND p.standing <> 'active'`,
    );
  }

  /** Executions whose retained order may be out of date. */
  async publishDue(after: string, limit: number): Promise<ExecutionRow[]> {
    const rows = await this.#database.query<Row>(
      `SELECT ${COLUMNS} FROM executions WHERE publish_due AND id > $1 ORDER BY id LIMIT $2`,
      [after, limit],
    );
    return rows.map(fromRow);
  }

  /** Records that the retained order of this version of the row was published. */
  published(row: ExecutionRow): void {
    this.#published.push(row.id, String(row.version));
  }

  /** Writes what `published` recorded. */
  async flushPublished(): Promise<void> {
    const list = this.#published;
    if (list.length === 0) return;
    this.#published = [];
    try {
      await this.#database.query(
        `UPDATE executions e SET publish_due = false
         FROM unnest($1::text[], $2::bigint[]) AS p(id, version) WHERE e.id = p.id AND e.version = p.version`,
        [list.filter((_, at) => at % 2 === 0), list.filter((_, at) => at % 2 === 1)],
      );
    } catch (error) {
      // They stay due and are published again at the next start, which is harmless.
      this.#published.unshift(...list);
      throw error;
    }
  }

  /**
   * Applies an event to an execution.
   * @returns undefined when there is no such execution or `event` chose none
   */
  apply(id: string, event: EventFor): Promise<Applied | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, event, tries: 0, resolve, reject });
      this.#kick();
    });
  }

  #kick(): void {
    if (this.#busy || this.#waiting.length === 0) return;
    this.#busy = true;
    // Whatever else arrives in this turn of the event loop joins the batch.
    setImmediate(() => {
      const batch = this.#waiting.splice(0, BATCH_TRANSITIONS_MAX);
      this.#run(batch)
        .catch((error: unknown) => {
          for (const each of batch) each.reject(error);
        })
        .finally(() => {
          this.#busy = false;
          this.#kick();
        });
    });
  }

  async #run(batch: PendingTransition[]): Promise<void> {
    const ids = [...new Set(batch.map((each) => each.id))];
    const read = await this.#database.query<Row>(
      `SELECT ${COLUMNS}, (SELECT p.standing FROM printers p WHERE p.id = e.printer) AS standing
       FROM executions e WHERE id = ANY($1)`,
      [ids],
    );
    const rows = new Map(read.map((row) => [row.id, fromRow(row)]));
    const results = new Map<PendingTransition, Applied | undefined>();
    const changed = new Map<string, { row: ExecutionRow; publish: boolean; quarantine: boolean }>();
    const waitingFor = new Map<string, PendingTransition[]>();
    for (const each of batch) {
      const row = rows.get(each.id);
      const event = row && (typeof each.event === 'function' ? each.event(row) : each.event);
      if (!row || !event) {
        results.set(each, undefined);
        continue;
      }
      const { execution, effects } = transition(row.execution, event, this.#times);
      const before = row.execution;
      if (execution !== before) {
        const next: ExecutionRow = {
          ...row,
          execution,
          version: changed.has(row.id) ? row.version : row.version + 1,
        };
        rows.set(row.id, next);
        const known = changed.get(row.id);
        changed.set(row.id, {
          row: next,
          publish: (known?.publish ?? false) || effects.some((effect) => effect.type === 'publish'),
          quarantine: (known?.quarantine ?? false) || effects.some((effect) => effect.type === 'quarantine'),
        });
        waitingFor.set(row.id, [...(waitingFor.get(row.id) ?? []), each]);
      }
      results.set(each, { row: rows.get(row.id) as ExecutionRow, before, effects });
    }
    const written = await this.#write([...changed.values()]);
    const again: PendingTransition[] = [];
    for (const [id, waiting] of waitingFor) {
      if (written.has(id)) continue;
      for (const each of waiting) {
        results.delete(each);
        if (++each.tries < TRANSITION_TRIES_MAX) again.push(each);
        else each.reject(new Error(`execution ${id} changes too often`));
      }
    }
    this.#waiting.unshift(...again);
    for (const [each, applied] of results) each.resolve(applied);
  }

  /** Writes rows whose version has not changed since. @returns the ids written */
  async #write(list: { row: ExecutionRow; publish: boolean; quarantine: boolean }[]): Promise<Set<string>> {
    if (list.length === 0) return new Set();
    const values = [
      list.map(({ row }) => row.id),
      list.map(({ row }) => row.version - 1),
      list.map(({ row }) => row.execution.state),
      list.map(({ row }) => JSON.stringify(row.execution)),
      list.map(({ publish }) => publish),
      list.map(({ row }) => new Date(row.execution.progressAt)),
      list.map(({ row }) => (isEnd(row.execution.state) ? new Date(row.execution.endedAt ?? 0) : null)),
      list.map(({ row }) => {
        const at = wakeAt(row.execution, this.#times);
        return at === undefined ? null : new Date(at);
      }),
    ];
    const update = `UPDATE executions e
       SET state = n.state, record = n.record, version = n.version + 1, updated_at = n.at, ended_at = n.ended,
           publish_due = e.publish_due OR n.publish, wake_at = n.wake
       FROM unnest($1::text[], $2::bigint[], $3::text[], $4::jsonb[], $5::boolean[], $6::timestamptz[],
                   $7::timestamptz[], $8::timestamptz[])
         AS n(id, version, state, record, publish, at, ended, wake)
       WHERE e.id = n.id AND e.version = n.version RETURNING e.id`;
    const quarantined = list.filter((each) => each.quarantine);
    if (quarantined.length === 0) {
      return new Set((await this.#database.query<{ id: string }>(update, values)).map((row) => row.id));
    }
    // The quarantine belongs to the transition: both commit or neither.
    return this.#database.transaction(async (client) => {
      const written = new Set((await client.query<{ id: string }>(update, values)).rows.map((row) => row.id));
      for (const { row } of quarantined.filter((each) => written.has(each.row.id))) {
        for (const { subject, to } of row.plan.steps) {
          await client.query(
            `INSERT INTO quarantine (printer, software, release, execution, reason, at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (printer, software, release) DO UPDATE SET execution = $4, reason = $5, at = $6`,
            [
              row.printer,
              softwareOf(subject),
              to,
              row.id,
              row.execution.error?.message ?? row.execution.state,
              new Date(row.execution.progressAt),
            ],
          );
        }
      }
      return written;
    });
  }

  /** Releases that are quarantined on these printers, and why. */
  async quarantined(
    printers: readonly string[],
  ): Promise<Map<string, { software: string; release: string; reason: string }[]>> {
    const rows = await this.#database.query<{
      printer: string;
      software: string;
      release: string;
      reason: string;
    }>('SELECT printer, software, release, reason FROM quarantine WHERE printer = ANY($1)', [printers]);
    const found = new Map<string, { software: string; release: string; reason: string }[]>();
    for (const { printer, ...rest } of rows) found.set(printer, [...(found.get(printer) ?? []), rest]);
    return found;
  }
}
