import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pino from 'pino';
import type { LogEntry, Structure, Trouble, TroubleRules } from '../../schemas/types.ts';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { openStore, type Store } from '../store/store.ts';
import { compileRules } from './compile.ts';
import { semverInRange } from './context.ts';
import { Replay, type TroubleLine } from './replay.ts';
import { TroubleService } from './service.ts';
import { TroubleStore } from './store.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let folder: string;
let store: Store;
const T0 = Date.parse('2026-11-20T00:00:00Z');
const HOUR = 3_600_000;
let clock = T0;

beforeAll(async () => {
  folder = temporaryFolder('platen-trouble-');
  store = await openStore({ source: { dataFolder: folder }, log: silent, now: () => clock });
  await store.maintain();
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Running {
  service: TroubleService;
  told: string[];
  retained: Map<string, string>;
}

const services: TroubleService[] = [];

async function run(rules: TroubleRules | undefined, retained = new Map<string, string>()): Promise<Running> {
  const told: string[] = [];
  const service = new TroubleService({
    store: new TroubleStore(store.database),
    setOpenTroubles: (list, client) => store.printers.setOpenTroubles(list, client),
    publish: (topic, payload) => {
      if (payload === '') retained.delete(topic);
      else retained.set(topic, payload);
      return Promise.resolve();
    },
    tell: (what, { printer, data }) => told.push(`${what} ${printer ?? 'fleet'} ${String(data['rule'])}`),
    inRange: semverInRange,
    log: pino({ level: 'silent' }),
    now: () => clock,
    times: { flush: 1, tick: 3_600_000, checkpoint: 3_600_000, evidence: 3_600_000 },
  });
  services.push(service);
  await service.start(rules);
  return { service, told, retained };
}

async function send(
  service: TroubleService,
  printer: string,
  log: string,
  entries: LogEntry[],
): Promise<void> {
  const { fresh } = await store.ingest.errors(printer, { log, first: 1, reason: 'event', entries });
  if (fresh.length > 0) service.onEntries(printer, log, fresh);
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

async function all(service: TroubleService, filter: object = {}): Promise<Trouble[]> {
  return (await service.list(filter, { limit: 1000, cursor: undefined })).items;
}

test('a trouble is written, told once, retained while it is open, and closed by an operator', async () => {
  clock = T0 + 3 * HOUR;
  const { service, told, retained } = await run(jams);
  await send(service, 'a', 'l', [entry(1, 0), entry(2, 1), entry(3, 2)]);
  await service.checkpoint();
  expect(told).toEqual(['opened a jams']);
  const [trouble] = await all(service, { printer: 'a' });
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
  const closed = await service.close(trouble?.id ?? '', 'roller exchanged', 'anna');
  expect(closed).toMatchObject({ state: 'closed', note: 'roller exchanged' });
  expect(retained.size).toBe(0);
  await expect(service.close(trouble?.id ?? '', '', 'anna')).rejects.toThrow('closed already');
  // What was seen before counts no more: it takes three again, whether they come now or after a restart.
  clock = T0 + 6 * HOUR;
  await send(service, 'a', 'l', [entry(4, 4), entry(5, 5)]);
  await service.checkpoint();
  expect(await all(service, { open: true })).toEqual([]);
  const again = await run(jams);
  await send(again.service, 'a', 'l', [entry(6, 6)]);
  await again.service.checkpoint();
  expect(again.told).toEqual(['opened a jams']);
  clock = T0 + 31 * HOUR;
  again.service.tick(clock);
  await again.service.checkpoint();
  expect(again.told).toEqual(['opened a jams', 'cleared a jams']);
});

test('killed at any moment and started again, every trouble is told once', async () => {
  const list = ['b1', 'b2', 'b3'].flatMap((printer, which) =>
    Array.from({ length: 30 }, (_, index) => ({
      printer,
      entry: entry(index + 1, 40 + which + index * 2 + Math.floor(index / 7) * 40),
    })),
  );
  const told: string[] = [];
  const retained = new Map<string, string>();
  let running = await run(jams, retained);
  let dice = 7;
  const next = () => {
    dice = (dice * 1103515245 + 12345) % 2147483648;
    return dice / 2147483648;
  };
  list.sort((a, b) => Date.parse(a.entry.at) - Date.parse(b.entry.at));
  for (const { printer, entry: one } of list) {
    clock = Math.max(clock, Date.parse(one.at));
    await send(running.service, printer, 'l', [one]);
    const chance = next();
    if (chance < 0.1) await running.service.checkpoint();
    if (chance > 0.9) {
      // Left as it is: what it had not written yet is lost with it.
      told.push(...running.told);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running = await run(jams, retained);
    }
  }
  clock += 100 * HOUR;
  running.service.tick(clock);
  await running.service.checkpoint();
  const found = (await all(running.service)).filter(({ printer }) => printer?.startsWith('b'));
  const { rules } = compileRules(jams);
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
  for (const service of services.splice(0)) await service.stop();
});

test('new rules are judged over what is in the log, unchanged ones go on, removed ones end', async () => {
  clock = T0 + 300 * HOUR;
  const { service, told } = await run(jams);
  const of = (list: string[]) => list.filter((one) => one.includes(' c '));
  for (const seq of [1, 2, 3, 4]) await send(service, 'c', 'l', [entry(seq, 290 + seq)]);
  await service.checkpoint();
  expect(of(told)).toEqual(['opened c jams']);
  const more: TroubleRules = {
    rules: 'r2',
    list: [...jams.list, { id: 'many', when: { count: { ge: 4, over: 'PT10H' } } }],
  };
  await service.use(compileRules(more).rules);
  expect(of(told)).toEqual(['opened c jams', 'opened c many']);
  await service.use(compileRules({ rules: 'r3', list: more.list.slice(1) }).rules);
  expect(of(told)).toEqual(['opened c jams', 'opened c many', 'closed c jams']);
  const [row] = await store.database.query<{ open_troubles: number }>(
    `SELECT count(*)::int AS open_troubles FROM printer_troubles WHERE printer = 'c'`,
  );
  expect(row?.open_troubles).toBe(1);
  await service.stop();
});

test('a proven update followed by quiet cures', async () => {
  clock = T0 + 400 * HOUR;
  const { service, told } = await run(jams);
  const structure = { at: new Date(clock).toISOString(), apparatus: { model: 'C3' }, units: [] };
  service.onStructure('d', structure as unknown as Structure);
  for (const seq of [1, 2, 3]) await send(service, 'd', 'l', [entry(seq, 396 + seq)]);
  await service.checkpoint();
  await service.onProven('d', ({ rule }) => rule === 'jams');
  clock += 26 * HOUR;
  service.tick(clock);
  await service.checkpoint();
  expect(told.filter((one) => one.includes(' d '))).toEqual(['opened d jams', 'cured d jams']);
  expect((await all(service, { printer: 'd' }))[0]).toMatchObject({ state: 'cured' });
  await service.stop();
});
