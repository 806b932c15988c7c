import { didYouMean, nearestNames, slipsBetween, unknownMember } from './nearest-name.ts';

test.each([
  ['filter', 'filter', 0],
  ['fliter', 'filter', 1],
  ['form', 'from', 1],
  ['engin', 'engine', 1],
  ['sites', 'site', 1],
  ['', 'abc', 3],
  ['abcd', 'badc', 2],
  ['kitten', 'sitting', 3],
])('from %j to %j it is %i slips', (left, right, slips) => {
  expect(slipsBetween(left, right, 5)).toBe(slips);
  expect(slipsBetween(right, left, 5)).toBe(slips);
});

test('more slips than the limit are told as one more than it', () => {
  expect(slipsBetween('kitten', 'sitting', 2)).toBe(3);
  expect(slipsBetween('a'.repeat(60), 'b'.repeat(60), 3)).toBe(4);
});

test('the nearest name comes first, names that are far away do not come', () => {
  expect(nearestNames('acme.engin', ['acme.finisher', 'acme.engines', 'acme.engine'])).toEqual([
    'acme.engine',
    'acme.engines',
  ]);
  expect(nearestNames('Filter', ['filter'])).toEqual(['filter']);
  expect(nearestNames('nonsense', ['filter', 'printers'])).toEqual([]);
  // In three letters one typo is plausible; two make another word.
  expect(nearestNames('abc', ['abd', 'xyc'])).toEqual(['abd']);
});

test('what is said names the wrong word, its place and the right one', () => {
  expect(unknownMember('fliter', '', ['filter', 'software'])).toBe(
    'unknown member "fliter" in /; did you mean "filter"?',
  );
  expect(unknownMember('x"y', '/filter', ['site'])).toBe('unknown member "x\\"y" in /filter');
  expect(didYouMean('FS-541', ['FS-539', 'FS-540', 'EN-36'])).toBe('; did you mean "FS-540" or "FS-539"?');
});
