/** `platen events`: what happens in the fleet, as it happens. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { FleetEventMessage, Row } from '../remote/door.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { asking } from '../remote/run.ts';
import { shownTime } from '../show/times.ts';
import { print, printJson, warn } from '../terminal.ts';

interface EventsFlags {
  kind?: string[];
  printer?: string[];
  count?: string;
  json?: boolean;
  utc?: boolean;
}

/** Between two tries while the center is away, in ms, and how long it may be away. */
const AGAIN_MS = 2_000;
const AWAY_MS_MAX = 120_000;
/** What a line names of an event, in this order. */
const NAMED = ['printer', 'software', 'version', 'reason', 'title', 'by'];

function lineOf({ event, data }: FleetEventMessage, utc: boolean): string {
  const { at, what, data: inner, ...rest } = data as Row;
  const members = { ...rest, ...((inner ?? {}) as Row) };
  const named = NAMED.flatMap((name) => (members[name] === undefined ? [] : [String(members[name])]));
  const time = typeof at === 'string' ? shownTime(at, utc) : '';
  return [time, event, String(what ?? (data as Row)['topic'] ?? ''), ...named].filter(Boolean).join('  ');
}

export function command(): Command {
  const events = new Command('events')
    .description('follow what happens in the fleet until Ctrl-C')
    .option('--follow', 'as it does anyway')
    .option(
      '--kind <kinds...>',
      'presence, structure, verdict, trouble, order, campaign, security, release or document',
    )
    .option('--printer <names...>', 'only of these printers')
    .option('--count <events>', 'end after so many')
    .option('--json', 'as JSON lines')
    .option('--utc', 'times in UTC instead of local time');
  return asking<EventsFlags>(events, async (door, { flags }) => {
    const count = flags.count === undefined ? Number.POSITIVE_INFINITY : Number(flags.count);
    if (!(count >= 1))
      throw new CommandFailure(EXIT.usage, `--count "${flags.count}" is not a whole number above 0.`);
    const query = new URLSearchParams({
      ...(flags.kind ? { kind: flags.kind.join(',') } : {}),
      ...(flags.printer ? { printer: flags.printer.join(',') } : {}),
    });
    const stop = new AbortController();
    const onSignal = () => stop.abort();
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
    let seen = 0;
    let isFirst = true;
    const opened = () => {
      if (isFirst) warn('Following; Ctrl-C ends it.');
      isFirst = false;
    };
    let lastId: string | undefined;
    let heardAt = Date.now();
    try {
      while (!stop.signal.aborted) {
        try {
          for await (const message of door.events(query, stop.signal, lastId, opened)) {
            heardAt = Date.now();
            lastId = message.id || lastId;
            if (message.event === 'dropped') break;
            if (message.event === 'reset') warn('Some events before this are missing.');
            else if (flags.json) printJson(message);
            else print(lineOf(message, flags.utc ?? false));
            if (message.event !== 'reset' && ++seen >= count) return;
          }
        } catch (error) {
          if (stop.signal.aborted) return;
          const away = error instanceof CommandFailure && error.exit === EXIT.unreachable;
          if (!away || Date.now() - heardAt > AWAY_MS_MAX) throw error;
          warn('The stream ended; connecting again.');
        }
        await sleep(AGAIN_MS, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    } finally {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
  });
}
