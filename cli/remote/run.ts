/** Runs a command that asks a center: opens the way, and closes it whatever happens. */
import type { Command } from 'commander';
import type { Door } from './door.ts';
import { addDoorOptions, openDoor } from './open-door.ts';

/** Gives a command the options for a center, and its work the way there. */
export function asking<Flags>(
  command: Command,
  work: (door: Door, given: { args: string[]; flags: Flags; name: string }) => Promise<void>,
): Command {
  addDoorOptions(command);
  return command.action(async () => {
    const options = command.opts();
    const { door, name, close } = await openDoor(options, process.env);
    try {
      await work(door, { args: command.processedArgs.flat() as string[], flags: options as Flags, name });
    } finally {
      await close();
    }
  });
}
