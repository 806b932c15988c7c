/**
 * A campaign over a simulated fleet while the product is killed again and again (SIGKILL, which also drops every
 * connection), agents lose power at random journal entries, and the network of some of them is cut in the middle of
 * their downloads and installations. In the end every printer is proven, rolled back, or reported with a reason; none
 * is lost, and none carries out an order twice.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type Journal, type JournalState, memoryJournal } from '../../agent/updater/journal.ts';
import { createUpdater } from '../../agent/updater/updater.ts';
import type { Updater, UpdaterFactory } from '../../agent/updater-seam.ts';
import { randomFor } from '../../base/random.ts';
import { type SimulatedFleet, startFleet } from '../../device-sim/fleet.ts';
import { checkScenario, planFleet } from '../../device-sim/scenario.ts';
import { openLocalRepository } from '../../releases/local.ts';
import { customOf } from '../../releases/targets.ts';
import { tufTrust } from '../../releases/trust.ts';
import type { Campaign, Order } from '../../schemas/types.ts';
import { engineCatalog, enginePrinters } from '../harness/engine-catalog.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { testRedis } from '../harness/orders.ts';
import { freePort } from '../harness/ports.ts';
import { type RunningProduct, startProduct } from '../harness/product.ts';
import { type NetworkCuts, networkCuts } from './network-cuts.ts';

export interface Fire {
  printers: number;
  /** SIGKILLs of the product while the campaign runs. */
  kills: number;
  /** The queue is on Redis; instead of every other kill of the product, Redis is killed for a while, or emptied. */
  redis?: boolean;
  /** Probability that an agent loses power at a journal entry. */
  powerLoss: number;
  /** Share of the printers whose network is cut. */
  cut: number;
  /** How many downloads of each of them are interrupted. */
  cutsEach: number;
  seed: number;
  /** Longest time for the campaign after the last kill, in ms. */
  endsWithinMs: number;
}

export interface UnderFire {
  campaign: Campaign;
  /** Outcome for each printer, as the center reports it. */
  printers: Map<string, { is: string; error?: { code: string } }>;
  /** The engine version that each printer really has. */
  versions: Map<string, string | undefined>;
  powerLosses: number;
  kills: number;
  /** Printers whose network is cut, with the number of interrupted downloads and of cut connections. */
  cuts: Map<string, { downloads: number; connections: number }>;
  /** Downloads that resumed after an interruption. */
  resumed: number;
  /** Installations of each printer beyond the first that no power loss or rollback explains. */
  twice: string[];
}

const CATALOG = engineCatalog('under-fire', [{ version: '2.4.0' }, { version: '2.5.0', from: '>=2.3.0' }]);

const SCENARIO = {
  scenario: 'under-fire',
  seed: 1,
  populations: [
    {
      name: 'fleet',
      count: 1,
      ...enginePrinters('2.4.0'),
      install: { takes: 'PT0.4S', restart: 'PT0.2S', selfTestFails: 0.02 },
    },
  ],
};

/** The real updater, which loses power at random entries of its journal and restarts from its disk. */
function mortalUpdater(
  root: Buffer,
  fire: Fire,
  cuts: NetworkCuts,
  lost: (printer: string) => void,
): UpdaterFactory {
  const trust = tufTrust({ root });
  return (context) => {
    const random = randomFor(fire.seed, `power/${context.printer}`);
    const kept = memoryJournal();
    let life = 0;
    let inner: Updater;
    let order: Order | undefined;
    const boot = () => {
      const mine = ++life;
      const journal: Journal = {
        load: () => kept.load(),
        save: (state: JournalState) => {
          if (mine !== life) throw new Error('this agent is dead');
          const dies = random() < fire.powerLoss;
          if (!dies || random() < 0.5) kept.save(state);
          if (!dies) return;
          lost(context.printer);
          life++;
          context.after(100, () => {
            boot();
            inner.onOrder(order);
          });
          throw new Error('power lost');
        },
      };
      const report: typeof context.report = (said) => {
        if (mine === life) context.report(said);
      };
      inner = createUpdater({ journal, trust })({ ...context, folder: undefined, report });
    };
    boot();
    return {
      onOrder: (next) => {
        order = next && { ...next, repository: cuts.through(context.printer, next.repository) };
        inner.onOrder(order);
      },
      stop: () => inner.stop(),
    };
  };
}

/** Runs one campaign under fire to its end. */
export async function campaignUnderFire(fire: Fire): Promise<UnderFire> {
  const folder = temporaryFolder('platen-fire-');
  const data = join(folder, 'data');
  let redis = fire.redis ? await testRedis() : undefined;
  const env = {
    ...(redis ? { PLATEN_REDIS_URL: redis.url } : {}),
    PLATEN_MQTT_PORT: String(await freePort()),
    PLATEN_HTTP_PORT: String(await freePort()),
  };
  let product: RunningProduct = await startProduct({ data, env });
  const random = randomFor(fire.seed, 'kills');
  const powerLosses = new Map<string, number>();
  const connections = new Map<string, number>();
  let fleet: SimulatedFleet | undefined;
  const cutConnection = (printer: string) => {
    const agent = fleet?.agent(printer);
    if (!agent?.status.connected) return;
    connections.set(printer, (connections.get(printer) ?? 0) + 1);
    // A router that restarts, or one that is gone for a while, after which a new session begins.
    if (random() < 0.5) agent.cutConnection();
    else {
      agent.suspend();
      setTimeout(() => agent.resume(), random() * 2_000);
    }
  };
  const cuts = await networkCuts({
    seed: fire.seed,
    share: fire.cut,
    each: fire.cutsEach,
    onCut: cutConnection,
  });
  try {
    const repository = await openLocalRepository(join(data, 'repository'), join(data, 'keys'), Date.now);
    const [, engine] = CATALOG.software;
    if (!engine) throw new Error('the catalog has no engine');
    await repository.release([
      {
        image: Buffer.alloc(64 * 1024, 'e'),
        custom: customOf(engine, engine.releases[1] ?? { version: '' }),
      },
    ]);
    let operator = await product.operator();
    await operator.call('catalog.put', { document: CATALOG });
    const plan = planFleet(checkScenario(SCENARIO), fire.printers, fire.seed);
    const passwords: Record<string, string> = {};
    for (let at = 0; at < plan.printers.length; at += 500) {
      const printers = plan.printers.slice(at, at + 500).map(({ printer }) => printer);
      const { items } = (await operator.call('printers.enroll', { printers })) as {
        items: { printer: string; password: string }[];
      };
      for (const { printer, password } of items) passwords[printer] = password;
    }
    const started = startFleet({
      plan,
      passwords,
      url: product.mqtt,
      updater: mortalUpdater(repository.rootBytes() ?? Buffer.alloc(0), fire, cuts, (printer) =>
        powerLosses.set(printer, (powerLosses.get(printer) ?? 0) + 1),
      ),
      connectsPerSecond: 400,
      reconnectMs: { first: 200, most: 2_000 },
    });
    fleet = started;
    try {
      const names = started.plan.printers.map(({ printer }) => printer);
      const installs = new Map<string, number>();
      for (const name of names) {
        const driver = started.driver(name);
        if (!driver) continue;
        const install = driver.install.bind(driver);
        driver.install = (images, progress) => {
          installs.set(name, (installs.get(name) ?? 0) + 1);
          if (cuts.has(name)) cutConnection(name);
          return install(images, progress);
        };
      }
      let last = '';
      const until = async <T>(
        what: string,
        msMax: number,
        look: () => Promise<T | undefined>,
      ): Promise<T> => {
        for (const end = Date.now() + msMax; ; await sleep(300)) {
          const found = await look();
          if (found !== undefined) return found;
          if (Date.now() > end) throw new Error(`${what} took longer than ${msMax} ms: ${last}`);
        }
      };
      const software = { id: 'acme.engine', range: '2.5.0' };
      await until('connecting', 120_000, async () => {
        const preview = (await operator.call('campaigns.preview', { software, fleet: true })) as {
          targets: number;
        };
        return preview.targets === fire.printers ? true : undefined;
      });
      const options = { canaries: 20, canariesAtOnce: 20, wave: 200, tolerated: 0.2, promoteBelow: 0.5 };
      const created = (await operator.call('campaigns.create', {
        software,
        fleet: true,
        options,
      })) as unknown as Campaign;
      let kills = 0;
      for (; kills < fire.kills; kills++) {
        await sleep(500 + random() * 2_000);
        if (redis && kills % 3 === 1) {
          await redis.close();
          await sleep(1_000 + random() * 2_000);
          redis = await testRedis(redis.url);
          continue;
        }
        if (redis && kills % 3 === 2) {
          const client = new Redis(redis.url);
          await client.flushall();
          client.disconnect();
          continue;
        }
        await product.kill();
        product = await startProduct({ data, env });
      }
      operator = await product.operator();
      const campaign = await until('the campaign', fire.endsWithinMs, async () => {
        const now = (await operator.call('campaigns.get', { id: created.id })) as unknown as Campaign;
        if (now.state !== 'running' && now.state !== 'finished') throw new Error(JSON.stringify(now));
        last = JSON.stringify(now);
        return now.state === 'finished' ? now : undefined;
      });
      const printers: UnderFire['printers'] = new Map();
      for (let cursor: string | undefined; ; ) {
        const page = (await operator.call('campaigns.get', {
          id: created.id,
          limit: 500,
          ...(cursor === undefined ? {} : { cursor }),
        })) as { printers: { printer: string; is: string; error?: { code: string } }[]; next?: string };
        for (const each of page.printers) printers.set(each.printer, each);
        if (page.next === undefined) break;
        cursor = page.next;
      }
      const versions = new Map(
        names.map((name) => [name, started.driver(name)?.model.structure().units[0]?.software?.[0]?.version]),
      );
      const twice = names.filter((name) => (installs.get(name) ?? 0) > 1 + (powerLosses.get(name) ?? 0));
      const losses = [...powerLosses.values()].reduce((sum, n) => sum + n, 0);
      const cut = new Map(
        names
          .filter((name) => cuts.has(name))
          .map((name) => [
            name,
            { downloads: cuts.downloads.get(name) ?? 0, connections: connections.get(name) ?? 0 },
          ]),
      );
      const { resumed } = cuts;
      return { campaign, printers, versions, powerLosses: losses, kills, twice, cuts: cut, resumed };
    } finally {
      await started.stop();
    }
  } finally {
    await cuts.close();
    await product.stop();
    await redis?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
