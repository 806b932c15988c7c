/** What one state of a rule is kept for: the key as a text, and what it stands for. */
import type { KeyScope } from './key-state.ts';
import type { By, CompiledRule } from './rule.ts';
import type { Facts } from './where.ts';

// The parts of a key are joined by a character that no id may hold.
const JOINT = '\u001f';

export function keyOf(rule: CompiledRule, facts: Facts): string {
  if (rule.by.length === 1) {
    const [only] = rule.by;
    return only === undefined || only === 'fleet' ? '' : (facts[only] ?? '');
  }
  // Joined and not added up: sums of texts keep all their parts.
  const parts: string[] = [];
  for (const name of rule.by) if (name !== 'fleet') parts.push(facts[name] ?? '');
  parts.push('');
  return parts.join(JOINT);
}

export function scopeOf(rule: CompiledRule, facts: Facts): KeyScope {
  const scope: KeyScope = {};
  for (const name of rule.by) {
    if (name === 'fleet') continue;
    const value = facts[name];
    if (value !== undefined) scope[name] = value;
  }
  return scope;
}

/** What a key stands for, by itself. */
export function scopeOfKey({ by }: CompiledRule, key: string): KeyScope {
  const names = by.filter((name) => name !== 'fleet');
  const parts = by.length === 1 ? [key] : key.split(JOINT);
  const scope: KeyScope = {};
  for (const [index, name] of names.entries()) if (parts[index]) scope[name] = parts[index];
  return scope;
}

/** The unit in a key of `printer` that is kept by printer and unit, in either order. */
export function unitOfKey(by: By[], key: string, printer: string): string {
  return by[0] === 'printer' ? key.slice(printer.length + 1, -1) : key.slice(0, -(printer.length + 2));
}
