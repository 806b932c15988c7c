/** Every statement of the standard that a server can keep or break is cited by a test. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { STATEMENTS } from './statements.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
/** Folders with tests of the broker. */
const FOLDERS = ['tests/conformance', 'broker', 'broker/listeners'];

/** Comments are removed first, because a citation in a comment is not a test. */
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/.*$/gm;

/** Statement numbers cited by test names, with the files that cite them. */
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
  // Numbers within a section have no gaps: a gap here is an omission.
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
