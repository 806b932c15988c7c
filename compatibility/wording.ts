/**
 * Renders rules, ranges and hosts as text. Long texts are cut: an upgrade graph's range may be tens of kilobytes long.
 */
import type { Constraint, RunsOn, Slot } from '../schemas/types.ts';

const RANGE_CHARACTERS_MAX = 160;

/** A range short enough to read. */
export function shortRange(range: string): string {
  const plain = range.replace(/\s+/g, ' ').trim();
  if (plain.length <= RANGE_CHARACTERS_MAX) return plain === '' ? '*' : plain;
  return `${plain.slice(0, RANGE_CHARACTERS_MAX)}… (${range.length} characters)`;
}

/** The target of a constraint: `acme.engine >=2.5.0`, `feeder PF-1 hardware <2`, `apparatus C360 or C368`. */
export function targetText(constraint: Constraint): string {
  if (constraint.apparatus) return `apparatus ${listText(constraint.apparatus, 'or')}`;
  if (constraint.software !== undefined) {
    const vendor = constraint.vendor === undefined ? '' : ` by ${constraint.vendor}`;
    const range = constraint.range === undefined ? '' : ` ${shortRange(constraint.range)}`;
    return `${constraint.software}${vendor}${range}`;
  }
  const unit = [constraint.kind, constraint.model].filter((part) => part !== undefined).join(' ');
  const hardware = constraint.hardware === undefined ? '' : `hardware ${shortRange(constraint.hardware)}`;
  return [unit || 'any unit', hardware].filter((part) => part !== '').join(' ');
}

/** The rule as a sentence that names it. */
export function ruleText(owner: string, kind: 'requires' | 'conflicts', constraint: Constraint): string {
  const target = targetText(constraint);
  if (kind === 'conflicts') return `${owner} conflicts with ${target}`;
  const some = constraint.of === 'some' ? 'some ' : '';
  const optional = constraint.optional ? ' where there is one' : '';
  return `${owner} requires ${some}${target}${optional}`;
}

/** The hosts that software runs on: `engine EN-36 hardware >=1.0`. */
export function placementText(on: RunsOn): string {
  const models = on.models ? listText(on.models, 'or') : undefined;
  const hardware = on.hardware === undefined ? undefined : `hardware ${shortRange(on.hardware)}`;
  return [on.kind, models, hardware].filter((part) => part !== undefined).join(' ') || 'anything';
}

export function slotText(slot: Slot): string {
  return `${slot.kind} slot (${listText(slot.models, 'or')})`;
}

/** `a`, `a or b`, `a, b or c`; long lists are cut. */
export function listText(items: readonly string[], word: 'and' | 'or'): string {
  if (items.length === 0) return 'nothing';
  const shown = items.length > 8 ? [...items.slice(0, 7), `${items.length - 7} more`] : [...items];
  const last = shown.pop()!;
  return shown.length === 0 ? last : `${shown.join(', ')} ${word} ${last}`;
}
