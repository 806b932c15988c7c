import type { Structure } from '../../schemas/types.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 9: the structure is sent when the center asks.
const setting = useProduct();

test('one printer is asked, and answers with the id of the request', async () => {
  const { hear } = await setting.machine('claim-9');
  await hear<Structure>('structure', ({ reason }) => reason === 'connect');
  const reply = await setting.operator.request('structure.request', { printer: 'claim-9' });
  expect(reply.status).toBe('accepted');
  const { request } = reply.data as { request: string };
  const structure = await hear<Structure>('structure', ({ reason }) => reason === 'request');
  expect(structure).toMatchObject({ request, apparatus: { model: 'C360', serial: 'A7X0021' } });
});

test('all printers of a filter are asked, and nobody else', async () => {
  const machines = await Promise.all(['west-1', 'west-2', 'east-1'].map((id) => setting.machine(id)));
  await Promise.all(machines.map(({ hear }) => hear('structure')));
  const { printers } = await setting.operator.call('structure.request', { filter: { idPrefix: 'west-' } });
  expect(printers).toBe(2);
  const [first, second, third] = machines;
  await first!.hear<Structure>('structure', ({ reason }) => reason === 'request');
  await second!.hear<Structure>('structure', ({ reason }) => reason === 'request');
  expect(third!.heard<Structure>('structure')).toEqual([]);
});
