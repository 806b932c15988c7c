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

test('one visitor has so many requests and so many bytes under way; others are let in, up to a bound for all', () => {
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

test('bodies are parsed at a rate: who is in debt waits until it is paid, and asks without a body meanwhile', () => {
  const all = load();
  all.charge('ana', 230, 0);
  expect(() => all.enter('ana', 1, 2_000)).toThrow(busy);
  all.enter('ana', 0, 2_000)();
  all.enter('ben', 1, 2_000)();
  all.enter('ana', 1, 3_100)();
  expect(all.refused['bytes-rate']).toBe(1);
});

test('so many lists are read at a time', () => {
  const all = load();
  const [first] = [all.list('ana', 0), all.list('ana', 0)];
  expect(() => all.list('ana', 0)).toThrow(busy);
  all.list('ben', 0);
  expect(() => all.list('cid', 0)).toThrow(busy);
  first?.();
  all.list('cid', 0);
  expect(all.refused.lists).toBe(2);
});
