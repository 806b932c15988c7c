/** A trouble as a row of the store, and on the wire. */
import type { Trouble } from '../../schemas/types.ts';
import type { TroubleView } from './engine/engine.ts';
import type { KeyScope } from './engine/key-state.ts';
import { type CompiledRule, OWN_RULES } from './engine/rule.ts';

/** What can happen to a trouble. */
export type TroubleNews = 'opened' | 'escalated' | 'reopened' | 'cleared' | 'cured' | 'closed' | 'withdrawn';

/** What operators do about a trouble. `awake`: its snooze is over. */
export type TroubleAct = 'acknowledged' | 'unacknowledged' | 'assigned' | 'unassigned' | 'snoozed' | 'awake';

/** Software that is to be installed. */
export interface WantedSoftware {
  id: string;
  range: string;
}

/** Times are RFC 3339 texts; what is absent is null, as in the database. */
export interface TroubleRow {
  id: string;
  rule: string;
  title: string | null;
  key: string;
  printer: string | null;
  unit: string | null;
  scope: KeyScope;
  state: Trouble['state'];
  severity: string;
  count: number;
  opened_at: string;
  updated_at: string;
  closed_at: string | null;
  last_at: string;
  evidence: { log: string; seq: number; printer?: string }[];
  codes: string[];
  remedy: Record<string, unknown> | null;
  proposal: Record<string, unknown> | null;
  note: string | null;
  explanation: string | null;
  /** When an update was proven that is to cure it. */
  proven_at: string | null;
  /** Who looks after it. */
  owner: string | null;
  acknowledged: Acknowledgement | null;
  snoozed: Snooze | null;
}

/** Who has seen a trouble. */
export type Acknowledgement = NonNullable<Trouble['acknowledged']>;
/** Until when nobody is to be notified of a trouble; it is deleted when it is over. */
export type Snooze = NonNullable<Trouble['snoozed']>;

/** The rule of troubles that tell that a printer makes more keys for a rule than are kept. */
export const CROWDED_RULE = `${OWN_RULES}crowded`;
/** The rule of troubles that tell that a printer was set aside. */
export const SET_ASIDE_RULE = `${OWN_RULES}set-aside`;

/** Whether the center itself found it, and no rule did. */
export function isFinding({ rule }: Pick<TroubleRow, 'rule'>): boolean {
  return rule.startsWith(OWN_RULES);
}

export function isOpen(row: TroubleRow): boolean {
  return row.state === 'open' || row.state === 'escalated';
}

/** The row that a trouble makes, on top of what there was. */
export function rowOf(
  view: TroubleView,
  rule: CompiledRule | undefined,
  before: TroubleRow | undefined,
  now: number,
): TroubleRow {
  const { scope } = view;
  const ended = view.closedAt !== undefined;
  // An update that was to cure it did not, when the trouble goes on after it.
  const refuted = before?.proven_at != null && view.lastAt > Date.parse(before.proven_at);
  const proven = refuted ? null : (before?.proven_at ?? null);
  const cured = ended && proven !== null;
  return {
    id: view.id,
    rule: view.rule,
    title: view.title ?? null,
    key: view.key,
    printer: scope.printer ?? null,
    unit: scope.unit ?? null,
    scope,
    state: ended ? (cured ? 'cured' : 'cleared') : view.escalated ? 'escalated' : 'open',
    severity: view.severity,
    count: view.count,
    opened_at: view.openedAt,
    updated_at: new Date(now).toISOString(),
    closed_at: view.closedAt ?? null,
    last_at: new Date(view.lastAt).toISOString(),
    evidence: view.evidence.map(({ log, seq, printer }) =>
      scope.printer === undefined ? { log, seq, printer } : { log, seq },
    ),
    codes: view.codes,
    remedy: rule?.remedy ?? before?.remedy ?? null,
    proposal: before?.proposal ?? null,
    note: before?.note ?? null,
    explanation: cured
      ? 'An update was proven and the log has been quiet since.'
      : refuted
        ? 'An update was proven, but the trouble went on after it.'
        : (view.explanation ?? before?.explanation ?? null),
    proven_at: proven,
    owner: before?.owner ?? null,
    acknowledged: before?.acknowledged ?? null,
    snoozed: before?.snoozed ?? null,
  };
}

/** What was told of a trouble, by its row. */
export function viewOfRow(row: TroubleRow): TroubleView {
  return {
    id: row.id,
    rule: row.rule,
    title: row.title ?? undefined,
    scope: row.scope,
    key: row.key,
    openedAt: rfc3339(row.opened_at),
    closedAt: row.closed_at === null ? undefined : rfc3339(row.closed_at),
    severity: row.severity,
    escalated: row.state === 'escalated',
    count: row.count,
    measure: 0,
    evidence: row.evidence.map(({ log, seq, printer }) => ({
      log,
      seq,
      printer: printer ?? row.printer ?? '',
    })),
    codes: row.codes,
    lastAt: Date.parse(row.last_at),
    reopened: 0,
  };
}

/** A trouble as printers and operators read it. */
export function troubleOf(row: TroubleRow): Trouble {
  const { printer: _printer, unit: _unit, ...rest } = row.scope;
  const scope = Object.entries(rest)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  return {
    id: row.id,
    rule: row.rule,
    ...(row.title === null ? {} : { title: row.title }),
    ...(row.printer === null ? {} : { printer: row.printer }),
    ...(row.unit === null ? {} : { unit: row.unit }),
    ...(scope === '' ? (row.printer === null ? { scope: 'fleet' } : {}) : { scope }),
    state: row.state,
    severity: row.severity,
    count: row.count,
    openedAt: rfc3339(row.opened_at),
    updatedAt: rfc3339(row.updated_at),
    ...(row.closed_at === null ? {} : { closedAt: rfc3339(row.closed_at) }),
    evidence: row.evidence,
    ...(row.remedy === null ? {} : { remedy: row.remedy }),
    ...(row.proposal === null ? {} : { proposal: row.proposal }),
    ...(row.note === null ? {} : { note: row.note }),
    ...(row.explanation === null ? {} : { explanation: row.explanation }),
    ...(row.owner === null ? {} : { owner: row.owner }),
    ...(row.acknowledged === null ? {} : { acknowledged: row.acknowledged }),
    ...(row.snoozed === null ? {} : { snoozed: row.snoozed }),
  };
}

// The database writes times of its own form into JSON.
function rfc3339(text: string): string {
  return new Date(text).toISOString();
}
