import { join } from 'node:path';
import { createUpdater } from '../agent/updater/updater.ts';
import { startFleet } from '../device-sim/fleet.ts';
import { checkScenario, planFleet } from '../device-sim/scenario.ts';
import { openRepository } from '../releases/repository.ts';
import { tufTrust } from '../releases/trust.ts';
import type { Campaign } from '../schemas/types.ts';
import { eventually } from './harness/ear.ts';
import { engineCatalog, enginePrinters } from './harness/engine-catalog.ts';
import { useProduct } from './harness/setting.ts';

// Every installation succeeds and is proven, but printers with the release jam: only the log entries show it.
const CATALOG = engineCatalog('codes', [{ version: '2.4.0' }, { version: '2.5.0' }]);
const SCENARIO = {
  scenario: 'codes',
  seed: 1,
  populations: [
    {
      name: 'fleet',
      count: 60,
      ...enginePrinters('2.4.0'),
      install: { takes: 'PT1S', restart: 'PT1S', selfTestFails: 0 },
    },
  ],
};
const CANARIES = 12;
const WAVE = 5;
const END_MS_MAX = 120_000;
const setting = useProduct({ catalog: CATALOG, releases: true });

test('printers that never connected are no printers without the release: 30 that log and 120 that never did', async () => {
  const { product, operator } = setting;
  const plan = planFleet(checkScenario({ ...SCENARIO, scenario: 'few' }), 30, 2);
  for (const printer of plan.printers) printer.printer = `few-${printer.printer}`;
  const names = plan.printers.map(({ printer }) => printer);
  const never = Array.from({ length: 120 }, (_, at) => `few-never-${at}`);
  const { items } = (await operator.call('printers.enroll', { printers: [...names, ...never] })) as {
    items: { printer: string; password: string }[];
  };
  const trust = tufTrust({
    root: openRepository(join(product.data, 'repository')).rootBytes() ?? Buffer.alloc(0),
  });
  const fleet = startFleet({
    plan,
    passwords: Object.fromEntries(items.map(({ printer, password }) => [printer, password])),
    url: product.mqtt,
    updater: createUpdater({ trust }),
  });
  try {
    const what = { software: { id: 'acme.engine', range: '2.5.0' }, filter: { idPrefix: 'few-' } };
    await eventually(async () => {
      const { targets } = await operator.call('campaigns.preview', what);
      return targets === names.length;
    }, 'all are known');
    const ear = await setting.listen('platen/v1/fleet/campaigns/+');
    const { id } = (await operator.call('campaigns.create', {
      ...what,
      options: { canaries: 14, canariesAtOnce: 14, wave: 1, growth: 5, seed: 7, settle: 'PT0S' },
    })) as { id: string };
    const topic = `platen/v1/fleet/campaigns/${id}`;
    const half = await ear.hear<Told>(topic, ({ counts }) => (counts['proven'] ?? 0) >= 14);
    expect(half.state).toBe('running');
    // Now every printer logs it, with and without the release.
    for (const name of names) fleet.driver(name)?.emit({ code: 'J-1', severity: 'error' });
    const { state, guard, excluded } = await ear.hear<Told>(
      topic,
      (each) => each.state !== 'running',
      END_MS_MAX,
    );
    expect([state, excluded]).toEqual(['finished', { 'no-structure': 120 }]);
    const [code] = guard.codes;
    expect(code).toMatchObject({ code: 'J-1' });
    // All except printers whose orders begin or end at that moment.
    expect(code?.with).toBeGreaterThanOrEqual(8);
    expect(code?.without).toBeGreaterThanOrEqual(8);
    expect(code?.evidence).toBeLessThan(10);
    expect(guard.findings).toEqual([]);
  } finally {
    await fleet.stop();
  }
});

test('a release after which printers jam is halted by the code, with the evidence in its document', async () => {
  const { product, operator } = setting;
  const plan = planFleet(checkScenario(SCENARIO), 60, 1);
  const names = plan.printers.map(({ printer }) => printer);
  const { items } = (await operator.call('printers.enroll', { printers: names })) as {
    items: { printer: string; password: string }[];
  };
  const root = openRepository(join(product.data, 'repository')).rootBytes() ?? Buffer.alloc(0);
  const trust = tufTrust({ root });
  const fleet = startFleet({
    plan,
    passwords: Object.fromEntries(items.map(({ printer, password }) => [printer, password])),
    url: product.mqtt,
    updater: createUpdater({ trust }),
  });
  const jams: NodeJS.Timeout[] = [];
  try {
    const software = { id: 'acme.engine', range: '2.5.0' };
    await eventually(async () => {
      const { targets } = await operator.call('campaigns.preview', { software, fleet: true });
      return targets === names.length;
    }, 'all are known');
    for (const name of names) {
      const driver = fleet.driver(name);
      if (!driver) throw new Error(`${name} has no driver`);
      const install = driver.install.bind(driver);
      driver.install = async (images, progress) => {
        await install(images, progress);
        // Repeatedly, because entries logged during the update don't count.
        jams.push(setInterval(() => driver.emit({ code: 'J-7201', severity: 'error', unit: 'engine' }), 500));
      };
    }
    const ear = await setting.listen('platen/v1/fleet/campaigns/+');
    const { id } = (await operator.call('campaigns.create', {
      software,
      fleet: true,
      // A wave follows the canaries at once, because none of their installations fails.
      options: { canaries: CANARIES, canariesAtOnce: CANARIES, wave: WAVE, seed: 7, settle: 'PT0S' },
    })) as { id: string };
    const topic = `platen/v1/fleet/campaigns/${id}`;
    const { state, reason, guard, counts } = await ear.hear<Told>(
      topic,
      (campaign) => campaign.state !== 'running',
      END_MS_MAX,
    );
    expect([state, reason]).toEqual([
      'halted',
      expect.stringMatching(
        /^the release makes J-7201 more frequent than it is on printers without it \(first/,
      ),
    ]);
    expect(guard.failures).toBe(0);
    const [worst] = guard.codes;
    expect(worst).toMatchObject({ code: 'J-7201', without: 0 });
    expect(worst?.evidence).toBeGreaterThanOrEqual(worst?.needed ?? Number.POSITIVE_INFINITY);
    expect(guard.findings).toMatchObject([{ kind: 'worse', code: 'J-7201' }]);
    // Few have it: the canaries, and the first wave if it had begun. `campaigns.get` returns what was published.
    expect(guard.exposed).toBeLessThanOrEqual(CANARIES + WAVE);
    expect(counts['waiting']).toBeGreaterThanOrEqual(names.length - CANARIES - WAVE);
    const asked = (await operator.call('campaigns.get', { id })) as unknown as Told;
    expect(asked).toMatchObject({ state, reason, counts: { waiting: expect.any(Number) } });
    expect(asked.guard.codes[0]?.code).toBe('J-7201');
    const updated = names.filter(
      (name) => fleet.driver(name)?.model.structure().units[0]?.software?.[0]?.version === '2.5.0',
    );
    expect(updated.length).toBeGreaterThanOrEqual(worst?.with ?? 0);
    expect(updated.length).toBeLessThanOrEqual(CANARIES + WAVE);
  } finally {
    for (const jam of jams) clearInterval(jam);
    await fleet.stop();
  }
});

interface Told extends Campaign {
  guard: {
    failures: number;
    exposed: number;
    findings: { kind: string; code?: string; says: string }[];
    codes: { code: string; evidence: number; needed: number; with: number; without: number }[];
  };
}
