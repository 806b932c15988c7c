import type { ErrorBatch } from '../../schemas/types.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 19: the center can ask for periodic logs.
const setting = useProduct();

test('the policy turns a streaming printer into a periodic one, and back', async () => {
  const { driver, hear, heard, goesBy, agent } = await setting.machine('claim-19');
  driver.emit({ code: 'J-1', severity: 'error', unit: 'engine' });
  expect(await hear<ErrorBatch>('errors')).toMatchObject({ reason: 'event', entries: [{ seq: 1 }] });

  await setting.operator.call('policy.set', {
    printer: 'claim-19',
    policy: { errors: { mode: 'periodic', every: 'PT1S' } },
  });
  await goesBy(({ errors }) => errors.mode === 'periodic');
  driver.emit({ code: 'J-2', severity: 'error', unit: 'engine' });
  driver.emit({ code: 'J-3', severity: 'error', unit: 'engine' });
  const batch = await hear<ErrorBatch>('errors');
  expect(batch.reason).toBe('periodic');
  expect(batch.entries.map(({ code }) => code)).toEqual(['J-2', 'J-3']);
  expect(heard('errors')).toEqual([]);

  await setting.operator.call('policy.set', {
    printer: 'claim-19',
    policy: { errors: { mode: 'stream' } },
  });
  await goesBy(({ errors }) => errors.mode === 'stream');
  driver.emit({ code: 'J-4', severity: 'error', unit: 'engine' });
  expect(await hear<ErrorBatch>('errors')).toMatchObject({ reason: 'event', entries: [{ code: 'J-4' }] });
  expect(agent.status.refused).toBe(0);
});

test('many printers are asked at once by a filter', async () => {
  const machines = await Promise.all(['many-1', 'many-2'].map((id) => setting.machine(id)));
  await Promise.all(machines.map(({ hear }) => hear('structure')));
  const { printers } = await setting.operator.call('policy.set', {
    filter: { idPrefix: 'many-' },
    policy: { errors: { mode: 'periodic', every: 'PT1S' } },
  });
  expect(printers).toBe(2);
  for (const { driver, hear, goesBy } of machines) {
    await goesBy(({ errors }) => errors.mode === 'periodic');
    driver.emit({ code: 'J-1', severity: 'error' });
    expect(await hear<ErrorBatch>('errors')).toMatchObject({ reason: 'periodic' });
  }
});
