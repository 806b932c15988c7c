import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { createAgent } from '../../agent/agent.ts';
import { systemClock } from '../../agent/clock.ts';
import { DiskLog } from '../../agent/disk-log.ts';
import { SimulatedDriver } from '../../agent/drivers/simulated/driver.ts';
import { seededRandom } from '../../base/random.ts';
import { eventually } from '../harness/ear.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { sampleSpec, useProduct } from '../harness/setting.ts';

// A log memory is small (a Kyocera keeps 16 jams). Entries overwritten before the center had them are lost: the loss
// must be counted and reported, and the rest must arrive once, across restarts of the printer and its connection.
const setting = useProduct();
const folder = temporaryFolder('platen-overflow-');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ENTRIES = 16;
const silent = pino({ level: 'silent' });

interface LogTold {
  log: string;
  upTo: number;
  lost: number;
}

/** A printer whose log memory is on disk and survives a restart. */
function printerOf(printer: string, password: string) {
  const random = seededRandom(1);
  const driver = new SimulatedDriver({ spec: sampleSpec(), clock: systemClock, random });
  const memory = new DiskLog({ folder: join(folder, printer), entriesMax: ENTRIES, log: silent });
  const agent = createAgent({
    printer,
    url: setting.product.mqtt,
    password,
    driver,
    logMemory: memory,
    random,
    log: silent,
    reconnectMs: { first: 50, most: 200 },
  });
  const emit = (count: number) => {
    for (let n = 0; n < count; n++) driver.emit({ code: `C-${memory.last + 1}`, severity: 'error' });
  };
  return { agent, memory, emit };
}

async function told(printer: string) {
  const { operator } = setting;
  const { logs } = (await operator.call('printers.get', { printer })) as { logs: LogTold[] };
  const { items } = (await operator.call('printers.errors', { printer, limit: 1_000 })) as {
    items: { seq: number; code: string }[];
  };
  return { logs, entries: items.map(({ seq, code }) => ({ seq, code })).sort((a, b) => a.seq - b.seq) };
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ seq: from + index, code: `C-${from + index}` }));

test('what overflowed while the printer was away is counted as lost, the rest stored once', async () => {
  const { password } = (await setting.operator.call('printers.enroll', { printer: 'small-1' })) as {
    password: string;
  };
  let printer = printerOf('small-1', password);
  await printer.agent.start();
  printer.emit(5);
  await eventually(
    () => printer.agent.status.unacknowledged === 0 && printer.memory.last === 5,
    'five acknowledged',
  );

  printer.agent.suspend();
  printer.emit(30);
  expect(printer.memory.lost).toBe(14);
  await printer.agent.stop();

  // The printer is switched off and on again: its log memory continues under the same id.
  const { id } = printer.memory;
  printer = printerOf('small-1', password);
  expect(printer.memory.id).toBe(id);
  expect([printer.memory.first, printer.memory.last, printer.memory.lost]).toEqual([20, 35, 14]);
  await printer.agent.start();
  await eventually(
    () => printer.agent.status.connected && printer.agent.status.unacknowledged === 0,
    'the rest',
  );
  printer.emit(1);
  await eventually(() => printer.memory.acknowledged === 36, 'one more');

  const { logs, entries } = await told('small-1');
  expect(logs).toMatchObject([{ log: id, upTo: 36, lost: 14 }]);
  expect(entries).toEqual([...range(1, 5), ...range(20, 36)]);
  await printer.agent.stop();
});

test('under a flood with a breaking connection: stored and lost together are all there were', async () => {
  const { password } = (await setting.operator.call('printers.enroll', { printer: 'small-2' })) as {
    password: string;
  };
  const printer = printerOf('small-2', password);
  await printer.agent.start();
  for (let round = 0; round < 20; round++) {
    printer.emit(25);
    if (round % 3 === 0) printer.agent.cutConnection();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await eventually(() => printer.memory.acknowledged === 500, 'all acknowledged or known lost');
  const { logs, entries } = await told('small-2');
  expect(logs).toMatchObject([{ upTo: 500 }]);
  expect(new Set(entries.map(({ seq }) => seq)).size).toBe(entries.length);
  expect(entries.length + (logs[0]?.lost ?? 0)).toBe(500);
  for (const { seq, code } of entries) expect(code).toBe(`C-${seq}`);
  await printer.agent.stop();
});
