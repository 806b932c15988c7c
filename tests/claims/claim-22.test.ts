import type { ErrorBatch, ErrorsAck } from '../../schemas/types.ts';
import { eventually } from '../harness/ear.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 22: the printer sends the log on occasion.
const setting = useProduct();

test('an error is sent when it happens, stored, and acknowledged', async () => {
  const { driver, hear, agent } = await setting.machine('claim-22');
  driver.emit({ code: 'J-7201', severity: 'error', unit: 'finisher.1', detail: { tray: 2 } });
  const batch = await hear<ErrorBatch>('errors');
  expect(batch).toMatchObject({
    reason: 'event',
    first: 1,
    entries: [{ seq: 1, code: 'J-7201', severity: 'error', unit: 'finisher.1', detail: { tray: 2 } }],
  });
  // Each entry carries the page counter of its moment.
  expect(batch.entries[0]?.pages).toBe(120_000);
  expect(await hear<ErrorsAck>('errorsAck')).toEqual({ log: batch.log, upTo: 1 });
  await eventually(() => agent.status.unacknowledged === 0, 'the printer knows that it is stored');
  const { items } = await setting.operator.call('printers.errors', { printer: 'claim-22' });
  expect(items).toMatchObject([{ log: batch.log, seq: 1, code: 'J-7201', detail: { tray: 2 } }]);
});
