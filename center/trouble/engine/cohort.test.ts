import fc from 'fast-check';
import type { TroubleRules } from '../../../schemas/types.ts';
import { CohortWatch } from './cohort.ts';
import { semverInRange } from './context.ts';
import { compileRules, TroubleEngine } from './index.ts';
import { Replay } from './replay.ts';
import type { CohortOptions } from './rule.ts';

const T0 = Date.parse('2026-11-01T00:00:00Z');
const rules = {
  rules: 'c',
  list: [
    {
      id: 'worse',
      where: { all: [['severity', '>=', 'error']] },
      by: ['fleet'],
      when: { cohort: { software: 'acme.engine', alpha: 0.01 } },
    },
  ],
} as unknown as TroubleRules;

function structure(version: string, at?: string) {
  return {
    ...(at && { at }),
    apparatus: { model: 'C360' },
    units: [{ symbol: 'engine', kind: 'engine', model: 'EN', software: [{ id: 'acme.engine', version }] }],
  };
}

function entry(minute: number, code: string) {
  return {
    log: 'l',
    seq: minute + 1,
    at: new Date(T0 + minute * 60_000).toISOString(),
    code,
    severity: 'error',
  };
}

function compiled() {
  const { rules: one, diagnostics } = compileRules(rules);
  expect(diagnostics).toEqual([]);
  return one;
}

function fleetLog(): { printer: string; line: object }[] {
  const lines: { printer: string; line: object }[] = [];
  for (let index = 0; index < 200; index += 1) {
    const printer = `p${index}`;
    lines.push({ printer, line: { printer, structure: structure(index % 2 ? '2.5.0' : '2.6.0') } });
  }
  // 40 of the 100 with 2.6.0 show the code, 4 of the others; both show another code alike.
  for (let index = 0; index < 200; index += 1) {
    const printer = `p${index}`;
    if (index % 2 === 0 ? index < 80 : index % 50 === 1)
      lines.push({ printer, line: { printer, ...entry(index * 3, 'J-1') } });
    if (index % 5 < 2) lines.push({ printer, line: { printer, ...entry(index * 3 + 1, 'J-2') } });
  }
  return lines;
}

test('a release that makes a code more frequent opens a trouble of the fleet, with its evidence', () => {
  const replay = new Replay(compiled());
  for (const { line } of fleetLog()) replay.take(line);
  const views = replay.engine.finish(Number.MAX_SAFE_INTEGER);
  expect(views).toMatchObject([{ rule: 'worse', scope: { code: 'J-1' }, codes: ['J-1'] }]);
  expect(views[0]?.explanation).toMatch(/acme\.engine 2\.6\.0 makes J-1 more frequent/);
  expect(views[0]?.evidence.length).toBeGreaterThan(5);
});

test('the alarm does not depend on the order of reports or on restarts', () => {
  const whole = new Replay(compiled());
  for (const { line } of fleetLog()) whole.take(line);
  const [expected] = whole.engine.finish(Number.MAX_SAFE_INTEGER);
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 200, maxLength: 400 }), (dice) => {
      const lines = fleetLog();
      const structures = lines.filter(({ line }) => 'structure' in line);
      const entries = lines
        .filter(({ line }) => !('structure' in line))
        .map((one, index) => ({ ...one, key: dice[index % dice.length] ?? 0 }))
        .sort((a, b) => a.key - b.key);
      let replay = new Replay(compiled());
      for (const { line } of structures) replay.take(line);
      for (const [index, { line }] of entries.entries()) {
        replay.take(line);
        if (index === 20) {
          const state = JSON.stringify(replay.engine.exportState(''));
          replay = new Replay(compiled());
          replay.engine.importState('', JSON.parse(state));
        }
      }
      expect(replay.engine.finish(T0 + 1e9)).toEqual([expected]);
    }),
    { numRuns: 20, seed: 5 },
  );
});

test('in the running center the alarm comes once time is past late', () => {
  const engine = new TroubleEngine(compiled());
  const told: string[] = [];
  for (const { printer, line } of fleetLog()) {
    if ('structure' in line) engine.context(printer, contextFor(line.structure), T0);
    else engine.apply(printer, 'l', [line as never]);
  }
  for (const { kind } of engine.advance(T0 + 1e9)) told.push(kind);
  for (const { kind } of engine.advance(T0 + 2e9)) told.push(kind);
  expect(told).toEqual(['opened']);
});

function contextFor(value: unknown) {
  const { apparatus, units } = value as ReturnType<typeof structure>;
  return {
    model: apparatus.model,
    units: {},
    software: units.flatMap(({ symbol, software }) => software.map((one) => ({ ...one, symbol }))),
  };
}

test('in a log replayed whole only the first events are queued, and the alarm is the same', () => {
  const plain = new Replay(compiled());
  const noisy = new Replay(compiled());
  for (const { line } of fleetLog()) {
    plain.take(line);
    noisy.take(line);
    if ('structure' in line) continue;
    const first = line as ReturnType<typeof entry> & { printer: string };
    for (let again = 1; again <= 300; again += 1) {
      const at = new Date(Date.parse(first.at) + again * 1000).toISOString();
      noisy.take({ ...first, at, seq: first.seq + 10_000 * again });
    }
  }
  expect(noisy.finish()).toEqual(plain.finish());
  expect(noisy.entries).toBeGreaterThan(30_000);
});

test('a forgotten printer is no longer at risk, and a new one of its name counts again', () => {
  const watch = new CohortWatch({ software: 'acme.engine', alpha: 0.01 } as CohortOptions, semverInRange);
  const context = (version: string) => ({
    model: 'C360',
    units: {},
    software: [{ symbol: 'engine', id: 'acme.engine', version }],
  });
  for (const printer of ['a', 'b', 'c']) watch.member(printer, context('1.0'), T0);
  watch.sight('a', 'l', 1, 'J-1', T0 + 1_000);
  watch.advance(T0 + 2_000);
  watch.sight('b', 'l', 1, 'J-1', T0 + 3_000);
  watch.forget('a');
  watch.forget('b');
  const { members, seen, pending } = watch.export();
  expect(members.map(([printer]) => printer)).toEqual(['c']);
  expect(seen).toEqual([['J-1', []]]);
  expect(pending).toEqual([]);
  // A structure older than the known one is ignored.
  watch.member('a', context('1.1'), T0 - 1_000);
  expect(watch.export().members.map(([printer, , version]) => [printer, version])).toEqual([
    ['c', '1.0'],
    ['a', '1.1'],
  ]);
});
