import fc from 'fast-check';
import semver from 'semver';
import { spanHas } from './spans.ts';
import { compareVersions, inRange, SCHEMES, type SchemeName, schemeOf, VersionTable } from './versions.ts';

function tableOf(name: SchemeName, versions: readonly string[]): { table: VersionTable; sorted: string[] } {
  const scheme = schemeOf(name, versions);
  const parsed = versions.map((version) => ({ version, key: scheme.parse(version)! }));
  parsed.sort((a, b) => compareVersions(scheme, a, b));
  return { table: new VersionTable(scheme, parsed), sorted: parsed.map(({ version }) => version) };
}

function inside(scheme: SchemeName, versions: readonly string[], range: string): string[] {
  const { table, sorted } = tableOf(scheme, versions);
  const span = table.span(range);
  return sorted.filter((_, i) => spanHas(span, i));
}

const number = fc.integer({ min: 0, max: 3 });
const version = fc
  .tuple(number, number, number, fc.constantFrom('', '', '-alpha', '-alpha.1', '-beta.2', '-0', '+b1'))
  .map(([major, minor, patch, tail]) => `${major}.${minor}.${patch}${tail}`);
const partial = fc.oneof(
  version,
  fc.tuple(number, number).map(([major, minor]) => `${major}.${minor}`),
  fc.constantFrom('1', '2.x', '1.2.*', '*', 'x', '', 'v1.2.3'),
);
const comparator = fc
  .tuple(fc.constantFrom('', '=', '<', '<=', '>', '>=', '^', '~', '>= ', '~> '), partial)
  .map(([operator, each]) => `${operator}${each}`);
const simple = fc.oneof(
  fc.array(comparator, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(' ')),
  fc.tuple(partial, partial).map(([low, high]) => `${low || '1'} - ${high || '2'}`),
);
const range = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.array(simple, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(' || ')),
  },
  // Long lists take the same code path as upgrade graphs.
  {
    weight: 1,
    arbitrary: fc
      .array(fc.oneof(version, simple), { minLength: 8, maxLength: 20 })
      .map((parts) => parts.join('||')),
  },
);

test('semver ranges are what node-semver says they are', () => {
  fc.assert(
    fc.property(fc.uniqueArray(version, { minLength: 1, maxLength: 30 }), range, (versions, text) => {
      if (semver.validRange(text) === null) {
        expect(() => inside('semver', versions, text)).toThrow();
        return;
      }
      const { sorted } = tableOf('semver', versions);
      expect(inside('semver', versions, text)).toEqual(sorted.filter((each) => semver.satisfies(each, text)));
      for (const each of versions) {
        const key = SCHEMES.semver.parse(each)!;
        expect(inRange(SCHEMES.semver, SCHEMES.semver.range(text), key)).toBe(semver.satisfies(each, text));
      }
    }),
    { numRuns: 400, seed: 20261122 },
  );
});

test('an upgrade graph with long lists of plain versions is read quickly', () => {
  const versions = Array.from({ length: 1_500 }, (_, i) => `4.${Math.floor(i / 100)}.${i % 100}`);
  const { table, sorted } = tableOf('semver', versions);
  const started = process.cpuUsage();
  for (let i = 1; i < sorted.length; i++) {
    const from = sorted.slice(Math.max(0, i - 200), i);
    expect(spanHas(table.span(from.join(' || ')), i - 1)).toBe(true);
  }
  const { user } = process.cpuUsage(started);
  expect(user / 1e6).toBeLessThan(20);
});

test.each([
  ['01.09.00.01', '>=01.08.05', true],
  ['01.09.00.01', '<1.9.0.2', true],
  ['1.2', '=1.2.0', true],
  ['1.10', '>1.9', true],
  ['1.2.0.1', '>1.2', true],
  ['1.2', '<1.2.0.1', true],
  ['99999999999999999999.1', '>99999999999999999998', true],
  ['1.5', '<1.2 || >=1.5', true],
  ['1.3', '<1.2 || >=1.5', false],
  ['1.3', '>= 1.2 < 1.4', true],
  ['1.3', '', true],
  ['1.2.3', '1.2.x', true],
  ['1.2', '1.2.*', true],
  ['1.3', '1.2.x', false],
  ['1.2.9.9', '1.2.x || 3', true],
  ['1.3', '>1.2.x', true],
  ['1.2.9', '>1.2.x', false],
  ['1.2.9', '<=1.2.x', true],
  ['1.2.0', '<1.2.x', false],
  ['01.09.00.07', '~01.09.00.01', true],
  ['01.10', '~01.09.00.01', false],
  ['1.9', '~1', true],
  ['1.9', '^1.2.3', true],
  ['2.0', '^1.2.3', false],
  ['0.2.9', '^0.2.3', true],
  ['0.3', '^0.2.3', false],
  ['99999999999999999999.2', '^99999999999999999999.1', true],
  ['1.5', '1.2 - 1.5', true],
  ['1.5.1', '1.2 - 1.5', false],
  ['1.5.1', '1.2 - 1.5.x', true],
  ['1.5', '~ 1.4 >= 1.5', false],
  ['1.5', 'x', true],
])('dotted %s in "%s": %s', (each, text, expected) => {
  expect(inside('dotted', [each], text).length === 1).toBe(expected);
});

test.each([
  ['G00-K5', '<G00-K12', true],
  ['G00-K12', '>G00-K5 <G01', true],
  ['G01-07', '>=G01-08', false],
  ['G01-08', '>=G01-08', true],
  ['D0875572C', '<D0875572D', true],
  ['K05', '=K5', true],
  ['A', '>1', true],
  ['A1', '>A', true],
  ['G00-K9', 'G00-K5 - G00-K12', true],
  ['G00-K9', '* || G01', true],
  ['1.0~rc1', '=1.0~rc1', true],
  ['5-2ubuntu10', '>5-2ubuntu9', true],
  ['x', '=x', true],
  ['y', 'x', false],
])('text %s in "%s": %s', (each, text, expected) => {
  expect(inside('text', [each], text).length === 1).toBe(expected);
});

test('what is no version or no range is said', () => {
  expect(SCHEMES.semver.parse('1.2')).toBeUndefined();
  expect(SCHEMES.dotted.parse('1.2a')).toBeUndefined();
  expect(SCHEMES.text.parse('--')).toBeUndefined();
  expect(() => SCHEMES.dotted.range('>=one')).toThrow('">=one" is no comparator of dotted versions');
  expect(() => SCHEMES.semver.range('>=one')).toThrow();
  // `text` allows nearly any character: an operator of another scheme must not be read as a separator.
  for (const text of ['^G00-K5', '~G00', 'G00-*', '!=G00', '==G00', '>*']) {
    expect(() => SCHEMES.text.range(text)).toThrow('is no comparator of text versions');
  }
  for (const text of ['^one', '>x', '1.x.2', '==1', '1.2.3-rc']) {
    expect(() => SCHEMES.dotted.range(text)).toThrow('is no comparator of dotted versions');
  }
});

test('hardware is dotted where it can be, else natural', () => {
  const holds = (hardware: string, text: string): boolean =>
    inRange(SCHEMES.hardware, SCHEMES.hardware.range(text), SCHEMES.hardware.parse(hardware)!);
  expect(holds('1', '>=1.0')).toBe(true);
  expect(holds('1.1', '<2')).toBe(true);
  expect(holds('2.0', '<2')).toBe(false);
  expect(holds('rev-B', '>=rev-A')).toBe(true);
});

test('text: a pre-release word stands before the same version without it', () => {
  const { sorted } = tableOf('text', [
    '1.7.0',
    '1.7.0-rc1',
    '1.7.0-RC2',
    '1.7.0-beta',
    '1.7.0-alpha3',
    '1.7.0-pre',
    '1.7',
    '1.7.0.1',
    '1.7.0-hotfix',
    '2.0rc1',
    '2.0.0',
    '1.6.9',
  ]);
  expect(sorted).toEqual([
    '1.6.9',
    '1.7',
    '1.7.0-RC2',
    '1.7.0-alpha3',
    '1.7.0-beta',
    '1.7.0-pre',
    '1.7.0-rc1',
    '1.7.0',
    '1.7.0.1',
    '1.7.0-hotfix',
    '2.0rc1',
    '2.0.0',
  ]);
  expect(inside('text', ['1.6.0', '1.7.0-rc1', '1.7.0'], '>=1.7.0')).toEqual(['1.7.0']);
});

test('listed: the order of the list is the order, and no other version has a place', () => {
  const versions = ['Iris', 'Tulip', 'Hibiscus 2', 'V1.7.0'];
  const { table, sorted } = tableOf('listed', versions);
  expect(sorted).toEqual(versions);
  expect(table.find('Tulip')).toBe(1);
  expect(table.find('1.7.0')).toBe(-1);
  expect(inside('listed', ['Iris', 'Tulip', 'V1.7.0'], '>=Tulip')).toEqual(['Tulip', 'V1.7.0']);
  expect(() => table.span('>=Rose')).toThrow('">=Rose" is no comparator of listed versions');
});
