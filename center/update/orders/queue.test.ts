/**
 * The queue over Redis: a start or a stop without Redis leaves no timer, because a timer keeps the process alive. Runs
 * in a process of its own, because Jest has timers too. order-service.test.ts tests the queue at work.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { WITH_TYPES } from '../../../tests/harness/run/with-types.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Runs `body` in a process and returns the timers that keep it alive 0.5 s later. */
async function timersAfter(body: string): Promise<string[]> {
  const script = `
    import { createServer } from 'node:net';
    import { setTimeout as sleep } from 'node:timers/promises';
    import { openQueue, reachRedis } from './center/update/orders/queue.ts';
    import { eventually, freePort, silent, testRedis } from './tests/harness/orders.ts';
    const stop = new AbortController();
    const abort = () => stop.abort(new Error('stopped'));
    const stopped = (promise) => promise.then(() => process.exit(2), ({ message }) => {
      if (message !== 'stopped') throw new Error(message);
    });
    ${body}
    // Sockets have a moment to close.
    await sleep(500, undefined, { ref: true });
    console.log(JSON.stringify(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout')));
    process.exit();`;
  const args = [...WITH_TYPES, '--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return JSON.parse(stdout) as string[];
}

test('a start that is stopped while Redis refuses connections leaves no timer', async () => {
  const left = await timersAfter(`
    const reached = reachRedis('redis://127.0.0.1:' + (await freePort()), stop.signal);
    // The first try has failed by then, and the wait for the next one goes on.
    await sleep(100);
    abort();
    await stopped(reached);`);
  expect(left).toEqual([]);
});

test('a start that is stopped while Redis takes connections and says nothing leaves no timer', async () => {
  const left = await timersAfter(`
    let taken = false;
    const mute = createServer(() => { taken = true; });
    await new Promise((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const reached = reachRedis('redis://127.0.0.1:' + mute.address().port, stop.signal);
    await eventually(() => taken);
    abort();
    await stopped(reached);`);
  expect(left).toEqual([]);
});

test('a queue that is stopped after its Redis went away leaves no timer but the one that BullMQ holds', async () => {
  const left = await timersAfter(`
    const redis = await testRedis();
    const queue = openQueue({ redis: redis.url }, silent);
    await queue.start(async () => {});
    await redis.close();
    await eventually(() => queue.fault());
    await queue.stop();`);
  expect(left.length).toBeLessThanOrEqual(1);
});
