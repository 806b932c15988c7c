import { expect, test } from '@jest/globals';
import pino from 'pino';
import { type Conclusion, Conclusions } from './conclusions.ts';

const CAME: Conclusion = { kind: 'presence', printer: 'a', online: true };

function logged() {
  const lines: string[] = [];
  const log = pino({ level: 'error' }, { write: (line) => void lines.push(line) });
  return { lines, log };
}

test('listeners are called in order, and one that fails does not stop the others', async () => {
  const { lines, log } = logged();
  const heard: string[] = [];
  const conclusions = new Conclusions(log);
  conclusions.listen([
    { hear: ({ kind }) => void heard.push(`first ${kind}`) },
    {
      hear() {
        throw new Error('thrown');
      },
    },
    { hear: () => Promise.reject(new Error('rejected')) },
    { hear: ({ kind }) => void heard.push(`last ${kind}`) },
  ]);
  conclusions.conclude(CAME);
  await conclusions.idle();
  expect(heard).toEqual(['first presence', 'last presence']);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('thrown');
  expect(lines[1]).toContain('rejected');
});

test('idle waits for listeners, and for what they conclude themselves', async () => {
  const done: string[] = [];
  const conclusions = new Conclusions(logged().log);
  conclusions.listen([
    {
      async hear(conclusion) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (conclusion.kind === 'presence') conclusions.conclude({ kind: 'reachable', printer: 'a' });
        done.push(conclusion.kind);
      },
    },
  ]);
  conclusions.conclude(CAME);
  await conclusions.idle();
  expect(done).toEqual(['presence', 'reachable']);
});
