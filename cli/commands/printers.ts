/** `platen printers`: who is in the fleet, what they are made of, and what happened to them. */
import { Command } from 'commander';
import type { Door, Row } from '../remote/door.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { asking } from '../remote/run.ts';
import type { Column } from '../show/columns.ts';
import { addConfirmOptions, type ConfirmFlags, confirmed } from '../show/confirm.ts';
import {
  addListOptions,
  addOutputOptions,
  type ListFlags,
  type OutputFlags,
  printList,
  printTable,
  printValues,
  rowsMax,
} from '../show/output.ts';
import { sentenceOf } from '../show/timeline.ts';
import { timeAgo } from '../show/typed-time.ts';
import { print, printJson, warn } from '../terminal.ts';

export const PRINTER_COLUMNS: readonly Column[] = [
  { name: 'printer', usual: true, narrowest: 12 },
  { name: 'presence', usual: true, kind: 'state' },
  { name: 'verdict', usual: true, kind: 'state' },
  { name: 'model', usual: true },
  { name: 'site', usual: true },
  { name: 'troubles', usual: true, kind: 'number', read: (row) => row['openTroubles'] },
  { name: 'lastSeen', usual: true, kind: 'time' },
  { name: 'serial' },
  { name: 'labels' },
  { name: 'device', kind: 'state' },
  { name: 'standing', kind: 'state' },
  { name: 'standingReason' },
];

const TIMELINE_COLUMNS: readonly Column[] = [
  { name: 'at', usual: true, kind: 'time' },
  { name: 'kind', usual: true, kind: 'state' },
  { name: 'what', usual: true, read: sentenceOf, narrowest: 20 },
];

const ERROR_COLUMNS: readonly Column[] = [
  { name: 'at', usual: true, kind: 'time' },
  { name: 'code', usual: true },
  { name: 'severity', usual: true, kind: 'state' },
  { name: 'unit', usual: true },
  { name: 'pages', usual: true, kind: 'number' },
  { name: 'detail', usual: true },
  { name: 'log' },
  { name: 'seq', kind: 'number' },
  { name: 'received', kind: 'time' },
];

const ORDER_COLUMNS: readonly Column[] = [
  { name: 'createdAt', usual: true, kind: 'time' },
  { name: 'state', usual: true, kind: 'state' },
  { name: 'steps', usual: true, read: stepsOf, narrowest: 20 },
  { name: 'cause', usual: true, read: ({ cause }) => causeOf(cause as Row | undefined) },
  { name: 'error', usual: true, read: ({ error }) => (error as Row | undefined)?.['message'] },
  { name: 'execution' },
  { name: 'campaign' },
  { name: 'endedAt', kind: 'time' },
  { name: 'deadline', kind: 'time' },
];

function stepsOf({ steps }: Row): string {
  return ((steps ?? []) as Row[])
    .map(({ subject, from, to }) => `${subject} ${from ?? '?'} → ${to}`)
    .join(', ');
}

/** What caused an order or a campaign, in a few words. */
export function causeOf(cause: Row | undefined): string {
  if (cause === undefined) return '';
  const { kind, by, rule, catalog } = cause;
  if (kind === 'rule') return `rule ${rule}`;
  if (kind === 'verdict') return `verdict under ${catalog}`;
  return String(by ?? kind ?? '');
}

export interface TargetFlags {
  where?: string;
  fleet?: boolean;
}

/**
 * The printers that a command is for, as parameters of a method.
 * @throws CommandFailure when nothing or too much says which
 */
export function targetOf(names: readonly string[], { where, fleet }: TargetFlags): Row {
  const said = [names.length > 0, where !== undefined, fleet === true].filter(Boolean).length;
  if (said !== 1) {
    throw new CommandFailure(
      EXIT.usage,
      said === 0 ? 'It is not said which printers.' : 'Which printers is said twice.',
      'Name them, or give --where, or --fleet for all of them.',
    );
  }
  if (fleet) return { fleet: true };
  return where === undefined ? { printers: [...names] } : { where };
}

/** Whether a `where` given with options finds nobody, so that nothing is to be done. */
export async function countOf(door: Door, target: Row): Promise<number> {
  const { printers, ...rest } = target as { printers?: string[] } & Row;
  if (printers !== undefined) return printers.length;
  const { fleet: _fleet, ...filter } = rest;
  const page = await door.call('printers.list', { ...filter, limit: 1 });
  return Number(page['total'] ?? 0);
}

function pairs(list: readonly string[], option: string): Record<string, string> {
  const result: Record<string, string> = {};
  for (const each of list) {
    const at = each.indexOf('=');
    if (at < 1) throw new CommandFailure(EXIT.usage, `${option} "${each}" is not NAME=VALUE.`);
    result[each.slice(0, at)] = each.slice(at + 1);
  }
  return result;
}

/** Collects the values of an option that may be given several times. */
export const collect = (value: string, list: string[]): string[] => [...list, value];

interface PrintersFlags extends ListFlags, TargetFlags {
  sort?: string;
  since?: string;
  until?: string;
  kind?: string[];
  code?: string;
}

function listCommand(): Command {
  const list = new Command('list')
    .description('list printers')
    .argument('[text...]', 'words in a name, serial number, host name or address')
    .option('--where <filter>', 'only these, such as "model=C360 verdict!=compatible"')
    .option('--sort <column>', 'id, model, site, seen, verdict or troubles; -seen for the newest first');
  addListOptions(list, PRINTER_COLUMNS);
  return asking<PrintersFlags>(list, async (door, { args, flags }) => {
    const words = args.map((word) => `text~${JSON.stringify(word)}`).join(' ');
    const where = [flags.where, words].filter(Boolean).join(' ');
    const params = { ...(where ? { where } : {}), ...(flags.sort ? { sort: flags.sort } : {}) };
    await printList(
      PRINTER_COLUMNS,
      door.pages('printers.list', params, rowsMax(flags)),
      flags,
      where
        ? `No printer matches ${where}.`
        : 'There are no printers yet: "platen printers enroll NAME" adds one.',
    );
  });
}

function getCommand(): Command {
  const get = addOutputOptions(
    new Command('get')
      .description('show one printer: what it is made of, its verdict and its state')
      .argument('<printer>'),
  );
  return asking<OutputFlags>(get, async (door, { args: [printer = ''], flags }) => {
    const found = await door.call('printers.get', { printer });
    if (flags.json) return printJson(found);
    showPrinter(found, flags.utc ?? false);
  });
}

function showPrinter(found: Row, utc: boolean): void {
  const structure = found['structure'] as Row | undefined;
  const verdict = found['verdictDocument'] as Row | undefined;
  const readings = found['readings'] as Row | undefined;
  const facts = (readings?.['facts'] ?? {}) as Row;
  printValues(
    [
      ['printer', found['printer']],
      ['presence', found['presence'], 'state'],
      ['device', found['device'], 'state'],
      ['standing', found['standing'] === 'active' ? undefined : found['standing'], 'state'],
      ['model', found['model']],
      ['serial', found['serial']],
      ['site', found['site']],
      ['labels', found['labels']],
      ['address', facts['address']],
      ['last seen', found['lastSeen'], 'time'],
      ['state', readings?.['state'], 'state'],
      ['reasons', readings?.['reasons']],
      ['open troubles', found['openTroubles']],
      ['verdict', found['verdict'], 'state'],
    ],
    utc,
  );
  for (const { message } of (verdict?.['findings'] ?? []) as Row[]) print(`  ${message}`);
  for (const { reason } of (found['setAside'] ?? []) as Row[]) print(`set aside: ${reason}`);
  const parts =
    structure === undefined
      ? []
      : [
          { symbol: 'apparatus', ...(structure['apparatus'] as Row) },
          ...((structure['units'] ?? []) as Row[]),
        ];
  if (parts.length > 0) {
    print('');
    printTable(
      [
        { name: 'unit', read: ({ symbol }) => symbol },
        { name: 'model' },
        { name: 'serial' },
        {
          name: 'software',
          narrowest: 20,
          read: ({ software }) =>
            ((software ?? []) as Row[]).map(({ id, version }) => `${id} ${version}`).join(', '),
        },
      ],
      parts,
      utc,
    );
  }
  const supplies = (readings?.['supplies'] ?? []) as Row[];
  if (supplies.length > 0) {
    print('');
    printTable(
      [
        { name: 'supply', read: ({ symbol }) => symbol },
        { name: 'kind' },
        { name: 'color' },
        {
          name: 'left %',
          kind: 'number',
          read: ({ left }) => (left === undefined ? undefined : Math.round(Number(left) * 100)),
        },
        { name: 'state', kind: 'state' },
        { name: 'ends', kind: 'time' },
      ],
      supplies,
      utc,
    );
  }
}

/** A list about one printer. */
function aboutOne(
  name: string,
  description: string,
  method: 'printers.timeline' | 'printers.errors' | 'printers.orders',
  columns: readonly Column[],
  nothing: (printer: string) => string,
): Command {
  const command = new Command(name).description(description).argument('<printer>');
  if (name !== 'orders') {
    command
      .option('--since <time>', 'from this time on: 2026-11-30T22:00:00Z, or 8h, 2d')
      .option('--until <time>', 'until this time');
  }
  if (name === 'timeline') {
    command.option(
      '--kind <kind...>',
      'only these: structure, verdict, entry, trouble, order, presence, reading, act',
    );
  }
  if (name === 'errors') command.option('--code <code>', 'only this error code');
  addListOptions(command, columns);
  return asking<PrintersFlags>(command, async (door, { args: [printer = ''], flags }) => {
    const params = {
      printer,
      ...(flags.since ? { since: timeAgo(flags.since) } : {}),
      ...(flags.until ? { until: timeAgo(flags.until) } : {}),
      ...(flags.kind ? { kinds: flags.kind } : {}),
      ...(flags.code ? { code: flags.code } : {}),
    };
    await printList(columns, door.pages(method, params, rowsMax(flags)), flags, nothing(printer));
  });
}

function labelCommand(): Command {
  const label = new Command('label')
    .description('set or remove labels')
    .argument('[printers...]')
    .option('--where <filter>', 'the printers that match')
    .option('--fleet', 'all printers')
    .option('--set <name=value>', 'sets a label; may be given several times', collect, [])
    .option('--remove <name>', 'removes a label that was set; may be given several times', collect, []);
  addConfirmOptions(label, 'only show how many it would be');
  addOutputOptions(label);
  return asking<TargetFlags & ConfirmFlags & OutputFlags & { set: string[]; remove: string[] }>(
    label,
    async (door, { args, flags }) => {
      const target = targetOf(args, flags);
      const set = pairs(flags.set, '--set');
      if (Object.keys(set).length + flags.remove.length === 0) {
        throw new CommandFailure(EXIT.usage, 'Neither --set nor --remove is given.');
      }
      const count = await countOf(door, target);
      if (count === 0) throw new CommandFailure(EXIT.nothingToDo, 'No printer matches.');
      const what = `Labels of ${count} printer${count === 1 ? '' : 's'} change.`;
      if ((count > 1 || flags.dryRun) && !(await confirmed(what, flags))) return;
      const done = await door.call('printers.label', {
        ...target,
        ...(Object.keys(set).length > 0 ? { set } : {}),
        ...(flags.remove.length > 0 ? { remove: flags.remove } : {}),
        ...('printers' in target ? {} : { expect: { printers: count } }),
      });
      if (flags.json) printJson(done);
      else warn(what.replace('change', 'were changed'));
    },
  );
}

function whatifCommand(): Command {
  const whatif = new Command('whatif')
    .description('exchange units or software in thought: the verdict, and how to get there')
    .argument('<printer>')
    .option('--unit <symbol=model>', 'another model in this place; may be given several times', collect, [])
    .option('--remove-unit <symbol>', 'takes a unit out', collect, [])
    .option('--software <subject=version>', 'another version, such as engine:acme.engine=2.5.0', collect, []);
  addOutputOptions(whatif);
  return asking<OutputFlags & { unit: string[]; removeUnit: string[]; software: string[] }>(
    whatif,
    async (door, { args: [printer = ''], flags }) => {
      const units = [
        ...Object.entries(pairs(flags.unit, '--unit')).map(([symbol, model]) => ({ symbol, model })),
        ...flags.removeUnit.map((symbol) => ({ symbol, remove: true })),
      ];
      const software = Object.entries(pairs(flags.software, '--software')).map(([subject, version]) => ({
        subject,
        version,
      }));
      const result = await door.call('printers.whatif', {
        printer,
        ...(units.length > 0 ? { units } : {}),
        ...(software.length > 0 ? { software } : {}),
      });
      if (flags.json) return printJson(result);
      const verdict = (result['verdict'] ?? result) as Row;
      printValues([['verdict', verdict['status'], 'state']]);
      for (const { message } of (verdict['findings'] ?? []) as Row[]) print(`  ${message}`);
      const remedy = (verdict['remedy'] ?? result['remedy']) as Row | undefined;
      for (const { subject, from, to } of (remedy?.['software'] ?? []) as Row[]) {
        print(`  mend: ${subject} ${from ?? '?'} → ${to}`);
      }
    },
  );
}

function enrollCommand(): Command {
  const enroll = new Command('enroll')
    .description('add printers: each gets a password, which is shown once')
    .argument('<printers...>')
    .option('--again', 'a new password for printers that are enrolled already: the old one ends');
  addOutputOptions(enroll);
  return asking<OutputFlags & { again?: boolean }>(enroll, async (door, { args, flags }) => {
    const { items } = await door.call('printers.enroll', {
      printers: args,
      ...(flags.again ? { again: true } : {}),
    });
    const list = items as Row[];
    if (flags.json) for (const item of list) printJson(item);
    else {
      printTable([{ name: 'printer' }, { name: 'password', kind: 'state' }], list);
      warn('The passwords are shown this once.');
    }
  });
}

/** An act on named printers that takes them out of the fleet. */
function leaveCommand(
  name: 'revoke' | 'retire' | 'remove',
  description: string,
  what: (count: string) => string,
): Command {
  const command = new Command(name).description(description).argument('<printers...>');
  addConfirmOptions(command, 'only show which');
  if (name === 'retire') command.option('--reason <text>', 'why');
  addOutputOptions(command);
  return asking<ConfirmFlags & OutputFlags & { reason?: string }>(command, async (door, { args, flags }) => {
    const count = args.length === 1 ? (args[0] ?? '') : `${args.length} printers`;
    if (!(await confirmed(what(count), flags))) return;
    for (const printer of args) {
      const method = `printers.${name}` as const;
      const done = await door.call(method, { printer, ...(flags.reason ? { reason: flags.reason } : {}) });
      if (flags.json) printJson({ printer, ...done });
    }
    if (!flags.json) warn('Done.');
  });
}

function exportCommand(): Command {
  const command = new Command('export')
    .description('every printer with all columns, as CSV or JSON lines')
    .option('--where <filter>', 'only these');
  addListOptions(command, PRINTER_COLUMNS);
  return asking<PrintersFlags>(command, async (door, { flags }) => {
    const all = {
      ...flags,
      all: true,
      csv: !flags.json,
      columns: flags.columns ?? PRINTER_COLUMNS.map(({ name }) => name).join(','),
    };
    const params = flags.where ? { where: flags.where } : {};
    await printList(PRINTER_COLUMNS, door.pages('printers.list', params), all, 'No printer matches.');
  });
}

export function command(): Command {
  const printers = new Command('printers').description(
    'the fleet: list, look at, label and take out printers',
  );
  printers.addCommand(listCommand());
  printers.addCommand(getCommand());
  printers.addCommand(
    aboutOne(
      'timeline',
      'what happened to a printer, newest first',
      'printers.timeline',
      TIMELINE_COLUMNS,
      (printer) => `Nothing happened to ${printer} in that time.`,
    ),
  );
  printers.addCommand(
    aboutOne(
      'errors',
      "entries of a printer's error logs",
      'printers.errors',
      ERROR_COLUMNS,
      (printer) => `${printer} reported no such errors.`,
    ),
  );
  printers.addCommand(
    aboutOne(
      'orders',
      'orders that a printer had, newest first',
      'printers.orders',
      ORDER_COLUMNS,
      (printer) => `${printer} had no orders.`,
    ),
  );
  printers.addCommand(labelCommand());
  printers.addCommand(exportCommand());
  printers.addCommand(whatifCommand());
  printers.addCommand(enrollCommand());
  printers.addCommand(
    leaveCommand(
      'revoke',
      'end the credentials of printers, such as a stolen one',
      (count) => `${count} can no longer connect, and gets no further orders.`,
    ),
  );
  printers.addCommand(
    leaveCommand(
      'retire',
      'take printers out of counts and updates; they may still report',
      (count) => `${count} is no longer counted or updated.`,
    ),
  );
  printers.addCommand(
    leaveCommand(
      'remove',
      'forget printers for good',
      (count) =>
        `${count} is forgotten, with everything that is known but its log entries. This can't be undone.`,
    ),
  );
  return printers;
}
