/** `platen choose`: finds for every structure the best set that fits and the steps to it, offline. */
import type { Command } from 'commander';
import { type Budget, choose, judge } from '../../center/compatibility/index.ts';
import { PlatenError } from '../../schemas/errors.ts';
import { structureCommand } from '../structure-lines.ts';

const BUDGET_MS_DEFAULT = 10_000;

function budgetOf(ms: number): Budget {
  const until = performance.now() + ms;
  return { ms, exhausted: () => performance.now() > until };
}

export function command(): Command {
  return structureCommand(
    'choose',
    'Choose for every printer the best set that fits, and the steps to it: JSON lines in, JSON lines out.',
    (catalog, flags) => {
      const ms = Number(flags['budget'] ?? BUDGET_MS_DEFAULT);
      if (!(ms > 0))
        throw new PlatenError('setting/invalid', {
          name: '--budget',
          reason: 'not a number above 0',
          hint: 'Give milliseconds.',
        });
      return (line) => ({
        ...judge(catalog, line.structure),
        ...choose(catalog, line.structure, line.options, budgetOf(ms)),
      });
    },
  ).option('--budget <ms>', 'time for one structure, in milliseconds', String(BUDGET_MS_DEFAULT));
}
