import type { LogEntry, TroubleRules } from '../../../schemas/types.ts';
import {
  compileRules,
  compileStoredRules,
  contextOf,
  formatTime,
  parseTime,
  TroubleEngine,
} from './index.ts';
import {
  CONTEXTS_MAX,
  KEYS_JOINT_MAX,
  KEYS_PER_PRINTER_MAX,
  KEYS_PER_RULE_AND_PRINTER_MAX,
  SORTS_SWEEP_MIN,
} from './limits.ts';
import { Replay } from './replay.ts';
import { parseMoment } from './time.ts';

const T0 = Date.parse('2026-11-01T00:00:00Z');
const HOUR = 3_600_000;

function entry(seq: number, hours: number, code = 'J-7201', more: Partial<LogEntry> = {}): LogEntry {
  return { seq, at: new Date(T0 + hours * HOUR).toISOString(), code, severity: 'error', ...more };
}

function compiled(...list: object[]) {
  const { rules, diagnostics, errors } = compileRules({ rules: 'r', list } as unknown as TroubleRules);
  expect(diagnostics).toEqual([]);
  expect(errors).toBe(0);
  return rules;
}

const jams = {
  id: 'jams',
  where: { all: [['code', 'prefix', 'J-72']] },
  by: ['printer', 'unit'],
  when: { count: { ge: 3, over: 'PT72H' } },
  clear: { quiet: 'P1D' },
  dedup: 'PT6H',
  severity: [
    ['minor', 3],
    ['major', 5],
  ],
};

test('a printer that reports another structure each time does not fill the memory', () => {
  const engine = new TroubleEngine(compiled(jams));
  const shown = (printer: string, model: string, at: number) =>
    engine.context(printer, { model, units: {}, software: [] }, at);
  shown('steady', 'C360', T0);
  for (let turn = 0; turn < 3 * SORTS_SWEEP_MIN; turn += 1) shown('restless', `M${turn}`, T0 + turn);
  expect(engine.size().sorts).toBeLessThanOrEqual(SORTS_SWEEP_MIN + CONTEXTS_MAX + 1);
  // A class that is still in use stays the same one.
  const before = engine.size().sorts;
  shown('other', 'C360', T0);
  expect(engine.size().sorts).toBe(before);
});

test('a rule is the same in whatever order the database returns its members', () => {
  const rule = {
    id: 'jam',
    where: { all: [['code', 'prefix', 'J']] },
    when: { count: { ge: 3, over: 'PT1H' } },
    late: 'PT1H',
  };
  const turned = {
    late: 'PT1H',
    when: { count: { over: 'PT1H', ge: 3 } },
    where: { all: [['code', 'prefix', 'J']] },
    id: 'jam',
  };
  const of = (one: object, over = {}) =>
    compileRules({ rules: 'r', list: [{ ...one, ...over }] } as TroubleRules).rules.rules[0]?.fingerprint;
  expect(of(turned)).toBe(of(rule));
  expect(of(rule, { late: 'PT2H' })).not.toBe(of(rule));
});

test('a trouble opens with the third jam, escalates, clears after a quiet day and reopens as the same one', () => {
  const engine = new TroubleEngine(compiled(jams));
  const at = (hours: number) => T0 + hours * HOUR;
  expect(engine.apply('p', 'l', [entry(1, 0), entry(2, 1)])).toEqual([]);
  const [opened] = engine.apply('p', 'l', [entry(3, 2)]);
  expect(opened).toMatchObject({
    kind: 'opened',
    trouble: {
      rule: 'jams',
      openedAt: '2026-11-01T02:00:00Z',
      severity: 'minor',
      scope: { printer: 'p' },
      evidence: [{ seq: 1 }, { seq: 2 }, { seq: 3 }],
    },
  });
  expect(engine.apply('p', 'l', [entry(4, 3)]).map(({ kind }) => kind)).toEqual(['evidence']);
  expect(engine.apply('p', 'l', [entry(5, 4)])).toMatchObject([
    { kind: 'escalated', trouble: { severity: 'major' } },
  ]);
  expect(engine.advance(at(27))).toEqual([]);
  expect(engine.advance(at(28))).toMatchObject([
    { kind: 'cleared', trouble: { closedAt: '2026-11-02T04:00:00Z' } },
  ]);
  const again = engine.apply('p', 'l', [entry(6, 30)]);
  expect(again[0]).toMatchObject({ kind: 'reopened', trouble: { id: opened?.trouble.id, reopened: 1 } });
});

test('a printer opens a limited number of troubles of a rule kept across printers, reported once', () => {
  const crowds: string[] = [];
  const rule = { ...jams, by: ['site', 'code'] as const, when: { count: { ge: 1, over: 'PT1H' } } };
  const options = { onCrowded: (id: string, printer: string) => void crowds.push(`${id} ${printer}`) };
  const make = () => new TroubleEngine(compiled(rule), options);
  let engine = make();
  const flood = (from: number) => {
    const entries = Array.from({ length: 5_000 }, (_, index) =>
      entry(from + index, 0, `J-72${from + index}`, { unit: 'u' }),
    );
    return engine.apply('p', 'l', entries).filter(({ kind }) => kind === 'opened').length;
  };
  expect(flood(1)).toBe(KEYS_PER_RULE_AND_PRINTER_MAX);
  expect(flood(5_001)).toBe(0);
  expect(crowds).toEqual(['jams p']);
  expect(engine.apply('q', 'l', [entry(1, 0, 'J-7299x')]).map(({ kind }) => kind)).toEqual(['opened']);
  // A restart makes no room.
  const [fleet, mine] = [engine.exportState(''), engine.exportState('p')];
  engine = make();
  if (mine) engine.importState('p', mine);
  if (fleet) engine.importState('', fleet);
  expect(flood(10_001)).toBe(0);
});

test('a printer cannot fill the memory with invented units', () => {
  const made = KEYS_PER_PRINTER_MAX + 100;
  const alone = new TroubleEngine(compiled(jams));
  const joint = new TroubleEngine(
    compiled(jams, { ...jams, id: 'silent', suppressedBy: ['jams'], severity: undefined }),
  );
  for (const [engine, most] of [
    [alone, KEYS_PER_RULE_AND_PRINTER_MAX],
    [joint, KEYS_JOINT_MAX],
  ] as const) {
    for (let seq = 1; seq <= made; seq += 1)
      engine.apply('p', 'l', [entry(seq, 0, 'J-7201', { unit: `u${seq}` })]);
    expect(engine.size().keys).toBe(most);
    expect(engine.crowded).toBeGreaterThanOrEqual(made - most);
    // Existing keys and other printers are not affected.
    const more = (unit: string) => [1, 2].map((hours) => entry(made + hours, hours, 'J-7201', { unit }));
    expect(engine.apply('p', 'l', more('u1')).map(({ kind }) => kind)).toContain('opened');
    engine.apply('q', 'l', [entry(1, 0, 'J-7201', { unit: 'u' })]);
    expect(engine.size().keys).toBe(most + (engine === alone ? 1 : 2));
  }
});

test('a late entry is sorted in, a repeated one changes nothing, one too late is counted', () => {
  const engine = new TroubleEngine(compiled(jams));
  engine.apply('p', 'l', [entry(1, 0), entry(3, 1)]);
  expect(engine.apply('p', 'l', [entry(3, 1), entry(1, 0)])).toEqual([]);
  const changes = engine.apply('p', 'l', [entry(2, 0.5)]);
  expect(changes).toMatchObject([{ kind: 'opened', trouble: { openedAt: '2026-11-01T01:00:00Z' } }]);
  engine.apply('p', 'l', [entry(4, 10)]);
  expect(engine.late).toBe(0);
  engine.apply('p', 'l', [entry(5, 8)]);
  expect(engine.late).toBe(1);
});

test('a late entry that shows there was no trouble withdraws it', () => {
  const engine = new TroubleEngine(
    compiled({
      id: 'door',
      when: {
        absent: {
          after: { all: [['code', '=', 'open']] },
          of: { all: [['code', '=', 'closed']] },
          within: 'PT30M',
        },
      },
    }),
  );
  engine.apply('p', 'l', [entry(1, 0, 'open')]);
  expect(engine.advance(T0 + HOUR)).toMatchObject([
    { kind: 'opened', trouble: { openedAt: '2026-11-01T00:30:00Z', evidence: [{ seq: 1 }] } },
  ]);
  expect(engine.apply('p', 'l', [entry(2, 0.25, 'closed')]).map(({ kind }) => kind)).toEqual(['withdrawn']);
});

test('an entry forbids what another of the same instant opens, in either order', () => {
  const seen = (code: string) => ({ count: { ge: 1, over: 'P3D', where: { all: [['code', '=', code]] } } });
  const rules = compiled({
    id: 'alone',
    when: { all: [seen('A'), { not: seen('B') }] },
    clear: { quiet: 'P3D' },
  });
  for (const codes of [
    ['A', 'B'],
    ['B', 'A'],
  ]) {
    const entries = codes.map((code, i) => entry(i + 1, 0, code));
    // In one batch nothing is reported; in two batches the report is withdrawn.
    const engine = new TroubleEngine(rules);
    expect(engine.apply('p', 'log', entries)).toEqual([]);
    expect(engine.openIds().size).toBe(0);
    const slow = new TroubleEngine(rules);
    const changes = entries.flatMap((one) => slow.apply('p', 'log', [one]).map(({ kind }) => kind));
    expect(changes).toEqual(codes[0] === 'A' ? ['opened', 'withdrawn'] : []);
    const replay = new Replay(rules);
    for (const one of entries) replay.take({ printer: 'p', log: 'log', ...one });
    expect(replay.finish()).toEqual([]);
  }
});

test('scope looks at the structure that was in force', () => {
  const rules = compiled({
    id: 'r',
    scope: { models: ['C3*'], kind: 'finisher', software: { id: 'acme.engine', range: '>=2.3 <2.5' } },
    when: { count: { ge: 1, over: 'PT1H' } },
  });
  const structure = (version: string) =>
    contextOf({
      apparatus: { model: 'C360' },
      units: [
        { symbol: 'fin', kind: 'finisher', model: 'FS' },
        { symbol: 'engine', kind: 'engine', model: 'EN', software: [{ id: 'acme.engine', version }] },
      ],
    });
  const engine = new TroubleEngine(rules);
  expect(engine.apply('p', 'l', [entry(1, 0, 'X', { unit: 'fin' })])).toEqual([]);
  engine.context('p', structure('2.4.0'), T0);
  engine.context('p', structure('2.5.0'), T0 + 5 * HOUR);
  expect(engine.apply('p', 'l', [entry(2, 6, 'X', { unit: 'fin' })])).toEqual([]);
  expect(engine.apply('p', 'l', [entry(3, 5.5, 'X', { unit: 'engine' })])).toEqual([]);
  engine.context('q', structure('2.4.0'));
  expect(engine.apply('q', 'l', [entry(1, 6, 'X', { unit: 'fin' })])).toMatchObject([{ kind: 'opened' }]);
});

test('a wrong rule is reported with its JSON path', () => {
  const { diagnostics } = compileRules({
    rules: 'r',
    list: [
      { id: 'a', when: { count: { ge: 0, over: 'soon' } }, where: { all: [['cod', '=', 'x']] } },
      { id: 'a', when: { count: {}, seq: {} }, suppressedBy: ['none'] },
    ],
  } as unknown as TroubleRules);
  expect(diagnostics.map(({ path }) => path)).toEqual([
    '/list/0/when/count/ge',
    '/list/0/when/count/over',
    '/list/0/where/all/0/0',
    '/list/1/when',
    '/list/1/id',
    '/list/1/suppressedBy/0',
  ]);
});

test('an unknown member is refused with the nearest known name, and only warned of once the rule is stored', () => {
  const rule = {
    id: 'a',
    where: { all: [['severity', 'in', ['error', 'info']]] },
    when: {
      all: [
        { count: { ge: 1, over: 'PT1H', were: {} } },
        { not: { bucket: { ge: 1, drain: { amount: 1, every: 'PT1H', page: 3 } } }, ani: [] },
      ],
    },
    clear: { quiet: 'P1D', ovr: 'P1D' },
    remedy: { software: 'fixes', fleet: false, auto: true, softwre: 1 },
  };
  const document = { rules: 'r', list: [rule] } as unknown as TroubleRules;
  const told = ({ diagnostics }: ReturnType<typeof compileRules>) =>
    diagnostics.map(({ path, severity, message }) => `${severity} ${path}: ${message}`);
  const said = [
    '/list/0/remedy/softwre: unknown member "softwre" in /list/0/remedy; did you mean "software"?',
    '/list/0/clear/ovr: unknown member "ovr" in /list/0/clear; did you mean "over"?',
    '/list/0/when/all/0/count/were: unknown member "were" in /list/0/when/all/0/count; did you mean "where"?',
    '/list/0/when/all/1/ani: unknown member "ani" in /list/0/when/all/1; did you mean "any"?',
    '/list/0/when/all/1/not/bucket/drain/page: unknown member "page" in /list/0/when/all/1/not/bucket/drain; did you mean "pages"?',
  ];
  const refused = compileRules(document);
  expect(told(refused)).toEqual(said.map((line) => `error ${line}`));
  expect(refused.errors).toBe(said.length);
  const stored = compileStoredRules({
    ...document,
    list: [{ ...rule, dedupe: 'PT1H' }],
  } as unknown as TroubleRules);
  expect(told(stored)).toEqual(said.map((line) => `warning ${line}`));
  expect(stored.errors).toBe(0);
  expect(stored.rules.rules[0]).toMatchObject({ fleet: false, auto: true });
});

test('a misspelt member of a rule itself, and of a policy in a remedy, are refused', () => {
  const refusal = (rule: object) =>
    compileRules({
      rules: 'r',
      list: [{ id: 'a', when: { count: { ge: 1, over: 'PT1H' } }, ...rule }],
    } as TroubleRules).diagnostics;
  expect(refusal({ dedupe: 'PT1H' })).toEqual([
    {
      path: '/list/0',
      severity: 'error',
      message: 'unknown member "dedupe" in /list/0; did you mean "dedup"?',
    },
  ]);
  expect(refusal({ remedy: { software: 'fixs' } })).toEqual([
    {
      path: '/list/0/remedy/software',
      severity: 'error',
      message: '"fixs" is neither "fixes" nor an object with an id; did you mean "fixes"?',
    },
  ]);
  expect(refusal({ remedy: { policy: { error: {} } } })).toEqual([
    {
      path: '/list/0/remedy/policy',
      severity: 'error',
      message: 'unknown member "error" in /; did you mean "errors"?',
    },
  ]);
});

test('a replayed log gives a line per trouble, by opening', () => {
  const replay = new Replay(compiled({ ...jams, by: ['printer'] }));
  for (const hours of [5, 6, 7]) replay.take({ printer: 'b', log: 'l', ...entry(hours, hours), unknown: 1 });
  for (const hours of [1, 2, 3]) replay.take({ printer: 'a', log: 'l', ...entry(hours, hours) });
  expect(replay.finish().map(({ text }) => JSON.parse(text))).toEqual([
    {
      rule: 'jams',
      printer: 'a',
      unit: null,
      openedAt: '2026-11-01T03:00:00Z',
      closedAt: null,
      severity: 'minor',
      evidence: [1, 2, 3],
    },
    {
      rule: 'jams',
      printer: 'b',
      unit: null,
      openedAt: '2026-11-01T07:00:00Z',
      closedAt: null,
      severity: 'minor',
      evidence: [5, 6, 7],
    },
  ]);
});

test('times are RFC 3339 with any fraction and offset', () => {
  expect(parseTime('2026-11-01T00:00:00Z')).toBe(T0);
  expect(parseTime('2026-11-01T02:00:00.123456+02:00')).toBe(T0 + 123);
  expect(parseTime('2026-10-31t20:30:00-03:30')).toBe(T0);
  expect(parseTime('2026-02-30T00:00:00Z')).toBeNaN();
  expect(parseTime('2026-11-01T24:00:00Z')).toBeNaN();
  expect(parseTime('2026-11-01')).toBeNaN();
  expect(parseTime('2024-02-29T12:00:00Z') - parseTime('2024-02-28T12:00:00Z')).toBe(24 * HOUR);
  expect(parseTime('2026-02-29T00:00:00Z')).toBeNaN();
  expect(parseTime('2016-12-31T23:59:60Z')).toBe(Date.parse('2016-12-31T23:59:59Z'));
});

test('times are read and written to the microsecond, with exact differences', () => {
  for (const fraction of ['.363779', '.000001', '.999999', '.123']) {
    const text = `2005-06-03T15:42:50${fraction}Z`;
    expect(formatTime(parseMoment(text))).toBe(text);
    const later = `2005-06-06T17:42:50${fraction}+02:00`;
    expect(parseMoment(later) - parseMoment(text)).toBe(72 * HOUR);
    expect(parseTime(text)).toBe(Math.floor(parseMoment(text)));
  }
  expect(formatTime(parseMoment('2005-06-03T15:42:50.363779421Z'))).toBe('2005-06-03T15:42:50.363779Z');
  expect(parseMoment('2005-06-03T15:42:50.36x779Z')).toBeNaN();
});

test('a key that cleared and never logs again is dropped silently once its printer has moved on', () => {
  const engine = new TroubleEngine(compiled(jams));
  engine.apply('p', 'l', [entry(1, 0), entry(2, 1), entry(3, 2)]);
  expect(engine.advance(T0 + 50 * HOUR)).toMatchObject([{ kind: 'cleared' }]);
  // Until then it may reopen as the same trouble.
  engine.apply('p', 'l', [entry(4, 60, 'W-1')]);
  expect(engine.exportState('p')?.lanes).toHaveLength(1);
  engine.apply('p', 'l', [entry(5, 400, 'W-1')]);
  expect(engine.exportState('p')?.lanes).toEqual([]);
  expect(engine.size()).toMatchObject({ printers: 1, keys: 0 });
  expect(engine.advance(T0 + 401 * HOUR)).toEqual([]);
  expect(engine.apply('p', 'l', [entry(6, 402), entry(7, 403), entry(8, 404)])).toMatchObject([
    { kind: 'opened', trouble: { openedAt: '2026-11-17T20:00:00Z' } },
  ]);
});

test('pending entries keep the page readings of their window, however many follow', () => {
  const rate = { rate: { per: 'pages', n: 100, ge: 5, min: 20, over: 'PT1H' } };
  const rules = compiled({ id: 'often', where: { all: [['code', '=', 'A']] }, when: rate });
  const jammed = [1, 2, 3, 4].map((seq) => entry(seq, seq / 10, 'A', { pages: 1_000 + seq * 10 }));
  const calm = Array.from({ length: 300 }, (_, index) =>
    entry(5 + index, 1 + index, 'W', { pages: 1_100 + index * 500 }),
  );
  for (const prompt of [true, false]) {
    const engine = new TroubleEngine(rules, { prompt });
    const changes = engine.apply('p', 'l', [...jammed, ...calm]);
    // A late entry causes the pending ones to be judged again.
    changes.push(...engine.apply('p', 'l', [entry(305, 300.5, 'A', { pages: 1_101 + 299 * 500 })]));
    changes.push(...engine.apply('p', 'l', [entry(306, 300.2, 'A', { pages: 1_100 + 299 * 500 })]));
    const opened = prompt
      ? changes.flatMap(({ kind, trouble }) => (kind === 'withdrawn' ? [kind] : [trouble.openedAt]))
      : engine.finish(T0 + 301 * HOUR).map(({ openedAt }) => openedAt);
    expect(new Set(opened)).toEqual(new Set([new Date(T0 + 0.3 * HOUR).toISOString().replace('.000', '')]));
  }
});

test.each([
  ['many', { by: ['code'], when: { count: { ge: 12, over: 'PT6H' } }, clear: { quiet: 'PT12H' } }],
  [
    'unanswered',
    {
      by: ['fleet'],
      when: {
        absent: {
          after: { all: [['code', '=', 'J-1']] },
          of: { all: [['code', '=', 'J-2']] },
          within: 'PT1H',
        },
      },
      clear: { quiet: 'PT1H' },
    },
  ],
])(
  'across printers (%s) pending entries above the limit are settled early, counted, and cause no wrong trouble',
  (id, rule) => {
    const rules = compiled({ id, ...rule });
    const bounded = new TroubleEngine(rules, { fleetPendingMax: 60 });
    const exact = new TroubleEngine(rules);
    let dice = 11;
    const chance = () => {
      dice = (Math.imul(dice, 1664525) + 1013904223) >>> 0;
      return dice / 2 ** 32;
    };
    const told = new Map<string, string>();
    const expected = new Map<string, string>();
    const keep = (into: Map<string, string>, changes: ReturnType<TroubleEngine['apply']>) => {
      for (const { kind, trouble } of changes) {
        if (kind === 'withdrawn') into.delete(trouble.id);
        else into.set(trouble.id, JSON.stringify(trouble));
      }
    };
    for (let seq = 1; seq <= 2_000; seq += 1) {
      // Printers' clocks are hours apart: an entry is often older than one already received from another printer.
      const printer = Math.floor(chance() * 20);
      const one = entry(seq, seq * 0.05 - printer * 0.4, `J-${Math.floor(chance() * 4)}`);
      const { late } = bounded;
      keep(told, bounded.apply(`p${printer}`, 'l', [one]));
      expect(bounded.size().pending).toBeLessThanOrEqual(60);
      // The reference engine gets only what the limited one accepted.
      if (bounded.late === late) keep(expected, exact.apply(`p${printer}`, 'l', [one]));
    }
    keep(told, bounded.advance(T0 + 500 * HOUR));
    keep(expected, exact.advance(T0 + 500 * HOUR));
    expect(exact.hastened).toBe(0);
    expect(bounded.hastened).toBeGreaterThan(500);
    expect(bounded.late).toBeGreaterThan(50);
    expect(told.size).toBeGreaterThan(3);
    expect([...told.values()].sort()).toEqual([...expected.values()].sort());
    // A center that restores the state has the same limit.
    const state = bounded.exportState('');
    const next = new TroubleEngine(rules, { fleetPendingMax: 60 });
    next.importState('', JSON.parse(JSON.stringify(state)));
    for (let seq = 2_001; seq <= 2_080; seq += 1) {
      next.apply('p0', 'l', [entry(seq, seq * 0.05, 'J-1')]);
      expect(next.size().pending).toBeLessThanOrEqual(60);
    }
  },
);

test('a forgotten printer reports nothing more, and a new one of its name starts afresh', () => {
  const quiet = { ...jams, id: 'jams-anew' };
  const engine = new TroubleEngine(compiled(quiet));
  const two = [entry(1, 0), entry(2, 1)];
  expect(engine.apply('p', 'l', [...two, entry(3, 2)]).map(({ kind }) => kind)).toEqual(['opened']);
  engine.apply('q', 'l', two);
  engine.forget('p');
  expect([...engine.printerIds()]).toEqual(['q']);
  expect(engine.openIds().size).toBe(0);
  // Time alone would have cleared its trouble.
  expect(engine.advance(T0 + 100 * HOUR)).toEqual([]);
  // The same numbers are new entries now, and two are not three.
  expect(engine.apply('p', 'l', [entry(1, 101), entry(2, 102)])).toEqual([]);
  expect(engine.apply('p', 'l', [entry(3, 103)]).map(({ kind }) => kind)).toEqual(['opened']);
});

test('changes of a forgotten printer that were not reported yet are dropped too', () => {
  const engine = new TroubleEngine(compiled(jams), { prompt: true });
  for (const seq of [1, 2, 3]) engine.judge('p', 'l', entry(seq, seq), T0 + seq * HOUR);
  engine.forget('p');
  expect(engine.advance(T0 + 4 * HOUR)).toEqual([]);
});
