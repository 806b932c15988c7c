import { afterAll, expect, test } from '@jest/globals';
import type { Catalog, Structure } from '../../schemas/types.ts';
import { sampleStructure } from '../../tests/harness/printer.ts';
import { sample } from '../../tests/harness/samples.ts';
import { Questions } from './questions.ts';

const catalog = sample('catalog.json') as unknown as Catalog;
const opened: Questions[] = [];
const make = (ms_max?: number) => {
  const questions = new Questions(undefined, ms_max);
  opened.push(questions);
  return questions;
};

afterAll(async () => {
  for (const questions of opened) await questions.stop();
});

/** A catalog with so many requirements, each with a long range of its own. */
function heavyCatalog(requirements: number): Record<string, unknown> {
  const heavy = structuredClone(catalog);
  heavy.catalog = 'heavy';
  const [controller, engine] = heavy.software ?? [];
  const release = controller?.releases.find(({ version }) => version === '3.1.0');
  if (!release || !engine) throw new Error('the sample has them');
  release.requires = Array.from({ length: requirements }, (_, index) => ({
    software: engine.id,
    range: Array.from({ length: 60 }, (_, n) => `>=${n}.${index}.0 <${n}.${index}.9`).join(' || '),
  }));
  return heavy as unknown as Record<string, unknown>;
}

function fleetOf(size: number): { printer: string; structure: Structure }[] {
  return Array.from({ length: size }, (_, index) => {
    const structure = sampleStructure();
    for (const unit of structure.units) unit.hardware = `1.${index}`;
    return { printer: `p${String(index).padStart(5, '0')}`, structure };
  });
}

const alone = ({ printer, structure }: { printer: string; structure: Structure }) => ({
  place: printer,
  structure,
  printers: 1,
  examples: [printer],
});

const pagesOf = (fleet: { printer: string; structure: Structure }[]) => ({
  structurePage: (after: string, limit: number) =>
    Promise.resolve(
      fleet
        .filter(({ printer }) => printer > after)
        .slice(0, limit)
        .map(alone),
    ),
});

/** The longest time for which the event loop stood still meanwhile, in milliseconds. */
async function longestHold_ms(work: Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  await work.finally(() => clearInterval(timer));
  return longest;
}

test('the impact of a catalog of 1,000 requirements with long ranges does not hold up the event loop', async () => {
  const questions = make();
  const impact = questions.impact(heavyCatalog(1_000), catalog, pagesOf(fleetOf(1_200)));
  const began = performance.now();
  const longest = await longestHold_ms(impact);
  expect(await impact).toMatchObject({ printers: 1_200, transitions: [{ printers: 1_200 }] });
  // A moment of a work that takes seconds; on a machine that does other things both are longer.
  expect(longest).toBeLessThan(Math.max(500, (performance.now() - began) / 3));
});

test('what is wrong with a document is told as it is where it is put', async () => {
  const questions = make();
  await expect(questions.checkCatalog({ software: 3 })).rejects.toMatchObject({ code: 'catalog/invalid' });
  await expect(questions.impact({ software: 3 }, catalog, pagesOf([]))).rejects.toMatchObject({
    code: 'catalog/invalid',
  });
  const wrong = { rules: 'x', list: [{ id: 'a', when: { nonsense: 1 } }] };
  await expect(questions.checkRules(wrong, catalog)).rejects.toMatchObject({ code: 'rules/invalid' });
  // And the thread goes on.
  await questions.checkCatalog(catalog);
  await questions.checkRules(sample('rules.json'), catalog);
});

test('a question that takes too long is given up, and the next one is answered', async () => {
  const questions = make(1_500);
  const endless = { structurePage: () => Promise.resolve(fleetOf(500).map(alone)) };
  await expect(questions.impact(heavyCatalog(1_000), catalog, endless)).rejects.toMatchObject({
    code: 'request/too-heavy',
  });
  const patient = make();
  expect(await patient.impact(catalog, catalog, pagesOf(fleetOf(3)))).toMatchObject({
    printers: 3,
    changed: 0,
  });
  expect(questions.waiting).toBe(0);
});

test('printers that are made of the same are counted together', async () => {
  const [first, second] = fleetOf(2);
  const shared = { place: 'a', structure: first!.structure, printers: 70_000, examples: ['p1', 'p2'] };
  const pages = { structurePage: async (after: string) => (after === '' ? [shared, alone(second!)] : []) };
  const told = await make().impact(heavyCatalog(3), catalog, pages);
  expect(told).toMatchObject({ printers: 70_001, transitions: [{ printers: 70_001 }] });
  expect(told.transitions[0]?.examples).toEqual(['p1', 'p2', second!.printer]);
});

test('a question is given up when whoever asked has gone', async () => {
  const gone = new AbortController();
  let pages = 0;
  const endless = {
    structurePage: async () => {
      pages += 1;
      if (pages === 3) gone.abort();
      return fleetOf(500).map(alone);
    },
  };
  const questions = make();
  await expect(questions.impact(catalog, catalog, endless, gone.signal)).rejects.toMatchObject({
    code: 'request/abandoned',
  });
  expect(pages).toBe(3);
  // And the thread goes on.
  await questions.checkCatalog(catalog);
});

test('only so many questions wait', async () => {
  const questions = make();
  const asked = Array.from({ length: 40 }, () => questions.checkCatalog(catalog));
  const settled = await Promise.allSettled(asked);
  const refused = settled.filter(({ status }) => status === 'rejected');
  expect(refused.length).toBe(40 - 16);
  for (const one of refused) expect(one).toMatchObject({ reason: { code: 'request/busy' } });
});
