import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { Serial, SerialByKey } from './serial.ts';

/** Work that takes `ms` and notes when it begins and ends. */
function noting(notes: string[], name: string, ms: number, fails = false) {
  return async (): Promise<string> => {
    notes.push(`${name} begins`);
    await sleep(ms);
    notes.push(`${name} ends`);
    if (fails) throw new Error(name);
    return name;
  };
}

test('work runs in the order given, also after work that failed', async () => {
  const notes: string[] = [];
  const serial = new Serial();
  const failing = serial.run(noting(notes, 'a', 5, true));
  const following = serial.run(noting(notes, 'b', 0));
  await expect(failing).rejects.toThrow('a');
  await expect(following).resolves.toBe('b');
  expect(notes).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('idle waits for everything given so far and never rejects', async () => {
  const notes: string[] = [];
  const serial = new Serial();
  const failing = serial.run(noting(notes, 'a', 5, true)).catch(() => undefined);
  await serial.idle();
  expect(notes).toEqual(['a begins', 'a ends']);
  await failing;
});

test('different keys do not wait for each other', async () => {
  const notes: string[] = [];
  const serial = new SerialByKey();
  void serial.run('x', noting(notes, 'x1', 20));
  void serial.run('x', noting(notes, 'x2', 0));
  void serial.run('y', noting(notes, 'y1', 0));
  await serial.idle();
  expect(notes.filter((note) => note.startsWith('x'))).toEqual([
    'x1 begins',
    'x1 ends',
    'x2 begins',
    'x2 ends',
  ]);
  expect(notes.indexOf('y1 ends')).toBeLessThan(notes.indexOf('x1 ends'));
});
