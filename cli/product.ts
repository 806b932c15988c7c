/**
 * Broker, center and HTTP in one process: what `platen up` runs. The parts are opened in the order in which they need
 * one another and closed in the reverse order.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Broker, createBroker } from '../broker/broker.ts';
import { StoredAccounts } from '../center/accounts.ts';
import { type Center, createCenter } from '../center/center.ts';
import { SecurityNews } from '../center/fleet/security.ts';
import { startHttp } from '../center/http.ts';
import { CENTER_LIMITS } from '../center/limits.ts';
import { InProcessLink } from '../center/link-in-process.ts';
import { createRegistry } from '../center/metrics.ts';
import { openStore } from '../center/store/store.ts';
import { type LocalRepository, openLocalRepository } from '../center/update/release/local.ts';
import { reasonOf } from '../schemas/errors.ts';
import type { Settings } from './settings.ts';

export interface Product {
  readonly center: Center;
  readonly broker: Broker;
  readonly accounts: StoredAccounts;
  /** Where everything listens, for the ready line. */
  readonly addresses: { mqtt: string; mqtts?: string; http: string; webSocket: string; repository: string };
  readonly adminFile: string;
  readonly dataFolder: string;
  readonly repository: LocalRepository;
  close(): Promise<void>;
}

/** Names an address as a client would write it. */
function address(scheme: string, host: string, port: number, path = ''): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
}

/**
 * Opens everything.
 * @throws PlatenError start/database, start/port, setting/*; what was opened before is closed again
 */
export async function openProduct(settings: Settings, log: Logger): Promise<Product> {
  const closing: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const step of closing.reverse().splice(0)) {
      try {
        await step();
      } catch (error) {
        log.error({ reason: reasonOf(error) }, 'a part did not close cleanly');
      }
    }
  };
  try {
    mkdirSync(settings.data, { recursive: true });
    const store = await openStore({
      source:
        settings.databaseUrl === undefined ? { dataFolder: settings.data } : { url: settings.databaseUrl },
      log,
      retention_days: settings.retentionDays,
    });
    closing.push(() => store.close());
    const accounts = new StoredAccounts(store.credentials);
    const adminFile = join(settings.data, 'admin.json');
    await accounts.ensureAdmin(adminFile);

    const registry = createRegistry();
    const link = new InProcessLink();
    const broker = await createBroker({
      tcp: { host: settings.host, port: settings.mqttPort },
      log,
      identity: settings.access === 'open' ? 'open' : accounts,
      retained: store.retained,
      uplink: link.uplink,
    });
    link.attach(broker);
    accounts.onRevoked((name) => broker.revoke(name, 'rights-changed'));
    broker.metrics(registry);

    // A repository whose root ceremony was held elsewhere is served as it is; without one there is a local one.
    const repositoryFolder = join(settings.data, 'repository');
    const repository = await openLocalRepository(repositoryFolder, join(settings.data, 'keys'), Date.now);
    const stopTending = repository.tend(log);
    closing.push(async () => stopTending());
    const http = await startHttp({
      host: settings.host,
      port: settings.httpPort,
      repository: repositoryFolder,
      registry,
      readiness: {
        database: () =>
          store.database.ready()
            ? { ready: true }
            : { ready: false, reason: 'the database is not reachable' },
      },
      log,
    });
    closing.push(() => http.close());
    broker.attachWebSocket(http.server, '/mqtt');
    const repositoryUrl = address('http', settings.host, http.port, '/repository/');

    const center = await createCenter({
      store,
      link,
      accounts,
      registry,
      log,
      now: Date.now,
      repository,
      repositoryUrl,
      redisUrl: settings.redisUrl,
    });
    await store.ingest.allOffline();
    await center.start();
    closing.push(() => center.stop());
    broker.on('session', ({ name, state }) => {
      accounts.isPrinter(name).then(
        (printer) => printer && center.connection(name, state === 'connected'),
        (error: unknown) => log.warn({ name, reason: reasonOf(error) }, 'a presence was not stored'),
      );
    });
    const security = new SecurityNews(
      center.services.events,
      Date.now,
      CENTER_LIMITS.security_events_per_second_max,
    );
    broker.on('refused', (refusal) => {
      const { name } = refusal;
      const printer = name === undefined ? Promise.resolve(false) : accounts.isPrinter(name);
      printer.then(
        (is) => security.tell(refusal, is),
        (error: unknown) => log.warn({ name, reason: reasonOf(error) }, 'a refusal was not told'),
      );
    });
    // Before it listens: a listener that fails leaves others, and timers, that have to be closed.
    closing.push(() => broker.close());
    await broker.listen();
    const { tcp = '', tls } = broker.addresses;
    return {
      center,
      broker,
      accounts,
      adminFile,
      dataFolder: settings.data,
      repository,
      addresses: {
        mqtt: tcp,
        ...(tls === undefined ? {} : { mqtts: tls }),
        http: address('http', settings.host, http.port, '/'),
        webSocket: address('ws', settings.host, http.port, '/mqtt'),
        repository: repositoryUrl,
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
