/**
 * Regular expressions for untrusted text. JavaScript's own engine backtracks: one value from a printer can block it for
 * seconds, and a user's table may contain any pattern. This one follows all alternatives in parallel (Pike's virtual
 * machine), so its time grows with text length times pattern size, and it counts steps, so that a read is bounded.
 *
 * It supports JavaScript syntax with the flags `iu` (or `u`) and finds the same match and groups. One exception: a
 * group that matched nothing in an optional loop iteration is empty here, and missing in JavaScript. Back references
 * and lookbehind have no such bound, so patterns with them are refused.
 */
import { type Instruction, parsePattern } from './pattern-syntax.ts';

/** A match: the whole text, then the groups. */
export type Match = (string | undefined)[];

/** Maximum steps of one search, about 50 ms; a search that needs more finds nothing. */
export const SEARCH_STEPS_MAX = 200_000;
/** Characters of a text that are searched; the rest is ignored. */
export const SEARCH_CHARS_MAX = 4_096;

interface Budget {
  left: number;
}

/** The step budget of the reading being mapped, if any. Mapping is synchronous, so there is one at a time. */
let shared: Budget | undefined;

/**
 * Runs `work`, whose searches share a budget of `steps`; searches after that find nothing.
 * @returns its result, and whether the steps were enough
 */
export function withinSteps<T>(steps: number, work: () => T): { result: T; enough: boolean } {
  const outer = shared;
  const budget = { left: steps };
  shared = budget;
  try {
    return { result: work(), enough: budget.left > 0 };
  } finally {
    shared = outer;
  }
}

function isWord(char: number | undefined): boolean {
  if (char === undefined) return false;
  return (
    (char >= 48 && char <= 57) || (char >= 65 && char <= 90) || char === 95 || (char >= 97 && char <= 122)
  );
}

/** A thread of the virtual machine: its instruction, and where its groups begin and end. */
interface Way {
  at: number;
  slots: readonly number[];
}

class Search {
  readonly #chars: number[];
  readonly #budget: Budget;

  constructor(chars: number[], budget: Budget) {
    this.#chars = chars;
    this.#budget = budget;
  }

  /** The slots of the first match by preference; undefined without a match. */
  run(program: Instruction[], from: number, anchored: boolean): readonly number[] | undefined {
    let ways: Way[] = [];
    let found: readonly number[] | undefined;
    // The position (from 1) at which each instruction was last reached: a second path to it adds nothing.
    const seen = new Uint32Array(program.length);
    for (let place = from; place <= this.#chars.length; place++) {
      const here: Way[] = [];
      for (const way of ways) this.#follow(program, way.at, way.slots, place, here, seen);
      if (!found && (place === from || !anchored)) this.#follow(program, 0, [], place, here, seen);
      if (this.#budget.left <= 0) return undefined;
      ways = [];
      const char = this.#chars[place];
      for (const { at, slots } of here) {
        const instruction = program[at];
        if (instruction?.op === 'match') {
          // Threads with lower priority than a match are dropped.
          found = slots;
          break;
        }
        if (instruction?.op === 'char' && char !== undefined && instruction.test(char)) {
          ways.push({ at: at + 1, slots });
        }
      }
      if (ways.length === 0 && (found || anchored)) break;
    }
    return found;
  }

  /** Follows instructions that consume nothing, until each thread is at a character (or has matched). */
  #follow(
    program: Instruction[],
    start: number,
    slots: readonly number[],
    place: number,
    here: Way[],
    seen: Uint32Array,
  ): void {
    const waiting: Way[] = [{ at: start, slots }];
    for (let way = waiting.pop(); way; way = waiting.pop()) {
      const { at } = way;
      if (seen[at] === place + 1) continue;
      seen[at] = place + 1;
      this.#budget.left--;
      const instruction = program[at];
      switch (instruction?.op) {
        case 'split':
          waiting.push({ at: instruction.second, slots: way.slots });
          waiting.push({ at: instruction.first, slots: way.slots });
          break;
        case 'jump':
          waiting.push({ at: instruction.to, slots: way.slots });
          break;
        case 'save': {
          const next = [...way.slots];
          next[instruction.slot] = place;
          waiting.push({ at: at + 1, slots: next });
          break;
        }
        case 'forget': {
          const next = [...way.slots];
          for (let slot = instruction.from; slot < instruction.to; slot++) next[slot] = -1;
          waiting.push({ at: at + 1, slots: next });
          break;
        }
        case 'assert':
          if (this.#holds(instruction.kind, place)) waiting.push({ at: at + 1, slots: way.slots });
          break;
        case 'look': {
          const ahead = this.run(instruction.program, place, true) !== undefined;
          if (this.#budget.left > 0 && ahead !== instruction.negative)
            waiting.push({ at: at + 1, slots: way.slots });
          break;
        }
        default:
          here.push(way);
      }
    }
  }

  #holds(kind: 'start' | 'end' | 'word' | 'not-word', place: number): boolean {
    if (kind === 'start') return place === 0;
    if (kind === 'end') return place === this.#chars.length;
    const border = isWord(this.#chars[place - 1]) !== isWord(this.#chars[place]);
    return border === (kind === 'word');
  }
}

/** A compiled pattern. */
export class Pattern {
  readonly source: string;
  readonly #program: Instruction[];
  readonly #groups: number;
  readonly #anchored: boolean;

  /**
   * @param whole whether it must fit the whole text
   * @throws SyntaxError for a pattern that is none, has no bound, or is too large when written out
   */
  constructor(source: string, { whole = false, anyCase = true } = {}) {
    this.source = whole ? `^(?:${source})$` : source;
    const { program, groups, anchored } = parsePattern(this.source, anyCase);
    this.#program = program;
    this.#groups = groups;
    this.#anchored = anchored;
  }

  test(text: string): boolean {
    return this.#search(text) !== undefined;
  }

  /** The first match and its groups, as RegExp's. */
  exec(text: string): Match | undefined {
    const found = this.#search(text);
    if (!found) return undefined;
    const { slots, chars } = found;
    const part = (group: number) => {
      const from = slots[2 * group] ?? -1;
      const to = slots[2 * group + 1] ?? -1;
      return from < 0 || to < 0 ? undefined : String.fromCodePoint(...chars.slice(from, to));
    };
    return Array.from({ length: this.#groups + 1 }, (_, group) => part(group));
  }

  #search(text: string): { slots: readonly number[]; chars: number[] } | undefined {
    if (shared && shared.left <= 0) return undefined;
    const chars: number[] = [];
    for (const char of text.length > SEARCH_CHARS_MAX ? text.slice(0, SEARCH_CHARS_MAX) : text) {
      chars.push(char.codePointAt(0) ?? 0);
    }
    const steps = Math.min(SEARCH_STEPS_MAX, shared?.left ?? SEARCH_STEPS_MAX);
    const budget = { left: steps };
    const slots = new Search(chars, budget).run(this.#program, 0, this.#anchored);
    if (shared) shared.left -= steps - budget.left;
    return slots && { slots, chars };
  }
}
