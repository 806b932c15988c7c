/** The key of a rule's state as text, and the scope it stands for. */
import type { KeyScope } from './key-state.ts';
import type { By, CompiledRule } from './rule.ts';
import type { Facts } from './where.ts';

// Joins the parts of a key; no id may contain it.
const JOINT = '\u001f';

export function keyOf(rule: CompiledRule, facts: Facts): string {
  if (rule.by.length === 1) {
    const [only] = rule.by;
    return only === undefined || only === 'fleet' ? '' : (facts[only] ?? '');
  }
  // Joined, not concatenated: a string made by `+` keeps all its parts alive.
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

/** The scope of a key, parsed from its text. */
export function scopeOfKey({ by }: CompiledRule, key: string): KeyScope {
  const names = by.filter((name) => name !== 'fleet');
  const parts = by.length === 1 ? [key] : key.split(JOINT);
  const scope: KeyScope = {};
  for (const [index, name] of names.entries()) if (parts[index]) scope[name] = parts[index];
  return scope;
}

/** The unit in a key kept by printer and unit, in either order. */
export function unitOfKey(by: By[], key: string, printer: string): string {
  return by[0] === 'printer' ? key.slice(printer.length + 1, -1) : key.slice(0, -(printer.length + 2));
}
