/** Every statement of the standard that a server can keep or break is cited by a test. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { STATEMENTS } from './statements.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
/** Where tests of the broker stand. */
const FOLDERS = ['tests/conformance', 'broker', 'broker/listeners'];

/** A comment is no test. */
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/.*$/gm;

/** Numbers that the names of tests have, with their files. */
function cited(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const folder of FOLDERS) {
    for (const file of readdirSync(join(ROOT, folder))) {
      if (!file.endsWith('.test.ts') || file === 'statements.test.ts') continue;
      const names = readFileSync(join(ROOT, folder, file), 'utf8').replace(COMMENT, '');
      for (const [, number] of names.matchAll(/MQTT-([\d.]+-\d+)/g)) {
        const files = found.get(number as string) ?? new Set();
        found.set(number as string, files.add(file));
      }
    }
  }
  return found;
}

const CITED = cited();

test('the list has every number once', () => {
  const numbers = STATEMENTS.map(([number]) => number);
  expect(new Set(numbers).size).toBe(numbers.length);
  // Within a section numbers have no gaps: one that is missing here was forgotten.
  const last = new Map<string, number>();
  for (const number of numbers) {
    const [section = '', n] = number.split('-');
    expect([number, Number(n)]).toEqual([number, (last.get(section) ?? 0) + 1]);
    last.set(section, Number(n));
  }
});

test.each(STATEMENTS.filter(([, bound]) => bound === 'server' || bound === 'both'))(
  'MQTT-%s (%s) is held by a test: %s',
  (number) => {
    expect([...(CITED.get(number) ?? [])]).not.toEqual([]);
  },
);

test('tests cite only statements that exist', () => {
  const known = new Set<string>(STATEMENTS.map(([number]) => number));
  expect([...CITED.keys()].filter((number) => !known.has(number))).toEqual([]);
});
