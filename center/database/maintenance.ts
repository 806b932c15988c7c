/**
 * What is done to the store without being asked: partitions for what will arrive, and dropping what is beyond the
 * retention, by a clock that is not believed blindly.
 */
import { reasonOf } from '../../schemas/errors.ts';
import type { Database } from './database.ts';
import { ENTRIES, Partitions, READINGS } from './partitions.ts';
import { dropHistory, dropStreams } from './retention.ts';
import { StoreClock } from './store-clock.ts';
import type { StoreLog } from './store-log.ts';

/** How long raw readings are kept; what they came to, by day and by supply, stays. */
const READINGS_RETENTION_DAYS = 35;
const MAINTAIN_EVERY_MS = 3_600_000;
/** How often the clock is looked at, and whether somebody said that it is right. */
const LOOK_EVERY_MS = 30_000;

export interface MaintenanceOptions {
  database: Database;
  log: StoreLog;
  retention_days: number;
  /** The machine's clock, in milliseconds since the epoch. */
  wall: () => number;
  /** Measures how much time passes. */
  steady: () => number;
}

async function readTrusted(database: Database): Promise<number | undefined> {
  const [row] = await database.query<{ trusted_at: Date | null }>('SELECT trusted_at FROM store_clock');
  return row?.trusted_at?.getTime();
}

/** Several centers may look after one store: what one of them knows to have come stays known. */
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

  /** Learns what time it was when the store was last used. */
  static async open(options: MaintenanceOptions): Promise<Maintenance> {
    const { database, wall, steady, retention_days } = options;
    const partitions = new Partitions(database);
    // A store of an earlier version knows only its newest entry, one that is new knows nothing.
    const trusted_ms = (await readTrusted(database)) ?? (await partitions.newest()) ?? wall();
    const clock = new StoreClock({ wall, steady, trusted_ms, retention_days });
    return new Maintenance(options, partitions, clock);
  }

  /** Does it now. */
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

  /** Does it every hour from now on. */
  start(): void {
    const failed = (error: unknown) =>
      this.#options.log.error({ reason: reasonOf(error) }, 'the store could not be looked after');
    this.#timers = [
      setInterval(() => void this.run().catch(failed), MAINTAIN_EVERY_MS),
      setInterval(() => void this.#look().catch(failed), LOOK_EVERY_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    // One that is lost knows less: the next start takes the gap for a machine that was off.
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
 * Somebody who knows says that the machine's clock is right. What is stored is then kept for a whole retention from now
 * on, whatever times it was given.
 */
export async function acceptClock(database: Database, now_ms: number): Promise<void> {
  for (const table of [ENTRIES, READINGS]) await new Partitions(database, table).keepAll(now_ms);
  await keepTrusted(database, now_ms);
}
