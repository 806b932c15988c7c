import { expect, test } from '@jest/globals';
import { compileRules } from '../../center/trouble/engine/compile.ts';
import { Replay, type TroubleLine } from '../../center/trouble/engine/replay.ts';
import type { TroubleRules } from '../../schemas/types.ts';

// Logs as printers in the field write them: clocks that begin in 1970, jump, stand in the wrong zone, or know leap seconds.

const RULES: TroubleRules = {
  rules: 'field',
  list: [
    {
      id: 'three-jams',
      where: { all: [['code', 'prefix', 'J-']] },
      when: { count: { ge: 3, over: 'PT1H' } },
      clear: { quiet: 'PT6H' },
    },
    {
      id: 'per-pages',
      where: { all: [['code', 'prefix', 'J-']] },
      when: { rate: { per: 'pages', n: 1_000, ge: 2, min: 100, over: 'P7D' } },
      clear: { quiet: 'PT6H' },
    },
  ],
};

type Line = [at: string, pages?: number, seq?: number, code?: string];

function replay(lines: Line[]) {
  const run = new Replay(compileRules(RULES).rules);
  for (const [index, [at, pages, seq = index + 1, code = 'J-1']] of lines.entries()) {
    run.take({
      printer: 'p',
      log: 'a',
      seq,
      at,
      code,
      severity: 'error',
      ...(pages === undefined ? {} : { pages }),
    });
  }
  const found = run.finish().map(({ text }) => JSON.parse(text) as TroubleLine);
  return {
    found: found.map(({ rule, openedAt, closedAt, evidence }) => ({ rule, openedAt, closedAt, evidence })),
    setBack: run.engine.setBack,
    late: run.engine.late,
  };
}

const day = '2026-11-01T';
const jams = (openedAt: string, evidence: number[]) => ({
  rule: 'three-jams',
  openedAt,
  closedAt: null,
  evidence,
});

test.each<[string, Line[], object]>([
  [
    'leap seconds count as the last second of their minute',
    [['2016-12-31T23:59:59Z'], ['2016-12-31T23:59:60Z'], ['2017-01-01T00:59:60+01:00']],
    { found: [jams('2016-12-31T23:59:59Z', [1, 2, 3])], setBack: 0, late: 0 },
  ],
  [
    'one entry of 2036 is left out, and the rest is judged',
    [
      [`${day}08:00:00Z`],
      ['2036-02-07T06:28:16Z'],
      [`${day}08:10:00Z`],
      [`${day}08:20:00Z`],
      [`${day}08:30:00Z`],
    ],
    { found: [jams(`${day}08:20:00Z`, [1, 3, 4, 5])], setBack: 1, late: 0 },
  ],
  [
    'a zone that is mended in the middle: what was dated hours ahead is left out',
    [[`${day}16:00:00Z`], [`${day}08:05:00Z`], [`${day}08:10:00Z`], [`${day}08:15:00Z`]],
    { found: [jams(`${day}08:15:00Z`, [2, 3, 4])], setBack: 1, late: 0 },
  ],
  [
    'a clock that begins in 1970 and is set then',
    [
      ['1970-01-01T00:00:12Z'],
      ['1970-01-01T00:00:40Z'],
      [`${day}08:00:00Z`],
      [`${day}08:10:00Z`],
      [`${day}08:20:00Z`],
    ],
    { found: [jams(`${day}08:20:00Z`, [3, 4, 5])], setBack: 0, late: 0 },
  ],
  [
    'all forms of a time are read',
    [['2026-10-25t02:30:00+02:00'], ['2026-10-25 02:30:00+01:00'], ['2026-10-25T01:30:00.123456789z']],
    { found: [], setBack: 0, late: 0 },
  ],
  [
    'entries that come again change nothing',
    [
      [`${day}08:00:00Z`, 1_000],
      [`${day}08:10:00Z`, 1_100],
      [`${day}08:00:00Z`, 1_000, 1],
      [`${day}08:10:00Z`, 1_100, 2],
    ],
    {
      found: [{ rule: 'per-pages', openedAt: `${day}08:10:00Z`, closedAt: null, evidence: [1, 2] }],
      setBack: 0,
      late: 0,
    },
  ],
  [
    'a counter that is reset',
    [
      [`${day}08:00:00Z`, 4_294_967_290, 1, 'X'],
      [`${day}08:10:00Z`, 5],
      [`${day}08:20:00Z`, 150],
      [`${day}08:30:00Z`, 0],
      [`${day}08:40:00Z`, 2_000, 5, 'X'],
    ],
    {
      found: [
        { rule: 'per-pages', openedAt: `${day}08:20:00Z`, closedAt: null, evidence: [2, 3, 4] },
        jams(`${day}08:30:00Z`, [2, 3, 4]),
      ],
      setBack: 0,
      late: 0,
    },
  ],
  [
    'an entry that comes late is no clock that was set back, however late: it is not the next of its log',
    [
      [`${day}16:00:00Z`, undefined, 9],
      [`${day}08:05:00Z`, undefined, 3],
      [`${day}16:10:00Z`, undefined, 10],
    ],
    { found: [], setBack: 0, late: 2 },
  ],
  [
    'a clock that is set back twice',
    [
      ['2036-01-01T00:00:00Z'],
      [`${day}16:00:00Z`],
      [`${day}08:05:00Z`],
      [`${day}08:10:00Z`],
      [`${day}08:15:00Z`],
    ],
    { found: [jams(`${day}08:15:00Z`, [3, 4, 5])], setBack: 2, late: 0 },
  ],
])('%s', (_, lines, expected) => {
  expect(replay(lines)).toEqual(expected);
});
