/**
 * The demo of `npm start`: a catalog, rules, signed releases and simulated printers that act out a story. It uses the
 * product as a customer would: printers are enrolled and speak MQTT, releases are signed and served.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createUpdater } from '../agent/updater/updater.ts';
import type { PrinterPlan } from '../device-sim/scenario.ts';
import { startStory, storyPast, storyPlan } from '../device-sim/story.ts';
import { readWholeJson, writeWholeSync } from '../files/whole-file.ts';
import { customOf } from '../releases/targets.ts';
import { tufTrust } from '../releases/trust.ts';
import type { Catalog, TroubleRules } from '../schemas/types.ts';
import { checkSchema } from '../schemas/validate.ts';
import { sayFigures } from './demo-figures.ts';
import type { Product } from './product.ts';
import type { Story } from './story.ts';

const BY = 'demonstration';
const IMAGE_BYTES = 256 * 1024;
const HASH_BYTES = 32;

function sample(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../deploy/samples/${name}`, import.meta.url), 'utf8'));
}

/** The image is the same at every start, because a published release never changes. */
function imageOf(name: string): Buffer {
  const image = Buffer.alloc(IMAGE_BYTES);
  for (let offset = 0; offset < IMAGE_BYTES; offset += HASH_BYTES) {
    createHash('sha256').update(`${name} ${offset}`).digest().copy(image, offset);
  }
  return image;
}

/** Installs the story's catalog and rules if there are none, and publishes a release for each version. */
async function prepare({ center, repository }: Product): Promise<void> {
  const { catalog, rules } = center.capabilities;
  if (!(await catalog.get())) await catalog.put(sample('story-catalog.json'), BY);
  if (!(await rules.get())) await rules.put(sample('story-rules.json') as TroubleRules, BY);
  const { software = [] } = checkSchema('catalog', sample('story-catalog.json')) as Catalog;
  const missing = software.flatMap((product) =>
    product.releases
      .filter(({ version }) => repository.target(product.id, version) === undefined)
      .map((release) => ({
        image: imageOf(`${product.id} ${release.version}`),
        custom: customOf(product, release),
      })),
  );
  if (missing.length > 0) await repository.release(missing);
}

/**
 * The passwords of the simulated printers: created at the first start and kept next to the printers' state. A printer
 * without one is new and gets past readings.
 */
async function passwordsFor(
  product: Product,
  folder: string,
  printers: PrinterPlan[],
): Promise<Record<string, string>> {
  const file = join(folder, 'passwords.json');
  const known = (readWholeJson(
    file,
    'It holds the passwords of the simulated printers. Remove it: they are enrolled again.',
  ) ?? {}) as Record<string, string>;
  const missing = printers.filter(({ printer }) => known[printer] === undefined);
  if (missing.length > 0) {
    for (const { time_ms, readings } of storyPast(missing, product.center.capabilities.now()))
      await product.ingest.pastReadings(time_ms, readings);
    const names = missing.map(({ printer }) => printer);
    for (const { printer, password } of await product.accounts.enroll(names, true)) known[printer] = password;
    writeWholeSync(file, JSON.stringify(known));
  }
  return known;
}

/** Starts the demo. A later start resumes from the saved state of the printers. */
export async function startDemo(
  product: Product,
  count: number,
  log: Logger,
  story: Story | undefined,
): Promise<{ stop(): Promise<void> }> {
  const folder = join(product.dataFolder, 'demo');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await prepare(product);
  const { printers } = storyPlan(count);
  const passwords = await passwordsFor(product, folder, printers);
  story?.say(
    `${printers.length} simulated printers are switched on: watch them for a minute, Ctrl-C ends it`,
  );
  const fleet = startStory({
    url: product.addresses.mqtt,
    passwords,
    count,
    folder,
    // Like real printers, these have the repository's root and trust only what it signs.
    updater: createUpdater({ trust: tufTrust({ root: product.repository.rootBytes() ?? Buffer.alloc(0) }) }),
    log,
  });
  const silence = story && sayFigures(product.center.capabilities, printers.length, story, log);
  return {
    stop: () => {
      silence?.();
      return fleet.stop();
    },
  };
}
