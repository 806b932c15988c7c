import { rmSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse } from 'postgres-array';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { prepareDatabase } from '../../tests/harness/prepared.ts';
import { int4Array, int8Array, numberArray, textArray } from './sql-arrays.ts';
import { openStore } from './store.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

test('texts of any kind survive the round trip', () => {
  const odd = ['', 'NULL', 'null', 'a,b', '{}', '"', '\\', ' a ', 'J-7201', '2026-11-22T07:00:00Z', 'ü\n'];
  expect(parse(textArray([...odd, null]), (text) => text)).toEqual([...odd, null]);
  fc.assert(
    fc.property(fc.array(fc.option(fc.string({ unit: 'binary' }))), (values) => {
      expect(parse(textArray(values), (text) => text)).toEqual(values);
    }),
    { seed: 20261122 },
  );
});

test('numbers survive the round trip', () => {
  const values = [1, null, 9_007_199_254_740_991, 0];
  expect(parse(numberArray(values), Number)).toEqual(values);
});

test('the server reads binary numbers correctly', async () => {
  const folder = temporaryFolder('platen-arrays-');
  await prepareDatabase(folder);
  const store = await openStore({ source: { dataFolder: folder }, log: silent });
  try {
    const small = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)];
    const large = [
      ...small,
      null,
      2 ** 31,
      2 ** 32,
      -(2 ** 32) - 1,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
    ];
    for (const [four, eight] of [
      [small, large],
      [[], []],
    ] as const) {
      const [row] = await store.database.query(
        'SELECT $1::int4[] AS four, $2::text::int8[] AS told, $3::int8[] AS eight',
        [int4Array(four), numberArray(eight), int8Array(eight)],
      );
      expect(row).toEqual({
        four,
        told: eight.map((value) => value?.toString() ?? null),
        eight: eight.map((value) => value?.toString() ?? null),
      });
    }
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
