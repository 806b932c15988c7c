/** Compiles the conditions of `when` that look at readings: `supply`, `counter`, `reason`. */
import { durationMs } from '../../../schemas/duration.ts';
import type { Condition } from './conditions.ts';
import type { Diagnostics } from './diagnostics.ts';
import { crossing, type StandingBits, standing } from './standing.ts';

/** What one condition tests of a reading; the answer is two bits of a sighting's mask. */
export type ReadingTest = StandingBits &
  (
    | {
        of: 'supply';
        kind: string | undefined;
        color: string | undefined;
        what: 'left' | 'daysLeft';
        lt: number;
      }
    | { of: 'counter'; name: string; ge: number }
    | { of: 'every'; name: string; n: number }
    | { of: 'reason'; is: string }
  );

export const READING_CONDITIONS = ['supply', 'counter', 'reason'];

const MEMBERS: Record<string, string[]> = {
  supply: ['kind', 'color', 'level', 'daysLeft'],
  counter: ['name', 'ge', 'every'],
  reason: ['is', 'for'],
};
const TEXT_MAX = 256;
const COUNTER_NAME = /^[a-z0-9-]{1,64}$/;
const PERCENT = 100;
const DAYS_MAX = 3_650;

type Json = Record<string, unknown>;

class Reader {
  readonly #path: string;
  readonly #diagnostics: Diagnostics;

  constructor(path: string, diagnostics: Diagnostics) {
    this.#path = path;
    this.#diagnostics = diagnostics;
  }

  fault(member: string, message: string): void {
    this.#diagnostics.error(member === '' ? this.#path : `${this.#path}/${member}`, message);
  }

  text(value: Json, member: string): string | undefined {
    const text = value[member];
    if (text === undefined) return undefined;
    if (typeof text === 'string' && text.length > 0 && text.length <= TEXT_MAX) return text;
    this.fault(member, 'a text is expected');
    return undefined;
  }

  whole(value: Json, member: string): number {
    const number = value[member];
    if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 1) return number;
    this.fault(member, 'a whole number from 1 is expected');
    return 1;
  }

  /** `{"lt": number}`. */
  below(value: Json, member: string, most: number): number {
    const given = value[member];
    const bound = typeof given === 'object' && given !== null && !Array.isArray(given) ? (given as Json) : {};
    this.#diagnostics.unknownMembers(bound, ['lt'], `${this.#path}/${member}`);
    const { lt } = bound;
    if (typeof lt === 'number' && lt > 0 && lt <= most) return lt;
    this.fault(member, `{"lt": a number above 0, at most ${most}} is expected`);
    return 1;
  }
}

/**
 * One condition.
 * @param bits the bits that hold the answers of readings
 */
export function compileReadingCondition(
  name: string,
  raw: unknown,
  path: string,
  bits: StandingBits,
  diagnostics: Diagnostics,
): { condition: Condition; test: ReadingTest } {
  const reader = new Reader(path, diagnostics);
  const isObject = typeof raw === 'object' && raw !== null && !Array.isArray(raw);
  if (!isObject) reader.fault('', 'an object is expected');
  const value = isObject ? (raw as Json) : {};
  diagnostics.unknownMembers(value, MEMBERS[name] ?? [], path);
  if (name === 'supply') {
    const what = value['daysLeft'] === undefined ? 'left' : 'daysLeft';
    if ((value['daysLeft'] === undefined) === (value['level'] === undefined)) {
      reader.fault('', 'either "level" or "daysLeft" is expected');
    }
    const lt =
      what === 'left' ? reader.below(value, 'level', PERCENT) : reader.below(value, 'daysLeft', DAYS_MAX);
    const [kind, color] = [reader.text(value, 'kind'), reader.text(value, 'color')];
    return { condition: standing(bits), test: { ...bits, of: 'supply', kind, color, what, lt } };
  }
  if (name === 'counter') {
    const counter = reader.text(value, 'name') ?? '';
    if (!COUNTER_NAME.test(counter)) reader.fault('name', 'the name of a counter is expected');
    if ((value['ge'] === undefined) === (value['every'] === undefined)) {
      reader.fault('', 'either "ge" or "every" is expected');
    }
    if (value['every'] === undefined) {
      const ge = reader.whole(value, 'ge');
      return { condition: standing(bits), test: { ...bits, of: 'counter', name: counter, ge } };
    }
    const n = reader.whole(value, 'every');
    return { condition: crossing(bits), test: { ...bits, of: 'every', name: counter, n } };
  }
  const is = reader.text(value, 'is');
  if (is === undefined) reader.fault('is', 'the name of a reason is expected');
  const forMs = value['for'] === undefined ? 0 : durationMs(value['for']);
  if (forMs === undefined) reader.fault('for', 'an ISO 8601 duration is expected');
  return { condition: standing(bits, forMs ?? 0), test: { ...bits, of: 'reason', is: is ?? '' } };
}
