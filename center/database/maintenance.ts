/**
 * Periodic maintenance of the store: creates partitions for data to come and drops what exceeds the retention, by a
 * clock that is checked for plausibility.
 */
import { reasonOf } from '../../schemas/errors.ts';
import type { Database } from './database.ts';
import { ENTRIES, Partitions, READINGS } from './partitions.ts';
import { dropHistory, dropStreams } from './retention.ts';
import { StoreClock } from './store-clock.ts';
import type { StoreLog } from './store-log.ts';

/** How long raw readings are kept; their totals by day and by supply stay. */
const READINGS_RETENTION_DAYS = 35;
const MAINTAIN_EVERY_MS = 3_600_000;
/** How often to look at the clock, and for its confirmation by an operator. */
const LOOK_EVERY_MS = 30_000;

export interface MaintenanceOptions {
  database: Database;
  log: StoreLog;
  retention_days: number;
  /** The machine's clock, in milliseconds since the epoch. */
  wall: () => number;
  /** Measures elapsed time. */
  steady: () => number;
}

async function readTrusted(database: Database): Promise<number | undefined> {
  const [row] = await database.query<{ trusted_at: Date | null }>('SELECT trusted_at FROM store_clock');
  return row?.trusted_at?.getTime();
}

/** Several centers may maintain one store: the latest trusted time of any of them is kept. */
async function keepTrusted(database: Database, time_ms: number): Promise<void> {
  await database.query('UPDATE store_clock SET trusted_at = greatest(trusted_at, $1)', [new Date(time_ms)]);
}

export class Maintenance {
  readonly clock: StoreClock;
  readonly partitions: Partitions;
  readonly readings: Partitions;
  readonly #options: MaintenanceOptions;
  #timers: NodeJS.Timeout[] = [];
  #told: string | undefined;

  private constructor(options: MaintenanceOptions, partitions: Partitions, clock: StoreClock) {
    this.#options = options;
    this.partitions = partitions;
    this.readings = new Partitions(options.database, READINGS);
    this.clock = clock;
  }

  /** Reads the time at which the store was last used. */
  static async open(options: MaintenanceOptions): Promise<Maintenance> {
    const { database, wall, steady, retention_days } = options;
    const partitions = new Partitions(database);
    // A store of an earlier version only knows its newest entry; a new one knows nothing.
    const trusted_ms = (await readTrusted(database)) ?? (await partitions.newest()) ?? wall();
    const clock = new StoreClock({ wall, steady, trusted_ms, retention_days });
    return new Maintenance(options, partitions, clock);
  }

  async run(): Promise<void> {
    const { database, retention_days, log } = this.#options;
    await this.partitions.ensure(this.clock.now());
    await this.readings.ensure(this.clock.now());
    await this.#look();
    if (this.clock.fault() !== undefined) return;
    const reference_ms = this.clock.reference(await this.partitions.newest());
    await this.partitions.drop(reference_ms, retention_days, log);
    await this.readings.drop(
      this.clock.reference(await this.readings.newest()),
      Math.min(READINGS_RETENTION_DAYS, retention_days),
      log,
    );
    await dropHistory(database, reference_ms, retention_days, log);
    await dropStreams(database, reference_ms, retention_days, log);
  }

  /** Runs every hour from now on. */
  start(): void {
    const failed = (error: unknown) =>
      this.#options.log.error({ reason: reasonOf(error) }, 'cannot maintain the store');
    this.#timers = [
      setInterval(() => void this.run().catch(failed), MAINTAIN_EVERY_MS),
      setInterval(() => void this.#look().catch(failed), LOOK_EVERY_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    // Losing it does little harm: the next start takes the gap for time in which the machine was off.
    if (this.#options.database.ready()) await keepTrusted(this.#options.database, this.clock.trusted());
  }

  async #look(): Promise<void> {
    const { database, log } = this.#options;
    if (!database.ready()) return;
    const known_ms = await readTrusted(database);
    if (known_ms !== undefined) this.clock.trust(known_ms);
    await keepTrusted(database, this.clock.trusted());
    const fault = this.clock.fault();
    if ((fault === undefined) !== (this.#told === undefined)) {
      if (fault === undefined) log.info('the clock is right again');
      else log.error({ fault }, 'the clock is wrong');
    }
    this.#told = fault;
  }
}

/**
 * An operator confirms the machine's clock. Stored data is then kept for a whole retention from now on, whatever times
 * it has.
 */
export async function acceptClock(database: Database, now_ms: number): Promise<void> {
  for (const table of [ENTRIES, READINGS]) await new Partitions(database, table).keepAll(now_ms);
  await keepTrusted(database, now_ms);
}
