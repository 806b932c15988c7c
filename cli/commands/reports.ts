/** `platen reports`: pages, supplies and firmware of the fleet. */
import { Command } from 'commander';
import type { Row } from '../remote/door.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { asking } from '../remote/run.ts';
import type { Column } from '../show/columns.ts';
import { addListOptions, type ListFlags, printList, rowsMax } from '../show/output.ts';

const PAGES: readonly Column[] = [
  { name: 'name', usual: true, narrowest: 12 },
  { name: 'pages', usual: true, kind: 'number' },
  { name: 'printers', usual: true, kind: 'number' },
  { name: 'first', usual: true, kind: 'time' },
  { name: 'last', usual: true, kind: 'time' },
  { name: 'resets', usual: true, kind: 'number' },
  { name: 'gaps', usual: true, kind: 'number' },
  { name: 'silentDays', kind: 'number' },
  { name: 'readings', kind: 'number' },
];

const days = ({ daysLeft }: Row): string | undefined => {
  if (daysLeft === undefined || daysLeft === null) return undefined;
  const { days: middle, low, high } = daysLeft as Record<string, number>;
  return `${Math.round(middle ?? 0)} (${Math.round(low ?? 0)}–${Math.round(high ?? 0)})`;
};

const SUPPLIES: readonly Column[] = [
  { name: 'printer', usual: true, narrowest: 12 },
  { name: 'site', usual: true },
  { name: 'kind', usual: true },
  { name: 'color', usual: true },
  {
    name: 'left',
    usual: true,
    read: ({ left }) => (left === undefined ? undefined : `${Math.round(Number(left) * 100)} %`),
  },
  { name: 'state', usual: true, kind: 'state' },
  { name: 'daysLeft', usual: true, read: days },
  { name: 'ends', usual: true, kind: 'time' },
  { name: 'since', kind: 'time' },
  { name: 'symbol' },
  { name: 'model' },
  { name: 'serial' },
  { name: 'printerModel' },
];

const FIRMWARE: readonly Column[] = [
  { name: 'name', narrowest: 12 },
  { name: 'software', usual: true },
  { name: 'version', usual: true },
  { name: 'printers', usual: true, kind: 'number' },
  { name: 'status', usual: true, kind: 'state' },
  { name: 'behind', usual: true, kind: 'number' },
  { name: 'newest', usual: true },
  { name: 'allowed', usual: true },
  { name: 'installed', kind: 'number' },
];

/** Options of reports, and the parameters that they are. */
const OPTIONS = {
  where: ['--where <filter>', 'only printers that match'],
  by: ['--by <what>', 'printer, site, model, label (pages); software, model, site (firmware)'],
  label: ['--label <name>', 'the label to count by, with --by label'],
  from: [
    '--from <time>',
    "from this day on (2026-11-01, or 2026-11), in each printer's zone; default: 30 days",
  ],
  to: ['--to <time>', 'until the end of this day or month'],
  counter: ['--counter <name>', 'impressions (default), impressions-color, sheets, copies …'],
  site: ['--site <name>', 'only this site'],
  model: ['--model <name>', 'only this model'],
  kind: ['--kind <kind>', 'toner, ink, drum, waste …'],
  color: ['--color <color>', 'black, cyan …'],
  printer: ['--printer <name>', 'only this printer'],
  endsWithinDays: ['--ends-within-days <days>', 'only supplies that end within so many days'],
  software: ['--software <id>', 'only this software'],
  sort: [
    '--sort <order>',
    'pages: -pages, pages, name; supplies: ends, left, printer; firmware: -printers, printers, name, -behind',
  ],
} as const;
type Name = keyof typeof OPTIONS;

function report(
  name: 'pages' | 'supplies' | 'firmware',
  description: string,
  columns: readonly Column[],
  options: readonly Name[],
  nothing: string,
): Command {
  const command = new Command(name).description(description);
  for (const each of options) command.option(OPTIONS[each][0], OPTIONS[each][1]);
  addListOptions(command, columns);
  return asking<ListFlags & Partial<Record<Name, string>>>(command, async (door, { flags }) => {
    const params: Row = {};
    for (const each of options) {
      const value = flags[each];
      if (value === undefined) continue;
      params[each] =
        each === 'endsWithinDays'
          ? Number(value)
          : each === 'from' || each === 'to'
            ? dayOf(value, each === 'to')
            : value;
    }
    // What is counted by has a name of its own only when it was asked for.
    const shown = columns.map((each) => (each.name === 'name' && flags.by ? { ...each, usual: true } : each));
    await printList(shown, door.pages(`reports.${name}`, params, rowsMax(flags)), flags, nothing);
  });
}

/** A day as somebody types it: 2026-11-30, or the first or last day of 2026-11. @throws CommandFailure */
function dayOf(text: string, last: boolean): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return text;
  const [, year, month] = /^(\d{4})-(\d{2})$/.exec(text) ?? [];
  if (year === undefined || month === undefined) {
    throw new CommandFailure(
      EXIT.usage,
      `"${text}" is not a day.`,
      'Write 2026-11-30, or 2026-11 for a month.',
    );
  }
  const day = last ? new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate() : 1;
  return `${text}-${String(day).padStart(2, '0')}`;
}

export function command(): Command {
  const reports = new Command('reports').description('pages, supplies and firmware of the fleet');
  reports.addCommand(
    report(
      'pages',
      'pages printed in a time, by printer, site, model or label',
      PAGES,
      ['where', 'by', 'label', 'from', 'to', 'counter', 'site', 'model', 'sort'],
      'No pages were counted in that time.',
    ),
  );
  reports.addCommand(
    report(
      'supplies',
      'how much is left of each supply, and when it ends',
      SUPPLIES,
      ['where', 'endsWithinDays', 'site', 'kind', 'color', 'printer', 'sort'],
      'No supply matches.',
    ),
  );
  reports.addCommand(
    report(
      'firmware',
      'versions in the fleet, and how far behind they are',
      FIRMWARE,
      ['where', 'by', 'software', 'site', 'model', 'sort'],
      'No software matches.',
    ),
  );
  return reports;
}
