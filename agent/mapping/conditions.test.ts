import { stepUpTime, timeOfTicks } from './clock.ts';
import { type ConditionMemory, compareReading, EMPTY_MEMORY } from './conditions.ts';
import { stepPages } from './counters.ts';
import type { Condition, Reading } from './reading.ts';

const LIMITS = { conditionsMax: 16, flapEntriesMax: 3, flapWindowMs: 600_000, settleMs: 300_000 };
const T0 = Date.parse('2026-11-22T07:00:00Z');

const jam: Condition = {
  code: 'J-7218',
  severity: 'error',
  unit: 'finisher.1',
  detail: { keyword: 'media-jam' },
};
const toner: Condition = {
  code: 'toner-low',
  severity: 'warning',
  unit: 'engine',
  detail: { groupIndex: 1 },
};

/** Plays reads at the given seconds and returns each event as `second code`. */
function play(reads: [number, Condition[], Partial<Reading>?][], start: ConditionMemory = EMPTY_MEMORY) {
  let memory = start;
  const told: string[] = [];
  const events = [];
  for (const [second, conditions, more] of reads) {
    const nowMs = T0 + second * 1000;
    const result = compareReading(
      memory,
      { conditions, conditionsWhole: true, counters: {}, ...more },
      nowMs,
      LIMITS,
    );
    // The state has to survive a restart of the agent, so it goes through JSON and back.
    memory = JSON.parse(JSON.stringify(result.memory)) as ConditionMemory;
    for (const event of result.events) {
      told.push(
        `${second} ${event.code === 'condition-cleared' ? `-${event.detail && (event.detail as { code: string }).code}` : event.code}`,
      );
      events.push(event);
    }
  }
  return { told, events, memory };
}

test('a condition is one entry however often it is read, and one more when it is over', () => {
  const { told, events } = play([
    [0, []],
    [30, [jam]],
    [60, [jam]],
    [90, [jam]],
    [120, []],
    [150, []],
  ]);
  expect(told).toEqual(['30 J-7218', '120 -J-7218']);
  expect(events[1]).toMatchObject({ severity: 'info', unit: 'finisher.1', detail: { lastedS: 90 } });
});

test('a jam that comes back is a second jam; a warning that hovers is one', () => {
  expect(
    play([
      [0, [jam]],
      [30, []],
      [60, [jam]],
    ]).told,
  ).toEqual(['0 J-7218', '30 -J-7218', '60 J-7218']);
  expect(
    play([
      [0, [toner]],
      [30, []],
      [60, [toner]],
      [90, []],
      [120, [toner]],
      [150, []],
      [450, []],
    ]).told,
  ).toEqual(['0 toner-low', '450 -toner-low']);
});

test('a half-answer clears nothing', () => {
  expect(
    play([
      [0, [jam]],
      [30, [], { conditionsWhole: false }],
      [60, [jam]],
    ]).told,
  ).toEqual(['0 J-7218']);
});

test('a flapping condition is told some times, then counted and told in one', () => {
  const reads: [number, Condition[]][] = [];
  for (let i = 0; i < 20; i++) reads.push([i * 20, i % 2 === 0 ? [jam] : []]);
  reads.push([1000, [jam]], [1030, [jam]]);
  const { told, events } = play(reads);
  expect(told.filter((line) => line.endsWith(' J-7218'))).toHaveLength(5);
  const summary = events.find((event) => (event.detail as { flapping?: boolean }).flapping);
  expect(summary?.detail).toMatchObject({ flapping: true, occurrences: 7 });
  expect(told.length).toBeLessThanOrEqual(8);
});

test('a new alert index is a new jam, a row that moved or a restart is not', () => {
  const at = (occurrence: string, ticks?: number): Condition => ({
    ...jam,
    occurrence,
    ...(ticks ? { ticks } : {}),
  });
  expect(
    play([
      [0, [at('4', 1000)]],
      [30, [at('5', 9000)]],
    ]).told,
  ).toHaveLength(2);
  expect(
    play([
      [0, [at('4', 1000)]],
      [30, [at('5', 1000)]],
    ]).told,
  ).toHaveLength(1);
  expect(
    play([
      [0, [at('4')], { upTimeTicks: 90_000 }],
      [30, [at('9')], { upTimeTicks: 500 }],
    ]).told,
  ).toHaveLength(1);
});

test('rows that are numbered anew at every read, without times, are told once; beside one that stays a new number is news', () => {
  const row = (condition: Condition, occurrence: string): Condition => ({ ...condition, occurrence });
  const renumbered = [1, 3, 5, 7].map((n, i): [number, Condition[]] => [
    i * 30,
    [row(jam, String(n)), row(toner, String(n + 1))],
  ]);
  expect(play(renumbered).told).toEqual(['0 J-7218', '0 toner-low']);
  expect(
    play([
      [0, [row(jam, '4'), row(toner, '2')]],
      [30, [row(jam, '5'), row(toner, '2')]],
    ]).told,
  ).toEqual(['0 J-7218', '0 toner-low', '30 J-7218']);
});

test('of two alerts of one code the first goes: one is cleared, and nothing told anew', () => {
  const low = (occurrence: string): Condition => ({ ...jam, occurrence });
  expect(
    play([
      [0, [low('1'), low('2')]],
      [30, [low('2')]],
      [60, [low('2')]],
      [90, []],
    ]).told,
  ).toEqual(['0 J-7218', '0 J-7218', '30 -J-7218', '90 -J-7218']);
});

test('an error bit whose alert comes one read later is one condition', () => {
  const bit: Condition = {
    code: 'media-jam',
    keyword: 'media-jam',
    severity: 'error',
    detail: { from: 'hrPrinterDetectedErrorState' },
  };
  const row: Condition = { ...jam, keyword: 'media-jam' };
  expect(
    play([
      [0, [bit]],
      [30, [row]],
      [60, [row]],
      [90, []],
    ]).told,
  ).toEqual(['0 media-jam', '90 -J-7218']);
});

test.each([
  ['1970', '1970-01-01T00:10:00Z'],
  ['2019', '2019-05-01T00:00:00Z'],
])('a clock that says %s dates nothing: it is now', (_, at) => {
  for (const reads of [
    [[0, [{ ...jam, at }]]],
    [
      [0, []],
      [30, [{ ...jam, at }]],
    ],
  ] as [number, Condition[]][][]) {
    const { events } = play(reads);
    expect(Date.parse(events[0]?.at ?? '')).toBe(T0 + (reads.length - 1) * 30_000);
    expect(events[0]?.detail).toMatchObject({ timed: 'seen' });
  }
  // Up-time that is the time of day, with an alert time that is not.
  const upTimeTicks = 179_600_000_000;
  const { events } = play([
    [0, [], { upTimeTicks }],
    [30, [{ ...jam, ticks: 188_491_075 }], { upTimeTicks: upTimeTicks + 3_000 }],
  ]);
  expect(events[0]?.at).toBe(new Date(T0 + 30_000).toISOString());
});

test('two rows that say the same are two conditions', () => {
  expect(
    play([
      [0, [jam, jam]],
      [30, [jam]],
    ]).told,
  ).toEqual(['0 J-7218', '0 J-7218', '30 -J-7218']);
});

test('an alert has the time at which it happened, by the printer’s up-time', () => {
  const { events } = play([[100, [{ ...jam, ticks: 4_000 }], { upTimeTicks: 10_000 }]]);
  expect(events[0]?.at).toBe('2026-11-22T07:00:40.000Z');
});

test('what happened while the agent was away is told once, with its own time', () => {
  const before = play([[0, [toner], { upTimeTicks: 100_000 }]]);
  const after = play([[3600, [toner, { ...jam, ticks: 400_000 }], { upTimeTicks: 460_000 }]], before.memory);
  expect(after.told).toEqual(['3600 J-7218']);
  expect(after.events[0]?.at).toBe('2026-11-22T07:50:00.000Z');
});

test('more conditions than the limit are counted, not kept', () => {
  const many = Array.from({ length: 20 }, (_, i): Condition => ({ ...toner, detail: { groupIndex: i } }));
  const { told, memory } = play([[0, many]]);
  expect(told).toHaveLength(16);
  expect(memory.surplus).toBe(4);
});

describe('up-time', () => {
  test('goes on, wraps after 497 days, or begins again', () => {
    const nearEnd = { ticks: 2 ** 32 - 1_000, seenMs: T0, wrapped: false };
    const wrapped = stepUpTime(nearEnd, 2_000, T0 + 30_000);
    expect(wrapped).toMatchObject({ restarted: false, memory: { wrapped: true } });
    expect(stepUpTime({ ticks: 500_000, seenMs: T0, wrapped: false }, 2_000, T0 + 30_000).restarted).toBe(
      true,
    );
    expect(stepUpTime({ ticks: 1_000, seenMs: T0, wrapped: false }, 60_000, T0 + 86_400_000).restarted).toBe(
      true,
    );
    expect(stepUpTime({ ticks: 1_000, seenMs: T0, wrapped: false }, 4_000, T0 + 30_000).restarted).toBe(
      false,
    );
    // An alert from before the wrap.
    expect(timeOfTicks(2 ** 32 - 500, wrapped.memory, T0 + 30_000)).toBe(T0 + 30_000 - 25_000);
  });

  test('an alert from after now has no time', () => {
    expect(timeOfTicks(5_000, { ticks: 1_000, seenMs: T0, wrapped: false }, T0)).toBeUndefined();
  });
});

describe('life counter', () => {
  test('that wraps goes on', () => {
    const before = { raw: 2 ** 32 - 10, base: 0 };
    expect(stepPages(before, 5, 32)).toMatchObject({ pages: 2 ** 32 + 5 });
    expect(stepPages({ raw: 2 ** 31 - 10, base: 0 }, 5, 32)).toMatchObject({ pages: 2 ** 31 + 5 });
  });

  test('that is lower by a page did not begin anew', () => {
    let memory = { raw: 120_000, base: 0 };
    for (const raw of [119_999, 119_999, 119_998, 119_999]) {
      const step = stepPages(memory, raw, 32);
      expect(step).toMatchObject({ pages: 120_000 });
      expect(step.reset).toBeUndefined();
      memory = step.memory;
    }
    expect(stepPages(memory, 120_001, 32).pages).toBe(120_001);
  });

  test('that falls once is not believed, twice is a reset', () => {
    const first = stepPages({ raw: 120_000, base: 0 }, 0, 32);
    expect(first).toMatchObject({ pages: 120_000 });
    expect(stepPages(first.memory, 120_001, 32)).toEqual({
      memory: { raw: 120_001, base: 0 },
      pages: 120_001,
    });
    expect(stepPages(first.memory, 3, 32)).toMatchObject({ pages: 3, reset: { from: 120_000, to: 3 } });
  });

  test('and its reset is an entry', () => {
    const counters = (pages: number) => ({ counters: { pages, pagesBits: 32 } });
    const { events } = play([
      [0, [], counters(500)],
      [30, [], counters(2)],
      [60, [], counters(3)],
    ]);
    expect(events).toEqual([
      {
        at: '2026-11-22T07:01:00.000Z',
        code: 'counter-reset',
        severity: 'info',
        pages: 3,
        detail: { from: 500, to: 3 },
      },
    ]);
  });
});
