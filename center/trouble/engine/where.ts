/**
 * Compiles `where` to one closure, and derives what it requires of the code, for the index of rules.
 */
import { didYouMean } from '../../../schemas/nearest-name.ts';
import type { Diagnostics } from './diagnostics.ts';

/** What is known of an entry while it is judged. One object is reused for all entries: don't keep a reference. */
export interface Facts {
  printer: string;
  code: string;
  /** info, warning, error or fatal. */
  severity: string;
  unit: string | undefined;
  /** Kind of the unit, from the printer's structure. */
  kind: string | undefined;
  /** Model of the apparatus. */
  model: string | undefined;
  site: string | undefined;
  detail: Record<string, unknown> | undefined;
}

export type Test = (facts: Facts) => boolean;

/** Codes that can pass: one of `exact`, or one with a prefix in `prefixes`; `any`: all codes. */
export interface CodeDemand {
  any: boolean;
  exact: string[];
  prefixes: string[];
}

export interface CompiledWhere {
  test: Test;
  demand: CodeDemand;
  /**
   * `test` in two parts: what tests code, severity and model only, and so has one result for all entries that share
   * these, and the rest. Undefined: everything passes.
   */
  fixed: Test | undefined;
  rest: Test | undefined;
}

export const ANY_CODE: CodeDemand = { any: true, exact: [], prefixes: [] };
const SEVERITIES: readonly string[] = ['info', 'warning', 'error', 'fatal'];
const OPS = ['=', '!=', 'in', 'prefix', 'glob', '<', '<=', '>', '>='];
const FIXED_FIELDS: readonly unknown[] = ['code', 'severity', 'model'];
const COMBINATORS = ['all', 'any', 'not'];
const PLAIN_FIELDS = ['code', 'severity', 'unit', 'kind', 'model'];
const DEPTH_MAX = 32;

/** A reader of a field of the facts by its name in a rule; undefined when there is no such field. */
export function fieldReader(field: unknown, more: string[] = []): ((facts: Facts) => unknown) | undefined {
  if (typeof field !== 'string') return undefined;
  if (PLAIN_FIELDS.includes(field) || more.includes(field)) {
    // A closure each for the fields that most rules read: a computed property name is slow.
    if (field === 'code') return (facts) => facts.code;
    if (field === 'unit') return (facts) => facts.unit;
    const name = field as Exclude<keyof Facts, 'detail'>;
    return (facts) => facts[name];
  }
  if (!field.startsWith('detail.') || field.length === 7) return undefined;
  const flat = field.slice(7);
  const path = flat.split('.');
  return (facts) => {
    const { detail } = facts;
    if (detail === undefined || detail === null) return undefined;
    if (Object.hasOwn(detail, flat)) return detail[flat];
    let value: unknown = detail;
    for (const step of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
      value = (value as Record<string, unknown>)[step];
    }
    return value;
  };
}

/** Compiles a glob (`*` any characters, `?` one) for whole strings. Linear in the text, without a regex. */
export function compileGlob(glob: string): (text: string) => boolean {
  const star = glob.indexOf('*');
  if (star < 0 && !glob.includes('?')) return (text) => text === glob;
  if (star === glob.length - 1 && !glob.includes('?')) {
    const prefix = glob.slice(0, -1);
    return (text) => text.startsWith(prefix);
  }
  return (text) => {
    let at = 0;
    let place = 0;
    let starPlace = -1;
    let starAt = 0;
    while (at < text.length) {
      if (place < glob.length && glob[place] === '*') {
        starPlace = place;
        starAt = at;
        place += 1;
      } else if (place < glob.length && (glob[place] === '?' || glob[place] === text[at])) {
        place += 1;
        at += 1;
      } else if (starPlace >= 0) {
        starAt += 1;
        at = starAt;
        place = starPlace + 1;
      } else {
        return false;
      }
    }
    while (glob[place] === '*') place += 1;
    return place === glob.length;
  };
}

function order(left: unknown, right: unknown): number {
  if (typeof right === 'number') {
    const value = typeof left === 'string' && left.trim() !== '' ? Number(left) : left;
    return typeof value === 'number' ? value - right : Number.NaN;
  }
  if (typeof right !== 'string') return Number.NaN;
  const value = typeof left === 'number' ? String(left) : left;
  if (typeof value !== 'string') return Number.NaN;
  return value < right ? -1 : value > right ? 1 : 0;
}

const COMPARE: Record<string, (difference: number) => boolean> = {
  '<': (difference) => difference < 0,
  '<=': (difference) => difference <= 0,
  '>': (difference) => difference > 0,
  '>=': (difference) => difference >= 0,
};

type Tested = Pick<CompiledWhere, 'test' | 'demand'>;

function compileTest(triple: unknown[], path: string, diagnostics: Diagnostics): CompiledWhere {
  const { test, demand } = testOf(triple, path, diagnostics);
  const fixed = FIXED_FIELDS.includes(triple[0]);
  return { test, demand, fixed: fixed ? test : undefined, rest: fixed ? undefined : test };
}

function testOf(triple: unknown[], path: string, diagnostics: Diagnostics): Tested {
  const nothing: Tested = { test: () => false, demand: ANY_CODE };
  const [field, op, value] = triple;
  const read = fieldReader(field);
  if (triple.length !== 3) {
    diagnostics.error(path, 'a test is [field, op, value]');
    return nothing;
  }
  if (!read) {
    diagnostics.error(
      `${path}/0`,
      `no such field (${PLAIN_FIELDS.join(', ')}, detail.…)${didYouMean(String(field), PLAIN_FIELDS)}`,
    );
    return nothing;
  }
  if (typeof op !== 'string' || !OPS.includes(op)) {
    diagnostics.error(`${path}/1`, `no such op (${OPS.join(' ')})`);
    return nothing;
  }
  if (field === 'severity' && (op in COMPARE || op === '=' || op === '!=')) {
    if (!SEVERITIES.includes(String(value))) {
      diagnostics.error(`${path}/2`, `no such severity (${SEVERITIES.join(', ')})`);
      return nothing;
    }
  }
  const compare = COMPARE[op];
  if (compare) {
    if (typeof value !== 'number' && typeof value !== 'string') {
      diagnostics.error(`${path}/2`, 'a number or a string is expected');
      return nothing;
    }
    if (field === 'severity') {
      const rank = SEVERITIES.indexOf(String(value));
      const passing = new Set(SEVERITIES.filter((_, index) => compare(index - rank)));
      return { test: (facts) => passing.has(facts.severity), demand: ANY_CODE };
    }
    return { test: (facts) => compare(order(read(facts), value)), demand: ANY_CODE };
  }
  const onCode = field === 'code';
  switch (op) {
    case '=':
      return {
        test: (facts) => read(facts) === value,
        demand: onCode && typeof value === 'string' ? { any: false, exact: [value], prefixes: [] } : ANY_CODE,
      };
    case '!=':
      return { test: (facts) => read(facts) !== value, demand: ANY_CODE };
    case 'in': {
      if (!Array.isArray(value)) {
        diagnostics.error(`${path}/2`, 'an array is expected');
        return nothing;
      }
      const unknown = field === 'severity' ? value.findIndex((one) => !SEVERITIES.includes(String(one))) : -1;
      if (unknown >= 0)
        diagnostics.error(`${path}/2/${unknown}`, `no such severity (${SEVERITIES.join(', ')})`);
      const members = new Set<unknown>(value);
      return {
        test: (facts) => members.has(read(facts)),
        demand: onCode ? { any: false, exact: value.map(String), prefixes: [] } : ANY_CODE,
      };
    }
    default: {
      if (typeof value !== 'string') {
        diagnostics.error(`${path}/2`, 'a string is expected');
        return nothing;
      }
      const matches = op === 'glob' ? compileGlob(value) : (text: string) => text.startsWith(value);
      const wild = op === 'glob' ? value.search(/[*?]/) : value.length;
      return {
        test: (facts) => {
          const text = read(facts);
          return typeof text === 'string' && matches(text);
        },
        demand: onCode
          ? wild < 0
            ? { any: false, exact: [value], prefixes: [] }
            : prefixDemand(value.slice(0, wild))
          : ANY_CODE,
      };
    }
  }
}

function prefixDemand(prefix: string): CodeDemand {
  return prefix === '' ? ANY_CODE : { any: false, exact: [], prefixes: [prefix] };
}

/** The codes that at least one of the demands allows. */
export function eitherDemand(demands: CodeDemand[]): CodeDemand {
  if (demands.some((demand) => demand.any)) return ANY_CODE;
  return {
    any: false,
    exact: demands.flatMap((demand) => demand.exact),
    prefixes: demands.flatMap((demand) => demand.prefixes),
  };
}

/** The most selective of demands that must all hold (any of them is a necessary condition). */
export function bothDemands(demands: CodeDemand[]): CodeDemand {
  let best: CodeDemand = ANY_CODE;
  for (const demand of demands) {
    if (demand.any) continue;
    if (best.any || weight(demand) < weight(best)) best = demand;
  }
  return best;
}

// An exact code weighs less than a prefix, a long prefix less than a short one.
function weight(demand: CodeDemand): number {
  return demand.prefixes.reduce((sum, prefix) => sum + 1 + 64 / prefix.length, 0.1 * demand.exact.length);
}

/** Compiles a `where`; without one everything passes. */
export function compileWhere(
  where: unknown,
  path: string,
  diagnostics: Diagnostics,
  depth = 0,
): CompiledWhere {
  if (where === undefined) return every([]);
  if (Array.isArray(where)) return compileTest(where, path, diagnostics);
  if (typeof where !== 'object' || where === null || depth > DEPTH_MAX) {
    diagnostics.error(
      path,
      depth > DEPTH_MAX ? 'nested too deeply' : 'all, any, not or [field, op, value] is expected',
    );
    return every([]);
  }
  const parts: CompiledWhere[] = [];
  for (const [name, value] of Object.entries(where)) {
    const here = `${path}/${name}`;
    if (name === 'not') {
      const inner = compileWhere(value, here, diagnostics, depth + 1);
      parts.push(whole((facts) => !inner.test(facts), ANY_CODE, inner.rest === undefined));
    } else if (name === 'all' || name === 'any') {
      if (!Array.isArray(value)) {
        diagnostics.error(here, 'an array is expected');
        continue;
      }
      const list = value.map((item, index) => compileWhere(item, `${here}/${index}`, diagnostics, depth + 1));
      parts.push(name === 'all' ? every(list) : some(list));
    } else {
      diagnostics.error(here, `no such combinator (all, any, not)${didYouMean(name, COMBINATORS)}`);
    }
  }
  return every(parts);
}

function whole(test: Test, demand: CodeDemand, fixed: boolean): CompiledWhere {
  return { test, demand, fixed: fixed ? test : undefined, rest: fixed ? undefined : test };
}

const present = (test: Test | undefined): test is Test => test !== undefined;

/** Combines tests that must all pass; undefined for none. */
export function allOf(tests: (Test | undefined)[]): Test | undefined {
  const list = tests.filter(present);
  const [first, second] = list;
  if (!first || !second) return first;
  if (list.length === 2) return (facts) => first(facts) && second(facts);
  return (facts) => list.every((test) => test(facts));
}

function every(list: CompiledWhere[]): CompiledWhere {
  return {
    test: allOf(list.map(({ test }) => test)) ?? (() => true),
    demand: bothDemands(list.map(({ demand }) => demand)),
    fixed: allOf(list.map(({ fixed }) => fixed)),
    rest: allOf(list.map(({ rest }) => rest)),
  };
}

function some(list: CompiledWhere[]): CompiledWhere {
  const tests = list.map(({ test }) => test);
  const demand = list.length === 0 ? ANY_CODE : eitherDemand(list.map((item) => item.demand));
  const fixed = list.every(({ rest }) => rest === undefined);
  return whole((facts) => tests.some((test) => test(facts)), demand, fixed);
}
