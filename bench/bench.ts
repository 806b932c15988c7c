/**
 * `npm run bench -- NAME [--json]`: runs one benchmark and its peers, prints a table of figures and ratios, and records
 * them under `bench/results/`. With --json the last line is one JSON object.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { MissingPrograms } from './orders/programs.ts';
import type { BenchResult } from './result.ts';

export interface BenchModule {
  run(args: string[]): Promise<BenchResult>;
}

const BENCHES: Record<string, () => Promise<BenchModule>> = {
  agent: () => import('./agent.ts'),
  orders: () => import('./orders.ts'),
  compatibility: () => import('./compatibility.ts'),
  ingest: () => import('./ingest.ts'),
  judging: () => import('./judging.ts'),
  rejudge: () => import('./rejudge.ts'),
  queries: () => import('./queries.ts'),
  readings: () => import('./readings.ts'),
  soak: () => import('./soak.ts'),
  storm: () => import('./storm.ts'),
  trouble: () => import('./trouble.ts'),
  cohort: () => import('./cohort.ts'),
  forecast: () => import('./forecast.ts'),
  guards: () => import('./guards.ts'),
  'fan-in': () => import('./fan-in.ts'),
  'fan-out': () => import('./fan-out.ts'),
  latency: () => import('./latency.ts'),
};

const args = process.argv.slice(2);
const name = args.find((arg) => !arg.startsWith('-'));
const load = name === undefined ? undefined : BENCHES[name];
if (!load || name === undefined) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(BENCHES).join(' | ')} [--json]\n`);
  process.exit(args.includes('--help') ? 0 : 1);
}
const started = new Date();
const { part, ...result } = await (await load())
  .run(args.filter((arg) => arg !== name && arg !== '--json'))
  .catch((error: unknown) => {
    if (!(error instanceof MissingPrograms)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    process.exit(1);
  });
const record = {
  bench: name,
  at: started.toISOString(),
  command: `npm run bench -- ${args.join(' ')}`,
  machine: {
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  },
  ...result,
};
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
const file = part === undefined ? name : `${name}-${part}`;
writeFileSync(new URL(`./results/${file}.json`, import.meta.url), `${JSON.stringify(record, null, 2)}\n`);
const rows = (title: string, values: Record<string, unknown>) =>
  `${title}\n${Object.entries(values)
    .map(([key, value]) => `  ${key.padEnd(56)} ${value}`)
    .join('\n')}\n`;
process.stdout.write(rows('figures', result.figures) + rows('ratios', result.ratios));
for (const bar of result.bars) {
  process.stdout.write(`${bar.met ? 'met   ' : 'MISSED'} ${bar.name}: ${bar.value} (${bar.bar})\n`);
}
if (args.includes('--json')) process.stdout.write(`${JSON.stringify(record)}\n`);
