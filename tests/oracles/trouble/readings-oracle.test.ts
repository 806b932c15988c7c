/**
 * Rules on readings against a naive implementation: replayed, with time advanced, restarted, and with repeated
 * readings.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ReadingSigns } from '../../../center/readings/signs.ts';
import {
  compileRules,
  type TroubleChange,
  TroubleEngine,
  type TroubleView,
} from '../../../center/trouble/engine/index.ts';
import { REPLAY_LIMITS } from '../../../center/trouble/engine/limits.ts';
import type { TroubleRules } from '../../../schemas/types.ts';
import {
  type OracleReading,
  type ReadingCondition,
  type ReadingLeaf,
  type ReadingRule,
  readingOracle,
} from './naive-readings.ts';

const T0 = Date.parse('2026-11-01T00:00:00Z');
const MINUTE = 60_000;
const RUNS = { numRuns: 300, seed: 20261130 };
const minutes = (n: number) => `PT${n}M`;

function whenOf(condition: ReadingCondition): Record<string, unknown> {
  if ('all' in condition) return { all: condition.all.map(whenOf) };
  if ('any' in condition) return { any: condition.any.map(whenOf) };
  if ('not' in condition) return { not: whenOf(condition.not) };
  if ('supply' in condition) {
    const { kind, lt } = condition.supply;
    return { supply: { ...(kind === undefined ? {} : { kind }), level: { lt } } };
  }
  if ('ge' in condition) return { counter: { name: 'impressions', ge: condition.ge } };
  if ('every' in condition) return { counter: { name: 'impressions', every: condition.every } };
  const { is, for: lasts } = condition.reason;
  return { reason: { is, ...(lasts > 0 ? { for: minutes(lasts) } : {}) } };
}

function compiledOf(rules: ReadingRule[]) {
  const list = rules.map(({ id, by, when, quiet, dedup }) => ({
    id,
    by,
    when: whenOf(when),
    ...(quiet === undefined ? {} : { clear: { quiet: minutes(quiet) } }),
    ...(dedup === undefined ? {} : { dedup: minutes(dedup) }),
  }));
  const {
    rules: compiled,
    errors,
    diagnostics,
  } = compileRules({ rules: 'r', list } as unknown as TroubleRules);
  if (errors > 0) throw new Error(JSON.stringify(diagnostics));
  return compiled;
}

const states: fc.Arbitrary<ReadingLeaf>[] = [
  fc.record({
    supply: fc.record({ kind: fc.constantFrom(undefined, 'toner', 'drum'), lt: fc.constantFrom(10, 30) }),
  }),
  fc.record({ ge: fc.constantFrom(20, 60) }),
  fc.record({ reason: fc.record({ is: fc.constantFrom('jam', 'empty'), for: fc.constantFrom(0, 3, 11) }) }),
];
const leaf: fc.Arbitrary<ReadingLeaf> = fc.oneof(...states, fc.record({ every: fc.constantFrom(10, 25) }));
/** `not` needs a state that lasts; an event is over at once. */
const state: fc.Arbitrary<ReadingLeaf> = fc.oneof(...states);
const several = (part: fc.Arbitrary<ReadingCondition>) =>
  fc.oneof(
    fc.record({ all: fc.array(part, { minLength: 2, maxLength: 3 }) }),
    fc.record({ any: fc.array(part, { minLength: 2, maxLength: 3 }) }),
  );
const when: fc.Arbitrary<ReadingCondition> = fc.oneof(
  { weight: 3, arbitrary: leaf },
  {
    weight: 2,
    arbitrary: several(
      fc.oneof(
        { weight: 4, arbitrary: leaf },
        { weight: 2, arbitrary: fc.record({ not: state }) },
        { weight: 1, arbitrary: several(leaf) },
      ),
    ),
  },
);
const rules = fc.array(
  fc.record({
    by: fc.constantFrom<ReadingRule['by']>(['printer'], ['printer', 'unit']),
    when,
    quiet: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
    dedup: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 3 },
);
const levels = fc.option(fc.constantFrom(5, 9, 20, 29, 50, 90), { nil: undefined, freq: 4 });
const supply = (symbol: string, kind: string) =>
  fc.record({
    symbol: fc.constant(symbol),
    kind: fc.constant(kind),
    left: levels,
    exchanged: fc.integer({ min: 0, max: 4 }).map((one) => one === 0),
  });
const log = fc
  .array(
    fc.record({
      printer: fc.constantFrom('p', 'q'),
      step: fc.integer({ min: 0, max: 5 }),
      pages: fc.option(fc.integer({ min: 0, max: 80 }), { nil: undefined, freq: 3 }),
      reasons: fc.option(fc.subarray(['jam', 'empty-error', 'other']), { nil: undefined, freq: 3 }),
      supplies: fc.tuple(supply('a', 'toner'), supply('b', 'drum')),
      tells: fc.subarray([0, 1]),
    }),
    { maxLength: 40 },
  )
  .map((list): OracleReading[] => {
    let minute = 0;
    return list.map(({ step, supplies, tells, ...rest }, index) => {
      minute += step;
      return {
        ...rest,
        number: index + 1,
        minute,
        supplies: supplies.filter((_one, at) => tells.includes(at)),
      };
    });
  });

function signs({ number, minute, pages, reasons, supplies }: OracleReading): ReadingSigns {
  return {
    session: 's',
    number,
    time_ms: T0 + minute * MINUTE,
    counters: pages === undefined ? {} : { impressions: pages },
    ...(reasons ? { reasons } : {}),
    supplies: supplies.map(({ symbol, kind, left, exchanged }) => ({
      symbol,
      kind,
      ...(left === undefined ? {} : { left }),
      ...(exchanged ? { exchanged: true as const } : {}),
    })),
  };
}

const named = (list: Omit<ReadingRule, 'id'>[]) => list.map((rule, index) => ({ ...rule, id: `r${index}` }));
const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

const shown = (view: TroubleView) => ({
  rule: view.rule,
  printer: view.scope.printer,
  unit: view.scope.unit,
  openedMinute: (Date.parse(view.openedAt) - T0) / MINUTE,
  closedMinute: view.closedAt === undefined ? undefined : (Date.parse(view.closedAt) - T0) / MINUTE,
  reopened: view.reopened,
  count: view.count,
});

function replayed(list: ReadingRule[], readings: OracleReading[], end: number): TroubleView[] {
  const engine = new TroubleEngine(compiledOf(list), { ...REPLAY_LIMITS, prompt: false });
  for (const one of readings) engine.applyReading(one.printer, signs(one));
  return engine.finish(T0 + end * MINUTE);
}

const endOf = (readings: OracleReading[]) => (readings.at(-1)?.minute ?? 0) + 30;

test('a replay of readings gives what a naive reading of the rules gives', () => {
  fc.assert(
    fc.property(rules, log, (list, readings) => {
      const all = named(list);
      const expected = readingOracle(all, readings, endOf(readings)).map((one) => ({
        rule: one.rule,
        printer: one.printer,
        unit: one.unit,
        openedMinute: one.openedMinute,
        closedMinute: one.closedMinute,
        reopened: one.reopened,
        count: one.count,
      }));
      expect(replayed(all, readings, endOf(readings)).map(shown).sort(byText)).toEqual(expected.sort(byText));
    }),
    RUNS,
  );
});

test('told the time, killed and given some again, readings give the same troubles', () => {
  fc.assert(
    fc.property(rules, log, fc.infiniteStream(fc.integer({ min: 0, max: 1_000 })), (list, readings, dice) => {
      const next = () => dice.next().value as number;
      const all = named(list);
      const compiled = compiledOf(all);
      const heard = new Map<string, TroubleView>();
      const hear = (changes: TroubleChange[]) => {
        for (const { kind, trouble } of changes) {
          if (kind === 'withdrawn') heard.delete(trouble.id);
          else heard.set(trouble.id, trouble);
        }
      };
      let engine = new TroubleEngine(compiled, { settleMin: 1 + (next() % 6) });
      for (const [index, one] of readings.entries()) {
        hear(engine.applyReading(one.printer, signs(one)));
        if (next() % 3 === 0) hear(engine.advance(T0 + one.minute * MINUTE));
        if (next() % 4 !== 0) continue;
        const kept = [...engine.printerIds(), ''].map(
          (printer) => [printer, JSON.stringify(engine.exportState(printer))] as const,
        );
        hear(engine.advance(Number.NEGATIVE_INFINITY));
        engine = new TroubleEngine(compiled, { settleMin: 1 + (next() % 6) });
        for (const [printer, state] of kept)
          expect(engine.importState(printer, JSON.parse(state))).toBe(true);
        for (const again of readings.slice(Math.max(0, index - (next() % 8)), index + 1)) {
          hear(engine.applyReading(again.printer, signs(again)));
        }
      }
      const end = endOf(readings);
      hear(engine.advance(T0 + end * MINUTE));
      expect(engine.late).toBe(0);
      expect([...heard.values()].map(shown).sort(byText)).toEqual(
        replayed(all, readings, end).map(shown).sort(byText),
      );
    }),
    RUNS,
  );
});
