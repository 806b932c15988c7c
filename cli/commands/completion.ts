/**
 * `platen completion bash|zsh|fish`: a script for the shell. The script asks `platen complete WORDS…` at each Tab, which
 * answers from the commands themselves, and with names of printers from the center in use.
 */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Argument, Command } from 'commander';
import { writeWholeSync } from '../../files/whole-file.ts';
import { contextsFile } from '../remote/contexts.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { openDoor } from '../remote/open-door.ts';

/** How long names of printers are kept, in ms, and how many. */
const NAMES_KEPT_MS = 60_000;
const NAMES_MAX = 1_000;

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_platen() {
  local IFS=$'\\n'
  COMPREPLY=( $(platen complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) )
}
complete -o default -F _platen platen
`,
  zsh: `#compdef platen
_platen() {
  local -a found
  found=("\${(@f)$(platen complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- $found
}
compdef _platen platen
`,
  fish: `complete -c platen -f -a '(platen complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
};

/** The names of printers, from the center or as they were a minute ago. */
async function printerNames(): Promise<string[]> {
  const file = join(
    dirname(contextsFile(process.env)),
    `printers-${process.env['PLATEN_CONTEXT'] ?? 'current'}.json`,
  );
  try {
    if (Date.now() - statSync(file).mtimeMs < NAMES_KEPT_MS)
      return JSON.parse(readFileSync(file, 'utf8')) as string[];
  } catch {
    // There is none yet.
  }
  const { door, close } = await openDoor({}, process.env);
  try {
    const { items } = await door.call('printers.list', { limit: NAMES_MAX });
    const names = (items as { printer: string }[]).map(({ printer }) => printer);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeWholeSync(file, JSON.stringify(names), { synced: false });
    return names;
  } finally {
    await close();
  }
}

const namesPrinters = (argument: Argument | undefined): boolean => /^printers?$/.test(argument?.name() ?? '');

/**
 * What may follow.
 * @param words after `platen`; the last one is being typed
 * @param find loads a command by its name
 */
export async function completions(
  words: readonly string[],
  commands: readonly string[],
  find: (name: string) => Promise<Command | undefined>,
  printers: () => Promise<string[]>,
): Promise<string[]> {
  const typed = words.at(-1) ?? '';
  const [first, ...rest] = words.slice(0, -1);
  const match = (names: readonly string[]) => names.filter((name) => name.startsWith(typed));
  if (first === undefined) return match(commands);
  let command = await find(first);
  let given = 0;
  for (const word of rest) {
    const next = command?.commands.find((each) => each.name() === word);
    if (next) {
      command = next;
      given = 0;
    } else if (!word.startsWith('-')) given += 1;
  }
  if (!command) return [];
  if (typed.startsWith('-')) return match(command.options.flatMap(({ long }) => (long ? [long] : [])));
  if (command.commands.length > 0) return match(command.commands.map((each) => each.name()));
  const { registeredArguments } = command;
  const argument = registeredArguments[Math.min(given, registeredArguments.length - 1)];
  return namesPrinters(argument) || words.at(-2) === '--printer' ? match(await printers()) : [];
}

export function completionCommand(): Command {
  return new Command('completion')
    .description('print a script that completes commands, options and names of printers at Tab')
    .argument('<shell>', 'bash: platen completion bash > /etc/bash_completion.d/platen; zsh, fish')
    .action((shell: string) => {
      const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
      if (script === undefined) {
        throw new CommandFailure(
          EXIT.usage,
          `There is no completion for "${shell}".`,
          'There is one for bash, zsh and fish.',
        );
      }
      process.stdout.write(script);
    });
}

/** Used by the scripts. A fault is silence: nobody wants one at Tab. */
export function completeCommand(
  commands: readonly string[],
  find: (name: string) => Promise<Command | undefined>,
): Command {
  return new Command('complete')
    .description('answer the shell at Tab (see completion)')
    .argument('[words...]')
    .action(async (words: string[]) => {
      const found = await completions(words, commands, find, () => printerNames().catch(() => []));
      for (const each of found) process.stdout.write(`${each}\n`);
    });
}
