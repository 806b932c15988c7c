import { expect, test } from '@jest/globals';
import type { LogEntry } from '../../schemas/types.ts';
import { Unjudged } from './unjudged.ts';

function entry(seq: number): LogEntry {
  return { seq, at: '2026-11-22T07:00:00Z', code: 'J-7201', severity: 'error' };
}

test('entries are gathered by printer in their order, in one stretch per run of a log memory', () => {
  const unjudged = new Unjudged();
  const sent = [entry(1)];
  unjudged.add('a', 'l1', sent);
  unjudged.add('b', 'l1', [entry(9)]);
  unjudged.add('a', 'l1', [entry(2), entry(3)]);
  unjudged.add('a', 'l2', [entry(1)]);
  unjudged.add('a', 'l1', [entry(4)]);
  expect(unjudged.size).toBe(6);
  expect([...unjudged.printers()]).toEqual(['a', 'b']);
  expect(unjudged.take('a').map(({ log, entries }) => [log, entries.map(({ seq }) => seq)])).toEqual([
    ['l1', [1, 2, 3]],
    ['l2', [1]],
    ['l1', [4]],
  ]);
  // A batch handed out is not changed.
  expect(sent).toEqual([entry(1)]);
  expect(unjudged.take('a')).toEqual([]);
  expect(unjudged.size).toBe(1);
});
