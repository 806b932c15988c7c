import { MemoryLog } from '../../agent/log-memory.ts';
import { fleetTopic } from '../../schemas/topics.ts';
import type { ErrorBatch, Trouble } from '../../schemas/types.ts';
import { eventually } from '../harness/ear.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 17: the printer keeps its error log in memory; the center detects troubles from it.
const RULES = {
  rules: 'claim-17',
  list: [
    {
      id: 'entrance-jam',
      title: 'Finisher entrance jams too often',
      scope: { kind: 'finisher' },
      where: {
        all: [
          ['code', 'prefix', 'J-72'],
          ['severity', '>=', 'error'],
        ],
      },
      by: ['printer', 'unit'],
      when: { count: { ge: 3, over: 'PT72H' } },
      late: 'PT0S',
    },
  ],
};
const setting = useProduct({ rules: RULES });

const jam = { code: 'J-7201', severity: 'error', unit: 'finisher.1' } as const;

async function troublesOf(printer: string): Promise<Trouble[]> {
  return (await setting.operator.call('troubles.list', { printer }))['items'] as Trouble[];
}

test('what happens while the printer is cut off is kept, sent later, and judged', async () => {
  const { agent, driver, hear, id } = await setting.machine('claim-17');
  await hear('structure');
  agent.suspend();
  for (let turn = 0; turn < 3; turn++) driver.emit(jam);
  driver.emit({ code: 'W-1', severity: 'warning', unit: 'engine' });
  expect(await troublesOf(id)).toEqual([]);
  agent.resume();
  const batch = await hear<ErrorBatch>('errors');
  expect(batch.entries.map(({ seq, code }) => [seq, code])).toEqual([
    [1, 'J-7201'],
    [2, 'J-7201'],
    [3, 'J-7201'],
    [4, 'W-1'],
  ]);
  const [trouble] = await eventually(async () => {
    const troubles = await troublesOf(id);
    return troubles.length > 0 && troubles;
  }, 'a trouble');
  expect(trouble).toMatchObject({
    rule: 'entrance-jam',
    title: 'Finisher entrance jams too often',
    printer: id,
    unit: 'finisher.1',
    state: 'open',
  });
  expect(trouble?.evidence.map(({ log, seq }) => [log, seq])).toEqual(
    [1, 2, 3].map((seq) => [batch.log, seq]),
  );

  // Shown where a user looks: the printer's page, the retained trouble, the printer itself.
  expect(await setting.operator.call('printers.get', { printer: id })).toMatchObject({ openTroubles: 1 });
  const retained = await setting.listen('platen/v1/fleet/troubles/#');
  expect(await retained.hear(fleetTopic.trouble(trouble!.id))).toMatchObject({ rule: 'entrance-jam' });
  expect(await agent.ask('troubles')).toMatchObject({ open: [{ id: trouble!.id }], closed: [] });
});

test('an operator closes it: the retained document goes, the record stays', async () => {
  const [trouble] = await troublesOf('claim-17');
  await setting.operator.call('troubles.close', { id: trouble!.id, note: 'roller cleaned' });
  expect(await troublesOf('claim-17')).toMatchObject([{ state: 'closed', note: 'roller cleaned' }]);
  const retained = await setting.listen('platen/v1/fleet/#');
  await retained.hear('platen/v1/fleet/summary');
  expect(retained.all(fleetTopic.trouble(trouble!.id))).toEqual([]);
});

test('a memory that is full overwrites its oldest entries, and says so', async () => {
  const { agent, driver, hear, id } = await setting.machine('small-17', {
    agent: { logMemory: new MemoryLog({ entriesMax: 4 }) },
  });
  await hear('structure');
  agent.suspend();
  for (let turn = 0; turn < 10; turn++) driver.emit({ code: 'W-1', severity: 'warning' });
  agent.resume();
  const batch = await hear<ErrorBatch>('errors');
  expect(batch.first).toBe(7);
  expect(batch.entries.map(({ seq }) => seq)).toEqual([7, 8, 9, 10]);
  const logs = await eventually(async () => {
    const { logs } = await setting.operator.call('printers.get', { printer: id });
    return (logs as { upTo: number }[])[0]?.upTo === 10 && logs;
  }, 'its log is known');
  expect(logs).toMatchObject([{ log: batch.log, upTo: 10, lost: 6 }]);
});
