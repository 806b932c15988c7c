import fc from 'fast-check';
import { createParser } from './event-stream.ts';

const STREAM =
  ': comment\n\nid: 1\nevent: verdict\ndata: {"a":1}\n\nid: 2\r\nevent: document\r\ndata: x\r\ndata:y\r\n\r\ndata: last\n\nid: 9\ndata: cut';

test('events are the same however the stream is cut', () => {
  const expected = [
    { id: '1', event: 'verdict', data: '{"a":1}' },
    { id: '2', event: 'document', data: 'x\ny' },
    // The id stays until another one comes.
    { id: '2', event: 'message', data: 'last' },
  ];
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(STREAM.length)), (cuts) => {
      const parse = createParser();
      const places = [0, ...cuts.sort((a, b) => a - b), STREAM.length];
      const found = places.slice(1).flatMap((end, at) => parse(STREAM.slice(places[at], end)));
      expect(found).toEqual(expected);
    }),
  );
});
