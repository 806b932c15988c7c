import { readFileSync } from 'node:fs';
import { DEFAULT_LIMITS, OPEN_LIMITS } from './limits.ts';

const reference = readFileSync(new URL('../docs/reference/broker.md', import.meta.url), 'utf8');

test('every limit stands in the reference', () => {
  const missing = Object.keys(DEFAULT_LIMITS).filter((name) => !reference.includes(`\`${name}\``));
  expect(missing).toEqual([]);
});

test('open access changes known limits only', () => {
  expect(Object.keys(OPEN_LIMITS).filter((name) => !Object.hasOwn(DEFAULT_LIMITS, name))).toEqual([]);
});

test('tests that the table of limits names are there', () => {
  const table = reference.slice(reference.indexOf('## Limits by who asks'), reference.indexOf('## Shared'));
  const files = [...table.matchAll(/`([a-z/-]+\.test\.ts)`/g)].map(([, file]) => file as string);
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) {
    const path = file.startsWith('center/') || file.startsWith('broker/') ? file : `broker/${file}`;
    expect(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')).toContain('test(');
  }
});
