import fc from 'fast-check';
import { csvCell, htmlText, lines, oneLine, shownJson } from './harmless.ts';

const EVIL = 'J-1\u001b]0;owned\u0007\r\n20:00:00  ready \u009b31m\u202eevil\u2028x\u0000\ud800\u200b';

test('what drives a terminal or forges a line is written out', () => {
  expect(oneLine(EVIL)).toBe(
    'J-1\\u{1b}]0;owned\\u{7}\\u{d}\\u{a}20:00:00  ready \\u{9b}31m\\u{202e}evil\\u{2028}x\\u{0}\\u{d800}\\u{200b}',
  );
  expect(oneLine('Grüße, プリンタ 😀 é')).toBe('Grüße, プリンタ 😀 é');
  expect(lines('a\u001b[2J\nb')).toBe('a\\u{1b}[2J\nb');
  expect(oneLine('x'.repeat(10), 3)).toBe('xxx…');
});

test('nothing harmful is left, whatever the text; JSON stays what it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const harmful = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\u200b-\u200f]/u;
      for (const shown of [oneLine(text), csvCell(text), htmlText(text), shownJson({ [text]: text })]) {
        expect(shown).not.toMatch(harmful);
      }
      expect(JSON.parse(shownJson({ [text]: [text] }, 2))).toEqual({ [text]: [text] });
    }),
    { seed: 20261130 },
  );
});

test.each([
  ['=HYPERLINK("http://x")', `"'=HYPERLINK(""http://x"")"`],
  ['+cmd', `'+cmd`],
  ['-1.5', '-1.5'],
  ['@SUM(A1)', `'@SUM(A1)`],
  ['a,b', '"a,b"'],
  ['say "x"', '"say ""x"""'],
  ['plain', 'plain'],
])('the cell %j is %s', (text, cell) => expect(csvCell(text)).toBe(cell));

test('markup is text in HTML', () => {
  expect(htmlText(`<img src=x onerror='a("b")'>&`)).toBe(
    '&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt;&amp;',
  );
});
