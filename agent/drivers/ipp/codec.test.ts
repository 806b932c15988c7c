import { createRequire } from 'node:module';
import fc from 'fast-check';
import { message, wire } from '../../../tests/far-sides/ipp-server.ts';
import { decodeResponse, encodeRequest, OPERATION } from './codec.ts';

// The library is the peer: each side must read what the other writes.
const library = createRequire(import.meta.url)('@sealsystems/ipp') as {
  parse(bytes: Buffer): Record<string, unknown>;
  serialize(message: object): Buffer;
};

test('the library reads what is asked', () => {
  const bytes = encodeRequest({
    version: '2.0',
    operation: OPERATION.getPrinterAttributes,
    id: 7,
    uri: 'ipp://host/ipp/print',
    requested: ['printer-state', 'printer-alert'],
  });
  expect(library.parse(bytes)).toMatchObject({
    version: '2.0',
    operation: 'Get-Printer-Attributes',
    id: 7,
    'operation-attributes-tag': {
      'attributes-charset': 'utf-8',
      'attributes-natural-language': 'en',
      'printer-uri': 'ipp://host/ipp/print',
      'requested-attributes': ['printer-state', 'printer-alert'],
    },
  });
});

test('what the library writes is read', () => {
  const bytes = library.serialize({
    version: '2.0',
    statusCode: 'successful-ok',
    id: 1,
    'operation-attributes-tag': { 'attributes-charset': 'utf-8', 'attributes-natural-language': 'en' },
    'printer-attributes-tag': {
      'printer-state': 'idle',
      'printer-up-time': 4711,
      'printer-is-accepting-jobs': true,
      'printer-state-reasons': ['media-jam-error', 'toner-low-report'],
      'printer-make-and-model': 'Acme Größe 7',
    },
  });
  const answer = decodeResponse(bytes);
  expect(answer.int('printer-state')).toBe(3);
  expect(answer.int('printer-up-time')).toBe(4711);
  expect(answer.values('printer-is-accepting-jobs')).toEqual([true]);
  expect(answer.texts('printer-state-reasons')).toEqual(['media-jam-error', 'toner-low-report']);
  expect(answer.text('printer-make-and-model')).toBe('Acme Größe 7');
});

test('text keeps its bytes until its character set is known', () => {
  const answer = decodeResponse(
    message(
      wire(0x41, 'latin', Buffer.from('Fach öffnen', 'latin1')),
      wire(0x41, 'japanese', Buffer.from([0x83, 0x67, 0x83, 0x69, 0x81, 0x5b])),
      wire(0x35, 'language', Buffer.from('\0\x02de\0\x04Fach')),
      wire(0x35, 'bare', 'Fach'),
    ),
  );
  expect(answer.text('latin')).toBe('Fach öffnen');
  expect(answer.text('japanese')).toBe('トナー');
  expect(answer.text('language')).toBe('Fach');
  expect(answer.text('bare')).toBe('Fach');
});

test('tags of the future and wrong lengths leave the rest in step', () => {
  const answer = decodeResponse(
    message(
      wire(0x3d, 'future', 'abc'),
      wire(0x21, 'short', Buffer.from([7])),
      wire(0x13, 'none', 'ignored'),
      wire(0x21, 'after', Buffer.from([0, 0, 0, 9])),
    ),
  );
  expect(answer.int('short')).toBe(7);
  expect(answer.values('none')).toEqual([null]);
  expect(answer.int('after')).toBe(9);
});

test('collections are read with their members, dates with their zone', () => {
  const member = (name: string, tag: number, value: Buffer) =>
    Buffer.concat([wire(0x4a, '', name), wire(tag, '', value)]);
  const answer = decodeResponse(
    message(
      wire(0x34, 'media-col', ''),
      member('x', 0x21, Buffer.from([0, 0, 0, 5])),
      member('y', 0x21, Buffer.from([0, 0, 0, 6])),
      wire(0x37, '', ''),
      wire(0x31, 'time', Buffer.from([0x07, 0xea, 11, 22, 9, 0, 0, 0, 0x2b, 1, 0])),
    ),
  );
  expect(answer.values('media-col')).toEqual([
    new Map([
      ['x', [5]],
      ['y', [6]],
    ]),
  ]);
  expect(answer.values('time')).toEqual([new Date('2026-11-22T08:00:00Z')]);
});

test('a message that is cut keeps what came, any bytes give an answer or a refusal, never a crash', () => {
  const whole = message(wire(0x44, 'a', 'one'), wire(0x44, 'b', 'two'));
  const cut = decodeResponse(whole.subarray(0, whole.length - 4));
  expect([cut.cut, cut.text('a'), cut.text('b')]).toEqual([true, 'one', undefined]);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 200 }), (bytes) => {
      bytes[0] = 2;
      decodeResponse(bytes);
    }),
    { seed: 7, numRuns: 2000 },
  );
  expect(() => decodeResponse(Buffer.from('<html>no printer</html>'))).toThrow(/not IPP/);
});
