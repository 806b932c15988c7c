/**
 * Campaigns in hard cases, over the real services and a real database: releases that are withdrawn, several that want
 * one printer, an abort while orders go out, a kill before a question is asked, canaries that are offline.
 */
import { bad, CampaignFleet, good, idle } from '../../../tests/harness/campaign-fleet.ts';
import { eventually as within } from '../../../tests/harness/orders.ts';
import type { Cause } from '../cause.ts';
import { CANARY_AWAY_MS } from '../limits.ts';
import { unaskedMisfits } from './unasked-misfits.ts';

let world: CampaignFleet;
/** Waits for something that takes a moment on a quiet machine. */
const eventually = <T>(look: () => T | undefined | Promise<T | undefined>) => within(look, 30_000);
const engine = (range: string) => ({ id: 'acme.engine', range });

beforeAll(async () => {
  world = await CampaignFleet.open();
});
afterAll(() => world.close());
beforeEach(async () => {
  world.withdraw();
  world.behave = idle;
  world.beforeOrder = () => undefined;
  world.mayRestart = () => true;
  // Each test begins without orders of the one before, which would use up the bounds of an unproven release.
  for (const { id, state } of (await world.campaigns.list({}, { limit: 100, cursor: undefined })).items) {
    if (state !== 'running' && state !== 'paused') continue;
    await world.campaigns.abort(id, 'ana').catch((error: { code?: string }) => {
      // It has ended meanwhile.
      if (error.code !== 'request/conflict') throw error;
    });
  }
  await eventually(async () =>
    (await world.orders.store.activePage('', 1)).length === 0 ? true : undefined,
  );
  // What was aborted must not stop what the next test starts automatically.
  for (const { releases } of await world.campaigns.stops()) {
    for (const release of releases)
      await world.campaigns.release(release, 'ana', 'next test').catch(() => []);
  }
});

/** Waits until a campaign's counts are as `is` wants them. */
const counts = (id: string, is: (counts: Record<string, number>) => boolean) =>
  eventually(async () => {
    const campaign = await world.campaigns.get(id);
    return is(campaign.counts) ? campaign : undefined;
  });
/** What became of each printer, and why. */
const fates = async (id: string) =>
  new Map((await world.campaigns.printers(id, 100)).map((row) => [String(row['printer']), row]));
const order = async (printer: string) => (await world.orders.store.active([printer]))[0];

describe('a release that is withdrawn while its campaign runs', () => {
  test.each([
    ['in the catalog', '2.6.1', 'the catalog says so'],
    ['in the repository', '2.7.0', 'jams more'],
  ])('%s: its orders are taken back, the campaign is halted and says why', async (where, version, why) => {
    const prefix = where.replaceAll(' ', '-');
    const release = `acme.engine@${version}`;
    const options = { staged: ['acme.engine@2.7.0'] };
    const names = await world.printers(prefix, 12, '2.5.0');
    const { id } = await world.campaigns.create(
      { software: engine(version), filter: { idPrefix: prefix }, options },
      'ana',
    );
    const proposed = await world.printers(`later-${prefix}`, 2, '2.5.0');
    const later = await world.campaigns.create(
      { software: engine(version), printers: proposed, options: { ...options, propose: true } },
      'ana',
    );
    const { counts: before } = await counts(id, ({ accepted = 0 }) => accepted >= 3);
    expect(before['waiting']).toBe(9);
    if (where === 'in the catalog') world.withdraw(version);
    else await world.revoke(version, why);

    const halted = await world.ended(id);
    expect(halted).toMatchObject({
      state: 'halted',
      reason: `${release} was withdrawn (${why}): 12 printers are left out`,
    });
    await eventually(async () =>
      (await world.campaigns.get(id)).excluded?.['withdrawn'] === 12 ? true : undefined,
    );
    for (const name of names) expect(await order(name)).toBeUndefined();
    expect((await fates(id)).get(names[0] ?? '')).toMatchObject({
      is: 'withdrawn',
      why: `${release} was withdrawn: ${why}`,
    });
    expect(world.told).toContainEqual({
      what: 'release-withdrawn',
      data: expect.objectContaining({
        campaign: id,
        releases: [release],
        printers: 9,
        orders: 3,
      }),
    });
    expect(world.told).toContainEqual({
      what: 'halted',
      data: expect.objectContaining({ campaign: id, reason: halted.reason }),
    });
    await eventually(() =>
      world.audited.some(({ method, params }) => method === 'campaigns.halt' && params['campaign'] === id),
    );
    // Nobody starts another one, and what was only proposed is halted when somebody agrees to it.
    await expect(
      world.campaigns.create({ software: engine(version), printers: names, options }, 'ana'),
    ).rejects.toMatchObject({ code: 'request/conflict' });
    await world.campaigns.resume(later.id, 'ben');
    expect(await world.ended(later.id)).toMatchObject({ state: 'halted', excluded: { withdrawn: 2 } });

    // It was a mistake: with a reason a person lets the campaign go on.
    if (where !== 'in the catalog') return;
    world.withdraw();
    world.behave = good;
    await expect(world.campaigns.resume(id, 'ana')).rejects.toThrow(/reason/);
    await world.campaigns.resume(id, 'ana', { reason: 'a typing error in the catalog' });
    expect(await world.ended(id)).toMatchObject({ state: 'finished', counts: { proven: 12 } });
  });

  test('printers for which another release is right get that one', async () => {
    await world.printers('mixed', 3);
    const { id } = await world.campaigns.create(
      { software: engine('>=2.5'), filter: { idPrefix: 'mixed' } },
      'ana',
    );
    await counts(id, ({ accepted = 0 }) => accepted === 1);
    world.behave = good;
    world.withdraw('2.6.1');
    const campaign = await world.ended(id);
    expect([campaign.state, campaign.counts]).toEqual(['finished', { proven: 3 }]);
    for (const name of ['mixed-0000', 'mixed-0001', 'mixed-0002'])
      expect(await world.shows(name)).toBe('2.5.0');
    world.withdraw();
  });
});

describe('several that want one printer', () => {
  test('one order at a time: the first has it, the others are told who, and nothing is lost', async () => {
    const [name = ''] = await world.printers('crowd', 1);
    let installing = 0;
    let most = 0;
    world.behave = (printer, given) => {
      most = Math.max(most, ++installing);
      setTimeout(() => installing--, 5);
      return good(printer, given);
    };
    // Held until all four have asked.
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    world.beforeOrder = (printer, payload) => (printer === name && payload !== '' ? gate : undefined);
    const filter = { idPrefix: 'crowd' };
    const cause = { kind: 'rule', rule: 'jams', question: 'q', trouble: 't' } as const;
    const first = await world.campaigns.create({ software: engine('2.5.0'), filter }, 'ana');
    const [second, rule] = await Promise.all([
      world.campaigns
        .create({ software: engine('2.6.1'), printers: [name, 'crowd-none'] }, 'ben')
        .catch(String),
      world.campaigns.ask({
        key: 'rule jams',
        mode: 'automatic',
        request: { software: engine('2.6.1'), printers: [name], cause },
      }),
      world.misfit(name, '2.5.0'),
    ]);
    // Those that ask while another has it are told so at once.
    expect(String(second)).toMatch(/No printer takes part/);
    expect(rule).toMatchObject({ outcome: 'nobody', why: expect.stringMatching(/No printer takes part/) });
    const preview = await world.campaigns.preview({ software: engine('2.6.1'), filter });
    expect(preview.examples).toEqual([
      { printer: name, reason: 'busy', why: expect.stringMatching(/order|campaign/) },
    ]);
    go();
    await eventually(async () => ((await world.shows(name)) === '2.5.0' ? true : undefined));
    await world.ended(first.id);
    await eventually(async () => ((await order(name)) === undefined ? true : undefined));
    expect(world.installed.filter((each) => each === name)).toHaveLength(1);
    expect(most).toBe(1);
  });

  test('a campaign waits for the printers that another has, says so, and gets them when they are free', async () => {
    const [name = '', other = ''] = await world.printers('turns', 2);
    const first = await world.campaigns.create({ software: engine('2.5.0'), printers: [name] }, 'ana');
    await counts(first.id, ({ accepted = 0 }) => accepted === 1);
    world.behave = (printer, given) => (printer === name ? idle : good)(printer, given);
    const second = await world.campaigns.create(
      { software: engine('2.6.1'), filter: { idPrefix: 'turns' } },
      'ben',
    );
    const waiting = await eventually(async () => {
      const now = await world.campaigns.get(second.id);
      return now.counts['proven'] === 1 && now.waits?.['busy'] === 1 ? now : undefined;
    });
    expect(waiting).toMatchObject({ state: 'running', excluded: { busy: 1 } });
    const { id = '' } = (await order(name)) ?? {};
    expect((await fates(second.id)).get(name)).toMatchObject({
      is: 'busy',
      why: `it has the order ${id} of the campaign ${first.id} already`,
    });
    expect(await world.shows(other)).toBe('2.6.1');
    // The first lets it go; the second gets it without being asked again.
    world.behave = good;
    await world.campaigns.abort(first.id, 'ana');
    const campaign = await world.ended(second.id);
    expect([campaign.state, campaign.counts]).toEqual(['finished', { proven: 2 }]);
    expect(await world.shows(name)).toBe('2.6.1');
  });

  test('a correction and a campaign that have the same printer take turns, and the one that waits says for what', async () => {
    const [name = ''] = await world.printers('both', 1);
    await world.misfit(name, '2.5.0');
    const correction = await eventually(() => order(name));
    const given = await eventually(async () =>
      (await order(name))?.execution.state === 'accepted' ? true : undefined,
    );
    expect(given).toBe(true);
    await expect(
      world.campaigns.create({ software: engine('2.6.1'), printers: [name] }, 'ana'),
    ).rejects.toMatchObject({ code: 'request/conflict' });
    expect(
      (await world.campaigns.preview({ software: engine('2.6.1'), printers: [name] })).examples,
    ).toMatchObject([
      {
        reason: 'busy',
        why: `it has the order ${correction.id} of the campaign ${correction.campaign} already`,
      },
    ]);
    await world.campaigns.abort(correction.campaign ?? '', 'ana');
  });
});

test('an abort is answered when nothing is on its way any more, also what a pause is taking back', async () => {
  const names = await world.printers('gate', 4);
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  // The broker is slow: what goes out waits at the gate.
  world.beforeOrder = (printer) => (printer.startsWith('gate') ? gate : undefined);
  const { id } = await world.campaigns.create(
    { software: engine('2.5.0'), filter: { idPrefix: 'gate' } },
    'ana',
  );
  await eventually(async () => {
    const active = await world.orders.store.active(names);
    return active.some(({ execution }) => execution.state === 'offered') ? true : undefined;
  });
  const paused = world.campaigns.pause(id, 'ana');
  await eventually(async () => {
    const active = await world.orders.store.active(names);
    return active.every(({ execution }) => execution.cancel !== undefined) ? true : undefined;
  });
  let answered = false;
  const aborted = world.campaigns.abort(id, 'ben').then(() => {
    answered = true;
  });
  await eventually(async () => ((await world.campaigns.get(id)).state === 'aborted' ? true : undefined));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(answered).toBe(false);
  go();
  await Promise.all([paused, aborted]);
  const out = world.published.filter(({ printer }) => printer.startsWith('gate')).length;
  expect(out).toBeGreaterThan(0);
  await eventually(async () => ((await world.orders.store.active(names)).length === 0 ? true : undefined));
  // Whatever went out after the reply takes an order back.
  const after = world.published.filter(({ printer }) => printer.startsWith('gate')).slice(out);
  expect(after.filter(({ payload }) => payload !== '' && !payload.includes('"cancel":true'))).toEqual([]);
});

describe('a correction whose question was not asked', () => {
  test('is asked for at the next start, once', async () => {
    world.behave = good;
    const [lost = '', known = '', fails = ''] = await world.printers('killed', 3, '2.5.0');
    await world.misfit(known, '2.6.1');
    await eventually(async () => ((await world.shows(known)) === '2.6.1' ? true : undefined));
    // The verdict is stored, and the center is gone before it asks.
    await world.judge(lost, '2.6.1');
    await world.kill();
    const installed = world.installed.length;
    await world.start();
    await eventually(async () => ((await world.shows(lost)) === '2.6.1' ? true : undefined));
    expect(world.installed.slice(installed)).toEqual([lost]);
    // One that was asked for and failed is not begun again by every start.
    world.behave = bad;
    await world.misfit(fails, '2.6.1');
    await eventually(async () =>
      world.installed.includes(fails) && !(await order(fails)) ? true : undefined,
    );
    const { unasked } = await unaskedMisfits(world.store.database, '', 1000);
    expect(unasked.map(({ printer }) => printer)).not.toContain(fails);
    expect(world.installed.filter((each) => each === fails)).toHaveLength(1);
  });
});

describe('the stop of a release is lifted', () => {
  const stopped = async (prefix: string, cause: Cause) => {
    world.mayRestart = () => true;
    const names = await world.printers(prefix, 3, '2.5.0');
    const { campaign = '' } = await world.campaigns.ask({
      key: `key ${prefix}`,
      mode: 'automatic',
      request: { software: engine('2.6.1'), printers: names, cause: cause as never },
    });
    await counts(campaign, ({ accepted = 0 }) => accepted >= 1);
    await world.campaigns.abort(campaign, 'ana');
    return campaign;
  };
  const rule: Cause = { kind: 'rule', rule: 'jams', question: 'q', trouble: 't' };

  test('a campaign whose rule is gone stays aborted; one whose rule holds begins again', async () => {
    const gone = await stopped('gone', rule);
    world.mayRestart = () => false;
    await world.campaigns.release('acme.engine@2.6.1', 'ana', 'it was tested again');
    expect((await world.campaigns.get(gone)).state).toBe('aborted');
    const holds = await stopped('holds', rule);
    await world.campaigns.release('acme.engine@2.6.1', 'ana', 'it was tested again');
    expect((await world.campaigns.get(holds)).state).toBe('running');
  });

  test('a correction that was refused for the stop is told once, and made after it is lifted', async () => {
    await world.store.database.query(
      `INSERT INTO release_stops (id, kind, releases, campaign, cause, reason, stopped_by, at)
       VALUES ('by-hand', 'guard', '{acme.engine@2.6.1}', NULL, '{"kind":"person","by":"ana"}', 'it fails', 'guard', now())`,
    );
    const [name = ''] = await world.printers('refused', 1, '2.5.0');
    const told = () =>
      world.told.filter(
        ({ what, data }) => what === 'not-corrected' && String(data['mends']) === 'acme.engine@2.6.1',
      );
    world.behave = good;
    await world.misfit(name, '2.6.1');
    const [refusal] = await eventually(() => (told().length > 0 ? told() : undefined));
    expect(refusal?.data).toMatchObject({
      mends: ['acme.engine@2.6.1'],
      printers: 1,
      reason: expect.stringMatching(/stopped/),
    });
    await world.campaigns.release('acme.engine@2.6.1', 'ana', 'it was tested again');
    await eventually(async () => ((await world.shows(name)) === '2.6.1' ? true : undefined));
    expect(told()).toHaveLength(1);
  });
});

describe('canaries', () => {
  /** Makes a printer look as if it had been away for this long. */
  const away = async (printer: string, ms: number) => {
    const since = new Date(Date.now() - ms);
    await world.turn(printer, false);
    await world.store.database.query('UPDATE printers SET last_seen = $2 WHERE id = $1', [printer, since]);
    await world.store.database.query('UPDATE executions SET created_at = $2 WHERE printer = $1', [
      printer,
      since,
    ]);
  };
  const look = (id: string) =>
    world.orders.queue.add([
      { nudge: { kind: 'campaign', id }, jobId: `look-${id}-${Math.random()}`, delayMs: 0 },
    ]);

  test('one that stays away gives its place to another, and gets its order when it is back', async () => {
    const names = await world.printers('small', 4);
    let first = '';
    world.behave = (printer, given) => {
      first ||= printer;
      return (printer === first ? idle : good)(printer, given);
    };
    const { id } = await world.campaigns.create(
      { software: engine('2.5.0'), filter: { idPrefix: 'small' } },
      'ana',
    );
    await counts(id, ({ accepted = 0 }) => accepted === 1);
    // It is waited for at first: one canary of four.
    await away(first, CANARY_AWAY_MS / 2);
    await look(id);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await world.orders.store.active(names)).toHaveLength(1);
    await away(first, 2 * CANARY_AWAY_MS);
    await look(id);
    const campaign = await counts(id, ({ proven = 0 }) => proven === 3);
    expect(campaign).toMatchObject({ state: 'running', counts: { accepted: 1, proven: 3 } });
    expect((await order(first))?.execution.cancel).toMatch(/another printer takes its place/);
    // Back, it lets go of the old order and gets a new one.
    world.behave = good;
    await world.turn(first, true);
    await counts(id, ({ proven = 0 }) => proven === 4);
    expect(await world.ended(id)).toMatchObject({ state: 'finished', counts: { proven: 4 } });
    expect(world.installed.filter((each) => each === first)).toHaveLength(1);
  });

  test('are drawn among those that are there; where nobody is, from those that were heard of last', async () => {
    const off = await world.printers('off', 5, '2.4.0', false);
    await world.store.database.query(
      `UPDATE printers SET last_seen = now() - interval '1 day' WHERE id LIKE 'off-%' AND id <> 'off-0003'`,
    );
    const { id } = await world.campaigns.create(
      { software: engine('2.5.0'), filter: { idPrefix: 'off' } },
      'ana',
    );
    const active = await eventually(async () => {
      const rows = await world.orders.store.active(off);
      return rows.length > 0 ? rows : undefined;
    });
    expect(active.map(({ printer }) => printer)).toEqual(['off-0003']);
    await world.campaigns.abort(id, 'ana');
    const mixed = await world.printers('half', 12, '2.4.0', false);
    await world.store.database.query(
      "UPDATE printers SET online = true WHERE id IN ('half-0002', 'half-0007')",
    );
    const half = await world.campaigns.create(
      { software: engine('2.5.0'), filter: { idPrefix: 'half' } },
      'ana',
    );
    const out = await eventually(async () => {
      const rows = await world.orders.store.active(mixed);
      return rows.length === 2 ? rows : undefined;
    });
    expect(out.map(({ printer }) => printer).sort()).toEqual(['half-0002', 'half-0007']);
    await world.campaigns.abort(half.id, 'ana');
  });
});
