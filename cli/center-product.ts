/**
 * The center alone, over a broker that isn't ours: what `platen center` runs. Who may connect and what they may touch
 * is that broker's business; the roles of operators are still the center's.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { StoredAccounts } from '../center/accounts.ts';
import { createCenter } from '../center/center.ts';
import { startHttp } from '../center/http.ts';
import { MqttLink } from '../center/link-mqtt.ts';
import { createRegistry } from '../center/metrics.ts';
import { openStore } from '../center/store/store.ts';
import { openLocalRepository } from '../center/update/release/local.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import type { Settings } from './settings.ts';

export interface CenterProduct {
  readonly addresses: { broker: string; http: string; repository: string };
  readonly adminFile: string;
  close(): Promise<void>;
}

function withoutPassword(url: string): string {
  const shown = new URL(url);
  shown.password = '';
  return shown.href;
}

/**
 * Opens the center.
 * @throws PlatenError setting/invalid, start/database, start/port, start/broker; what was opened is closed again
 */
export async function openCenterProduct(settings: Settings, log: Logger): Promise<CenterProduct> {
  if (settings.broker === undefined) {
    throw new PlatenError('setting/invalid', {
      name: 'PLATEN_BROKER',
      reason: 'the address of the broker is missing',
      hint: 'Give --broker mqtt://user:password@host:1883, or run platen up, which has a broker of its own.',
    });
  }
  const link = new MqttLink({ url: settings.broker, name: settings.centerName, log });
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
    const repositoryFolder = join(settings.data, 'repository');
    const repository = await openLocalRepository(repositoryFolder, join(settings.data, 'keys'), Date.now);
    const ready = (is: boolean, reason: string) => (is ? { ready: true } : { ready: false, reason });
    const http = await startHttp({
      host: settings.host,
      port: settings.httpPort,
      repository: repositoryFolder,
      registry,
      readiness: {
        database: () => ready(store.database.ready(), 'the database is not reachable'),
        broker: () => ready(link.connected, 'the broker is not reachable'),
      },
      log,
    });
    closing.push(() => http.close());
    const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host;
    const base = `http://${host}:${http.port}/`;
    const center = await createCenter({
      store,
      link,
      accounts,
      registry,
      log,
      now: Date.now,
      repository,
      repositoryUrl: `${base}repository/`,
      redisUrl: settings.redisUrl,
    });
    closing.push(() => center.stop());
    await center.start();
    return {
      addresses: { broker: withoutPassword(settings.broker), http: base, repository: `${base}repository/` },
      adminFile,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
