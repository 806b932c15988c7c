/** Readings on a real database: durable, once, limited. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { printerTopic } from '../../schemas/topics.ts';
import type { Readings } from '../../schemas/types.ts';
import { silent, type TestStore, testStore } from '../../tests/harness/orders.ts';
import { Partitions, READINGS } from '../database/partitions.ts';
import { FleetEvents } from '../fleet/events.ts';
import type { Link } from '../link/link.ts';
import { READING_LIMITS } from '../readings/limits.ts';
import { Refusals } from './refusals.ts';
import { Uplinks } from './uplinks.ts';

let opened: TestStore;
let told: { topic: string; payload: { code: string; message: string } }[] = [];
const link: Link = {
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  publish: (topic, payload) => {
    told.push({ topic, payload: JSON.parse(payload.toString()) as (typeof told)[number]['payload'] });
    return Promise.resolve();
  },
};
let uplinks: Uplinks;

beforeAll(async () => {
  opened = await testStore();
  uplinks = new Uplinks({
    ingest: opened.store.ingest,
    conclude: () => undefined,
    knownVerdict: () => undefined,
    ask: () => Promise.resolve(),
    refusals: new Refusals(link, silent),
    events: new FleetEvents(link, silent, Date.now),
    link,
    log: silent,
    now: Date.now,
  });
});

afterAll(() => opened.close());

async function send(printer: string, document: object | string): Promise<string> {
  const payload = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
  const handled = uplinks.handle(
    { topic: printerTopic.readings(printer), payload, replayed: false },
    { to: 'center', from: 'printer', printer, kind: 'readings', method: '' },
  );
  return (await Promise.resolve(handled)) ?? 'taken';
}

function reading(number: number, more: Partial<Readings> = {}): Readings {
  return { session: 's1', number, at: new Date().toISOString(), ...more };
}

async function numbers(printer: string): Promise<number[]> {
  const rows = await opened.store.database.query<{ number: number }>(
    'SELECT number FROM readings WHERE printer = $1 ORDER BY received, number',
    [printer],
  );
  return rows.map(({ number }) => number);
}

function codes(printer: string): string[] {
  return told
    .filter(({ topic }) => topic === printerTopic.refused(printer))
    .map(({ payload }) => payload.code);
}

test('a reading is on disk when acknowledged, and changes nothing when it comes again', async () => {
  const first = reading(1, { counters: { impressions: 100 } });
  const second = reading(2, { counters: { impressions: 130 } });
  expect(await send('again', first)).toBe('taken');
  expect(await numbers('again')).toEqual([1]);
  for (const one of [second, first, second]) expect(await send('again', one)).toBe('taken');
  expect(await numbers('again')).toEqual([1, 2]);
  const [day] = await opened.store.database.query(
    'SELECT readings, impressions FROM printer_days WHERE printer = $1',
    ['again'],
  );
  expect(day).toEqual({ readings: 2, impressions: 30 });
  expect(codes('again')).toEqual([]);
});

test('many readings of many printers at once are each stored once', async () => {
  const all = Array.from({ length: 60 }, (_, index) =>
    send(
      `crowd-${index % 6}`,
      reading(Math.floor(index / 6) + 1, { counters: { impressions: 10 * Math.floor(index / 6) } }),
    ),
  );
  expect(new Set(await Promise.all(all))).toEqual(new Set(['taken']));
  const rows = await opened.store.database.query(
    `SELECT printer, readings, impressions FROM printer_days WHERE printer LIKE 'crowd-%' ORDER BY 1`,
  );
  expect(rows).toEqual(
    Array.from({ length: 6 }, (_, index) => ({ printer: `crowd-${index}`, readings: 10, impressions: 90 })),
  );
});

test('a late reading of an earlier session is kept and undoes nothing', async () => {
  await send('late', reading(1, { session: 'a', counters: { impressions: 10 } }));
  await send('late', reading(1, { session: 'b', counters: { impressions: 30 } }));
  await send('late', reading(2, { session: 'a', counters: { impressions: 20 } }));
  await send('late', reading(2, { session: 'b', counters: { impressions: 35 } }));
  expect(await numbers('late')).toEqual([1, 1, 2, 2]);
  const [day] = await opened.store.database.query(
    'SELECT resets, impressions FROM printer_days WHERE printer = $1',
    ['late'],
  );
  expect(day).toEqual({ resets: 0, impressions: 25 });
});

const many = (length: number, of: (index: number) => object) =>
  Array.from({ length }, (_, index) => of(index));

test.each([
  ['a counter beyond 2^53', { counters: { impressions: 2 ** 53 } }, 'payload/schema'],
  ['a negative counter', { counters: { impressions: -1 } }, 'payload/schema'],
  ['half a page', { counters: { impressions: 1.5 } }, 'payload/schema'],
  ['an invalid name', { counters: { Impressions: 1 } }, 'payload/schema'],
  [
    '65 counters',
    { counters: Object.fromEntries(many(65, (index) => [`c-${index}`, 1] as unknown as object) as never) },
    'payload/schema',
  ],
  [
    '257 supplies',
    { supplies: many(257, (index) => ({ symbol: `s${index}`, kind: 'ink' })) },
    'payload/schema',
  ],
  ['65 inputs', { inputs: many(65, (index) => ({ symbol: `t${index}` })) }, 'payload/schema'],
  ['a negative level', { supplies: [{ symbol: 's', kind: 'ink', level: -3 }] }, 'payload/schema'],
  [
    'a symbol for two supplies',
    { supplies: many(2, () => ({ symbol: 'supply.black', kind: 'toner' })) },
    'payload/duplicate-name',
  ],
  ['a symbol for two trays', { inputs: many(2, () => ({ symbol: 'tray.1' })) }, 'payload/duplicate-name'],
  ['more than 64 KiB', { supplies: [], padding: 'x'.repeat(64 * 1024) }, 'payload/too-large'],
])('%s is refused as a whole and reported', async (what, more, code) => {
  const printer = `bad-${what.replaceAll(/[^a-z0-9]/g, '-')}`;
  expect(await send(printer, { ...reading(1), ...more })).toBe('refused');
  expect(codes(printer)).toEqual([code]);
  expect(await numbers(printer)).toEqual([]);
});

test('a counter given twice is refused, whichever of them JSON would keep', async () => {
  const json = `{"session":"s1","number":1,"at":"2026-12-01T07:00:00Z","counters":{"impressions":5,"impressions":7}}`;
  expect(await send('doubled', json)).toBe('refused');
  expect(codes('doubled')).toEqual(['payload/duplicate-name']);
});

test('a level of 150 % counts as full, is reported, and loses nothing else', async () => {
  const supplies = [
    { symbol: 'supply.black', kind: 'toner', measure: 'percent' as const, level: 150, capacity: 100 },
  ];
  expect(await send('beyond', reading(1, { supplies, counters: { impressions: 4 } }))).toBe('taken');
  expect(codes('beyond')).toEqual(['payload/level-beyond-capacity']);
  const rows = await opened.store.database.query(
    `SELECT last_left, document->>'level' AS level FROM supply_intervals WHERE printer = 'beyond'`,
  );
  expect(rows).toEqual([{ last_left: 1, level: '100' }]);
  expect(await numbers('beyond')).toEqual([1]);
});

test('a supply with another symbol in every reading is followed up to a limit and reported, the others go on', async () => {
  const supplies = (index: number) => [
    ...many(100, (at) => ({ symbol: `odd-${index}-${at}`, kind: 'ink' })),
    { symbol: 'supply.black', kind: 'toner', measure: 'percent' as const, level: 90 - index },
  ];
  told = [];
  for (let index = 0; index < 5; index += 1) {
    expect(await send('odd', { ...reading(index + 1), supplies: supplies(index) })).toBe('taken');
  }
  expect(codes('odd')).toEqual([
    'payload/too-many-names',
    'payload/too-many-names',
    'payload/too-many-names',
  ]);
  const [row] = await opened.store.database.query(
    `SELECT count(*) AS all, max(last_left) FILTER (WHERE symbol = 'supply.black') AS left
     FROM supply_intervals WHERE printer = 'odd'`,
  );
  expect(row).toEqual({ all: 256, left: expect.closeTo(0.86) });
});

test('supplies with other serial numbers in every reading add limited rows a day, are reported, and go on', async () => {
  const { exchanges_day_max } = READING_LIMITS;
  told = [];
  for (let index = 0; index < 5; index += 1) {
    const supplies = many(60, (at) => ({
      symbol: `s-${at}`,
      kind: 'ink',
      serial: `${index}-${at}`,
      level: 9 - index,
    }));
    expect(await send('churn', { ...reading(index + 1), supplies })).toBe('taken');
  }
  expect(codes('churn')).toEqual(Array.from({ length: 3 }, () => 'payload/too-many-exchanges'));
  const [row] = await opened.store.database.query(
    `SELECT count(*) AS all, count(*) FILTER (WHERE until_at IS NULL) AS there,
       count(*) FILTER (WHERE until_at IS NULL AND serial LIKE '4-%') AS latest
     FROM supply_intervals WHERE printer = 'churn'`,
  );
  expect(row).toEqual({ all: 60 + exchanges_day_max, there: 60, latest: 60 });
});

test('an unchanged supply is not written again', async () => {
  const supplies = [
    {
      symbol: 'supply.black',
      kind: 'toner',
      color: 'black',
      serial: 'A',
      measure: 'percent' as const,
      level: 50,
    },
  ];
  const version = async () =>
    (
      await opened.store.database.query(`SELECT xmin::text FROM supply_intervals WHERE printer = 'steady'`)
    )[0];
  await send('steady', reading(1, { supplies }));
  const first = await version();
  await send('steady', reading(2, { supplies }));
  expect(await version()).toEqual(first);
  await send('steady', reading(3, { supplies: [{ ...supplies[0]!, level: 49 }] }));
  expect(await version()).not.toEqual(first);
});

test('10,000 supplies are more than a reading may hold, and the next reading is taken', async () => {
  const supplies = many(10_000, (index) => ({ symbol: `s${index}`, kind: 'ink' }));
  expect(await send('heap', { ...reading(1), supplies, counters: { impressions: 5 } })).toBe('refused');
  expect(codes('heap')).toEqual(['payload/too-large']);
  // Fewer than fill the payload, but still too many.
  expect(await send('heap', { ...reading(1), supplies: supplies.slice(0, 1_000) })).toBe('refused');
  expect(codes('heap').at(-1)).toBe('payload/schema');
  expect(await send('heap', reading(1, { counters: { impressions: 5 } }))).toBe('taken');
  expect(await numbers('heap')).toEqual([1]);
});

test('names that every object has as members are ordinary names', async () => {
  const json = JSON.stringify(reading(1)).replace(
    /}$/,
    ',"counters":{"constructor":3},"supplies":[{"symbol":"__proto__","kind":"ink","serial":"A"}]}',
  );
  expect(await send('proto', json)).toBe('taken');
  expect(
    await send('proto', json.replace('"number":1', '"number":2').replace('"A"', '"B"').replace(':3}', ':9}')),
  ).toBe('taken');
  const rows = await opened.store.database.query(
    `SELECT symbol, serial, until_at IS NULL AS there FROM supply_intervals WHERE printer = 'proto' ORDER BY serial`,
  );
  expect(rows).toEqual([
    { symbol: '__proto__', serial: 'A', there: false },
    { symbol: '__proto__', serial: 'B', there: true },
  ]);
  const [day] = await opened.store.database.query(
    `SELECT counters FROM printer_days WHERE printer = 'proto'`,
  );
  expect(day).toEqual({ counters: { constructor: { end: 9, grown: 6 } } });
});

test('the latest value of everything is shown, whatever single readings leave out', async () => {
  await send(
    'latest',
    reading(1, {
      state: 'idle',
      counters: { impressions: 7, faxes: 1 },
      supplies: [
        { symbol: 'supply.black', kind: 'toner', serial: 'T1', measure: 'grams', level: 30, capacity: 120 },
      ],
      facts: { hostname: 'office-7' },
    }),
  );
  await send(
    'latest',
    reading(2, { state: 'processing', counters: { impressions: 9 }, facts: { location: '2.OG' } }),
  );
  const latest = await opened.store.readings.latest('latest');
  expect(latest).toMatchObject({
    session: 's1',
    number: 2,
    state: 'processing',
    counters: { impressions: 9, faxes: 1 },
    supplies: [{ symbol: 'supply.black', serial: 'T1', level: 30, left: 0.25, known: 'exact' }],
    facts: { hostname: 'office-7', location: '2.OG' },
  });
  expect(await opened.store.readings.latest('nobody')).toBeUndefined();
});

test('raw readings are dropped by the day, their totals stay', async () => {
  const { database, ingest } = opened.store;
  await ingest.readings('aged', reading(1, { counters: { impressions: 1 } }));
  const days = new Partitions(database, READINGS);
  const now = Date.now();
  await days.drop(now + 34 * 86_400_000, 35, silent);
  expect(await numbers('aged')).toEqual([1]);
  await days.drop(now + 37 * 86_400_000, 35, silent);
  expect(await numbers('aged')).toEqual([]);
  expect(await database.query(`SELECT readings FROM printer_days WHERE printer = 'aged'`)).toEqual([
    { readings: 1 },
  ]);
  // Today's partition was dropped too: it is created again for the next reading.
  expect(await send('aged', reading(2, { counters: { impressions: 2 } }))).toBe('taken');
  expect(await numbers('aged')).toEqual([2]);
});
