import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pino from 'pino';
import { fleetTopic } from '../../schemas/topics.ts';
import type { LogEntry, Readings, Structure, Trouble, TroubleRules } from '../../schemas/types.ts';
import { checkReply } from '../../schemas/validate.ts';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { prepareDatabase } from '../../tests/harness/prepared.ts';
import type { Client } from '../database/database.ts';
import { openStore, type Store } from '../database/store.ts';
import { compileRules } from './engine/compile.ts';
import { semverInRange } from './engine/context.ts';
import { Replay, type TroubleLine } from './engine/replay.ts';
import { TroubleStore } from './store.ts';
import { Troubles } from './troubles.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let folder: string;
let store: Store;
const T0 = Date.parse('2026-11-20T00:00:00Z');
const HOUR = 3_600_000;
let clock = T0;

beforeAll(async () => {
  folder = temporaryFolder('platen-trouble-');
  await prepareDatabase(folder);
  store = await openStore({ source: { dataFolder: folder }, log: silent, now: () => clock });
  await store.maintain();
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A store that writes nothing once its center was killed, not even what was under way. */
class MortalStore extends TroubleStore {
  dead = false;
  readonly #underWay = new Set<Promise<unknown>>();

  override transaction<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const done = super.transaction(async (client) => {
      const result = await work(client);
      if (this.dead) throw new Error('the center was killed');
      return result;
    });
    this.#underWay.add(done);
    const over = () => this.#underWay.delete(done);
    done.then(over, over);
    return done;
  }

  /** Kills its center. A commit that reached the database is done before the next center looks. */
  async kill(): Promise<void> {
    this.dead = true;
    await Promise.allSettled(this.#underWay);
  }
}

interface Running {
  rows: MortalStore;
  troubles: Troubles;
  told: string[];
  retained: Map<string, string>;
  /** While set, the broker refuses documents. */
  broker: { refuses: boolean };
}

const started: Troubles[] = [];

async function run(rules: TroubleRules | undefined, retained = new Map<string, string>()): Promise<Running> {
  const told: string[] = [];
  const rows = new MortalStore(store.database);
  const broker = { refuses: false };
  const troubles = new Troubles({
    store: rows,
    printers: store.printers,
    link: {
      publish: (topic, payload) => {
        // A killed center publishes nothing.
        if (broker.refuses || rows.dead) return Promise.reject(new Error('the broker takes nothing'));
        if (payload === '') retained.delete(topic);
        else retained.set(topic, payload.toString());
        return Promise.resolve();
      },
    },
    events: {
      tell: (_kind, what, { printer, data } = {}) =>
        told.push(
          `${what} ${printer ?? 'fleet'} ${String(data?.['rule'])}${data?.['snoozed'] ? ' (snoozed)' : ''}`,
        ),
    },
    conclude: () => undefined,
    inRange: semverInRange,
    log: pino({ level: 'silent' }),
    now: () => clock,
    times: { flush: 1, tick: 3_600_000, checkpoint: 3_600_000, evidence: 3_600_000, retry: 5 },
  });
  started.push(troubles);
  await troubles.start(rules);
  return { rows, troubles, told, retained, broker };
}

async function send(troubles: Troubles, printer: string, log: string, entries: LogEntry[]): Promise<void> {
  const { fresh } = await store.ingest.errors(printer, { log, first: 1, reason: 'event', entries });
  if (fresh.length > 0) troubles.onEntries(printer, log, fresh);
}

function entry(seq: number, hours: number, code = 'J-7201'): LogEntry {
  return { seq, at: new Date(T0 + hours * HOUR).toISOString(), code, severity: 'error', unit: 'fin' };
}

const jams: TroubleRules = {
  rules: 'r1',
  list: [
    {
      id: 'jams',
      where: { all: [['code', 'prefix', 'J-72']] },
      by: ['printer', 'unit'],
      when: { count: { ge: 3, over: 'PT72H' } },
      clear: { quiet: 'P1D' },
      remedy: { software: 'fixes' },
    },
  ],
};

async function all(troubles: Troubles, filter: object = {}): Promise<Trouble[]> {
  return (await troubles.list(filter, { limit: 1000, cursor: undefined })).items;
}

test('a trouble is stored, announced once, retained while open, and closed by an operator', async () => {
  clock = T0 + 3 * HOUR;
  const { troubles, told, retained } = await run(jams);
  await send(troubles, 'a', 'l', [entry(1, 0), entry(2, 1), entry(3, 2)]);
  await troubles.checkpoint();
  expect(told).toEqual(['opened a jams']);
  const [trouble] = await all(troubles, { printer: 'a' });
  expect(trouble).toMatchObject({
    rule: 'jams',
    printer: 'a',
    unit: 'fin',
    state: 'open',
    severity: 'minor',
    evidence: [
      { log: 'l', seq: 1 },
      { log: 'l', seq: 2 },
      { log: 'l', seq: 3 },
    ],
  });
  expect(retained.size).toBe(1);
  const closed = await troubles.close(trouble?.id ?? '', 'roller exchanged', 'anna');
  expect(closed).toMatchObject({ state: 'closed', note: 'roller exchanged' });
  expect(retained.size).toBe(0);
  await expect(troubles.close(trouble?.id ?? '', '', 'anna')).rejects.toThrow('closed already');
  // Earlier entries no longer count: it takes three new ones, now or after a restart.
  clock = T0 + 6 * HOUR;
  await send(troubles, 'a', 'l', [entry(4, 4), entry(5, 5)]);
  await troubles.checkpoint();
  expect(await all(troubles, { open: true })).toEqual([]);
  const again = await run(jams);
  await send(again.troubles, 'a', 'l', [entry(6, 6)]);
  await again.troubles.checkpoint();
  expect(again.told).toEqual(['opened a jams']);
  clock = T0 + 31 * HOUR;
  again.troubles.tick(clock);
  await again.troubles.checkpoint();
  expect(again.told).toEqual(['opened a jams', 'cleared a jams']);
});

test('killed at any moment and restarted, the center announces every trouble once', async () => {
  const list = ['b1', 'b2', 'b3'].flatMap((printer, which) =>
    Array.from({ length: 30 }, (_, index) => ({
      printer,
      entry: entry(index + 1, 40 + which + index * 2 + Math.floor(index / 7) * 40),
    })),
  );
  const late = { rules: 'late', list: jams.list.map((rule) => ({ ...rule, late: 'PT6H' })) };
  const retained = new Map<string, string>();
  let running = await run(late, retained);
  let dice = 7;
  const next = () => {
    dice = (dice * 1103515245 + 12345) % 2147483648;
    return dice / 2147483648;
  };
  // Out of order, but never more than `late` behind; the newest are announced before older ones arrive.
  const arrival = new Map(list.map(({ entry: one }) => [one, Date.parse(one.at) + next() * 5 * HOUR]));
  list.sort((a, b) => (arrival.get(a.entry) ?? 0) - (arrival.get(b.entry) ?? 0));
  for (const { printer, entry: one } of list) {
    clock = Math.max(clock, Date.parse(one.at));
    await send(running.troubles, printer, 'l', [one]);
    const chance = next();
    if (chance < 0.1) await running.troubles.checkpoint();
    if (chance > 0.9) {
      // Abandoned as it is: what it had not written is lost.
      await new Promise((resolve) => setTimeout(resolve, next() * 10));
      await running.rows.kill();
      running = await run(late, retained);
    }
  }
  clock += 100 * HOUR;
  running.troubles.tick(clock);
  await running.troubles.checkpoint();
  const found = (await all(running.troubles)).filter(({ printer }) => printer?.startsWith('b'));
  const { rules } = compileRules(late);
  const replay = new Replay(rules);
  for (const { printer, entry: one } of list) replay.take({ printer, log: 'l', ...one });
  const expected = replay.finish(clock).map(({ text }) => JSON.parse(text) as TroubleLine);
  const comparable = (trouble: {
    openedAt: string;
    closedAt?: string | null;
    count?: number;
    evidence: unknown[];
  }) =>
    `${Date.parse(trouble.openedAt)} ${Date.parse(trouble.closedAt ?? '')} ${trouble.count ?? trouble.evidence.length}`;
  expect(found.map(comparable).sort()).toEqual(expected.map(comparable).sort());
  expect(expected.length).toBeGreaterThan(5);
  expect(retained.size).toBe(0);
  for (const troubles of started.splice(0)) await troubles.stop();
});

test('an announced trouble that late entries refute before a kill is withdrawn after the restart', async () => {
  clock = T0 + 390 * HOUR;
  const retained = new Map<string, string>();
  const first = await run(jams, retained);
  await send(first.troubles, 'e', 'l', [entry(2, 383), entry(3, 383.2), entry(4, 383.4)]);
  let told: Trouble[] = [];
  for (let turn = 0; turn < 6_000 && told.length === 0; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    told = await all(first.troubles, { printer: 'e' });
  }
  expect(told.map(({ openedAt }) => openedAt)).toEqual([entry(4, 383.4).at]);
  first.rows.dead = true;
  // The entry is stored, but its conclusion was never written: the trouble opened earlier, under another id.
  await send(first.troubles, 'e', 'l', [entry(1, 382.9)]);
  const second = await run(jams, retained);
  await second.troubles.checkpoint();
  const found = await all(second.troubles, { printer: 'e' });
  expect(found).toMatchObject([{ openedAt: entry(3, 383.2).at, unit: 'fin' }]);
  const mine = [...retained.values()].filter((text) => (JSON.parse(text) as Trouble).printer === 'e');
  expect(mine).toHaveLength(1);
  expect(second.told.filter((one) => one.includes(' e ')).sort()).toEqual([
    'opened e jams',
    'withdrawn e jams',
  ]);
  await first.troubles.stop();
  await second.troubles.stop();
});

test('while the broker refuses documents, a written trouble is announced once and its document follows', async () => {
  clock = T0 + 395 * HOUR;
  const { troubles, told, retained, broker } = await run(jams);
  const document = async (wanted: (text: string | undefined) => boolean, id: string) => {
    const read = () => retained.get(fleetTopic.trouble(id));
    for (let turn = 0; turn < 6_000 && !wanted(read()); turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return read();
  };
  const mine = () => told.filter((one) => one.includes(' g '));
  broker.refuses = true;
  await send(troubles, 'g', 'l', [entry(1, 394), entry(2, 394.1), entry(3, 394.2)]);
  await troubles.checkpoint();
  const [trouble] = await all(troubles, { printer: 'g' });
  const id = trouble?.id ?? '';
  expect(mine()).toEqual(['opened g jams']);
  expect(retained.has(fleetTopic.trouble(id))).toBe(false);
  let amended = 0;
  await troubles.amend(id, () => {
    amended += 1;
    return { note: 'seen' };
  });
  // What is judged meanwhile builds on what was written.
  await send(troubles, 'g', 'l', [entry(4, 394.3)]);
  await troubles.checkpoint();
  const [later] = await all(troubles, { printer: 'g' });
  expect(later).toMatchObject({ note: 'seen' });
  expect(later?.evidence).toHaveLength(4);
  broker.refuses = false;
  const shown = JSON.parse((await document((text) => text !== undefined, id)) ?? '{}') as Trouble;
  expect(shown).toMatchObject({ note: 'seen', state: 'open' });
  expect(shown.evidence).toHaveLength(4);
  expect(mine()).toEqual(['opened g jams']);
  expect(amended).toBe(1);
  broker.refuses = true;
  await troubles.close(id, '', 'anna');
  expect(mine()).toEqual(['opened g jams', 'closed g jams']);
  broker.refuses = false;
  expect(await document((text) => text === undefined, id)).toBeUndefined();
  await troubles.stop();
});

test('new rules judge the stored log, unchanged ones keep their state, removed ones end', async () => {
  clock = T0 + 400 * HOUR;
  const { troubles, told } = await run(jams);
  const of = (list: string[]) => list.filter((one) => one.includes(' c '));
  for (const seq of [1, 2, 3, 4]) await send(troubles, 'c', 'l', [entry(seq, 390 + seq)]);
  await troubles.checkpoint();
  expect(of(told)).toEqual(['opened c jams']);
  const more: TroubleRules = {
    rules: 'r2',
    list: [...jams.list, { id: 'many', when: { count: { ge: 4, over: 'PT10H' } } }],
  };
  await troubles.use(compileRules(more).rules);
  expect(of(told)).toEqual(['opened c jams', 'opened c many']);
  await troubles.use(compileRules({ rules: 'r3', list: more.list.slice(1) }).rules);
  expect(of(told)).toEqual(['opened c jams', 'opened c many', 'closed c jams']);
  const [row] = await store.database.query<{ open_troubles: number }>(
    `SELECT count(*)::int AS open_troubles FROM printer_troubles WHERE printer = 'c'`,
  );
  expect(row?.open_troubles).toBe(1);
  await troubles.stop();
});

test('a proven update followed by quiet cures', async () => {
  clock += 100 * HOUR;
  const { troubles, told } = await run(jams);
  const structure = { at: new Date(clock).toISOString(), apparatus: { model: 'C3' }, units: [] };
  troubles.onStructure('d', structure as unknown as Structure);
  for (const seq of [1, 2, 3]) await send(troubles, 'd', 'l', [entry(seq, 496 + seq)]);
  await troubles.checkpoint();
  const [open] = await all(troubles, { printer: 'd' });
  await troubles.onProven('d', [], open?.id);
  clock += 26 * HOUR;
  troubles.tick(clock);
  await troubles.checkpoint();
  expect(told.filter((one) => one.includes(' d '))).toEqual(['opened d jams', 'cured d jams']);
  expect((await all(troubles, { printer: 'd' }))[0]).toMatchObject({ state: 'cured' });
  await troubles.stop();
});

test.each([
  ['is lost', 'h', 'DELETE FROM trouble_states'],
  [
    'is of another version',
    'i',
    `UPDATE trouble_states SET state = jsonb_set(state::jsonb, '{form}', '1')::text WHERE printer = 'i'`,
  ],
])(
  'state of the rules that %s (printer %s) is rebuilt from the log at the start',
  async (_what, printer, damage) => {
    clock += 10 * HOUR;
    const hours = (clock - T0) / HOUR - 5;
    const first = await run(jams);
    await send(first.troubles, printer, 'l', [entry(1, hours), entry(2, hours + 1)]);
    // So that the entries are older than the overlap that is judged again in any case.
    clock += HOUR;
    await first.troubles.stop();
    await store.database.query(damage);
    const second = await run(jams);
    const mine = () => second.told.filter((one) => one.includes(` ${printer} `));
    expect(mine()).toEqual([]);
    await send(second.troubles, printer, 'l', [entry(3, hours + 2)]);
    await second.troubles.checkpoint();
    expect(mine()).toEqual([`opened ${printer} jams`]);
    await second.troubles.stop();
  },
);

/** Stores a reading as the center does, and passes it on to be judged. */
async function readOn(
  troubles: Troubles,
  printer: string,
  number: number,
  more: Partial<Readings>,
): Promise<void> {
  const at = new Date(clock).toISOString();
  const { signs } = await store.ingest.readings(printer, { session: 's', number, at, ...more });
  if (signs) troubles.onReading(printer, signs);
}

const toner = (level: number, serial = 'A') => ({
  supplies: [
    { symbol: 'supply.black', kind: 'toner', color: 'black', serial, measure: 'percent' as const, level },
  ],
});
const onReadings: TroubleRules = {
  rules: 'readings',
  list: [
    { id: 'toner', by: ['printer', 'unit'], when: { supply: { kind: 'toner', level: { lt: 10 } } } },
    { id: 'service', when: { counter: { name: 'impressions', every: 100 } } },
    { id: 'paper', when: { reason: { is: 'media-empty', for: 'PT2H' } } },
  ],
};

test('readings interrupted by kills give the troubles of a replay, each announced once', async () => {
  clock += 100 * HOUR;
  // Checked at the end: what was committed at the moment of a kill is announced a little later.
  const told: string[][] = [];
  const replay = new Replay(compileRules(onReadings).rules);
  let running = await run(onReadings);
  let dice = 11;
  const next = () => {
    dice = (dice * 1103515245 + 12345) % 2147483648;
    return dice / 2147483648;
  };
  const printers = ['r1', 'r2', 'r3'].map((printer) => ({ printer, level: 60, serial: 1, pages: 0 }));
  for (let number = 1; number <= 40; number += 1) {
    clock += HOUR;
    for (const one of printers) {
      one.pages += Math.floor(next() * 40);
      one.level -= Math.floor(next() * 6);
      if (one.level < 3) Object.assign(one, { level: 100, serial: one.serial + 1 });
      const more: Partial<Readings> = {
        counters: { impressions: one.pages },
        reasons: next() < 0.6 ? ['media-empty-error'] : [],
        ...toner(one.level, String(one.serial)),
      };
      await readOn(running.troubles, one.printer, number, more);
      replay.take({
        printer: one.printer,
        readings: { session: 's', number, at: new Date(clock).toISOString(), ...more },
      });
    }
    if (next() < 0.2) running.troubles.tick(clock);
    if (next() < 0.2) await running.troubles.checkpoint();
    if (next() > 0.8) {
      await running.rows.kill();
      told.push(running.told);
      running = await run(onReadings);
    }
  }
  running.troubles.tick(clock);
  await running.troubles.checkpoint();
  told.push(running.told);
  const line = (one: { rule: string; printer?: string | null; openedAt: string; closedAt?: string | null }) =>
    `${one.rule} ${one.printer} ${Date.parse(one.openedAt)} ${Date.parse(one.closedAt ?? '')}`;
  const found = (await all(running.troubles)).filter(({ printer }) =>
    printers.some((one) => one.printer === printer),
  );
  const expected = replay.finish(clock).map(({ text }) => JSON.parse(text) as TroubleLine);
  expect(found.map(line).sort()).toEqual(expected.map(line).sort());
  expect(new Set(expected.map(({ rule }) => rule))).toEqual(new Set(['toner', 'service', 'paper']));
  for (const troubles of started.splice(0)) await troubles.stop();
  expect(told.flat().filter((one) => one.startsWith('opened')).length).toBe(expected.length);
});

test('a new rule sees the readings of the last day, and the other rules keep their state', async () => {
  clock += 100 * HOUR;
  const { troubles, told: toldOfAll } = await run(onReadings);
  const told = () => toldOfAll.filter((one) => one.includes(' s1 '));
  await readOn(troubles, 's1', 1, { counters: { impressions: 150 }, reasons: ['jam'], ...toner(40) });
  clock += HOUR;
  await readOn(troubles, 's1', 2, { counters: { impressions: 160 }, ...toner(9) });
  await troubles.checkpoint();
  expect(told()).toEqual(['opened s1 toner']);
  const list = [...onReadings.list, { id: 'jam', when: { reason: { is: 'jam' } } }];
  await troubles.use(compileRules({ rules: 'more', list } as TroubleRules).rules);
  expect(told()).toEqual(['opened s1 toner', 'opened s1 jam']);
  clock += HOUR;
  await readOn(troubles, 's1', 3, { counters: { impressions: 201 }, reasons: [], ...toner(95, 'B') });
  troubles.tick(clock);
  await troubles.checkpoint();
  expect(told().slice(2).sort()).toEqual(['cleared s1 jam', 'cleared s1 toner', 'opened s1 service']);
  await troubles.stop();
});

test('acts of operators on a trouble are announced and outlive restarts and rule changes; a snooze ends', async () => {
  clock = T0 + 3_003 * HOUR;
  const escalating: TroubleRules = {
    rules: 'r-acts',
    list: jams.list.map((rule) => ({
      ...rule,
      id: 'acts',
      severity: [
        ['minor', 3],
        ['major', 5],
      ],
    })),
  };
  const before = await run(escalating);
  before.told.length = 0;
  await send(before.troubles, 'acts-1', 'l', [entry(1, 3000), entry(2, 3001), entry(3, 3002)]);
  await before.troubles.checkpoint();
  const [{ id } = { id: '' }] = await all(before.troubles, { rule: 'acts' });
  const { handling } = before.troubles;
  const by = 'anna';
  const until = new Date(clock + HOUR);
  await handling.acknowledge(id, { by, reason: 'seen' });
  await handling.assign(id, 'lena', { by });
  const snoozed = await handling.snooze(id, until, { by, reason: 'the part is ordered' });
  const at = new Date(clock).toISOString();
  const handled = {
    owner: 'lena',
    acknowledged: { by, at, reason: 'seen' },
    snoozed: { by, at, until: until.toISOString(), reason: 'the part is ordered' },
  };
  expect(snoozed).toMatchObject(handled);
  checkReply('troubles.snooze', { ...snoozed });
  expect(JSON.parse(before.retained.get(fleetTopic.trouble(id)) ?? '')).toEqual(snoozed);
  expect(before.told.splice(0)).toEqual([
    'opened acts-1 acts',
    'acknowledged acts-1 acts',
    'assigned acts-1 acts',
    'snoozed acts-1 acts (snoozed)',
  ]);
  await before.troubles.stop();

  // Judged again after a restart, and escalated: it keeps its owner and stays snoozed.
  const after = await run(escalating, before.retained);
  await send(after.troubles, 'acts-1', 'l', [entry(4, 3002.1), entry(5, 3002.2)]);
  await after.troubles.checkpoint();
  expect(after.told.splice(0)).toEqual(['escalated acts-1 acts (snoozed)']);
  expect(await all(after.troubles, { owner: 'lena', acknowledged: true, snoozed: true })).toMatchObject([
    { id, state: 'escalated', severity: 'major', ...handled },
  ]);
  expect(await all(after.troubles, { rule: 'acts', snoozed: false })).toEqual([]);
  await expect(after.troubles.handling.snooze('none', until, { by })).rejects.toThrow('none');

  clock = until.getTime();
  await after.troubles.handling.settle(clock);
  expect(after.told.splice(0)).toEqual(['awake acts-1 acts']);
  const awake = JSON.parse(after.retained.get(fleetTopic.trouble(id)) ?? '') as Trouble;
  expect(awake).toMatchObject({ owner: 'lena', acknowledged: handled.acknowledged });
  expect(awake.snoozed).toBeUndefined();

  // A short one, which the timer ends.
  await after.troubles.handling.snooze(id, new Date(clock + 30), { by });
  clock += 30;
  while (!after.told.includes('awake acts-1 acts')) await new Promise((done) => setTimeout(done, 5));
  expect((await after.troubles.get(id))?.snoozed).toBeUndefined();

  await after.troubles.handling.unacknowledge(id, { by });
  await after.troubles.handling.assign(id, undefined, { by });
  await expect(after.troubles.handling.wake(id, { by })).rejects.toMatchObject({ code: 'request/conflict' });
  await expect(after.troubles.handling.unacknowledge(id, { by })).rejects.toThrow('Nobody');
  expect(await after.troubles.get(id)).not.toMatchObject({ owner: expect.anything() });
  await after.troubles.close(id, '', by);
  await expect(after.troubles.handling.acknowledge(id, { by })).rejects.toThrow('closed already');
  await after.troubles.stop();
});

test('snoozes that expired while no center ran end at the next start', async () => {
  clock = T0 + 4_003 * HOUR;
  const rules = { rules: 'r-over', list: jams.list.map((rule) => ({ ...rule, id: 'over' })) };
  const before = await run(rules);
  await send(before.troubles, 'o', 'l', [entry(1, 4000), entry(2, 4001), entry(3, 4002)]);
  await before.troubles.checkpoint();
  const [{ id } = { id: '' }] = await all(before.troubles, { rule: 'over' });
  await before.troubles.handling.snooze(id, new Date(clock + HOUR), { by: 'anna' });
  await before.troubles.stop();
  clock += 2 * HOUR;
  const after = await run(rules);
  expect(after.told).toEqual(['awake o over']);
  expect((await after.troubles.get(id))?.snoozed).toBeUndefined();
  await after.troubles.close(id, '', 'anna');
  await after.troubles.stop();
});

test('troubles are counted by rule and site, in pages', async () => {
  const { database } = store;
  await database.query(
    `INSERT INTO printers (id, site) VALUES ('g-1', 'berlin'), ('g-2', 'berlin'), ('g-3', 'paris'), ('g-4', NULL)`,
  );
  const rows = [
    ['g-a', 'zz-jam', 'g-1', 'open', 'minor', 1],
    ['g-b', 'zz-jam', 'g-1', 'escalated', 'major', 2],
    ['g-c', 'zz-jam', 'g-2', 'open', 'minor', 3],
    ['g-d', 'zz-jam', 'g-3', 'open', 'minor', 4],
    ['g-e', 'zz-fuser', 'g-4', 'open', 'minor', 5],
    ['g-f', 'zz-fuser', 'g-3', 'closed', 'minor', 6],
  ];
  for (const [id, rule, printer, state, severity, hours] of rows) {
    const at = new Date(T0 + Number(hours) * HOUR);
    await database.query(
      `INSERT INTO troubles (id, rule, title, key, printer, scope, state, severity, count, opened_at, updated_at, last_at,
         evidence, codes, publish_due)
       VALUES ($1, $2, 'Title of ' || $2, 'k', $3, '{}', $4, $5, 1, $6, $6, $6, '[]', '[]', false)`,
      [id, rule, printer, state, severity, at],
    );
  }
  const troubleStore = new TroubleStore(database);
  const groups = async (by: ('rule' | 'site')[], limit: number, filter = {}) => {
    const all = [];
    for (let cursor: string | undefined; ; ) {
      const page = await troubleStore.groups(filter, by, { limit, cursor });
      checkReply('troubles.list', { items: [], ...page });
      all.push(...page.groups);
      if (page.next === undefined) return all.filter(({ rule = 'zz' }) => rule.startsWith('zz'));
      cursor = page.next;
    }
  };
  const open = await groups(['rule', 'site'], 1, { open: true });
  expect(open.map(({ rule, site, troubles, printers }) => [rule, site, troubles, printers])).toEqual([
    ['zz-fuser', '', 1, 1],
    ['zz-jam', 'berlin', 3, 2],
    ['zz-jam', 'paris', 1, 1],
  ]);
  expect(open[1]).toEqual({
    rule: 'zz-jam',
    title: 'Title of zz-jam',
    site: 'berlin',
    troubles: 3,
    printers: 2,
    severities: ['major', 'minor'],
    oldest: new Date(T0 + HOUR).toISOString(),
    newest: new Date(T0 + 3 * HOUR).toISOString(),
    example: 'g-c',
  });
  const byRule = await groups(['rule'], 100);
  expect(byRule.map(({ rule, troubles }) => [rule, troubles])).toEqual([
    ['zz-fuser', 2],
    ['zz-jam', 4],
  ]);
  const bySite = await groups(['site'], 100, { rule: 'zz-jam' });
  expect(bySite.map(({ site, troubles, rule }) => [site, troubles, rule])).toEqual([
    ['berlin', 3, undefined],
    ['paris', 1, undefined],
  ]);
});
