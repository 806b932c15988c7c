/** `platen simulate`: connects a fleet of simulated printers to a broker, runs a scenario, and counts. */
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { pino } from 'pino';
import { createUpdater } from '../../agent/updater/updater.ts';
import { enrollPrinters, readPasswords } from '../../device-sim/credentials.ts';
import { type SimulatedFleet, startFleet } from '../../device-sim/fleet.ts';
import { FleetState } from '../../device-sim/fleet-state.ts';
import { recordLog } from '../../device-sim/record.ts';
import { type FleetPlan, planFleet, readScenario } from '../../device-sim/scenario.ts';
import { progressLine, summaryOf, summaryText } from '../../device-sim/summary.ts';
import { durationMs } from '../../schemas/duration.ts';
import { PlatenError } from '../../schemas/errors.ts';
import { OperatorClient, readCredentials } from '../operator-client.ts';
import { secretOption } from '../secret-option.ts';

interface Enrolled {
  printer: string;
  password: string;
}

interface SimulateFlags {
  printers?: string;
  scenario: string;
  url: string;
  credentials?: string;
  password?: string;
  enrollAdmin?: string;
  seed?: string;
  duration?: string;
  rate: string;
  folder?: string;
  download?: boolean;
  json?: boolean;
  verbose?: boolean;
  record?: string;
}

/** Lines per write to a record. */
const RECORD_LINES = 10_000;
const PROGRESS_MS = 1_000;
/** Without a terminal a line every ten seconds is enough. */
const PROGRESS_QUIET_MS = 10_000;
/** Every connection is a file: more than this no process may open. */
const PRINTERS_MAX = 200_000;
const SEED_MAX = 2 ** 32 - 1;
/** Exit code when some printer never connected. */
const NOT_ALL_CONNECTED = 3;

const BUILT_IN = new URL('../../device-sim/scenarios/', import.meta.url);

function whole(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > most) {
    throw new PlatenError('setting/invalid', {
      name,
      reason: `"${text}" is not a whole number up to ${most}`,
      hint: 'platen simulate --help',
    });
  }
  return value;
}

function scenarioFile(name: string): string | URL {
  if (existsSync(name)) return name;
  const builtIn = new URL(`${name}.json`, BUILT_IN);
  return /^[a-z0-9-]+$/.test(name) && existsSync(builtIn) ? builtIn : name;
}

async function passwordsFor(
  flags: SimulateFlags,
  plan: FleetPlan,
): Promise<Record<string, string> | string | undefined> {
  const ids = plan.printers.map(({ printer }) => printer);
  if (flags.enrollAdmin !== undefined) {
    const { username, password } = readCredentials(flags.enrollAdmin);
    const operator = await OperatorClient.connect({ url: flags.url, username, password });
    const enroll = async (printers: string[]) =>
      ((await operator.call('printers.enroll', { printers, again: true })) as { items: Enrolled[] }).items;
    try {
      return await enrollPrinters(enroll, ids, (done) => {
        process.stderr.write(`enrolled ${done}/${ids.length}\n`);
      });
    } finally {
      await operator.close();
    }
  }
  if (flags.credentials !== undefined) return readPasswords(flags.credentials, ids);
  return flags.password;
}

/** Resolves with the reason for the end: time is up, or a signal. */
function ending(durationMsGiven: number | undefined): Promise<string> {
  return new Promise((resolve) => {
    if (durationMsGiven !== undefined) setTimeout(() => resolve('time is up'), durationMsGiven);
    process.once('SIGINT', () => resolve('interrupted'));
    process.once('SIGTERM', () => resolve('terminated'));
  });
}

async function watch(fleet: SimulatedFleet, flags: SimulateFlags, durationGiven?: number): Promise<void> {
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1_000;
  const every = process.stderr.isTTY ? PROGRESS_MS : PROGRESS_QUIET_MS;
  const timer = setInterval(() => process.stderr.write(`${progressLine(fleet, seconds())}\n`), every);
  const why = await ending(durationGiven);
  clearInterval(timer);
  const summary = summaryOf(fleet, seconds());
  process.stderr.write(`${why}: disconnecting\n`);
  await fleet.stop();
  process.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : summaryText(summary));
  const missed = fleet.plan.printers.length - fleet.everConnected;
  if (missed > 0) {
    process.stderr.write(`${missed} of ${fleet.plan.printers.length} printers never connected\n`);
    process.exitCode = NOT_ALL_CONNECTED;
  }
}

async function simulate(flags: SimulateFlags): Promise<void> {
  const durationGiven = flags.duration === undefined ? undefined : durationMs(flags.duration);
  if (flags.duration !== undefined && durationGiven === undefined) {
    throw new PlatenError('setting/invalid', {
      name: '--duration',
      reason: `"${flags.duration}" is not an ISO 8601 duration`,
      hint: 'For example PT60S.',
    });
  }
  const rate = whole('--rate', flags.rate, 1_000_000) || 1;
  const plan = planFleet(
    readScenario(scenarioFile(flags.scenario)),
    whole('--printers', flags.printers, PRINTERS_MAX),
    whole('--seed', flags.seed, SEED_MAX),
  );
  if (flags.record !== undefined) {
    if (durationGiven === undefined) {
      throw new PlatenError('setting/invalid', {
        name: '--duration',
        reason: '--record needs to know how much virtual time to run',
        hint: 'For example --duration P30D.',
      });
    }
    await record(plan, durationGiven, flags.record);
    return;
  }
  const { folder } = flags;
  const fleet = startFleet({
    plan,
    url: flags.url,
    passwords: await passwordsFor(flags, plan),
    connectsPerSecond: rate,
    updater: flags.download ? createUpdater() : undefined,
    log: pino({ level: flags.verbose ? 'debug' : 'error' }, pino.destination(2)),
    ...(folder === undefined
      ? {}
      : {
          state: new FleetState(join(folder, 'printers.json')),
          folder: (printer: string) => join(folder, printer),
        }),
  });
  await watch(fleet, flags, durationGiven);
}

/** Writes what the fleet would log as JSON lines, in virtual time. */
async function record(plan: FleetPlan, durationGiven: number, file: string): Promise<void> {
  const handle = openSync(file, 'w');
  let waiting: string[] = [];
  const flush = () => {
    if (waiting.length > 0) writeSync(handle, `${waiting.join('\n')}\n`);
    waiting = [];
  };
  try {
    const entries = await recordLog({
      plan,
      durationMs: durationGiven,
      write: (line) => {
        if (waiting.push(line) >= RECORD_LINES) flush();
      },
    });
    flush();
    process.stderr.write(`${entries} entries of ${plan.printers.length} printers in ${file}\n`);
  } finally {
    closeSync(handle);
  }
}

export function command(): Command {
  return new Command('simulate')
    .description('run simulated printers against a broker: a scenario to look at, or load to measure')
    .option(
      '--printers <n>',
      'number of printers; populations keep their shares (default: as the scenario has them)',
    )
    .option('--scenario <file>', 'a scenario file, or the name of a built-in one', 'story')
    .option('--url <url>', 'the broker, mqtt:// or mqtts://', 'mqtt://127.0.0.1:1883')
    .addOption(
      new Option('--credentials <file>', 'passwords: {"<printer>":"<password>"}').conflicts([
        'password',
        'enrollAdmin',
      ]),
    )
    .addOption(
      secretOption('--password <password>', 'one password for all').conflicts(['credentials', 'enrollAdmin']),
    )
    .addOption(
      new Option(
        '--enroll-admin <file>',
        'enroll the printers with these credentials (admin.json)',
      ).conflicts(['credentials', 'password']),
    )
    .option('--seed <n>', 'same seed, same printers and chances (default: the scenario’s)')
    .option('--duration <duration>', 'how long, as ISO 8601 (PT60S); default: until Ctrl-C')
    .option('--rate <n>', 'new connections per second', '500')
    .option('--folder <folder>', 'keep structures, journals and downloads there')
    .option('--download', 'handle orders like a real printer: judge, download, verify (default: trust them)')
    .option(
      '--record <file>',
      'no broker: run --duration of virtual time and write the log as JSON lines for `platen rules test --log`',
    )
    .option('--json', 'the summary as one JSON object')
    .option('--verbose', 'log what every printer does, as JSON lines on stderr')
    .addHelpText(
      'after',
      `
Progress goes to stderr, the summary to stdout. Exit codes: 0 every printer connected,
1 bad input, ${NOT_ALL_CONNECTED} some printer never did. A broker with PLATEN_ACCESS=open needs no credentials.`,
    )
    .action((flags: SimulateFlags) => simulate(flags));
}
