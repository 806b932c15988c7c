/**
 * Judging alone, state in memory, on one core: entries judged per second with 1,000 rules and with 10, over 10,000
 * printers. Every entry concerns one rule in both cases, so that the difference is the cost of the number of rules. The
 * measure is the CPU time of the whole process, including the collector's threads. Then the memory per key.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { compileRules, TroubleEngine } from '../center/trouble/engine/index.ts';
import type { LogEntry, TroubleRules } from '../schemas/types.ts';
import type { BenchResult } from './result.ts';

const PRINTERS = 10_000;
const CODES_PER_PRINTER = 8;
const BATCH = 10;
const ENTRIES = 500_000;
const PIECE = 2_000;
const ROUNDS = 6;
const T0 = Date.parse('2026-11-01T00:00:00Z');

setFlagsFromString('--expose-gc');
/** Collects garbage, so that each round begins with an empty heap and what is left is the state. */
const collect = runInNewContext('gc') as () => void;

/** Seeded random numbers. */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A mix of the conditions that real rules have, each rule on its own codes. */
function rulesOf(count: number): TroubleRules {
  const over = 'PT72H';
  const list = Array.from({ length: count }, (_, index) => {
    const prefix = `J-${String(index).padStart(4, '0')}`;
    const when = [
      { count: { ge: 3, over } },
      { count: { ge: 10, over: 'P7D' } },
      { bucket: { add: 1, drain: { amount: 1, pages: 16 }, reset: { pages: 48 }, ge: 6 } },
      { distinct: { field: 'unit', ge: 2, over } },
      {
        seq: {
          of: [[['code', 'prefix', `${prefix}0`]], [['code', 'prefix', `${prefix}1`]]].map((all) => ({
            all,
          })),
          within: 'PT1H',
        },
      },
    ][index % 5];
    return {
      id: `rule-${index}`,
      where: {
        all: [
          ['code', 'prefix', prefix],
          ['severity', '>=', 'warning'],
        ],
      },
      by: ['printer', 'unit'],
      when,
      clear: { quiet: 'P1D' },
      dedup: 'PT6H',
      severity: [
        ['minor', 1],
        ['major', 10],
      ],
    };
  });
  return { rules: `bench-${count}`, list } as unknown as TroubleRules;
}

interface Batch {
  printer: string;
  entries: LogEntry[];
}

/**
 * Batches of 10 entries; a printer has 8 codes of its own, and a tenth of the entries is out of order. Generated piece
 * by piece, so that the collector does not spend its time on entries that wait to be judged.
 */
function* piecesOf(rules: number, seed: number): Generator<Batch[]> {
  const chance = dice(seed);
  const seqs = new Map<number, number>();
  for (let sent = 0; sent < ENTRIES; ) {
    const piece: Batch[] = [];
    for (; piece.length < PIECE; sent += BATCH) {
      const printer = Math.floor(chance() * PRINTERS);
      const seq = seqs.get(printer) ?? 1;
      seqs.set(printer, seq + BATCH);
      const entries = Array.from({ length: BATCH }, (_, index): LogEntry => {
        const code = (printer * CODES_PER_PRINTER + Math.floor(chance() * CODES_PER_PRINTER)) % rules;
        const late = chance() < 0.1 ? chance() * 1_800_000 : 0;
        return {
          seq: seq + index,
          at: new Date(T0 + sent * 500 + index * 40 - late).toISOString(),
          code: `J-${String(code).padStart(4, '0')}${index % 3}`,
          severity: 'error',
          unit: chance() < 0.5 ? 'finisher.1' : 'engine',
          pages: (seq + index) * 7,
        };
      });
      piece.push({ printer: `printer-${printer}`, entries });
    }
    yield piece;
  }
}

interface Judged {
  per_s: number;
  per_cpu_s: number;
  changes: number;
}

/** @param inspect receives the engine at the end; nothing else keeps it, so that each round has the memory to itself */
function judge(rules: TroubleRules, seed: number, inspect?: (engine: TroubleEngine) => void): Judged {
  const { rules: compiled, errors, diagnostics } = compileRules(rules);
  if (errors > 0) throw new Error(JSON.stringify(diagnostics));
  const engine = new TroubleEngine(compiled);
  let changes = 0;
  let wall_ns = 0n;
  let cpu_us = 0;
  for (const piece of piecesOf(compiled.rules.length, seed)) {
    const cpu = process.cpuUsage();
    const started = process.hrtime.bigint();
    for (const { printer, entries } of piece) changes += engine.apply(printer, 'log', entries).length;
    wall_ns += process.hrtime.bigint() - started;
    const used = process.cpuUsage(cpu);
    cpu_us += used.user + used.system;
  }
  inspect?.(engine);
  return {
    per_s: Math.round(ENTRIES / (Number(wall_ns) / 1e9)),
    per_cpu_s: Math.round(ENTRIES / (cpu_us / 1e6)),
    changes,
  };
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

export async function run(): Promise<BenchResult> {
  const many = rulesOf(1000);
  const few = rulesOf(10);
  const manyRuns: Judged[] = [];
  const fewRuns: Judged[] = [];
  let keys = 0;
  let bytes = 0;
  // Alternating, so that a slow moment of the machine affects both; the first round warms up.
  for (let round = 0; round < ROUNDS; round += 1) {
    const fewRun = judge(few, round);
    if (round > 0) fewRuns.push(fewRun);
    collect();
    const before = process.memoryUsage().heapUsed;
    const manyRun = judge(many, round, (engine) => {
      if (round > 0) return;
      collect();
      keys = engine.size().keys;
      bytes = process.memoryUsage().heapUsed - before;
    });
    if (round > 0) manyRuns.push(manyRun);
    collect();
  }
  const entries = median(manyRuns.map((one) => one.per_cpu_s));
  const withFew = median(fewRuns.map((one) => one.per_cpu_s));
  const ratio = Number((withFew / entries).toFixed(3));
  return {
    figures: {
      printers: PRINTERS,
      rules: 1000,
      entries: ENTRIES,
      entries_per_cpu_s: entries,
      entries_per_cpu_s_with_10_rules: withFew,
      entries_per_s: median(manyRuns.map((one) => one.per_s)),
      entries_per_s_with_10_rules: median(fewRuns.map((one) => one.per_s)),
      changes: manyRuns[0]?.changes ?? 0,
      keys,
      bytes_per_key: Math.round(bytes / keys),
    },
    ratios: { slower_than_with_10_rules: ratio },
    bars: [
      {
        name: 'entries judged in a second of one core',
        value: entries,
        bar: '>= 150000',
        met: entries >= 150_000,
      },
      { name: 'slower than with 10 rules', value: ratio, bar: '<= 1.3', met: ratio <= 1.3 },
    ],
  };
}
