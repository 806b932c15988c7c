import { expect, test } from '@jest/globals';
import { VisitorLoad } from './visitor-load.ts';

const load = () =>
  new VisitorLoad({
    requests_max: 3,
    bytes_max: 100,
    bytes_total_max: 150,
    bytes_per_second_max: 10,
    bytes_burst_max: 200,
    lists_max: 2,
    lists_total_max: 3,
  });
const busy = expect.objectContaining({ code: 'request/busy' });

test('requests and bytes in progress are limited for one visitor, and bytes for all together', () => {
  const all = load();
  const mine = [all.enter('ana', 60, 0), all.enter('ana', 40, 0)];
  expect(() => all.enter('ana', 1, 0)).toThrow(busy);
  mine.push(all.enter('ana', 0, 0));
  expect(() => all.enter('ana', 0, 0)).toThrow(busy);
  const theirs = all.enter('ben', 50, 0);
  expect(() => all.enter('ben', 1, 0)).toThrow(busy);
  for (const done of [...mine, theirs]) done();
  all.enter('ben', 100, 0);
  expect(all.refused).toMatchObject({ bytes: 1, requests: 1, 'bytes-total': 1 });
});

test('bodies are parsed at a limited rate: beyond it a visitor waits, except for requests without a body', () => {
  const all = load();
  all.charge('ana', 230, 0);
  expect(() => all.enter('ana', 1, 2_000)).toThrow(busy);
  all.enter('ana', 0, 2_000)();
  all.enter('ben', 1, 2_000)();
  all.enter('ana', 1, 3_100)();
  expect(all.refused['bytes-rate']).toBe(1);
});

test('the number of lists being read is limited', () => {
  const all = load();
  const [first] = [all.list('ana', 0), all.list('ana', 0)];
  expect(() => all.list('ana', 0)).toThrow(busy);
  all.list('ben', 0);
  expect(() => all.list('cid', 0)).toThrow(busy);
  first?.();
  all.list('cid', 0);
  expect(all.refused.lists).toBe(2);
});
