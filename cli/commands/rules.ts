/** `platen rules test`: replays a log through trouble rules, with no server. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { type Compilation, compileRules } from '../../center/trouble/index.ts';
import { Replay, ReplayError, troubleLine } from '../../center/trouble/replay.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { TroubleRules } from '../../schemas/types.ts';
import { eachLine } from '../json-lines.ts';

interface TestOptions {
  rules: string;
  log?: string;
  json?: boolean;
}

function readRules(path: string): Compilation {
  let document: TroubleRules;
  try {
    document = JSON.parse(readFileSync(path, 'utf8')) as TroubleRules;
  } catch (error) {
    throw new Error(`${path}: ${reasonOf(error)}`);
  }
  const compilation = compileRules(document);
  for (const { path: where, severity, message } of compilation.diagnostics) {
    process.stderr.write(`${path}: ${severity} at ${where}: ${message}\n`);
  }
  if (compilation.errors > 0) throw new Error(`${path}: ${compilation.errors} errors in the rules`);
  return compilation;
}

async function test(options: TestOptions): Promise<void> {
  const { rules } = readRules(options.rules);
  if (options.log === undefined) return;
  const { log } = options;
  const replay = new Replay(rules);
  await eachLine(log, (line, number) => {
    try {
      replay.take(JSON.parse(line));
    } catch (error) {
      if (error instanceof ReplayError || error instanceof SyntaxError) {
        throw new Error(`${log}: line ${number}: ${error.message}`);
      }
      throw error;
    }
  });
  const views = replay.finish();
  let out = '';
  for (const view of views) {
    out += `${JSON.stringify(troubleLine(view))}\n`;
    if (out.length > 1 << 16) {
      process.stdout.write(out);
      out = '';
    }
  }
  process.stdout.write(out);
}

export function command(): Command {
  const rules = new Command('rules').description('Trouble rules: what the error logs mean.');
  rules
    .command('test')
    .description(
      'Replays a log of JSON lines through rules and prints the troubles, in order of their opening.',
    )
    .requiredOption('--rules <file>', 'the rule document')
    .option('--log <file>', 'JSON lines: entries with printer and log, structures ("-": standard input)')
    .option('--json', 'end with one JSON object of counts')
    .action(test);
  return rules;
}
