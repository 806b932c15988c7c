/**
 * Turns readings into sightings: per rule at most one for the printer as a whole and one for each supply. A reading
 * with nothing new for a key that is not held makes none.
 */
import type { ReadingSigns, SupplySign } from '../../readings/signs.ts';
import type { CompiledRules } from './compile.ts';
import type { Match } from './context.ts';
import type { ReadingTest } from './reading-when.ts';
import { OF_READING } from './sighting.ts';

/** How far a printer's readings have come, and the last values of counters that rules need. */
export interface ReadingMemory {
  time: number;
  session: string;
  number: number;
  counters: Record<string, number>;
}

export function newReadingMemory(): ReadingMemory {
  return { time: Number.NEGATIVE_INFINITY, session: '', number: 0, counters: {} };
}

/** Whether a reading is newer than those taken. */
export function isNews({ time, session, number }: ReadingMemory, signs: ReadingSigns): boolean {
  if (signs.time_ms !== time) return signs.time_ms > time;
  return signs.session !== session || signs.number > number;
}

/** What a reading means to one rule, for the printer (without `supply`) or a supply. */
export interface ReadingSighting {
  supply: SupplySign | undefined;
  mask: number;
  /** A condition holds, so a key may begin with it. Otherwise the sighting only ends what is held. */
  begins: boolean;
  code: string;
}

/** Reasons may have their severity as a suffix (RFC 8011, 5.4.12). */
const SEVERITY_SUFFIX = /-(?:report|warning|error)$/;

function reasonCode(reasons: readonly string[], is: string): boolean {
  return reasons.some((reason) => reason === is || reason.replace(SEVERITY_SUFFIX, '') === is);
}

const counterOf = (counters: Record<string, number>, name: string): number | undefined =>
  Object.hasOwn(counters, name) ? counters[name] : undefined;

/** Whether the test holds; undefined when the reading doesn't say. */
function answerOf(test: ReadingTest, signs: ReadingSigns, memory: ReadingMemory): boolean | undefined {
  switch (test.of) {
    case 'counter': {
      const value = counterOf(signs.counters, test.name);
      return value === undefined ? undefined : value >= test.ge;
    }
    case 'every': {
      const value = counterOf(signs.counters, test.name);
      const before = counterOf(memory.counters, test.name);
      if (value === undefined || before === undefined) return undefined;
      return Math.floor(value / test.n) > Math.floor(before / test.n) ? true : undefined;
    }
    case 'reason':
      return signs.reasons && reasonCode(signs.reasons, test.is);
    default:
      return undefined;
  }
}

function supplyMask(tests: readonly ReadingTest[], supply: SupplySign): { mask: number; begins: boolean } {
  let mask = 0;
  let begins = false;
  for (const test of tests) {
    if (test.of !== 'supply') continue;
    if (test.kind !== undefined && test.kind !== supply.kind) continue;
    if (test.color !== undefined && test.color !== supply.color) continue;
    if (supply.exchanged) mask |= 1 << test.off;
    const value = supply[test.what];
    if (value === undefined || value >= test.lt) continue;
    mask |= 1 << test.on;
    begins = true;
  }
  return { mask, begins };
}

/** What a reading means to a rule with these tests. */
export function sightingsOf(
  tests: readonly ReadingTest[],
  signs: ReadingSigns,
  memory: ReadingMemory,
): ReadingSighting[] {
  const result: ReadingSighting[] = [];
  let mask = 0;
  let begins = false;
  let code = 'counter';
  for (const test of tests) {
    const answer = answerOf(test, signs, memory);
    if (answer === undefined) continue;
    mask |= 1 << (answer ? test.on : test.off);
    if (!answer) continue;
    begins = true;
    if (test.of === 'reason') code = test.is;
  }
  if (mask !== 0) result.push({ supply: undefined, mask: mask | OF_READING, begins, code });
  for (const supply of signs.supplies) {
    const of = supplyMask(tests, supply);
    if (of.mask !== 0) result.push({ supply, mask: of.mask | OF_READING, begins: of.begins, code: 'supply' });
  }
  return result;
}

/** The rules that look at readings, as matches, and the counters whose last value they need. */
export function readingMatches(rules: CompiledRules): { matches: Match[]; counters: Set<string> } {
  const counters = new Set<string>();
  const matches = rules.groups.flatMap(({ rules: members, sort }, group) =>
    members.flatMap((rule, place): Match[] => {
      if (rule.reads.length === 0) return [];
      for (const test of rule.reads) if (test.of === 'every') counters.add(test.name);
      return [
        {
          code: '',
          rule,
          group,
          place,
          sort,
          perPrinter: rule.perPrinter,
          sharesUnit: sort === 'unit' && rule.by[0] === 'printer',
          lateMs: rule.lateMs,
          test: undefined,
          mask: 0,
          software: rule.scope.software !== undefined,
          cohort: false,
          innerOnly: true,
          fields: [],
          reads: rules.groups[group],
          next: undefined,
        },
      ];
    }),
  );
  return { matches, counters };
}
