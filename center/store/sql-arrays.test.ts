import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'postgres-array';
import { numberArray, textArray } from './sql-arrays.ts';

test('texts of any kind come back as they were', () => {
  const odd = ['', 'NULL', 'null', 'a,b', '{}', '"', '\\', ' a ', 'J-7201', '2026-11-22T07:00:00Z', 'ü\n'];
  expect(parse(textArray([...odd, null]), (text) => text)).toEqual([...odd, null]);
  fc.assert(
    fc.property(fc.array(fc.option(fc.string({ unit: 'binary' }))), (values) => {
      expect(parse(textArray(values), (text) => text)).toEqual(values);
    }),
    { seed: 20261122 },
  );
});

test('numbers come back as they were', () => {
  const values = [1, null, 9_007_199_254_740_991, 0];
  expect(parse(numberArray(values), Number)).toEqual(values);
});
