/**
 * One `platen agent` process for 1,000 SNMP printers, 100 ports that never answer, and a broker: how long a full round
 * takes (structures, and readings with eight supplies each), what it costs, and whether the silent ones delay the
 * others.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { startAgents } from '../agent/process/agents.ts';
import { loadConfig } from '../agent/process/config.ts';
import type { BenchResult } from './result.ts';

const PRINTERS = 1_000;
const POLL_S = 30;
/** How long the steady state is measured. */
const STEADY_S = 30;

interface FarSide {
  ports: number[];
  silent: number[];
  broker: number;
}

interface Counts {
  structures: number;
  /** Printers whose supplies have all arrived. */
  supplied: number;
  jams: number;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function round(silent: number): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'platen-bench-agent-'));
  const child = fork(
    fileURLToPath(new URL('agent-far-side.ts', import.meta.url)),
    [String(PRINTERS), String(silent)],
    {
      execArgv: ['--import', 'tsx'],
    },
  );
  const [far] = (await once(child, 'message')) as [FarSide];
  const ask = async (question: string): Promise<Counts> => {
    const answer = once(child, 'message');
    child.send({ ask: question });
    return ((await answer) as [Counts])[0];
  };
  const until = async (holds: (counts: Counts) => boolean): Promise<number> => {
    const started = performance.now();
    while (!holds(await ask('count'))) {
      if (performance.now() - started > 180_000)
        throw new Error(`not within 180 s: ${JSON.stringify(await ask('count'))}`);
      await sleep(100);
    }
    return (performance.now() - started) / 1_000;
  };
  try {
    const config = join(folder, 'agents.json');
    const printer = (id: string, port: number) => ({
      printer: id,
      password: 'x',
      urls: [`snmp://127.0.0.1:${port}`],
    });
    writeFileSync(
      config,
      JSON.stringify({
        broker: { url: `mqtt://127.0.0.1:${far.broker}` },
        poll: `PT${POLL_S}S`,
        printers: [
          ...far.silent.slice(0, PRINTERS).map((port, i) => printer(`silent-${i}`, port)),
          ...far.ports.slice(0, PRINTERS - silent).map((port, i) => printer(`printer-${i}`, port)),
        ],
      }),
    );
    const answering = PRINTERS - silent;
    const cpu0 = process.cpuUsage();
    const agents = await startAgents(loadConfig(config), pino({ level: 'silent' }));
    const full_s = await until(
      ({ structures, supplied }) => structures >= answering && supplied >= answering,
    );
    const cpuFull = process.cpuUsage(cpu0);
    await sleep(5_000);
    const cpu1 = process.cpuUsage();
    await sleep(STEADY_S * 1_000);
    const cpuSteady = process.cpuUsage(cpu1);
    await ask('jam');
    const jam_s = await until(({ jams }) => jams >= answering);
    const rss = process.memoryUsage().rss;
    await agents.stop();
    return {
      full_s,
      full_cpu_s: (cpuFull.user + cpuFull.system) / 1e6,
      steady_core_percent: (cpuSteady.user + cpuSteady.system) / 1e4 / STEADY_S,
      jam_s,
      rss_mb: rss / 2 ** 20,
    };
  } finally {
    child.send({ ask: 'end' });
    rmSync(folder, { recursive: true, force: true });
  }
}

const rounded = (value: number) => Math.round(value * 100) / 100;

export async function run(): Promise<BenchResult> {
  const base_mb = process.memoryUsage().rss / 2 ** 20;
  const all = await round(0);
  const some = await round(100);
  return {
    figures: {
      printers: PRINTERS,
      poll_s: POLL_S,
      full_round_s: rounded(all['full_s'] ?? 0),
      full_round_cpu_s: rounded(all['full_cpu_s'] ?? 0),
      steady_percent_of_one_core: rounded(all['steady_core_percent'] ?? 0),
      last_of_1000_jams_at_the_broker_after_s: rounded(all['jam_s'] ?? 0),
      memory_rss_mb: rounded(all['rss_mb'] ?? 0),
      memory_rss_before_mb: rounded(base_mb),
      with_100_silent_full_round_s: rounded(some['full_s'] ?? 0),
      with_100_silent_steady_percent_of_one_core: rounded(some['steady_core_percent'] ?? 0),
      with_100_silent_last_jam_after_s: rounded(some['jam_s'] ?? 0),
    },
    ratios: { full_round_with_100_silent_to_without: rounded((some['full_s'] ?? 0) / (all['full_s'] ?? 1)) },
    bars: [
      {
        name: 'CPU time of a full round with supplies, s',
        value: rounded(all['full_cpu_s'] ?? 0),
        bar: '<= 20',
        met: (all['full_cpu_s'] ?? 99) <= 20,
      },
      {
        name: 'a full round, s',
        value: rounded(all['full_s'] ?? 0),
        bar: '<= 60',
        met: (all['full_s'] ?? 99) <= 60,
      },
      {
        name: 'a full round with 100 silent printers, s',
        value: rounded(some['full_s'] ?? 0),
        bar: '<= 60',
        met: (some['full_s'] ?? 99) <= 60,
      },
    ],
  };
}
