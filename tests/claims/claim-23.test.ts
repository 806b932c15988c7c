import type { ErrorBatch } from '../../schemas/types.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 23: the printer sends the log when enough has accumulated.
const setting = useProduct();

test('nothing is sent before as many entries wait as the policy says, then all of them', async () => {
  const { driver, hear, heard, goesBy } = await setting.machine('claim-23');
  await setting.operator.call('policy.set', {
    printer: 'claim-23',
    policy: { errors: { mode: 'accumulate', atEntries: 5 } },
  });
  await goesBy(({ errors }) => errors.mode === 'accumulate');
  const emit = (count: number) => {
    for (let entry = 0; entry < count; entry++) driver.emit({ code: 'W-1', severity: 'warning' });
  };
  emit(4);
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(heard('errors')).toEqual([]);
  emit(1);
  const batch = await hear<ErrorBatch>('errors');
  expect(batch.reason).toBe('accumulated');
  expect(batch.entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  emit(5);
  expect((await hear<ErrorBatch>('errors')).entries.map(({ seq }) => seq)).toEqual([6, 7, 8, 9, 10]);
});

test('in periodic mode too, before the period is over', async () => {
  const { driver, hear, goesBy } = await setting.machine('claim-23b');
  await setting.operator.call('policy.set', {
    printer: 'claim-23b',
    policy: { errors: { mode: 'periodic', every: 'PT6H', atEntries: 3 } },
  });
  await goesBy(({ errors }) => errors.mode === 'periodic');
  for (let entry = 0; entry < 3; entry++) driver.emit({ code: 'W-1', severity: 'warning' });
  expect(await hear<ErrorBatch>('errors')).toMatchObject({ reason: 'accumulated' });
});
