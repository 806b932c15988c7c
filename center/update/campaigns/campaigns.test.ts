import { checkReply } from '../../../schemas/validate.ts';
import { bad, CampaignFleet, good } from '../../../tests/harness/campaign-fleet.ts';
import { eventually } from '../../../tests/harness/orders.ts';
import type { Question } from './campaign-asks.ts';

let world: CampaignFleet;

beforeAll(async () => {
  world = await CampaignFleet.open();
});
afterAll(() => world.close());

test('a campaign draws canaries, widens, and proves every printer', async () => {
  await world.printers('good', 120);
  world.behave = good;
  const preview = await world.campaigns.preview({
    software: { id: 'acme.engine', range: '>=2.6' },
    filter: { idPrefix: 'good' },
  });
  expect([preview.targets, preview.excluded]).toEqual([120, {}]);
  const { id } = await world.campaigns.create(
    { software: { id: 'acme.engine', range: '>=2.6' }, filter: { idPrefix: 'good' }, options: { seed: 1 } },
    'ana',
  );
  const campaign = await world.ended(id);
  expect([campaign.state, campaign.counts, campaign.by]).toEqual(['finished', { proven: 120 }, 'ana']);
  expect(new Set(world.installed.filter((each) => each.startsWith('good'))).size).toBe(120);
  expect(world.installed.filter((each) => each.startsWith('good'))).toHaveLength(120);
  await eventually(() => (world.documents.get(id)?.state === 'finished' ? true : undefined));
});

test('a bad release is halted after a few printers, and what has not begun is withdrawn', async () => {
  await world.printers('bad', 120);
  world.behave = bad;
  const { id } = await world.campaigns.create(
    { software: { id: 'acme.engine', range: '>=2.6' }, filter: { idPrefix: 'bad' }, options: { seed: 2 } },
    'ana',
  );
  const campaign = await world.ended(id);
  expect(campaign.state).toBe('halted');
  expect(campaign.reason).toMatch(/printers failed/);
  expect(world.installed.filter((each) => each.startsWith('bad')).length).toBeLessThanOrEqual(12);
  await expect(world.campaigns.resume(id, 'ana')).rejects.toMatchObject({ code: 'request/conflict' });
  // The operator knows better: those that failed are tried once more, their quarantine lifted.
  world.behave = good;
  await expect(world.campaigns.resume(id, 'ana', { retry: true })).rejects.toMatchObject({
    code: 'request/conflict',
  });
  await world.campaigns.resume(id, 'ana', { retry: true, reason: 'the self-test was wrong' });
  const after = await world.ended(id);
  // It began again, with canaries and without the evidence.
  expect([after.state, after.counts]).toEqual(['finished', { proven: 120 }]);
  expect(after.guard).toMatchObject({ failures: 0 });
});

test('printers that were tried again are no new evidence', async () => {
  await world.printers('again', 40);
  let failing = 2;
  world.behave = (printer, order) => (failing-- > 0 ? bad(printer, order) : good(printer, order));
  const { id } = await world.campaigns.create(
    {
      software: { id: 'acme.engine', range: '2.6.1' },
      filter: { idPrefix: 'again' },
      options: { seed: 4, tolerated: 0.2 },
    },
    'ana',
  );
  const before = await world.ended(id);
  expect([before.state, before.guard]).toMatchObject(['paused', { failures: 2 }]);
  await world.campaigns.resume(id, 'ana', { retry: true });
  const after = await world.ended(id);
  // Those that failed were proven the second time: they count once, as what they were the first time.
  expect([after.state, after.counts]).toEqual(['paused', { proven: 10, waiting: 30 }]);
  expect(after.guard).toMatchObject({ exposed: 10, outcomes: 10, failures: 2 });
  await world.campaigns.resume(id, 'ana');
  const last = await world.ended(id);
  expect([last.state, last.counts]).toEqual(['finished', { proven: 40 }]);
  expect(last.guard).toMatchObject({ exposed: 40, outcomes: 40, failures: 2 });
});

test('printers without room promote nothing: they are told, and pause the campaign', async () => {
  await world.printers('full', 160);
  world.behave = () => ({ reports: ['accepted', 'installing', 'failed'], code: 'update/no-space' });
  const { id } = await world.campaigns.create(
    { software: { id: 'acme.engine', range: '2.6.1' }, filter: { idPrefix: 'full' }, options: { seed: 5 } },
    'ana',
  );
  const campaign = await world.ended(id);
  expect(campaign.state).toBe('paused');
  expect(campaign.reason).toMatch(
    /too many orders ended without saying anything of the release \(update\/no-space/,
  );
  expect(campaign.guard).toMatchObject({ stage: 'canaries', failures: 0, outcomes: 0 });
  const { unrelated } = campaign.guard as { unrelated: Record<string, number> };
  expect(unrelated['update/no-space']).toBeGreaterThanOrEqual(8);
});

test('printers that are left out are told with the reason; two campaigns never share a printer', async () => {
  const [busy = ''] = await world.printers('mixed', 4);
  await world.printers('mixed-current', 2, '2.6.1');
  await world.printers('mixed-strange', 1, '9.9.9');
  const { database } = world.store;
  await database.query(`UPDATE printers SET labels = '{"update":"pinned"}' WHERE id = 'mixed-0001'`);
  await database.query(
    `UPDATE printers SET online = false, last_seen = now() - interval '40 days' WHERE id = 'mixed-0002'`,
  );
  world.behave = () => ({ reports: ['accepted'] });
  const first = await world.campaigns.create(
    { software: { id: 'acme.engine', range: '2.6.1' }, filter: { idPrefix: busy } },
    'ana',
  );
  await eventually(async () =>
    (await world.campaigns.get(first.id)).counts['accepted'] === 1 ? true : undefined,
  );
  const preview = await world.campaigns.preview({
    software: { id: 'acme.engine', range: '2.6.1' },
    filter: { idPrefix: 'mixed' },
  });
  expect(preview.targets).toBe(1);
  expect(preview.excluded).toMatchObject({ busy: 1, pinned: 1, 'no-report': 1 });
  expect(preview.examples.find((each) => each.reason === 'busy')?.why).toMatch(/order|campaign/);
  await world.campaigns.abort(first.id, 'ana');
  expect((await world.ended(first.id)).state).toBe('aborted');
  await eventually(async () =>
    (await world.campaigns.get(first.id)).counts['cancelled'] === 1 ? true : undefined,
  );
});

test('nobody to update is said at once; a proposal waits; a pause holds', async () => {
  await expect(
    world.campaigns.create({ software: { id: 'acme.engine' }, filter: { idPrefix: 'nobody' } }, 'ana'),
  ).rejects.toMatchObject({ code: 'request/conflict' });
  await world.printers('slow', 10);
  world.behave = good;
  const { id, state } = await world.campaigns.create(
    {
      software: { id: 'acme.engine', range: '2.6.1' },
      filter: { idPrefix: 'slow' },
      options: { propose: true },
    },
    'ana',
  );
  expect(state).toBe('proposed');
  world.behave = () => ({ reports: ['accepted'] });
  await world.campaigns.resume(id, 'ben');
  await eventually(async () => ((await world.campaigns.get(id)).counts['accepted'] ? true : undefined));
  await world.campaigns.pause(id, 'ana');
  // What had not begun to install is withdrawn and waits for its next order.
  await eventually(async () => {
    const { counts } = await world.campaigns.get(id);
    return counts['waiting'] === 10 ? true : undefined;
  });
  world.behave = good;
  await world.campaigns.resume(id, 'ana');
  expect((await world.ended(id)).counts).toEqual({ proven: 10 });
});

test('a printer that matches later joins', async () => {
  await world.printers('join', 3);
  world.behave = () => ({ reports: ['accepted'] });
  const { id } = await world.campaigns.create(
    { software: { id: 'acme.engine', range: '2.6.1' }, filter: { idPrefix: 'join' } },
    'ana',
  );
  await world.printers('join-late', 1);
  await world.orders.queue.add([{ nudge: { kind: 'campaign', id }, jobId: `now-${id}`, delayMs: 0 }]);
  const campaign = await eventually(async () => {
    const now = await world.campaigns.get(id);
    return now.targets === 4 ? now : undefined;
  });
  expect(campaign.targets).toBe(4);
  await world.campaigns.pause(id, 'ana');
  await eventually(async () => ((await world.campaigns.get(id)).counts['waiting'] === 4 ? true : undefined));
  // Not before: the one that joined may get its order late, and would be proven instead of waiting.
  world.behave = good;
  await world.campaigns.resume(id, 'ana');
  expect((await world.ended(id)).counts).toEqual({ proven: 4 });
});

test('a printer that falls silent while it installs pauses the campaign at once', async () => {
  await world.printers('brick', 20);
  let brick = '';
  world.behave = (printer, order) => {
    brick ||= printer;
    return printer === brick ? { reports: ['accepted', 'installing'] } : good(printer, order);
  };
  const { id } = await world.campaigns.create(
    {
      software: { id: 'acme.engine', range: '2.6.1' },
      filter: { idPrefix: 'brick' },
      options: { canaries: 12, canariesAtOnce: 12, settle: 'PT0S', seed: 9 },
    },
    'ana',
  );
  const row = await eventually(async () => {
    const [active] = await world.orders.store.active([brick]);
    return active?.execution.state === 'installing' ? active : undefined;
  });
  await world.orders.store.apply(row.id, {
    type: 'timer',
    at: Date.now() + 3_600_000,
    online: false,
    random: 0,
  });
  const others = await eventually(async () => {
    const list = await world.campaigns.printers(id, 20);
    const proven = list
      .filter((each) => each['state'] === 'ended' && each['is'] === 'proven')
      .map((each) => String(each['printer']));
    return proven.length >= 11 ? proven : undefined;
  });
  // What a printer logs for information, or logged before the campaign, is not compared.
  const [one = '', two = '', three = ''] = others;
  const at = new Date().toISOString();
  world.campaigns.onEntries(one, [{ seq: 1, at, code: 'I-1', severity: 'info' }]);
  world.campaigns.onEntries(two, [{ seq: 1, at: '2026-01-01T00:00:00Z', code: 'J-0', severity: 'error' }]);
  world.campaigns.onEntries(three, [{ seq: 1, at, code: 'J-1', severity: 'error' }]);
  const campaign = await eventually(async () => {
    const now = await world.campaigns.get(id);
    return now.state === 'paused' ? now : undefined;
  });
  expect(campaign.reason).toBe(`${brick} fell silent while it installed: it may not start any more`);
  const guard = await eventually(async () => {
    const { guard: now } = (await world.campaigns.get(id)) as unknown as { guard: { codes: unknown[] } };
    return now.codes.length > 0 ? now : undefined;
  });
  expect(guard).toMatchObject({ suspectedBrick: brick, codes: [{ code: 'J-1', with: 1, without: 0 }] });
});

test.each([
  ['refuses its order', { reports: ['rejected' as const], code: 'update/cannot-install' }, 'rejected'],
  ['never answers its order', { reports: [] }, 'silent'],
])('a canary that %s gives its place to the next', async (_what, canary, end) => {
  const names = await world.printers(end, 3);
  let first = '';
  world.behave = (printer, order) => {
    first ||= printer;
    return printer === first ? canary : good(printer, order);
  };
  const { id } = await world.campaigns.create(
    { software: { id: 'acme.engine', range: '2.6.1' }, printers: names, options: { seed: 3 } },
    'ana',
  );
  if (end === 'silent') {
    const row = await eventually(async () => {
      const [active] = first === '' ? [] : await world.orders.store.active([first]);
      return active?.execution.state === 'offered' ? active : undefined;
    });
    // One canary of three: while its order is open, nobody else has one.
    expect(await world.orders.store.active(names)).toHaveLength(1);
    for (let hour = 1; hour <= 4; hour++) {
      const at = Date.now() + hour * 3_600_000;
      await world.orders.store.apply(row.id, { type: 'timer', at, online: true, random: 0 });
    }
    await world.orders.queue.add([{ nudge: { kind: 'campaign', id }, jobId: `mute-${id}`, delayMs: 0 }]);
  }
  const campaign = await world.ended(id);
  expect([campaign.state, campaign.counts]).toEqual(['finished', { [end]: 1, proven: 2 }]);
});

const wanted = { id: 'acme.engine', range: '2.6.1' };
/** Lifts what the tests before aborted or had halted. */
async function liftAll(): Promise<void> {
  for (const { releases } of await world.campaigns.stops()) {
    for (const release of releases)
      await world.campaigns.release(release, 'ana', 'next test').catch(() => {});
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
  const [first = '', second = '', third = ''] = await world.printers('ask', 3);
  const causes: unknown[] = [];
  world.behave = (printer, order) => {
    causes.push(order.cause);
    return good(printer, order);
  };
  const [one, two] = await Promise.all([
    world.campaigns.ask(byRule([first])),
    world.campaigns.ask(byRule([second])),
  ]);
  expect([one.outcome, two.outcome]).toEqual(['created', 'joined']);
  const { campaign: id = '' } = one;
  expect(two.campaign).toBe(id);
  expect((await world.ended(id)).counts).toEqual({ proven: 2 });
  // It was over, and goes on with what it has learned.
  expect(await world.campaigns.ask(byRule([third]))).toMatchObject({ campaign: id, outcome: 'joined' });
  const after = await eventually(async () => {
    const now = await world.campaigns.get(id);
    return now.counts['proven'] === 3 && now.state === 'finished' ? now : undefined;
  });
  expect(after).toMatchObject({ by: 'rule jams', cause: { kind: 'rule', rule: 'jams', trouble: 't1' } });
  expect(causes).toEqual(Array(3).fill({ kind: 'rule', rule: 'jams', trouble: 't1' }));
});

test('a person, two rules and a campaign that want one printer in one second give it one order', async () => {
  await liftAll();
  const [name = ''] = await world.printers('crowd', 1);
  world.behave = good;
  const person = { software: wanted, filter: { idPrefix: 'crowd' } };
  const results = await Promise.allSettled([
    world.campaigns.create(person, 'ana'),
    world.campaigns.create(person, 'ben'),
    world.campaigns.ask(byRule([name], 'q2')),
    world.campaigns.ask(byRule([name], 'q3')),
  ]);
  expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
  await eventually(() => (world.installed.includes(name) ? true : undefined));
  await eventually(async () => ((await world.orders.store.active([name])).length === 0 ? true : undefined));
  expect(world.installed.filter((each) => each === name)).toHaveLength(1);
});

test('what was halted or aborted is not begun again by a rule, until its stop is lifted or the rule is changed', async () => {
  await liftAll();
  const names = await world.printers('stop', 60);
  world.behave = bad;
  const { campaign: id = '' } = await world.campaigns.ask(byRule(names.slice(0, 50), 'q4'));
  expect((await world.ended(id)).state).toBe('halted');
  const count = () => new Set(world.installed.filter((each) => each.startsWith('stop-'))).size;
  const before = count();
  expect(before).toBeLessThanOrEqual(12);
  for (const question of ['q4', 'q5', 'q6']) await world.campaigns.ask(byRule(names, question));
  expect(
    (await world.campaigns.preview({ software: wanted, printers: names })).excluded['stopped'],
  ).toBeGreaterThan(40);
  await expect(world.campaigns.create({ software: wanted, printers: names }, 'ana')).rejects.toThrow(
    /was stopped/,
  );
  expect(count()).toBe(before);
  expect(await world.campaigns.get(id)).toMatchObject({
    stopped: { by: 'guard', releases: ['acme.engine@2.5.0'] },
  });

  // A rule that means something else is another question; what is known of the release stays known.
  await world.campaigns.noteRules([{ rule: 'jams', question: 'q7' }]);
  const changed = await world.campaigns.ask(byRule(names.slice(50), 'q7'));
  expect(changed.outcome).toBe('created');
  expect((await world.ended(changed.campaign ?? '')).state).toBe('halted');
  expect(count() - before).toBeLessThanOrEqual(4);

  world.behave = good;
  expect(await world.campaigns.release('acme.engine@2.5.0', 'ana', 'the self-test was wrong')).not.toEqual(
    [],
  );
  await eventually(async () => {
    const { counts } = await world.campaigns.get(id);
    return (counts['proven'] ?? 0) >= 35 ? true : undefined;
  }, 30_000);
  await expect(world.campaigns.release('acme.engine@2.5.0', 'ana', 'again')).rejects.toMatchObject({
    code: 'request/not-found',
  });
});

test('a retry gives printers that failed another order, and the series is the guard replayed', async () => {
  const names = await world.printers('replay', 40);
  let failing = 2;
  // Campaigns of earlier tests may still bring orders to their own printers.
  world.behave = (printer, order) =>
    printer.startsWith('replay') && failing-- > 0 ? bad(printer, order) : good(printer, order);
  const { id } = await world.campaigns.create(
    {
      software: { id: 'acme.engine', range: '>=2.6' },
      filter: { idPrefix: 'replay' },
      options: { seed: 5, tolerated: 0.2 },
    },
    'ana',
  );
  expect((await world.ended(id)).state).toBe('paused');
  await world.campaigns.resume(id, 'ana');
  const first = await world.ended(id);
  expect([first.state, first.counts]).toEqual(['finished', { proven: 38, 'rolled-back': 2 }]);
  const { evidence } = first.guard as { evidence: number };
  const { questions } = world.campaigns;
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
  await expect(world.campaigns.retry(id, 'ana', [proven])).rejects.toThrow(`"${proven}" has not failed`);
  expect(await world.campaigns.retry(id, 'ana', failed.slice(0, 1))).toEqual(failed.slice(0, 1));
  const second = await eventually(async () => {
    const campaign = await world.campaigns.get(id);
    return campaign.counts['proven'] === 39 && campaign.state === 'finished' ? campaign : undefined;
  }, 30_000);
  expect(second.counts).toEqual({ proven: 39, 'rolled-back': 1 });
  // What failed once has failed: the evidence is what it was, and so is its replay.
  expect(second.guard).toMatchObject({ failures: 2, exposed: 40, evidence: evidence });
  const after = await questions.series(id, whole);
  expect(after.items.map(({ outcome }) => outcome)).toEqual(before.items.map(({ outcome }) => outcome));
  expect(after.items.find(({ printer }) => printer === failed[0])?.ended).toBe('proven');
  expect(await world.campaigns.retry(id, 'ana')).toEqual(failed.slice(1));
  await eventually(async () => {
    const { counts, state } = await world.campaigns.get(id);
    return counts['proven'] === 40 && state === 'finished' ? true : undefined;
  }, 30_000);
  await expect(world.campaigns.retry(id, 'ana')).rejects.toThrow('The campaign is finished');
});

test('each printer of a campaign says why nothing happens to it, and who is left out is told in full', async () => {
  const names = await world.printers('why', 8);
  const { database } = world.store;
  await database.query(`UPDATE printers SET labels = '{"update": "pinned"}' WHERE id = ANY($1)`, [
    names.slice(0, 5),
  ]);
  world.behave = () => ({ reports: [] });
  const wish = { software: { id: 'acme.engine', range: '>=2.6' }, filter: { idPrefix: 'why' } };
  const { questions } = world.campaigns;
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
  const { id } = await world.campaigns.create({ ...wish, options: { seed: 6 } }, 'ana');
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
  await world.campaigns.pause(id, 'ana');
  const paused = await questions.targets(id, 'waiting', page);
  expect(paused.items[0]?.why).toBe('the campaign is paused: paused by ana (campaigns.resume)');
  await world.campaigns.abort(id, 'ana');
});
