import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { doubledName } from './json.ts';

test.each([
  ['{"a":1,"a":2}', 'a'],
  ['{"x":{"b":1, "c":2 , "b" : 3}}', 'b'],
  ['[{"a":[{"k":1,"k":[]}]}]', 'k'],
  ['{"\\u0061":1,"a":2}', 'a'],
  ['{"a\\"b":1,"a\\"b":2}', 'a"b'],
])('%s has a name twice', (json, name) => expect(doubledName(json)).toBe(name));

test.each([
  '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
  '{"a":"\\"a\\":","b":"{\\"a\\":1,\\"a\\":2}"}',
  '[]',
  '""',
])('%s has none', (json) => expect(doubledName(json)).toBeUndefined());

test('whatever an object holds, no name of it is there twice; with one more member, its name is', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { minKeys: 1 }), (object) => {
      const json = JSON.stringify(object);
      expect(doubledName(json)).toBeUndefined();
      const [name = ''] = Object.keys(object);
      expect(doubledName(`${json.slice(0, -1)},${JSON.stringify(name)}:0}`)).toBe(name);
    }),
    { seed: 20261201 },
  );
});
