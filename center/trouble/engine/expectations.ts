/**
 * Rule tests, like those of `promtool test rules`: they stand in the rule document and run before it is accepted. A
 * test replays a small log and lists exactly the troubles that it must open.
 */
import { PlatenError } from '../../../schemas/errors.ts';
import type { TroubleRules } from '../../../schemas/types.ts';
import { schemaFault } from '../../../schemas/validate.ts';
import { type CompiledRules, compileRules } from './compile.ts';
import type { InRange } from './context.ts';
import type { Diagnostic } from './diagnostics.ts';
import { Replay, ReplayError, type TroubleLine } from './replay.ts';
import { formatTime, parseMoment } from './time.ts';

export interface TestFailure {
  /** JSON pointer of the test in the document. */
  path: string;
  name: string;
  reason: string;
}

export interface TestReport {
  tests: number;
  failures: TestFailure[];
  /** Rules that no test caused to open a trouble. */
  uncovered: string[];
  /** Rules that opened a trouble in some test, and how often. */
  opened: Record<string, number>;
  diagnostics: Diagnostic[];
}

const ENTRIES_MAX = 10_000;
const TIMES = ['openedAt', 'closedAt'];

/**
 * Runs the tests of a document: `{name, log: [lines as in --log], at?, rules?, expect: [troubles]}`;
 * with `rules` only troubles of those rules are compared. An expected trouble
 * names the members that matter (`rule`, `printer`, `unit`, `openedAt`, `closedAt`, `severity`, `evidence`, `code` …);
 * times may have any offset. Troubles are compared in order of opening. A log line may leave out `log`, `seq` and
 * `severity`; their defaults are `test`, the place in the log, and `error`.
 */
export function runRuleTests(document: TroubleRules, inRange?: InRange): TestReport {
  const { rules, diagnostics, errors } = compileRules(document);
  const report: TestReport = {
    tests: 0,
    failures: [],
    uncovered: [],
    opened: Object.create(null) as Record<string, number>,
    diagnostics,
  };
  if (errors > 0) return report;
  const tests = (document.tests ?? []) as Record<string, unknown>[];
  tests.forEach((test, index) => {
    report.tests += 1;
    const name = typeof test['name'] === 'string' ? test['name'] : `test ${index + 1}`;
    const reason = runOne(rules, test, report.opened, inRange);
    if (reason !== undefined) report.failures.push({ path: `/tests/${index}`, name, reason });
  });
  report.uncovered = rules.rules.map(({ id }) => id).filter((id) => !Object.hasOwn(report.opened, id));
  return report;
}

/**
 * Checks rules before they are accepted: the schema, the compiler and their own tests.
 * @throws PlatenError rules/invalid
 */
export function checkRules(document: unknown, inRange?: InRange): TroubleRules {
  const fault = schemaFault('rules', document);
  if (fault !== undefined) throw new PlatenError('rules/invalid', { count: 1, reason: fault });
  const rules = document as TroubleRules;
  const { failures, diagnostics } = runRuleTests(rules, inRange);
  const wrong = diagnostics.filter(({ severity }) => severity === 'error');
  const [first] = wrong;
  if (first) {
    throw new PlatenError('rules/invalid', {
      count: wrong.length,
      reason: `${first.path}: ${first.message}`,
    });
  }
  const [failed] = failures;
  if (failed) {
    throw new PlatenError('rules/invalid', {
      count: failures.length,
      reason: `${failed.path} "${failed.name}" fails: ${failed.reason}`,
    });
  }
  return rules;
}

function runOne(
  rules: CompiledRules,
  test: Record<string, unknown>,
  opened: Record<string, number>,
  inRange: InRange | undefined,
): string | undefined {
  const { log, expect, at } = test;
  if (!Array.isArray(log) || log.length > ENTRIES_MAX)
    return `log must be an array of at most ${ENTRIES_MAX} lines`;
  if (!Array.isArray(expect)) return 'expect must be an array of troubles';
  const now = at === undefined ? undefined : parseMoment(at);
  if (now !== undefined && Number.isNaN(now)) return 'at must be an RFC 3339 time';
  const replay = new Replay(rules, inRange);
  for (const [index, line] of log.entries()) {
    try {
      replay.take(
        typeof line === 'object' && line !== null && !('structure' in line)
          ? { log: 'test', seq: index + 1, severity: 'error', ...line }
          : line,
      );
    } catch (error) {
      if (error instanceof ReplayError) return `log/${index}: ${error.message}`;
      throw error;
    }
  }
  const { rules: only } = test;
  if (only !== undefined && !Array.isArray(only)) return 'rules must be an array of rule ids';
  const found = replay
    .finish(now)
    .map(({ text }) => JSON.parse(text) as TroubleLine)
    .filter(({ rule }) => only === undefined || (only as unknown[]).includes(rule));
  for (const { rule } of found) opened[rule] = (opened[rule] ?? 0) + 1;
  const wanted = expect as Record<string, unknown>[];
  for (let index = 0; index < Math.max(found.length, wanted.length); index += 1) {
    const [have, want] = [found[index], wanted[index]];
    if (have === undefined) return `expect/${index}: ${JSON.stringify(want)} did not open`;
    if (want === undefined) return `a trouble that is not expected: ${JSON.stringify(have)}`;
    const wrong = Object.keys(want).find((name) => !agrees(name, want[name], have));
    if (wrong !== undefined) {
      const value = (have as unknown as Record<string, unknown>)[wrong];
      return `expect/${index}/${wrong}: ${JSON.stringify(want[wrong])} is expected, ${JSON.stringify(value ?? null)} was found`;
    }
  }
  return undefined;
}

function agrees(name: string, want: unknown, have: TroubleLine): boolean {
  const value = (have as unknown as Record<string, unknown>)[name] ?? null;
  if (TIMES.includes(name) && typeof want === 'string') {
    const time = parseMoment(want);
    return !Number.isNaN(time) && formatTime(time) === value;
  }
  return JSON.stringify(want) === JSON.stringify(value);
}
