/** Asks before something that touches more than one printer, or can't be undone. */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { warn } from '../terminal.ts';

export interface ConfirmFlags {
  yes?: boolean;
  dryRun?: boolean;
}

/** The options of a command that asks. @param dryRun what `--dry-run` does instead */
export function addConfirmOptions(command: Command, dryRun: string): Command {
  return command.option('--yes', "don't ask").option('--dry-run', dryRun);
}

/**
 * @param what will happen, with its count
 * @returns false for a dry run, which ends here
 * @throws CommandFailure when somebody says no, or nobody is there to ask
 */
export async function confirmed(what: string, { yes, dryRun }: ConfirmFlags): Promise<boolean> {
  if (dryRun) {
    warn(`${what}\nNothing was changed (--dry-run).`);
    return false;
  }
  if (yes) return true;
  if (!process.stdin.isTTY) {
    throw new CommandFailure(
      EXIT.notConfirmed,
      what,
      'Nobody is there to ask: --yes confirms it, --dry-run only shows it.',
    );
  }
  warn(what);
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await reader.question('Go on? [y/N] ');
    if (/^y(es)?$/i.test(answer.trim())) return true;
  } finally {
    reader.close();
  }
  throw new CommandFailure(EXIT.notConfirmed, 'Nothing was changed.');
}
