import { expect, test } from '@jest/globals';
import { FailedMessages } from './failed-messages.ts';

const FAULT = new TypeError('a fault of ours');
const make = () => new FailedMessages({ tries_max: 3, remembered_max: 2 });

test('a message that fails while others are stored is set aside after a few tries', () => {
  const failed = make();
  expect([1, 2, 3].map((stored) => failed.failed('m', FAULT, stored))).toEqual([undefined, undefined, 3]);
  // It is forgotten: if it comes again, it has all its tries again.
  expect(failed.failed('m', FAULT, 4)).toBeUndefined();
});

test('failures with nothing stored in between do not count: it may be the store', () => {
  const failed = make();
  for (let n = 0; n < 100; n += 1) expect(failed.failed('m', FAULT, 7)).toBeUndefined();
});

test.each([
  ['a lost connection', Object.assign(new Error('x'), { code: 'ECONNREFUSED' })],
  ['a pool without a connection', new Error('Connection terminated unexpectedly')],
  ['a shutdown', Object.assign(new Error('x'), { code: '57P01' })],
  ['a full disk', Object.assign(new Error('x'), { code: '53100' })],
  ['a read-only database', Object.assign(new Error('x'), { code: '25006' })],
])('%s never counts', (_, error) => {
  const failed = make();
  for (let stored = 0; stored < 100; stored += 1) expect(failed.failed('m', error, stored)).toBeUndefined();
});

test('a limited number of messages have their tries remembered, the oldest are forgotten', () => {
  const failed = make();
  for (const [stored, name] of ['a', 'b', 'c', 'a', 'b', 'c'].entries()) {
    expect(failed.failed(name, FAULT, stored)).toBeUndefined();
  }
  expect(failed.failed('a', FAULT, 10)).toBeUndefined();
});
