import type { Structure, Verdict } from '../../schemas/types.ts';
import { changesOf, type Machine, useProduct } from '../harness/setting.ts';

// Claim 11: periodically, and also on occasion: a unit added, removed, exchanged or updated.
const setting = useProduct();
let machine: Machine;
let revision = 0;

beforeAll(async () => {
  machine = await setting.machine('claim-11');
  await setting.operator.call('policy.set', {
    printer: 'claim-11',
    policy: { structure: { every: 'PT1S' } },
  });
});

/** The next structure with this reason, and the verdict on it. */
async function next(reason: Structure['reason']) {
  const structure = await machine.hear<Structure>(
    'structure',
    (heard) => heard.reason === reason && heard.revision > revision,
  );
  revision = structure.revision;
  return structure;
}
const verdict = (status: Verdict['status']) =>
  machine.hear<Verdict>(
    'verdict',
    (heard) => heard.status === status && heard.structure.revision >= revision,
  );

test('a unit is added: told at once, judged at once', async () => {
  const unit = { symbol: 'feeder.1', kind: 'feeder', model: 'PF-9', serial: 'P-1', software: [] };
  machine.driver.addUnit(unit);
  const { units } = await next('change');
  expect(units.map(({ symbol }) => symbol)).toEqual(['engine', 'finisher.1', 'feeder.1']);
  expect((await verdict('incompatible')).findings[0]?.subjects).toContain('feeder.1');
});

test('a unit is removed', async () => {
  machine.driver.removeUnit('feeder.1');
  const { units } = await next('change');
  expect(units.map(({ symbol }) => symbol)).toEqual(['engine', 'finisher.1']);
  await verdict('compatible');
});

test('a unit is exchanged for one with another serial number', async () => {
  machine.driver.swapUnit('finisher.1', { serial: 'F-200' });
  const { units } = await next('change');
  expect(units[1]).toMatchObject({ symbol: 'finisher.1', model: 'FS-539', serial: 'F-200' });
});

test('a unit is updated', async () => {
  machine.driver.setVersion('engine:acme.engine', '2.4.0');
  const { units } = await next('change');
  expect(units[0]?.software).toMatchObject([{ id: 'acme.engine', version: '2.4.0' }]);
  expect((await verdict('incompatible')).findings[0]?.subjects).toContain('engine:acme.engine');
});

test('meanwhile it goes on reporting periodically', async () => {
  await next('periodic');
});

test('the center keeps what changed', async () => {
  const changes = await changesOf(setting.operator, 'claim-11');
  expect(changes.map(({ kind }) => kind)).toEqual([
    'software-version',
    'unit-serial',
    'unit-removed',
    'unit-added',
  ]);
});
