import type { FleetEvent, Order, Unit, Verdict } from '../../schemas/types.ts';
import { type Machine, sampleSpec, useProduct } from '../harness/setting.ts';

// Claim 16: units and several pieces of software are judged together, unit against software and software against
// software, and a unit is switched or a version changed automatically.
const setting = useProduct({ releases: true });
const EVENTS = 'platen/v1/fleet/events/order';

/** The sample printer with these finishers; `spare` ones are installed but not in use. */
function specWith(finishers: [model: string, state: 'active' | 'spare'][], versions: Record<string, string>) {
  const spec = sampleSpec(versions);
  const [engine] = spec.structure.units;
  const units = finishers.map(([model, state], index): Unit => {
    const serial = `F-${index + 1}`;
    return { symbol: `finisher.${index + 1}`, kind: 'finisher', model, serial, state, software: [] };
  });
  return { ...spec, structure: { ...spec.structure, units: [engine!, ...units] } };
}

const proven = async (machine: Machine, begin: Promise<{ hear: Machine['ear']['hear'] }>) =>
  (await begin).hear<FleetEvent>(
    EVENTS,
    ({ what, printer }) =>
      printer === machine.id && ['proven', 'failed', 'rejected', 'rolled-back'].includes(what),
  );

test('a unit that does not fit is switched to the spare that does, by itself', async () => {
  const events = setting.listen(EVENTS);
  await events;
  const spec = specWith(
    [
      ['FS-999', 'active'],
      ['FS-539', 'spare'],
    ],
    {},
  );
  const machine = await setting.machine('switch-16', { spec });
  const verdict = await machine.hear<Verdict>('verdict');
  expect(verdict).toMatchObject({
    status: 'incompatible',
    remedy: { software: [], structure: [{ symbol: 'finisher.1', switchTo: 'finisher.2' }] },
  });
  const order = await machine.hear<Order>('order');
  expect(order.steps).toEqual([{ subject: 'finisher.1', to: 'finisher.2' }]);
  expect((await proven(machine, events)).what).toBe('proven');
  expect(machine.driver.model.unit('finisher.1')?.state).toBe('spare');
  expect(machine.driver.model.unit('finisher.2')?.state).toBe('active');
  await machine.hear<Verdict>('verdict', ({ status }) => status === 'compatible');
});

test('a unit and a version that do not fit are cured together, by one order', async () => {
  const events = setting.listen(EVENTS);
  await events;
  const spec = specWith(
    [
      ['FS-999', 'active'],
      ['FS-539', 'spare'],
    ],
    { 'acme.engine': '2.4.0' },
  );
  const machine = await setting.machine('both-16', { spec });
  const { remedy, findings } = await machine.hear<Verdict>('verdict');
  // Two findings: the unit against the apparatus, and one software against another.
  expect(findings.map(({ subjects }) => subjects)).toEqual([
    ['apparatus', 'finisher.1'],
    ['apparatus:acme.controller', 'engine:acme.engine'],
  ]);
  expect(remedy?.structure).toEqual([expect.objectContaining({ switchTo: 'finisher.2' })]);
  expect(remedy?.software).toEqual([
    expect.objectContaining({ subject: 'engine:acme.engine', from: '2.4.0' }),
  ]);
  expect((await proven(machine, events)).what).toBe('proven');
  expect(machine.driver.model.unit('finisher.2')?.state).toBe('active');
  expect(machine.driver.model.version('engine:acme.engine')).toBe(remedy?.software[0]?.to);
});

test('where the software of another unit is in its way, that is changed instead', async () => {
  const events = setting.listen(EVENTS);
  await events;
  // FS-540 suits the printer, but its controller is too old for it: no unit to switch, a version to change.
  const machine = await setting.machine('change-16', { spec: specWith([['FS-540', 'active']], {}) });
  const { remedy } = await machine.hear<Verdict>('verdict');
  expect(remedy).toMatchObject({
    software: [{ subject: 'apparatus:acme.controller', from: '3.1.0', to: '3.2.0' }],
    structure: [],
  });
  expect((await proven(machine, events)).what).toBe('proven');
  expect(machine.driver.model.version('apparatus:acme.controller')).toBe('3.2.0');
});

test('a switch after which the printer does not pass its self-test is taken back', async () => {
  const events = setting.listen(EVENTS);
  await events;
  const spec = specWith(
    [
      ['FS-999', 'active'],
      ['FS-539', 'spare'],
    ],
    {},
  );
  const machine = await setting.machine('back-16', {
    spec: { ...spec, install: { ...spec.install, selfTestFails: 1 } },
  });
  expect((await proven(machine, events)).what).toBe('rolled-back');
  expect(machine.driver.model.unit('finisher.1')?.state).toBe('active');
  expect(machine.driver.model.unit('finisher.2')?.state).toBe('spare');
});

test('what takes hands is told and not ordered', async () => {
  const machine = await setting.machine('hands-16', { spec: specWith([['FS-999', 'active']], {}) });
  const verdict = await machine.hear<Verdict>('verdict');
  expect(verdict.remedy?.structure).toEqual([
    expect.objectContaining({ symbol: 'finisher.1', with: 'FS-539' }),
  ]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(machine.heard('order')).toEqual([]);
});
