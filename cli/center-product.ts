/**
 * The center alone, with an external broker: what `platen center` runs. That broker decides who may connect and which
 * topics they may use; the center still enforces the roles of operators.
 */
import type { Logger } from 'pino';
import type { Center } from '../center/center.ts';
import { createCenter } from '../center/compose.ts';
import { MqttLink } from '../center/link/link-mqtt.ts';
import { show } from '../center/metrics.ts';
import { PlatenError } from '../schemas/errors.ts';
import {
  address,
  centerOptions,
  closersOf,
  openHttp,
  openResources,
  readiness,
  repositoryAddress,
  tellExpiry,
} from './center-resources.ts';
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
 * @throws PlatenError setting/invalid, start/database, start/port, start/broker; whatever was opened is closed again
 */
export async function openCenterProduct(
  settings: Settings,
  log: Logger,
  stop: AbortSignal,
): Promise<CenterProduct> {
  const { broker } = settings;
  if (broker === undefined) {
    throw new PlatenError('setting/invalid', {
      name: 'PLATEN_BROKER',
      reason: 'the address of the broker is missing',
      hint: 'Give --broker mqtt://user:password@host:1883, or run platen up, which has a broker of its own.',
    });
  }
  const opened = closersOf(log);
  return opened.orClose(async () => {
    const link = new MqttLink({ url: broker, name: settings.centerName, log });
    const resources = await openResources(settings, 'platen center', { log, opened, stop });
    let center: Center | undefined;
    const http = await openHttp(settings, resources, { log, opened }, () => center, {
      link: () => readiness(link.connected, 'the broker is not reachable'),
      center: () => readiness(center !== undefined, 'the center does not listen yet'),
      queue: () => readiness(center?.queueFault() === undefined, center?.queueFault() ?? ''),
    });
    const base = address('http', settings.host, http.port, '/');
    show(resources.registry, {
      name: 'platen_set_aside_total',
      help: 'Messages over which the broker ended the connection each time, set aside since the start.',
      read: () => link.setAside,
    });
    const repositoryUrl = repositoryAddress(settings, http, log);
    const made = await createCenter(centerOptions(settings, resources, link, repositoryUrl, log));
    opened.add(() => made.stop());
    await made.start();
    tellExpiry(resources, made);
    center = made;
    stop.throwIfAborted();
    resources.tell({ http: base });
    return {
      addresses: { broker: withoutPassword(broker), http: base, repository: repositoryUrl },
      adminFile: resources.adminFile,
      close: () => opened.close(),
    };
  });
}
