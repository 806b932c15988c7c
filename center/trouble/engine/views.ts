/** Troubles as they are reported: the view, its id, and what changed since the last report. */
import { hash as digest } from 'node:crypto';
import type { CohortAlarm } from './cohort.ts';
import type { CompiledRules } from './compile.ts';
import type { KeyScope, TroubleLife } from './key-state.ts';
import type { CohortOptions, CompiledRule } from './rule.ts';
import { logOf, type Sighting } from './sighting.ts';
import { formatTime, parseMoment } from './time.ts';

/** A trouble as it is reported. */
export interface TroubleView {
  /** Derived from rule, key and opening, so it is the same wherever it is computed. */
  id: string;
  rule: string;
  title: string | undefined;
  /** The printer, unit, code, model and site it is kept for, as named by the rule's `by`. */
  scope: KeyScope;
  key: string;
  openedAt: string;
  closedAt: string | undefined;
  severity: string;
  /** Whether its severity has risen since it opened. */
  escalated: boolean;
  /** Entries counted to it. */
  count: number;
  /** The highest number compared with `ge`. */
  measure: number;
  evidence: { printer: string; log: string; seq: number }[];
  /** The different codes of the evidence. */
  codes: string[];
  /** Event time of the newest entry counted to it, ms. */
  lastAt: number;
  reopened: number;
  /** The explanation of a cohort rule's alarm. */
  explanation?: string;
}

export interface TroubleChange {
  /** `withdrawn`: late entries show that the trouble never existed. */
  kind: 'opened' | 'evidence' | 'escalated' | 'reopened' | 'cleared' | 'withdrawn';
  trouble: TroubleView;
}

export const SEVERITY_DEFAULT = 'minor';

function hash(parts: unknown[]): string {
  return digest('sha256', JSON.stringify(parts), 'base64url').slice(0, 22);
}

export function idOf({ rule, key, life }: LaneTrouble): string {
  life.id ??= hash([rule.id, key, life.openedAt]);
  return life.id;
}

/** @param before the view reported last: a long list of evidence that is unchanged is reused */
export function viewOf(trouble: LaneTrouble, before?: TroubleView): TroubleView {
  const { rule, key, scope, life } = trouble;
  const kept = before?.evidence.length === life.evidence.length && sameEvidence(before, life);
  return {
    id: idOf(trouble),
    rule: rule.id,
    title: rule.title,
    scope,
    key,
    openedAt: formatTime(life.openedAt),
    closedAt: life.closedAt === undefined ? undefined : formatTime(life.closedAt),
    severity: rule.severity[life.severity]?.name ?? SEVERITY_DEFAULT,
    escalated: life.severity > life.firstSeverity,
    count: life.count,
    measure: life.measure,
    evidence: kept
      ? before.evidence
      : life.evidence.map((one) => ({ printer: one.printer, log: logOf(one), seq: one.seq })),
    codes: kept ? before.codes : codesOf(life.evidence),
    lastAt: life.newest?.at ?? life.openedAt,
    reopened: life.reopened,
  };
}

function codesOf(evidence: Sighting[]): string[] {
  const codes: string[] = [];
  for (const { code } of evidence) if (!codes.includes(code)) codes.push(code);
  return codes;
}

/** A trouble with the key it belongs to. */
export interface LaneTrouble {
  rule: CompiledRule;
  key: string;
  scope: KeyScope;
  life: TroubleLife;
}

/** What was last reported of a trouble. */
export interface LastReport {
  view: TroubleView;
  severity: number;
  count: number;
  reopened: number;
  closedAt: number | undefined;
  /** Number of the report in which it was last seen. */
  telling: number;
}

/** The news of a trouble since the last report; undefined for none. */
export function changeOf(
  told: LastReport | undefined,
  { life }: LaneTrouble,
): TroubleChange['kind'][] | undefined {
  const kinds: TroubleChange['kind'][] = [];
  if (!told) {
    kinds.push('opened');
  } else {
    if (life.reopened > told.reopened || (told.closedAt !== undefined && life.closedAt === undefined)) {
      kinds.push('reopened');
    }
    if (life.severity > told.severity) kinds.push('escalated');
    else if (life.severity !== told.severity || life.count !== told.count || !sameEvidence(told.view, life)) {
      kinds.push('evidence');
    }
  }
  if (life.closedAt !== undefined && told?.closedAt !== life.closedAt) kinds.push('cleared');
  return kinds.length > 0 ? kinds : undefined;
}

// The same number of entries may be others: a late entry took a place.
function sameEvidence({ evidence }: TroubleView, life: LaneTrouble['life']): boolean {
  return evidence.every((one, index) => {
    const other = life.evidence[index];
    return (
      other !== undefined &&
      one.seq === other.seq &&
      one.log === logOf(other) &&
      one.printer === other.printer
    );
  });
}

/** The alarms of a cohort rule as troubles of the whole fleet. */
export function alarmsOf(rule: CompiledRule, alarms: CohortAlarm[]): TroubleView[] {
  return alarms.map((alarm) => {
    const key = `${alarm.release}\u001f${alarm.code}`;
    const { software } = rule.cohort as CohortOptions;
    const opened = formatTime(alarm.at);
    return {
      id: hash([rule.id, key, alarm.at]),
      rule: rule.id,
      title: rule.title,
      scope: { code: alarm.code },
      key,
      openedAt: opened,
      closedAt: undefined,
      severity: rule.severity.findLast(({ from }) => alarm.exposed >= from)?.name ?? SEVERITY_DEFAULT,
      escalated: false,
      count: alarm.exposed + alarm.others,
      measure: alarm.e,
      evidence: alarm.evidence.map(({ printer, log, seq }) => ({ printer, log, seq })),
      codes: [alarm.code],
      lastAt: alarm.at,
      reopened: 0,
      explanation:
        `${software} ${alarm.release} makes ${alarm.code} more frequent: first events of ${alarm.exposed} printers with it ` +
        `and ${alarm.others} without; evidence E ${alarm.e.toPrecision(3)} against ${alarm.threshold.toPrecision(3)}; ` +
        `E over time: ${alarm.history.map(([at, e]) => `${formatTime(at)} ${e}`).join(', ')}.`,
    };
  });
}

/** Sorts by opening, then by the rules' order in their document, then by key. */
export function inOrder<T>(
  { rules }: CompiledRules,
  list: T[],
  read: (one: T) => Pick<TroubleView, 'openedAt' | 'rule' | 'key'>,
): T[] {
  const rank = new Map(rules.map(({ id }, index) => [id, index]));
  const sortable = list.map((one) => {
    const { openedAt, rule, key } = read(one);
    return { one, at: parseMoment(openedAt), rank: rank.get(rule) ?? 0, key };
  });
  sortable.sort((a, b) => a.at - b.at || a.rank - b.rank || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return sortable.map(({ one }) => one);
}
