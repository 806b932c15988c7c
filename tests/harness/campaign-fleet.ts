/**
 * The real order and campaign services over a real Postgres, with printers in memory that behave as the test says. The
 * services can be killed: their memory is lost, and they continue from the database.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PoolClient } from 'pg';
import { StoredFleet } from '../../center/fleet/fleet-queries.ts';
import { type Campaigns, createCampaigns } from '../../center/update/campaigns/campaigns.ts';
import { RolloutSettingsStore } from '../../center/update/campaigns/rollout-settings.ts';
import { unaskedMisfits } from '../../center/update/campaigns/unasked-misfits.ts';
import type { Cause } from '../../center/update/cause.ts';
import { Corrections } from '../../center/update/corrections.ts';
import type { UpdateDatabase } from '../../center/update/orders/execution-store.ts';
import { OrderService } from '../../center/update/orders/order-service.ts';
import { choose, compileCatalog } from '../../compatibility/index.ts';
import { RepositoryEditor } from '../../releases/editor.ts';
import { signingKey } from '../../releases/keys.ts';
import { type LocalRepository, openLocalRepository } from '../../releases/local.ts';
import type { Campaign, Order, Structure, UpdateReport, Verdict } from '../../schemas/types.ts';
import { checkSchema } from '../../schemas/validate.ts';
import { engineCatalog } from './engine-catalog.ts';
import { eventually, silent, type TestStore, testStore, testStructure } from './orders.ts';

/** How a printer handles an order: the reports it sends, then the engine version it reports. */
export type Behaviour = (
  printer: string,
  order: Order,
) => { reports: UpdateReport['state'][]; shows?: string; code?: string };

/** Installs what it is ordered to install. */
export const good: Behaviour = (_printer, order) => ({
  reports: ['accepted', 'downloading', 'verified', 'installing', 'self-testing', 'claimed'],
  shows: order.steps.at(-1)?.to ?? '',
});

/** Fails its self-test and rolls back. */
export const bad: Behaviour = () => ({
  reports: ['accepted', 'verified', 'installing', 'rolled-back'],
  code: 'update/self-test-failed',
});

/** Accepts its order and does nothing more. */
export const idle: Behaviour = () => ({ reports: ['accepted'] });

const ENGINE = 'engine:acme.engine';

/** The catalog of these tests, with the given releases withdrawn. */
function catalogWith(withdrawn: ReadonlySet<string>) {
  const releases = [
    { version: '2.4.0' },
    { version: '2.5.0' },
    { version: '2.6.1', from: '>=2.5.0' },
    { version: '2.7.0', from: '>=2.5.0', status: 'staged' as const },
  ].map((release) => ({
    ...release,
    ...(withdrawn.has(release.version) ? { status: 'withdrawn' as const } : {}),
  }));
  const { catalog } = compileCatalog(engineCatalog('test', releases));
  if (!catalog) throw new Error('the catalog of the test is not right');
  return catalog;
}

/** The services from one start of the center to the next. */
interface Life {
  orders: OrderService;
  campaigns: Campaigns;
  corrections: Corrections;
  kill(): Promise<void>;
}

/** Passes a structure to the order service with the printer's open executions, as the product does. */
async function shown({ orders }: Life, printer: string, structure: Structure): Promise<void> {
  const executions = (await orders.store.active([printer])).map(({ id }) => id);
  await orders.onStructure(structure, executions);
}

export class CampaignFleet {
  /** How printers behave from now on. */
  behave: Behaviour = () => ({ reports: [] });
  /** Printers in the order in which they began to install. */
  readonly installed: string[] = [];
  /** Each campaign as last published. */
  readonly documents = new Map<string, Campaign>();
  readonly told: { what: string; data: Record<string, unknown> }[] = [];
  readonly audited: { actor: string; method: string; params: Record<string, unknown> }[] = [];
  /** Whether lifting a stop may restart a campaign with this cause. */
  mayRestart: (cause: Cause | undefined) => boolean = () => true;
  /** Awaited before an order is published; the payload is '' when the order is withdrawn. */
  beforeOrder: (printer: string, payload: string) => Promise<void> | undefined = () => undefined;
  /** Published orders, in order; the payload is '' when the retained order is cleared. */
  readonly published: { printer: string; payload: string; at: number }[] = [];
  /** Printers that are off: they receive their order when they come back. */
  readonly #off = new Set<string>();
  /** The retained order of each printer. */
  readonly #retained = new Map<string, Order>();
  readonly repository: LocalRepository;
  readonly #opened: TestStore;
  readonly #seen = new Set<string>();
  #withdrawn = new Set<string>();
  #catalog = catalogWith(this.#withdrawn);
  #life: Life | undefined;
  #isClosed = false;

  private constructor(opened: TestStore, repository: LocalRepository) {
    this.#opened = opened;
    this.repository = repository;
  }

  /** Opens a database and a repository with releases of the engine (2.7.0 is staged), and starts the services. */
  static async open(): Promise<CampaignFleet> {
    const opened = await testStore();
    const { folder } = opened;
    const repository = await openLocalRepository(join(folder, 'repository'), join(folder, 'keys'), Date.now);
    await repository.release(
      ['2.5.0', '2.6.1', '2.7.0'].map((version) => ({
        image: Buffer.from(`engine ${version}`),
        custom: { software: 'acme.engine', version },
      })),
    );
    const fleet = new CampaignFleet(opened, repository);
    await fleet.start();
    return fleet;
  }

  get store() {
    return this.#opened.store;
  }
  get orders(): OrderService {
    return this.#alive().orders;
  }
  get campaigns(): Campaigns {
    return this.#alive().campaigns;
  }
  get corrections(): Corrections {
    return this.#alive().corrections;
  }

  #alive(): Life {
    if (!this.#life) throw new Error('the services were killed and not started again');
    return this.#life;
  }

  /** Starts the services on the current database. */
  async start(): Promise<void> {
    const life = this.#open();
    this.#life = life;
    await life.orders.start();
    await life.campaigns.start();
    life.corrections.start();
  }

  /** Ends the services as a kill does: nothing is finished, and pending writes and publishes are lost. */
  async kill(): Promise<void> {
    const life = this.#alive();
    this.#life = undefined;
    await life.kill();
  }

  async close(): Promise<void> {
    const life = this.#life;
    this.#isClosed = true;
    this.#life = undefined;
    if (life) {
      await life.campaigns.stop();
      await life.corrections.stop();
      await life.orders.stop();
    }
    await this.#opened.close();
  }

  #open(): Life {
    const { store } = this.#opened;
    let isDead = false;
    const alive = () => {
      if (isDead) throw new Error('this center was killed');
    };
    const database: UpdateDatabase = {
      query: async (text, values) => {
        alive();
        const rows = await store.database.query(text, values);
        alive();
        return rows as never;
      },
      transaction: async (work) => {
        alive();
        const result = await store.database.transaction((client) =>
          work({
            query: (...args: Parameters<PoolClient['query']>) => {
              alive();
              return client.query(...args);
            },
          } as PoolClient),
        );
        alive();
        return result;
      },
    };
    const { repository } = this;
    const orders = new OrderService({
      database,
      queue: { postgres: store.database.url },
      publish: async (topic, payload) => {
        alive();
        const printer = /printers\/([^/]+)\/order$/.exec(topic)?.[1];
        if (printer === undefined) return;
        await this.beforeOrder(printer, payload);
        alive();
        this.published.push({ printer, payload, at: Date.now() });
        if (payload === '') this.#retained.delete(printer);
        else {
          const order = checkSchema('order', JSON.parse(payload));
          this.#retained.set(printer, order);
          this.#onOrder(printer, order);
        }
      },
      repository,
      repositoryUrl: 'http://127.0.0.1/repository/',
      tell: () => undefined,
      conclude: (conclusion) => campaigns.hear(conclusion),
      log: silent,
      now: Date.now,
    });
    const campaigns = createCampaigns({
      orders,
      rollout: new RolloutSettingsStore(database),
      database,
      fleet: new StoredFleet(store, () => () => true, Date.now),
      repository,
      choose: (structure, wish) => choose(this.#catalog, structure, wish),
      mayRestart: async (cause) => this.mayRestart(cause),
      onLifted: () => corrections.askUnasked(),
      isWithdrawn: (software, version) => software === 'acme.engine' && this.#withdrawn.has(version),
      publish: async (topic, payload) => {
        const id = /fleet\/campaigns\/(.+)$/.exec(topic)?.[1];
        if (id !== undefined && !isDead) this.documents.set(id, checkSchema('campaign', JSON.parse(payload)));
      },
      tell: (what, data) => void (isDead || this.told.push({ what, data })),
      audit: async (actor, method, params) => void (isDead || this.audited.push({ actor, method, params })),
      log: silent,
      now: Date.now,
    });
    const corrections = new Corrections(
      orders,
      {
        settings: () => campaigns.rollout.get(),
        isHeld: async () => false,
        ask: (question) => campaigns.ask(question),
        unasked: (after, limit) => unaskedMisfits(database, after, limit),
        tell: (what, data) => void (isDead || this.told.push({ what, data })),
      },
      silent,
    );
    return {
      orders,
      campaigns,
      corrections,
      kill: async () => {
        isDead = true;
        await Promise.allSettled([campaigns.stop(), corrections.stop(), orders.stop()]);
      },
    };
  }

  /** Puts a catalog in force in which these versions of the engine are withdrawn. */
  withdraw(...versions: string[]): void {
    this.#withdrawn = new Set(versions);
    this.#catalog = catalogWith(this.#withdrawn);
    this.campaigns.onReleases();
  }

  /** Revokes a version of the engine in the repository, as another process with access to its keys would. */
  async revoke(version: string, why: string): Promise<void> {
    const key = (role: string) =>
      signingKey(readFileSync(join(this.#opened.folder, 'keys', `${role}.pem`), 'utf8'), role);
    const editor = new RepositoryEditor(join(this.#opened.folder, 'repository'), Date.now);
    await editor.revoke('acme.engine', version, why);
    await editor.sign('targets', [key('targets')]);
    await editor.publish({ snapshot: [key('snapshot')], timestamp: [key('timestamp')] });
    await this.repository.look(silent);
  }

  /** Enrols printers that have reported once. */
  async printers(prefix: string, count: number, engine = '2.4.0', online = true): Promise<string[]> {
    const { store } = this.#opened;
    const names = Array.from({ length: count }, (_, at) => `${prefix}-${String(at).padStart(4, '0')}`);
    await store.database.query(
      `INSERT INTO printers (id, online, last_seen) SELECT id, $2, now() FROM unnest($1::text[]) AS n(id)`,
      [names, online],
    );
    await Promise.all(names.map((name) => store.ingest.structure(name, testStructure(engine))));
    return names;
  }

  /** Stores a verdict that gives the printer's engine this version, as judging its structure would. */
  async judge(printer: string, to: string): Promise<Verdict> {
    const structure = await this.store.verdicts.currentStructure(printer);
    if (!structure) throw new Error(`${printer} has no structure`);
    const from = structure.units[0]?.software?.[0]?.version ?? '';
    const { session, revision } = structure;
    const verdict = {
      structure: { session, revision },
      catalog: 'test',
      at: new Date().toISOString(),
      status: 'incompatible',
      findings: [
        { rule: 'acme.engine is too old', subjects: [ENGINE], level: 'function', message: 'too old' },
      ],
      remedy: { software: [{ subject: ENGINE, from, to }], structure: [], steps: [[ENGINE, to]], changes: 1 },
    } as unknown as Verdict;
    await this.store.verdicts.putVerdict(printer, verdict);
    return verdict;
  }

  /** Judges a printer and requests the correction, as the product does. */
  async misfit(printer: string, to: string): Promise<void> {
    const verdict = await this.judge(printer, to);
    const structure = await this.store.verdicts.currentStructure(printer);
    if (structure) this.corrections.onVerdict(printer, structure, verdict);
  }

  /** A printer reports, in a new session, that its engine runs this version. */
  async reports(printer: string, version: string): Promise<void> {
    const structure = testStructure(version, randomUUID());
    await this.store.ingest.structure(printer, structure);
    await this.#toService((life) => shown(life, printer, structure));
  }

  /** The engine version that a printer reported last. */
  async shows(printer: string): Promise<string | undefined> {
    const structure = await this.store.verdicts.currentStructure(printer);
    return structure?.units[0]?.software?.[0]?.version;
  }

  /** Waits until a campaign is no longer running. */
  ended(id: string, msMax = 30_000): Promise<Campaign> {
    return eventually(async () => {
      const campaign = await this.campaigns.get(id);
      return campaign.state === 'running' ? undefined : campaign;
    }, msMax);
  }

  /** Switches a printer on or off. */
  async turn(printer: string, on: boolean): Promise<void> {
    await this.store.database.query('UPDATE printers SET online = $2, last_seen = now() WHERE id = $1', [
      printer,
      on,
    ]);
    if (!on) {
      this.#off.add(printer);
      return;
    }
    this.#off.delete(printer);
    const order = this.#retained.get(printer);
    if (order) this.#onOrder(printer, order);
    await this.#toService(async ({ orders }) => {
      await orders.onOnline((await orders.store.active([printer])).map(({ id }) => id));
    });
  }

  /** Deletes orders, campaigns and all evidence about releases. Only while the services are down. */
  async forgetUpdates(): Promise<void> {
    if (this.#life) throw new Error('the services are running');
    await this.store.database.query(
      `TRUNCATE campaign_targets, campaign_events, campaign_compared, campaigns, executions, release_stops,
                release_evidence, release_exposures, quarantine, set_aside, budget_starts CASCADE`,
    );
    await this.store.database.query('UPDATE printers SET online = false');
    this.installed.length = 0;
    this.published.length = 0;
  }

  /** A printer receives an order and follows `behave`. */
  #onOrder(printer: string, order: Order): void {
    if (this.#off.has(printer)) return;
    const key = `${order.execution}/${order.attempt}`;
    if (order.cancel === true) {
      if (this.#seen.has(`${key}/cancel`)) return;
      this.#seen.add(`${key}/cancel`);
      this.#send(printer, order, ['cancelled'], 90)
        // The test has ended.
        .catch(() => undefined);
      return;
    }
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const { reports, shows, code } = this.behave(printer, order);
    setTimeout(() => {
      this.#send(printer, order, reports, 1, code)
        .then(async () => {
          if (shows === undefined) return;
          const structure = testStructure(shows, `after-${key}`);
          await this.store.ingest.structure(printer, structure);
          await this.#toService((life) => shown(life, printer, structure));
        })
        // The test has ended.
        .catch(() => undefined);
    }, 2);
  }

  async #send(printer: string, order: Order, states: UpdateReport['state'][], from: number, code?: string) {
    const { execution, attempt } = order;
    for (const [at, state] of states.entries()) {
      if (state === 'installing') this.installed.push(printer);
      const last = at === states.length - 1;
      const error = code !== undefined && last ? { error: { code, message: code } } : {};
      const report: UpdateReport = { execution, attempt, seq: from + at, state, ...error };
      await this.store.ingest.update(printer, report);
      await this.#toService((life) => life.orders.onUpdateReport(printer, report));
    }
  }

  /** A message to the services, repeated until one run of them has handled it, as with QoS 1. */
  async #toService(say: (life: Life) => Promise<void>): Promise<void> {
    for (;;) {
      if (this.#isClosed) throw new Error('the fleet is closed');
      const life = this.#life;
      if (life) {
        try {
          await say(life);
          return;
        } catch (error) {
          if (this.#life === life) throw error;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
