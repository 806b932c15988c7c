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
  const times: number[] = [];
  for (let round = 0; round < 3; round++) {
    driver.emit({ code: `J-${round}a`, severity: 'error', unit: 'engine' });
    driver.emit({ code: `J-${round}b`, severity: 'warning', unit: 'engine' });
    batches.push(await hear<ErrorBatch>('errors'));
    times.push(Date.now());
  }
  expect(batches.map(({ reason }) => reason)).toEqual(['periodic', 'periodic', 'periodic']);
  expect(batches.map(({ entries }) => entries.map(({ seq }) => seq))).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  // A period lies between two of them; the machine may be slow, never early.
  for (let round = 1; round < 3; round++) expect(times[round]! - times[round - 1]!).toBeGreaterThan(700);
  await eventually(() => agent.status.unacknowledged === 0, 'all is acknowledged');
  const { logs } = await setting.operator.call('printers.get', { printer: 'claim-21' });
  expect(logs).toMatchObject([{ upTo: 6, lost: 0 }]);
});
