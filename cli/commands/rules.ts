/** `platen rules test`: runs the tests that stand beside trouble rules, and replays a log through them; no server. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { runRuleTests, type TestReport } from '../../center/trouble/expectations.ts';
import { type CompiledRules, compileRules } from '../../center/trouble/index.ts';
import { Replay, ReplayError, type TroubleLine, troubleLine } from '../../center/trouble/replay.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { TroubleRules } from '../../schemas/types.ts';
import { eachLine } from '../json-lines.ts';

interface TestOptions {
  rules: string;
  log?: string;
  expect?: string;
  json?: boolean;
}

const OUTPUT_CHUNK = 1 << 16;

function readRules(path: string): { document: TroubleRules; rules: CompiledRules } {
  let document: TroubleRules;
  try {
    document = JSON.parse(readFileSync(path, 'utf8')) as TroubleRules;
  } catch (error) {
    throw new Error(`${path}: ${reasonOf(error)}`);
  }
  const { rules, diagnostics, errors } = compileRules(document);
  for (const { path: where, severity, message } of diagnostics) {
    process.stderr.write(`${path}: ${severity} at ${where}: ${message}\n`);
  }
  if (errors > 0) throw new Error(`${path}: ${errors} errors in the rules`);
  return { document, rules };
}

async function replayLog(
  rules: CompiledRules,
  path: string,
): Promise<{ replay: Replay; lines: TroubleLine[] }> {
  const replay = new Replay(rules);
  await eachLine(path, (line, number) => {
    try {
      replay.take(JSON.parse(line));
    } catch (error) {
      if (error instanceof ReplayError || error instanceof SyntaxError) {
        throw new Error(`${path}: line ${number}: ${error.message}`);
      }
      throw error;
    }
  });
  return { replay, lines: replay.finish().map(troubleLine) };
}

async function print(lines: TroubleLine[]): Promise<void> {
  let out = '';
  const flush = () => new Promise<void>((resolve) => process.stdout.write(out, () => resolve()));
  for (const line of lines) {
    out += `${JSON.stringify(line)}\n`;
    if (out.length > OUTPUT_CHUNK) {
      await flush();
      out = '';
    }
  }
  if (out !== '') await flush();
}

/** Compares troubles with the expected ones, line by line; says in words what differs. */
async function differences(path: string, lines: TroubleLine[]): Promise<string[]> {
  const wanted: string[] = [];
  await eachLine(path, (line) => wanted.push(JSON.stringify(JSON.parse(line))));
  const found = lines.map((line) => JSON.stringify(line));
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
    process.stderr.write(`${path}: ${where} "${name}" FAILS: ${reason}\n`);
  }
  const passed = report.tests - report.failures.length;
  process.stderr.write(`${path}: ${passed} of ${report.tests} tests passed\n`);
  if (report.uncovered.length > 0) {
    process.stderr.write(`${path}: no test opens a trouble of ${report.uncovered.join(', ')}\n`);
  }
}

async function test(options: TestOptions): Promise<void> {
  const { document, rules } = readRules(options.rules);
  const report = runRuleTests(document);
  tellTests(options.rules, report);
  const summary: Record<string, unknown> = {
    rules: rules.rules.length,
    tests: report.tests,
    failed: report.failures,
    uncovered: report.uncovered,
  };
  let wrong = report.failures.map(({ reason }) => reason);
  if (options.log !== undefined) {
    const { replay, lines } = await replayLog(rules, options.log);
    await print(lines);
    if (options.expect !== undefined) {
      const differing = await differences(options.expect, lines);
      for (const one of differing) process.stderr.write(`${one}\n`);
      wrong = wrong.concat(differing);
    }
    const opened: Record<string, number> = Object.fromEntries(rules.rules.map(({ id }) => [id, 0]));
    for (const { rule } of lines) opened[rule] = (opened[rule] ?? 0) + 1;
    Object.assign(summary, {
      entries: replay.entries,
      structures: replay.structures,
      late: replay.engine.late,
      troubles: lines.length,
      opened,
    });
    if (replay.engine.late > 0) {
      process.stderr.write(
        `${options.log}: ${replay.engine.late} times an entry came later than its rule allows\n`,
      );
    }
  }
  if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  if (wrong.length > 0) process.exitCode = 1;
}

export function command(): Command {
  const rules = new Command('rules').description('Trouble rules: what the error logs mean.');
  rules
    .command('test')
    .description(
      'Runs the tests beside the rules, replays a log of JSON lines and prints the troubles in order of their opening.',
    )
    .requiredOption('--rules <file>', 'the rule document')
    .option('--log <file>', 'JSON lines: entries with printer and log, structures ("-": standard input)')
    .option('--expect <file>', 'JSON lines: the troubles that --log must give')
    .option('--json', 'end with one JSON object of counts and coverage')
    .action(test);
  return rules;
}
