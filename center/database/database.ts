/**
 * The connection to Postgres: a pool, transactions, and whether the database is available. While it is lost, operations
 * wait for it. What was under way fails and is repeated only by callers whose work is idempotent (the group commits).
 */
import pg from 'pg';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { askedBy, TurnsByName } from './answering.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';
import { migrate } from './migrate.ts';
import type { StoreLog } from './store-log.ts';

export type DatabaseSource =
  /** A Postgres of the operator's own (`PLATEN_DATABASE_URL`). */
  | { url: string }
  /** The embedded one, its data under this folder. */
  | { dataFolder: string };

export type Client = pg.PoolClient;

const POOL_CONNECTIONS_MAX = 12;
const CONNECT_MS_MAX = 10_000;
const PROBE_EVERY_MS = 200;
/** How often an available database is probed: one that hangs breaks no connection. */
const WATCH_EVERY_MS = 2_000;
const WATCH_MS_MAX = 3_000;
/** A statement that takes longer counts as a lost connection. */
const STATEMENT_MS_MAX = 60_000;
/** SQLSTATE of a statement that the server ended because it took too long. */
const STATEMENT_CANCELLED = '57014';
/** How long an operation waits for a lost database before it gives up. */
const WAIT_MS_MAX = 30_000;

// Sequence numbers and counters stay far below 2^53, so numbers are safe and handier than strings.
pg.types.setTypeParser(pg.types.builtins.INT8, (text) => Number(text));

export interface Database {
  /** For other users of the same database (the queue); holds the password. */
  readonly url: string;
  /** The embedded server, if it is one. */
  readonly embedded: EmbeddedPostgres | undefined;
  /** Whether the database is reachable and can write, as far as is known. */
  ready(): boolean;
  /** Why it isn't ready. */
  fault(): string | undefined;
  /** Reports that writing fails for the server's own reasons; call the returned function when it succeeds again. */
  unable(reason: string): () => void;
  /** Runs one statement and gives its rows. */
  query<R extends object>(text: string, values?: unknown[]): Promise<R[]>;
  /** Runs `work` in a transaction: committed when it resolves, rolled back when it throws. */
  transaction<T>(work: (client: Client) => Promise<T>): Promise<T>;
  /** Lends a connection without a transaction. */
  borrow<T>(work: (client: Client) => Promise<T>): Promise<T>;
  /**
   * Lends the connection on which a statement may follow another before that is answered, shared by all callers. The
   * server runs the statements in order, each in a transaction of its own.
   */
  pipelined<T>(work: (client: Client) => Promise<T>): Promise<T>;
  /** Resolves when the database is available; rejects when it isn't within `ms_max`, or is closed. */
  whenReady(ms_max?: number): Promise<void>;
  onLost(listener: (reason: string) => void): void;
  onBack(listener: () => void): void;
  close(): Promise<void>;
}

/** The error of a wait for a lost database that timed out; the caller may wait again. */
class LostError extends Error {
  readonly code = '08006';
}

/** Whether an error means that the connection or the server went away, not that the statement was wrong. */
export function isLostConnection(error: unknown): boolean {
  // Not `instanceof`: errors of Node's own come from another realm where code runs in a context of its own (jest).
  if (typeof error !== 'object' || error === null) return false;
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string') {
    if (/^(08...|57P0[1235]|53300)$/.test(code)) return true;
    if (/^(ECONN|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ENOTFOUND)/.test(code))
      return true;
  }
  return /Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|connection timeout|timeout expired|Query read timeout|not queryable/i.test(
    String(message),
  );
}

/**
 * Whether an error means that the server can't do this at the moment, whatever the statement: out of resources (class
 * 53, above all a full disk), system failure (58), or read-only (25006).
 */
export function isUnable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || isLostConnection(error)) return false;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(53...|58...|25006)$/.test(code);
}

/** A connection shared by several callers. */
interface Line {
  client: Promise<Client>;
  users: number;
  broken: Error | undefined;
  heard(error: Error): void;
}

class PostgresDatabase implements Database {
  readonly url: string;
  readonly embedded: EmbeddedPostgres | undefined;
  #pool: pg.Pool;
  /** For statements within `answering`. */
  #questions: pg.Pool;
  readonly #turns = new TurnsByName(CENTER_LIMITS.question_connections_person_max);
  /** The pool of the one pipelined connection. */
  #pipeline: pg.Pool;
  #line: Line | undefined;
  #log: StoreLog;
  #lost = false;
  /** Open reports of `unable`. */
  #unable = new Set<{ reason: string }>();
  #closed = false;
  #waiting = new Set<(error?: Error) => void>();
  #lostListeners: ((reason: string) => void)[] = [];
  #backListeners: (() => void)[] = [];
  #probe: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout;

  constructor(url: string, embedded: EmbeddedPostgres | undefined, log: StoreLog) {
    this.url = url;
    this.embedded = embedded;
    this.#log = log;
    const settings = {
      connectionString: url,
      connectionTimeoutMillis: CONNECT_MS_MAX,
      idleTimeoutMillis: 60_000,
      query_timeout: STATEMENT_MS_MAX,
      keepAlive: true,
      application_name: 'platen',
    };
    this.#pool = new pg.Pool({ ...settings, max: POOL_CONNECTIONS_MAX });
    this.#questions = new pg.Pool({
      ...settings,
      max: CENTER_LIMITS.question_connections_max,
      connectionTimeoutMillis: CENTER_LIMITS.question_ms_max,
      statement_timeout: CENTER_LIMITS.question_ms_max,
    });
    this.#pipeline = new pg.Pool({ ...settings, max: 1, pipeline: true });
    // An idle connection that breaks is the first sign of a lost server.
    this.#pool.on('error', (error) => this.#noticed(error));
    this.#questions.on('error', (error) => this.#noticed(error));
    this.#pipeline.on('error', (error) => this.#noticed(error));
    this.#watch = setTimeout(() => void this.#watchOn(), WATCH_EVERY_MS);
    this.#watch.unref();
  }

  ready(): boolean {
    return this.fault() === undefined;
  }

  fault(): string | undefined {
    if (this.#lost || this.#closed) return 'the database is not reachable';
    for (const { reason } of this.#unable) return `the database takes nothing: ${reason}`;
    return undefined;
  }

  unable(reason: string): () => void {
    const one = { reason };
    if (this.#unable.size === 0) this.#log.error({ reason }, 'the database takes nothing');
    this.#unable.add(one);
    return () => {
      if (this.#unable.delete(one) && this.#unable.size === 0) this.#log.info('the database takes again');
    };
  }

  onLost(listener: (reason: string) => void): void {
    this.#lostListeners.push(listener);
  }

  onBack(listener: () => void): void {
    this.#backListeners.push(listener);
  }

  async query<R extends object>(text: string, values?: unknown[]): Promise<R[]> {
    return this.borrow(async (client) => (await client.query<R>(text, values)).rows);
  }

  borrow<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const operator = askedBy();
    if (operator === undefined) return this.#borrowFrom(this.#pool, work);
    const answer = this.#turns.run(operator, () => this.#borrowFrom(this.#questions, work));
    return answer.catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== STATEMENT_CANCELLED) throw error;
      throw new PlatenError(
        'request/too-heavy',
        { seconds: CENTER_LIMITS.question_ms_max / 1_000 },
        { cause: error },
      );
    });
  }

  async #borrowFrom<T>(pool: pg.Pool, work: (client: Client) => Promise<T>): Promise<T> {
    const client = await (pool === this.#questions ? this.#connectForQuestion() : this.#connect(pool));
    let broken: Error | undefined;
    // A connection may break while nothing waits for it. Without a listener that would end the process.
    const heard = (error: Error) => {
      broken = error;
    };
    client.on('error', heard);
    try {
      return await work(client);
    } catch (error) {
      if (isLostConnection(error)) {
        broken = error as Error;
        this.#noticed(broken);
      }
      throw error;
    } finally {
      client.off('error', heard);
      client.release(broken);
    }
  }

  async transaction<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return this.borrow(async (client) => {
      await client.query('BEGIN');
      try {
        const result = await work(client);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        if (!isLostConnection(error)) await client.query('ROLLBACK');
        throw error;
      }
    });
  }

  async pipelined<T>(work: (client: Client) => Promise<T>): Promise<T> {
    this.#line ??= this.#openLine();
    const line = this.#line;
    line.users += 1;
    try {
      return await work(await line.client);
    } catch (error) {
      if (isLostConnection(error)) line.heard(error as Error);
      throw error;
    } finally {
      line.users -= 1;
      if (line.users === 0) await this.#hangUp(line);
    }
  }

  #openLine(): Line {
    const line: Line = {
      client: this.#connect(this.#pipeline),
      users: 0,
      broken: undefined,
      heard: (error) => {
        line.broken ??= error;
        this.#noticed(error);
        // New callers get another one.
        if (this.#line === line) this.#line = undefined;
      },
    };
    line.client.then(
      (client) => client.on('error', line.heard),
      // Its callers get the error.
      () => undefined,
    );
    return line;
  }

  async #hangUp(line: Line): Promise<void> {
    if (this.#line === line) this.#line = undefined;
    const client = await line.client.catch(() => undefined);
    client?.off('error', line.heard);
    client?.release(line.broken);
  }

  async #connect(pool: pg.Pool): Promise<Client> {
    const end = Date.now() + WAIT_MS_MAX;
    for (;;) {
      await this.whenReady(Math.max(end - Date.now(), 1));
      try {
        return await pool.connect();
      } catch (error) {
        if (!isLostConnection(error)) throw error;
        this.#noticed(error as Error);
      }
    }
  }

  /** Timing out in the queue behind other questions says nothing about the server. */
  async #connectForQuestion(): Promise<Client> {
    await this.whenReady();
    try {
      return await this.#questions.connect();
    } catch (error) {
      if (reasonOf(error).includes('timeout exceeded when trying to connect')) {
        throw new PlatenError('request/busy', {}, { cause: error });
      }
      if (isLostConnection(error)) this.#noticed(error as Error);
      throw error;
    }
  }

  whenReady(ms_max = WAIT_MS_MAX): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the database is closed'));
    if (!this.#lost) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(new LostError('the database is lost')), ms_max);
      const settle = (error?: Error) => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        if (error) reject(error);
        else resolve();
      };
      this.#waiting.add(settle);
    });
  }

  #noticed(error: Error): void {
    if (this.#lost || this.#closed || !isLostConnection(error)) return;
    this.#lost = true;
    const reason = reasonOf(error);
    this.#log.error({ reason }, 'the database is lost');
    for (const listener of this.#lostListeners) listener(reason);
    this.#schedule();
  }

  async #watchOn(): Promise<void> {
    if (!this.#lost) {
      try {
        await this.#try();
      } catch (error) {
        this.#noticed(error as Error);
      }
    }
    if (this.#closed) return;
    this.#watch = setTimeout(() => void this.#watchOn(), WATCH_EVERY_MS);
    this.#watch.unref();
  }

  #schedule(): void {
    this.#probe = setTimeout(() => {
      this.#try().then(
        () => this.#back(),
        () => this.#schedule(),
      );
    }, PROBE_EVERY_MS);
  }

  async #try(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.url,
      connectionTimeoutMillis: WATCH_MS_MAX,
      query_timeout: WATCH_MS_MAX,
    });
    // The query's rejection has the same reason.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  #back(): void {
    if (this.#closed) return;
    this.#lost = false;
    this.#log.info('the database is back');
    for (const settle of [...this.#waiting]) settle();
    for (const listener of this.#backListeners) listener();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#probe);
    clearTimeout(this.#watch);
    for (const settle of [...this.#waiting]) settle(new Error('the database is closed'));
    await Promise.all([this.#pool.end(), this.#questions.end(), this.#pipeline.end()]);
    await this.embedded?.stop();
  }
}

/** `url` without its password, for messages. */
export function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url);
    parsed.password = '';
    return parsed.href;
  } catch {
    return 'the address that was given';
  }
}

/**
 * Opens the database and brings its tables up to date.
 * @throws PlatenError start/database when it can't be reached or used
 */
export async function openDatabase(
  source: DatabaseSource,
  log: StoreLog,
  stop?: AbortSignal,
): Promise<Database> {
  const embedded = 'url' in source ? undefined : await startEmbeddedPostgres(source.dataFolder, log, stop);
  const url = embedded ? embedded.url : (source as { url: string }).url;
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS_MAX });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await migrate(client, log);
  } catch (error) {
    await client.end().catch(() => undefined);
    await embedded?.stop();
    if (error instanceof PlatenError) throw error;
    throw new PlatenError(
      'start/database',
      {
        reason: `${withoutPassword(url)}: ${connectReason(error)}`,
        hint: embedded
          ? hintFor(error, embedded.folder)
          : 'Check PLATEN_DATABASE_URL and that the server runs; without it Platen uses its own.',
      },
      { cause: error },
    );
  }
  await client.end();
  return new PostgresDatabase(url, embedded, log);
}

/** A password that is no longer the server's (a flipped bit, a partial copy) can be replaced; other causes can't. */
function hintFor(error: unknown, folder: string): string {
  return (error as { code?: unknown }).code === '28P01'
    ? `Remove ${folder}/password: the next start gives the server a new one.`
    : `Look at ${folder}.`;
}

/** Node collects the failures of several addresses in an error without a message. */
function connectReason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(reasonOf).join('; ');
  return reasonOf(error);
}
