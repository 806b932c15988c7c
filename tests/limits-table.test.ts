import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { CENTER_LIMITS } from '../center/limits.ts';
import { READING_LIMITS } from '../center/readings/limits.ts';
import * as troubleLimits from '../center/trouble/engine/limits.ts';
import * as schemaLimits from '../schemas/limits.ts';

// The table of the center's limits in docs/security.md matches the code.
const ROOT = new URL('../', import.meta.url);
const rows = readFileSync(new URL('docs/security.md', ROOT), 'utf8')
  .split('## Limits')[1]
  ?.split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(2)
  .map((line) => line.slice(2, -2).split(' | '));
const LIMITS: Record<string, unknown> = {
  ...CENTER_LIMITS,
  ...READING_LIMITS,
  ...troubleLimits,
  ...schemaLimits,
};
const UNITS: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, s: 1_000, h: 3_600_000 };

test('the limits in the table are those of the code', () => {
  const told: Record<string, unknown> = {};
  const held: Record<string, unknown> = {};
  for (const [, , limit = ''] of rows ?? []) {
    for (const [, name = '', number = '', unit] of limit.matchAll(/`(\w+)` ([\d.,]+)(?: (\w+))?/g)) {
      told[name] =
        Number(number.replaceAll(',', '')) * (unit === undefined ? 1 : (UNITS[unit] ?? Number.NaN));
      held[name] = LIMITS[name];
    }
  }
  expect(Object.keys(told).length).toBeGreaterThan(35);
  expect(told).toEqual(held);
});

test('every limit in the table has a test that is there, and a metric that is told where one is named', () => {
  const sources = ['center', 'center/http', 'center/trouble', 'broker', 'cli', 'center/link']
    .flatMap((folder) =>
      readdirSync(new URL(`${folder}/`, ROOT))
        .filter((name) => name.endsWith('.ts'))
        .map((name) => readFileSync(new URL(`${folder}/${name}`, ROOT), 'utf8')),
    )
    .join('\n');
  const missing: string[] = [];
  for (const [who = '', what = '', , , test = '', metric = ''] of rows ?? []) {
    const file = /`([^`]+)`/.exec(test)?.[1] ?? '';
    if (!existsSync(new URL(file, ROOT)) || file === '') missing.push(`${who}, ${what}: ${file}`);
    const name = /`([^`]+)`/.exec(metric)?.[1];
    if (name === undefined) continue;
    const shown =
      sources.includes(`'${name}'`) || sources.includes(`'${name.replace(/^platen_broker_/, '')}'`);
    if (!shown) missing.push(`${who}, ${what}: ${name}`);
  }
  expect(missing).toEqual([]);
});
