import { Command } from 'commander';
import { reasonOf } from '../../schemas/errors.ts';
import { startDemo } from '../demo.ts';
import { createLog } from '../log.ts';
import { openProduct } from '../product.ts';
import { addSettings, readSettings, type Settings } from '../settings.ts';
import { Story } from '../story.ts';

/** Printers of the demonstration that `npm start` shows. */
const STORY_PRINTERS = 25;
const SETTINGS = [
  'host',
  'mqttPort',
  'mqttsPort',
  'httpPort',
  'data',
  'databaseUrl',
  'redisUrl',
  'demo',
  'access',
  'log',
  'logLevel',
  'retentionDays',
] as const satisfies (keyof Settings)[];
/** Contract: stopped within 10 s of SIGTERM; beyond it the process ends itself and says so. */
const STOP_MS_MAX = 9_500;

/** `platen up`: broker, center and HTTP in one process. */
export function command(): Command {
  const up = new Command('up')
    .description('run broker, center and HTTP in one process')
    .option('--demo', `with ${STORY_PRINTERS} simulated printers that live through a story`);
  addSettings(up, SETTINGS);
  up.action(async (flags: { demo?: boolean }) => {
    const env = flags.demo ? { PLATEN_DEMO: String(STORY_PRINTERS), ...process.env } : process.env;
    await run(readSettings(up.opts(), env));
  });
  return up;
}

async function run(settings: Settings): Promise<void> {
  const log = createLog(settings.log, settings.logLevel);
  const stopped = new Promise<NodeJS.Signals | 'SIGPIPE'>((resolve) => {
    // Whoever read our output has gone (`platen up | head`): that is a stop, not a crash.
    process.stdout.on('error', () => resolve('SIGPIPE'));
    // The first signal stops cleanly; a second one of the same kind ends the process at once, as Node does by default.
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  const product = await openProduct(settings, log);
  const story = settings.log === 'story' ? new Story(process.stdout) : undefined;
  if (story) product.center.services.events.listen(story.hear);
  log.info({ ...product.addresses, admin: product.adminFile }, 'ready');
  story?.say(`ready  ${Object.values(product.addresses).join('  ')}  credentials: ${product.adminFile}`);

  const known = await product.center.services.summary.current();
  if (known.printers > 0) {
    const verdicts = Object.entries(known.verdict).map(([status, count]) => `${count} ${status}`);
    story?.say(
      `going on: ${known.printers} printers known, ${verdicts.join(', ')}; ${known.troubles.open} open troubles, ${known.campaigns.running} running campaigns`,
    );
  }

  let demo: { stop(): Promise<void> } | undefined;
  try {
    if (settings.demo > 0) demo = await startDemo(product, settings.demo, log, story);
  } catch (error) {
    log.error({ reason: reasonOf(error) }, 'the demonstration did not start');
    process.exitCode = 1;
  }
  const signal = process.exitCode === 1 ? 'failure' : await stopped;
  log.info({ signal }, 'stopping');
  story?.say('stopping');
  const guard = setTimeout(() => {
    log.fatal({ code: 'stop/late' }, `not stopped within ${STOP_MS_MAX / 1_000} s: ending now`);
    process.exit(1);
  }, STOP_MS_MAX);
  guard.unref();
  await demo?.stop();
  story?.stop();
  await product.close();
  log.info('stopped');
  story?.say('stopped');
  clearTimeout(guard);
}
