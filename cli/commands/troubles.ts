/** `platen troubles`: what is wrong in the fleet, and who looks after it. */
import { Command } from 'commander';
import type { Row } from '../remote/door.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { asking } from '../remote/run.ts';
import type { Column } from '../show/columns.ts';
import {
  addListOptions,
  addOutputOptions,
  type ListFlags,
  type OutputFlags,
  printList,
  printValues,
  rowsMax,
} from '../show/output.ts';
import { timeFrom } from '../show/typed-time.ts';
import { print, printJson, warn } from '../terminal.ts';

const COLUMNS: readonly Column[] = [
  { name: 'severity', usual: true, kind: 'state' },
  { name: 'printer', usual: true, narrowest: 12 },
  { name: 'rule', usual: true },
  { name: 'title', usual: true, narrowest: 16 },
  { name: 'state', usual: true, kind: 'state' },
  { name: 'openedAt', usual: true, kind: 'time' },
  { name: 'owner', usual: true },
  { name: 'id', usual: true, kind: 'state' },
  { name: 'unit' },
  { name: 'count', kind: 'number' },
  { name: 'acknowledged' },
  { name: 'snoozed' },
  { name: 'explanation' },
  { name: 'note' },
  { name: 'closedAt', kind: 'time' },
];

const GROUP_COLUMNS: readonly Column[] = [
  { name: 'troubles', usual: true, kind: 'number' },
  { name: 'printers', usual: true, kind: 'number' },
  { name: 'rule', usual: true },
  { name: 'site', usual: true },
  { name: 'title', usual: true, narrowest: 16 },
  { name: 'severities', usual: true },
  { name: 'newest', usual: true, kind: 'time' },
  { name: 'oldest', kind: 'time' },
  { name: 'example' },
];

interface TroublesFlags extends ListFlags {
  where?: string;
  printer?: string;
  rule?: string;
  state?: string;
  ended?: boolean;
  group?: string;
}

function listCommand(): Command {
  const list = new Command('list')
    .description('list troubles: the open ones, the newest first')
    .option('--where <filter>', 'only those of printers that match, such as "site=Oslo"')
    .option('--printer <name>', 'only those of one printer')
    .option('--rule <id>', 'only those of one rule')
    .option('--state <state>', 'open, escalated, cured, cleared or closed')
    .option('--ended', 'also those that are over')
    .option('--group <fields>', 'counts instead of single troubles: rule, site or rule,site');
  addListOptions(list, COLUMNS);
  return asking<TroublesFlags>(list, async (door, { flags }) => {
    const params = {
      ...(flags.where ? { where: flags.where } : {}),
      ...(flags.printer ? { printer: flags.printer } : {}),
      ...(flags.rule ? { rule: flags.rule } : {}),
      ...(flags.state ? { state: flags.state } : flags.ended ? {} : { open: true }),
    };
    if (flags.group) {
      const { groups } = await door.call('troubles.list', { ...params, groupBy: flags.group.split(',') });
      const items = (groups ?? []) as Row[];
      await printList(GROUP_COLUMNS, one(items), { ...flags, all: true }, 'Nothing is wrong.');
      return;
    }
    await printList(COLUMNS, door.pages('troubles.list', params, rowsMax(flags)), flags, 'Nothing is wrong.');
  });
}

async function* one(items: Row[]): AsyncGenerator<{ items: Row[]; page: Row }> {
  yield { items, page: {} };
}

function getCommand(): Command {
  const get = addOutputOptions(
    new Command('get')
      .description('show one trouble, with its evidence')
      .argument('<id>')
      .requiredOption('--printer <name>', 'its printer'),
  );
  return asking<OutputFlags & { printer: string }>(get, async (door, { args: [id = ''], flags }) => {
    for await (const { items } of door.pages('troubles.list', { printer: flags.printer })) {
      const found = items.find((each) => each['id'] === id);
      if (!found) continue;
      if (flags.json) return printJson(found);
      const { evidence, remedy, ...rest } = found;
      printValues(
        Object.entries(rest).map(
          ([name, value]) =>
            [
              name,
              value,
              /At$/.test(name) ? 'time' : name === 'state' || name === 'severity' ? 'state' : 'text',
            ] as const,
        ),
        flags.utc,
      );
      if (remedy !== undefined) print(`remedy  ${JSON.stringify(remedy)}`);
      for (const each of (Array.isArray(evidence) ? evidence : []) as unknown[])
        print(`  ${JSON.stringify(each)}`);
      return;
    }
    throw new CommandFailure(
      EXIT.failed,
      `${flags.printer} has no trouble ${id}.`,
      `platen troubles list --printer ${flags.printer} --ended`,
    );
  });
}

function closeCommand(): Command {
  const close = addOutputOptions(
    new Command('close')
      .description('close troubles that somebody has looked at')
      .argument('<ids...>')
      .option('--note <text>', 'what was done'),
  );
  return asking<OutputFlags & { note?: string }>(close, async (door, { args, flags }) => {
    for (const id of args) {
      const done = await door.call('troubles.close', { id, ...(flags.note ? { note: flags.note } : {}) });
      if (flags.json) printJson(done);
    }
    if (!flags.json) warn(args.length === 1 ? 'It is closed.' : `${args.length} are closed.`);
  });
}

/** An act of an operator on troubles that stay open. */
function actCommand(
  name: 'ack' | 'assign' | 'snooze',
  description: string,
  done: (flags: ActFlags) => string,
): Command {
  const command = new Command(name)
    .description(description)
    .argument('<ids...>')
    .option('--reason <text>', 'what is known, or why')
    .option('--undo', 'take it back');
  if (name === 'assign') command.option('--owner <user>', 'who looks after it');
  if (name === 'snooze') command.option('--until <time>', 'a time, or how long from now: 4h, 3d');
  addOutputOptions(command);
  return asking<OutputFlags & ActFlags>(command, async (door, { args, flags }) => {
    const needed = name === 'assign' ? 'owner' : name === 'snooze' ? 'until' : undefined;
    if (needed !== undefined && flags[needed] === undefined && !flags.undo) {
      throw new CommandFailure(EXIT.usage, `--${needed} is missing.`, 'Or take it back with --undo.');
    }
    for (const id of args) {
      const reply = await door.call(`troubles.${name}`, {
        id,
        ...(flags.reason ? { reason: flags.reason } : {}),
        ...(flags.undo ? { undo: true } : {}),
        ...(flags.owner ? { owner: flags.owner } : {}),
        ...(flags.until ? { until: timeFrom(flags.until) } : {}),
      });
      if (flags.json) printJson(reply);
    }
    const count = args.length === 1 ? 'The trouble is' : `${args.length} troubles are`;
    if (!flags.json) warn(`${count} ${flags.undo ? 'as before' : done(flags)}.`);
  });
}

interface ActFlags {
  reason?: string;
  undo?: boolean;
  owner?: string;
  until?: string;
}

export function command(): Command {
  const troubles = new Command('troubles').description('what is wrong in the fleet');
  troubles.addCommand(listCommand());
  troubles.addCommand(getCommand());
  troubles.addCommand(actCommand('ack', 'say that somebody has seen a trouble', () => 'acknowledged'));
  troubles.addCommand(actCommand('assign', 'give a trouble to somebody', ({ owner }) => `given to ${owner}`));
  troubles.addCommand(
    actCommand(
      'snooze',
      'let a trouble wait; nobody is notified until then',
      ({ until }) => `snoozed until ${until}`,
    ),
  );
  troubles.addCommand(closeCommand());
  return troubles;
}
