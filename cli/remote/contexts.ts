/**
 * Contexts: the centers somebody has signed in to, each with a token, in `contexts.json` in the user's configuration
 * folder (XDG Base Directory). The file is for its owner only.
 */
import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeWholeSync } from '../../files/whole-file.ts';
import { reasonOf } from '../../schemas/errors.ts';
import { didYouMean } from '../../schemas/nearest-name.ts';
import { CommandFailure, EXIT } from './exits.ts';

export interface Context {
  /** Where the center's HTTP listens, without a slash at its end. */
  url: string;
  user: string;
  role: string;
  token: string;
  /** Identifies the token, so that it can be revoked at the next sign-in. */
  tokenId: string;
  expires?: string;
}

export interface Contexts {
  /** The one that is used when none is named. */
  current?: string;
  contexts: Record<string, Context>;
}

export function contextsFile(env: NodeJS.ProcessEnv): string {
  const folder = env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  return join(folder, 'platen', 'contexts.json');
}

/** @throws CommandFailure when the file is damaged or others can read it */
export function readContexts(env: NodeJS.ProcessEnv): Contexts {
  const file = contextsFile(env);
  let text: string;
  try {
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: {} };
    throw new CommandFailure(EXIT.failed, `${file} can't be read: ${reasonOf(error)}`);
  }
  try {
    const parsed = JSON.parse(text) as Partial<Contexts>;
    if (typeof parsed.contexts !== 'object' || parsed.contexts === null)
      throw new Error('it has no contexts');
    return { ...parsed, contexts: parsed.contexts };
  } catch (error) {
    throw new CommandFailure(
      EXIT.failed,
      `${file} is damaged: ${reasonOf(error)}`,
      `Delete it and sign in again: platen login URL`,
    );
  }
}

export function writeContexts(env: NodeJS.ProcessEnv, contexts: Contexts): void {
  const file = contextsFile(env);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeWholeSync(file, `${JSON.stringify(contexts, undefined, 2)}\n`, { mode: 0o600 });
}

/**
 * The context to use.
 * @param asked from `--context` or PLATEN_CONTEXT
 * @returns undefined when there is none: then the data folder says where the center is
 * @throws CommandFailure when a named one doesn't exist
 */
export function chosenContext(
  { current, contexts }: Contexts,
  asked: string | undefined,
): { name: string; context: Context } | undefined {
  const name = asked ?? current;
  if (name === undefined) return undefined;
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (context) return { name, context };
  throw new CommandFailure(
    EXIT.usage,
    `There is no context "${name}"${didYouMean(name, Object.keys(contexts))}`,
    'platen context list shows them; platen login URL adds one.',
  );
}
