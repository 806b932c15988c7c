/** When readings are sent, tested on the agent's state machine alone. */
import { seededRandom } from '../base/random.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { Policy, Readings } from '../schemas/types.ts';
import { schemaFault } from '../schemas/validate.ts';
import type { PrinterReadings } from './driver.ts';
import { READ_RETRY_MS, REQUESTS_WAITING_MAX } from './limits.ts';
import { MemoryLog } from './log-memory.ts';
import { ReportNumbersInMemory } from './report-numbers.ts';
import { AgentSession, type Effect } from './session.ts';

const START = Date.parse('2026-12-01T07:00:00Z');
const HOUR_MS = 3_600_000;
const PRINTER = 'P-1';

function setUp(policy?: Policy, readings = true) {
  const session = new AgentSession({
    printer: PRINTER,
    session: 's-1',
    memory: new MemoryLog({ id: 'log-1' }),
    policy,
    readings,
    numbers: new ReportNumbersInMemory(),
    random: seededRandom(1),
  });
  const hear = (kind: string, body: object, now = START): Effect[] =>
    session.received(`platen/v1/printers/${PRINTER}/${kind}`, Buffer.from(JSON.stringify(body)), now);
  return { session, hear };
}

function sent(effects: Effect[]): Readings[] {
  return effects.flatMap((effect) => {
    if (effect.do !== 'publish' || effect.topic !== printerTopic.readings(PRINTER)) return [];
    expect(effect.retain).toBe(false);
    const document = JSON.parse(effect.payload) as Readings;
    expect(schemaFault('readings', document)).toBeUndefined();
    return [document];
  });
}
const reads = (effects: Effect[]) => effects.filter((effect) => effect.do === 'read-readings').length;

function toner(level: number, more: Partial<PrinterReadings> = {}): PrinterReadings {
  const supplies = [
    { symbol: 'supply.black', kind: 'toner', level, measure: 'percent' as const, state: 'ok' as const },
  ];
  return { state: 'idle', counters: { impressions: 1_000 - level }, supplies, ...more };
}

test('readings are sent on connect and then every hour, or a little earlier', () => {
  const { session } = setUp();
  expect(reads(session.connectedNow(START))).toBe(1);
  expect(sent(session.readingsRead(toner(80), START))).toMatchObject([
    {
      session: 's-1',
      number: 1,
      reason: 'connect',
      at: '2026-12-01T07:00:00.000Z',
      counters: { impressions: 920 },
    },
  ]);
  expect(reads(session.tick(START + 0.89 * HOUR_MS))).toBe(0);
  expect(reads(session.tick(START + HOUR_MS))).toBe(1);
  expect(sent(session.readingsRead(toner(80), START + HOUR_MS))).toMatchObject([
    { number: 2, reason: 'periodic' },
  ]);
});

test('a printer that tells no readings sends none and is asked again when they are due', () => {
  const { session } = setUp();
  session.connectedNow(START);
  expect(sent(session.readingsRead(undefined, START))).toEqual([]);
  expect(reads(session.tick(START + HOUR_MS))).toBe(1);
  const { session: never, hear } = setUp(undefined, false);
  expect(reads(never.connectedNow(START))).toBe(0);
  expect(hear('request/readings', { id: 'r1' })).toEqual([]);
});

test.each<[string, PrinterReadings, boolean]>([
  ['four per cent', toner(76), false],
  ['five per cent', toner(75), true],
  ['pages alone', toner(80, { counters: { impressions: 99_999 } }), false],
  ['a state', toner(80, { state: 'stopped' }), true],
  ['a reason', toner(80, { reasons: ['toner-low'] }), true],
  [
    "a supply's state",
    toner(80, {
      supplies: [{ symbol: 'supply.black', kind: 'toner', level: 80, measure: 'percent', state: 'low' }],
    }),
    true,
  ],
])('a change of %s is told when it matters', (_, read, matters) => {
  const { session } = setUp();
  session.connectedNow(START);
  session.readingsRead(toner(80), START);
  expect(reads(session.readingsChanged())).toBe(1);
  expect(sent(session.readingsRead(read, START + 1_000)).map(({ reason }) => reason)).toEqual(
    matters ? ['change'] : [],
  );
});

test('small steps come together to a change', () => {
  const { session } = setUp();
  session.connectedNow(START);
  session.readingsRead(toner(80), START);
  const told = [78, 76, 75, 73, 71, 70].map((level) => {
    session.readingsChanged();
    return sent(session.readingsRead(toner(level), START + 1_000)).length;
  });
  expect(told).toEqual([0, 0, 1, 0, 0, 1]);
});

test('the policy sets the period, and whether changes are told', () => {
  const { session, hear } = setUp();
  session.connectedNow(START);
  session.readingsRead(toner(80), START);
  hear('policy', { readings: { every: 'PT5M', onChange: false } });
  expect(session.dueAt()).toBeLessThanOrEqual(START + 300_000);
  expect(session.readingsChanged()).toEqual([]);
  expect(reads(session.tick(START + 300_000))).toBe(1);
  expect(sent(session.readingsRead(toner(20), START + 300_000)).map(({ reason }) => reason)).toEqual([
    'periodic',
  ]);
});

test('requests are answered one by one, and no more wait than is allowed', () => {
  const { session, hear } = setUp();
  session.connectedNow(START);
  session.readingsRead(toner(80), START);
  expect(reads(hear('request/readings', { id: 'r1' }))).toBe(1);
  expect(reads(hear('request/readings', { id: 'r2' }))).toBe(0);
  expect(sent(session.readingsRead(toner(80), START))).toMatchObject([
    { number: 2, reason: 'request', request: 'r1' },
    { number: 3, reason: 'request', request: 'r2' },
  ]);
  const warned = Array.from({ length: REQUESTS_WAITING_MAX + 1 }, (_, n) =>
    hear('request/readings', { id: `x${n}` }),
  );
  expect(warned.flat().filter(({ do: what }) => what === 'warn')).toHaveLength(1);
});

test('a read that fails is tried again, and then says why it was wanted', () => {
  const { session } = setUp();
  session.connectedNow(START);
  expect(session.readingsFailed(new Error('no answer'), START)).toMatchObject([{ do: 'warn' }]);
  expect(reads(session.tick(START + READ_RETRY_MS - 1))).toBe(0);
  expect(reads(session.tick(START + READ_RETRY_MS))).toBe(1);
  expect(sent(session.readingsRead(toner(80), START + READ_RETRY_MS))).toMatchObject([{ reason: 'connect' }]);
});

test('what changes while it is read is read again; a new session numbers anew', () => {
  const { session } = setUp();
  session.connectedNow(START);
  session.readingsChanged();
  expect(reads(session.readingsRead(toner(80), START))).toBe(1);
  expect(sent(session.readingsRead(toner(60), START))).toMatchObject([{ number: 2, reason: 'change' }]);
  session.disconnected();
  session.renew('s-2');
  session.connectedNow(START);
  expect(sent(session.readingsRead(toner(60), START))).toMatchObject([{ session: 's-2', number: 1 }]);
});
