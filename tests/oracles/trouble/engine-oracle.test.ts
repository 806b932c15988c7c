import fc from 'fast-check';
import {
  compileRules,
  type TroubleChange,
  TroubleEngine,
  type TroubleView,
} from '../../../center/trouble/engine/index.ts';
import { REPLAY_LIMITS } from '../../../center/trouble/engine/limits.ts';
import type { LogEntry, TroubleRules } from '../../../schemas/types.ts';
import {
  type OracleBy,
  type OracleCondition,
  type OracleEntry,
  type OracleLeaf,
  type OracleRule,
  oracle,
} from './naive-oracle.ts';

const T0 = Date.parse('2026-11-01T00:00:00Z');
const MINUTE = 60_000;
const CODES = ['A', 'B', 'C'];
const RUNS = { numRuns: 400, seed: 20261122 };

const iso = (minute: number) => new Date(T0 + minute * MINUTE).toISOString();
const minutes = (n: number) => `PT${n}M`;
const isCode = (code: string) => ({ all: [['code', '=', code]] });

/** The condition's own `where`, if any. */
const own = ({ codes }: { codes?: string[] }) =>
  codes === undefined ? {} : { where: { any: codes.map((one) => ['code', '=', one]) } };

/** The oracle's condition in the rule language. */
function whenOf(condition: OracleCondition): Record<string, unknown> {
  if ('all' in condition) return { all: condition.all.map(whenOf) };
  if ('any' in condition) return { any: condition.any.map(whenOf) };
  if ('not' in condition) return { not: whenOf(condition.not) };
  if ('count' in condition) {
    const { ge, over } = condition.count;
    return { count: { ge, over: minutes(over), ...own(condition.count) } };
  }
  if ('distinct' in condition) {
    const { ge, over } = condition.distinct;
    return { distinct: { field: 'code', ge, over: minutes(over), ...own(condition.distinct) } };
  }
  if ('rate' in condition) {
    const { n, ge, min, over } = condition.rate;
    return { rate: { per: 'pages', n, ge, min, over: minutes(over), ...own(condition.rate) } };
  }
  if ('bucket' in condition) {
    const { ge, add, drain, reset } = condition.bucket;
    return {
      bucket: {
        add,
        ge,
        ...(drain && {
          drain: {
            amount: drain.amount,
            ...(drain.every ? { every: minutes(drain.every) } : { pages: drain.pages }),
          },
        }),
        ...(reset && { reset: { pages: reset } }),
        ...own(condition.bucket),
      },
    };
  }
  if ('seq' in condition)
    return { seq: { of: condition.seq.of.map(isCode), within: minutes(condition.seq.within) } };
  if ('cooccur' in condition) {
    return { cooccur: { of: condition.cooccur.of.map(isCode), within: minutes(condition.cooccur.within) } };
  }
  if ('absent' in condition) {
    const { after, of, within } = condition.absent;
    return { absent: { after: isCode(after), of: isCode(of), within: minutes(within) } };
  }
  if ('flap' in condition) {
    const { of, ge, over } = condition.flap;
    return { flap: { of: of.map(isCode), ge, over: minutes(over) } };
  }
  return { silence: { over: minutes(condition.silence.over), ...own(condition.silence) } };
}

function documentOf(rules: OracleRule[], late: number): TroubleRules {
  return {
    rules: 'r',
    list: rules.map((rule) => ({
      id: rule.id,
      where: { all: [['code', 'in', rule.codes]] },
      by: rule.by.length === 0 ? ['fleet'] : rule.by,
      when: whenOf(rule.when),
      late: minutes(late),
      ...(rule.dedup !== undefined && { dedup: minutes(rule.dedup) }),
      ...(rule.severity.length > 0 && { severity: rule.severity }),
      ...(rule.suppressedBy.length > 0 && { suppressedBy: rule.suppressedBy }),
      ...(rule.clear && {
        clear:
          'quiet' in rule.clear
            ? { quiet: minutes(rule.clear.quiet) }
            : { lt: rule.clear.lt, over: minutes(rule.clear.over) },
      }),
    })),
  };
}

const span = fc.integer({ min: 1, max: 30 });
const few = fc.integer({ min: 1, max: 4 });
const code = fc.constantFrom(...CODES);
/** Members of a condition, sometimes with codes of its own. */
const counting = <T extends object>(members: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc
    .tuple(fc.record(members), fc.option(fc.subarray(CODES, { minLength: 1 }), { nil: undefined, freq: 2 }))
    .map(([rest, codes]) => ({ ...rest, ...(codes && { codes }) }));
/** Conditions that also make sense across printers. */
const anywhere: fc.Arbitrary<OracleLeaf>[] = [
  fc.record({ count: counting({ ge: few, over: span }) }),
  fc.record({ distinct: counting({ ge: few, over: span }) }),
  fc.record({ seq: fc.record({ of: fc.array(code, { minLength: 1, maxLength: 3 }), within: span }) }),
  fc.record({ cooccur: fc.record({ of: fc.array(code, { minLength: 1, maxLength: 3 }), within: span }) }),
  fc.record({ absent: fc.record({ after: code, of: code, within: span }) }),
  fc.record({ flap: fc.record({ of: fc.constant(['A', 'B'] as [string, string]), ge: few, over: span }) }),
];
const ofPrinter: fc.Arbitrary<OracleLeaf>[] = [
  ...anywhere,
  fc.record({
    rate: counting({
      n: fc.constant(100),
      ge: fc.integer({ min: 1, max: 12 }),
      min: fc.integer({ min: 0, max: 60 }),
      over: span,
    }),
  }),
  fc
    .tuple(
      counting({ ge: fc.integer({ min: 1, max: 6 }), add: fc.integer({ min: 1, max: 3 }) }),
      fc.option(
        fc.oneof(
          fc.record({ amount: few, pages: fc.integer({ min: 1, max: 20 }) }),
          fc.record({ amount: few, every: span }),
        ),
        { nil: undefined },
      ),
      fc.option(fc.integer({ min: 10, max: 60 }), { nil: undefined }),
    )
    .map(([rest, drain, reset]) => ({
      bucket: { ...rest, ...(drain && { drain }), ...(reset && { reset }) },
    })),
  fc.record({ silence: counting({ over: span }) }),
];
/** One condition, or several combined up to a depth of two. */
function combined(leaves: fc.Arbitrary<OracleLeaf>[]): fc.Arbitrary<OracleCondition> {
  const leaf: fc.Arbitrary<OracleCondition> = fc.oneof(...leaves);
  const several = (part: fc.Arbitrary<OracleCondition>) =>
    fc.oneof(
      fc.record({ all: fc.array(part, { minLength: 2, maxLength: 3 }) }),
      fc.record({ any: fc.array(part, { minLength: 2, maxLength: 3 }) }),
    );
  const inner = fc.oneof(
    { weight: 4, arbitrary: leaf },
    { weight: 2, arbitrary: fc.record({ not: leaf }) },
    { weight: 1, arbitrary: several(leaf) },
    { weight: 1, arbitrary: fc.record({ not: several(leaf) }) },
  );
  return fc.oneof({ weight: 3, arbitrary: leaf }, { weight: 2, arbitrary: several(inner) });
}
function ruleOf(id: string, suppressedBy: fc.Arbitrary<string[]>): fc.Arbitrary<OracleRule> {
  const fields = (
    by: fc.Arbitrary<OracleBy[]>,
    leaves: fc.Arbitrary<OracleLeaf>[],
    suppressors: typeof suppressedBy,
  ) =>
    fc.record({
      id: fc.constant(id),
      codes: fc.subarray(CODES, { minLength: 1 }),
      by,
      when: combined(leaves),
      clear: fc.option(fc.oneof(fc.record({ quiet: span }), fc.record({ lt: few, over: span })), {
        nil: undefined,
      }),
      dedup: fc.option(span, { nil: undefined }),
      severity: fc.constantFrom<[string, number][]>(
        [],
        [
          ['minor', 1],
          ['major', 3],
        ],
        [['grave', 5]],
      ),
      suppressedBy: suppressors,
    });
  const printers: fc.Arbitrary<OracleBy[]> = fc.constantFrom<OracleBy[]>(
    ['printer'],
    ['printer', 'unit'],
    ['unit', 'printer'],
    ['printer', 'code'],
    ['printer', 'unit', 'code'],
  );
  // Suppression works within a printer, so only rules grouped by printer may take part.
  return fc.oneof(
    { weight: 5, arbitrary: fields(printers, ofPrinter, suppressedBy) },
    {
      weight: id === 'lone' ? 5 : 0,
      arbitrary: fields(
        fc.constantFrom<OracleBy[]>([], ['unit'], ['code'], ['code', 'unit']),
        anywhere,
        fc.constant([]),
      ),
    },
  );
}
const rules = fc.tuple(
  ruleOf('first', fc.constant([])),
  ruleOf('second', fc.constantFrom([], ['first'])),
  ruleOf('third', fc.constantFrom([], ['first'], ['second'], ['first', 'second'])),
  ruleOf('lone', fc.constant([])),
);
const log: fc.Arbitrary<OracleEntry[]> = fc
  .array(
    fc.record({
      printer: fc.constantFrom('p', 'q'),
      step: fc.integer({ min: 0, max: 6 }),
      code,
      unit: fc.constantFrom(undefined, 'u1', 'u2'),
      pages: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
      reset: fc.integer({ min: 0, max: 15 }),
    }),
    { maxLength: 50 },
  )
  .map((list) => {
    let minute = 0;
    const counters: Record<string, number> = {};
    return list.map(({ printer, step, code: which, unit, pages, reset }, index) => {
      minute += step;
      if (pages !== undefined) counters[printer] = reset === 0 ? 3 : (counters[printer] ?? 100) + pages;
      return {
        printer,
        seq: index + 1,
        minute,
        code: which,
        unit,
        pages: pages === undefined ? undefined : counters[printer],
      };
    });
  });

function wire(entry: OracleEntry): LogEntry {
  const { seq, minute, code: which, unit, pages } = entry;
  return { seq, at: iso(minute), code: which, severity: 'error', unit, pages };
}

function comparable(views: TroubleView[]) {
  return views
    .map(({ id: _id, title: _title, measure: _measure, lastAt: _lastAt, ...rest }) => rest)
    .sort((a, b) =>
      JSON.stringify([a.openedAt, a.rule, a.key]) < JSON.stringify([b.openedAt, b.rule, b.key]) ? -1 : 1,
    );
}

function compiledOf(list: OracleRule[], late: number) {
  const { rules: compiled, errors, diagnostics } = compileRules(documentOf(list, late));
  if (errors > 0) throw new Error(JSON.stringify(diagnostics));
  return compiled;
}

function replayed(list: OracleRule[], entries: OracleEntry[], end: number): TroubleView[] {
  const engine = new TroubleEngine(compiledOf(list, 60), { ...REPLAY_LIMITS, prompt: false });
  for (const entry of entries) engine.apply(entry.printer, 'l', [wire(entry)]);
  return engine.finish(T0 + end * MINUTE);
}

test('a replay gives what a naive reading of the rules gives', () => {
  fc.assert(
    fc.property(rules, log, (list, entries) => {
      const end = (entries.at(-1)?.minute ?? 0) + 40;
      const expected = oracle(list, entries, end)
        .map((trouble) => ({
          rule: trouble.rule,
          printer: trouble.printer,
          unit: trouble.unit,
          code: trouble.code,
          severity: trouble.severity,
          openedAt: T0 + trouble.openedMinute * MINUTE,
          closedAt: trouble.closedMinute === undefined ? undefined : T0 + trouble.closedMinute * MINUTE,
          reopened: trouble.reopened,
          count: trouble.evidence.length,
        }))
        .sort(byOpening);
      const found = replayed(list, entries, end)
        .map((view) => ({
          rule: view.rule,
          printer: view.scope.printer,
          unit: view.scope.unit,
          code: view.scope.code,
          severity: view.severity,
          openedAt: Date.parse(view.openedAt),
          closedAt: view.closedAt === undefined ? undefined : Date.parse(view.closedAt),
          reopened: view.reopened,
          count: view.count,
        }))
        .sort(byOpening);
      expect(found).toEqual(expected);
    }),
    RUNS,
  );
});

function byOpening(a: object, b: object): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

/** The troubles as seen by an observer that receives only changes. */
class Observer {
  readonly troubles = new Map<string, TroubleView>();
  hear(changes: TroubleChange[]): void {
    for (const { kind, trouble } of changes) {
      if (kind === 'withdrawn') this.troubles.delete(trouble.id);
      else this.troubles.set(trouble.id, trouble);
    }
  }
}

test('cut, shuffled within late, repeated, told the time and restarted, a log gives the same troubles', () => {
  const late = 12;
  fc.assert(
    fc.property(rules, log, fc.infiniteStream(fc.integer({ min: 0, max: 1000 })), (list, entries, dice) => {
      const next = () => dice.next().value as number;
      const compiled = compiledOf(list, late);
      const end = (entries.at(-1)?.minute ?? 0) + 40;
      const observer = new Observer();
      const settleMin = 1 + (next() % 6);
      let engine = new TroubleEngine(compiled, { settleMin });
      // An entry is delayed by at most `late`, so it is never too late for its printer.
      const arrivals = entries
        .flatMap((entry) => {
          const one = { entry, at: entry.minute + (next() % (late + 1)) };
          return next() % 4 === 0 ? [one, { entry, at: entry.minute + (next() % (late + 1)) }] : [one];
        })
        .sort((a, b) => a.at - b.at);
      for (let index = 0; index < arrivals.length; ) {
        const size = 1 + (next() % 4);
        const piece = arrivals.slice(index, index + size);
        index += size;
        for (const printer of ['q', 'p']) {
          const mine = piece.filter(({ entry }) => entry.printer === printer).map(({ entry }) => wire(entry));
          if (mine.length > 0) observer.hear(engine.apply(printer, 'l', mine));
        }
        if (next() % 3 === 0) observer.hear(engine.advance(T0 + (piece.at(-1)?.at ?? 0) * MINUTE));
        if (next() % 5 === 0) {
          const kept = [...engine.printerIds(), ''].map(
            (printer) => [printer, JSON.stringify(engine.exportState(printer))] as const,
          );
          // Sent in the same transaction that stores the state.
          observer.hear(engine.advance(Number.NEGATIVE_INFINITY));
          engine = new TroubleEngine(compiled, { settleMin });
          for (const [printer, state] of kept)
            expect(engine.importState(printer, JSON.parse(state))).toBe(true);
        }
      }
      observer.hear(engine.advance(T0 + end * MINUTE));
      expect(engine.late).toBe(0);
      const whole = comparable(replayed(list, entries, end));
      expect(comparable([...observer.troubles.values()])).toEqual(whole);
    }),
    RUNS,
  );
});
