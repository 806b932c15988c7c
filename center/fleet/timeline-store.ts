/**
 * The timeline of one printer: its history from all tables as one list, newest first. One statement reads at most a
 * page after the cursor from each table, along an index that begins with the printer, so a long history costs no more
 * than a short one.
 */
import type { TimelineItem } from '../../schemas/types.ts';
import type { Database } from '../database/database.ts';
import { cursorOf, keyOf } from '../database/page-cursor.ts';
import type { Page, PageRequest, TimelineQuery } from '../queries.ts';

type TimelineKind = TimelineItem['kind'];

/** One table's part of the list. `at` and `key` order its rows; all members are SQL, and $1 is the printer. */
interface Arm {
  kind: TimelineKind;
  at: string;
  /** Tie-breaker for rows of the same time: a text, padded if it is a number. */
  key: string;
  what: string;
  data: Record<string, string>;
  from: string;
  where: string;
  /** The table's own order by `at`, if that is indexed and the order by key is not. */
  order?: string;
}

const iso = (time: string): string => `to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const number = (column: string): string => `lpad(${column}::text, 20, '0')`;

const ARMS: readonly Arm[] = [
  {
    kind: 'structure',
    at: 'h.received',
    key: number('h.id'),
    what: `CASE WHEN h.changes = '[]' THEN 'first' ELSE 'changed' END`,
    data: { session: 'h.session', revision: 'h.revision', told: iso('h.at'), changes: 'h.changes' },
    from: 'structure_history h',
    where: 'h.printer = $1',
  },
  {
    kind: 'verdict',
    at: 'v.at',
    key: number('v.id'),
    what: 'v.status',
    data: { was: 'v.previous', catalog: 'v.catalog', session: 'v.session', revision: 'v.revision' },
    from: 'verdict_history v',
    where: 'v.printer = $1',
  },
  {
    kind: 'entry',
    at: 'e.at',
    key: `${number('e.stream')} || ${number('e.seq')}`,
    what: 'e.code',
    data: {
      log: 's.log',
      seq: 'e.seq',
      received: iso('e.received'),
      severity: "(ARRAY['info', 'warning', 'error', 'fatal'])[e.severity + 1]",
      unit: 'e.unit',
      pages: 'e.pages',
      detail: 'e.detail',
    },
    from: 'log_streams s JOIN entries e ON e.stream = s.id',
    where: 's.printer = $1',
    order: 'e.seq DESC',
  },
  {
    kind: 'trouble',
    at: 't.opened_at',
    key: "'0' || t.id",
    what: "'opened'",
    data: { trouble: 't.id', rule: 't.rule', title: 't.title', severity: 't.severity', unit: 't.unit' },
    from: 'troubles t',
    where: 't.printer = $1',
  },
  {
    kind: 'trouble',
    at: 't.closed_at',
    key: "'1' || t.id",
    what: 't.state',
    data: {
      trouble: 't.id',
      rule: 't.rule',
      title: 't.title',
      severity: 't.severity',
      unit: 't.unit',
      why: 'coalesce(t.note, t.explanation)',
    },
    from: 'troubles t',
    where: 't.printer = $1 AND t.closed_at IS NOT NULL',
  },
  {
    kind: 'order',
    at: 'x.created_at',
    key: "'0' || x.id",
    what: "'given'",
    data: {
      execution: 'x.id',
      campaign: 'x.campaign',
      trouble: 'x.trouble',
      cause: "x.plan->'cause'",
      steps: `(SELECT json_agg(json_strip_nulls(json_build_object('subject', s->'subject', 'from', s->'from', 'to', s->'to')))
               FROM jsonb_array_elements(x.plan->'steps') s)`,
    },
    from: 'executions x',
    where: 'x.printer = $1',
  },
  {
    kind: 'order',
    at: 'r.received',
    key: `'1' || x.id || ${number('r.attempt')} || ${number('r.seq')}`,
    what: 'r.state',
    data: {
      execution: 'x.id',
      campaign: 'x.campaign',
      attempt: 'r.attempt',
      steps: `(SELECT json_agg(json_strip_nulls(json_build_object('subject', s->'subject', 'from', s->'from', 'to', s->'to')))
               FROM jsonb_path_query(x.plan, '$.steps[$at]',
                      jsonb_build_object('at', coalesce((r.document->>'step')::int, 0)), true) s)`,
      why: "r.document->'error'->>'message'",
    },
    from: 'executions x JOIN update_reports r ON r.execution = x.id AND r.printer = x.printer',
    // Progress within a state is left out.
    where: `x.printer = $1 AND NOT EXISTS (
        SELECT 1 FROM (SELECT b.state, b.document->>'step' AS step FROM update_reports b
                       WHERE b.execution = r.execution AND b.printer = r.printer AND b.attempt = r.attempt
                         AND b.seq < r.seq ORDER BY b.seq DESC LIMIT 1) b
        WHERE b.state = r.state AND b.step IS NOT DISTINCT FROM r.document->>'step')`,
  },
  {
    kind: 'order',
    at: 'x.ended_at',
    key: "'2' || x.id",
    what: 'x.state',
    data: {
      execution: 'x.id',
      campaign: 'x.campaign',
      why: "coalesce(x.record->'error'->>'message', x.record->>'cancel')",
    },
    from: 'executions x',
    where: 'x.printer = $1 AND x.ended_at IS NOT NULL',
  },
  {
    kind: 'presence',
    at: 'p.at',
    key: number('p.id'),
    what: "CASE WHEN p.online THEN 'online' ELSE 'offline' END",
    data: {},
    from: 'presence_history p',
    where: 'p.printer = $1',
  },
  {
    kind: 'reading',
    at: 'r.received',
    key: `r.session || ${number('r.number')}`,
    what: "'changed'",
    data: {
      told: iso('r.at'),
      session: 'r.session',
      number: 'r.number',
      state: "r.document->'state'",
      reasons: "r.document->'reasons'",
    },
    from: 'readings r',
    where: "r.printer = $1 AND r.document->>'reason' = 'change'",
  },
  {
    kind: 'reading',
    at: 'i.since_at',
    key: 'i.symbol',
    what: "'exchanged'",
    data: {
      supply: 'i.symbol',
      supplyKind: 'i.kind',
      color: 'i.color',
      model: 'i.model',
      serial: 'i.serial',
      left: 'i.since_left',
      knownBy: 'i.exchange',
    },
    from: 'supply_intervals i',
    where: 'i.printer = $1 AND i.exchange IS NOT NULL',
  },
  {
    kind: 'act',
    at: 'a.at',
    key: number('a.id'),
    what: 'a.method',
    data: { by: 'a.actor', role: 'a.role', params: "a.params - 'printers'", outcome: 'a.outcome' },
    from: `(SELECT * FROM audit a WHERE a.params ? 'printer' AND a.params->>'printer' = $1
            UNION ALL
            SELECT * FROM audit a WHERE a.params ? 'printers' AND a.params->'printers' @> to_jsonb($1::text)
              AND a.params->>'printer' IS DISTINCT FROM $1
            UNION ALL
            SELECT a.* FROM troubles t JOIN audit a ON a.params->>'id' COLLATE "C" = t.id AND a.method LIKE 'troubles.%'
            WHERE t.printer = $1) a`,
    where: 'true',
  },
];

interface Row {
  kind: TimelineKind;
  rank: number;
  at: Date;
  exact: string;
  key: string;
  what: string;
  data: Record<string, unknown>;
}

/** A page begins after this row. */
interface Behind {
  at: string;
  rank: number;
  key: string;
}

/** Parameters of the statement: $1 printer, $2 limit, $3 and $4 the cursor, $5 since, $6 until. */
function armText(arm: Arm, rank: number, query: TimelineQuery, behind: Behind | undefined): string {
  const { kind, at, key, what, data, from, where, order = '4 DESC' } = arm;
  const where_ = [where];
  if (behind) {
    // Rows of the same time are in the order of their arms, last arm first.
    where_.push(rank > behind.rank ? `${at} < $3::timestamptz` : `${at} <= $3::timestamptz`);
    if (rank === behind.rank) where_.push(`(${at} < $3::timestamptz OR (${key}) COLLATE "C" < $4)`);
  }
  if (query.since !== undefined) where_.push(`${at} >= $5::timestamptz`);
  if (query.until !== undefined) where_.push(`${at} < $6::timestamptz`);
  const members = Object.entries(data).flatMap(([name, value]) => [`'${name}'`, value]);
  const select = `SELECT '${kind}' AS kind, ${rank} AS rank, ${at} AS at, (${key}) COLLATE "C" AS key, ${what} AS what,
      json_strip_nulls(json_build_object(${members.join(', ')})) AS data
    FROM ${from} WHERE ${where_.join(' AND ')} ORDER BY 3 DESC, ${order} LIMIT $2`;
  if (kind !== 'entry') return `(${select})`;
  // One arm per log memory, because the index orders entries only within a log memory.
  return `(SELECT c.* FROM log_streams s CROSS JOIN LATERAL (${select
    .replace('log_streams s JOIN entries e ON e.stream = s.id', 'entries e')
    .replace('s.printer = $1', 'e.stream = s.id')}) c WHERE s.printer = $1 ORDER BY 3 DESC, 4 DESC LIMIT $2)`;
}

/** The statement for a page; exported for the test of its query plan. */
export function timelineText(query: TimelineQuery, behind?: Behind): string {
  const arms = ARMS.map((arm, rank) => ({ arm, rank })).filter(
    ({ arm }) => query.kinds === undefined || query.kinds.includes(arm.kind),
  );
  // Every parameter is cast here once, so that it has a type even if the query does not use it.
  return `WITH given AS (SELECT $1::text, $2::int8, $3::timestamptz, $4::text, $5::timestamptz, $6::timestamptz)
    SELECT kind, rank, at, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS exact, key, what, data
    FROM (${arms.map(({ arm, rank }) => armText(arm, rank, query, behind)).join('\nUNION ALL\n')}) every
    ORDER BY at DESC, rank DESC, key COLLATE "C" DESC LIMIT $2`;
}

function itemOf({ kind, at, what, data }: Row): TimelineItem {
  return { at: at.toISOString(), kind, what, ...data };
}

/** A page of a printer's timeline. @throws PlatenError request/invalid for a cursor of another list */
export async function timelinePage(
  database: Database,
  printer: string,
  query: TimelineQuery,
  page: PageRequest,
): Promise<Page<TimelineItem>> {
  let behind: Behind | undefined;
  if (page.cursor !== undefined) {
    const [at = '', rank, key = ''] = keyOf('timeline', page.cursor, ['time', 'number', 'text']);
    behind = { at, rank: Number(rank), key };
  }
  const values = [
    printer,
    page.limit + 1,
    behind?.at ?? null,
    behind?.key ?? null,
    query.since ?? null,
    query.until ?? null,
  ];
  const rows = await database.borrow(async (client) => {
    // Every arm has an index. The planner would still scan a short audit log, although each row may name a thousand
    // printers: unnesting those costs more than the whole page.
    await client.query('BEGIN READ ONLY; SET LOCAL enable_seqscan = off');
    try {
      return (await client.query<Row>(timelineText(query, behind), values)).rows;
    } finally {
      await client.query('ROLLBACK');
    }
  });
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  return {
    items: shown.map(itemOf),
    ...(rows.length > page.limit && last
      ? { next: cursorOf('timeline', [last.exact, last.rank, last.key]) }
      : {}),
  };
}
