import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Random, seededRandom } from '../../base/random.ts';
import type { Structure } from '../../schemas/types.ts';
import { parseWhere, WHERE_FIELDS } from '../../schemas/where.ts';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { finds, type OraclePrinter } from '../../tests/oracles/where/where.ts';
import { openStore, type Store } from '../database/store.ts';
import { PRINTER_SORTS, type PrinterSort } from '../queries.ts';
import { TroubleStore } from '../trouble/store.ts';
import { CatalogAssessor } from '../verdicts/assessor.ts';
import { StoredFleet } from './fleet-queries.ts';
import { fewPageOf, PrinterLists, pageOf } from './printer-lists.ts';

// Filters against an oracle: the same filters on the same printers in the store and in memory.
const SEED = Number(process.env['PLATEN_TEST_SEED'] ?? Date.now() % 1_000_000);
const NOW_MS = Date.parse('2026-11-30T12:00:00Z');
const HOUR_MS = 3_600_000;
const PRINTERS = 90;
const FILTERS = 300;

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const assessor = new CatalogAssessor('none', undefined);
const random: Random = seededRandom(SEED);
const printers: OraclePrinter[] = [];
let folder: string;
let store: Store;
let fleet: StoredFleet;

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}
function maybe<T>(share: number, value: () => T): T | undefined {
  return random() < share ? value() : undefined;
}
/** A copy without undefined members. */
function present<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}

const MODELS = ['C360', 'C360i', 'M200', 'M2_0', 'Z%'];
const SITES = ['Berlin', 'berlin-3', 'München 3', 'o"slo'];
const SERIALS = ['AB-1', 'ab-12', 'ZZ\\9', 'E%1'];
const RINGS = ['canary', 'broad', '', 'can,ary'];
const VERSIONS = ['1.9.0', '2.4.0', '2.5.0', '3.0.0-rc.1', 'odd'];
const SOFTWARE = ['acme.engine', 'acme.controller'];
const UNITS = ['EN-36', 'FIN-A', 'FIN-B'];
const RULES = ['jam', 'finisher-jam', 'any-fuser'];
const HOSTS = ['prn-1.example', 'PRN-2'];
const KINDS = ['toner', 'waste'];

function draw(index: number): OraclePrinter {
  const structured = random() < 0.85;
  return present<OraclePrinter>({
    id: `${pick(['c360', 'm', 'A_'])}-${index}`,
    model: structured ? pick(MODELS) : undefined,
    site: structured ? maybe(0.7, () => pick(SITES)) : undefined,
    serial: structured ? maybe(0.6, () => pick(SERIALS)) : undefined,
    labels: structured && random() < 0.6 ? { ring: pick(RINGS), ...maybe(0.3, () => ({ 'a b': 'x' })) } : {},
    online: random() < 0.5,
    verdict: structured ? pick(['compatible', 'incompatible', 'unknown', 'none']) : 'none',
    standing: random() < 0.1 ? 'retired' : 'active',
    seenMs: maybe(0.8, () => NOW_MS - Math.floor(random() * 200) * HOUR_MS),
    units: structured
      ? UNITS.filter(() => random() < 0.4).map((model) =>
          present<OraclePrinter['units'][number]>({ model, serial: maybe(0.5, () => pick(SERIALS)) }),
        )
      : [],
    software: structured
      ? SOFTWARE.filter(() => random() < 0.6).map((id) =>
          present<OraclePrinter['software'][number]>({ id, version: maybe(0.9, () => pick(VERSIONS)) }),
        )
      : [],
    troubles: RULES.filter(() => random() < 0.2).map((rule) =>
      present<OraclePrinter['troubles'][number]>({
        rule,
        severity: pick(['minor', 'major']),
        owner: maybe(0.5, () => pick(['lena', 'leo', 'anna'])),
      }),
    ),
    supplies: KINDS.filter(() => random() < 0.5).map((kind) =>
      present<OraclePrinter['supplies'][number]>({
        kind,
        percent: maybe(0.8, () => Math.floor(random() * 100)),
        endsMs: maybe(0.6, () => NOW_MS + Math.floor(random() * 400 - 40) * HOUR_MS),
      }),
    ),
    campaigns: ['k1', 'k2'].filter(() => random() < 0.2),
    host: maybe(0.3, () => pick(HOSTS)),
    address: maybe(0.3, () => `10.0.0.${index}`),
  });
}

async function put(printer: OraclePrinter): Promise<void> {
  const { id, model, serial, units, software, site, labels, host, address } = printer;
  await store.database.query('INSERT INTO printers (id) VALUES ($1)', [id]);
  if (model !== undefined) {
    const structure: Structure = {
      session: 's',
      revision: 1,
      at: '2026-11-22T07:00:00Z',
      reason: 'connect',
      apparatus: { model, ...(serial === undefined ? {} : { serial }), software },
      units: units.map((unit) => ({ symbol: `u-${unit.model}`, kind: 'unit', ...unit })),
      ...(site === undefined ? {} : { site }),
      labels,
    };
    await store.ingest.structure(id, structure);
  }
  if (host !== undefined || address !== undefined) {
    const facts = { ...(host ? { hostname: host } : {}), ...(address ? { address } : {}) };
    const at = new Date().toISOString();
    await store.ingest.readings(id, { session: 's', number: 1, at, reason: 'connect', facts });
  }
  const { online, verdict, standing, seenMs, troubles, supplies, campaigns } = printer;
  await store.database.query(
    'UPDATE printers SET online = $2, verdict = $3, standing = $4, last_seen = $5 WHERE id = $1',
    [
      id,
      online,
      verdict === 'none' ? null : verdict,
      standing,
      seenMs === undefined ? null : new Date(seenMs),
    ],
  );
  for (const { rule, severity, owner } of troubles) {
    await store.database.query(
      `INSERT INTO troubles (id, rule, key, printer, scope, state, severity, count, opened_at, updated_at, last_at,
                             evidence, codes, owner)
       VALUES ($1, $2, '', $3, '{}', 'open', $4, 1, now(), now(), now(), '[]', '[]', $5)`,
      [`${id} ${rule}`, rule, id, severity, owner ?? null],
    );
  }
  const open = troubles.map(({ rule }) => ({ trouble: `${id} ${rule}`, rule }));
  await store.printers.setOpenTroubles([{ printer: id, open }]);
  for (const { kind, percent, endsMs } of supplies) {
    await store.database.query(
      `INSERT INTO supply_intervals (printer, symbol, since_at, kind, last_left, ends_at, document)
       VALUES ($1, $2, now(), $2, $3, $4, '{}')`,
      [
        id,
        kind,
        percent === undefined ? null : percent / 100,
        endsMs === undefined ? null : new Date(endsMs),
      ],
    );
  }
  for (const campaign of campaigns) {
    await store.database.query(
      `INSERT INTO campaign_targets (campaign, printer, stratum, place, state, releases)
       VALUES ($1, $2, '', 0, 'waiting', '{}')`,
      [campaign, id],
    );
  }
}

const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
const equality = () => pick(['=', '!=']);
const ordering = () => pick(['<', '<=', '>', '>=']);

function texts(list: readonly string[]): string {
  const many = Array.from({ length: 1 + Math.floor(random() * 2) }, () => {
    const text = pick(list);
    if (random() < 0.2) return '*';
    return random() < 0.3
      ? `${quoted(text.slice(0, 1 + Math.floor(random() * text.length)))}*`
      : quoted(text);
  });
  return many.join(',');
}

const part = (list: readonly string[]) => {
  const text = pick(list.filter((one) => one !== ''));
  const from = Math.floor(random() * text.length);
  return quoted(text.slice(from, from + 1 + Math.floor(random() * 5)));
};

/** One example of each kind of term. */
const TERMS: readonly (() => string)[] = [
  () => `id${equality()}${texts(['c360-1', 'm-2', 'A_-3', 'c360-44'])}`,
  () => `id~${part(['c360-1', 'A_-3'])}`,
  () => `model${equality()}${texts(MODELS)}`,
  () => `model~${part(MODELS)}`,
  () => `site${equality()}${texts(SITES)}`,
  () => `site~${part(SITES)}`,
  () => `serial${equality()}${texts(SERIALS)}`,
  () => `serial~${part(SERIALS)}`,
  () => `label.ring${equality()}${texts(RINGS)}`,
  () => pick(['label."a b"', 'label.ring', 'label.none']),
  () => `presence${equality()}${pick(['online', 'offline', 'online,offline'])}`,
  () => `verdict${equality()}${pick(['compatible', 'none', 'none,unknown', '*', 'incompatible,compatible'])}`,
  () => `standing${equality()}${pick(['active', 'retired', 'revoked'])}`,
  () => `seen${ordering()}${pick(['PT2H', 'P3D', 'PT90H', '2026-11-29T00:00:00Z', '2026-11-28'])}`,
  () => `seen${equality()}${pick(['never', '*'])}`,
  () =>
    `software:${pick(SOFTWARE)}${pick(['', ...['2.5', '2.*', '">=2 <3"', '*', '2.4.0,1.x'].map((v) => `=${v}`)])}`,
  () => `software:${pick(SOFTWARE)}!=${pick(['2.5', '*', '1.9.0'])}`,
  () => `software:${pick(SOFTWARE)}${ordering()}${pick(['2.5', '2.4.0', '3'])}`,
  () => `unit${pick([':', '=', '!='])}${texts(UNITS)}`,
  () => `trouble${pick([':', '=', '!='])}${pick(['any', 'jam', 'finisher-jam,jam', 'any-*', '*'])}`,
  () => `troubles${pick(['=', '!=', '<', '<=', '>', '>='])}${pick(['0', '1', '2', '0.5', '1.5'])}`,
  () => `severity${equality()}${pick(['major', 'minor', 'm*'])}`,
  () => `owner${equality()}${pick(['lena', 'lena,anna', 'le*', '*', 'nobody'])}`,
  () => `campaign${equality()}${pick(['k1', 'k2', 'k1,k2', 'k*', 'none'])}`,
  () => `supply.${pick(KINDS)}${pick(['', '<20', '>=50', '=30', '!=*', '<=99.5'])}`,
  () => `daysLeft${ordering()}${pick(['0', '3', '7.5'])}`,
  () => `text~${part(['c360-1', ...SERIALS, ...HOSTS, '10.0.0.1', 'zz', 'PRN'])}`,
];

async function idsOf(where: string): Promise<string[]> {
  const { items } = await fleet.list({ where }, { limit: PRINTERS, cursor: undefined });
  return items.map(({ printer }) => printer);
}

beforeAll(async () => {
  folder = temporaryFolder('platen-where-');
  store = await openStore({ source: { dataFolder: folder }, log: silent });
  fleet = new StoredFleet(
    store,
    (software, range) => assessor.rangeMatcher(software, range),
    () => NOW_MS,
  );
  await store.database.query(
    `INSERT INTO campaigns (id, state, record, request, seed, created_at, updated_at, created_by)
     SELECT id, 'running', '{}', '{}', 1, now(), now(), 'admin' FROM unnest('{k1,k2}'::text[]) AS c (id)`,
  );
  printers.push(...Array.from({ length: PRINTERS }, (_, index) => draw(index)));
  for (const printer of printers) await put(printer);
  printers.sort((a, b) => (a.id < b.id ? -1 : 1));
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

test(`filters find what the oracle finds (seed ${SEED})`, async () => {
  const used = new Set<number>();
  for (let count = 0; count < FILTERS; count += 1) {
    const many = 1 + Math.floor(random() * 3);
    const where = Array.from({ length: many }, (_, at) => {
      // Every kind of term occurs alone.
      const index = at === 0 ? count % TERMS.length : Math.floor(random() * TERMS.length);
      used.add(index);
      return (TERMS[index] as () => string)();
    }).join(' ');
    const terms = parseWhere(where);
    const expected = printers.filter((printer) => finds(terms, printer, NOW_MS)).map(({ id }) => id);
    expect({ where, found: await idsOf(where) }).toEqual({ where, found: expected });
  }
  expect(used.size).toBe(TERMS.length);
});

test('every example of the reference page is read and answered', async () => {
  const page = readFileSync(new URL('../../docs/reference/where.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```where\n(.*?)```/gs)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  );
  expect(examples.length).toBeGreaterThan(10);
  for (const where of examples) {
    const terms = parseWhere(where);
    const expected = printers.filter((printer) => finds(terms, printer, NOW_MS)).map(({ id }) => id);
    expect({ where, found: await idsOf(where) }).toEqual({ where, found: expected });
  }
  // Every field is documented.
  for (const field of WHERE_FIELDS) expect(page).toContain(`\`${field}`);
});

test(`a printer is found by exactly one of = and != (seed ${SEED})`, async () => {
  const equalities = [
    'model=C360',
    'label.ring=canary',
    'software:acme.engine=2.4.0',
    'unit=FIN-A',
    'serial=AB-1',
  ];
  for (const where of [...equalities, 'trouble=any', 'site=*', 'verdict=none', 'campaign=k1', 'seen=never']) {
    const found = await idsOf(where);
    const others = await idsOf(where.replace('=', '!='));
    expect([...found, ...others].sort()).toEqual(printers.map(({ id }) => id).sort());
  }
});

const KEYS: Record<(typeof PRINTER_SORTS)[number], (printer: OraclePrinter) => string | number | undefined> =
  {
    id: ({ id }) => id,
    model: ({ model }) => model,
    site: ({ site }) => site,
    seen: ({ seenMs }) => seenMs,
    verdict: ({ verdict }) => (verdict === 'none' ? undefined : verdict),
    troubles: ({ troubles }) => troubles.length,
  };

test.each(PRINTER_SORTS.flatMap((key) => [key, `-${key}`] as const))(
  `pages sorted by %s hold every printer once, in order (seed ${SEED})`,
  async (sort: PrinterSort) => {
    const key = KEYS[sort.replace('-', '') as keyof typeof KEYS];
    const sign = sort.startsWith('-') ? -1 : 1;
    const bytes = (left: string, right: string) => Buffer.compare(Buffer.from(left), Buffer.from(right));
    const sorted = [...printers].sort((a, b) => {
      const [left, right] = [key(a), key(b)];
      if (left === undefined || right === undefined) {
        if (left !== right) return left === undefined ? 1 : -1;
        return sign * bytes(a.id, b.id);
      }
      const order = typeof left === 'number' ? left - Number(right) : bytes(left, String(right));
      return sign * (order === 0 ? bytes(a.id, b.id) : order);
    });
    // Both plans: walking the index of the order, and finding first, then sorting.
    for (const filter of [{}, { where: 'troubles>=0' }]) {
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const limit = 1 + Math.floor(random() * 30);
        const page = await fleet.list(filter, { limit, cursor, counted: true }, sort);
        found.push(...page.items.map(({ printer }) => printer));
        expect(page).toMatchObject({ total: PRINTERS, exact: true });
        cursor = page.next;
      } while (cursor !== undefined);
      expect(found).toEqual(sorted.map(({ id }) => id));
    }
  },
);

/** The source of a field's values. */
const FACETS: Record<string, (printer: OraclePrinter) => readonly (string | undefined)[]> = {
  model: ({ model }) => [model],
  site: ({ site }) => [site],
  verdict: ({ verdict }) => [verdict],
  presence: ({ online }) => [online ? 'online' : 'offline'],
  trouble: ({ troubles }) => troubles.map(({ rule }) => rule),
  severity: ({ troubles }) => troubles.map(({ severity }) => severity),
  owner: ({ troubles }) => troubles.flatMap(({ owner }) => owner ?? []),
  unit: ({ units }) => units.map(({ model }) => model),
  'label.ring': ({ labels }) => [labels['ring']],
  'software:acme.engine': ({ software }) =>
    software.filter(({ id }) => id === 'acme.engine').map(({ version }) => version),
};

test.each(['', 'presence=online', 'model=C360* troubles<2'])(
  `facets of %j count what the oracle counts, and each value's term finds as many (seed ${SEED})`,
  async (where) => {
    const terms = parseWhere(where);
    const matching = printers.filter((printer) => finds(terms, printer, NOW_MS));
    const facets = await fleet.facets({ where }, Object.keys(FACETS), 100);
    expect(facets.map(({ field }) => field)).toEqual(Object.keys(FACETS));
    for (const { field, values, more } of facets) {
      const expected = new Map<string | undefined, number>();
      for (const printer of matching) {
        for (const value of new Set(FACETS[field]?.(printer)))
          expected.set(value, (expected.get(value) ?? 0) + 1);
      }
      expect(new Map(values.map(({ value, printers: count }) => [value, count]))).toEqual(expected);
      expect(more).toBe(0);
      for (const { value, printers: count, where: term } of values) {
        // Software of an unknown version differs from software that is not installed.
        if (value === undefined && field.startsWith('software')) continue;
        const odd = value === 'odd' && field.startsWith('software');
        if (!odd)
          expect({ term, found: await fleet.count({ where: `${where} ${term}` }) }).toEqual({
            term,
            found: count,
          });
      }
    }
    const [most] = await fleet.facets({ where }, ['model'], 1);
    expect(most?.values).toHaveLength(1);
    expect(most?.more).toBe(new Set(matching.map(({ model }) => model)).size - 1);
  },
);

test('troubles are counted by rule and site among the printers of a filter', async () => {
  const troubles = new TroubleStore(store.database);
  for (let turn = 0; turn < 30; turn += 1) {
    const where = pick(TERMS)();
    const expected: Record<string, number> = {};
    for (const printer of printers.filter((each) => finds(parseWhere(where), each, NOW_MS))) {
      for (const { rule } of printer.troubles) {
        const group = `${rule} ${printer.site ?? ''}`;
        expected[group] = (expected[group] ?? 0) + 1;
      }
    }
    const conditions = await fleet.conditions({ where });
    const page = { limit: 1_000, cursor: undefined };
    const { groups } = await troubles.groups({ printers: conditions, open: true }, ['rule', 'site'], page);
    const counted = Object.fromEntries(groups.map((each) => [`${each.rule} ${each.site}`, each.troubles]));
    expect({ where, counted }).toEqual({ where, counted: expected });
  }
});

test('configurations are what printers share that are made of the same', async () => {
  const groups = new Map<string, string[]>();
  for (const { id, model, units, software } of printers) {
    if (model === undefined) continue;
    const key = JSON.stringify([model, units.map((unit) => unit.model), software]);
    groups.set(key, [...(groups.get(key) ?? []), id]);
  }
  // As after an upgrade from a version that did not name configurations.
  await store.database.query('UPDATE printers SET configuration = NULL WHERE random() < 0.5');
  const found: number[] = [];
  const examples: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await fleet.configurations({}, { limit: 7, cursor });
    found.push(...page.items.map((item) => item.printers));
    examples.push(...page.items.map(({ example }) => example));
    for (const { printers: count, verdict } of page.items) {
      expect(Object.values(verdict).reduce((sum, one) => sum + one, 0)).toBe(count);
    }
    cursor = page.next;
  } while (cursor !== undefined);
  const sizes = [...groups.values()].map((ids) => ids.length).sort((a, b) => b - a);
  expect(found).toEqual(sizes);
  expect(new Set(examples)).toEqual(new Set([...groups.values()].map((ids) => ids.sort()[0])));
});

test('labels that are set stand over those that a printer reports, until they are removed', async () => {
  const id = 'labelled';
  const shown = (revision: number, labels: Record<string, string>): Structure => ({
    session: 's',
    revision,
    at: '2026-11-22T07:00:00Z',
    reason: 'change',
    apparatus: { model: 'C360' },
    units: [],
    labels,
  });
  const labels = async () => (await fleet.get(id))?.labels;
  await store.ingest.structure(id, shown(1, { ring: 'broad', floor: '3' }));
  expect(await store.labels.change([id], { set: { ring: 'first', owner: 'ann' }, remove: [] })).toBe(1);
  expect(await labels()).toEqual({ ring: 'first', floor: '3', owner: 'ann' });
  expect(await idsOf('label.ring=first label.owner=ann label.floor=3')).toEqual([id]);
  await store.ingest.structure(id, shown(2, { ring: 'broad', floor: '4' }));
  expect(await labels()).toEqual({ ring: 'first', floor: '4', owner: 'ann' });
  await store.labels.change([id], { set: {}, remove: ['ring', 'owner', 'none'] });
  expect(await labels()).toEqual({ ring: 'broad', floor: '4' });
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`l${at}`, '']));
  await expect(store.labels.change([id], { set: many, remove: [] })).rejects.toMatchObject({
    code: 'request/conflict',
  });
  expect(await labels()).toEqual({ ring: 'broad', floor: '4' });
  await store.database.query('DELETE FROM printers WHERE id = $1', [id]);
  await store.database.query('DELETE FROM structures WHERE printer = $1', [id]);
});

test('a cursor of another order is refused', async () => {
  const { next } = await fleet.list({}, { limit: 3, cursor: undefined }, 'model');
  const again = fleet.list({}, { limit: 3, cursor: next }, 'site');
  await expect(again).rejects.toMatchObject({ code: 'request/invalid' });
});

test('what a printer has no more finds it no more', async () => {
  const [id] = ['swap-1'];
  const shown = (revision: number, model: string, serial: string): Structure => ({
    session: 's',
    revision,
    at: '2026-11-22T07:00:00Z',
    reason: 'change',
    apparatus: { model: 'C360' },
    units: [{ symbol: 'finisher', kind: 'finisher', model, serial }],
  });
  await store.ingest.structure(id, shown(1, 'FIN-OLD', 'OLD-77'));
  expect(await idsOf('unit:FIN-OLD serial=OLD-77 text~old-77')).toEqual([id]);
  await store.ingest.structure(id, shown(2, 'FIN-NEW', 'NEW-88'));
  expect(await idsOf('unit:FIN-OLD')).toEqual([]);
  expect(await idsOf('text~old-77')).toEqual([]);
  expect(await idsOf('unit:FIN-NEW text~NEW-8')).toEqual([id]);
  await store.database.query('DELETE FROM printers WHERE id = $1', [id]);
  await store.database.query('DELETE FROM structures WHERE printer = $1', [id]);
});

test('beyond a bound the total is an estimate and says so', async () => {
  const compiled = await store.lists.compile([], () => () => true, NOW_MS);
  expect(await store.lists.total(compiled, PRINTERS)).toEqual({ total: PRINTERS, exact: true });
  const estimate = await store.lists.total(compiled, 50);
  expect(estimate.exact).toBe(false);
  expect(estimate.total).toBeGreaterThanOrEqual(51);
});

test('a filter that takes too long is ended with a code of its own', async () => {
  const lists = new PrinterLists(store.database, 100);
  const impatient = new StoredFleet(
    { ...store, lists },
    () => () => true,
    () => NOW_MS,
  );
  await store.database.transaction(async (client) => {
    // The lock keeps the statement from finishing.
    await client.query('LOCK TABLE printers IN ACCESS EXCLUSIVE MODE');
    await expect(impatient.count({ where: 'model~C' })).rejects.toMatchObject({
      code: 'request/filter-too-slow',
    });
  });
  expect(await impatient.count({})).toBe(PRINTERS);
});

// The last test, because it fills the store with a fleet that is large enough for query plans to matter.
const FLEET = 20_000;
const SINGLE_FILTERS = [
  '',
  'id=plan-1*',
  'model=M3',
  'site=S7',
  'serial=SN-77',
  'label.ring=canary',
  'presence=offline',
  'verdict=incompatible',
  'verdict=none',
  'standing=retired',
  'seen<PT2H',
  'seen=never',
  'software:plan.engine=1.0.3',
  'unit:F2',
  'trouble:plan-jam',
  'troubles>=1',
  'severity=minor',
  'owner=owner-3',
  'campaign=k1',
  'supply.toner<0.2',
  'daysLeft<1',
  'text~sn-778',
  'verdict!=compatible',
];

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  Plans?: PlanNode[];
}

function scanned({ 'Node Type': type, 'Relation Name': relation = '', Plans = [] }: PlanNode): string[] {
  return [...(type === 'Seq Scan' ? [relation] : []), ...Plans.flatMap(scanned)];
}

test('no list looks at the whole fleet, whatever one filter and sort it has', async () => {
  await store.database.query(
    `INSERT INTO printers (id, online, last_seen, model, site, labels, verdict, standing, open_troubles)
     SELECT 'plan-' || n, n % 10 <> 0, $1::timestamptz - n * interval '1 minute', 'M' || n % 40, 'S' || n % 200,
       CASE WHEN n % 50 = 0 THEN '{"ring":"canary"}' ELSE '{"ring":"broad"}' END::jsonb,
       CASE WHEN n % 20 = 0 THEN 'incompatible' WHEN n % 97 <> 0 THEN 'compatible' END,
       CASE WHEN n % 500 = 0 THEN 'retired' ELSE 'active' END, CASE WHEN n % 100 = 0 THEN 1 ELSE 0 END
     FROM generate_series(1, $2::int) n`,
    [new Date(NOW_MS), FLEET],
  );
  const fill = [
    `INSERT INTO installed_software SELECT 'plan-' || n, 'engine:plan.engine', 'plan.engine', '1.0.' || n % 500`,
    `INSERT INTO printer_units SELECT 'plan-' || n, 'finisher', 'F' || n % 400, 'SN-' || n`,
    `INSERT INTO printer_troubles SELECT 'plan-' || n, 't' || n, 'plan-jam'`,
    `INSERT INTO troubles (id, rule, key, printer, scope, state, severity, count, opened_at, updated_at, last_at,
       evidence, codes, owner)
     SELECT 'plan-' || n, 'plan-jam', '', 'plan-' || n, '{}', CASE WHEN n % 100 = 0 THEN 'open' ELSE 'cleared' END,
       'minor', 1, now(), now(), now(), '[]', '[]', CASE WHEN n % 400 = 0 THEN 'owner-' || n % 7 END`,
    `INSERT INTO supply_intervals (printer, symbol, since_at, kind, last_left, ends_at, document)
     SELECT 'plan-' || n, 'black', now(), 'toner', n % 1000 / 1000.0, to_timestamp($1 / 1000.0) + n % 600 * interval '1 day', '{}'`,
  ];
  for (const text of fill) {
    const some = text.includes('INTO printer_troubles') ? 'WHERE n % 100 = 0' : '';
    const values = text.includes('$1') ? [NOW_MS] : [];
    await store.database.query(`${text} FROM generate_series(1, ${FLEET}) n ${some}`, values);
  }
  await store.database.query(
    `UPDATE printer_search x SET serials = u.serial FROM printer_units u
     WHERE u.printer = x.printer AND u.printer LIKE 'plan-%'`,
  );
  await store.database.query('VACUUM ANALYZE');
  const seen: string[] = [];
  for (const where of SINGLE_FILTERS) {
    const conditions = await fleet.conditions({ where });
    for (const sort of PRINTER_SORTS.flatMap((key) => [key, `-${key}`] as const)) {
      for (const part of ['value', 'none', 'few'] as const) {
        if (part === 'few' && where === '') continue;
        if (part === 'none' && ['id', 'troubles'].includes(sort.replace('-', ''))) continue;
        const { text, values } =
          part === 'few'
            ? fewPageOf(conditions, sort, 101, undefined, FLEET / 4)
            : pageOf(conditions, sort, part, 101, undefined);
        const [row] = await store.database.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
          `EXPLAIN (FORMAT JSON) ${text}`,
          values,
        );
        // These filters match all rows.
        const small = ['campaign_targets', 'printer_troubles'];
        const tables = scanned(row!['QUERY PLAN'][0].Plan).filter((table) => !small.includes(table));
        seen.push(...tables.map((table) => `${where} by ${sort} (${part}): ${table}`));
      }
    }
  }
  expect(seen).toEqual([]);
});
