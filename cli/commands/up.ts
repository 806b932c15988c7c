import { Command } from 'commander';
import { reasonOf } from '../../schemas/errors.ts';
import { addBrokerFlags, type BrokerFlags, readBrokerFlags } from '../broker-flags.ts';
import { startDemo } from '../demo.ts';
import { createLog } from '../log.ts';
import { openProduct, type Product } from '../product.ts';
import { addSettings, HTTP_SETTINGS, readSettings, type Settings } from '../settings.ts';
import { Story } from '../story.ts';
import { openUnlessStopped, stopInTime, stopSignal } from '../until-stopped.ts';

/** The number of printers in the demo of `npm start`. */
const STORY_PRINTERS = 25;
const SETTINGS = [
  'host',
  'mqttPort',
  'mqttsPort',
  ...HTTP_SETTINGS,
  'data',
  'databaseUrl',
  'redisUrl',
  'demo',
  'access',
  'log',
  'logLevel',
  'retentionDays',
] as const satisfies (keyof Settings)[];

/** `platen up`: broker, center and HTTP in one process. */
export function command(): Command {
  const up = new Command('up')
    .description('run broker, center and HTTP in one process')
    .option('--demo', `with ${STORY_PRINTERS} simulated printers that act out a demo`);
  addSettings(up, SETTINGS);
  addBrokerFlags(up);
  up.action(async (flags: { demo?: boolean }) => {
    const env = flags.demo ? { PLATEN_DEMO: String(STORY_PRINTERS), ...process.env } : process.env;
    await run(readSettings(up.opts(), env), readBrokerFlags(up));
  });
  return up;
}

async function run(settings: Settings, flags: BrokerFlags): Promise<void> {
  const log = createLog(settings.log, settings.logLevel);
  const stopped = stopSignal();
  const story = settings.log === 'story' ? new Story(process.stdout) : undefined;
  const product = await openUnlessStopped(stopped, log, (stop) => openProduct(settings, flags, log, stop));
  if (!product) {
    story?.say('stopped before it was ready');
    story?.stop();
    return;
  }
  if (story) product.center.capabilities.events.listen(story.hear);
  log.info({ ...product.addresses, admin: product.adminFile }, 'ready');
  story?.say(`ready  ${Object.values(product.addresses).join('  ')}  credentials: ${product.adminFile}`);
  await sayWhatIsKnown(product, story);

  let demo: { stop(): Promise<void> } | undefined;
  let signal = 'failure';
  try {
    if (settings.demo > 0) demo = await startDemo(product, settings.demo, log, story);
    signal = await stopped;
  } catch (error) {
    log.error({ reason: reasonOf(error) }, 'the demonstration did not start');
    process.exitCode = 1;
  }
  story?.say('stopping');
  await stopInTime(signal, log, async () => {
    await demo?.stop();
    story?.stop();
    await product.close();
  });
  story?.say('stopped');
}

/** Describes the stored state that this start resumes from. */
async function sayWhatIsKnown(product: Product, story: Story | undefined): Promise<void> {
  const { printers, verdict, troubles, campaigns } = await product.center.capabilities.summary.current();
  if (printers === 0) return;
  const verdicts = Object.entries(verdict).map(([status, count]) => `${count} ${status}`);
  story?.say(
    `going on: ${printers} printers known, ${verdicts.join(', ')}; ${troubles.open} open troubles, ${campaigns.running} running campaigns`,
  );
}
