/** Queries for lists and counts of campaigns. */
import type { Campaign } from '../../../schemas/types.ts';
import { cursorOf, keyOf } from '../../database/page-cursor.ts';
import type { Page, PageRequest } from '../../queries.ts';
import type { UpdateDatabase } from '../orders/execution-store.ts';
import { type CampaignRow, campaignDocument } from './campaign-view.ts';

/** What `campaigns.list` filters by. */
export interface CampaignFilter {
  state?: Campaign['state'];
}

/** Columns of a campaign's row. */
export const CAMPAIGN_COLUMNS = 'id, record, request, seed, created_at, updated_at, created_by';

/** Campaigns that meet an SQL condition. */
export async function campaignRows(
  database: UpdateDatabase,
  where: string,
  values: unknown[] = [],
): Promise<CampaignRow[]> {
  const rows = await database.query<CampaignRow>(
    `SELECT ${CAMPAIGN_COLUMNS} FROM campaigns WHERE ${where}`,
    values,
  );
  return rows.map((row) => ({ ...row, seed: Number(row.seed) }));
}

/** A page of campaigns, newest first. */
export async function listCampaigns(
  database: UpdateDatabase,
  filter: CampaignFilter,
  page: PageRequest,
): Promise<Page<Campaign>> {
  const after = page.cursor === undefined ? undefined : keyOf('campaigns', page.cursor, ['time', 'text']);
  const rows = await campaignRows(
    database,
    `($1::text IS NULL OR state = $1)
     AND ($2::timestamptz IS NULL OR (created_at, id) < ($2::timestamptz, $3::text))
     ORDER BY created_at DESC, id DESC LIMIT $4`,
    [filter.state ?? null, after?.[0] ?? null, after?.[1] ?? '', page.limit + 1],
  );
  const items = await Promise.all(rows.slice(0, page.limit).map((row) => campaignDocument(database, row)));
  const last = rows[page.limit - 1];
  return {
    items,
    ...(rows.length > page.limit && last
      ? { next: cursorOf('campaigns', [last.created_at.toISOString(), last.id]) }
      : {}),
  };
}

/** A page of a campaign's printers with the outcome of each. */
export function campaignPrinters(
  database: UpdateDatabase,
  id: string,
  limit: number,
  after: string,
): Promise<Record<string, unknown>[]> {
  return database.query(
    `SELECT t.printer, t.state, t.execution,
              CASE t.state WHEN 'excluded' THEN coalesce(t.reason, t.state) WHEN 'waiting' THEN t.state
                           ELSE coalesce(e.state, t.ended, t.state) END AS "is",
              e.record->'error' AS error,
              coalesce(t.why, CASE WHEN t.state = 'waiting' AND o.id IS NOT NULL
                                   THEN 'it has the order ' || o.id || coalesce(' of the campaign ' || o.campaign, '') END) AS why
       FROM campaign_targets t LEFT JOIN executions e ON e.id = t.execution
       LEFT JOIN executions o ON o.printer = t.printer AND o.ended_at IS NULL
       WHERE t.campaign = $1 AND t.printer > $2 ORDER BY t.printer LIMIT $3`,
    [id, after, limit],
  );
}

/** Number of running campaigns. */
export async function countRunning(database: UpdateDatabase): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM campaigns WHERE state = 'running'",
  );
  return row?.n ?? 0;
}

/** The campaigns that wait for the outcome of a printer's order. */
export async function campaignsWaitingFor(database: UpdateDatabase, printer: string): Promise<string[]> {
  const rows = await database.query<{ campaign: string }>(
    "SELECT campaign FROM campaign_targets WHERE printer = $1 AND state IN ('waiting', 'dispatched')",
    [printer],
  );
  return rows.map(({ campaign }) => campaign);
}
