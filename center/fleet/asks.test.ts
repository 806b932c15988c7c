import { expect, test } from '@jest/globals';
import type { StoredEntry } from '../queries.ts';
import { ratesOf } from './asks.ts';

test('codes that are names of what every object has are counted like others', () => {
  const codes = ['constructor', '__proto__', 'toString', 'J-1', 'constructor', '__proto__'];
  const entries: StoredEntry[] = codes.map((code, index) => ({
    log: 'L',
    seq: index + 1,
    at: '2026-11-22T07:00:00Z',
    code,
    severity: 'error',
  }));
  const { byCode } = JSON.parse(JSON.stringify(ratesOf(entries))) as { byCode: Record<string, number> };
  expect(Object.entries(byCode).sort()).toEqual([
    ['J-1', 1],
    ['__proto__', 2],
    ['constructor', 2],
    ['toString', 1],
  ]);
});
