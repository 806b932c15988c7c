import { createLanes } from './read-slots.ts';

const never = () => new Promise<never>(() => undefined);
const soon = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

test('no more reads than places run at once, in the order in which they came', async () => {
  const lanes = createLanes({ answering: 2, silent: 1, slowMs: 10_000, slow: 0 });
  let running = 0;
  let most = 0;
  const order: number[] = [];
  await Promise.all(
    [1, 2, 3, 4, 5].map((n) =>
      lanes.run('answering', async () => {
        most = Math.max(most, ++running);
        order.push(n);
        await soon(5);
        running--;
      }),
    ),
  );
  expect(most).toBe(2);
  expect(order).toEqual([1, 2, 3, 4, 5]);
});

test('printers that hang fill their own lane, and one that hangs in the other gives its place back', async () => {
  const lanes = createLanes({ answering: 1, silent: 1, slowMs: 20, slow: 1 });
  void lanes.run('silent', never);
  void lanes.run('silent', never);
  void lanes.run('answering', never);
  await expect(lanes.run('answering', () => Promise.resolve('read'))).resolves.toBe('read');
});

test('a read that fails frees its place', async () => {
  const lanes = createLanes({ answering: 1, silent: 1, slowMs: 10_000, slow: 0 });
  await expect(lanes.run('answering', () => Promise.reject(new Error('no answer')))).rejects.toThrow(
    'no answer',
  );
  await expect(lanes.run('answering', () => Promise.resolve(1))).resolves.toBe(1);
});
