import { readFileSync } from 'node:fs';
import pino from 'pino';
import { choose, compileCatalog } from '../../compatibility/index.ts';
import type { Catalog, Structure, Verdict } from '../../schemas/types.ts';
import { checkSchema } from '../../schemas/validate.ts';
import { largeCase } from '../../tests/oracles/compatibility/large-instances.ts';
import { FleetEvents } from '../fleet/events.ts';
import { CatalogAssessor } from './assessor.ts';
import { Choosing } from './choosing.ts';
import { Verdicts } from './verdicts.ts';

const sample = new URL('../../deploy/samples/catalog.json', import.meta.url);
const document = checkSchema('catalog', JSON.parse(readFileSync(sample, 'utf8')));
const { catalog } = compileCatalog(document);
const log = pino({ level: 'silent' });

function c360(engine: string, revision = 1): Structure {
  return {
    session: 's',
    revision,
    at: '2026-11-22T00:00:00Z',
    reason: 'connect',
    apparatus: { model: 'C360', software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }] },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'EN-36',
        hardware: '1.1',
        software: [{ id: 'acme.engine', vendor: 'acme', version: engine }],
      },
    ],
  };
}

const job = (structure: Structure, of: Catalog = document) => ({
  catalog: of,
  structure,
  options: {},
  recall: () => undefined,
});

test('a verdict goes before what a campaign asks for, and not for ever', async () => {
  const choosing = new Choosing(log);
  const order: string[] = [];
  const ask = (name: string, verdict: boolean) =>
    choosing.choose({ ...job(c360('2.4.0')), verdict }).then(() => order.push(name));
  try {
    const campaign = Array.from({ length: 4 }, (_, n) => ask(`campaign ${n}`, false));
    const verdicts = Array.from({ length: 10 }, (_, n) => ask(`verdict ${n}`, true));
    await Promise.all([...campaign, ...verdicts]);
    const verdict = (n: number) => `verdict ${n}`;
    // The first was with the thread already.
    expect(order).toEqual([
      'campaign 0',
      ...[0, 1, 2, 3, 4, 5, 6, 7].map(verdict),
      'campaign 1',
      ...[8, 9].map(verdict),
      'campaign 2',
      'campaign 3',
    ]);
  } finally {
    await choosing.stop();
  }
});

test('the thread chooses what is chosen here, under the catalog of each job', async () => {
  const choosing = new Choosing(log);
  try {
    const other = structuredClone(document);
    other.catalog = 'other';
    other.software = other.software!.map((product) => ({
      ...product,
      releases: product.releases.map((release) => ({ ...release, requires: [], conflicts: [] })),
    }));
    const both = [document, other].map((each) => choosing.choose(job(c360('2.4.0'), each)));
    const [first, second] = await Promise.all(both);
    expect(first!.choice).toEqual(choose(catalog, c360('2.4.0')));
    expect(first!.choice.outcome).toBe('chosen');
    expect(first!.ms).toBeGreaterThan(0);
    expect(second!.choice.outcome).toBe('compatible');
    expect(choosing.waiting).toBe(0);
  } finally {
    await choosing.stop();
  }
});

test('a wish that is none is refused, and the thread goes on', async () => {
  const choosing = new Choosing(log);
  try {
    const wrong = { ...job(c360('2.4.0')), options: { require: { 'acme.engine': '>=one' } } };
    const right = choosing.choose(job(c360('2.4.0')));
    await expect(choosing.choose(wrong)).rejects.toThrow('one');
    expect((await right).choice.outcome).toBe('chosen');
    expect((await choosing.choose(job(c360('2.4.0')))).choice.outcome).toBe('chosen');
  } finally {
    await choosing.stop();
  }
});

test('a search that takes its whole time holds up nobody here', async () => {
  const choosing = new Choosing(log);
  try {
    await choosing.choose(job(c360('2.4.0')));
    // A case whose steps are searched for until the time is over.
    const { catalog: hard, structure, options } = largeCase(166 * 7919);
    let longest_ms = 0;
    let last_ms = performance.now();
    const ticks = setInterval(() => {
      longest_ms = Math.max(longest_ms, performance.now() - last_ms);
      last_ms = performance.now();
    }, 5);
    const { ms } = await choosing.choose({ catalog: hard, structure, options, recall: () => undefined });
    clearInterval(ticks);
    expect(ms).toBeGreaterThan(1_000);
    expect(longest_ms).toBeLessThan(ms * 0.75);
  } finally {
    await choosing.stop();
  }
});

/** A thread that dies of one model, and does not answer for another. */
const MORTAL = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ structure }) => {
      if (structure?.apparatus.model === 'deadly') process.exit(3);
      if (structure) parentPort.postMessage({ choice: { outcome: 'compatible' }, ms: 1 });
    });`)}`,
);

test('a thread that is lost costs the job it had, and the next job starts another', async () => {
  const choosing = new Choosing(log, MORTAL);
  const deadly = { ...c360('2.4.0'), apparatus: { model: 'deadly' } };
  const answers = await Promise.all([
    choosing.choose(job(c360('2.4.0'))),
    choosing.choose(job(deadly)),
    choosing.choose(job(c360('2.5.0'))),
  ]);
  expect(answers.map(({ choice }) => choice.outcome)).toEqual(['compatible', 'gave-up', 'compatible']);
  expect(answers[1]!.choice.explanation).toBe('Choosing was broken off: it ended with code 3.');
  await choosing.stop();
});

test('a stop gives up what waits', async () => {
  const choosing = new Choosing(log);
  const waiting = [choosing.choose(job(c360('2.4.0'))), choosing.choose(job(c360('2.5.0')))];
  await choosing.stop();
  for (const { choice } of await Promise.all(waiting)) expect(choice.outcome).toBe('gave-up');
  expect((await choosing.choose(job(c360('2.4.0')))).choice.outcome).toBe('gave-up');
});

test('equal structures are chosen for once, and the newest verdict wins', async () => {
  const choosing = new Choosing(log);
  const assessor = new CatalogAssessor('sample', catalog, { choosing, document });
  const current = new Map<string, Structure>();
  const stored: [string, Verdict][] = [];
  const link = { start: async () => undefined, publish: async () => undefined, stop: async () => undefined };
  const verdicts = new Verdicts({
    conclude: () => undefined,
    store: {
      // As the store does: only for the structure that the printer has now.
      putVerdict: async (printer, verdict) => {
        if (current.get(printer)?.revision !== verdict.structure.revision) return { stored: false };
        stored.push([printer, verdict]);
        return { stored: true };
      },
      currentStructure: async (printer) => current.get(printer),
      unjudgedPage: async () => [],
    },
    assessor: () => assessor,
    link,
    events: new FleetEvents(link, log, Date.now),
    log,
    now: Date.now,
  });
  const send = (printer: string, structure: Structure): void => {
    current.set(printer, structure);
    verdicts.judge(printer, structure);
  };
  const printers = Array.from({ length: 50 }, (_, i) => `p${i}`);
  for (const printer of printers) send(printer, c360('2.4.0'));
  // Before a remedy is found, one of them has been mended by hand.
  send('p7', c360('2.5.0', 2));
  const until = performance.now() + 60_000;
  while (stored.length < 50 && performance.now() < until) await new Promise((soon) => setTimeout(soon, 10));
  const last = new Map(stored);
  expect(last.size).toBe(50);
  for (const [printer, { status, remedy }] of last) {
    expect([printer, status]).toEqual([printer, printer === 'p7' ? 'compatible' : 'incompatible']);
    if (printer !== 'p7') expect(remedy?.steps.at(-1)).toEqual(['engine:acme.engine', '2.6.1']);
  }
  await Promise.all([verdicts.stop(), choosing.stop()]);
});
