import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { PrinterFilter } from './types.ts';
import { parseWhere, termsOfFilter, WHERE_TERMS_MAX, whereText } from './where.ts';

const short = (text: string) =>
  parseWhere(text).map(({ field, name, operator, values }) => [
    name === undefined ? field : `${field} ${name}`,
    operator,
    ...values.map((value) => (value.prefix ? `${value.text}…` : value.text)),
  ]);

test('reads fields, names, operators and values', () => {
  expect(
    short(
      'model=C360,M2* verdict!=compatible software:acme.engine<2.5 trouble:finisher-jam seen<PT2H label.ring=canary',
    ),
  ).toEqual([
    ['model', '=', 'C360', 'M2…'],
    ['verdict', '!=', 'compatible'],
    ['software acme.engine', '<', '2.5'],
    ['trouble', '=', 'finisher-jam'],
    ['seen', '<', 'PT2H'],
    ['label ring', '=', 'canary'],
  ]);
  expect(short('  site="New \\"York\\" 3*"*   label."a b"!=*\ttext~"10.0.0"')).toEqual([
    ['site', '=', 'New "York" 3*…'],
    ['label a b', '!=', '…'],
    ['text', '~', '10.0.0'],
  ]);
  expect(short('software:acme.engine=">=2.3 <2.5" software:a.b supply.toner<=20 daysLeft<7')).toEqual([
    ['software acme.engine', '=', '>=2.3 <2.5'],
    ['software a.b', '=', '…'],
    ['supply toner', '<=', '20'],
    ['daysLeft', '<', '7'],
  ]);
  expect(parseWhere('')).toEqual([]);
  expect(parseWhere(' model=C360  site=x').map(({ column }) => column)).toEqual([2, 14]);
});

test.each([
  ['modle=C360', 1, 'there is no field "modle"; did you mean "model"?'],
  ['site=a vrdict=unknown', 8, 'did you mean "verdict"?'],
  ['verdict=compatble', 9, 'did you mean "compatible"?'],
  ['model', 6, '"model" is to be followed by one of = != ~'],
  ['model<C360', 6, `"model" can't be compared with <: one of = != ~`],
  ['model=', 7, 'a value is expected'],
  ['model=a, site=b', 9, 'a value is expected'],
  ['model=C360 site="x', 17, 'the quote is not closed'],
  ['site="a\\x"', 8, 'after \\ in quotes comes " or \\'],
  ['site="a"b', 9, 'a space or a comma is expected, not "b"'],
  ['label=canary', 6, '"label" needs a name behind it, as in label.NAME'],
  ['label.=canary', 7, 'a name is expected behind "label."'],
  ['software.acme<2', 9, '"software" needs a name behind it, as in software:NAME'],
  ['model:C360', 6, '"model" takes no name: expected one of = != ~'],
  ['seen<2h', 6, '"seen" with < takes a duration as PT2H or a time as 2026-11-30T07:00:00Z, not "2h"'],
  ['seen=PT2H', 6, 'takes never'],
  ['seen<PT1H,PT2H', 6, '< takes one value, not 2'],
  ['supply.toner<low', 14, '"supply" is a number, not "low"'],
  ['troubles>1*', 10, '"troubles" takes no beginning of a value'],
  ['text=a', 5, `"text" can't be compared with =: one of ~`],
  ['text~""', 6, 'a text to look for is expected'],
  ['=x', 1, 'a field is expected, not "="'],
  ['(model=C360)', 1, 'there is no field "(model"'],
  ['__proto__=x', 1, 'there is no field'],
] as const)('%s is wrong at column %i: %s', (text, column, reason) => {
  expect(() => parseWhere(text)).toThrow(
    expect.objectContaining({
      code: 'request/where',
      message: expect.stringMatching(new RegExp(`^The filter is wrong at column ${column}: `)),
    }),
  );
  expect(() => parseWhere(text)).toThrow(reason);
});

test('a filter that is too long is refused', () => {
  const many = `${'id=a '.repeat(WHERE_TERMS_MAX)}id=b`;
  expect(() => parseWhere(many)).toThrow(
    `column ${5 * WHERE_TERMS_MAX + 1}: more than ${WHERE_TERMS_MAX} terms`,
  );
  expect(() => parseWhere('x'.repeat(5_000))).toThrow(
    'column 4097: the filter is longer than 4096 characters',
  );
});

const SEED = Number(process.env['PLATEN_TEST_SEED'] ?? Date.now() % 1_000_000);

test(`whatever is written is read or refused, and what is read is written the same (seed ${SEED})`, () => {
  const piece = fc.constantFrom(
    ...['model', 'label', 'software', 'seen', 'text', 'supply', 'trouble', 'unit', '.', ':', '=', '!=', '<'],
    ...['>=', '~', ',', '"', '\\', '*', ' ', 'C360', 'PT2H', 'any', '7', '2.5', 'ä', 'never', 'ring'],
  );
  const texts = fc.oneof(
    fc.array(piece, { maxLength: 24 }).map((list) => list.join('')),
    fc.string({ maxLength: 60 }),
  );
  const check = (text: string) => {
    let terms: ReturnType<typeof parseWhere>;
    try {
      terms = parseWhere(text);
    } catch (error) {
      expect(error).toMatchObject({ code: 'request/where' });
      return;
    }
    const withoutColumns = (list: typeof terms) => list.map((term) => ({ ...term, column: 0 }));
    expect(withoutColumns(parseWhere(whereText(terms)))).toEqual(withoutColumns(terms));
  };
  fc.assert(fc.property(texts, check), { numRuns: 3_000, seed: SEED });
});

test('a filter object says the same as its text', () => {
  const filter: PrinterFilter = {
    idPrefix: 'c3',
    model: 'C360*',
    label: { ring: 'canary', 'a b': '' },
    verdict: 'none',
    software: { id: 'acme.engine', range: '>=2 <3' },
    trouble: false,
    rule: 'jam',
  };
  const text = whereText(termsOfFilter(filter));
  expect(text).toBe(
    'id=c3* model="C360*" verdict=none label.ring=canary label."a b"="" software:acme.engine=">=2 <3" ' +
      'trouble!=any trouble=jam',
  );
  expect(whereText(parseWhere(text))).toBe(text);
});
