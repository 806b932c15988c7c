import { Command } from 'commander';
import { openCenterProduct } from '../center-product.ts';
import { createLog } from '../log.ts';
import { addSettings, HTTP_SETTINGS, readSettings, type Settings } from '../settings.ts';
import { openUnlessStopped, stopInTime, stopSignal } from '../until-stopped.ts';

const SETTINGS = [
  'broker',
  'centerName',
  'host',
  ...HTTP_SETTINGS,
  'data',
  'databaseUrl',
  'redisUrl',
  'log',
  'logLevel',
  'retentionDays',
] as const satisfies (keyof Settings)[];

/** `platen center`: the center alone, as a client of a broker that isn't ours. */
export function command(): Command {
  const center = new Command('center').description('run the center as a client of another MQTT broker');
  addSettings(center, SETTINGS);
  center.action(() => run(readSettings(center.opts(), process.env)));
  return center;
}

async function run(settings: Settings): Promise<void> {
  const log = createLog(settings.log, settings.logLevel);
  const stopped = stopSignal();
  const product = await openUnlessStopped(stopped, log, (stop) => openCenterProduct(settings, log, stop));
  if (!product) return;
  log.info({ ...product.addresses, admin: product.adminFile }, 'ready');
  if (settings.log === 'story') {
    const { broker, http } = product.addresses;
    process.stdout.write(`ready  ${broker}  ${http}  credentials: ${product.adminFile}\n`);
  }
  await stopInTime(await stopped, log, () => product.close());
}
