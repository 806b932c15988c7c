/** What is sampled of a running product: its process, its metrics, and rows of its database that should go away. */
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';

const KIB_PER_MIB = 1_024;
const MIB = 2 ** 20;

/** Rows that come and go. None may grow: a row left behind by finished work is a leak, however small. */
const ROWS: Record<string, string> = {
  rows_orders_open: 'SELECT count(*)::int FROM executions WHERE ended_at IS NULL',
  rows_orders_to_publish: 'SELECT count(*)::int FROM executions WHERE publish_due',
  // An aborted campaign may be resumed: its printers keep waiting, which is no leak.
  rows_targets_open: `SELECT count(*)::int FROM campaign_targets t JOIN campaigns c ON c.id = t.campaign
    WHERE t.state IN ('waiting', 'dispatched') AND c.state <> 'aborted'`,
  rows_targets_of_ended: `SELECT count(*)::int FROM campaign_targets t JOIN campaigns c ON c.id = t.campaign
    WHERE t.state = 'dispatched' AND c.state IN ('finished', 'aborted') AND c.updated_at < now() - interval '2 minutes'`,
  rows_campaigns_running: `SELECT count(*)::int FROM campaigns WHERE state = 'running'`,
  rows_troubles_open: `SELECT count(*)::int FROM troubles WHERE state IN ('open', 'escalated')`,
  rows_sessions: 'SELECT count(*)::int FROM sessions',
  rows_events: 'SELECT count(*)::int FROM fleet_events',
  database_connections: `SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend'`,
  database_mib: 'SELECT (pg_database_size(current_database()) / 1048576)::int',
};

export class Probe {
  readonly #pid: number;
  readonly #http: string;
  readonly #database: pg.Client;
  #queueTables: string[] | undefined;

  private constructor(pid: number, http: string, database: pg.Client) {
    this.#pid = pid;
    this.#http = http.replace(/\/$/, '');
    this.#database = database;
  }

  static async open(parts: { pid: number; http: string; databaseUrl: string }): Promise<Probe> {
    const database = new pg.Client({ connectionString: parts.databaseUrl });
    await database.connect();
    return new Probe(parts.pid, parts.http, database);
  }

  close(): Promise<void> {
    return this.#database.end();
  }

  /** Resident memory and open descriptors of the product's process. */
  process(): { rss_mib: number; descriptors: number } {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'utf8');
    const rss = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
    if (rss === undefined) throw new Error('the kernel tells no memory of the product');
    return {
      rss_mib: Number(rss) / KIB_PER_MIB,
      descriptors: readdirSync(`/proc/${this.#pid}/fd`).length,
    };
  }

  /** Some of its own metrics. */
  async metrics(): Promise<{ heap_mib: number; external_mib: number; loop_p99_ms: number; online: number }> {
    const text = await (await fetch(`${this.#http}/metrics`)).text();
    const read = (name: string) => {
      const line = text.split('\n').find((one) => one.startsWith(`${name} `));
      if (line === undefined) throw new Error(`/metrics has no ${name}`);
      return Number(line.slice(name.length + 1));
    };
    return {
      heap_mib: read('platen_nodejs_heap_size_used_bytes') / MIB,
      external_mib: read('platen_nodejs_external_memory_bytes') / MIB,
      loop_p99_ms: read('platen_nodejs_eventloop_lag_p99_seconds') * 1_000,
      online: read('platen_printers{presence="online"}'),
    };
  }

  async rows(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const [name, sql] of Object.entries(ROWS)) counts[name] = await this.#count(sql);
    this.#queueTables ??= (
      await this.#database.query<{ name: string }>(
        `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'bullmq'`,
      )
    ).rows.map(({ name }) => name);
    counts['rows_jobs'] = 0;
    counts['rows_queue_other'] = 0;
    for (const table of this.#queueTables) {
      const name = table === 'bullmq.job' ? 'rows_jobs' : 'rows_queue_other';
      counts[name] = (counts[name] ?? 0) + (await this.#count(`SELECT count(*)::int FROM ${table}`));
    }
    return counts;
  }

  async #count(sql: string): Promise<number> {
    const { rows } = await this.#database.query<Record<string, number>>(sql);
    return Object.values(rows[0] ?? {})[0] ?? 0;
  }
}
