import type { ErrorBatch } from '../../schemas/types.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 20: the center can ask for the log now.
const setting = useProduct();

test('the whole log is sent, or what came after an entry; the request is named', async () => {
  const { driver, hear, goesBy } = await setting.machine('claim-20');
  // The policy holds entries back, so that only a request brings them.
  await setting.operator.call('policy.set', {
    printer: 'claim-20',
    policy: { errors: { mode: 'periodic', every: 'PT6H' } },
  });
  await goesBy(({ errors }) => errors.mode === 'periodic');
  for (const code of ['J-1', 'J-2', 'J-3']) driver.emit({ code, severity: 'error', unit: 'engine' });

  const reply = await setting.operator.request('errors.request', { printer: 'claim-20' });
  expect(reply.status).toBe('accepted');
  const { request } = reply.data as { request: string };
  const whole = await hear<ErrorBatch>('errors');
  expect(whole).toMatchObject({ reason: 'request', request, first: 1 });
  expect(whole.entries.map(({ seq, code }) => [seq, code])).toEqual([
    [1, 'J-1'],
    [2, 'J-2'],
    [3, 'J-3'],
  ]);

  await setting.operator.call('errors.request', { printer: 'claim-20', since: { log: whole.log, seq: 2 } });
  const rest = await hear<ErrorBatch>('errors');
  expect(rest.entries.map(({ seq }) => seq)).toEqual([3]);

  const { items } = await setting.operator.call('printers.errors', { printer: 'claim-20' });
  expect((items as unknown[]).length).toBe(3);
});
