import { setImmediate as turn } from 'node:timers/promises';
import { answering, askedBy, TurnsByName } from './answering.ts';

test('a name with its maximum under way waits in order, without delaying other names', async () => {
  const turns = new TurnsByName(2);
  const began: string[] = [];
  const ends: (() => void)[] = [];
  const ask = (name: string, what: string) =>
    turns.run(name, () => {
      began.push(what);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  const all = [ask('ana', 'a1'), ask('ana', 'a2'), ask('ana', 'a3'), ask('ana', 'a4'), ask('ben', 'b1')];
  await turn();
  expect(began).toEqual(['a1', 'a2', 'b1']);
  ends[1]?.();
  await turn();
  expect(began).toEqual(['a1', 'a2', 'b1', 'a3']);
  await expect(turns.run('ben', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  for (let at = 0; at < all.length; at += 1) {
    ends[at]?.();
    await turn();
  }
  await Promise.all(all);
  expect(began).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
});

test('askedBy is known throughout the awaited work, and nowhere else', async () => {
  const seen = await answering('ana', async () => {
    await turn();
    return askedBy();
  });
  expect([seen, askedBy()]).toEqual(['ana', undefined]);
});
