import { join } from 'node:path';
import { choose, compileCatalog } from '../../../compatibility/index.ts';
import { openLocalRepository } from '../../../releases/local.ts';
import type { Campaign, Order, UpdateReport } from '../../../schemas/types.ts';
import { checkReply, checkSchema } from '../../../schemas/validate.ts';
import {
  eventually,
  silent,
  type TestStore,
  testStore,
  testStructure,
} from '../../../tests/harness/orders.ts';
import { StoredFleet } from '../../fleet/fleet-queries.ts';
import { OrderService } from '../orders/order-service.ts';
import type { Question } from './campaign-asks.ts';
import { type Campaigns, createCampaigns } from './campaigns.ts';
import { RolloutSettingsStore } from './rollout-settings.ts';

let test_: TestStore;
let orders: OrderService;
let campaigns: Campaigns;
/** What a printer does with an order: the reports it sends, then the engine version that it shows. */
type Behaviour = (
  printer: string,
  order: Order,
) => { reports: UpdateReport['state'][]; shows?: string; code?: string };
let behave: Behaviour = () => ({ reports: [] });
const seen = new Set<string>();
const installed: string[] = [];
const documents = new Map<string, Campaign>();

const { catalog } = compileCatalog({
  catalog: 'test',
  apparatus: [{ model: 'C360', slots: [{ kind: 'engine', models: ['EN-36'], min: 1, max: 1 }] }],
  units: [{ model: 'EN-36', kind: 'engine' }],
  software: [
    { id: 'acme.controller', vendor: 'acme', scheme: 'semver', releases: [{ version: '3.1.0' }] },
    {
      id: 'acme.engine',
      vendor: 'acme',
      scheme: 'semver',
      releases: [{ version: '2.4.0' }, { version: '2.5.0' }, { version: '2.6.1', from: '>=2.5.0' }],
    },
  ],
});

beforeAll(async () => {
  test_ = await testStore();
  const { store } = test_;
  const repository = await openLocalRepository(
    join(test_.folder, 'repository'),
    join(test_.folder, 'keys'),
    Date.now,
  );
  await repository.release(
    ['2.5.0', '2.6.1'].map((version) => ({
      image: Buffer.from(`engine ${version}`),
      custom: { software: 'acme.engine', version },
    })),
  );
  orders = new OrderService({
    database: store.database,
    queue: { postgres: store.database.url },
    publish: async (topic, payload) => {
      const printer = /printers\/([^/]+)\/order$/.exec(topic)?.[1];
      if (printer !== undefined && payload !== '') onOrder(printer, JSON.parse(payload) as Order);
    },
    repository,
    repositoryUrl: 'http://127.0.0.1/repository/',
    tell: () => {},
    conclude: (conclusion) => campaigns.hear(conclusion),
    log: silent,
    now: Date.now,
  });
  campaigns = createCampaigns({
    orders,
    rollout: new RolloutSettingsStore(store.database),
    database: store.database,
    fleet: new StoredFleet(store, () => () => true, Date.now),
    repository,
    choose: (structure, wish) => choose(catalog, structure, wish),
    publish: async (topic, payload) => {
      const id = /fleet\/campaigns\/(.+)$/.exec(topic)?.[1];
      if (id !== undefined) documents.set(id, checkSchema('campaign', JSON.parse(payload)));
    },
    tell: () => {},
    audit: async () => {},
    log: silent,
    now: Date.now,
  });
  await orders.start();
  await campaigns.start();
});
afterAll(async () => {
  await campaigns.stop();
  await orders.stop();
  await test_.close();
});

/** A printer that takes the order and does as it is told to behave. */
function onOrder(printer: string, order: Order): void {
  const key = `${order.execution}/${order.attempt}`;
  if (order.cancel === true) {
    if (!seen.has(`${key}/cancel`)) {
      seen.add(`${key}/cancel`);
      void send(printer, order, ['cancelled'], 90);
    }
    return;
  }
  if (seen.has(key)) return;
  seen.add(key);
  const { reports, shows, code } = behave(printer, order);
  if (reports.includes('installing')) installed.push(printer);
  setTimeout(() => {
    send(printer, order, reports, 1, code)
      .then(async () => {
        if (shows === undefined) return;
        const executions = (await orders.store.active([printer])).map(({ id }) => id);
        await orders.onStructure(testStructure(shows, `after-${key}`), executions);
      })
      .catch(() => {});
  }, 2);
}

async function send(
  printer: string,
  order: Order,
  states: UpdateReport['state'][],
  from: number,
  code?: string,
) {
  for (const [at, state] of states.entries()) {
    const error = code !== undefined && at === states.length - 1 ? { error: { code, message: code } } : {};
    await orders.onUpdateReport(printer, {
      execution: order.execution,
      attempt: order.attempt,
      seq: from + at,
      state,
      ...error,
    });
  }
}

const good: Behaviour = (_printer, order) => ({
  reports: ['accepted', 'downloading', 'verified', 'installing', 'self-testing', 'claimed'],
  shows: order.steps.at(-1)?.to ?? '',
});
const bad: Behaviour = () => ({
  reports: ['accepted', 'verified', 'installing', 'rolled-back'],
  code: 'update/self-test-failed',
});

/** Enrols printers that have reported once. */
async function fleet(prefix: string, count: number, engine = '2.4.0', online = true): Promise<string[]> {
  const { store } = test_;
  const names = Array.from({ length: count }, (_, at) => `${prefix}-${String(at).padStart(4, '0')}`);
  await store.database.query(
    `INSERT INTO printers (id, online, last_seen) SELECT id, $2, now() FROM unnest($1::text[]) AS n(id)`,
    [names, online],
  );
  for (const name of names) await store.ingest.structure(name, testStructure(engine));
  return names;
}

const ended = (id: string) =>
  eventually(async () => {
    const campaign = await campaigns.get(id);
    return campaign.state === 'running' ? undefined : campaign;
  }, 30_000);

test('a campaign draws canaries, widens, and proves every printer', async () => {
  await fleet('good', 120);
  behave = good;
  const preview = await campaigns.preview({
    software: { id: 'acme.engine', range: '>=2.6' },
    filter: { idPrefix: 'good' },
  });
  expect([preview.targets, preview.excluded]).toEqual([120, {}]);
  const { id } = await campaigns.create(
    { software: { id: 'acme.engine', range: '>=2.6' }, filter: { idPrefix: 'good' }, options: { seed: 1 } },
    'ana',
  );
  const campaign = await ended(id);
  expect([campaign.state, campaign.counts, campaign.by]).toEqual(['finished', { proven: 120 }, 'ana']);
  expect(new Set(installed.filter((each) => each.startsWith('good'))).size).toBe(120);
  expect(installed.filter((each) => each.startsWith('good'))).toHaveLength(120);
  await eventually(() => (documents.get(id)?.state === 'finished' ? true : undefined));
});

test('a bad release is halted after a few printers, and what has not begun is withdrawn', async () => {
  await fleet('bad', 120);
  behave = bad;
  const { id } = await campaigns.create(
    { software: { id: 'acme.engine', range: '>=2.6' }, filter: { idPrefix: 'bad' }, options: { seed: 2 } },
    'ana',
  );
  const campaign = await ended(id);
  expect(campaign.state).toBe('halted');
  expect(campaign.reason).toMatch(/printers failed/);
  expect(installed.filter((each) => each.startsWith('bad')).length).toBeLessThanOrEqual(12);
  await expect(campaigns.resume(id, 'ana')).rejects.toMatchObject({ code: 'request/conflict' });
  // The operator knows better: those that failed are tried once more, their quarantine lifted.
  behave = good;
  await expect(campaigns.resume(id, 'ana', { retry: true })).rejects.toMatchObject({
    code: 'request/conflict',
  });
  await campaigns.resume(id, 'ana', { retry: true, reason: 'the self-test was wrong' });
  const after = await ended(id);
  // It began again, with canaries and without the evidence.
  expect([after.state, after.counts]).toEqual(['finished', { proven: 120 }]);
  expect(after.guard).toMatchObject({ failures: 0 });
});

test('printers that were tried again are no new evidence', async () => {
  await fleet('again', 40);
  let failing = 2;
  behave = (printer, order) => (failing-- > 0 ? bad(printer, order) : good(printer, order));
  const { id } = await campaigns.create(
    {
      software: { id: 'acme.engine', range: '2.6.1' },
      filter: { idPrefix: 'again' },
      options: { seed: 4, tolerated: 0.2 },
    },
    'ana',
  );
  const before = await ended(id);
  expect([before.state, before.guard]).toMatchObject(['paused', { failures: 2 }]);
  await campaigns.resume(id, 'ana', { retry: true });
  const after = await ended(id);
  // Those that failed were proven the second time: they count once, as what they were the first time.
  expect([after.state, after.counts]).toEqual(['paused', { proven: 10, waiting: 30 }]);
  expect(after.guard).toMatchObject({ exposed: 10, outcomes: 10, failures: 2 });
  await campaigns.resume(id, 'ana');
  const last = await ended(id);
  expect([last.state, last.counts]).toEqual(['finished', { proven: 40 }]);
  expect(last.guard).toMatchObject({ exposed: 40, outcomes: 40, failures: 2 });
});

test('printers without room promote nothing: they are told, and pause the campaign', async () => {
  await fleet('full', 160);
  behave = () => ({ reports: ['accepted', 'installing', 'failed'], code: 'update/no-space' });
  const { id } = await campaigns.create(
    { software: { id: 'acme.engine', range: '2.6.1' }, filter: { idPrefix: 'full' }, options: { seed: 5 } },
    'ana',
  );
  const campaign = await ended(id);
  expect(campaign.state).toBe('paused');
  expect(campaign.reason).toMatch(
    /too many orders ended without saying anything of the release \(update\/no-space/,
  );
  expect(campaign.guard).toMatchObject({ stage: 'canaries', failures: 0, outcomes: 0 });
  const { unrelated } = campaign.guard as { unrelated: Record<string, number> };
  expect(unrelated['update/no-space']).toBeGreaterThanOrEqual(8);
});

test('printers that are left out are told with the reason; two campaigns never share a printer', async () => {
  const [busy = ''] = await fleet('mixed', 4);
  await fleet('mixed-current', 2, '2.6.1');
  await fleet('mixed-strange', 1, '9.9.9');
  const { database } = test_.store;
  await database.query(`UPDATE printers SET labels = '{"update":"pinned"}' WHERE id = 'mixed-0001'`);
  await database.query(
    `UPDATE printers SET online = false, last_seen = now() - interval '40 days' WHERE id = 'mixed-0002'`,
  );
  behave = () => ({ reports: ['accepted'] });
  const first = await campaigns.create(
    { software: { id: 'acme.engine', range: '2.6.1' }, filter: { idPrefix: busy } },
    'ana',
  );
  await eventually(async () => ((await campaigns.get(first.id)).counts['accepted'] === 1 ? true : undefined));
  const preview = await campaigns.preview({
    software: { id: 'acme.engine', range: '2.6.1' },
    filter: { idPrefix: 'mixed' },
  });
  expect(preview.targets).toBe(1);
  expect(preview.excluded).toMatchObject({ busy: 1, pinned: 1, 'no-report': 1 });
  expect(preview.examples.find((each) => each.reason === 'busy')?.why).toMatch(/order|campaign/);
  await campaigns.abort(first.id, 'ana');
  expect((await ended(first.id)).state).toBe('aborted');
  await eventually(async () =>
    (await campaigns.get(first.id)).counts['cancelled'] === 1 ? true : undefined,
  );
});

test('nobody to update is said at once; a proposal waits; a pause holds', async () => {
  await expect(
    campaigns.create({ software: { id: 'acme.engine' }, filter: { idPrefix: 'nobody' } }, 'ana'),
  ).rejects.toMatchObject({ code: 'request/conflict' });
  await fleet('slow', 10);
  behave = good;
  const { id, state } = await campaigns.create(
    {
      software: { id: 'acme.engine', range: '2.6.1' },
      filter: { idPrefix: 'slow' },
      options: { propose: true },
    },
    'ana',
  );
  expect(state).toBe('proposed');
  behave = () => ({ reports: ['accepted'] });
  await campaigns.resume(id, 'ben');
  await eventually(async () => ((await campaigns.get(id)).counts['accepted'] ? true : undefined));
  await campaigns.pause(id, 'ana');
  // What had not begun to install is withdrawn and waits for its next order.
  await eventually(async () => {
    const { counts } = await campaigns.get(id);
    return counts['waiting'] === 10 ? true : undefined;
  });
  behave = good;
  await campaigns.resume(id, 'ana');
  expect((await ended(id)).counts).toEqual({ proven: 10 });
});

test('a printer that matches later joins', async () => {
  await fleet('join', 3);
  behave = () => ({ reports: ['accepted'] });
  const { id } = await campaigns.create(
    { software: { id: 'acme.engine', range: '2.6.1' }, filter: { idPrefix: 'join' } },
    'ana',
  );
  await fleet('join-late', 1);
  await orders.queue.add([{ nudge: { kind: 'campaign', id }, jobId: `now-${id}`, delayMs: 0 }]);
  const campaign = await eventually(async () => {
    const now = await campaigns.get(id);
    return now.targets === 4 ? now : undefined;
  });
  expect(campaign.targets).toBe(4);
  await campaigns.pause(id, 'ana');
  await eventually(async () => ((await campaigns.get(id)).counts['waiting'] === 4 ? true : undefined));
  // Not before: the one that joined may get its order late, and would be proven instead of waiting.
  behave = good;
  await campaigns.resume(id, 'ana');
  expect((await ended(id)).counts).toEqual({ proven: 4 });
});

test('a printer that falls silent while it installs pauses the campaign at once', async () => {
  await fleet('brick', 20);
  let brick = '';
  behave = (printer, order) => {
    brick ||= printer;
    return printer === brick ? { reports: ['accepted', 'installing'] } : good(printer, order);
  };
  const { id } = await campaigns.create(
    {
      software: { id: 'acme.engine', range: '2.6.1' },
      filter: { idPrefix: 'brick' },
      options: { canaries: 12, canariesAtOnce: 12, settle: 'PT0S', seed: 9 },
    },
    'ana',
  );
  const row = await eventually(async () => {
    const [active] = await orders.store.active([brick]);
    return active?.execution.state === 'installing' ? active : undefined;
  });
  await orders.store.apply(row.id, { type: 'timer', at: Date.now() + 3_600_000, online: false, random: 0 });
  const others = await eventually(async () => {
    const list = await campaigns.printers(id, 20);
    const proven = list
      .filter((each) => each['state'] === 'ended' && each['is'] === 'proven')
      .map((each) => String(each['printer']));
    return proven.length >= 11 ? proven : undefined;
  });
  // What a printer logs for information, or logged before the campaign, is not compared.
  const [one = '', two = '', three = ''] = others;
  const at = new Date().toISOString();
  campaigns.onEntries(one, [{ seq: 1, at, code: 'I-1', severity: 'info' }]);
  campaigns.onEntries(two, [{ seq: 1, at: '2026-01-01T00:00:00Z', code: 'J-0', severity: 'error' }]);
  campaigns.onEntries(three, [{ seq: 1, at, code: 'J-1', severity: 'error' }]);
  const campaign = await eventually(async () => {
    const now = await campaigns.get(id);
    return now.state === 'paused' ? now : undefined;
  });
  expect(campaign.reason).toBe(`${brick} fell silent while it installed: it may not start any more`);
  const guard = await eventually(async () => {
    const { guard: now } = (await campaigns.get(id)) as unknown as { guard: { codes: unknown[] } };
    return now.codes.length > 0 ? now : undefined;
  });
  expect(guard).toMatchObject({ suspectedBrick: brick, codes: [{ code: 'J-1', with: 1, without: 0 }] });
});

test.each([
  ['refuses its order', { reports: ['rejected' as const], code: 'update/cannot-install' }, 'rejected'],
  ['never answers its order', { reports: [] }, 'silent'],
])('a canary that %s gives its place to the next', async (_what, canary, end) => {
  const names = await fleet(end, 3);
  let first = '';
  behave = (printer, order) => {
    first ||= printer;
    return printer === first ? canary : good(printer, order);
  };
  const { id } = await campaigns.create(
    { software: { id: 'acme.engine', range: '2.6.1' }, printers: names, options: { seed: 3 } },
    'ana',
  );
  if (end === 'silent') {
    const row = await eventually(async () => {
      const [active] = first === '' ? [] : await orders.store.active([first]);
      return active?.execution.state === 'offered' ? active : undefined;
    });
    // One canary of three: while its order is open, nobody else has one.
    expect(await orders.store.active(names)).toHaveLength(1);
    for (let hour = 1; hour <= 4; hour++) {
      const at = Date.now() + hour * 3_600_000;
      await orders.store.apply(row.id, { type: 'timer', at, online: true, random: 0 });
    }
    await orders.queue.add([{ nudge: { kind: 'campaign', id }, jobId: `mute-${id}`, delayMs: 0 }]);
  }
  const campaign = await ended(id);
  expect([campaign.state, campaign.counts]).toEqual(['finished', { [end]: 1, proven: 2 }]);
});

const wanted = { id: 'acme.engine', range: '2.6.1' };
/** Lifts what the tests before aborted or had halted. */
async function liftAll(): Promise<void> {
  for (const { releases } of await campaigns.stops()) {
    for (const release of releases) await campaigns.release(release, 'ana', 'next test').catch(() => {});
  }
}
const byRule = (printers: string[], question = 'q1'): Question => ({
  key: `rule jams ${question}`,
  request: {
    printers,
    software: wanted,
    cause: { kind: 'rule', rule: 'jams', question, trouble: 't1' },
  },
  mode: 'automatic',
});

test('one question has one campaign that lives on; each order says why it was given', async () => {
  await liftAll();
  const [first = '', second = '', third = ''] = await fleet('ask', 3);
  const causes: unknown[] = [];
  behave = (printer, order) => {
    causes.push(order.cause);
    return good(printer, order);
  };
  const [one, two] = await Promise.all([campaigns.ask(byRule([first])), campaigns.ask(byRule([second]))]);
  expect([one.outcome, two.outcome]).toEqual(['created', 'joined']);
  const { campaign: id = '' } = one;
  expect(two.campaign).toBe(id);
  expect((await ended(id)).counts).toEqual({ proven: 2 });
  // It was over, and goes on with what it has learned.
  expect(await campaigns.ask(byRule([third]))).toMatchObject({ campaign: id, outcome: 'joined' });
  const after = await eventually(async () => {
    const now = await campaigns.get(id);
    return now.counts['proven'] === 3 && now.state === 'finished' ? now : undefined;
  });
  expect(after).toMatchObject({ by: 'rule jams', cause: { kind: 'rule', rule: 'jams', trouble: 't1' } });
  expect(causes).toEqual(Array(3).fill({ kind: 'rule', rule: 'jams', trouble: 't1' }));
});

test('a person, two rules and a campaign that want one printer in one second give it one order', async () => {
  await liftAll();
  const [name = ''] = await fleet('crowd', 1);
  behave = good;
  const person = { software: wanted, filter: { idPrefix: 'crowd' } };
  const results = await Promise.allSettled([
    campaigns.create(person, 'ana'),
    campaigns.create(person, 'ben'),
    campaigns.ask(byRule([name], 'q2')),
    campaigns.ask(byRule([name], 'q3')),
  ]);
  expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
  await eventually(() => (installed.includes(name) ? true : undefined));
  await eventually(async () => ((await orders.store.active([name])).length === 0 ? true : undefined));
  expect(installed.filter((each) => each === name)).toHaveLength(1);
});

test('what was halted or aborted is not begun again by a rule, until its stop is lifted or the rule is changed', async () => {
  await liftAll();
  const names = await fleet('stop', 60);
  behave = bad;
  const { campaign: id = '' } = await campaigns.ask(byRule(names.slice(0, 50), 'q4'));
  expect((await ended(id)).state).toBe('halted');
  const count = () => new Set(installed.filter((each) => each.startsWith('stop-'))).size;
  const before = count();
  expect(before).toBeLessThanOrEqual(12);
  for (const question of ['q4', 'q5', 'q6']) await campaigns.ask(byRule(names, question));
  expect(
    (await campaigns.preview({ software: wanted, printers: names })).excluded['stopped'],
  ).toBeGreaterThan(40);
  await expect(campaigns.create({ software: wanted, printers: names }, 'ana')).rejects.toThrow(/was stopped/);
  expect(count()).toBe(before);
  expect(await campaigns.get(id)).toMatchObject({
    stopped: { by: 'guard', releases: ['acme.engine@2.5.0'] },
  });

  // A rule that means something else is another question; what is known of the release stays known.
  await campaigns.noteRules([{ rule: 'jams', question: 'q7' }]);
  const changed = await campaigns.ask(byRule(names.slice(50), 'q7'));
  expect(changed.outcome).toBe('created');
  expect((await ended(changed.campaign ?? '')).state).toBe('halted');
  expect(count() - before).toBeLessThanOrEqual(4);

  behave = good;
  expect(await campaigns.release('acme.engine@2.5.0', 'ana', 'the self-test was wrong')).not.toEqual([]);
  await eventually(async () => {
    const { counts } = await campaigns.get(id);
    return (counts['proven'] ?? 0) >= 35 ? true : undefined;
  }, 30_000);
  await expect(campaigns.release('acme.engine@2.5.0', 'ana', 'again')).rejects.toMatchObject({
    code: 'request/not-found',
  });
});

test('a retry gives printers that failed another order, and the series is the guard replayed', async () => {
  const names = await fleet('replay', 40);
  let failing = 2;
  behave = (printer, order) => (failing-- > 0 ? bad(printer, order) : good(printer, order));
  const { id } = await campaigns.create(
    {
      software: { id: 'acme.engine', range: '>=2.6' },
      filter: { idPrefix: 'replay' },
      options: { seed: 5, tolerated: 0.2 },
    },
    'ana',
  );
  expect((await ended(id)).state).toBe('paused');
  await campaigns.resume(id, 'ana');
  const first = await ended(id);
  expect([first.state, first.counts]).toEqual(['finished', { proven: 38, 'rolled-back': 2 }]);
  const { evidence } = first.guard as { evidence: number };
  const { questions } = campaigns;
  const whole = { limit: 1_000, cursor: undefined };
  const before = await questions.series(id, whole);
  checkReply('campaigns.series', before);
  expect(before.items).toHaveLength(40);
  expect(before.items.filter(({ outcome }) => outcome === 'bad')).toHaveLength(2);
  expect(before.items.at(-1)?.evidence).toBe(evidence);
  expect(before.evidence).toBe(evidence);
  const paged = [];
  for (let cursor: string | undefined; ; ) {
    const page = await questions.series(id, { limit: 7, cursor });
    paged.push(...page.items);
    if (page.next === undefined) break;
    cursor = page.next;
  }
  expect(paged).toEqual(before.items);

  const failed = before.items.filter(({ outcome }) => outcome === 'bad').map(({ printer }) => printer);
  const proven = names.find((name) => !failed.includes(name)) ?? '';
  await expect(campaigns.retry(id, 'ana', [proven])).rejects.toThrow(`"${proven}" has not failed`);
  expect(await campaigns.retry(id, 'ana', failed.slice(0, 1))).toEqual(failed.slice(0, 1));
  const second = await eventually(async () => {
    const campaign = await campaigns.get(id);
    return campaign.counts['proven'] === 39 && campaign.state === 'finished' ? campaign : undefined;
  }, 30_000);
  expect(second.counts).toEqual({ proven: 39, 'rolled-back': 1 });
  // What failed once has failed: the evidence is what it was, and so is its replay.
  expect(second.guard).toMatchObject({ failures: 2, exposed: 40, evidence: evidence });
  const after = await questions.series(id, whole);
  expect(after.items.map(({ outcome }) => outcome)).toEqual(before.items.map(({ outcome }) => outcome));
  expect(after.items.find(({ printer }) => printer === failed[0])?.ended).toBe('proven');
  expect(await campaigns.retry(id, 'ana')).toEqual(failed.slice(1));
  await eventually(async () => {
    const { counts, state } = await campaigns.get(id);
    return counts['proven'] === 40 && state === 'finished' ? true : undefined;
  }, 30_000);
  await expect(campaigns.retry(id, 'ana')).rejects.toThrow('The campaign is finished');
});

test('each printer of a campaign says why nothing happens to it, and who is left out is told in full', async () => {
  const names = await fleet('why', 8);
  const { database } = test_.store;
  await database.query(`UPDATE printers SET labels = '{"update": "pinned"}' WHERE id = ANY($1)`, [
    names.slice(0, 5),
  ]);
  behave = () => ({ reports: [] });
  const wish = { software: { id: 'acme.engine', range: '>=2.6' }, filter: { idPrefix: 'why' } };
  const { questions } = campaigns;
  const would = [];
  for (let cursor: string | undefined; ; ) {
    const page = await questions.wouldLeaveOut(wish, undefined, { limit: 2, cursor });
    checkReply('campaigns.excluded', page);
    would.push(...page.items);
    if (page.next === undefined) break;
    cursor = page.next;
  }
  expect(would.map(({ printer, reason }) => [printer, reason])).toEqual(
    names.slice(0, 5).map((printer) => [printer, 'pinned']),
  );
  expect(await questions.wouldLeaveOut(wish, 'busy', { limit: 9, cursor: undefined })).toEqual({ items: [] });
  const { id } = await campaigns.create({ ...wish, options: { seed: 6 } }, 'ana');
  const page = { limit: 100, cursor: undefined };
  const told = await eventually(async () => {
    const targets = await questions.targets(id, undefined, page);
    return targets.items.some(({ is }) => is === 'offered') ? targets : undefined;
  });
  checkReply('campaigns.targets', told);
  expect(told.why).toContain('the canaries come first');
  const whys = (state: string) => told.items.filter((each) => each.state === state).map(({ why }) => why);
  expect(whys('dispatched')).toEqual(['its order is there; it has not answered yet']);
  expect(new Set(whys('waiting'))).toEqual(new Set([told.why]));
  expect(whys('excluded')).toEqual(Array(5).fill('its label "update" says "pinned"'));
  const leftOut = await questions.leftOut(id, undefined, { limit: 3, cursor: undefined });
  expect(leftOut.items).toHaveLength(3);
  expect((await questions.leftOut(id, 'pinned', { limit: 3, cursor: leftOut.next })).items).toHaveLength(2);
  await campaigns.pause(id, 'ana');
  const paused = await questions.targets(id, 'waiting', page);
  expect(paused.items[0]?.why).toBe('the campaign is paused: paused by ana (campaigns.resume)');
  await campaigns.abort(id, 'ana');
});
