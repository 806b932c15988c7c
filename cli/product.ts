/**
 * Broker, center and HTTP in one process: what `platen up` runs.
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Closers } from '../base/closers.ts';
import { Authority } from '../broker/access/authority.ts';
import { type Broker, createBroker } from '../broker/broker.ts';
import type { TlsEndpoint } from '../broker/listeners/sockets.ts';
import type { StoredAccounts } from '../center/accounts/accounts.ts';
import type { Center } from '../center/center.ts';
import { createCenter } from '../center/compose.ts';
import { SecurityNews } from '../center/fleet/security.ts';
import type { IngestWriter } from '../center/ingest/ingest.ts';
import { CENTER_LIMITS } from '../center/limits.ts';
import { InProcessLink } from '../center/link/link-in-process.ts';
import { show } from '../center/metrics.ts';
import type { LocalRepository } from '../releases/local.ts';
import { reasonOf } from '../schemas/errors.ts';
import type { BrokerFlags } from './broker-flags.ts';
import {
  address,
  centerOptions,
  closersOf,
  openHttp,
  openResources,
  readiness,
  repositoryAddress,
  serverHosts,
  tellExpiry,
} from './center-resources.ts';
import type { Settings } from './settings.ts';

export interface Product {
  readonly center: Center;
  readonly broker: Broker;
  readonly accounts: StoredAccounts;
  readonly ingest: IngestWriter;
  /** The listening addresses, for the ready line. */
  readonly addresses: { mqtt: string; mqtts?: string; http: string; webSocket: string; repository: string };
  readonly adminFile: string;
  readonly dataFolder: string;
  readonly repository: LocalRepository;
  close(): Promise<void>;
}

/** The TLS listener with the product's own authority, if a TLS port is set. */
async function openTls(
  settings: Settings,
  log: Logger,
  opened: Closers,
  registry: Registry,
): Promise<{ authority: Authority; endpoint: TlsEndpoint } | undefined> {
  const { host, mqttsPort: port } = settings;
  if (port === undefined) return undefined;
  const authority = await Authority.open(join(settings.data, 'tls'), Date.now);
  opened.add(() => authority.close());
  authority.onFailed((error) =>
    log.error({ reason: reasonOf(error) }, 'the list of client certificates cannot be read'),
  );
  const { key, cert } = await authority.server(serverHosts(settings));
  show(registry, {
    name: 'platen_certificate_expires_seconds',
    help: 'Time until a certificate expires: of the authority, and of the server for MQTT over TLS.',
    label: 'certificate',
    read: () => {
      const seconds = Object.entries(authority.expiries()).map(([name, at]) => [
        name,
        (at - Date.now()) / 1_000,
      ]);
      return Object.fromEntries(seconds) as Record<string, number>;
    },
  });
  return {
    authority,
    endpoint: {
      host,
      port,
      key,
      cert,
      clientAuthority: authority.certificate,
      isRevoked: authority.isRevoked,
      enrolmentOf: authority.enrolmentOf,
    },
  };
}

/**
 * Opens everything.
 * @throws PlatenError start/database, start/port, setting/*; whatever was opened is closed again
 */
export async function openProduct(
  settings: Settings,
  flags: BrokerFlags,
  log: Logger,
  stop: AbortSignal,
): Promise<Product> {
  const opened = closersOf(log);
  return opened.orClose(async () => {
    const resources = await openResources(settings, 'platen up', { log, opened, stop });
    const { store, accounts, adminFile, registry, repository } = resources;
    const link = new InProcessLink();
    const tls = await openTls(settings, log, opened, registry);
    const broker = await createBroker({
      tcp: { host: settings.host, port: settings.mqttPort },
      tls: tls?.endpoint,
      log,
      identity: settings.access === 'open' ? 'open' : accounts,
      retained: store.retained,
      uplink: link.uplink,
      ...flags,
    });
    link.attach(broker);
    accounts.onRevoked((name, enrolment) => {
      broker.revoke(name, 'rights-changed');
      try {
        tls?.authority.revokeEarlier(name, enrolment);
      } catch (error) {
        // They are still refused because of their enrolment; only the list doesn't show it.
        log.error(
          { name, reason: reasonOf(error) },
          'the certificates of this name could not be marked as revoked',
        );
      }
    });
    tls?.authority.onRevoked((name) => broker.revoke(name, 'certificate-revoked'));
    broker.metrics(registry);
    let center: Center | undefined;
    let listening = false;
    const http = await openHttp(settings, resources, { log, opened }, () => center, {
      broker: () => {
        const fault = listening ? broker.fault() : 'MQTT does not listen';
        return readiness(fault === undefined, fault ?? '');
      },
      center: () => readiness(center !== undefined, 'the center does not listen yet'),
      queue: () => readiness(center?.queueFault() === undefined, center?.queueFault() ?? ''),
    });
    // This must happen before the center publishes.
    await broker.load();
    const repositoryUrl = repositoryAddress(settings, http, log);

    const made = await createCenter(centerOptions(settings, resources, link, repositoryUrl, log));
    opened.add(() => made.stop());
    await store.ingest.allOffline();
    await made.start();
    tellExpiry(resources, made);
    center = made;
    broker.on('session', ({ name, role, state }) => {
      const connected = state === 'connected';
      if (role !== undefined) {
        if (role === 'printer') made.connection(name, connected);
        return;
      }
      // With open access nobody is authenticated: a client is a printer if its name is that of a printer.
      accounts.isPrinter(name).then(
        (printer) => printer && made.connection(name, connected),
        (error: unknown) => log.warn({ name, reason: reasonOf(error) }, 'a presence was not stored'),
      );
    });
    const security = new SecurityNews(
      made.capabilities.events,
      Date.now,
      CENTER_LIMITS.security_events_per_second_max,
    );
    broker.on('refused', (refusal) => {
      const { name } = refusal;
      const printer = name === undefined ? Promise.resolve(false) : accounts.isPrinter(name);
      printer.then(
        (is) => security.tell(refusal, is),
        (error: unknown) =>
          log.warn({ name, reason: reasonOf(error) }, 'a refusal was not published as an event'),
      );
    });
    // This comes before listening: when one listener fails, the others and their timers must be closed.
    opened.add(() => broker.close());
    // Not together with HTTP: nothing would yet handle a client that connects.
    broker.attachWebSocket(http.server, '/mqtt');
    await broker.listen();
    listening = true;
    // It stops being ready as soon as it starts to close.
    opened.add(() => {
      listening = false;
    });
    stop.throwIfAborted();
    const { tcp = '', tls: mqtts } = broker.addresses;
    const addresses = {
      mqtt: tcp,
      ...(mqtts === undefined ? {} : { mqtts }),
      http: address('http', settings.host, http.port, '/'),
      webSocket: address('ws', settings.host, http.port, '/mqtt'),
      repository: repositoryUrl,
    };
    resources.tell({ mqtt: addresses.mqtt, http: addresses.http });
    return {
      center: made,
      broker,
      accounts,
      ingest: store.ingest,
      adminFile,
      dataFolder: settings.data,
      repository,
      addresses,
      close: () => opened.close(),
    };
  });
}
