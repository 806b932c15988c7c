import { changesBetween } from './document-changes.ts';

const parts = [
  ['software', 'id'],
  ['units', 'model'],
] as const;
const before = {
  software: [
    { id: 'a', releases: [{ version: '1' }, { version: '2', status: 'staged' }, { version: '3' }] },
    { id: 'gone', releases: [] },
    { id: 'same', vendor: 'x', scheme: 'semver' },
  ],
};

test('what came, went and changed is named, with the releases', () => {
  const after = {
    software: [
      { id: 'a', vendor: 'acme', releases: [{ version: '2' }, { version: '3' }, { version: '4' }] },
      { id: 'same', scheme: 'semver', vendor: 'x' },
    ],
    units: [{ model: 'EN' }],
  };
  expect(changesBetween(before, after, parts)).toEqual([
    { what: 'changed', part: 'software', name: 'a', detail: 'releases +4 -1 ~2, vendor' },
    { what: 'removed', part: 'software', name: 'gone' },
    { what: 'added', part: 'units', name: 'EN' },
  ]);
});

test('the order of members is no change', () => {
  expect(changesBetween(before, structuredClone(before), parts)).toEqual([]);
});
