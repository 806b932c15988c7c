/**
 * Reads the load on the fleet from the database, for the bounds on dispatch.
 */
import { durationMs } from '../../../schemas/duration.ts';
import type { Query } from '../orders/execution-store.ts';
import type { Applicant, FleetLoad, Load, Place } from './dispatch-bounds.ts';
import { provenOn } from './release-ledger-store.ts';

/** Key of the advisory lock for dispatch. */
const DISPATCH_LOCK = 41_012;
/** A printer silent for longer doesn't count as part of its site. */
const KNOWN_WITHIN_MS = durationMs('P30D') ?? 0;

/** Orders that can go on now. */
const ACTIVE = `(e.state IN ('installing', 'self-testing', 'claimed')
  OR e.ended_at IS NOT NULL OR (e.state <> 'deferred' AND p.online IS NOT FALSE))`;

/** Orders that were withdrawn from printers that are away and have not begun. */
export const GIVEN_UP = `(e.record ? 'cancel' AND e.ended_at IS NULL AND p.online IS FALSE
  AND e.state NOT IN ('installing', 'self-testing', 'claimed'))`;

/** Takes the dispatch lock until the transaction ends: nobody else creates orders meanwhile. */
export async function lockDispatch(query: Query): Promise<void> {
  await query('SELECT pg_advisory_xact_lock($1)', [DISPATCH_LOCK]);
}

/** The load on all configurations, releases, sites and pools of these applicants. */
export async function fleetLoad(
  query: Query,
  campaign: string,
  applicants: readonly Applicant[],
  now: number,
): Promise<FleetLoad> {
  const [minute] = await query<{ n: number }>(
    'SELECT count(*)::int AS n FROM executions WHERE created_at > $1',
    [new Date(now - 60_000)],
  );
  return {
    inMinute: minute?.n ?? 0,
    strata: await strataLoad(query, campaign, unique(applicants.map(({ stratum }) => stratum))),
    releases: await releasesLoad(query, unique(applicants.flatMap(({ releases }) => releases))),
    sites: await places(
      query,
      'p.site = g.name',
      counted(applicants, ({ site }) => site),
      now,
    ),
    pools: await places(
      query,
      "p.labels @> jsonb_build_object('pool', g.name)",
      counted(applicants, ({ pool }) => pool),
      now,
    ),
  };
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)];
}

/** Number of applicants by name. */
function counted(
  applicants: readonly Applicant[],
  nameOf: (applicant: Applicant) => string | undefined,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const applicant of applicants) {
    const name = nameOf(applicant);
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

async function strataLoad(query: Query, campaign: string, strata: string[]): Promise<Map<string, Load>> {
  const rows = await query<Load & { stratum: string }>(
    `SELECT t.stratum, count(*) FILTER (WHERE t.outcome = 'good')::int AS good,
            count(*) FILTER (WHERE t.state = 'dispatched' AND ${GIVEN_UP} IS NOT TRUE)::int AS out,
            count(*) FILTER (WHERE t.state = 'dispatched' AND ${ACTIVE})::int AS active
     FROM campaign_targets t LEFT JOIN executions e ON e.id = t.execution LEFT JOIN printers p ON p.id = t.printer
     WHERE t.campaign = $1 AND t.stratum = ANY($2) AND t.state IN ('dispatched', 'ended') GROUP BY 1`,
    [campaign, strata],
  );
  return new Map(rows.map(({ stratum, ...load }) => [stratum, load]));
}

async function releasesLoad(query: Query, releases: string[]): Promise<Map<string, Load>> {
  const rows = await query<Omit<Load, 'good'> & { release: string }>(
    `SELECT r AS release, count(*) FILTER (WHERE ${GIVEN_UP} IS NOT TRUE)::int AS out, count(*) FILTER (WHERE ${ACTIVE})::int AS active
     FROM campaign_targets t JOIN executions e ON e.id = t.execution LEFT JOIN printers p ON p.id = t.printer,
          unnest(t.releases) r
     WHERE t.state = 'dispatched' AND r = ANY($1) GROUP BY 1`,
    [releases],
  );
  const out = new Map(rows.map(({ release, ...load }) => [release, load]));
  const proven = await provenOn(query, releases);
  return new Map(
    releases.map((release) => [
      release,
      { active: 0, out: 0, ...out.get(release), good: proven.get(release) ?? 0 },
    ]),
  );
}

/**
 * The printers of these places. Working printers are counted up to one more than the applicants: more makes no
 * difference.
 */
async function places(
  query: Query,
  belongs: string,
  names: ReadonlyMap<string, number>,
  now: number,
): Promise<Map<string, Place>> {
  if (names.size === 0) return new Map();
  const rows = await query<Place & { name: string }>(
    `SELECT g.name, a.printers, a.under_way AS "underWay", w.working
     FROM unnest($1::text[], $2::int[]) AS g(name, applicants),
     LATERAL (SELECT count(*)::int AS printers, count(e.id) FILTER (WHERE ${GIVEN_UP} IS NOT TRUE)::int AS under_way
              FROM printers p LEFT JOIN executions e ON e.printer = p.id AND e.ended_at IS NULL
              WHERE ${belongs} AND p.standing = 'active' AND (p.online OR p.last_seen > $3)) a,
     LATERAL (SELECT count(*)::int AS working FROM (
                SELECT 1 FROM printers p
                WHERE ${belongs} AND p.online AND p.standing = 'active' AND p.device IS DISTINCT FROM 'unreachable'
                  AND NOT EXISTS (SELECT 1 FROM executions e WHERE e.printer = p.id AND e.ended_at IS NULL)
                LIMIT g.applicants + 1) x) w`,
    [[...names.keys()], [...names.values()], new Date(now - KNOWN_WITHIN_MS)],
  );
  return new Map(rows.map(({ name, ...place }) => [name, place]));
}
