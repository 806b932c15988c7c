/** The agent's state machine alone: no broker, no clock, and only seeded randomness. */
import fc from 'fast-check';
import { seededRandom } from '../base/random.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { ErrorBatch, Policy, Structure, UpdateReport } from '../schemas/types.ts';
import { schemaFault } from '../schemas/validate.ts';
import type { PrinterStructure } from './driver.ts';
import {
  ACK_TIMEOUT_MS,
  BATCH_ENTRIES_MAX,
  BATCHES_IN_FLIGHT_MAX,
  READ_RETRY_MS,
  REPORTS_WAITING_MAX,
  REQUESTS_WAITING_MAX,
} from './limits.ts';
import { MemoryLog, type MemoryLogOptions } from './log-memory.ts';
import { ReportNumbersInMemory } from './report-numbers.ts';
import { AgentSession, type Effect } from './session.ts';

const START = Date.parse('2026-11-22T07:00:00Z');
const PRINTER = 'P-1';
const STRUCTURE: PrinterStructure = {
  apparatus: { model: 'C360', serial: 'A1', software: [] },
  units: [{ symbol: 'engine', kind: 'engine', model: 'EN-36', serial: 'E1', software: [] }],
};

type Publish = Extract<Effect, { do: 'publish' }>;

function setUp(policy?: Policy, memoryOptions: MemoryLogOptions = {}) {
  const memory = new MemoryLog({ id: 'log-1', ...memoryOptions });
  const session = new AgentSession({
    printer: PRINTER,
    session: 's-1',
    memory,
    policy,
    numbers: new ReportNumbersInMemory(),
    random: seededRandom(1),
  });
  const log = (count: number, now = START): Effect[] => {
    let effects: Effect[] = [];
    for (let n = 0; n < count; n++) {
      memory.append({ at: new Date(now).toISOString(), code: 'J-1', severity: 'error' }, now);
      effects = effects.concat(session.logged(now));
    }
    return effects;
  };
  const hear = (kind: string, body: object | '', now = START): Effect[] => {
    const topic = printerTopic.policy(PRINTER).replace(/policy$/, kind);
    return session.received(topic, Buffer.from(body === '' ? '' : JSON.stringify(body)), now);
  };
  return { memory, session, log, hear };
}

const publishes = (effects: Effect[]) =>
  effects.filter((effect): effect is Publish => effect.do === 'publish');
const warnings = (effects: Effect[]) => effects.filter((effect) => effect.do === 'warn');

function bodies<T>(effects: Effect[], kind: string): T[] {
  return publishes(effects)
    .filter(({ topic }) => topic.endsWith(`/${kind}`))
    .map(({ payload }) => JSON.parse(payload) as T);
}

const batches = (effects: Effect[]) => bodies<ErrorBatch>(effects, 'errors');
const seqs = (effects: Effect[]) => batches(effects).map(({ entries }) => entries.map(({ seq }) => seq));

describe('structure', () => {
  test('is read on connect and sent retained; revisions grow; a new session begins anew', () => {
    const { session } = setUp();
    expect(session.connectedNow(START).at(-1)).toEqual({ do: 'read' });
    const first = session.structureRead(STRUCTURE, START);
    expect(bodies<Structure>(first, 'structure')).toMatchObject([
      { reason: 'connect', revision: 1, session: 's-1' },
    ]);
    expect(publishes(first)[0]?.retain).toBe(true);
    session.disconnected();
    session.connectedNow(START);
    expect(bodies<Structure>(session.structureRead(STRUCTURE, START), 'structure')[0]?.revision).toBe(2);
    session.disconnected();
    session.renew('s-2');
    session.connectedNow(START);
    expect(bodies<Structure>(session.structureRead(STRUCTURE, START), 'structure')).toMatchObject([
      { session: 's-2', revision: 1 },
    ]);
  });

  test('a change while the driver is being read is read again', () => {
    const { session } = setUp();
    session.connectedNow(START);
    expect(session.changed()).toEqual([]);
    const effects = session.structureRead(STRUCTURE, START);
    expect(effects.at(-1)).toEqual({ do: 'read' });
    const other = { ...STRUCTURE, units: [] };
    expect(bodies<Structure>(session.structureRead(other, START), 'structure')).toMatchObject([
      { reason: 'change' },
    ]);
  });

  test('a request that finds a change tells both', () => {
    const { session, hear } = setUp();
    session.connectedNow(START);
    session.structureRead(STRUCTURE, START);
    expect(hear('request/structure', { id: 'r-1' })).toEqual([{ do: 'read' }]);
    const told = bodies<Structure>(session.structureRead({ ...STRUCTURE, units: [] }, START), 'structure');
    expect(told.map(({ reason, revision, request }) => [reason, revision, request])).toEqual([
      ['change', 2, undefined],
      ['request', 3, 'r-1'],
    ]);
  });

  test('every request has its own answer; more than the limit are dropped with a warning', () => {
    const { session, hear } = setUp();
    session.connectedNow(START);
    for (let n = 1; n <= REQUESTS_WAITING_MAX; n++)
      expect(warnings(hear('request/structure', { id: `r-${n}` }))).toEqual([]);
    expect(warnings(hear('request/structure', { id: 'one too many' }))).toHaveLength(1);
    const told = bodies<Structure>(session.structureRead(STRUCTURE, START), 'structure');
    expect(told.filter(({ reason }) => reason === 'request')).toHaveLength(REQUESTS_WAITING_MAX);
  });

  test('a driver that fails is asked again, later and later, and the reason is kept', () => {
    const { session } = setUp();
    session.connectedNow(START);
    session.structureFailed(new Error('no answer'), START);
    expect(session.dueAt()).toBe(START + READ_RETRY_MS);
    expect(session.tick(START + READ_RETRY_MS)).toEqual([{ do: 'read' }]);
    session.structureFailed(new Error('no answer'), START);
    expect(session.dueAt()).toBe(START + 2 * READ_RETRY_MS);
    session.tick(START + 2 * READ_RETRY_MS);
    expect(bodies<Structure>(session.structureRead(STRUCTURE, START), 'structure')).toMatchObject([
      { reason: 'connect' },
    ]);
  });

  test('periodic: at most a tenth before the period, none while disconnected', () => {
    const { session } = setUp({ structure: { every: 'PT100S' } });
    session.connectedNow(START);
    session.structureRead(STRUCTURE, START);
    const due = session.dueAt();
    expect(due).toBeGreaterThanOrEqual(START + 90_000);
    expect(due).toBeLessThanOrEqual(START + 100_000);
    expect(session.tick(due - 1)).toEqual([]);
    expect(session.tick(due)).toEqual([{ do: 'read' }]);
    expect(bodies<Structure>(session.structureRead(STRUCTURE, due), 'structure')).toMatchObject([
      { reason: 'periodic' },
    ]);
    session.disconnected();
    expect(session.dueAt()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('errors', () => {
  test('a batch holds at most 500 entries and 64 KiB', () => {
    const { session, memory } = setUp();
    for (let n = 0; n < 1_200; n++) {
      memory.append(
        { at: new Date(START).toISOString(), code: 'J-1', severity: 'error', detail: { n } },
        START,
      );
    }
    const effects = session.connectedNow(START);
    expect(batches(effects)[0]?.entries).toHaveLength(BATCH_ENTRIES_MAX);
    const large = setUp();
    for (let n = 0; n < 300; n++) {
      const detail = { text: 'ü'.repeat(2_000) };
      large.memory.append(
        { at: new Date(START).toISOString(), code: 'J-1', severity: 'error', detail },
        START,
      );
    }
    for (const { payload } of publishes(large.session.connectedNow(START))) {
      expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(64 * 1024);
    }
  });

  test('only so many batches are under way; what comes meanwhile is sent together', () => {
    const { session, log } = setUp();
    session.connectedNow(START);
    const effects = log(20);
    expect(seqs(effects)).toEqual([[1], [2], [3], [4]]);
    expect(publishes(effects)).toHaveLength(BATCHES_IN_FLIGHT_MAX);
    const token = publishes(effects)[0]?.token ?? 0;
    expect(seqs(session.published(token, START))).toEqual([
      Array.from({ length: 16 }, (_, index) => index + 5),
    ]);
  });

  test('what gave way while offline is told through first, and what is left is sent', () => {
    const { session, log, memory } = setUp(undefined, { entriesMax: 10 });
    log(25);
    expect(batches(session.connectedNow(START))).toMatchObject([{ first: 16, entries: { length: 10 } }]);
    expect(memory.lost).toBe(15);
  });

  test('in accumulate and periodic mode a memory that fills up is sent before it overflows', () => {
    const { session, log } = setUp({ errors: { mode: 'accumulate', atEntries: 500 } }, { entriesMax: 20 });
    session.connectedNow(START);
    expect(batches(log(14))).toEqual([]);
    expect(batches(log(1))).toMatchObject([{ reason: 'accumulated', entries: { length: 15 } }]);
  });

  test('a policy that is withdrawn (empty payload) gives the own one back; a wrong one changes nothing', () => {
    const { session, hear, log } = setUp({ errors: { mode: 'accumulate', atEntries: 3 } });
    session.connectedNow(START);
    hear('policy', { errors: { mode: 'periodic', every: 'PT10M' } });
    expect(session.policy.errors).toMatchObject({ mode: 'periodic', atEntries: undefined, everyMs: 600_000 });
    expect(warnings(hear('policy', { errors: { mode: 'whenever' } }))).toHaveLength(1);
    expect(session.policy.errors.mode).toBe('periodic');
    hear('policy', '');
    expect(session.policy.errors).toMatchObject({ mode: 'accumulate', atEntries: 3 });
    expect(batches(log(3))).toMatchObject([{ reason: 'accumulated' }]);
  });

  test('a change to stream sends at once what waited', () => {
    const { session, hear, log } = setUp({ errors: { mode: 'accumulate' } });
    session.connectedNow(START);
    expect(batches(log(2))).toEqual([]);
    expect(batches(hear('policy', { errors: { mode: 'stream' } }))).toMatchObject([
      { reason: 'event', entries: { length: 2 } },
    ]);
  });

  test('without an acknowledgement it is sent again after a while, more and more seldom', () => {
    const { session, log } = setUp();
    session.connectedNow(START);
    const [sent] = publishes(log(1));
    session.published(sent?.token ?? 0, START);
    expect(session.tick(START + ACK_TIMEOUT_MS - 1)).toEqual([]);
    const again = session.tick(START + ACK_TIMEOUT_MS);
    expect(seqs(again)).toEqual([[1]]);
    const later = START + ACK_TIMEOUT_MS;
    session.published(publishes(again)[0]?.token ?? 0, later);
    expect(session.tick(later + ACK_TIMEOUT_MS)).toEqual([]);
    expect(seqs(session.tick(later + 2 * ACK_TIMEOUT_MS))).toEqual([[1]]);
  });

  test('a center whose cursor lies behind gets it all again, once', () => {
    const { session, log, hear } = setUp();
    session.connectedNow(START);
    let effects = log(3);
    hear('errors/ack', { log: 'log-1', upTo: 3 });
    for (const { token } of publishes(effects)) session.published(token, START);
    effects = hear('errors/ack', { log: 'log-1', upTo: 0 });
    expect(seqs(effects)).toEqual([[1, 2, 3]]);
    expect(hear('errors/ack', { log: 'log-1', upTo: 0 })).toEqual([]);
  });

  test('an acknowledgement of another log is not ours', () => {
    const { session, log, hear } = setUp();
    session.connectedNow(START);
    log(1);
    hear('errors/ack', { log: 'log-0', upTo: 99 });
    expect(session.unacknowledged).toBe(1);
  });

  test('a long answer comes in several batches, each with the id of the request, and nothing that came later', () => {
    const { session, memory, hear } = setUp({ errors: { mode: 'accumulate', atEntries: 500 } });
    session.connectedNow(START);
    for (let n = 0; n < 700; n++)
      memory.append({ at: new Date(START).toISOString(), code: 'J-1', severity: 'info' }, START);
    const told = batches(hear('request/errors', { id: 'q' }));
    expect(told.map(({ request, reason, entries }) => [request, reason, entries.length])).toEqual([
      ['q', 'request', 500],
      ['q', 'request', 200],
    ]);
  });
});

describe('reports', () => {
  const report = (state: UpdateReport['state'], more: object = {}) => ({
    execution: 'e',
    attempt: 1,
    state,
    ...more,
  });

  test('are numbered, kept until acknowledged, sent again after a reconnect', () => {
    const { session } = setUp();
    session.connectedNow(START);
    const first = session.report(report('accepted'));
    expect(bodies<UpdateReport>(first, 'update')).toMatchObject([{ seq: 1, state: 'accepted' }]);
    session.disconnected();
    session.report(report('installing'));
    const again = session.connectedNow(START);
    expect(bodies<UpdateReport>(again, 'update').map(({ seq }) => seq)).toEqual([1, 2]);
    for (const { token } of publishes(again)) session.published(token, START);
    session.disconnected();
    expect(bodies(session.connectedNow(START), 'update')).toEqual([]);
  });

  test('of progress that waits only the newest is kept, and no more reports than the limit', () => {
    const { session } = setUp();
    for (let n = 1; n <= 50; n++) session.report(report('downloading', { progress: n / 50 }));
    expect(bodies<UpdateReport>(session.connectedNow(START), 'update')).toMatchObject([
      { seq: 50, progress: 1 },
    ]);
    session.disconnected();
    for (let n = 0; n < 100; n++) session.report(report(n % 2 ? 'verified' : 'installing'));
    const waiting = bodies<UpdateReport>(session.connectedNow(START), 'update');
    expect(waiting).toHaveLength(REPORTS_WAITING_MAX);
    expect(waiting.at(-1)?.seq).toBe(150);
  });
});

test('a clock that is put back by a year delays nothing by more than a period', () => {
  const { session, log } = setUp({
    structure: { every: 'PT1H' },
    errors: { mode: 'periodic', every: 'PT10M' },
  });
  session.connectedNow(START);
  session.structureRead(STRUCTURE, START);
  log(1);
  // The machine's timer uses its own clock: it fires when scheduled and may find an earlier time.
  let now = START - 365 * 86_400_000;
  let told = batches(session.tick(now));
  for (let turn = 0; turn < 3 && told.length === 0; turn++) {
    expect(session.dueAt() - now).toBeLessThanOrEqual(3_600_000);
    now = session.dueAt();
    told = batches(session.tick(now));
  }
  expect(told).toMatchObject([{ reason: 'periodic' }]);
});

test('downlinks that are no JSON, too large, or of another printer change nothing', () => {
  const { session } = setUp();
  session.connectedNow(START);
  const topic = printerTopic.order(PRINTER);
  expect(warnings(session.received(topic, Buffer.from('{'), START))).toHaveLength(1);
  expect(warnings(session.received(topic, Buffer.from('{"execution":"e"}'), START))).toHaveLength(1);
  expect(warnings(session.received(topic, Buffer.alloc(2 ** 21), START))).toHaveLength(1);
  expect(session.received(printerTopic.order('P-2'), Buffer.from(''), START)).toEqual([]);
  expect(session.received(topic, Buffer.from(''), START)).toEqual([{ do: 'order', order: undefined }]);
});

test('however the connection breaks and whatever is acknowledged when, the center gets all that was not lost', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ log: fc.integer({ min: 1, max: 12 }) }) },
    { weight: 2, arbitrary: fc.constant('cut' as const) },
    { weight: 3, arbitrary: fc.constant('puback' as const) },
    { weight: 3, arbitrary: fc.constant('ack' as const) },
    { weight: 1, arbitrary: fc.record({ wait: fc.integer({ min: 1, max: 200_000 }) }) },
    { weight: 1, arbitrary: fc.record({ request: fc.integer({ min: 0, max: 40 }) }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Policy>(
        { errors: { mode: 'accumulate', atEntries: 5 } },
        { errors: { mode: 'stream' } },
      ),
    },
  );
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 30 }), fc.array(step, { maxLength: 60 }), (entriesMax, steps) => {
      const { session, memory, log, hear } = setUp(undefined, { entriesMax });
      const stored = new Set<number>();
      let [now, cursor, requests] = [START, 0, 0];
      let underWay: Publish[] = [];
      const take = (effects: Effect[]) => {
        for (const message of publishes(effects)) {
          if (!message.topic.endsWith('/errors')) continue;
          underWay.push(message);
          const batch = JSON.parse(message.payload) as ErrorBatch;
          expect(schemaFault('errors', batch)).toBeUndefined();
          const numbers = batch.entries.map(({ seq }) => seq);
          expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
          expect(numbers[0] ?? batch.first).toBeGreaterThanOrEqual(batch.first);
          for (const seq of numbers) stored.add(seq);
          cursor = Math.max(cursor, batch.first - 1);
          while (stored.has(cursor + 1)) cursor++;
        }
        expect(underWay.length).toBeLessThanOrEqual(BATCHES_IN_FLIGHT_MAX);
      };
      const puback = () => {
        const acknowledged = underWay;
        underWay = [];
        for (const { token } of acknowledged) take(session.published(token, now));
      };
      const cut = () => {
        session.disconnected();
        underWay = [];
        take(session.connectedNow(now));
      };
      take(session.connectedNow(now));
      for (const one of steps) {
        if (one === 'cut') cut();
        else if (one === 'puback') puback();
        else if (one === 'ack') take(hear('errors/ack', { log: memory.id, upTo: cursor }, now));
        else if ('log' in one) take(log(one.log, now));
        else if ('request' in one) {
          requests++;
          take(
            hear('request/errors', { id: `q-${requests}`, since: { log: memory.id, seq: one.request } }, now),
          );
        } else if ('wait' in one) {
          now += one.wait;
          take(session.tick(now));
        } else take(hear('policy', one, now));
      }
      take(hear('policy', { errors: { mode: 'stream' } }, now));
      cut();
      for (let turn = 0; turn < 20 && underWay.length > 0; turn++) puback();
      for (let seq = memory.first; seq <= memory.last; seq++)
        expect(stored.has(seq) || seq <= cursor).toBe(true);
      take(hear('errors/ack', { log: memory.id, upTo: cursor }, now));
      expect(session.unacknowledged).toBe(0);
    }),
    { seed: 20261122, numRuns: 500 },
  );
});
