import fc from 'fast-check';
import { DEFAULT_BUDGET, type PastOrder, spentBudget } from './budget.ts';
import { DEFAULT_TIMES, type Execution, type OrderEvent, planExecution, transition } from './order-state.ts';

const DAY_MS = 24 * 3_600_000;
const NOW = Date.parse('2026-11-30T12:00:00Z');
const STEP = { subject: 'engine:acme.engine', from: '1.0', to: '2.0' };

function past(at: string, state: Execution['state'], more: Partial<PastOrder['execution']> = {}): PastOrder {
  const from = Date.parse(at);
  return { at: from, execution: { state, step: 0, endedAt: from + 60_000, ...more }, steps: [STEP] };
}

const flapped = [
  past('2026-11-30T10:01:00Z', 'proven', { installs: 1 }),
  past('2026-11-30T10:31:00Z', 'proven', { installs: 1 }),
];

test('three installations are given, the fourth is refused with what came of them', () => {
  expect(spentBudget([STEP], flapped, NOW, DEFAULT_BUDGET)).toBeUndefined();
  const again = [...flapped, past('2026-11-30T11:05:00Z', 'rolled-back')];
  expect(spentBudget([STEP], again, NOW, DEFAULT_BUDGET)).toEqual({
    software: 'acme.engine',
    release: '2.0',
    what: 'installations',
    reason:
      'acme.engine 2.0 was installed 3 times in 30 days: ' +
      'proven at 10:02, back at 1.0 at 10:31, twice; rolled-back at 11:06',
  });
});

test('another release has a budget of its own, and so has what an order never came to', () => {
  const three = [...flapped, past('2026-11-30T11:05:00Z', 'proven')];
  expect(spentBudget([{ ...STEP, to: '2.1' }], three, NOW, DEFAULT_BUDGET)).toBeUndefined();
  const stopped = Array.from({ length: 3 }, () => ({
    ...past('2026-11-30T10:00:00Z', 'failed', { installs: 1 }),
    steps: [STEP, { subject: 'apparatus:acme.controller', to: '9.0' }],
  }));
  const second = { subject: 'apparatus:acme.controller', to: '9.0' };
  expect(spentBudget([second], stopped, NOW, DEFAULT_BUDGET)).toBeUndefined();
  expect(spentBudget([STEP], stopped, NOW, DEFAULT_BUDGET)).toMatchObject({ software: 'acme.engine' });
});

test('what lies further back than the budget reaches counts no more', () => {
  const old = [1, 2, 3].map((day) => past(new Date(NOW - (30 + day) * DAY_MS).toISOString(), 'proven'));
  expect(spentBudget([STEP], old, NOW, DEFAULT_BUDGET)).toBeUndefined();
  expect(spentBudget([STEP], old, NOW - 10 * DAY_MS, DEFAULT_BUDGET)).toBeDefined();
});

test('orders that were withdrawn before they installed cost nothing', () => {
  const withdrawn = Array.from({ length: 100 }, () => past('2026-11-30T10:00:00Z', 'cancelled'));
  expect(spentBudget([STEP], withdrawn, NOW, DEFAULT_BUDGET)).toBeUndefined();
});

test('orders that are refused again and again come to an end', () => {
  const refused = Array.from({ length: DEFAULT_BUDGET.orders }, () =>
    past('2026-11-30T10:00:00Z', 'rejected'),
  );
  expect(spentBudget([STEP], refused, NOW, DEFAULT_BUDGET)).toMatchObject({ what: 'orders' });
});

test('restarts are counted over all releases, and then everything is over', () => {
  const many = Array.from({ length: 10 }, (_, index) => ({
    ...past('2026-11-30T10:00:00Z', 'proven', { installs: 3 }),
    steps: [{ subject: 'engine:acme.engine', to: `3.${index}` }],
  }));
  expect(spentBudget([STEP], many, NOW, DEFAULT_BUDGET)).toMatchObject({ software: '', what: 'restarts' });
});

test('whatever printers report, the machine counts every step that began to install, and no more', () => {
  const state = fc.constantFrom(
    'accepted' as const,
    'downloading' as const,
    'verified' as const,
    'installing' as const,
    'self-testing' as const,
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(state, fc.integer({ min: 0, max: 3 })), { maxLength: 30 }), (reports) => {
      let execution = planExecution(0, 1e12);
      const happen = (event: OrderEvent) => {
        execution = transition(execution, event, DEFAULT_TIMES).execution;
      };
      happen({ type: 'offer', at: 0 });
      const begun = new Set<number>();
      let downloading = 0;
      for (const [index, [word, step]] of reports.entries()) {
        const before = execution;
        const report = { execution: 'e', attempt: 1, seq: index + 1, state: word, step };
        happen({ type: 'report', at: index, random: 0, report });
        if (execution.state !== before.state || execution.step !== before.step) {
          if (word === 'installing') begun.add(execution.step);
          if (word === 'downloading') downloading += 1;
        }
      }
      const touched = reports.some(([word]) => word === 'installing' || word === 'self-testing');
      expect((execution.installs ?? 0) > 0).toBe(touched);
      expect(execution.installs ?? 0).toBeLessThanOrEqual(reports.length);
      expect(execution.installs ?? 0).toBeGreaterThanOrEqual(begun.size > 0 ? 1 : 0);
      expect(execution.downloads ?? 0).toBeLessThanOrEqual(downloading);
    }),
    { seed: 47 },
  );
});
