/** `platen releases`: signed software that the center offers, who runs it, and lifting a stop. */
import { Command } from 'commander';
import type { Row } from '../remote/door.ts';
import { asking } from '../remote/run.ts';
import type { Column } from '../show/columns.ts';
import { addConfirmOptions, type ConfirmFlags, confirmed } from '../show/confirm.ts';
import {
  addListOptions,
  addOutputOptions,
  type ListFlags,
  type OutputFlags,
  printList,
  rowsMax,
} from '../show/output.ts';
import { printJson, warn } from '../terminal.ts';
import { PRINTER_COLUMNS } from './printers.ts';

const custom = (name: string) => (row: Row) => ((row['custom'] ?? {}) as Row)[name];
const COLUMNS: readonly Column[] = [
  { name: 'software', usual: true, read: custom('software') },
  { name: 'version', usual: true, read: custom('version') },
  { name: 'vendor', usual: true, read: custom('vendor') },
  { name: 'bytes', usual: true, kind: 'number', read: ({ length }) => length },
  {
    name: 'stopped',
    usual: true,
    narrowest: 12,
    read: ({ stopped }) => ((stopped ?? []) as Row[]).map(({ by, reason }) => `${by}: ${reason}`).join('; '),
  },
  { name: 'target' },
  { name: 'sha256' },
];

function listCommand(): Command {
  const list = new Command('list')
    .description('list releases, with what stops them')
    .option('--software <id>', 'only of this software');
  addListOptions(list, COLUMNS);
  return asking<ListFlags & { software?: string }>(list, async (door, { flags }) => {
    const params = flags.software ? { software: flags.software } : {};
    await printList(
      COLUMNS,
      door.pages('releases.list', params, rowsMax(flags)),
      flags,
      'There are no releases: "platen release add" makes one.',
    );
  });
}

function whereCommand(): Command {
  const where = new Command('where')
    .description('the printers that run a software, or one version of it')
    .argument('<software>')
    .argument('[range]', 'a version, or a range such as "<2.5.0"');
  addListOptions(where, PRINTER_COLUMNS);
  return asking<ListFlags>(where, async (door, { args: [software = '', range], flags }) => {
    const exact = range === undefined || /^[<>=]/.test(range) ? (range ?? '') : `=${range}`;
    const filter = `software:${software}${exact}`;
    await printList(
      PRINTER_COLUMNS,
      door.pages('printers.list', { where: filter }, rowsMax(flags)),
      flags,
      `No printer matches ${filter}.`,
    );
  });
}

function releaseCommand(): Command {
  const release = new Command('release')
    .description('lift the stop of a release: campaigns that it halted begin again with canaries')
    .argument('<software>')
    .argument('<version>')
    .requiredOption('--reason <text>', 'why it may go out');
  addConfirmOptions(release, 'only show what is stopped');
  addOutputOptions(release);
  return asking<ConfirmFlags & OutputFlags & { reason: string }>(
    release,
    async (door, { args: [software = '', version = ''], flags }) => {
      if (
        !(await confirmed(
          `${software} ${version} may go out again; campaigns that were halted for it begin again.`,
          flags,
        ))
      )
        return;
      const done = await door.call('releases.release', { software, version, reason: flags.reason });
      if (flags.json) printJson(done);
      else warn(`${software} ${version} may go out again.`);
    },
  );
}

export function command(): Command {
  const releases = new Command('releases').description('signed software that the center offers');
  releases.addCommand(listCommand());
  releases.addCommand(whereCommand());
  releases.addCommand(releaseCommand());
  return releases;
}
