/**
 * How printers enter a campaign: those that match at its creation, and those that join later.
 */
import type { CampaignOptions } from '../../../schemas/types.ts';
import type { Query } from '../orders/execution-store.ts';
import { type CampaignRecord, DEFAULT_PACE, newCampaign } from './campaign-state.ts';
import { DEFAULT_GUARD } from './guard.ts';
import { type CampaignRequest, type Candidate, type Exclusion, PASSING, type Targets } from './targets.ts';

/** A printer that takes part, or is left out for a reason. */
export interface IntakeRow {
  printer: string;
  stratum: string;
  state: 'waiting' | 'excluded';
  reason: string | null;
  /** The reason in words. */
  why: string | null;
  releases: string[];
}

/** Judges printers for a campaign, page by page. */
export async function* intake(
  targets: Targets,
  pages: AsyncIterable<Candidate[]> | Iterable<Candidate[]>,
  request: CampaignRequest,
  campaign: string,
): AsyncGenerator<{ rows: IntakeRow[]; fine: number }> {
  for await (const page of pages) {
    const considered = await targets.consider(page, request, campaign);
    const rows = considered.flatMap((each): IntakeRow[] => {
      const { kind } = each;
      if (kind === 'fine') return [];
      const { printer, stratum } = each;
      return kind === 'excluded'
        ? [{ printer, stratum, state: 'excluded', reason: each.reason, why: each.why, releases: [] }]
        : [{ printer, stratum, state: 'waiting', reason: null, why: null, releases: each.releases }];
    });
    yield { rows, fine: considered.length - rows.length };
  }
}

/**
 * Writes printers to a campaign. Printers that wait or have an order are unchanged. A printer whose order ended comes back
 * and keeps its number and outcome, because the same printer is no evidence twice. One that comes with a misfit leaves the
 * campaigns of its earlier misfits.
 * @returns the printers that newly take part, and how many of them came back
 */
export async function writeTargets(
  query: Query,
  campaign: string,
  { misfit }: Pick<CampaignRequest, 'misfit'>,
  rows: readonly IntakeRow[],
  places: (printer: string) => number,
): Promise<{ fresh: string[]; back: number }> {
  if (rows.length === 0) return { fresh: [], back: 0 };
  const coming = rows.filter(({ state }) => state === 'waiting').map(({ printer }) => printer);
  const [known] = await query<{ back: number }>(
    `SELECT count(*)::int AS back FROM campaign_targets
     WHERE campaign = $1 AND printer = ANY($2) AND state = 'ended' AND exposure IS NOT NULL`,
    [campaign, coming],
  );
  const written = await query<{ printer: string; state: string }>(
    `INSERT INTO campaign_targets AS t (campaign, printer, stratum, place, state, reason, why, releases)
     SELECT $1, printer, stratum, place, state, reason, why, array_remove(string_to_array(releases, E'\\n'), '')
     FROM unnest($2::text[], $3::text[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::text[])
       AS n(printer, stratum, place, state, reason, why, releases)
     ON CONFLICT (campaign, printer) DO UPDATE
       SET state = excluded.state, reason = excluded.reason, why = excluded.why, releases = excluded.releases,
           stratum = excluded.stratum, execution = NULL, tries = 0
       WHERE t.state = 'excluded' OR (t.state = 'ended' AND excluded.state = 'waiting')
     RETURNING printer, state`,
    [
      campaign,
      rows.map((row) => row.printer),
      rows.map((row) => row.stratum),
      rows.map((row) => places(row.printer)),
      rows.map((row) => row.state),
      rows.map((row) => row.reason),
      rows.map((row) => row.why),
      rows.map((row) => row.releases.join('\n')),
    ],
  );
  const fresh = written.filter(({ state }) => state === 'waiting').map(({ printer }) => printer);
  if (misfit !== undefined) await leaveOthers(query, campaign, fresh);
  return { fresh, back: known?.back ?? 0 };
}

/** Printers whose misfit has changed no longer wait for the earlier cure. */
async function leaveOthers(query: Query, campaign: string, printers: readonly string[]): Promise<void> {
  if (printers.length === 0) return;
  await query(
    `UPDATE campaign_targets t SET state = 'ended', ended = 'moved' FROM campaigns c
     WHERE c.id = t.campaign AND c.request->>'misfit' IS NOT NULL AND t.campaign <> $1
       AND t.printer = ANY($2) AND t.state = 'waiting'`,
    [campaign, printers],
  );
}

/**
 * Adds printers that match a campaign now and did not before, or whose reason to be left out has passed.
 * @param joined called with the printers that newly take part
 */
export async function joinMatching(
  query: Query,
  targets: Targets,
  { id, request }: { id: string; request: CampaignRequest },
  places: () => number,
  joined: (printers: string[]) => Promise<void>,
): Promise<void> {
  for await (const page of targets.candidates(request)) {
    const known = await query<{ printer: string; state: string; reason: string | null }>(
      'SELECT printer, state, reason FROM campaign_targets WHERE campaign = $1 AND printer = ANY($2)',
      [id, page.map((each) => each.printer)],
    );
    const settled = new Set(
      known
        .filter(({ state, reason }) => state !== 'excluded' || !PASSING.includes(reason as Exclusion))
        .map(({ printer }) => printer),
    );
    const open = page.filter(({ printer }) => !settled.has(printer));
    for await (const { rows } of intake(targets, [open], request, id)) {
      const coming = rows.filter(({ state }) => state === 'waiting');
      await joined((await writeTargets(query, id, request, coming, places)).fresh);
    }
  }
}

/** The record of a new campaign with these options. */
export function recordFor(targets: number, options: CampaignOptions = {}): CampaignRecord {
  const { canaries, canariesAtOnce, wave, growth, atOnce, perMinute, tolerated, promoteBelow } = options;
  const given = <T extends object>(members: T): Partial<T> =>
    Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Partial<T>;
  return newCampaign(
    targets,
    {
      ...DEFAULT_PACE,
      ...given({ canaries, canariesAtOnce, wave, growth, atOnce, perMinute }),
      ...(canaries === undefined ? {} : { canaryShareMax: 1 }),
    },
    { ...DEFAULT_GUARD, ...given({ tolerated, promoteBelow }) },
    options.propose ? 'proposed' : 'running',
  );
}

/**
 * Leaves a printer out of every campaign in which it waits.
 * @returns those campaigns
 */
export function leave(
  query: Query,
  printer: string,
  reason: 'retired' | 'revoked' | 'removed',
): Promise<{ campaign: string }[]> {
  return query(
    `UPDATE campaign_targets t SET state = 'excluded', reason = $2, why = 'it was ' || $2 FROM campaigns c
     WHERE t.printer = $1 AND t.state = 'waiting' AND c.id = t.campaign
       AND c.state NOT IN ('finished', 'aborted') RETURNING t.campaign`,
    [printer, reason],
  );
}
