import type { ErrorBatch } from '../../schemas/types.ts';
import { eventually } from '../harness/ear.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 21: the printer sends the log periodically.
const setting = useProduct();

test('what happened in a period is sent at its end, in one batch', async () => {
  await setting.operator.call('policy.set', {
    default: true,
    policy: { errors: { mode: 'periodic', every: 'PT1S', atEntries: 500 } },
  });
  const { driver, hear, goesBy, agent } = await setting.machine('claim-21');
  await goesBy(({ errors }) => errors.mode === 'periodic' && errors.everyMs === 1_000);
  const batches: ErrorBatch[] = [];
  const began = Date.now();
  for (let round = 0; round < 3; round++) {
    driver.emit({ code: `J-${round}a`, severity: 'error', unit: 'engine' });
    driver.emit({ code: `J-${round}b`, severity: 'warning', unit: 'engine' });
    batches.push(await hear<ErrorBatch>('errors'));
  }
  expect(batches.map(({ reason }) => reason)).toEqual(['periodic', 'periodic', 'periodic']);
  expect(batches.map(({ entries }) => entries.map(({ seq }) => seq))).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  // Two periods lie between the first batch and the last. A delayed batch shortens the gap to the next, so only the
  // total has a minimum.
  expect(Date.now() - began).toBeGreaterThan(1_400);
  await eventually(() => agent.status.unacknowledged === 0, 'all is acknowledged');
  const { logs } = await setting.operator.call('printers.get', { printer: 'claim-21' });
  expect(logs).toMatchObject([{ upTo: 6, lost: 0 }]);
});
