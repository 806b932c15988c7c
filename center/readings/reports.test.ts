/** Reports from a real database, compared with sums over the inserted readings. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomFor } from '../../base/random.ts';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { silent, testStructure } from '../../tests/harness/orders.ts';
import { prepareDatabase } from '../../tests/harness/prepared.ts';
import { openStore, type Store } from '../database/store.ts';
import type { FirmwareQuery, Page, PageRequest } from '../queries.ts';

const SEED = 20261201;
const START = Date.UTC(2026, 9, 20, 6);
const HOUR_MS = 3_600_000;
const ZONES = ['Europe/Berlin', 'America/Los_Angeles', 'Asia/Kolkata'];
const SITES = ['berlin-3', 'paris-1'];

let folder: string;
let store: Store;
let time_ms = START;
/** Every pair of consecutive counter values, with the date of the later one in its printer's zone. */
const printed: { printer: string; site: string; ring: string; date: string; pages: number }[] = [];

beforeAll(async () => {
  folder = temporaryFolder('platen-reports-');
  await prepareDatabase(folder);
  store = await openStore({ source: { dataFolder: folder }, log: silent, now: () => time_ms });
  const random = randomFor(SEED, 'reports');
  const fleet = Array.from({ length: 12 }, (_, index) => ({
    printer: `p-${String(index).padStart(2, '0')}`,
    site: SITES[index % 2] ?? '',
    ring: index < 4 ? 'canary' : 'broad',
    zone: ZONES[index % 3] ?? '',
    value: Math.floor(random() * 100_000),
    before: false,
  }));
  for (const { printer, site, ring, zone } of fleet) {
    await store.ingest.structure(printer, { ...testStructure(), site, labels: { ring }, timezone: zone });
  }
  await store.ingest.structure('p-silent', { ...testStructure(), site: 'paris-1' });
  for (let number = 1; number <= 100; number += 1) {
    time_ms += 7 * HOUR_MS;
    await Promise.all(
      fleet.map((one) => {
        const pages = Math.floor(random() * 300);
        one.value += pages;
        if (random() < 0.3) return undefined;
        return store.ingest
          .readings(one.printer, {
            session: 's',
            number,
            at: new Date(time_ms).toISOString(),
            counters: { impressions: one.value, scans: 2 * one.value },
          })
          .then(() => one.value);
      }),
    ).then((values) => {
      for (const [index, value] of values.entries()) {
        const one = fleet[index];
        if (value === undefined || !one) continue;
        const { printer, site, ring, zone } = one;
        const date = new Date(time_ms).toLocaleDateString('sv-SE', { timeZone: zone });
        const known = counted.get(printer);
        printed.push({ printer, site, ring, date, pages: known === undefined ? 0 : value - known });
        counted.set(printer, value);
      }
    });
  }
});
const counted = new Map<string, number>();

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function all<T>(list: (page: PageRequest) => Promise<Page<T>>, limit: number): Promise<T[]> {
  const items: T[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await list({ limit, cursor });
    items.push(...page.items);
    if (page.next === undefined) return items;
    cursor = page.next;
  }
}

const NOVEMBER = {
  from: '2026-11-01',
  to: '2026-11-30',
  now_ms: START + 100 * 7 * HOUR_MS,
  counter: 'impressions',
} as const;

function sums(by: 'printer' | 'site' | 'ring'): Record<string, number> {
  const result: Record<string, number> = {};
  for (const one of printed) {
    if (one.date < NOVEMBER.from || one.date > NOVEMBER.to) continue;
    result[one[by]] = (result[one[by]] ?? 0) + one.pages;
  }
  return result;
}

test('pages of a month are those of the month in each printer’s zone, however they are put together', async () => {
  const { reports } = store;
  const bySite = await all((page) => reports.pages({ ...NOVEMBER, by: 'site', sort: '-pages' }, page), 1);
  expect(Object.fromEntries(bySite.map(({ name, pages }) => [name, pages]))).toEqual(sums('site'));
  expect(bySite.map(({ printers }) => printers).sort()).toEqual([6, 7]);
  const byPrinter = await all(
    (page) => reports.pages({ ...NOVEMBER, by: 'printer', sort: '-pages' }, page),
    5,
  );
  expect(byPrinter).toHaveLength(13);
  expect(byPrinter.map(({ pages }) => pages)).toEqual(
    [...byPrinter.map(({ pages }) => pages)].sort((a, b) => b - a),
  );
  const spoke = byPrinter.filter(({ readings }) => readings > 0);
  expect(Object.fromEntries(spoke.map(({ name, pages }) => [name, pages]))).toEqual(sums('printer'));
  const byRing = await all(
    (page) => reports.pages({ ...NOVEMBER, by: 'label', label: 'ring', sort: 'name' }, page),
    2,
  );
  expect(byRing.map(({ name }) => name)).toEqual(['', 'broad', 'canary']);
  expect(Object.fromEntries(byRing.slice(1).map(({ name, pages }) => [name, pages]))).toEqual(sums('ring'));
});

test('any counter is reported, of a site or a model alone, in any order', async () => {
  const { reports } = store;
  const one = { ...NOVEMBER, by: 'printer' as const, sort: 'pages' as const, site: 'paris-1' };
  const pages = await all((page) => reports.pages(one, page), 2);
  const scans = await all((page) => reports.pages({ ...one, counter: 'scans' }, page), 100);
  expect(scans.map(({ name, pages: count }) => [name, count])).toEqual(
    pages.map(({ name, pages: count }) => [name, 2 * count]),
  );
  expect(pages.map(({ name }) => name)).toContain('p-silent');
  expect((await reports.pages({ ...one, model: 'nothing' }, { limit: 9, cursor: undefined })).items).toEqual(
    [],
  );
});

test('days without a word are told, of a printer that never spoke all that could have had one', async () => {
  const { items } = await store.reports.pages(
    { ...NOVEMBER, by: 'printer', sort: 'name' },
    { limit: 99, cursor: undefined },
  );
  const silentOne = items.find(({ name }) => name === 'p-silent');
  expect(silentOne).toMatchObject({ pages: 0, readings: 0, silentDays: 18 });
  expect(silentOne?.first).toBeUndefined();
  for (const { name, silentDays } of items.filter(({ readings }) => readings > 0)) {
    const dates = new Set(printed.filter(({ printer }) => printer === name).map(({ date }) => date));
    const spoke = [...dates].filter((date) => date >= NOVEMBER.from && date <= NOVEMBER.to);
    expect([name, silentDays]).toEqual([name, Math.max(0, 18 - spoke.length)]);
  }
});

/** Days and months with the times at which they begin and end in their zones, including days of 23 and 25 hours. */
const STRETCHES: [zone: string, from: string, to: string, begins: string, ends: string][] = [
  ['Pacific/Kiritimati', '2026-12-01', '2026-12-31', '2026-11-30T10:00:00Z', '2026-12-31T10:00:00Z'],
  ['Pacific/Auckland', '2026-12-01', '2026-12-31', '2026-11-30T11:00:00Z', '2026-12-31T11:00:00Z'],
  ['Asia/Kolkata', '2026-12-01', '2026-12-31', '2026-11-30T18:30:00Z', '2026-12-31T18:30:00Z'],
  ['Europe/Berlin', '2026-12-01', '2026-12-31', '2026-11-30T23:00:00Z', '2026-12-31T23:00:00Z'],
  ['Mars/Olympus', '2026-12-01', '2026-12-31', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
  ['America/Los_Angeles', '2026-12-01', '2026-12-31', '2026-12-01T08:00:00Z', '2027-01-01T08:00:00Z'],
  ['America/Los_Angeles', '2027-03-14', '2027-03-14', '2027-03-14T08:00:00Z', '2027-03-15T07:00:00Z'],
  ['Europe/Berlin', '2027-03-28', '2027-03-28', '2027-03-27T23:00:00Z', '2027-03-28T22:00:00Z'],
  ['Europe/Berlin', '2027-04-01', '2027-04-30', '2027-03-31T22:00:00Z', '2027-04-30T22:00:00Z'],
  ['Pacific/Auckland', '2027-04-04', '2027-04-04', '2027-04-03T11:00:00Z', '2027-04-04T12:00:00Z'],
];

test('a day and a month begin and end by the clock of the printer, also when that clock is changed', async () => {
  const named = (zone: string) => `z-${zone.replace('/', '-')}`;
  for (const zone of new Set(STRETCHES.map(([one]) => one))) {
    await store.ingest.structure(named(zone), { ...testStructure(), timezone: zone });
  }
  const readings = STRETCHES.flatMap(([zone, , , begins, ends]) => [
    { printer: named(zone), at_ms: Date.parse(begins) - 60_000, pages: 1 },
    { printer: named(zone), at_ms: Date.parse(begins), pages: 10 },
    { printer: named(zone), at_ms: Date.parse(ends) - 60_000, pages: 100 },
    { printer: named(zone), at_ms: Date.parse(ends), pages: 1_000 },
  ]).sort((a, b) => a.at_ms - b.at_ms);
  const values = new Map<string, number>();
  for (const [index, { printer, at_ms, pages }] of readings.entries()) {
    time_ms = at_ms;
    const value = (values.get(printer) ?? 0) + pages;
    values.set(printer, value);
    await store.ingest.readings(printer, {
      session: 'z',
      number: index + 1,
      at: new Date(at_ms).toISOString(),
      counters: { impressions: value },
    });
  }
  for (const [zone, from, to, begins, ends] of STRETCHES) {
    const { items } = await store.reports.pages(
      { from, to, now_ms: time_ms, counter: 'impressions', by: 'printer', sort: 'name' },
      { limit: 100, cursor: undefined },
    );
    const item = items.find(({ name }) => name === named(zone));
    expect([zone, from, item?.pages]).toEqual([zone, from, 110]);
    expect(item?.first).toMatch(new RegExp(`^${from}T00:00:00`));
    expect(item?.last).toMatch(new RegExp(`^${to}T23:59:00`));
    expect(Date.parse(item?.first ?? '')).toBe(Date.parse(begins));
    expect(Date.parse(item?.last ?? '')).toBe(Date.parse(ends) - 60_000);
  }
});

test('a day that has not begun where the printer stands is no silent one', async () => {
  for (const [printer, timezone] of [
    ['y-east', 'Pacific/Kiritimati'],
    ['y-utc', undefined],
    ['y-west', 'America/Los_Angeles'],
  ] as const) {
    await store.ingest.structure(printer, { ...testStructure(), ...(timezone ? { timezone } : {}) });
  }
  const silentDays = async (now: string) => {
    const { items } = await store.reports.pages(
      {
        from: '2028-02-29',
        to: '2028-03-31',
        now_ms: Date.parse(now),
        counter: 'impressions',
        by: 'printer',
        sort: 'name',
      },
      { limit: 100, cursor: undefined },
    );
    return items.filter(({ name }) => name.startsWith('y-')).map((item) => item.silentDays);
  };
  expect(await silentDays('2028-02-29T00:30:00Z')).toEqual([1, 1, 0]);
  expect(await silentDays('2028-02-29T10:30:00Z')).toEqual([2, 1, 1]);
});

test('installed versions are counted over the fleet, by model and by site, and the oldest come first', async () => {
  const software = (version?: string) => ({
    apparatus: {
      model: 'FW-1',
      software: [{ id: 'fw', ...(version === undefined ? {} : { version }) }],
    },
    units: [],
  });
  const versions = { 'fw-1': '1.0', 'fw-2': '1.0', 'fw-3': '2.0', 'fw-4': '3.0', 'fw-5': undefined };
  for (const [printer, version] of Object.entries(versions)) {
    const site = printer === 'fw-3' ? 'oslo' : 'rome';
    await store.ingest.structure(printer, { ...testStructure(), site, ...software(version) });
  }
  // With a catalog whose oldest release is 2.0 and whose order has no place for 3.0.
  const ageOf = (_id: string, version: string) => ({
    status: 'released' as const,
    ...(version === '3.0' ? {} : { behind: { '1.0': 4, '2.0': 9 }[version] ?? 0 }),
  });
  const list = (query: Partial<FirmwareQuery>, limit: number) =>
    all(
      (page) =>
        store.reports.firmware({ by: 'software', sort: '-printers', software: 'fw', ...query }, page, ageOf),
      limit,
    );
  expect(await list({}, 1)).toEqual([
    { software: 'fw', version: '1.0', status: 'released', behind: 4, printers: 2, installed: 2 },
    { software: 'fw', printers: 1, installed: 1 },
    { software: 'fw', version: '2.0', status: 'released', behind: 9, printers: 1, installed: 1 },
    { software: 'fw', version: '3.0', status: 'released', printers: 1, installed: 1 },
  ]);
  const oldest = await list({ sort: '-behind' }, 1);
  expect(oldest.map(({ version }) => version)).toEqual(['2.0', '1.0', undefined, '3.0']);
  const bySite = await list({ by: 'site', sort: 'name' }, 2);
  expect(bySite.map(({ name, version, printers }) => [name, version, printers])).toEqual([
    ['oslo', '2.0', 1],
    ['rome', undefined, 1],
    ['rome', '1.0', 2],
    ['rome', '3.0', 1],
  ]);
  expect((await list({ by: 'model', site: 'oslo' }, 9)).map(({ name }) => name)).toEqual(['FW-1']);
  await store.printers.setStanding('fw-3', 'retired', new Date(time_ms));
  expect((await list({ sort: '-behind' }, 9)).map(({ version }) => version)).not.toContain('2.0');
});

test('supplies are listed with what is left and when they end, the first to end first', async () => {
  const levels = { 'p-00': 4, 'p-01': 2, 'p-02': 0 } as Record<string, number>;
  for (let day = 0; day < 12; day += 1) {
    time_ms += 24 * HOUR_MS;
    await Promise.all(
      Object.entries(levels).map(([printer, used]) =>
        store.ingest.readings(printer, {
          session: 's',
          number: 1_000 + day,
          at: new Date(time_ms).toISOString(),
          supplies: [
            {
              symbol: 'supply.black',
              kind: 'toner',
              color: 'black',
              measure: 'percent',
              level: 90 - day * used,
            },
            { symbol: 'drum', kind: 'drum', measure: 'unknown', known: 'some' },
          ],
        }),
      ),
    );
  }
  const { reports } = store;
  const query = { now_ms: time_ms, sort: 'ends' } as const;
  const items = await all((page) => reports.supplies(query, page), 2);
  expect(items.map(({ printer, symbol, left }) => [printer, symbol, left])).toEqual([
    ['p-00', 'supply.black', 0.46],
    ['p-01', 'supply.black', 0.68],
    ['p-00', 'drum', undefined],
    ['p-01', 'drum', undefined],
    ['p-02', 'drum', undefined],
    ['p-02', 'supply.black', 0.9],
  ]);
  const [first, second] = items;
  expect(first?.daysLeft?.days).toBeCloseTo(11.5, 0);
  expect(second?.daysLeft?.days).toBeCloseTo(34, 0);
  for (const { daysLeft } of [first!, second!]) {
    expect(daysLeft?.low).toBeLessThanOrEqual(daysLeft?.days ?? 0);
    expect(daysLeft?.high).toBeGreaterThanOrEqual(daysLeft?.days ?? 0);
  }
  const soon = await reports.supplies({ ...query, endsWithinDays: 14 }, { limit: 9, cursor: undefined });
  expect(soon.items.map(({ printer }) => printer)).toEqual(['p-00']);
  const left = await all((page) => reports.supplies({ ...query, sort: 'left', kind: 'toner' }, page), 1);
  expect(left.map((one) => one.left)).toEqual([0.46, 0.68, 0.9]);
});
