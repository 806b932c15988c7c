/**
 * Why a printer gets software: a person asked, a rule found a trouble, or a verdict found a misfit. Campaigns, orders,
 * events and audit records carry the cause. Pure.
 */
import { createHash } from 'node:crypto';
import { parseSubject } from '../../schemas/subject.ts';
import type { OrderStep } from '../../schemas/types.ts';

export type Cause =
  | { kind: 'person'; by: string }
  /** `question` changes when the rule's meaning or remedy changes. */
  | { kind: 'rule'; rule: string; question: string; trouble: string }
  /** `wrong`: the catalog rules that are broken; `mends`: the releases that fix it. */
  | { kind: 'verdict'; catalog: string; wrong: string[]; mends: string[] };

/** The cause as events, documents and orders show it. */
export function causeDocument(cause: Cause): Record<string, unknown> & { kind: Cause['kind'] } {
  if (cause.kind !== 'rule') return { ...cause };
  const { kind, rule, trouble } = cause;
  return { kind, rule, trouble };
}

/** The author recorded for actions with this cause. */
export function authorOf(cause: Cause): string {
  if (cause.kind === 'person') return cause.by;
  return cause.kind === 'rule' ? `rule ${cause.rule}`.slice(0, 64) : 'verdict';
}

/** A short stable hash of a list of strings. */
export function hashOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
}

/**
 * The releases an order installs, as stops and evidence name them: `software@version`, or `symbol>spare` for a switched
 * unit.
 */
export function releasesOf(steps: readonly Pick<OrderStep, 'subject' | 'to'>[]): string[] {
  return [...new Set(steps.map(releaseOf))].sort();
}

/** The release one step installs. */
export function releaseOf({ subject, to }: Pick<OrderStep, 'subject' | 'to'>): string {
  const { software } = parseSubject(subject);
  return software === undefined ? `${subject}>${to}` : `${software}@${to}`;
}
