import fc from 'fast-check';
import { cut, layOut, widthOf } from './table.ts';

test('no line is wider than the terminal, whatever stands in the cells', () => {
  const cell = fc.record({ text: fc.string({ unit: 'grapheme', maxLength: 40 }) });
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          right: fc.boolean(),
          narrowest: fc.option(fc.integer({ min: 4, max: 12 }), { nil: undefined }),
        }),
        { minLength: 1, maxLength: 6 },
      ),
      fc.array(fc.array(cell, { minLength: 6, maxLength: 6 }), { maxLength: 5 }),
      fc.integer({ min: 20, max: 120 }),
      (columns, rows, width) => {
        const named = columns.map(({ right, narrowest }, at) => ({
          title: `COLUMN${at}`,
          right,
          ...(narrowest === undefined ? {} : { narrowest }),
        }));
        const { lines, hidden } = layOut(named, rows, width);
        expect(lines).toHaveLength(rows.length + 1);
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
        // Columns are left out from the last one on, and the first is always there.
        expect(hidden).toEqual(named.slice(named.length - hidden.length).map(({ title }) => title));
        expect(hidden.length).toBeLessThan(named.length);
      },
    ),
  );
});

test('columns are narrowed before any is left out, the widest first', () => {
  const columns = [{ title: 'NAME', narrowest: 6 }, { title: 'STATE' }, { title: 'WHY', narrowest: 6 }];
  const rows = [[{ text: 'a-very-long-name' }, { text: 'online' }, { text: 'because of a long story' }]];
  expect(layOut(columns, rows, undefined).lines[1]).toBe('a-very-long-name  online  because of a long story');
  expect(layOut(columns, rows, 40)).toEqual({
    lines: ['NAME             STATE   WHY', 'a-very-long-na…  online  because of a l…'],
    hidden: [],
  });
  expect(layOut(columns, rows, 20)).toEqual({
    lines: ['NAME          STATE', 'a-very-long…  online'],
    hidden: ['WHY'],
  });
});

test('text of printers drives no terminal, and wide characters count as two columns', () => {
  const line = layOut([{ title: 'A' }], [[{ text: 'x\u001b[2Jy\nz' }]], undefined).lines[1] ?? '';
  expect([line.includes('\u001b'), line.includes('\n')]).toEqual([false, false]);
  expect(widthOf('プリンタ')).toBe(8);
  expect(cut('プリンタ', 5)).toBe('プリ…');
});
