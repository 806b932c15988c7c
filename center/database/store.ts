/**
 * The whole store: the database with everything that is kept in it, opened and closed together.
 */
import { reasonOf } from '../../schemas/errors.ts';
import { Credentials } from '../accounts/credential-store.ts';
import { FacetRows } from '../fleet/facet-store.ts';
import { LabelRows } from '../fleet/label-store.ts';
import { PolicyRows } from '../fleet/policy-store.ts';
import { PrinterLists } from '../fleet/printer-lists.ts';
import { Printers } from '../fleet/printer-store.ts';
import { RemovalStore } from '../fleet/removal-store.ts';
import { IngestWriter } from '../ingest/ingest.ts';
import { PrinterWriter } from '../ingest/printer-writer.ts';
import { ReadingRows } from '../readings/reading-store.ts';
import { ReportRows } from '../readings/report-store.ts';
import { VerdictRows } from '../verdicts/verdict-store.ts';
import { Audit } from './audit-store.ts';
import { type Database, type DatabaseSource, openDatabase } from './database.ts';
import { Documents } from './document-store.ts';
import { Maintenance } from './maintenance.ts';
import { PostgresRetained } from './retained-store.ts';
import type { StoreClock } from './store-clock.ts';
import type { StoreLog } from './store-log.ts';

/** How long entries are kept when nothing is set. */
export const RETENTION_DAYS_DEFAULT = 400;

export interface StoreOptions {
  source: DatabaseSource;
  log: StoreLog;
  /** Older entries are dropped, a whole partition at a time, and older reports row by row. */
  retention_days?: number;
  /** The center's clock, in milliseconds since the epoch. */
  now?: () => number;
  /** A clock that only measures elapsed time, in milliseconds. */
  steady?: () => number;
  /** Aborts a start under way. */
  stop?: AbortSignal;
}

export interface Store {
  readonly database: Database;
  readonly ingest: IngestWriter;
  readonly retained: PostgresRetained;
  readonly credentials: Credentials;
  readonly documents: Documents;
  readonly policies: PolicyRows;
  readonly audit: Audit;
  readonly printers: Printers;
  readonly lists: PrinterLists;
  readonly facets: FacetRows;
  readonly labels: LabelRows;
  readonly readings: ReadingRows;
  readonly reports: ReportRows;
  readonly removals: RemovalStore;
  readonly verdicts: VerdictRows;
  /** The time by which ages are measured; it knows what is wrong with the machine's clock. */
  readonly clock: StoreClock;
  /** Creates partitions ahead and drops what exceeds the retention; runs at the start and then every hour. */
  maintain(): Promise<void>;
  /** Waits for what is under way, then closes the database. */
  close(): Promise<void>;
}

/** The id of a database: constant over restarts, and unique. */
export async function readIdentity(database: Database): Promise<string> {
  const [row] = await database.query<{ id: string }>('SELECT id FROM store_identity');
  return row?.id ?? '';
}

/**
 * Opens the store.
 * @throws PlatenError start/database
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { log, retention_days = RETENTION_DAYS_DEFAULT, now = Date.now } = options;
  const { steady = () => performance.now() } = options;
  const database = await openDatabase(options.source, log, options.stop);
  let maintenance: Maintenance;
  try {
    maintenance = await Maintenance.open({ database, log, retention_days, wall: now, steady });
    await maintenance.run();
  } catch (error) {
    await database.close();
    throw error;
  }
  maintenance.start();
  const { clock, partitions, readings } = maintenance;
  const stamp = () => clock.now();
  const writer = new PrinterWriter(database, stamp);
  const ingest = new IngestWriter(database, writer, { entries: partitions, readings }, stamp);
  const verdicts = new VerdictRows(database, writer);
  const lists = new PrinterLists(database);
  return {
    database,
    ingest,
    retained: new PostgresRetained(database),
    credentials: new Credentials(database),
    documents: new Documents(database),
    policies: new PolicyRows(database),
    audit: new Audit(database),
    printers: new Printers(database),
    lists,
    facets: new FacetRows(database, lists),
    labels: new LabelRows(database),
    readings: new ReadingRows(database),
    reports: new ReportRows(database),
    removals: new RemovalStore(database),
    verdicts,
    clock,
    maintain: () => maintenance.run(),
    async close() {
      await ingest.close();
      await writer.close();
      await maintenance.stop().catch((error: unknown) => {
        log.warn({ reason: reasonOf(error) }, 'cannot store the time of the end');
      });
      await database.close();
    },
  };
}
