/** `platen rules`: runs the tests beside trouble rules and replays a log through them without a server; puts rules in force. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { runRuleTests, type TestReport } from '../../center/trouble/engine/expectations.ts';
import { type CompiledRules, compileRules } from '../../center/trouble/engine/index.ts';
import { type FinishedLine, Replay, ReplayError } from '../../center/trouble/engine/replay.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { TroubleRules } from '../../schemas/types.ts';
import { eachLine } from '../json-lines.ts';
import { addDocumentCommands } from './documents.ts';

interface TestOptions {
  rules: string;
  log?: string;
  expect?: string;
  json?: boolean;
}

const OUTPUT_CHARACTERS = 1 << 16;
/** How often progress through a long log is shown. */
const PROGRESS_MS = 5_000;
const PROGRESS_LINES = 10_000;
/** A test or an expectation failed, or the input can't be read or parsed (wire contract, process). */
const EXIT_FAILED = 1;

/** Input that can't be used. */
class Unusable extends Error {}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

function readRules(path: string): { document: TroubleRules; rules: CompiledRules } {
  let document: TroubleRules;
  try {
    document = JSON.parse(readFileSync(path, 'utf8')) as TroubleRules;
  } catch (error) {
    throw new Unusable(`${path}: ${reasonOf(error)}`);
  }
  const { rules, diagnostics, errors } = compileRules(document);
  for (const { path: where, severity, message } of diagnostics) {
    tell(`${path}: ${severity} at ${where}: ${message}`);
  }
  if (errors > 0) throw new Unusable(`${path}: ${errors} errors in the rules`);
  return { document, rules };
}

/** The parsed lines of a file. @throws Unusable with the number of a line that isn't JSON or that `take` refuses */
async function eachJsonLine(path: string, take: (value: unknown, number: number) => void): Promise<void> {
  try {
    await eachLine(path, (line, number) => {
      try {
        take(JSON.parse(line), number);
      } catch (error) {
        if (!(error instanceof ReplayError || error instanceof SyntaxError)) throw error;
        throw new Unusable(`${path}: line ${number}: ${error.message}`);
      }
    });
  } catch (error) {
    if (error instanceof Unusable) throw error;
    throw new Unusable(`${path}: ${reasonOf(error)}`);
  }
}

interface Replayed {
  replay: Replay;
  lines: FinishedLine[];
  seconds: number;
}

async function replayLog(rules: CompiledRules, path: string): Promise<Replayed> {
  const replay = new Replay(rules);
  const started = performance.now();
  let told = started;
  let firstLate: number | undefined;
  let firstSetBack: number | undefined;
  await eachJsonLine(path, (value, number) => {
    replay.take(value);
    if (firstSetBack === undefined && replay.engine.setBack > 0) firstSetBack = number;
    if (firstLate === undefined && replay.engine.late > 0) firstLate = number;
    if (number % PROGRESS_LINES !== 0) return;
    const now = performance.now();
    if (now - told < PROGRESS_MS) return;
    told = now;
    tell(`${path}: ${number} lines, ${Math.round(number / ((now - started) / 1000))} a second`);
  });
  const lines = replay.finish();
  const { late, crowded, setBack } = replay.engine;
  const seconds = (performance.now() - started) / 1000;
  tell(
    `${path}: ${replay.entries} entries${replay.readings > 0 ? `, ${replay.readings} readings` : ''} and ${replay.structures} structures in ${seconds.toFixed(1)} s ` +
      `(${Math.round(replay.entries / seconds)} entries a second), ${lines.length} troubles`,
  );
  if (late > 0) {
    tell(
      `${path}: ${late} times an entry came later than its rule allows and was left out, first in line ${firstLate}`,
    );
  }
  if (setBack > 0) {
    tell(
      `${path}: ${setBack} times a printer's clock was set back by hours, first in line ${firstSetBack}: ` +
        'what it had dated later was left out',
    );
  }
  if (crowded > 0) tell(`${path}: ${crowded} times an entry was left out because of too many keys`);
  return { replay, lines, seconds };
}

async function print(lines: Iterable<string>): Promise<void> {
  const { stdout } = process;
  let closed = false;
  const failed = (error: NodeJS.ErrnoException): void => {
    // The reader may close the pipe early (`| head`): not an error.
    if (error.code !== 'EPIPE') throw error;
    closed = true;
  };
  stdout.on('error', failed);
  const write = async (text: string): Promise<void> => {
    if (!stdout.write(text) && !closed) await Promise.race([once(stdout, 'drain'), once(stdout, 'close')]);
  };
  let gathered = '';
  for (const line of lines) {
    gathered += `${line}\n`;
    if (gathered.length < OUTPUT_CHARACTERS) continue;
    if (closed) return;
    await write(gathered);
    gathered = '';
  }
  if (gathered !== '' && !closed) await write(gathered);
}

/** Compares troubles with the expected ones line by line and describes the differences. */
async function differences(path: string, found: string[]): Promise<string[]> {
  const wanted: string[] = [];
  await eachJsonLine(path, (value) => wanted.push(JSON.stringify(value)));
  const wrong: string[] = [];
  for (let index = 0; index < Math.max(wanted.length, found.length); index += 1) {
    if (wanted[index] === found[index]) continue;
    wrong.push(
      `${path}: trouble ${index + 1}: ${wanted[index] ?? 'none'} is expected, ${found[index] ?? 'none'} was found`,
    );
  }
  return wrong;
}

function tellTests(path: string, report: TestReport): void {
  if (report.tests === 0) return;
  for (const { path: where, name, reason } of report.failures) {
    tell(`${path}: ${where} "${name}" FAILS: ${reason}`);
  }
  const passed = report.tests - report.failures.length;
  tell(`${path}: ${passed} of ${report.tests} tests passed`);
  if (report.uncovered.length > 0) {
    tell(`${path}: no test opens a trouble of ${report.uncovered.join(', ')}`);
  }
}

async function run(options: TestOptions): Promise<void> {
  const { document, rules } = readRules(options.rules);
  const report = runRuleTests(document);
  tellTests(options.rules, report);
  const summary: Record<string, unknown> = {
    rules: rules.rules.length,
    tests: report.tests,
    failed: report.failures,
    uncovered: report.uncovered,
  };
  let wrong = report.failures.length;
  if (options.log !== undefined) {
    const { replay, lines, seconds } = await replayLog(rules, options.log);
    await print(textsOf(lines));
    if (options.expect !== undefined) {
      const differing = await differences(options.expect, [...textsOf(lines)]);
      for (const one of differing) tell(one);
      wrong += differing.length;
    }
    const opened: Record<string, number> = Object.fromEntries(rules.rules.map(({ id }) => [id, 0]));
    for (const { rule } of lines) opened[rule] = (opened[rule] ?? 0) + 1;
    Object.assign(summary, {
      entries: replay.entries,
      structures: replay.structures,
      readings: replay.readings,
      late: replay.engine.late,
      crowded: replay.engine.crowded,
      setBack: replay.engine.setBack,
      entries_per_s: Math.round(replay.entries / seconds),
      troubles: lines.length,
      opened,
    });
  }
  if (options.json) await print([JSON.stringify(summary)]);
  if (wrong > 0) process.exitCode = EXIT_FAILED;
}

function* textsOf(lines: FinishedLine[]): Generator<string> {
  for (const { text } of lines) yield text;
}

async function test(options: TestOptions): Promise<void> {
  try {
    await run(options);
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    tell(`platen: ${error.message}`);
    process.exitCode = EXIT_FAILED;
  }
}

export function command(): Command {
  const rules = new Command('rules').description('test trouble rules, or put them in force');
  rules
    .command('test')
    .description(
      'Runs the tests beside the rules, replays a log of JSON lines and prints the troubles in order of their opening.',
    )
    .requiredOption('--rules <file>', 'the rule document')
    .option(
      '--log <file>',
      'JSON lines: entries with printer and log, readings, structures ("-": standard input)',
    )
    .option('--expect <file>', 'JSON lines: the troubles that --log must give')
    .option('--json', 'end with one JSON object of counts and coverage')
    .action(test);
  return addDocumentCommands(rules, 'rules');
}
