import { join } from 'node:path';
import { createUpdater } from '../agent/updater/updater.ts';
import { startFleet } from '../device-sim/fleet.ts';
import { checkScenario, planFleet } from '../device-sim/scenario.ts';
import { openRepository } from '../releases/repository.ts';
import { tufTrust } from '../releases/trust.ts';
import type { Campaign, Catalog } from '../schemas/types.ts';
import { useProduct } from './harness/setting.ts';

// Every installation succeeds and is proven, but printers with the release jam. Only the log entries can tell.
const CATALOG = {
  catalog: 'codes',
  apparatus: [{ model: 'C360', slots: [{ kind: 'engine', models: ['EN-36'], min: 1, max: 1 }] }],
  units: [{ model: 'EN-36', kind: 'engine' }],
  software: [
    {
      id: 'acme.engine',
      vendor: 'acme',
      scheme: 'semver',
      releases: [{ version: '2.4.0' }, { version: '2.5.0' }],
    },
  ],
} satisfies Catalog;
const SCENARIO = {
  scenario: 'codes',
  seed: 1,
  populations: [
    {
      name: 'fleet',
      count: 60,
      apparatus: { model: 'C360', software: [] },
      units: [
        {
          symbol: 'engine',
          kind: 'engine',
          model: 'EN-36',
          software: [{ id: 'acme.engine', vendor: 'acme', version: '2.4.0' }],
        },
      ],
      install: { takes: 'PT1S', restart: 'PT1S', selfTestFails: 0 },
    },
  ],
};
const CANARIES = 12;
const setting = useProduct({ catalog: CATALOG, releases: true });

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
  try {
    const software = { id: 'acme.engine', range: '2.5.0' };
    for (let targets = 0; targets < names.length; ) {
      ({ targets } = (await operator.call('campaigns.preview', { software, fleet: true })) as {
        targets: number;
      });
    }
    for (const name of names) {
      const driver = fleet.driver(name);
      if (!driver) throw new Error(`${name} has no driver`);
      const install = driver.install.bind(driver);
      driver.install = async (images, progress) => {
        await install(images, progress);
        driver.emit({ code: 'J-7201', severity: 'error', unit: 'engine' });
      };
    }
    const ear = await setting.listen('platen/v1/fleet/campaigns/+');
    const { id } = (await operator.call('campaigns.create', {
      software,
      fleet: true,
      // A wave would follow the canaries at once: none of their installations fails.
      options: { canaries: CANARIES, canariesAtOnce: CANARIES, wave: 5, seed: 7 },
    })) as { id: string };
    // Common before and without the release, on every printer: no reason to halt anything.
    for (const name of names) fleet.driver(name)?.emit({ code: 'P-1000', severity: 'warning' });

    const topic = `platen/v1/fleet/campaigns/${id}`;
    const { state, reason, guard, counts } = await ear.hear<Told>(
      topic,
      (campaign) => campaign.state !== 'running',
    );
    expect([state, reason]).toEqual([
      'halted',
      'the release makes J-7201 more frequent than it is on printers without it',
    ]);
    expect(guard.failures).toBe(0);
    const [worst, ...others] = guard.codes;
    expect(worst).toMatchObject({ code: 'J-7201', without: 0 });
    expect(worst?.evidence).toBeGreaterThanOrEqual(worst?.needed ?? Number.POSITIVE_INFINITY);
    expect(others).toMatchObject([{ code: 'P-1000' }]);
    expect(others[0]?.evidence).toBeLessThan(others[0]?.needed ?? 0);
    expect(others[0]?.without).toBeGreaterThan(0);
    // Nobody but the canaries has it or will get it, and who asks is told what was published.
    expect(guard.exposed).toBeLessThanOrEqual(CANARIES);
    expect(counts['waiting']).toBeGreaterThanOrEqual(names.length - CANARIES);
    const asked = (await operator.call('campaigns.get', { id })) as unknown as Told;
    expect(asked).toMatchObject({ state, reason, counts: { waiting: expect.any(Number) } });
    expect(asked.guard.codes[0]?.code).toBe('J-7201');
    const updated = names.filter(
      (name) => fleet.driver(name)?.model.structure().units[0]?.software?.[0]?.version === '2.5.0',
    );
    expect(updated.length).toBeGreaterThanOrEqual(worst?.with ?? 0);
    expect(updated.length).toBeLessThanOrEqual(CANARIES);
  } finally {
    await fleet.stop();
  }
});

interface Told extends Campaign {
  guard: {
    failures: number;
    exposed: number;
    codes: { code: string; evidence: number; needed: number; with: number; without: number }[];
  };
}
