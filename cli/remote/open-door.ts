/**
 * Opens the way to a center for a command: by `--context` or PLATEN_CONTEXT, else by a data folder that is named, else the current
 * context, else the default data folder of a Platen on this machine.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { runningOn } from '../data-folder.ts';
import { readCredentials } from '../operator-client.ts';
import { addSettings, readSettings } from '../settings.ts';
import { chosenContext, readContexts } from './contexts.ts';
import { Door } from './door.ts';
import { CommandFailure, EXIT } from './exits.ts';

/** Options of every command that asks a center. */
export function addDoorOptions(command: Command): Command {
  command.option('--context <name>', 'the center to ask; see "platen context"');
  addSettings(command, ['data', 'host', 'httpPort']);
  return command;
}

/** A way to a center, and how to leave it. */
export interface OpenDoor {
  door: Door;
  /** What to call it in messages. */
  name: string;
  close(): Promise<void>;
}

/**
 * @param options of the command
 * @throws CommandFailure, PlatenError
 */
export async function openDoor(options: Record<string, unknown>, env: NodeJS.ProcessEnv): Promise<OpenDoor> {
  const asked = (options['context'] as string | undefined) ?? env['PLATEN_CONTEXT'];
  const settings = readSettings(options, env);
  const admin = join(settings.data, 'admin.json');
  // Who names a data folder means the Platen that runs on it.
  const folderNamed = options['data'] !== undefined || env['PLATEN_DATA'] !== undefined;
  const chosen = asked === undefined && folderNamed ? undefined : chosenContext(readContexts(env), asked);
  if (chosen) {
    const { context, name } = chosen;
    return { door: new Door(context.url, { token: context.token }), name, close: async () => undefined };
  }
  if (!existsSync(admin)) {
    throw new CommandFailure(
      EXIT.usage,
      `There is no context, and no Platen has run on ${settings.data}.`,
      'Sign in with "platen login URL", or name the data folder with --data.',
    );
  }
  const url = runningOn(settings.data)?.addresses?.['http'] ?? `http://${settings.host}:${settings.httpPort}`;
  const { username, password } = readCredentials(admin);
  const door = await Door.signIn(url, username, password);
  return { door, name: url, close: () => door.signOut() };
}
