import { cursorOf, keyOf } from './page-cursor.ts';

test('a cursor returns its key', () => {
  const cursor = cursorOf('entries', ['2026-11-22T07:00:00.000Z', 'log 1', 12]);
  expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
  expect(keyOf('entries', cursor, ['time', 'text', 'number'])).toEqual([
    '2026-11-22T07:00:00.000Z',
    'log 1',
    '12',
  ]);
});

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test.each([
  ['no base64', '!'],
  ['no JSON', Buffer.from('{').toString('base64url')],
  ['null', encoded(null)],
  ['an object', encoded({ 0: 'list', 1: 'a' })],
  ['a number', encoded(7)],
  ['of another list', cursorOf('others', ['2026-11-22T07:00:00Z', 'a', 1])],
  ['too short', cursorOf('list', ['2026-11-22T07:00:00Z', 'a'])],
  ['too long', cursorOf('list', ['2026-11-22T07:00:00Z', 'a', 1, 2])],
  ['an invalid time', cursorOf('list', ['yesterday', 'a', 1])],
  ['a time beyond the calendar', cursorOf('list', ['2026-13-45T07:00:00Z', 'a', 1])],
  ['an invalid number', cursorOf('list', ['2026-11-22T07:00:00Z', 'a', 'x'])],
  ['a number beyond what is exact', cursorOf('list', ['2026-11-22T07:00:00Z', 'a', '9999999999999999'])],
  ['a text that no column accepts', cursorOf('list', ['2026-11-22T07:00:00Z', 'a\0', 1])],
  ['parts that are not texts', encoded(['list', 1, 2, 3])],
])('%s is refused', (_what, cursor) => {
  expect(() => keyOf('list', cursor, ['time', 'text', 'number'])).toThrow(
    expect.objectContaining({ code: 'request/invalid' }),
  );
});
