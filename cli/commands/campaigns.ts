/** `platen campaigns`: previews, starts, watches and stops updates. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { oneLine } from '../../schemas/harmless.ts';
import type { Method } from '../../schemas/roles.ts';
import type { Door, Row } from '../remote/door.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { asking } from '../remote/run.ts';
import { CampaignProgress } from '../show/campaign-progress.ts';
import type { Column } from '../show/columns.ts';
import { addConfirmOptions, type ConfirmFlags, confirmed } from '../show/confirm.ts';
import {
  addListOptions,
  addOutputOptions,
  type ListFlags,
  type OutputFlags,
  printList,
  printValues,
  rowsMax,
} from '../show/output.ts';
import { printJson, warn } from '../terminal.ts';
import { causeOf, collect, type TargetFlags, targetOf } from './printers.ts';

const COLUMNS: readonly Column[] = [
  { name: 'id', usual: true, kind: 'state' },
  { name: 'state', usual: true, kind: 'state' },
  { name: 'title', usual: true, read: titleOf, narrowest: 12 },
  { name: 'targets', usual: true, kind: 'number' },
  { name: 'counts', usual: true, narrowest: 12 },
  { name: 'createdAt', usual: true, kind: 'time' },
  { name: 'by' },
  { name: 'cause', read: ({ cause }) => causeOf(cause as Row | undefined) },
  { name: 'reason' },
  { name: 'software' },
  { name: 'excluded' },
];

const TARGET_COLUMNS: readonly Column[] = [
  { name: 'printer', usual: true, narrowest: 12 },
  { name: 'state', usual: true, kind: 'state' },
  { name: 'is', usual: true, kind: 'state' },
  { name: 'why', usual: true, narrowest: 20 },
  { name: 'online' },
  { name: 'execution' },
];

/** Between two looks at a campaign, in ms. */
const WATCH_MS = 2_000;
/** How long a center may be away while a campaign is watched, in ms. */
const AWAY_MS_MAX = 120_000;

function titleOf({ title, software, trouble }: Row): string {
  const { id, range } = (software ?? {}) as Row;
  return String(title ?? (id === undefined ? `remedy of ${trouble ?? 'each'}` : `${id} ${range ?? ''}`));
}

interface RequestFlags extends TargetFlags, ConfirmFlags, OutputFlags {
  software?: string;
  release?: string;
  remedy?: boolean;
  trouble?: string;
  title?: string;
  option: string[];
  propose?: boolean;
  watch?: boolean;
}

function addRequestOptions(command: Command): Command {
  return command
    .argument('[printers...]')
    .option('--where <filter>', 'the printers that match')
    .option('--fleet', 'all printers')
    .option('--software <id[@range]>', 'software, and the versions that may be chosen: acme.engine@>=2.5')
    .option('--release <id@version>', 'one release')
    .option('--remedy', 'whatever makes each printer compatible')
    .option('--trouble <id>', 'what the remedy of a trouble proposes')
    .option('--title <text>', 'what the campaign is called')
    .option(
      '--option <name=value>',
      'canaries, canariesAtOnce, wave, growth, atOnce, perMinute, spread, deadline, tolerated, promoteBelow, join …; may be given several times',
      collect,
      [],
    );
}

/** The parameters of a campaign. @throws CommandFailure */
function requestOf(printers: readonly string[], flags: RequestFlags): Row {
  const what = [flags.software, flags.release, flags.remedy, flags.trouble].filter(
    (each) => each !== undefined,
  );
  if (what.length !== 1) {
    throw new CommandFailure(
      EXIT.usage,
      what.length === 0 ? 'It is not said what the printers get.' : 'What the printers get is said twice.',
      'Give one of --software, --release, --remedy and --trouble.',
    );
  }
  const at = flags.software?.indexOf('@') ?? -1;
  const software =
    flags.software &&
    (at < 0
      ? { id: flags.software }
      : { id: flags.software.slice(0, at), range: flags.software.slice(at + 1) });
  const options = optionsOf(flags);
  const target =
    printers.length === 0 && flags.trouble !== undefined && !flags.where && !flags.fleet
      ? {}
      : targetOf(printers, flags);
  return {
    ...target,
    ...(software ? { software } : {}),
    ...(flags.release ? { release: flags.release } : {}),
    ...(flags.remedy ? { remedy: 'each' } : {}),
    ...(flags.trouble ? { trouble: flags.trouble } : {}),
    ...(flags.title ? { title: flags.title } : {}),
    ...(Object.keys(options).length > 0 ? { options } : {}),
  };
}

function optionsOf({ option, propose }: RequestFlags): Row {
  const options: Row = propose ? { propose: true } : {};
  for (const each of option) {
    const [, name = '', text = ''] = /^(\w+)=(.*)$/.exec(each) ?? [];
    if (name === '') throw new CommandFailure(EXIT.usage, `--option "${each}" is not NAME=VALUE.`);
    const window = name === 'window' ? /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text) : undefined;
    if (window) options[name] = { from: window[1], to: window[2] };
    else if (text === 'true' || text === 'false') options[name] = text === 'true';
    else options[name] = text !== '' && !Number.isNaN(Number(text)) ? Number(text) : text;
  }
  return options;
}

/** @param stream stdout where the preview is what was asked for */
function showPreview(preview: Row, utc: boolean, stream: NodeJS.WriteStream): void {
  printValues(
    [
      ['targets', preview['targets']],
      ['nothing to do', preview['fine']],
      ['configurations', (preview['configurations'] as Row[] | undefined)?.length],
      ['left out', preview['excluded']],
    ],
    utc,
    stream,
  );
  for (const { printer, why } of (preview['examples'] ?? []) as Row[]) {
    stream.write(`${oneLine(`  ${printer}: ${why}`)}\n`);
  }
  for (const warning of (preview['warnings'] ?? []) as string[])
    stream.write(`${oneLine(`  warning: ${warning}`)}\n`);
}

function previewCommand(): Command {
  const preview = addOutputOptions(
    addRequestOptions(
      new Command('preview').description('show what a campaign would do, and for how many printers'),
    ),
  );
  return asking<RequestFlags>(preview, async (door, { args, flags }) => {
    const found = await door.call('campaigns.preview', requestOf(args, flags));
    if (flags.json) printJson(found);
    else showPreview(found, flags.utc ?? false, process.stdout);
    if (found['targets'] === 0) process.exitCode = EXIT.nothingToDo;
  });
}

function createCommand(): Command {
  const create = addRequestOptions(new Command('create').description('start a campaign, after its preview'))
    .option('--propose', 'wait for somebody to resume it')
    .option('--watch', 'watch it until it ends');
  addConfirmOptions(create, 'only the preview');
  addOutputOptions(create);
  return asking<RequestFlags>(create, async (door, { args, flags }) => {
    const request = requestOf(args, flags);
    const preview = await door.call('campaigns.preview', request);
    const targets = Number(preview['targets']);
    if (targets === 0) {
      if (!flags.json) showPreview(preview, flags.utc ?? false, process.stderr);
      throw new CommandFailure(EXIT.nothingToDo, 'No printer takes part: nothing was started.');
    }
    if (!flags.json && !flags.yes) showPreview(preview, flags.utc ?? false, process.stderr);
    if (
      !(await confirmed(
        `${targets} printer${targets === 1 ? '' : 's'} will be updated, canaries first.`,
        flags,
      ))
    )
      return;
    const created = await door.call('campaigns.create', { ...request, expect: { targets } });
    if (flags.json && !flags.watch) printJson(created);
    else warn(`Campaign ${created['id']} is ${created['state']}: ${created['targets']} printers.`);
    if (flags.watch) await watch(door, String(created['id']), flags);
  });
}

function listCommand(): Command {
  const list = new Command('list')
    .description('list campaigns, the newest first')
    .option('--state <state>', 'proposed, running, paused, halted, finished or aborted');
  addListOptions(list, COLUMNS);
  return asking<ListFlags & { state?: string }>(list, async (door, { flags }) => {
    const params = flags.state ? { state: flags.state } : {};
    await printList(
      COLUMNS,
      door.pages('campaigns.list', params, rowsMax(flags)),
      flags,
      'There are no campaigns.',
    );
  });
}

function getCommand(): Command {
  const get = addOutputOptions(new Command('get').description('show one campaign').argument('<id>'));
  return asking<OutputFlags>(get, async (door, { args: [id = ''], flags }) => {
    const campaign = await door.call('campaigns.get', { id });
    if (flags.json) printJson(campaign);
    else showCampaign(campaign, flags.utc ?? false);
  });
}

function showCampaign(campaign: Row, utc: boolean): void {
  const guard = (campaign['guard'] ?? {}) as Row;
  printValues(
    [
      ['campaign', campaign['id']],
      ['title', titleOf(campaign)],
      ['state', campaign['state'], 'state'],
      ['reason', campaign['reason']],
      ['cause', causeOf(campaign['cause'] as Row | undefined)],
      ['created', campaign['createdAt'], 'time'],
      ['stage', guard['stage']],
      ['targets', campaign['targets']],
      ['counts', campaign['counts']],
      ['left out', campaign['excluded']],
      ['waits', campaign['waits']],
      [
        'evidence',
        guard['evidence'] === undefined
          ? undefined
          : `${Number(guard['evidence']).toPrecision(3)} (halts at ${guard['haltAt']})`,
      ],
      [
        'failures',
        guard['outcomes'] === undefined ? undefined : `${guard['failures']} of ${guard['outcomes']}`,
      ],
    ],
    utc,
  );
}

function targetsCommand(): Command {
  const targets = new Command('targets')
    .description('the printers of a campaign, and why nothing more happens to each')
    .argument('<id>')
    .option('--state <state>', 'waiting, dispatched, ended or excluded');
  addListOptions(targets, TARGET_COLUMNS);
  return asking<ListFlags & { state?: string }>(targets, async (door, { args: [id = ''], flags }) => {
    const params = { id, ...(flags.state ? { state: flags.state } : {}) };
    await printList(
      TARGET_COLUMNS,
      door.pages('campaigns.targets', params, rowsMax(flags)),
      flags,
      'No printer is in that state.',
    );
  });
}

/** Watches a campaign until it ends or stops. @throws CommandFailure when it stopped */
async function watch(door: Door, id: string, flags: OutputFlags): Promise<void> {
  const progress = new CampaignProgress(process.stderr);
  let lastSeen = Date.now();
  try {
    for (;;) {
      try {
        const campaign = await door.call('campaigns.get', { id });
        lastSeen = Date.now();
        if (flags.json) printJson(campaign);
        else progress.show(campaign);
        const { state, reason } = campaign;
        if (state === 'finished') {
          progress.end();
          warn(`Campaign ${id} is finished.`);
          return;
        }
        if (state !== 'running' && state !== 'proposed') {
          progress.end();
          throw new CommandFailure(
            EXIT.stopped,
            `Campaign ${id} is ${state}${reason === undefined ? '' : `: ${reason}`}.`,
            `platen campaigns targets ${id} shows each printer.`,
          );
        }
      } catch (error) {
        // A center that restarts comes back; the campaign goes on without it being watched.
        const away = error instanceof CommandFailure && error.exit === EXIT.unreachable;
        if (!away || Date.now() - lastSeen > AWAY_MS_MAX) throw error;
        progress.note('the center does not answer; trying again');
      }
      await sleep(WATCH_MS);
    }
  } finally {
    progress.end();
  }
}

function watchCommand(): Command {
  const command = addOutputOptions(
    new Command('watch')
      .description('watch a campaign until it ends; exits with 5 when it is halted, paused or aborted')
      .argument('<id>'),
  );
  return asking<OutputFlags>(command, (door, { args: [id = ''], flags }) => watch(door, id, flags));
}

/** An act on one campaign, after its count was shown. */
function actCommand(
  name: 'pause' | 'resume' | 'abort' | 'retry',
  description: string,
  what: (campaign: Row) => string,
): Command {
  const command = new Command(name).description(description).argument('<id>');
  addConfirmOptions(command, 'only show what it concerns');
  if (name === 'resume') {
    command
      .option('--reason <text>', 'why what was halted or aborted may go on')
      .option('--retry', 'printers that failed get another order');
  }
  if (name === 'retry') command.option('--printer <names...>', 'only these of those that failed');
  addOutputOptions(command);
  return asking<ConfirmFlags & OutputFlags & { reason?: string; retry?: boolean; printer?: string[] }>(
    command,
    async (door, { args: [id = ''], flags }) => {
      const campaign = await door.call('campaigns.get', { id });
      // To stop is safe; to go on is not.
      if (flags.dryRun || name === 'resume' || name === 'retry') {
        if (!(await confirmed(what(campaign), flags))) return;
      }
      const done = await door.call(`campaigns.${name}` satisfies Method, {
        id,
        ...(flags.reason ? { reason: flags.reason } : {}),
        ...(flags.retry ? { retry: true } : {}),
        ...(flags.printer ? { printers: flags.printer } : {}),
      });
      if (flags.json) printJson(done);
      else warn(`Campaign ${id} is ${done['state']}.`);
    },
  );
}

export function command(): Command {
  const campaigns = new Command('campaigns').description('update printers, canaries first');
  campaigns.addCommand(listCommand());
  campaigns.addCommand(getCommand());
  campaigns.addCommand(targetsCommand());
  campaigns.addCommand(previewCommand());
  campaigns.addCommand(createCommand());
  campaigns.addCommand(watchCommand());
  const count = ({ targets, counts }: Row) => `Its ${targets} printers: ${JSON.stringify(counts)}.`;
  campaigns.addCommand(actCommand('pause', 'take back what has not begun, until it is resumed', count));
  campaigns.addCommand(
    actCommand(
      'resume',
      'let a campaign go on',
      (campaign) => `The campaign (${campaign['state']}) goes on. ${count(campaign)}`,
    ),
  );
  campaigns.addCommand(actCommand('abort', 'end a campaign; what installs is not cut off', count));
  campaigns.addCommand(
    actCommand(
      'retry',
      'give printers that failed another order',
      (campaign) => `Printers that failed get another order. ${count(campaign)}`,
    ),
  );
  return campaigns;
}
