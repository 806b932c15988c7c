/** Compiles `when` into conditions and a formula over them. */

import { durationMs } from '../../../schemas/duration.ts';
import {
  absence,
  bucket,
  type Condition,
  cooccurrence,
  count,
  distinct,
  flapping,
  sequence,
  silence,
} from './conditions.ts';
import type { Diagnostics } from './diagnostics.ts';
import { GE_MAX, INNER_WHERES_MAX, SEQUENCE_MAX, WAITING_MAX } from './limits.ts';
import { rate } from './rate.ts';
import { compileReadingCondition, READING_CONDITIONS, type ReadingTest } from './reading-when.ts';
import type { CohortOptions, Formula } from './rule.ts';
import {
  ANY_CODE,
  type CodeDemand,
  compileWhere,
  eitherDemand,
  type Facts,
  fieldReader,
  type Test,
} from './where.ts';

export interface CompiledWhen {
  conditions: Condition[];
  formula: Formula;
  negated: boolean[];
  /** With fewer sightings nothing holds, and time alone changes nothing. */
  needs: number;
  inner: Test[];
  /** Whether they all test code, severity and model only. */
  innerFixed: boolean;
  /** Whether every condition has an inner `where` of its own. */
  innerOnly: boolean;
  fields: ((facts: Facts) => unknown)[];
  /** What the inner `where`s together require of the code. */
  demand: CodeDemand;
  cohort: CohortOptions | undefined;
  /** Longest window in which pages are counted, ms; 0 for none. */
  pagesMs: number;
  /** What conditions test of readings. */
  reads: ReadingTest[];
  /** Primitives used. */
  names: Set<string>;
}

type Json = Record<string, unknown>;

const noEntry: Test = () => false;

const COMBINATORS = ['all', 'any', 'not'];
const PRIMITIVES = [
  'count',
  'distinct',
  'rate',
  'bucket',
  'seq',
  'cooccur',
  'absent',
  'flap',
  'silence',
  'cohort',
];
const CONDITIONS = [...PRIMITIVES, ...READING_CONDITIONS, ...COMBINATORS];
const DEPTH_MAX = 16;
/** Members of each primitive. */
const MEMBERS: Record<string, string[]> = {
  count: ['ge', 'over', 'where'],
  distinct: ['field', 'ge', 'over', 'where'],
  rate: ['per', 'n', 'ge', 'min', 'over', 'where'],
  bucket: ['add', 'drain', 'reset', 'ge', 'where'],
  seq: ['of', 'within'],
  cooccur: ['of', 'within'],
  absent: ['after', 'of', 'within'],
  flap: ['of', 'ge', 'over'],
  silence: ['over', 'where'],
  cohort: ['software', 'against', 'ratio', 'alpha'],
};

/** Reads the members of one primitive and reports errors in them. */
class Reader {
  readonly value: Json;
  readonly path: string;
  readonly diagnostics: Diagnostics;

  constructor(value: unknown, path: string, diagnostics: Diagnostics) {
    this.path = path;
    this.diagnostics = diagnostics;
    const fits = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!fits) diagnostics.error(path, 'an object is expected');
    this.value = fits ? (value as Json) : {};
  }

  /** Refuses unknown members. */
  only(...names: string[]): void {
    this.diagnostics.unknownMembers(this.value, names, this.path);
  }

  duration(name: string): number {
    const ms = durationMs(this.value[name]);
    if (ms === undefined) this.diagnostics.error(`${this.path}/${name}`, 'an ISO 8601 duration is expected');
    return ms ?? 0;
  }

  positive(name: string, fallback?: number): number {
    const value = this.value[name] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    this.diagnostics.error(`${this.path}/${name}`, 'a number above 0 is expected');
    return 1;
  }

  whole(name: string): number {
    const value = this.value[name];
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= GE_MAX) return value;
    this.diagnostics.error(`${this.path}/${name}`, `a whole number from 1 to ${GE_MAX} is expected`);
    return 1;
  }
}

/**
 * @param thresholds the highest number that escalation or clearing compares with: that many sightings are kept
 */
export function compileWhen(
  when: unknown,
  path: string,
  diagnostics: Diagnostics,
  thresholds: number,
): CompiledWhen {
  const result: CompiledWhen = {
    conditions: [],
    formula: { all: [] },
    negated: [],
    needs: 1,
    inner: [],
    innerFixed: true,
    innerOnly: true,
    fields: [],
    demand: ANY_CODE,
    cohort: undefined,
    pagesMs: 0,
    reads: [],
    names: new Set(),
  };
  const demands: CodeDemand[] = [];

  function innerBit(where: unknown, here: string): number {
    if (result.inner.length >= INNER_WHERES_MAX) {
      diagnostics.error(here, `a rule may hold at most ${INNER_WHERES_MAX} inner wheres`);
      return 0;
    }
    const compiled = compileWhere(where, here, diagnostics);
    if (where === undefined) diagnostics.error(here, 'a where is expected');
    result.inner.push(compiled.test);
    if (compiled.rest) result.innerFixed = false;
    demands.push(compiled.demand);
    return result.inner.length - 1;
  }

  function bitsOf(value: Json, here: string, exactly?: number): number[] {
    const list = value['of'];
    if (!Array.isArray(list) || list.length < 1) {
      diagnostics.error(`${here}/of`, 'an array of wheres is expected');
      return [0];
    }
    if (exactly !== undefined && list.length !== exactly) {
      diagnostics.error(`${here}/of`, `exactly ${exactly} wheres are expected`);
    }
    if (list.length > SEQUENCE_MAX) {
      diagnostics.error(`${here}/of`, `at most ${SEQUENCE_MAX} wheres are allowed`);
      return [0];
    }
    return list.map((where, index) => innerBit(where, `${here}/of/${index}`));
  }

  // The bit of the condition's own where, or -1 when everything that passes the rule's where counts.
  function ownBit(value: Json, here: string): number {
    if (value['where'] !== undefined) return innerBit(value['where'], `${here}/where`);
    demands.push(ANY_CODE);
    result.innerOnly = false;
    return -1;
  }

  function readingCondition(name: string, raw: unknown, here: string): Condition {
    const [on, off] = [result.inner.length, result.inner.length + 1];
    if (off >= INNER_WHERES_MAX) diagnostics.error(here, 'the rule has too many conditions');
    // Answers of readings use bits beside those of inner wheres; no entry sets them.
    else result.inner.push(noEntry, noEntry);
    result.names.add(name);
    const { condition, test } = compileReadingCondition(name, raw, here, { on, off }, diagnostics);
    result.reads.push(test);
    return condition;
  }

  function primitive(name: string, raw: unknown, here: string): Condition | undefined {
    const reader = new Reader(raw, here, diagnostics);
    const { value } = reader;
    reader.only(...(MEMBERS[name] ?? []));
    result.names.add(name);
    switch (name) {
      case 'count': {
        const ge = reader.whole('ge');
        const keep = Math.max(ge, thresholds);
        return count({ ge, overMs: reader.duration('over'), keep, bit: ownBit(value, here) });
      }
      case 'distinct': {
        const ge = reader.whole('ge');
        const read = fieldReader(value['field'], ['printer', 'site']);
        if (!read) diagnostics.error(`${here}/field`, 'no such field');
        result.fields.push(read ?? (() => undefined));
        return distinct({
          ge,
          overMs: reader.duration('over'),
          keep: Math.max(ge, thresholds),
          bit: ownBit(value, here),
          value: result.fields.length - 1,
        });
      }
      case 'rate': {
        if (value['per'] !== 'pages') diagnostics.error(`${here}/per`, 'only "pages" can be counted per');
        const min = value['min'] ?? 0;
        if (typeof min !== 'number' || min < 0)
          diagnostics.error(`${here}/min`, 'a number of pages is expected');
        const overMs = reader.duration('over');
        result.pagesMs = Math.max(result.pagesMs, overMs);
        return rate({
          n: reader.positive('n'),
          ge: reader.positive('ge'),
          minPages: typeof min === 'number' ? min : 0,
          overMs,
          bit: ownBit(value, here),
        });
      }
      case 'bucket': {
        const ge = reader.positive('ge');
        const add = reader.positive('add', 1);
        const drain =
          value['drain'] === undefined ? undefined : new Reader(value['drain'], `${here}/drain`, diagnostics);
        const reset =
          value['reset'] === undefined ? undefined : new Reader(value['reset'], `${here}/reset`, diagnostics);
        drain?.only('amount', 'pages', 'every');
        reset?.only('pages');
        const every = drain?.value['every'];
        if (drain && every === undefined && drain.value['pages'] === undefined) {
          diagnostics.error(`${here}/drain`, 'pages or every is expected');
        }
        return bucket({
          add,
          ge,
          drain: drain && {
            amount: drain.positive('amount', 1),
            ...(every === undefined
              ? { pages: drain.positive('pages') }
              : { everyMs: Math.max(1, drain.duration('every')) }),
          },
          resetPages: reset?.positive('pages'),
          keep: Math.min(GE_MAX, Math.max(Math.ceil(ge / add), 1)),
          bit: ownBit(value, here),
        });
      }
      case 'seq':
        return sequence(bitsOf(value, here), reader.duration('within'));
      case 'cooccur':
        return cooccurrence(bitsOf(value, here), reader.duration('within'));
      case 'absent':
        return absence(
          innerBit(value['after'], `${here}/after`),
          innerBit(value['of'], `${here}/of`),
          reader.duration('within'),
          WAITING_MAX,
        );
      case 'flap': {
        const ge = reader.whole('ge');
        const [first = 0, second = 0] = bitsOf(value, here, 2);
        const keep = Math.max(ge, thresholds);
        return flapping({ ge, overMs: reader.duration('over'), keep, bit: -1, first, second });
      }
      case 'silence':
        return silence(reader.duration('over'), ownBit(value, here));
      case 'cohort': {
        demands.push(ANY_CODE);
        result.cohort = cohortOptions(reader);
        return undefined;
      }
      default:
        return undefined;
    }
  }

  function compile(node: unknown, here: string, odd: boolean, depth: number): Formula {
    if (typeof node !== 'object' || node === null || Array.isArray(node) || depth > DEPTH_MAX) {
      diagnostics.error(here, depth > DEPTH_MAX ? 'nested too deeply' : 'an object is expected');
      return { all: [] };
    }
    diagnostics.unknownMembers(node, CONDITIONS, here);
    const known = Object.keys(node).filter((name) => CONDITIONS.includes(name));
    if (known.length !== 1) {
      diagnostics.error(
        here,
        known.length === 0
          ? `one of ${CONDITIONS.join(', ')} is expected`
          : `exactly one of ${known.join(', ')} may stand here; combine them with all or any`,
      );
      return { all: [] };
    }
    const [name = ''] = known;
    const value = (node as Json)[name];
    const there = `${here}/${name}`;
    if (name === 'not') return { not: compile(value, there, !odd, depth + 1) };
    if (name === 'all' || name === 'any') {
      if (!Array.isArray(value) || value.length === 0) {
        diagnostics.error(there, 'an array that is not empty is expected');
        return { all: [] };
      }
      const parts = value.map((item, index) => compile(item, `${there}/${index}`, odd, depth + 1));
      return name === 'all' ? { all: parts } : { any: parts };
    }
    if (name === 'cohort' && depth > 0)
      diagnostics.error(there, 'cohort cannot be combined with other conditions');
    const condition = READING_CONDITIONS.includes(name)
      ? readingCondition(name, value, there)
      : primitive(name, value, there);
    if (!condition) return { all: [] };
    const [read] = result.reads.slice(-1);
    if (odd && name === 'counter' && read?.of === 'every') {
      diagnostics.error(there, 'a counter passes a mark at one moment: "every" cannot stand under "not"');
    }
    result.conditions.push(condition);
    result.negated.push(odd);
    return result.conditions.length - 1;
  }

  result.formula = compile(when, path, false, 0);
  result.needs = needsOf(result);
  result.demand = eitherDemand(demands);
  if (result.conditions.length > 0 && result.negated.every((odd) => odd)) {
    diagnostics.warn(path, 'only negations: it opens whenever something stops, and never by an entry');
  }
  return result;
}

function needsOf({ conditions, formula, negated }: CompiledWhen): number {
  // A condition that time makes true or ends may matter from the first sighting on.
  if (negated.includes(true) || conditions.some((condition) => condition.deadline)) return 1;
  const of = (part: Formula): number => {
    if (typeof part === 'number') return conditions[part]?.needs ?? 1;
    if ('all' in part) return Math.max(1, ...part.all.map(of));
    return 'any' in part ? Math.min(...part.any.map(of)) : 1;
  };
  return of(formula);
}

function cohortOptions(reader: Reader): CohortOptions {
  const { value, path, diagnostics } = reader;
  const software = value['software'];
  let id = '';
  let range: string | undefined;
  if (typeof software === 'string') {
    id = software;
  } else if (typeof software === 'object' && software !== null) {
    const named = software as Json;
    diagnostics.unknownMembers(named, ['id', 'range'], `${path}/software`);
    id = typeof named['id'] === 'string' ? named['id'] : '';
    range = typeof named['range'] === 'string' ? named['range'] : undefined;
  }
  if (id === '') diagnostics.error(`${path}/software`, 'a software id, or {id, range}, is expected');
  const against = value['against'];
  if (against !== undefined && typeof against !== 'string') {
    diagnostics.error(`${path}/against`, 'a range of versions is expected');
  }
  const alpha = value['alpha'] ?? 0.01;
  if (typeof alpha !== 'number' || !(alpha > 0 && alpha < 1)) {
    diagnostics.error(`${path}/alpha`, 'a number between 0 and 1 is expected');
  }
  const ratio = value['ratio'] ?? 1;
  if (typeof ratio !== 'number' || !(ratio >= 1)) {
    diagnostics.error(`${path}/ratio`, 'a number from 1 is expected');
  }
  return {
    software: id,
    range,
    against: typeof against === 'string' ? against : undefined,
    ratio: typeof ratio === 'number' ? ratio : 1,
    alpha: typeof alpha === 'number' ? alpha : 0.01,
  };
}
