import { DEFAULT_LIMITS } from '../limits.ts';
import { Gate, type Waiting } from './connect-queue.ts';

function gate(limits: Partial<typeof DEFAULT_LIMITS>): Gate {
  return new Gate({ ...DEFAULT_LIMITS, ...limits }, 0);
}

function visitor(address = '10.0.0.1') {
  const events: string[] = [];
  const waiting: Waiting & { gone: boolean } = {
    address,
    gone: false,
    begin: () => events.push('begin'),
    turnAway: (reason) => events.push(reason),
  };
  return { waiting, events };
}

test('a storm is paced: at most the burst at once, then the rate, in order; who left meanwhile costs no turn', () => {
  const paced = gate({ connectsPerSecondMax: 100 });
  const visitors = Array.from({ length: 200 }, () => visitor());
  for (const { waiting } of visitors) paced.enter(waiting, 0, 0);
  const begun = () => visitors.filter(({ events }) => events[0] === 'begin').length;
  expect(begun()).toBe(25);
  expect(paced.waiting).toBe(175);
  const left = visitors[25];
  if (left) left.waiting.gone = true;
  // Called often, as the broker does: time in which nobody looks is not saved up beyond the burst.
  for (let now = 10; now <= 1_000; now += 10) paced.advance(now);
  expect(begun()).toBe(125);
  expect(left?.events).toEqual([]);
  expect(visitors.findIndex(({ events }) => events.length === 0 && events !== left?.events)).toBe(126);
});

test('limits turn away, and a connection that ends makes room', () => {
  const small = gate({
    connectionsMax: 10,
    connectionsPerAddressMax: 2,
    connectsPerSecondMax: 4,
    waitingConnectionsMax: 1,
  });
  const full = visitor();
  small.enter(full.waiting, 10, 0);
  expect(full.events).toEqual(['connections']);
  const [one, two, three, four] = [visitor(), visitor(), visitor(), visitor('10.0.0.2')];
  small.enter(one.waiting, 0, 0);
  small.enter(two.waiting, 1, 0);
  small.enter(three.waiting, 2, 0);
  expect([one.events, two.events, three.events]).toEqual([['begin'], [], ['connections-per-address']]);
  small.enter(four.waiting, 2, 0);
  expect(four.events).toEqual(['connections-waiting']);
  small.leave('10.0.0.1');
  small.advance(1_000);
  const five = visitor();
  small.enter(five.waiting, 1, 2_000);
  expect(five.events).toEqual(['begin']);
});

test('a client that connects over and over is banned for a while, and nobody else', () => {
  const strict = gate({ flapConnectsMax: 3, flapWindowMs: 1_000, flapBanMs: 500 });
  expect([1, 2, 3].map((now) => strict.connected('flapper', now))).toEqual([false, false, false]);
  expect(strict.connected('flapper', 4)).toBe(true);
  expect(strict.refuses('flapper', undefined, 'a', 10)).toBe(true);
  expect(strict.refuses('another', undefined, 'a', 10)).toBe(false);
  expect(strict.refuses('flapper', undefined, 'a', 505)).toBe(false);
  // Slower than the window: never.
  for (let now = 0; now < 20_000; now += 400) expect(strict.connected('slow', now)).toBe(false);
});

test('wrong passwords ban the user where they came from, so that nobody can lock out somebody else', () => {
  const strict = gate({ failuresMax: 2, flapWindowMs: 1_000, flapBanMs: 500 });
  expect([1, 2, 3].map((now) => strict.failed('admin', 'evil', now))).toEqual([false, false, true]);
  expect(strict.refuses('c', 'admin', 'evil', 10)).toBe(true);
  expect(strict.refuses('c', 'admin', 'good', 10)).toBe(false);
  for (let n = 0; n < 30; n++) strict.failed(`user-${n}`, 'evil', 20);
  const turned = visitor('evil');
  strict.enter(turned.waiting, 0, 30);
  expect(turned.events).toEqual(['banned']);
});
