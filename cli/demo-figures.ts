/**
 * What the demonstration says of pages and supplies: the same reports that operators ask for, once all its printers have
 * connected.
 */
import type { Logger } from 'pino';
import type { Capabilities } from '../center/operators/capabilities.ts';
import { reasonOf } from '../schemas/errors.ts';
import type { SupplyItem } from '../schemas/types.ts';
import type { Story } from './story.ts';

const LOOK_EVERY_MS = 1_000;
const SITES_MAX = 10;
const SUPPLIES_SHOWN = 3;

/** First and last day of the month before the one of a time. */
export function monthBefore(time_ms: number): { name: string; from: string; to: string } {
  const now = new Date(time_ms);
  const day = (month: number, date: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), month, date)).toISOString().slice(0, 10);
  const from = day(now.getUTCMonth() - 1, 1);
  return { name: from.slice(0, 7), from, to: day(now.getUTCMonth(), 0) };
}

function ending({ printer, symbol, daysLeft: { days, low, high } = { days: 0 } }: SupplyItem): string {
  const range = low === undefined || high === undefined ? '' : ` (${low} to ${high})`;
  return `${printer} ${symbol} in ${days} days${range}`;
}

/** The lines; undefined while not all printers have readings. */
async function figures({ reports, now }: Capabilities, printers: number): Promise<string[] | undefined> {
  const now_ms = now();
  const { name, from, to } = monthBefore(now_ms);
  const { items: sites } = await reports.pages(
    { from, to, now_ms, by: 'site', counter: 'impressions', sort: '-pages' },
    { limit: SITES_MAX, cursor: undefined },
  );
  const { items: supplies } = await reports.supplies(
    { now_ms, sort: 'ends' },
    { limit: SUPPLIES_SHOWN, cursor: undefined },
  );
  // A printer has no site before its structure came.
  const known = sites.reduce((sum, site) => sum + (site.name === '' ? 0 : site.printers), 0);
  const forecast = supplies.every(({ daysLeft }) => daysLeft !== undefined);
  if (known < printers || supplies.length === 0 || !forecast) return undefined;
  return [
    `pages in ${name}: ${sites.map((site) => `${site.name} ${site.pages.toLocaleString('en-US')}`).join(', ')}`,
    `supplies that end first: ${supplies.map(ending).join(', ')}`,
  ];
}

/** Says the figures as soon as they are there. @returns ends the wait */
export function sayFigures(
  capabilities: Capabilities,
  printers: number,
  story: Story,
  log: Logger,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    figures(capabilities, printers).then(
      (lines) => {
        if (!timer) return;
        if (lines) for (const line of lines) story.say(line);
        else timer = setTimeout(look, LOOK_EVERY_MS);
      },
      (error: unknown) => log.warn({ reason: reasonOf(error) }, 'pages and supplies could not be reported'),
    );
  };
  timer = setTimeout(look, LOOK_EVERY_MS);
  return () => {
    clearTimeout(timer);
    timer = undefined;
  };
}
