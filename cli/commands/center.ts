import { Command } from 'commander';
import { openCenterProduct } from '../center-product.ts';
import { createLog } from '../log.ts';
import { addSettings, readSettings, type Settings } from '../settings.ts';

const SETTINGS = [
  'broker',
  'centerName',
  'host',
  'httpPort',
  'data',
  'databaseUrl',
  'redisUrl',
  'log',
  'logLevel',
  'retentionDays',
] as const satisfies (keyof Settings)[];
/** Contract: stopped within 10 s of SIGTERM; beyond it the process ends itself and says so. */
const STOP_MS_MAX = 9_500;

/** `platen center`: the center alone, as a client of a broker that isn't ours. */
export function command(): Command {
  const center = new Command('center').description('run the center as a client of another MQTT broker');
  addSettings(center, SETTINGS);
  center.action(() => run(readSettings(center.opts(), process.env)));
  return center;
}

async function run(settings: Settings): Promise<void> {
  const log = createLog(settings.log, settings.logLevel);
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  const product = await openCenterProduct(settings, log);
  log.info({ ...product.addresses, admin: product.adminFile }, 'ready');
  if (settings.log === 'story') {
    const { broker, http } = product.addresses;
    process.stdout.write(`ready  ${broker}  ${http}  credentials: ${product.adminFile}\n`);
  }
  const signal = await stopped;
  log.info({ signal }, 'stopping');
  const guard = setTimeout(() => {
    log.fatal({ code: 'stop/late' }, `not stopped within ${STOP_MS_MAX / 1_000} s: ending now`);
    process.exit(1);
  }, STOP_MS_MAX);
  guard.unref();
  await product.close();
  clearTimeout(guard);
  log.info('stopped');
}
