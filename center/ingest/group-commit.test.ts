import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { GroupCommit } from './group-commit.ts';

test('items that arrive while a batch is written go together into the next', async () => {
  const batches: number[][] = [];
  const commit = new GroupCommit<number, number>({
    write: async (items) => {
      batches.push(items);
      await sleep(5);
      return items.map((item) => item * 2);
    },
    batchWeight_max: 3,
    waiting_max: 100,
  });
  const first = commit.submit(1);
  await sleep(1);
  const rest = Promise.all([2, 3, 4, 5].map((item) => commit.submit(item)));
  expect([await first, ...(await rest)]).toEqual([2, 4, 6, 8, 10]);
  expect(batches).toEqual([[1], [2, 3, 4], [5]]);
});

test('patient items wait for company, go with the first impatient one, and are written at the close', async () => {
  const batches: number[][] = [];
  const commit = new GroupCommit<number, number>({
    write: async (items) => {
      batches.push(items);
      return items;
    },
    batchWeight_max: 10,
    waiting_max: 100,
  });
  const patient = [commit.submit(1, 60_000), commit.submit(2, 60_000)];
  await sleep(20);
  expect(batches).toEqual([]);
  await Promise.all([...patient, commit.submit(3)]);
  expect(batches).toEqual([[1, 2, 3]]);
  await Promise.all([commit.submit(4, 10), commit.submit(5, 60_000)]);
  expect(batches).toEqual([
    [1, 2, 3],
    [4, 5],
  ]);
  const last = commit.submit(6, 60_000);
  await commit.close();
  expect(await last).toBe(6);
});

test('settled waits for what was given, even while more arrives', async () => {
  const written: number[] = [];
  const commit = new GroupCommit<number, number>({
    write: async (items) => {
      await sleep(5);
      written.push(...items);
      return items;
    },
    batchWeight_max: 2,
    waiting_max: 1_000,
  });
  await commit.settled();
  const told: number[] = [];
  const first = [1, 2, 3, 4, 5].map((item) => commit.submit(item).then((each) => told.push(each)));
  let next = 6;
  const more = setInterval(() => void commit.submit(next++), 1);
  await commit.settled();
  clearInterval(more);
  expect(told).toEqual([1, 2, 3, 4, 5]);
  await Promise.all(first);
  // Including patient ones.
  void commit.submit(9_999, 60_000);
  await commit.settled();
  expect(written).toContain(9_999);
});

test('one item that cannot be written does not fail the others', async () => {
  const commit = new GroupCommit<number, number>({
    write: (items) => (items.includes(2) ? Promise.reject(new Error('two')) : Promise.resolve(items)),
    batchWeight_max: 10,
    waiting_max: 100,
  });
  const results = await Promise.allSettled([1, 2, 3].map((item) => commit.submit(item)));
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('while the database is lost nothing resolves, and items above the limit are refused', async () => {
  let lost = true;
  const commit = new GroupCommit<number, number>({
    write: (items) =>
      lost
        ? Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNRESET' }))
        : Promise.resolve(items),
    batchWeight_max: 1,
    waiting_max: 3,
  });
  let resolved = 0;
  const all = [1, 2, 3].map((item) =>
    commit.submit(item).then(() => {
      resolved += 1;
    }),
  );
  await expect(commit.submit(4)).rejects.toThrow('more than 3 writes wait');
  await sleep(50);
  expect(resolved).toBe(0);
  lost = false;
  await Promise.all(all);
  await commit.close();
  await expect(commit.submit(5)).rejects.toThrow('closed');
});

test('each durable batch is reported with its time and size, a failed one is not', async () => {
  const told: [seconds: number, items: number][] = [];
  const commit = new GroupCommit<number, number>({
    write: async (items) => {
      await sleep(20);
      if (items.includes(3)) throw new Error('three');
      return items;
    },
    committed: (duration_s, items) => told.push([duration_s, items]),
    batchWeight_max: 2,
    waiting_max: 100,
  });
  await Promise.allSettled([1, 2, 3].map((item) => commit.submit(item)));
  expect(told).toEqual([[expect.any(Number), 2]]);
  expect(told[0]?.[0]).toBeGreaterThanOrEqual(0.018);
  expect(told[0]?.[0]).toBeLessThan(10);
});

test('with many items gathered, batches start before the first is written, but at most three', async () => {
  const under: number[][] = [];
  const ends: (() => void)[] = [];
  const commit = new GroupCommit<number, number>({
    write: (items) => {
      under.push(items);
      return new Promise((resolve) => ends.push(() => resolve(items.map((item) => -item))));
    },
    batchWeight_max: 3,
    aheadWeight_min: 2,
    waiting_max: 100,
  });
  const told: number[] = [];
  const submit = (item: number) => commit.submit(item).then((result) => told.push(result));
  const all = [submit(1)];
  await sleep(5);
  all.push(submit(2));
  await sleep(5);
  expect(under).toEqual([[1]]);
  all.push(submit(3));
  await sleep(5);
  all.push(...[4, 5, 6, 7, 8].map(submit));
  await sleep(5);
  expect(under).toEqual([[1], [2, 3], [4, 5, 6]]);
  ends[0]?.();
  await sleep(5);
  expect(under).toEqual([[1], [2, 3], [4, 5, 6], [7, 8]]);
  expect(told).toEqual([-1]);
  all.push(submit(9));
  const closed = commit.close().then(() => told.push(0));
  for (const end of [1, 2, 3]) ends[end]?.();
  await sleep(5);
  expect(under.at(-1)).toEqual([9]);
  ends[4]?.();
  await Promise.all([...all, closed]);
  expect(told).toEqual([-1, -2, -3, -4, -5, -6, -7, -8, -9, 0]);
});

test('the queue is limited in bytes too, and has room again as batches leave', async () => {
  let release = (): void => undefined;
  const commit = new GroupCommit<string, string>({
    write: async (items) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return items;
    },
    batchWeight_max: 1,
    waiting_max: 100,
    bytesOf: (item) => item.length,
    waitingBytes_max: 100,
  });
  const first = commit.submit('x'.repeat(60));
  await sleep(5);
  const waits = [commit.submit('y'.repeat(60)), commit.submit('z'.repeat(60))];
  await expect(commit.submit('one more')).rejects.toThrow('more than 100 bytes wait');
  release();
  await first;
  await sleep(5);
  const last = commit.submit('room again');
  for (let batch = 0; batch < 3; batch += 1) {
    release();
    await sleep(5);
  }
  expect((await Promise.all([...waits, last])).map(({ length }) => length)).toEqual([60, 60, 10]);
});
