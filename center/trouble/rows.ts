/** A trouble as a row of the store, and on the wire. */
import type { Trouble } from '../../schemas/types.ts';
import type { TroubleView } from './engine/engine.ts';
import type { KeyScope } from './engine/key-state.ts';
import { type CompiledRule, OWN_RULES } from './engine/rule.ts';

/** What can happen to a trouble. */
export type TroubleNews = 'opened' | 'escalated' | 'reopened' | 'cleared' | 'cured' | 'closed' | 'withdrawn';

/** What operators do about a trouble. `awake`: its snooze has ended. */
export type TroubleAct = 'acknowledged' | 'unacknowledged' | 'assigned' | 'unassigned' | 'snoozed' | 'awake';

/** Software to be installed. */
export interface WantedSoftware {
  id: string;
  range: string;
}

/** Times are RFC 3339 texts; as in the database, null means absent. */
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
  /** When the update that should cure it was proven. */
  proven_at: string | null;
  /** The operator who owns it. */
  owner: string | null;
  acknowledged: Acknowledgement | null;
  snoozed: Snooze | null;
}

/** Who has acknowledged a trouble. */
export type Acknowledgement = NonNullable<Trouble['acknowledged']>;
/** Until when notifications of a trouble are suppressed; deleted when it is over. */
export type Snooze = NonNullable<Trouble['snoozed']>;

/** Troubles of this rule say that a printer uses more keys of a rule than are kept. */
export const CROWDED_RULE = `${OWN_RULES}crowded`;
/** Troubles of this rule say that a printer was set aside. */
export const SET_ASIDE_RULE = `${OWN_RULES}set-aside`;

/** Whether the center itself found it, not a rule. */
export function isFinding({ rule }: Pick<TroubleRow, 'rule'>): boolean {
  return rule.startsWith(OWN_RULES);
}

export function isOpen(row: TroubleRow): boolean {
  return row.state === 'open' || row.state === 'escalated';
}

/** The row of a trouble, based on the row before. */
export function rowOf(
  view: TroubleView,
  rule: CompiledRule | undefined,
  before: TroubleRow | undefined,
  now: number,
): TroubleRow {
  const { scope } = view;
  const ended = view.closedAt !== undefined;
  // The trouble goes on after the update that should cure it.
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

/** The view that was last reported, from its row. */
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

/** A trouble on the wire. */
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

// The database has its own form of times in JSON.
function rfc3339(text: string): string {
  return new Date(text).toISOString();
}
