/** Updates the rows of campaign printers that are judged again, at dispatch or after a change. */
import type { Query } from '../orders/execution-store.ts';
import type { Considered } from './targets.ts';

/** Printers per page. */
const REVISED_MAX = 500;

/** A printer of a campaign without an order of it, and the releases it was planned to get. */
export interface RevisedTarget {
  printer: string;
  releases: string[];
}

/**
 * Writes the new state of a campaign's printers: waiting, nothing to do, or left out. A printer that has no plan because its
 * release was withdrawn is left out with that reason.
 * @param withdrawn why a release was withdrawn; undefined if it wasn't
 */
export async function reviseTargets(
  query: Query,
  campaign: string,
  targets: readonly RevisedTarget[],
  considered: ReadonlyMap<string, Considered>,
  withdrawn: (release: string) => string | undefined,
): Promise<void> {
  if (targets.length === 0) return;
  const rows = targets.map(({ printer, releases }) => {
    const found = considered.get(printer);
    const row = { printer, stratum: '', state: 'excluded', reason: 'removed', why: 'it was removed' };
    if (found === undefined) return { ...row, ended: null, releases };
    if (found.kind === 'fine')
      return { ...row, state: 'ended', reason: null, why: null, ended: 'already', releases };
    const { stratum } = found;
    if (found.kind === 'target')
      return {
        ...row,
        stratum,
        state: 'waiting',
        reason: null,
        why: null,
        ended: null,
        releases: found.releases,
      };
    const gone = releases.flatMap((release) => {
      const why = withdrawn(release);
      return why === undefined ? [] : [`${release} was withdrawn: ${why}`];
    });
    const lost = gone.length > 0 && ['no-plan', 'unavailable', 'withdrawn'].includes(found.reason);
    const reason = lost ? 'withdrawn' : found.reason;
    return { ...row, stratum, reason, why: lost ? gone.join('; ') : found.why, ended: null, releases };
  });
  await query(
    `UPDATE campaign_targets t
     SET state = n.state, reason = n.reason, why = n.why, ended = coalesce(n.ended, t.ended),
         stratum = CASE WHEN n.stratum = '' THEN t.stratum ELSE n.stratum END,
         releases = array_remove(string_to_array(n.releases, E'\\n'), '')
     FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
       AS n(printer, state, reason, why, ended, stratum, releases)
     WHERE t.campaign = $1 AND t.printer = n.printer AND t.state IN ('waiting', 'excluded')`,
    [
      campaign,
      rows.map((row) => row.printer),
      rows.map((row) => row.state),
      rows.map((row) => row.reason),
      rows.map((row) => row.why),
      rows.map((row) => row.ended),
      rows.map((row) => row.stratum),
      rows.map((row) => row.releases.join('\n')),
    ],
  );
}

/** Some of the printers that are busy with another campaign or order. */
export function busyTargets(query: Query, campaign: string): Promise<RevisedTarget[]> {
  return query(
    `SELECT printer, releases FROM campaign_targets
     WHERE campaign = $1 AND state = 'excluded' AND reason = 'busy' ORDER BY random() LIMIT $2`,
    [campaign, REVISED_MAX],
  );
}

/** A page of the printers that wait for one of these releases, by printer. */
export function waitingFor(
  query: Query,
  campaign: string,
  releases: readonly string[],
  after: string,
): Promise<RevisedTarget[]> {
  return query(
    `SELECT printer, releases FROM campaign_targets
     WHERE campaign = $1 AND state = 'waiting' AND releases && $2 AND printer > $3 ORDER BY printer LIMIT $4`,
    [campaign, releases, after, REVISED_MAX],
  );
}
