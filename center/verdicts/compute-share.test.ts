/** No printer can monopolise the event loop, neither with a large structure nor with ever new ones. */
import { readFileSync } from 'node:fs';
import pino from 'pino';
import { Memo } from '../../compatibility/index.ts';
import type { Catalog, Structure, Unit, Verdict } from '../../schemas/types.ts';
import { FleetEvents } from '../fleet/events.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { CatalogAssessor, compileChecked } from './assessor.ts';
import { ComputeShare } from './compute-share.ts';
import { optionsOf } from './options.ts';
import { Verdicts } from './verdicts.ts';

const SAMPLE = new URL('../../deploy/samples/catalog.json', import.meta.url);
const { catalog } = compileChecked(JSON.parse(readFileSync(SAMPLE, 'utf8')) as Catalog);
/** Longer than any budget, with room for a busy machine. */
const DEAR_MS = 10_000;

function structureWith(units: Unit[], revision = 1): Structure {
  return {
    session: 's1',
    revision,
    at: '2026-11-22T07:00:00Z',
    reason: 'change',
    apparatus: {
      model: 'C360',
      hardware: '2.0',
      software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }],
    },
    units,
  };
}

/** Finishers, every third a spare: each could be switched to any spare. */
function finishers(count: number): Unit[] {
  return Array.from({ length: count }, (_, index) => ({
    symbol: `finisher.${index}`,
    kind: 'finisher',
    model: index % 2 ? 'FS-540' : 'FS-539',
    state: index % 3 ? 'active' : 'spare',
  }));
}

/** Engines with a version that doesn't fit. */
function engines(count: number): Unit[] {
  return Array.from({ length: count }, (_, index) => ({
    symbol: `engine.${index}`,
    kind: 'engine',
    model: 'EN-36',
    hardware: '1.1',
    software: [{ id: 'acme.engine', vendor: 'acme', version: '2.3.0' }],
  }));
}

test('a structure of a thousand units is judged, and nothing is chosen for it', async () => {
  const assessor = new CatalogAssessor('sample', catalog);
  const started = performance.now();
  const assessment = await assessor.assess(structureWith(finishers(1_000)));
  expect(performance.now() - started).toBeLessThan(DEAR_MS);
  expect(assessment).toMatchObject({ status: 'incompatible', explanation: /more than 256/ });
  expect(assessment.remedy).toBeUndefined();
  expect(() => optionsOf(assessor, structureWith(engines(1_000)))).toThrow(/more than 256/);
});

test('finding out what would fit ends in time, and says that it did not look at everything', () => {
  const assessor = new CatalogAssessor('sample', catalog);
  const started = performance.now();
  const options = optionsOf(assessor, structureWith(engines(125)));
  expect(performance.now() - started).toBeLessThan(DEAR_MS);
  expect(options['complete']).toBe(false);
  expect(optionsOf(assessor, structureWith(engines(1)))['complete']).toBe(true);
});

test('what took long has to be waited for, by that printer only', () => {
  const share = new ComputeShare();
  share.took('a', 100, 1_000);
  share.took('b', CENTER_LIMITS.printer_compute_ms_free, 1_000);
  expect(share.wait('a', 1_000)).toBe(100 / CENTER_LIMITS.printer_compute_share_max);
  expect(share.wait('a', 3_000)).toBe(0);
  expect(share.wait('b', 1_000)).toBe(0);
});

test('of a printer that is dear to judge only the newest structure is judged when its time has come', async () => {
  const judged: Verdict[] = [];
  const computed_ms: { from: number; to: number }[] = [];
  const link = { start: async () => undefined, publish: async () => undefined, stop: async () => undefined };
  const log = pino({ level: 'silent' });
  const dear_ms = CENTER_LIMITS.printer_compute_ms_free + 5;
  const verdicts = new Verdicts({
    conclude: () => undefined,
    store: {
      putVerdict: async (_printer, verdict) => {
        judged.push(verdict);
        return { stored: true };
      },
      currentStructure: async () => undefined,
      unjudgedPage: async () => [],
    },
    assessor: () => ({
      catalog: 'sample',
      known: () => undefined,
      assess() {
        const from = performance.now();
        while (performance.now() < from + dear_ms);
        computed_ms.push({ from, to: performance.now() });
        return { status: 'compatible', findings: [] };
      },
    }),
    link,
    events: new FleetEvents(link, log, Date.now),
    log,
    now: Date.now,
  });
  const soon = (ms: number) => new Promise((resume) => setTimeout(resume, ms));
  verdicts.judge('a', structureWith([], 1));
  await soon(dear_ms * 2);
  for (let revision = 2; revision <= 50; revision += 1) verdicts.judge('a', structureWith([], revision));
  // On a busy machine the first judgement takes longer, and so does the wait after it.
  const until = performance.now() + 60_000;
  while (judged.length < 2 && performance.now() < until) await soon(20);
  expect(judged.map(({ structure }) => structure.revision)).toEqual([1, 50]);
  const [first, second] = computed_ms;
  expect((second?.from ?? 0) - (first?.to ?? 0)).toBeGreaterThan(
    (0.9 * dear_ms) / CENTER_LIMITS.printer_compute_share_max,
  );
  await verdicts.stop();
});

test('large structures do not fill the memory: the signatures remembered are bounded together', () => {
  const memo = new Memo(catalog, 20_000);
  const small = structureWith(engines(1));
  const first = memo.judge(small);
  expect(memo.judge(small)).toBe(first);
  for (let round = 0; round < 36; round += 1) {
    const large = structureWith([{ symbol: `x${round}`, kind: 'k', model: 'm'.repeat(1024 * 1024) }]);
    const judgement = memo.judge(large);
    expect(memo.judge(large)).toBe(judgement);
  }
  expect(memo.judge(small)).not.toBe(first);
});
