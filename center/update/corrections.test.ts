/** Messages of one printer affect its order in the sequence in which they arrive. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openLocalRepository } from '../../releases/local.ts';
import type { Order, Structure, UpdateReport, Verdict } from '../../schemas/types.ts';
import { checkSchema } from '../../schemas/validate.ts';
import {
  eventually,
  orderFor,
  silent,
  type TestStore,
  testStore,
  testStructure,
} from '../../tests/harness/orders.ts';
import { DEFAULT_ROLLOUT } from './campaigns/rollout-settings.ts';
import { Corrections } from './corrections.ts';
import { OrderService } from './orders/order-service.ts';

const ENGINE = 'engine:acme.engine';
let opened: TestStore;
let orders: OrderService;
let corrections: Corrections;
/** Number of queries for printers with an order. */
let lookups = 0;
/** The structure that each printer was judged on, and its verdict. */
const judged = new Map<string, { structure: Structure; verdict: Verdict }>();
/** Retained orders by printer. */
const retained = new Map<string, Order>();

beforeAll(async () => {
  opened = await testStore();
  const { folder, store } = opened;
  const repository = await openLocalRepository(join(folder, 'repository'), join(folder, 'keys'), Date.now);
  await repository.release(
    ['2.5.0', '2.6.1'].map((version) => ({
      image: Buffer.from(`engine ${version}`),
      custom: { software: 'acme.engine', version, vendor: 'acme' },
    })),
  );
  orders = new OrderService({
    database: {
      query: (text, values) => {
        if (text.includes('WHERE printer = ANY($1::text[]) AND ended_at IS NULL')) lookups += 1;
        return store.database.query(text, values);
      },
      transaction: (work) => store.database.transaction(work),
    },
    queue: { postgres: store.database.url },
    tell: () => undefined,
    conclude: () => undefined,
    publish: async (topic, payload) => {
      const name = /printers\/([^/]+)\/order$/.exec(topic)?.[1] ?? '';
      if (payload === '') retained.delete(name);
      else retained.set(name, checkSchema('order', JSON.parse(payload)));
    },
    repository,
    repositoryUrl: 'http://127.0.0.1:8080/repository/',
    log: silent,
    now: Date.now,
  });
  corrections = new Corrections(
    orders,
    {
      settings: async () => DEFAULT_ROLLOUT,
      isHeld: async () => false,
      // Campaigns handle the question; only the printer's order matters here.
      ask: async ({ request }) => {
        for (const printer of request.printers) {
          const { structure, verdict } = judged.get(printer)!;
          await orderFor(orders, repository, printer, structure, verdict.remedy!);
        }
        return { outcome: 'created' };
      },
      unasked: async () => ({ unasked: [] }),
      tell: () => undefined,
    },
    silent,
  );
  await orders.start();
});

afterAll(async () => {
  await corrections.stop();
  await orders.stop();
  await opened.close();
});

/** The verdict that the engine is to get `to`. */
function wants(from: string, to: string, session: string): Verdict {
  return {
    structure: { session, revision: 1 },
    catalog: 'c1',
    at: '2026-11-22T07:00:00Z',
    status: 'incompatible',
    findings: [],
    remedy: { software: [{ subject: ENGINE, from, to }], structure: [], steps: [[ENGINE, to]], changes: 1 },
  } as unknown as Verdict;
}

function judge(printer: string, structure: Structure, verdict: Verdict): void {
  judged.set(printer, { structure, verdict });
  corrections.onVerdict(printer, structure, verdict);
}

/** An order for 2.5.0, advanced through `states`. */
async function ordered(printer: string, states: UpdateReport['state'][]): Promise<Order> {
  judge(printer, testStructure('2.4.0', 's1'), wants('2.4.0', '2.5.0', 's1'));
  const order = await eventually(() => retained.get(printer), 10_000);
  for (const [index, state] of states.entries()) {
    await orders.onUpdateReport(printer, reportOf(order, index + 1, state));
  }
  return order;
}

function reportOf({ execution, attempt }: Order, seq: number, state: UpdateReport['state']): UpdateReport {
  return { execution, attempt, seq, state };
}

test('the database is asked once who of those that report has an order', async () => {
  const order = await ordered('asks', ['installing', 'self-testing', 'claimed']);
  lookups = 0;
  for (let n = 0; n < 100; n += 1) corrections.onStructure(`idle-${n}`, testStructure('2.4.0', 's1'));
  // The session that was judged neither proves nor disproves it.
  corrections.onStructure('asks', testStructure('2.4.0', 's1'));
  corrections.onPresence('asks', true);
  await corrections.stop();
  expect(lookups).toBe(1);
  expect((await orders.store.get(order.execution))?.execution.state).toBe('claimed');
});

test('a structure from before the claim is not taken for one that disproves it', async () => {
  const order = await ordered('claims', ['installing', 'self-testing']);
  // Between restart and self-test it still shows the old software; then it claims, and shows the new one.
  corrections.onStructure('claims', testStructure('2.4.0', 's2'));
  corrections.onUpdateReport('claims', reportOf(order, 3, 'claimed'));
  const state = async () => (await orders.store.get(order.execution))?.execution.state;
  await eventually(async () => ((await state()) === 'self-testing' ? undefined : true));
  expect(await state()).toBe('claimed');
  corrections.onStructure('claims', testStructure('2.5.0', 's3'));
  await eventually(async () => ((await state()) === 'claimed' ? undefined : true));
  expect(await state()).toBe('proven');
});

test('a verdict on the structure that proves an order gets an order of its own', async () => {
  const first = await ordered('follows', ['installing', 'self-testing', 'claimed']);
  const shown = testStructure('2.5.0', 's2');
  corrections.onStructure('follows', shown);
  judge('follows', shown, wants('2.5.0', '2.6.1', 's2'));
  const second = await eventually(() => {
    const order = retained.get('follows');
    return order && order.execution !== first.execution ? order : undefined;
  });
  expect(second.steps.map(({ to }) => to)).toEqual(['2.6.1']);
});
