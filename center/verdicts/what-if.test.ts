import { afterAll, expect, test } from '@jest/globals';
import type { Catalog, Structure } from '../../schemas/types.ts';
import { checkReply } from '../../schemas/validate.ts';
import { sampleStructure } from '../../tests/harness/printer.ts';
import { sample } from '../../tests/harness/samples.ts';
import { Questions } from './questions.ts';
import type { Exchange } from './what-if.ts';
import { WhatIfService } from './what-if-service.ts';

// Through the thread, as for operators' requests.
const catalog = sample('catalog.json') as unknown as Catalog;
const questions = new Questions();
let current: Catalog | undefined = catalog;
let structure: Structure | undefined = sampleStructure();
const service = new WhatIfService(
  {
    get current() {
      return current;
    },
  },
  questions,
  { get: async () => (structure ? ({ structure } as never) : undefined) },
  () => 0,
);

afterAll(() => questions.stop());

async function ask(exchange: Exchange, of: Structure = sampleStructure()) {
  structure = of;
  const reply = await service.ask('p', exchange);
  checkReply('printers.whatif', reply);
  return reply;
}

test('another finisher needs a newer controller: the verdict says so, and the steps lead there', async () => {
  const reply = await ask({ units: [{ symbol: 'finisher.1', model: 'FS-540' }] });
  expect(reply).toMatchObject({ before: 'compatible', outcome: 'chosen' });
  expect(reply.verdict.status).toBe('incompatible');
  expect(JSON.stringify(reply.verdict.findings)).toContain('FS-540 speaks finisher protocol 4');
  const steps = reply.remedy?.steps.flat() ?? [];
  expect(steps).toContain('apparatus:acme.controller');
  // Properties of the old unit are not carried over to the new one.
  expect(reply.structure.units[1]).toEqual({
    symbol: 'finisher.1',
    kind: 'finisher',
    model: 'FS-540',
    software: [],
  });
});

test('another version is judged as if it were there, and the steps go over what lies between', async () => {
  const reply = await ask({ software: [{ subject: 'engine:acme.engine', version: '2.6.1' }] });
  expect([reply.before, reply.verdict.status]).toEqual(['compatible', 'compatible']);
  expect(reply.remedy?.steps).toEqual([['engine:acme.engine', '2.6.1']]);
  expect(reply.remedy?.software).toEqual([{ subject: 'engine:acme.engine', from: '2.5.0', to: '2.6.1' }]);
});

test('units are added and taken out, and what comes with them counts', async () => {
  const without = await ask({ units: [{ symbol: 'engine', remove: true }] });
  expect(without.verdict.status).toBe('incompatible');
  const added = await ask({ units: [{ symbol: 'finisher.2', kind: 'finisher', model: 'FS-539' }] });
  expect([added.verdict.status, added.structure.units]).toEqual(['compatible', expect.any(Array)]);
  expect(added.structure.units).toHaveLength(3);
  const engine = await ask({
    units: [{ symbol: 'engine', model: 'EN-36', software: [{ id: 'acme.engine', version: '2.3.0' }] }],
  });
  // An engine from the shelf, with old software on it.
  expect(engine.structure.units[0]?.serial).toBe('E-991');
  expect(engine.verdict.status).toBe('incompatible');
  expect(engine.remedy?.software).toMatchObject([{ subject: 'engine:acme.engine', from: '2.3.0' }]);
});

test('a unit that nothing fits is told as that, and without a catalog nothing is', async () => {
  const reply = await ask({ units: [{ symbol: 'finisher.1', model: 'FS-999' }] });
  expect([reply.verdict.status, reply.outcome]).toEqual(['incompatible', 'impossible']);
  expect(reply.explanation).toContain('FS-999');
  expect(reply.remedy).toBeUndefined();
  current = undefined;
  await expect(ask({ units: [{ symbol: 'engine', remove: true }] })).rejects.toMatchObject({
    code: 'request/conflict',
  });
  current = catalog;
});

test('a misspelt unit or subject is refused with the nearest one that the printer has', async () => {
  await expect(ask({ software: [{ subject: 'engin:acme.engine', version: '2.6.1' }] })).rejects.toThrow(
    'did you mean "engine:acme.engine"',
  );
  await expect(ask({ units: [{ symbol: 'finisher1', remove: true }] })).rejects.toThrow(
    'did you mean "finisher.1"',
  );
  await expect(ask({ units: [{ symbol: 'feeder.1', model: 'PF-1' }] })).rejects.toThrow('needs "kind"');
});

test('a question after another one of the thread, and after a new catalog, has the catalog in force', async () => {
  await questions.checkCatalog(catalog);
  expect((await ask({ units: [{ symbol: 'finisher.1', model: 'FS-540' }] })).outcome).toBe('chosen');
  const newer = structuredClone(catalog);
  newer.catalog = 'newer';
  newer.units = newer.units?.filter(({ model }) => model !== 'FS-540') ?? [];
  current = newer;
  const reply = await ask({ units: [{ symbol: 'finisher.1', model: 'FS-540' }] });
  expect([reply.verdict.catalog, reply.verdict.status]).toEqual(['newer', 'compatible']);
});
