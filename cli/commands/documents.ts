/** The catalog and the rules in force: `platen catalog get|diff|impact|put`, `platen rules get|put`. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { reasonOf } from '../../schemas/errors.ts';
import { parseJson } from '../../schemas/json.ts';
import type { Door, Row } from '../remote/door.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { openDoor } from '../remote/open-door.ts';
import { asking } from '../remote/run.ts';
import { addConfirmOptions, type ConfirmFlags, confirmed } from '../show/confirm.ts';
import { changesBetween } from '../show/document-changes.ts';
import { addOutputOptions, type OutputFlags, printTable } from '../show/output.ts';
import { print, printJson, warn } from '../terminal.ts';

/** @throws CommandFailure */
function readDocument(file: string): Row {
  try {
    return parseJson(readFileSync(file === '-' ? 0 : file, 'utf8')) as Row;
  } catch (error) {
    throw new CommandFailure(EXIT.usage, `${file === '-' ? 'standard input' : file}: ${reasonOf(error)}`);
  }
}

/** Members of each document by which its parts are known. */
const PARTS = {
  catalog: [
    ['software', 'id'],
    ['apparatus', 'model'],
    ['units', 'model'],
  ],
  rules: [['list', 'id']],
} as const;

function getCommand(kind: 'catalog' | 'rules'): Command {
  const get = addOutputOptions(new Command('get').description(`print the ${kind} in force`));
  return asking<OutputFlags>(get, async (door, { flags }) => {
    const { document, ...rest } = await door.call(`${kind}.get`);
    if (flags.json) printJson({ ...rest, document });
    else {
      printJson(document, 2);
      warn(`Revision ${rest['revision']}, put by ${rest['by']} at ${rest['at']}.`);
    }
  });
}

/** The document in force; empty before the first one. */
async function inForce(door: Door, kind: 'catalog' | 'rules'): Promise<Row> {
  try {
    return ((await door.call(`${kind}.get`))['document'] ?? {}) as Row;
  } catch (error) {
    if (error instanceof CommandFailure && /not-found/.test(error.message)) return {};
    throw error;
  }
}

function diffCommand(kind: 'catalog' | 'rules'): Command {
  const diff = addOutputOptions(
    new Command('diff')
      .description(`show how a ${kind} differs from the one in force; exits with 6 when it doesn't`)
      .argument('<file>', 'a JSON document; - for standard input'),
  );
  return asking<OutputFlags>(diff, async (door, { args: [file = ''], flags }) => {
    const changes = changesBetween(await inForce(door, kind), readDocument(file), PARTS[kind]);
    if (flags.json) for (const change of changes) printJson(change);
    else
      for (const { what, part, name, detail } of changes)
        print(
          `${what === 'added' ? '+' : what === 'removed' ? '-' : '~'} ${part} ${name}${detail ? `: ${detail}` : ''}`,
        );
    if (changes.length === 0) {
      warn('Nothing differs.');
      process.exitCode = EXIT.nothingToDo;
    }
  });
}

function showImpact(impact: Row): void {
  warn(
    `${impact['changed']} of ${impact['printers']} printers are judged otherwise; ${impact['misfits']} become misfits.`,
  );
  const transitions = (impact['transitions'] ?? []) as Row[];
  if (transitions.length > 0) {
    printTable(
      [
        { name: 'printers', kind: 'number' },
        { name: 'from', kind: 'state' },
        { name: 'to', kind: 'state' },
        { name: 'examples' },
      ],
      transitions,
    );
  }
  const rules = (impact['rules'] ?? []) as Row[];
  if (rules.length > 0) {
    printTable(
      [
        { name: 'printers', kind: 'number' },
        { name: 'change', kind: 'state' },
        { name: 'rule', narrowest: 16 },
        { name: 'examples' },
      ],
      rules,
    );
  }
}

/** `catalog impact FILE`: what the center says of a catalog. */
export async function impactAtCenter(file: string, flags: OutputFlags, options: Row): Promise<void> {
  const document = readDocument(file);
  const { door, close } = await openDoor(options, process.env);
  try {
    const impact = await door.call('catalog.impact', { document });
    if (flags.json) printJson(impact);
    else showImpact(impact);
  } finally {
    await close();
  }
}

function putCommand(kind: 'catalog' | 'rules'): Command {
  const put = addOutputOptions(
    new Command('put')
      .description(`put a ${kind} in force, after what it changes was shown`)
      .argument('<file>', 'a JSON document; - for standard input'),
  );
  addConfirmOptions(put, 'only show what would change');
  if (kind === 'catalog')
    put.option('--expect <printers>', 'the corrections of so many misfits need no further approval');
  return asking<ConfirmFlags & OutputFlags & { expect?: string }>(
    put,
    async (door, { args: [file = ''], flags }) => {
      const document = readDocument(file);
      const changes = changesBetween(await inForce(door, kind), document, PARTS[kind]);
      let what =
        changes.length === 0 ? 'It says the same as the one in force.' : `${changes.length} parts change.`;
      if (kind === 'catalog') {
        const impact = await door.call('catalog.impact', { document });
        if (!flags.json) showImpact(impact);
        what = `${what} ${impact['misfits']} printers become misfits.`;
      }
      if (!(await confirmed(what, flags))) return;
      const expect = flags.expect === undefined ? {} : { expect: { printers: Number(flags.expect) } };
      const done = await door.call(`${kind}.put`, { document, ...expect });
      for (const { path, severity, message } of (done['diagnostics'] ?? []) as Row[])
        warn(`${severity}: ${path}: ${message}`);
      if (flags.json) return printJson(done);
      const waits =
        done['corrections'] === 'propose'
          ? ' Its corrections wait for approval: platen campaigns list --state proposed'
          : '';
      warn(`Revision ${done['revision']} is in force.${waits}`);
    },
  );
}

/** Adds what asks a center to `platen catalog` and `platen rules`. */
export function addDocumentCommands(command: Command, kind: 'catalog' | 'rules'): Command {
  command.addCommand(getCommand(kind));
  command.addCommand(diffCommand(kind));
  command.addCommand(putCommand(kind));
  return command;
}
