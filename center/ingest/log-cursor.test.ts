import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  append,
  emptyCursor,
  OPEN_GAPS_MAX,
  openGap,
  rangesFromSql,
  rangesToSql,
  takeBatch,
} from './log-cursor.ts';

const batches = fc.array(
  fc.record({
    first: fc.integer({ min: 1, max: 40 }),
    seqs: fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 8 }),
  }),
  { maxLength: 30 },
);

test('however a log is cut, repeated and shuffled, each entry is fresh once and the cursor equals a set', () => {
  fc.assert(
    fc.property(batches, (list) => {
      let cursor = emptyCursor();
      const stored = new Set<number>();
      let first = 1;
      let upTo = 0;
      for (const batch of list) {
        const taken = takeBatch(
          cursor,
          batch.first,
          batch.seqs.map((seq) => ({ seq })),
        );
        const fresh = taken.fresh.map(({ seq }) => seq);
        expect(fresh).toEqual(batch.seqs.filter((seq) => !stored.has(seq)));
        for (const seq of fresh) stored.add(seq);
        cursor = taken.cursor;
        first = Math.max(first, Math.min(batch.first, ...batch.seqs));
        upTo = Math.max(upTo, first - 1);
        while (stored.has(upTo + 1)) upTo += 1;
        const held = [...stored].filter((seq) => seq <= upTo).length;
        expect({ upTo: cursor.upTo, lost: cursor.lost }).toEqual({ upTo, lost: upTo - held });
        const later = Math.min(...[...stored].filter((seq) => seq > upTo));
        expect(openGap(cursor)).toEqual(
          Number.isFinite(later) ? { from: upTo + 1, to: later - 1 } : undefined,
        );
        expect(rangesFromSql(rangesToSql(cursor.received))).toEqual(cursor.received);
      }
    }),
    { seed: 20261122, numRuns: 500 },
  );
});

test('append leaves the cursor where takeBatch would, and changes nothing when it cannot append', () => {
  let appended = 0;
  const following = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(following, batches, (counts, list) => {
      let cursor = emptyCursor();
      const take = (first: number, seqs: number[]) => {
        const entries = seqs.map((seq) => ({ seq }));
        const before = structuredClone(cursor);
        const taken = takeBatch(before, first, entries);
        if (append(cursor, first, entries)) {
          appended += 1;
          expect({ cursor, fresh: entries }).toEqual(taken);
        } else {
          expect(cursor).toEqual(before);
          cursor = taken.cursor;
        }
      };
      for (const count of counts) {
        const from = cursor.upTo + 1;
        take(
          cursor.first,
          Array.from({ length: count }, (_, index) => from + index),
        );
      }
      for (const { first, seqs } of list) take(first, seqs);
    }),
    { seed: 20261126, numRuns: 200 },
  );
  expect(appended).toBeGreaterThan(100);
});

test('a log with endless gaps keeps a limited number of them open', () => {
  let { cursor } = takeBatch(emptyCursor(), 1, [{ seq: 1 }]);
  for (let seq = 3; seq < 1_000; seq += 2) cursor = takeBatch(cursor, 1, [{ seq }]).cursor;
  expect(cursor.received.length).toBe(OPEN_GAPS_MAX + 1);
  // The oldest gaps were given up: what would fill them counts as stored, what fills an open one does not.
  expect(takeBatch(cursor, 1, [{ seq: 2 }, { seq: 998 }]).fresh).toEqual([{ seq: 998 }]);
});

test('a first above the entries of its own batch declares nothing lost', () => {
  const { cursor } = takeBatch(emptyCursor(), 1, [{ seq: 1 }]);
  const wrong = takeBatch(cursor, Number.MAX_SAFE_INTEGER, [{ seq: 2 }]);
  expect(wrong.cursor).toMatchObject({ upTo: 2, lost: 0 });
  expect(takeBatch(wrong.cursor, 1, [{ seq: 3 }]).cursor).toMatchObject({ upTo: 3, lost: 0 });
});
