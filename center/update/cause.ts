/**
 * Why software goes to printers: a person asked, a rule found a trouble, or a verdict called them misfits. The cause
 * travels with campaigns, orders, events and the audit. Pure.
 */
import { createHash } from 'node:crypto';
import { parseSubject } from '../../schemas/subject.ts';
import type { OrderStep } from '../../schemas/types.ts';

export type Cause =
  | { kind: 'person'; by: string }
  /** `question` changes with what the rule means or does. */
  | { kind: 'rule'; rule: string; question: string; trouble: string }
  /** `wrong`: the broken rules of the catalog; `mends`: the releases that end it. */
  | { kind: 'verdict'; catalog: string; wrong: string[]; mends: string[] };

/** The cause as an event, a document or an order shows it. */
export function causeDocument(cause: Cause): Record<string, unknown> & { kind: Cause['kind'] } {
  if (cause.kind !== 'rule') return { ...cause };
  const { kind, rule, trouble } = cause;
  return { kind, rule, trouble };
}

/** Who is named as the author of what follows from this cause. */
export function authorOf(cause: Cause): string {
  if (cause.kind === 'person') return cause.by;
  return cause.kind === 'rule' ? `rule ${cause.rule}`.slice(0, 64) : 'verdict';
}

/** A short name for a list of texts, the same for the same list. */
export function hashOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
}

/**
 * What an order installs, as stops and evidence name it: `software@version`, and `symbol>spare` for a switched unit.
 */
export function releasesOf(steps: readonly Pick<OrderStep, 'subject' | 'to'>[]): string[] {
  return [...new Set(steps.map(releaseOf))].sort();
}

/** The release of one step. */
export function releaseOf({ subject, to }: Pick<OrderStep, 'subject' | 'to'>): string {
  const { software } = parseSubject(subject);
  return software === undefined ? `${subject}>${to}` : `${software}@${to}`;
}
