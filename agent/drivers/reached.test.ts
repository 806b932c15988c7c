import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { MemoryLog } from '../log-memory.ts';
import type { Reading } from '../mapping/reading.ts';
import { ReportNumbersInMemory } from '../report-numbers.ts';
import { AgentSession } from '../session.ts';
import { PolledDriver } from './polled-driver.ts';
import type { Reader } from './reader.ts';

const log = pino({ level: 'silent' });
const READING: Reading = {
  source: 'ipp',
  sources: {},
  identity: { tables: [] },
  missing: [],
  structure: { apparatus: { model: 'C360' }, units: [] },
  conditions: [],
  conditionsWhole: true,
  counters: {},
};

/** A printer that answers, or doesn't. */
class Switched implements Reader {
  readonly kind = 'ipp';
  readonly url = 'ipp://printer';
  on = true;
  read() {
    return this.on ? Promise.resolve(READING) : Promise.reject(new Error('no route to host'));
  }
  close() {
    return Promise.resolve();
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !holds(); ) {
    if (Date.now() > end) throw new Error('it did not come to hold');
    await sleep(5);
  }
}

test('a device that falls silent for longer than sleep is unreachable until it answers again', async () => {
  const reader = new Switched();
  const driver = new PolledDriver(reader, { pollMs: 5, fullMs: 5, silentMs: 100, log });
  const told: boolean[] = [];
  await driver.start({ error: () => undefined, changed: () => undefined, reached: (yes) => told.push(yes) });
  await until(() => told.includes(true));
  reader.on = false;
  await until(() => told.at(-1) === false);
  reader.on = true;
  await until(() => told.at(-1) === true);
  await driver.stop();
});

test('a device that never answered is unreachable after the same time', async () => {
  const reader = new Switched();
  reader.on = false;
  const driver = new PolledDriver(reader, { pollMs: 5, fullMs: 5, silentMs: 100, log });
  const told: boolean[] = [];
  const began = Date.now();
  await driver.start({ error: () => undefined, changed: () => undefined, reached: (yes) => told.push(yes) });
  await until(() => told.length > 0);
  expect(told).not.toContain(true);
  expect(Date.now() - began).toBeGreaterThanOrEqual(100);
  await driver.stop();
});

test('the presence says it: once a change, and again with every connection, but not in the will', () => {
  const session = new AgentSession({
    printer: 'p',
    session: 's',
    memory: new MemoryLog(),
    numbers: new ReportNumbersInMemory(),
    random: () => 0.5,
  });
  const published = (effects: { do: string; payload?: string }[]) =>
    effects.flatMap(({ payload }) => (payload === undefined ? [] : [JSON.parse(payload) as object]));
  expect(published(session.reached(true, 0))).toEqual([]);
  expect(published(session.connectedNow(0))[0]).toMatchObject({ state: 'online', device: 'reachable' });
  expect(published(session.reached(true, 0))).toEqual([]);
  expect(published(session.reached(false, 0))).toMatchObject([{ state: 'online', device: 'unreachable' }]);
  expect(JSON.parse(session.presence('offline', 0).payload)).not.toHaveProperty('device');
});
