import { join } from 'node:path';
import { type LocalRepository, openLocalRepository } from '../../../releases/local.ts';
import type { Order, Remedy, Structure, UpdateReport } from '../../../schemas/types.ts';
import { checkSchema } from '../../../schemas/validate.ts';
import {
  eventually,
  orderFor,
  silent,
  type TestStore,
  testRedis,
  testStore,
  testStructure,
} from '../../../tests/harness/orders.ts';
import { OrderService } from './order-service.ts';
import type { QueueConnection } from './queue.ts';

let test_: TestStore;
let redis: { url: string; close(): Promise<void> };
let repository: LocalRepository;

beforeAll(async () => {
  test_ = await testStore();
  redis = await testRedis();
  repository = await openLocalRepository(
    join(test_.folder, 'repository'),
    join(test_.folder, 'keys'),
    Date.now,
  );
  await repository.release(
    ['2.5.0', '2.6.1'].map((version) => ({
      image: Buffer.from(`engine ${version}`),
      custom: { software: 'acme.engine', version, vendor: 'acme' },
    })),
  );
});
afterAll(async () => {
  await test_.close();
  await redis.close();
});

const REMEDY: Pick<Remedy, 'software' | 'steps'> = {
  software: [{ subject: 'engine:acme.engine', from: '2.4.0', to: '2.6.1' }],
  steps: [
    ['engine:acme.engine', '2.5.0'],
    ['engine:acme.engine', '2.6.1'],
  ],
};

/** Delivers a structure of a printer. */
async function shows(service: OrderService, printer: string, structure: Structure): Promise<void> {
  await service.onStructure(structure, (await service.store.activeIds([printer])).get(printer) ?? []);
}

describe.each(['postgres', 'redis'] as const)('orders on %s', (backend) => {
  let service: OrderService;
  /** Retained orders by printer. */
  const orders = new Map<string, Order>();
  const published: string[] = [];
  const requested: string[] = [];
  const rejudged: string[] = [];
  const online = new Map<string, boolean>();
  const printer = (name: string) => `${backend}-${name}`;

  const make = (times = {}) => {
    const queue: QueueConnection =
      backend === 'redis' ? { redis: redis.url } : { postgres: test_.store.database.url };
    return new OrderService({
      database: test_.store.database,
      queue,
      tell: () => undefined,
      conclude: () => undefined,
      publish: async (topic, payload) => {
        published.push(topic);
        const name = /printers\/([^/]+)\/order$/.exec(topic)?.[1];
        if (name === undefined) return;
        if (payload === '') orders.delete(name);
        else orders.set(name, checkSchema('order', JSON.parse(payload)));
      },
      repository,
      repositoryUrl: 'http://127.0.0.1:8080/repository/',
      log: silent,
      now: Date.now,
      times,
      requestStructure: async (name) => void requested.push(name),
      rejudge: async (name) => void rejudged.push(name),
      online: async (name) => online.get(name) ?? true,
    });
  };
  const report = (
    order: Order,
    seq: number,
    state: UpdateReport['state'],
    more: Partial<UpdateReport> = {},
  ) => ({
    execution: order.execution,
    attempt: order.attempt,
    seq,
    state,
    ...more,
  });
  const offered = (name: string) => eventually(() => orders.get(name));
  const state = async (id: string) => (await service.store.get(id))?.execution.state;

  beforeAll(async () => {
    service = make();
    await service.start();
  });
  afterAll(async () => {
    await service.stop();
  });
  /** The same queue with other timeouts: two centers with different times would undo each other's nudges. */
  const restart = async (times = {}) => {
    await service.stop();
    service = make(times);
    await service.start();
  };

  test('from remedy to proof', async () => {
    const name = printer('one');
    await orderFor(service, repository, name, testStructure(), REMEDY);
    const order = await offered(name);
    expect(order.steps.map(({ from, to, target }) => [from, to, target])).toEqual([
      ['2.4.0', '2.5.0', 'acme.engine/2.5.0.bin'],
      ['2.5.0', '2.6.1', 'acme.engine/2.6.1.bin'],
    ]);
    for (const [seq, said] of (
      ['accepted', 'downloading', 'installing', 'self-testing'] as const
    ).entries()) {
      await service.onUpdateReport(name, report(order, seq + 1, said));
    }
    await service.onUpdateReport(name, report(order, 9, 'claimed'));
    expect(await state(order.execution)).toBe('claimed');
    expect(requested).toContain(name);
    // The session that was judged is no proof.
    await shows(service, name, testStructure('2.6.1', 's1'));
    expect(await state(order.execution)).toBe('claimed');
    await shows(service, name, testStructure('2.6.1', 's2'));
    expect(await state(order.execution)).toBe('proven');
    expect(orders.has(name)).toBe(false);
    // A late report changes nothing.
    await service.onUpdateReport(name, report(order, 10, 'failed'));
    expect(await state(order.execution)).toBe('proven');
  });

  test('a printer has one order at a time, and another printer has no say in it', async () => {
    const name = printer('two');
    expect(await orderFor(service, repository, name, testStructure(), REMEDY)).toBeDefined();
    expect(await orderFor(service, repository, name, testStructure(), REMEDY)).toBeUndefined();
    const order = await offered(name);
    await service.onUpdateReport(printer('one'), report(order, 1, 'failed'));
    expect(await state(order.execution)).toBe('offered');
    await service.cancel(order.execution, 'not today');
    expect((await offered(name)).cancel).toBe(true);
    await service.onUpdateReport(name, report(order, 1, 'cancelled'));
    expect(await state(order.execution)).toBe('cancelled');
  });

  test('what was rolled back is not offered again', async () => {
    const name = printer('three');
    await orderFor(service, repository, name, testStructure(), REMEDY);
    const order = await offered(name);
    await service.onUpdateReport(name, report(order, 1, 'installing'));
    await service.onUpdateReport(
      name,
      report(order, 2, 'rolled-back', {
        error: { code: 'update/self-test-failed', message: 'no heartbeat' },
      }),
    );
    const barred = await service.store.quarantined([name]);
    expect(barred.get(name)).toMatchObject([
      { software: 'acme.engine', release: '2.5.0' },
      { software: 'acme.engine', release: '2.6.1' },
    ]);
  });

  test('a claim that no structure shows is failed; half of it is partial and judged anew', async () => {
    for (const [engine, controller, end] of [
      ['2.4.0', '3.1.0', 'failed'],
      ['2.6.1', '3.1.0', 'partial'],
    ] as const) {
      const name = printer(end);
      await repository.release([
        { image: Buffer.from('c'), custom: { software: 'acme.controller', version: '3.2.0' } },
      ]);
      await orderFor(service, repository, name, testStructure(), {
        software: [],
        steps: [...REMEDY.steps, ['apparatus:acme.controller', '3.2.0']],
      });
      const order = await offered(name);
      await service.onUpdateReport(name, report(order, 1, 'installing'));
      await service.onUpdateReport(name, report(order, 2, 'claimed'));
      const shown = testStructure(engine, 's2');
      shown.apparatus.software = [{ id: 'acme.controller', version: controller }];
      await shows(service, name, shown);
      expect(await state(order.execution)).toBe(end);
    }
    expect(rejudged).toEqual([printer('partial')]);
  });

  test('a transient failure is tried again, a lasting one is not', async () => {
    const name = printer('four');
    await restart({ backoffBaseMs: 20, backoffCapMs: 20 });
    try {
      await orderFor(service, repository, name, testStructure(), REMEDY);
      const first = await offered(name);
      await service.onUpdateReport(
        name,
        report(first, 1, 'failed', { error: { code: 'update/unreachable', message: 'no route' } }),
      );
      const second = await eventually(() => {
        const order = orders.get(name);
        return order && order.attempt === 2 ? order : undefined;
      });
      expect(second.execution).toBe(first.execution);
      await service.onUpdateReport(
        name,
        report(second, 1, 'failed', { error: { code: 'update/bad-hash', message: 'other bytes' } }),
      );
      expect(await state(first.execution)).toBe('failed');
    } finally {
      await restart();
    }
  });

  test('silence ends: online and mute is silent, offline waits for the deadline', async () => {
    await restart({ progressMs: 40, nudgesMax: 1 });
    try {
      const [mute, off] = [printer('mute'), printer('off')];
      online.set(off, false);
      await orderFor(service, repository, mute, testStructure(), REMEDY);
      await orderFor(service, repository, off, testStructure(), REMEDY, 1_500);
      const [one, two] = [await offered(mute), await offered(off)];
      await eventually(async () => ((await state(one.execution)) === 'silent' ? true : undefined));
      expect(await state(two.execution)).toBe('offered');
      const ended = await eventually(async () => {
        const row = await service.store.get(two.execution);
        return row?.execution.endedAt === undefined ? undefined : row;
      });
      expect(ended.execution.error?.code).toBe('update/deadline');
      expect(ended.execution.endedAt).toBeGreaterThanOrEqual(ended.execution.deadlineAt);
      await eventually(() => (orders.has(mute) || orders.has(off) ? undefined : true));
    } finally {
      await restart();
    }
  });

  test('a center that starts publishes what it did not come to', async () => {
    const name = printer('five');
    await orderFor(service, repository, name, testStructure(), REMEDY);
    const order = await offered(name);
    await service.stop();
    // As after a kill between storing and publishing.
    await test_.store.database.query('UPDATE executions SET publish_due = true WHERE id = $1', [
      order.execution,
    ]);
    orders.delete(name);
    service = make();
    await service.start();
    expect((await offered(name)).execution).toBe(order.execution);
    const before = published.length;
    await restart();
    expect(published.slice(before)).toEqual([]);
  });

  test('reports that were stored and not heard are heard at the start', async () => {
    const name = printer('six');
    await orderFor(service, repository, name, testStructure(), REMEDY);
    const order = await offered(name);
    await service.stop();
    for (const [seq, said] of (['installing', 'rolled-back'] as const).entries()) {
      const document = report(order, seq + 1, said);
      await test_.store.database.query(
        'INSERT INTO update_reports (printer, execution, attempt, seq, state, document, received) VALUES ($1, $2, 1, $3, $4, $5, now())',
        [name, order.execution, seq + 1, said, JSON.stringify(document)],
      );
    }
    service = make();
    await service.start();
    expect(await state(order.execution)).toBe('rolled-back');
  });
});
