import { expect, test } from '@jest/globals';
import { Closers } from './closers.ts';

test('parts close in reverse order, even when one of them fails to close', async () => {
  const closed: string[] = [];
  const errors: unknown[] = [];
  const closers = new Closers((error) => errors.push(error));
  closers.add(() => void closed.push('first'));
  closers.add(() => Promise.reject(new Error('stuck')));
  closers.add(async () => void closed.push('last'));
  await closers.close();
  await closers.close();
  expect(closed).toEqual(['last', 'first']);
  expect(errors).toEqual([new Error('stuck')]);
});

test('a start that fails half-way closes what it opened, and says why it failed', async () => {
  const closed: string[] = [];
  const closers = new Closers(() => undefined);
  const start = closers.orClose(async () => {
    closers.add(() => void closed.push('database'));
    closers.add(() => void closed.push('queue'));
    throw new Error('the port is taken');
  });
  await expect(start).rejects.toThrow('the port is taken');
  expect(closed).toEqual(['queue', 'database']);
});
