/**
 * Whatever requests software (a rule, a verdict, a printer that joins), it goes through a campaign with the guard. Real
 * agents against the real product.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Campaign, Catalog, FleetEvent } from '../schemas/types.ts';
import type { Ear } from './harness/ear.ts';
import { eventually } from './harness/ear.ts';
import { sampleStructure } from './harness/printer.ts';
import { useProduct } from './harness/setting.ts';
import { type Simulated, simulate } from './harness/simulated.ts';

const engineOf = (id: string, fixes?: string) => ({
  id,
  vendor: 'acme',
  scheme: 'semver' as const,
  releases: [{ version: '2.4.0' }, { version: '2.5.0', ...(fixes ? { fixes: [fixes] } : {}) }],
});
const CATALOG = {
  catalog: 'rollout-1',
  apparatus: ['RULE', 'MISFIT', 'JOIN', 'SITE'].map((model) => ({
    model,
    slots: [{ kind: 'engine', models: ['EN-36'], min: 1, max: 1 }],
  })),
  units: [{ model: 'EN-36', kind: 'engine' }],
  software: [
    engineOf('acme.ruled', 'J-7201'),
    engineOf('acme.misfit'),
    engineOf('acme.joined'),
    engineOf('acme.sited'),
    { id: 'acme.base', vendor: 'acme', scheme: 'semver', releases: [{ version: '1.0.0' }] },
  ],
} satisfies Catalog;
const ORDERS = 'platen/v1/fleet/events/order';
/** The same catalog with one mistyped requirement. */
const WRONG = {
  ...CATALOG,
  software: CATALOG.software.map((one) =>
    one.id === 'acme.base'
      ? {
          ...one,
          releases: [{ version: '1.0.0', requires: [{ software: 'acme.misfit', range: '>=2.5.0' }] }],
        }
      : one,
  ),
};
const RULES = {
  rules: 'rollout',
  list: [
    {
      id: 'jams',
      by: ['printer'],
      where: { all: [['code', '=', 'J-7201']] },
      when: { count: { ge: 1, over: 'PT72H' } },
      late: 'PT0S',
      clear: { quiet: 'PT1S' },
      dedup: 'PT0S',
      remedy: { software: 'fixes' },
      fleet: true,
      auto: true,
    },
  ],
};
const setting = useProduct({ catalog: CATALOG, rules: RULES, releases: true });
const running: Simulated[] = [];

afterAll(async () => {
  for (const { fleet } of running) await fleet.stop();
});

const begin = async (...group: Parameters<typeof simulate> extends [unknown, infer G] ? [G] : never) => {
  const simulated = await simulate(setting, group[0]);
  running.push(simulated);
  return simulated;
};

/** Printers of a group that ever got an order. */
function ordered(ear: Ear, { names }: Simulated): string[] {
  const offered = ear.all<FleetEvent>(ORDERS).filter(({ what }) => what === 'offered');
  const printers = new Set(offered.map(({ printer }) => printer));
  return names.filter((name) => printers.has(name));
}

async function known(model: string, count: number): Promise<void> {
  await eventually(
    async () => {
      const { items } = await setting.operator.call('printers.list', { filter: { model }, limit: 1000 });
      const judged = (items as { verdict: string }[]).filter(({ verdict }) => verdict !== 'none');
      return judged.length === count;
    },
    `${count} printers are judged`,
    60_000,
  );
}

const campaignsOf = async (): Promise<Campaign[]> =>
  (await setting.operator.call('campaigns.list', { limit: 100 }))['items'] as Campaign[];

test('a rule does not start again what the guard halted, until a person lifts it', async () => {
  const ear = await setting.listen(ORDERS);
  const group = await begin({
    name: 'rule',
    count: 40,
    model: 'RULE',
    engine: { 'acme.ruled': '2.4.0' },
    fails: 1,
  });
  await known('RULE', 40);
  // One printer after the other jams, until the campaign is halted, and for a while after that.
  const jam = (printer: number) =>
    group.fleet
      .driver(group.names[printer % 40] ?? '')
      ?.emit({ code: 'J-7201', severity: 'error', unit: 'engine' });
  let turn = 0;
  await eventually(
    async () => {
      jam(turn++);
      return (await campaignsOf()).some(({ state }) => state === 'halted');
    },
    'the guard halts it',
    120_000,
  );
  for (let after = 0; after < 20; after++) {
    jam(turn++);
    await sleep(200);
  }
  const campaigns = await campaignsOf();
  expect(campaigns.filter(({ cause }) => cause?.kind !== 'verdict')).toHaveLength(1);
  expect(campaigns[0]).toMatchObject({
    state: 'halted',
    cause: { kind: 'rule', rule: 'jams' },
    stopped: { releases: ['acme.ruled@2.5.0'], by: 'guard' },
  });
  const before = ordered(ear, group);
  expect(before.length).toBeLessThanOrEqual(15);

  // The stop is listed with the release; when a person lifts it with a reason, the campaign starts again with canaries.
  const { items } = (await setting.operator.call('releases.list', { software: 'acme.ruled' })) as {
    items: { custom: { version: string }; stopped?: unknown[] }[];
  };
  expect(items.find(({ custom }) => custom.version === '2.5.0')?.stopped).toHaveLength(1);
  await expect(setting.operator.call('campaigns.resume', { id: campaigns[0]?.id ?? '' })).rejects.toThrow(
    /reason/,
  );
  await setting.operator.call('releases.release', {
    software: 'acme.ruled',
    version: '2.5.0',
    reason: 'the self-test was wrong',
  });
  await eventually(() => ordered(ear, group).length > before.length, 'it goes on', 30_000);
  await eventually(async () => (await campaignsOf())[0]?.state === 'halted', 'and is halted again', 60_000);
  expect(ordered(ear, group).length).toBeLessThanOrEqual(30);

  // The same after a person's abort.
  await setting.operator.call('releases.release', {
    software: 'acme.ruled',
    version: '2.5.0',
    reason: 'once more',
  });
  const [{ id = '' } = {}] = await campaignsOf();
  await setting.operator.call('campaigns.abort', { id });
  // Events of the withdrawn orders arrive on another connection than the reply to the abort.
  await sleep(500);
  const after = ordered(ear, group).length;
  for (let more = 0; more < 6; more++) {
    jam(39 - more);
    await sleep(500);
  }
  expect(await campaignsOf()).toHaveLength(1);
  expect(ordered(ear, group).length).toBe(after);
}, 240_000);

test('a mistyped requirement in a catalog waits for a person, then goes by canaries and is halted', async () => {
  const ear = await setting.listen(ORDERS);
  const group = await begin({
    name: 'misfit',
    count: 60,
    model: 'MISFIT',
    apparatus: { 'acme.base': '1.0.0' },
    engine: { 'acme.misfit': '2.4.0' },
    fails: 1,
  });
  await known('MISFIT', 60);
  expect(
    await setting.operator.call('catalog.put', { document: { ...WRONG, catalog: 'rollout-2' } }),
  ).toMatchObject({
    misfits: 60,
    corrections: 'propose',
  });
  const mine = async () => (await campaignsOf()).filter(({ cause }) => cause?.kind === 'verdict');
  const [proposed] = await eventually(
    async () => {
      const list = await mine();
      return list[0]?.targets === 60 ? list : undefined;
    },
    'the corrections are proposed',
    60_000,
  );
  expect(proposed).toMatchObject({ state: 'proposed', cause: { mends: ['acme.misfit@2.5.0'] } });
  // Another catalog without changes does not let them through.
  await setting.operator.call('catalog.put', { document: { ...WRONG, catalog: 'rollout-3' } });
  await sleep(3_000);
  expect(ordered(ear, group)).toEqual([]);

  await setting.operator.call('campaigns.resume', { id: proposed?.id ?? '' });
  await eventually(async () => (await mine())[0]?.state === 'halted', 'it is halted', 60_000);
  expect(ordered(ear, group).length).toBeLessThanOrEqual(15);
  await sleep(3_000);
  expect(ordered(ear, group).length).toBeLessThanOrEqual(15);
  expect(await mine()).toHaveLength(1);
}, 240_000);

test('printers that join a campaign in its waves begin with canaries', async () => {
  const ear = await setting.listen(ORDERS);
  const spec = { model: 'JOIN', engine: { 'acme.joined': '2.4.0' }, takes: 'PT2S' };
  const first = await begin({ ...spec, name: 'first', count: 3 });
  // A printer that is offline with an open order keeps the campaign from finishing.
  const off = await setting.printer('off-1');
  await off.structure(
    sampleStructure({
      apparatus: { model: 'JOIN', software: [] },
      units: [
        {
          symbol: 'engine',
          kind: 'engine',
          model: 'EN-36',
          software: [{ id: 'acme.joined', vendor: 'acme', version: '2.4.0' }],
        },
      ],
    }),
  );
  await off.close();
  await known('JOIN', 4);
  // Canaries are drawn from online printers, so it must be seen as offline before the draw.
  await eventually(
    async () => {
      const { items } = await setting.operator.call('printers.list', {
        where: 'model=JOIN presence=offline',
        limit: 10,
      });
      return (items as { printer: string }[]).some(({ printer }) => printer === 'off-1');
    },
    'the one that is off is seen as offline',
    60_000,
  );
  const { id } = await setting.operator.call('campaigns.create', {
    software: { id: 'acme.joined', range: '2.5.0' },
    filter: { model: 'JOIN' },
  });
  const get = async () =>
    (await setting.operator.call('campaigns.get', { id: String(id) })) as unknown as Campaign;
  await eventually(
    async () => ((await get()).guard as { stage?: string }).stage === 'waves',
    'it is in its waves',
    60_000,
  );
  const many = await begin({ ...spec, name: 'many', count: 120 });
  await known('JOIN', 124);
  await eventually(async () => (await get()).targets === 124, 'they have joined', 120_000);
  await sleep(1_500);
  expect(ordered(ear, many).length).toBeLessThanOrEqual(8);
  const campaign = await get();
  expect(campaign).toMatchObject({ state: 'running', guard: { stage: 'canaries' } });
  expect(first.names).toHaveLength(3);
}, 240_000);

test('no more of a site than its share is under way at once, whatever a campaign allows', async () => {
  const ear = await setting.listen(ORDERS);
  const group = await begin({
    name: 'site',
    count: 4,
    model: 'SITE',
    site: 'hall-4',
    engine: { 'acme.sited': '2.4.0' },
  });
  await known('SITE', 4);
  const { id } = await setting.operator.call('campaigns.create', {
    software: { id: 'acme.sited', range: '2.5.0' },
    filter: { model: 'SITE' },
    options: { canaries: 4, canariesAtOnce: 4 },
  });
  const get = async () =>
    (await setting.operator.call('campaigns.get', { id: String(id) })) as unknown as Campaign;
  let waited = 0;
  await eventually(
    async () => {
      const { state, waits = {} } = await get();
      waited = Math.max(waited, waits['site-share'] ?? 0);
      return state === 'finished';
    },
    'the site is done',
    60_000,
  );
  expect(waited).toBeGreaterThanOrEqual(1);
  // Two of four at once: the first event of a third comes after another one's end.
  let out = 0;
  let most = 0;
  for (const { what, printer = '' } of ear.all<FleetEvent>(ORDERS)) {
    if (!group.names.includes(printer)) continue;
    if (what === 'offered') most = Math.max(most, ++out);
    if (what === 'proven') out--;
  }
  expect([most, out, ordered(ear, group).length]).toEqual([2, 0, 4]);
}, 120_000);
