/**
 * The filter language: `model=C360,M2* verdict!=compatible software:acme.engine<2.5 seen<PT2H`. Parses a text, or a
 * filter object, into terms. Pure; `center/fleet/filter-sql.ts` finds the printers. Documented in
 * docs/reference/where.md.
 */
import { durationMs } from './duration.ts';
import { PlatenError } from './errors.ts';
import { didYouMean } from './nearest-name.ts';
import type { PrinterFilter } from './types.ts';

export const WHERE_CHARACTERS_MAX = 4_096;
export const WHERE_TERMS_MAX = 64;
export const WHERE_VALUES_MAX = 256;

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | '~';

/** One value of a term. */
export interface TermValue {
  text: string;
  /** Matches every value that begins with `text`; with an empty text, any value. */
  prefix: boolean;
}

/** A printer matches a filter if all its terms match, and a term if one of its values does. */
export interface Term {
  field: FieldName;
  /** The name after the field: of a label, of a software (its id), or of a kind of supply. */
  name?: string;
  operator: Operator;
  values: TermValue[];
  /** The column at which the term begins, from 1. */
  column: number;
}

type Kind = 'text' | 'number' | 'time' | 'range' | 'search';

interface Field {
  kind: Kind;
  operators: readonly Operator[];
  /** The separator between the field and a name that it needs. */
  named?: '.' | ':';
  /** The only allowed values. */
  words?: readonly string[];
  /** `field:value` is the same as `field=value`. */
  colon?: true;
  /** Without an operator it asks whether there is any value. */
  bare?: true;
}

const SAME = ['=', '!='] as const;
const LIKE = ['=', '!=', '~'] as const;
const ORDERED = ['=', '!=', '<', '<=', '>', '>='] as const;

const FIELDS = {
  id: { kind: 'text', operators: LIKE },
  model: { kind: 'text', operators: LIKE },
  site: { kind: 'text', operators: LIKE },
  serial: { kind: 'text', operators: LIKE },
  label: { kind: 'text', operators: LIKE, named: '.', bare: true },
  presence: { kind: 'text', operators: SAME, words: ['online', 'offline'] },
  verdict: { kind: 'text', operators: SAME, words: ['compatible', 'incompatible', 'unknown', 'none'] },
  standing: { kind: 'text', operators: SAME, words: ['active', 'retired', 'revoked'] },
  seen: { kind: 'time', operators: ORDERED },
  software: { kind: 'range', operators: ORDERED, named: ':', bare: true },
  unit: { kind: 'text', operators: SAME, colon: true },
  trouble: { kind: 'text', operators: SAME, colon: true },
  troubles: { kind: 'number', operators: ORDERED },
  severity: { kind: 'text', operators: SAME },
  owner: { kind: 'text', operators: SAME },
  campaign: { kind: 'text', operators: SAME },
  supply: { kind: 'number', operators: ORDERED, named: '.', bare: true },
  daysLeft: { kind: 'number', operators: ['<', '<=', '>', '>='] },
  text: { kind: 'search', operators: ['~'] },
} as const satisfies Record<string, Field>;

export type FieldName = keyof typeof FIELDS;

/** Fields as they are written, for messages and completion. */
export const WHERE_FIELDS: readonly string[] = Object.entries(FIELDS as Record<string, Field>).map(
  ([name, { named }]) => (named === undefined ? name : `${name}${named}`),
);

function fieldOf(name: FieldName): Field {
  return FIELDS[name];
}

function wrong(column: number, reason: string): PlatenError {
  return new PlatenError('request/where', { column, reason });
}

/** Characters that end a field's name, or the name after it. */
const WORD = /[^\s"=!<>~,]*/y;
const OPERATOR = /!=|<=|>=|=|<|>|~/y;
const BARE_VALUE = /[^\s",]*/y;
const NUMBER = /^-?\d{1,12}(?:\.\d{1,6})?$/;
const TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** Parses a time for `seen` to milliseconds since the epoch; a date means midnight UTC. */
export function timeMs(text: string): number | undefined {
  if (!TIME.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get column(): number {
    return this.#at + 1;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ''] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    return found;
  }

  #next(): string {
    return this.#text[this.#at] ?? '';
  }

  skipSpace(): boolean {
    this.#take(/\s*/y);
    return this.#at < this.#text.length;
  }

  /** A quoted text with the escapes `\"` and `\\`. */
  #quoted(): string {
    const { column } = this;
    this.#at += 1;
    let text = '';
    for (;;) {
      const letter = this.#next();
      if (letter === '') throw wrong(column, 'the quote is not closed');
      this.#at += 1;
      if (letter === '"') return text;
      if (letter !== '\\') text += letter;
      else {
        const escaped = this.#next();
        if (escaped !== '"' && escaped !== '\\') {
          throw wrong(this.column - 1, 'after \\ in quotes comes " or \\');
        }
        text += escaped;
        this.#at += 1;
      }
    }
  }

  #isAtEnd(): boolean {
    return this.#next() === '' || /\s/.test(this.#next());
  }

  term(): Term {
    const { column } = this;
    const word = this.#take(WORD);
    const [, first = '', sign = '', rest = ''] = /^([A-Za-z]*)([.:]?)(.*)$/s.exec(word) ?? [];
    if (first === '' || !Object.hasOwn(FIELDS, first)) throw this.#unknownField(first || word, column);
    const name = first as FieldName;
    const field = fieldOf(name);
    if (field.named !== undefined) {
      if (sign !== field.named) {
        throw wrong(
          column + first.length,
          `"${name}" needs a name behind it, as in ${name}${field.named}NAME`,
        );
      }
      const of = rest === '' && this.#next() === '"' ? this.#quoted() : rest;
      if (of === '') throw wrong(this.column, `a name is expected behind "${name}${field.named}"`);
      return { ...this.#comparison(name, field), name: of, column };
    }
    if (sign === ':' && field.colon) {
      this.#at -= rest.length;
      return { field: name, operator: '=', values: this.#values(name, field), column };
    }
    if (sign !== '') {
      throw wrong(
        column + first.length,
        `"${name}" takes no name: expected one of ${field.operators.join(' ')}`,
      );
    }
    return { ...this.#comparison(name, field), column };
  }

  #unknownField(word: string, column: number): PlatenError {
    if (word === '') return wrong(column, `a field is expected, not ${JSON.stringify(this.#next())}`);
    const nearest = didYouMean(word, Object.keys(FIELDS));
    return wrong(
      column,
      `there is no field "${word.slice(0, 64)}"${nearest || `; fields: ${WHERE_FIELDS.join(' ')}`}`,
    );
  }

  #comparison(name: FieldName, field: Field): { field: FieldName; operator: Operator; values: TermValue[] } {
    const { column } = this;
    const operator = this.#take(OPERATOR) as Operator | '';
    if (operator === '') {
      if (field.bare && this.#isAtEnd()) {
        return { field: name, operator: '=', values: [{ text: '', prefix: true }] };
      }
      throw wrong(column, `"${name}" is to be followed by one of ${field.operators.join(' ')}`);
    }
    if (!field.operators.includes(operator)) {
      throw wrong(
        column,
        `"${name}" can't be compared with ${operator}: one of ${field.operators.join(' ')}`,
      );
    }
    const { column: first } = this;
    const values = this.#values(name, field, operator);
    if (values.length > 1 && !SAME.some((each) => each === operator) && operator !== '~') {
      throw wrong(first, `${operator} takes one value, not ${values.length}`);
    }
    return { field: name, operator, values };
  }

  #values(name: FieldName, field: Field, operator: Operator = '='): TermValue[] {
    const values: TermValue[] = [];
    do {
      const { column } = this;
      const value = this.#value(field, operator);
      checkValue(name, field, operator, value, column);
      values.push(value);
      if (values.length > WHERE_VALUES_MAX) throw wrong(column, `more than ${WHERE_VALUES_MAX} values`);
    } while (this.#take(/,/y) !== '');
    if (!this.#isAtEnd()) {
      throw wrong(this.column, `a space or a comma is expected, not ${JSON.stringify(this.#next())}`);
    }
    return values;
  }

  #value(field: Field, operator: Operator): TermValue {
    const { column } = this;
    if (this.#next() === '"') {
      const text = this.#quoted();
      return { text, prefix: this.#take(/\*/y) !== '' };
    }
    const text = this.#take(BARE_VALUE);
    if (text === '') throw wrong(column, 'a value is expected (write an empty one as "")');
    // In a range the star is part of the range, and in a text search it is an ordinary character.
    if (field.kind === 'range' && text !== '*') return { text, prefix: false };
    const prefix = operator !== '~' && text.endsWith('*');
    return { text: prefix ? text.slice(0, -1) : text, prefix };
  }
}

/** @throws PlatenError request/where for an invalid value of the field */
function checkValue(
  name: FieldName,
  { kind, words }: Field,
  operator: Operator,
  { text, prefix }: TermValue,
  column: number,
): void {
  const any = prefix && text === '';
  const same = operator === '=' || operator === '!=';
  if (any && same) return;
  if (prefix && (kind !== 'text' || words)) throw wrong(column, `"${name}" takes no beginning of a value`);
  if (words && !words.includes(text)) {
    throw wrong(column, `"${name}" is one of ${words.join(', ')}, not "${text}"${didYouMean(text, words)}`);
  }
  if (kind === 'number' && !NUMBER.test(text)) throw wrong(column, `"${name}" is a number, not "${text}"`);
  if (kind === 'time') {
    if (same ? text !== 'never' : durationMs(text) === undefined && timeMs(text) === undefined) {
      const expected = same ? 'never' : 'a duration as PT2H or a time as 2026-11-30T07:00:00Z';
      throw wrong(column, `"${name}" with ${operator} takes ${expected}, not "${text}"`);
    }
  }
  if (operator === '~' && (text === '' || prefix)) throw wrong(column, 'a text to look for is expected');
}

/**
 * Parses a text to terms; none for an empty text.
 * @throws PlatenError request/where with the column, what was expected, and the nearest valid word
 */
export function parseWhere(text: string): Term[] {
  if (text.length > WHERE_CHARACTERS_MAX) {
    throw wrong(WHERE_CHARACTERS_MAX + 1, `the filter is longer than ${WHERE_CHARACTERS_MAX} characters`);
  }
  const reader = new Reader(text);
  const terms: Term[] = [];
  while (reader.skipSpace()) {
    const term = reader.term();
    if (terms.length === WHERE_TERMS_MAX) throw wrong(term.column, `more than ${WHERE_TERMS_MAX} terms`);
    terms.push(term);
  }
  return terms;
}

/** The terms of a filter object. */
export function termsOfFilter(filter: PrinterFilter): Term[] {
  const { idPrefix, label = {}, software, trouble, rule } = filter;
  const term = (field: FieldName, text: string, more: Partial<Term> & { prefix?: boolean } = {}): Term => {
    const { prefix = false, ...rest } = more;
    return { field, operator: '=', values: [{ text, prefix }], column: 1, ...rest };
  };
  return [
    ...(idPrefix === undefined || idPrefix === '' ? [] : [term('id', idPrefix, { prefix: true })]),
    ...(['model', 'site', 'verdict', 'presence', 'standing'] as const).flatMap((field) => {
      const text = filter[field];
      return text === undefined ? [] : [term(field, text)];
    }),
    ...Object.entries(label).map(([name, value]) => term('label', value as string, { name })),
    ...(software
      ? [
          software.range === undefined
            ? term('software', '', { name: software.id, prefix: true })
            : term('software', software.range, { name: software.id }),
        ]
      : []),
    ...(trouble === undefined ? [] : [term('trouble', 'any', trouble ? {} : { operator: '!=' })]),
    ...(rule === undefined ? [] : [term('trouble', rule)]),
  ];
}

const PLAIN_NAME = /^[^\s"=!<>~,]+$/;
const PLAIN_VALUE = /^[^\s",]+$/;

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function valueText({ text, prefix }: TermValue, { field, operator }: Term): string {
  if (prefix) return text === '' ? '*' : `${PLAIN_VALUE.test(text) ? text : quoted(text)}*`;
  const ambiguous =
    operator !== '~' && text.endsWith('*') && (fieldOf(field).kind !== 'range' || text === '*');
  return PLAIN_VALUE.test(text) && !ambiguous ? text : quoted(text);
}

/** Formats terms as a text that parses to the same terms. */
export function whereText(terms: readonly Term[]): string {
  return terms
    .map((term) => {
      const { field, name, operator, values } = term;
      const sign = fieldOf(field).named ?? '';
      const of = name === undefined ? '' : `${sign}${PLAIN_NAME.test(name) ? name : quoted(name)}`;
      return `${field}${of}${operator}${values.map((value) => valueText(value, term)).join(',')}`;
    })
    .join(' ');
}
