/** Parses the regular expressions of `pattern.ts` and compiles them to instructions. */

/** One instruction of a compiled pattern. The default successor is `next`. */
export type Instruction =
  | { op: 'char'; test: (char: number) => boolean }
  /** Continues at both; `first` is preferred. */
  | { op: 'split'; first: number; second: number }
  | { op: 'jump'; to: number }
  | { op: 'save'; slot: number }
  /** Clears the groups of the last loop iteration. */
  | { op: 'forget'; from: number; to: number }
  | { op: 'assert'; kind: 'start' | 'end' | 'word' | 'not-word' }
  | { op: 'look'; program: Instruction[]; negative: boolean }
  | { op: 'match' };

/** Maximum instructions of one pattern: `(a{500}){500}` has no place in a table. */
const INSTRUCTIONS_MAX = 5_000;
/** Maximum nodes visited during compilation: `(?:(?:){9999}){9999}` has no instructions. */
const VISITS_MAX = 50_000;
const TOO_LARGE = 'the pattern is too large when its repetitions are written out';

type Node =
  | { kind: 'empty' }
  | { kind: 'char'; test: (char: number) => boolean }
  | { kind: 'assert'; assert: 'start' | 'end' | 'word' | 'not-word' }
  | { kind: 'all'; parts: Node[] }
  | { kind: 'any'; parts: Node[] }
  | { kind: 'group'; part: Node; number: number }
  | { kind: 'look'; part: Node; negative: boolean }
  | { kind: 'repeat'; part: Node; min: number; max: number; lazy: boolean; from: number; to: number };

type Range = readonly [number, number];

const DIGIT: Range[] = [[48, 57]];
const WORD: Range[] = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const SPACE: Range[] = [
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_END: Range[] = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
];
const CONTROL: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

type Test = (char: number) => boolean;

function inRanges(ranges: readonly Range[]): Test {
  return (char) => ranges.some(([from, to]) => char >= from && char <= to);
}

function otherCase(char: number, text: string): number {
  // Letters that become several (ß) have no other case here.
  const [only, ...more] = [...text];
  return only === undefined || more.length > 0 ? char : (only.codePointAt(0) ?? char);
}

/** Number of cached results for non-ASCII characters, per test. */
const REMEMBERED_MAX = 256;

/** The same, ignoring case. Results are cached, because each character is tested at many places. */
function anyCase(test: Test): Test {
  const slow = (char: number) => {
    if (test(char)) return true;
    const text = String.fromCodePoint(char);
    return test(otherCase(char, text.toLowerCase())) || test(otherCase(char, text.toUpperCase()));
  };
  const ascii = Array.from({ length: 128 }, (_, char) => slow(char));
  const others = new Map<number, boolean>();
  return (char) => {
    const known = ascii[char] ?? others.get(char);
    if (known !== undefined) return known;
    if (others.size >= REMEMBERED_MAX) others.clear();
    const fits = slow(char);
    others.set(char, fits);
    return fits;
  };
}

const not =
  (test: Test): Test =>
  (char) =>
    !test(char);

class Parser {
  readonly #source: string;
  readonly #cased: (test: Test) => Test;
  #at = 0;
  groups = 0;
  #lookaheads = 0;

  constructor(source: string, ignoreCase: boolean) {
    this.#source = source;
    this.#cased = ignoreCase ? anyCase : (test) => test;
  }

  parse(): Node {
    return this.#any();
  }

  #peek(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += text.length;
    return true;
  }

  #char(): string {
    const char = String.fromCodePoint(this.#source.codePointAt(this.#at) ?? 0);
    this.#at += char.length;
    return char;
  }

  #any(): Node {
    const parts = [this.#all()];
    while (this.#take('|')) parts.push(this.#all());
    return parts.length === 1 ? (parts[0] as Node) : { kind: 'any', parts };
  }

  #all(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && !this.#peek('|') && !this.#peek(')')) {
      const from = this.groups;
      const part = this.#atom();
      parts.push(this.#repeated(part, from));
    }
    return parts.length === 1 ? (parts[0] as Node) : { kind: 'all', parts };
  }

  #repeated(part: Node, from: number): Node {
    const [min, max] = this.#quantifier() ?? [];
    if (min === undefined || max === undefined) return part;
    const lazy = this.#take('?');
    return { kind: 'repeat', part, min, max, lazy, from: from + 1, to: this.groups + 1 };
  }

  #quantifier(): [number, number] | undefined {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    const match = /^\{(\d+)(,?)(\d*)\}/.exec(this.#source.slice(this.#at, this.#at + 24));
    if (!match) return undefined;
    this.#at += match[0].length;
    const min = Number(match[1]);
    if (match[2] === '') return [min, min];
    return [min, match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3])];
  }

  #atom(): Node {
    if (this.#take('(')) return this.#group();
    if (this.#take('[')) return { kind: 'char', test: this.#class() };
    if (this.#take('^')) return { kind: 'assert', assert: 'start' };
    if (this.#take('$')) return { kind: 'assert', assert: 'end' };
    if (this.#take('.')) return { kind: 'char', test: not(inRanges(LINE_END)) };
    if (this.#take('\\')) {
      if (this.#take('b')) return { kind: 'assert', assert: 'word' };
      if (this.#take('B')) return { kind: 'assert', assert: 'not-word' };
      if (/[1-9k]/.test(this.#source[this.#at] ?? '')) {
        throw new SyntaxError('a back reference has no bound: write out what it stands for');
      }
      return { kind: 'char', test: this.#cased(this.#escape()) };
    }
    const char = this.#char().codePointAt(0) ?? 0;
    return { kind: 'char', test: this.#cased((other) => other === char) };
  }

  #group(): Node {
    const end = (part: Node): Node => {
      this.#take(')');
      return part;
    };
    if (this.#take('?:')) return end(this.#any());
    if (this.#peek('?=') || this.#peek('?!')) {
      const negative = this.#peek('?!');
      this.#at += 2;
      // Nested lookaheads would scan the text again for each position.
      if (this.#lookaheads > 0) throw new SyntaxError('a lookahead within a lookahead has no bound');
      const before = this.groups;
      this.#lookaheads++;
      const part = this.#any();
      this.#lookaheads--;
      if (this.groups > before)
        throw new SyntaxError('a group within a lookahead cannot be used: write (?:…)');
      return end({ kind: 'look', part, negative });
    }
    if (this.#peek('?<=') || this.#peek('?<!')) {
      throw new SyntaxError('a lookbehind has no bound: match what stands before it');
    }
    const named = /^\?<[^>]*>/.exec(this.#source.slice(this.#at));
    if (named) this.#at += named[0].length;
    this.groups++;
    const number = this.groups;
    return end({ kind: 'group', part: this.#any(), number });
  }

  /** The part after a backslash, as a character test. */
  #escape(): Test {
    const char = this.#char();
    switch (char) {
      case 'd':
        return inRanges(DIGIT);
      case 'D':
        return not(inRanges(DIGIT));
      case 'w':
        return inRanges(WORD);
      case 'W':
        return not(inRanges(WORD));
      case 's':
        return inRanges(SPACE);
      case 'S':
        return not(inRanges(SPACE));
      case 'p':
      case 'P': {
        const property = /^\{[^}]*\}/.exec(this.#source.slice(this.#at))?.[0] ?? '';
        this.#at += property.length;
        const one = new RegExp(`^\\${char}${property}$`, 'u');
        return (code) => one.test(String.fromCodePoint(code));
      }
      default: {
        const code = this.#code(char);
        return (other) => other === code;
      }
    }
  }

  /** The character that an escape other than a class stands for. */
  #code(char: string): number {
    if (char === '0') return 0;
    const hex = (pattern: RegExp) => {
      const match = pattern.exec(this.#source.slice(this.#at, this.#at + 10));
      if (!match) return undefined;
      this.#at += match[0].length;
      return Number.parseInt(match[1] ?? '', 16);
    };
    if (char === 'x') return hex(/^([0-9a-f]{2})/i) ?? 0;
    if (char === 'u') return hex(/^\{([0-9a-f]+)\}/i) ?? hex(/^([0-9a-f]{4})/i) ?? 0;
    if (char === 'c') return this.#char().charCodeAt(0) % 32;
    return CONTROL[char] ?? char.codePointAt(0) ?? 0;
  }

  #class(): Test {
    const negative = this.#take('^');
    const ranges: Range[] = [];
    const tests: Test[] = [];
    while (this.#at < this.#source.length && !this.#take(']')) {
      const first = this.#member(tests);
      if (first === undefined) continue;
      if (this.#peek('-') && this.#source[this.#at + 1] !== ']') {
        this.#at++;
        const last = this.#member(tests) ?? first;
        ranges.push([first, last]);
      } else ranges.push([first, first]);
    }
    const listed = inRanges(ranges);
    const test = this.#cased((char) => listed(char) || tests.some((each) => each(char)));
    return negative ? not(test) : test;
  }

  /** One character of a class; undefined for a nested class such as `\d`, which is added to `tests`. */
  #member(tests: Test[]): number | undefined {
    const char = this.#char();
    if (char !== '\\') return char.codePointAt(0);
    if (/[dDwWsSpP]/.test(this.#source[this.#at] ?? '')) {
      tests.push(this.#escape());
      return undefined;
    }
    if (this.#take('b')) return 8;
    return this.#code(this.#char());
  }
}

class Writer {
  readonly program: Instruction[] = [];
  #visits = 0;

  #add(instruction: Instruction): number {
    if (this.program.length >= INSTRUCTIONS_MAX) {
      throw new SyntaxError(TOO_LARGE);
    }
    return this.program.push(instruction) - 1;
  }

  write(node: Node): void {
    this.#visits++;
    if (this.#visits > VISITS_MAX) throw new SyntaxError(TOO_LARGE);
    switch (node.kind) {
      case 'char':
        this.#add({ op: 'char', test: node.test });
        break;
      case 'assert':
        this.#add({ op: 'assert', kind: node.assert });
        break;
      case 'all':
        for (const part of node.parts) this.write(part);
        break;
      case 'any':
        this.#any(node.parts);
        break;
      case 'group':
        this.#add({ op: 'save', slot: 2 * node.number });
        this.write(node.part);
        this.#add({ op: 'save', slot: 2 * node.number + 1 });
        break;
      case 'look': {
        const inner = new Writer();
        inner.write(node.part);
        inner.#add({ op: 'match' });
        this.#add({ op: 'look', program: inner.program, negative: node.negative });
        break;
      }
      case 'repeat':
        this.#repeat(node);
        break;
      default:
    }
  }

  #any(parts: Node[]): void {
    const ends: number[] = [];
    parts.forEach((part, i) => {
      const last = i === parts.length - 1;
      const split = last ? undefined : this.#add({ op: 'split', first: 0, second: 0 });
      this.write(part);
      if (!last) ends.push(this.#add({ op: 'jump', to: 0 }));
      if (split !== undefined) {
        this.program[split] = { op: 'split', first: split + 1, second: this.program.length };
      }
    });
    for (const end of ends) this.program[end] = { op: 'jump', to: this.program.length };
  }

  #repeat({ part, min, max, lazy, from, to }: Extract<Node, { kind: 'repeat' }>): void {
    const once = () => {
      if (to > from) this.#add({ op: 'forget', from: 2 * from, to: 2 * to });
      this.write(part);
    };
    const choice = (at: number, inside: number, behind: number) => {
      this.program[at] = lazy
        ? { op: 'split', first: behind, second: inside }
        : { op: 'split', first: inside, second: behind };
    };
    for (let n = 0; n < min; n++) once();
    if (max === Number.POSITIVE_INFINITY) {
      const split = this.#add({ op: 'split', first: 0, second: 0 });
      once();
      this.#add({ op: 'jump', to: split });
      choice(split, split + 1, this.program.length);
      return;
    }
    const splits: number[] = [];
    for (let n = min; n < max; n++) {
      splits.push(this.#add({ op: 'split', first: 0, second: 0 }));
      once();
    }
    for (const split of splits) choice(split, split + 1, this.program.length);
  }

  finish(): void {
    this.#add({ op: 'match' });
  }
}

/** Whether every path through it begins with `^`. */
function beginsAtStart(node: Node): boolean {
  switch (node.kind) {
    case 'assert':
      return node.assert === 'start';
    case 'all':
      return node.parts[0] !== undefined && beginsAtStart(node.parts[0]);
    case 'any':
      return node.parts.every(beginsAtStart);
    case 'group':
      return beginsAtStart(node.part);
    default:
      return false;
  }
}

/**
 * Compiles a pattern.
 * @throws SyntaxError for one that JavaScript rejects, or that has no time bound
 */
export function parsePattern(
  source: string,
  ignoreCase: boolean,
): { program: Instruction[]; groups: number; anchored: boolean } {
  // JavaScript's own engine only parses it here, because people search for its error messages.
  new RegExp(source, ignoreCase ? 'iu' : 'u');
  const parser = new Parser(source, ignoreCase);
  const tree = parser.parse();
  const writer = new Writer();
  writer.write({ kind: 'group', part: tree, number: 0 });
  writer.finish();
  return { program: writer.program, groups: parser.groups, anchored: beginsAtStart(tree) };
}
