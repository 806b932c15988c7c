import { text } from 'node:stream/consumers';
import { csvRow, listStream, wantedForm } from './lists.ts';

test.each([
  [undefined, 'json'],
  ['*/*', 'json'],
  ['text/html, application/json', 'json'],
  ['text/csv', 'csv'],
  ['Text/CSV; charset=utf-8', 'csv'],
  ['application/x-ndjson, application/json;q=0.5', 'ndjson'],
  ['application/json;q=0.2, text/csv;q=0.9', 'csv'],
  ['text/csv;q=0', 'json'],
])('Accept: %s asks for %s', (accept, form) => {
  expect(wantedForm(accept)).toBe(form);
});

test.each(['=1+1', '+cmd', '-2+3', '@SUM(A1)', '\tx', '\rx'])(
  'the cell %j is not read as a formula',
  (value) => {
    expect(csvRow({ value }, ['value'])).not.toMatch(/^"?[=+\-@\t\r]/);
  },
);

test('a row has every column, in order; values other than strings and numbers are JSON', () => {
  const item = { b: 'x,"y"', a: -5, labels: { ring: 'canary' }, no: false };
  expect(csvRow(item, ['a', 'b', 'missing', 'labels', 'no'])).toBe(
    '-5,"x,""y""",,"{""ring"":""canary""}",false\r\n',
  );
});

test('a page is fetched when the previous one was read, and a failed page fails the list', async () => {
  const asked: string[] = [];
  const ask = async (cursor: string) => {
    asked.push(cursor);
    if (cursor === '3') throw new Error('the database went away');
    return { items: [{ a: Number(cursor) }], next: '3' };
  };
  const stream = listStream({ items: [{ a: 1 }], next: '2' }, ask, 'ndjson', ['a']);
  const read = stream[Symbol.asyncIterator]();
  expect((await read.next()).value).toBe('{"a":1}\n');
  expect(asked.length).toBeLessThan(3);
  const rest = (async () => {
    for await (const part of { [Symbol.asyncIterator]: () => read }) void part;
  })();
  await expect(rest).rejects.toThrow('the database went away');
  const whole = listStream({ items: [{ a: 1 }] }, ask, 'csv', ['a']);
  expect(await text(whole)).toBe('a\r\n1\r\n');
});
