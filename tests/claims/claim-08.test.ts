import type { Structure } from '../../schemas/types.ts';
import { eventually } from '../harness/ear.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 8: the structure is sent when the printer connects.
const setting = useProduct();

test('at its first connection, and at each one after it', async () => {
  const { agent, hear } = await setting.machine('claim-8');
  const first = await hear<Structure>('structure');
  expect(first).toMatchObject({ reason: 'connect', revision: 1, session: agent.status.session });
  expect(first.units.map(({ symbol, serial }) => [symbol, serial])).toEqual([
    ['engine', 'E-991'],
    ['finisher.1', 'F-104'],
  ]);
  const known = await eventually(async () => {
    const { items } = (await setting.operator.call('printers.list', { filter: { presence: 'online' } })) as {
      items: { printer: string; verdict: string }[];
    };
    return items.find(({ verdict }) => verdict === 'compatible');
  }, 'the center knows it and has judged it');
  expect(known.printer).toBe('claim-8');

  // When the cable is pulled, the same session comes back; when the printer restarts, a new one begins.
  agent.cutConnection();
  const second = await hear<Structure>('structure', ({ revision }) => revision > first.revision);
  expect(second).toMatchObject({ reason: 'connect', session: first.session });
  await agent.newSession();
  const third = await hear<Structure>('structure', ({ session }) => session !== first.session);
  expect(third).toMatchObject({ reason: 'connect', session: agent.status.session });
});
