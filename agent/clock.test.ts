import fc from 'fast-check';
import { VirtualClock } from './clock.ts';

test('tasks run in the order of their times, equal ones as they were asked for, cancelled ones never', () => {
  const task = fc.record({ ms: fc.integer({ min: 0, max: 50 }), cancelled: fc.boolean() });
  fc.assert(
    fc.property(fc.array(task, { maxLength: 60 }), (tasks) => {
      const clock = new VirtualClock(0);
      const ran: [number, number][] = [];
      for (const [index, { ms, cancelled }] of tasks.entries()) {
        const cancel = clock.after(ms, () => ran.push([clock.now(), index]));
        if (cancelled) cancel();
      }
      clock.run(100);
      const expected = tasks
        .map(({ ms, cancelled }, index) => ({ ms, cancelled, index }))
        .filter(({ cancelled }) => !cancelled)
        .sort((a, b) => a.ms - b.ms || a.index - b.index)
        .map(({ ms, index }) => [ms, index]);
      expect(ran).toEqual(expected);
      expect(clock.now()).toBe(100);
    }),
    { seed: 20261122 },
  );
});

test('a task may ask for another; advance lets promises keep pace', async () => {
  const clock = new VirtualClock(0);
  const at: number[] = [];
  const wait = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
  const work = (async () => {
    for (let turn = 0; turn < 3; turn++) {
      await wait(10);
      at.push(clock.now());
    }
  })();
  await clock.advance(100);
  await work;
  expect(at).toEqual([10, 20, 30]);
});
