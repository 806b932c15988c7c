/** `platen choose`: finds for every structure the best compatible set and the steps to it, offline. */
import type { Command } from 'commander';
import { type Budget, Memo } from '../../compatibility/index.ts';
import { PlatenError } from '../../schemas/errors.ts';
import { structureCommand } from '../structure-lines.ts';

const BUDGET_MS_DEFAULT = 10_000;
/** Distinct structures whose choice is cached. */
const CHOICES_REMEMBERED_MAX = 1_000;

function budgetOf(ms: number): Budget {
  const started_ms = performance.now();
  const spent = (): number => (performance.now() - started_ms) / ms;
  return { ms, spent, exhausted: () => spent() > 1 };
}

export function command(): Command {
  return structureCommand(
    'choose',
    'choose the best compatible set for every printer, and the steps to it: JSON lines in, JSON lines out',
    (catalog, flags) => {
      const ms = Number(flags['budget'] ?? BUDGET_MS_DEFAULT);
      if (!(ms > 0)) {
        const reason = 'it is not a number above 0';
        throw new PlatenError('setting/invalid', { name: '--budget', reason, hint: 'Give milliseconds.' });
      }
      const memo = new Memo(catalog, CHOICES_REMEMBERED_MAX);
      return ({ structure, options }) => ({
        ...memo.judge(structure),
        ...memo.choose(structure, options, budgetOf(ms)),
      });
    },
  )
    .option('--budget <ms>', 'time for one structure, in milliseconds', String(BUDGET_MS_DEFAULT))
    .addHelpText(
      'after',
      `
A line may hold "options": {
  "pins": {"engine:acme.engine": "<2.6"}, "require": {"acme.engine": ">=2.5"},
  "allowUnitReplacement": true, "allowDowngrade": true,
  "objective": "fewest-changes" or "upgrade", "staged": ["acme.engine@2.7.0"] }
Semantics: docs/reference/compatibility.md`,
    );
}
