import { DEFAULT_LIMITS } from '../limits.ts';
import { ConnectQueue, type WaitingConnect } from './connect-queue.ts';

let clients = 0;
let room = Number.POSITIVE_INFINITY;

beforeEach(() => {
  clients = 0;
  room = Number.POSITIVE_INFINITY;
});

function connectQueue(limits: Partial<typeof DEFAULT_LIMITS>): ConnectQueue {
  return new ConnectQueue({ ...DEFAULT_LIMITS, ...limits }, 0, { clients: () => clients, room: () => room });
}

function visitor(address = '10.0.0.1') {
  const events: string[] = [];
  const waiting: WaitingConnect & { gone: boolean } = {
    address,
    gone: false,
    begin: () => events.push('begin'),
    turnAway: (reason) => events.push(reason),
  };
  return { waiting, events };
}

test('a storm is paced: at most the burst at once, then the rate, in order; who left meanwhile costs no turn', () => {
  const paced = connectQueue({ connectsPerSecondMax: 100 });
  const visitors = Array.from({ length: 200 }, () => visitor());
  for (const { waiting } of visitors) paced.enter(waiting, 0);
  const begun = () => visitors.filter(({ events }) => events[0] === 'begin').length;
  expect(begun()).toBe(25);
  expect(paced.waiting).toBe(175);
  const left = visitors[25];
  if (left) left.waiting.gone = true;
  // Called often, as the broker does: idle time is not saved up beyond the burst.
  for (let now = 10; now <= 1_000; now += 10) paced.advance(now);
  expect(begun()).toBe(125);
  expect(left?.events).toEqual([]);
  expect(visitors.findIndex(({ events }) => events.length === 0 && events !== left?.events)).toBe(126);
});

test('limits turn away, and a connection that ends makes room', () => {
  const small = connectQueue({
    connectionsMax: 10,
    connectionsPerAddressMax: 2,
    connectsPerSecondMax: 4,
    waitingConnectionsMax: 1,
  });
  const full = visitor();
  clients = 10;
  small.enter(full.waiting, 0);
  clients = 0;
  expect(full.events).toEqual(['connections']);
  const [one, two, three, four] = [visitor(), visitor(), visitor(), visitor('10.0.0.2')];
  small.enter(one.waiting, 0);
  small.enter(two.waiting, 0);
  small.enter(three.waiting, 0);
  expect([one.events, two.events, three.events]).toEqual([['begin'], [], ['connections-per-address']]);
  small.enter(four.waiting, 0);
  expect(four.events).toEqual(['connections-waiting']);
  small.leave('10.0.0.1');
  small.advance(1_000);
  const five = visitor();
  small.enter(five.waiting, 2_000);
  expect(five.events).toEqual(['begin']);
});

test('a client that connects over and over is banned for a while, and nobody else', () => {
  const strict = connectQueue({ flapConnectsMax: 3, flapWindowMs: 1_000, flapBanMs: 500 });
  expect([1, 2, 3].map((now) => strict.connected('flapper', now))).toEqual([false, false, false]);
  expect(strict.connected('flapper', 4)).toBe(true);
  expect(strict.refuses('flapper', 10)).toBe(true);
  expect(strict.refuses('another', 10)).toBe(false);
  expect(strict.refuses('flapper', 505)).toBe(false);
  // Slower than the window: no ban.
  for (let now = 0; now < 20_000; now += 400) expect(strict.connected('slow', now)).toBe(false);
});

test('wrong passwords ban the user where they came from, so that nobody can lock out somebody else', () => {
  const strict = connectQueue({ failuresMax: 2, flapWindowMs: 1_000, flapBanMs: 500 });
  expect([1, 2, 3].map((now) => strict.failed('admin', 'evil', now))).toEqual([false, false, true]);
  expect(strict.bansPassword('admin', 'evil', true, 10)).toBe(true);
  expect(strict.bansPassword('admin', 'good', false, 10)).toBe(false);
  for (let n = 0; n < 30; n++) strict.failed(`user-${n}`, 'evil', 20);
  // The address is bad now. A user who never logged in from there has to wait; known users don't.
  expect(strict.bansPassword('lena', 'evil', false, 30)).toBe(true);
  expect(strict.bansPassword('lena', 'evil', true, 30)).toBe(false);
  const neighbour = visitor('evil');
  strict.enter(neighbour.waiting, 30);
  expect(neighbour.events).toEqual(['begin']);
});

test('a flood from one address keeps nobody else waiting, and only its own sockets are turned away', () => {
  const paced = connectQueue({ connectsPerSecondMax: 4, waitingConnectionsMax: 100 });
  const flood = Array.from({ length: 150 }, () => visitor('evil'));
  for (const { waiting } of flood) paced.enter(waiting, 0);
  expect(flood.filter(({ events }) => events[0] === 'connections-waiting')).toHaveLength(49);
  const honest = visitor('good');
  paced.enter(honest.waiting, 0);
  // The last socket of the flood was turned away; two turns later the honest one begins.
  expect(flood.filter(({ events }) => events[0] === 'connections-waiting')).toHaveLength(50);
  paced.advance(250);
  paced.advance(500);
  expect(honest.events).toEqual(['begin']);
});

test('when descriptors run out, those that wait longest in line give way, then strangers, then newcomers', () => {
  const tight = connectQueue({ connectsPerSecondMax: 4 });
  const [first, queued, honest, last] = [visitor('evil'), visitor('evil'), visitor('good'), visitor('good')];
  tight.enter(first.waiting, 0);
  tight.enter(queued.waiting, 0);
  const more = visitor('evil');
  tight.enter(more.waiting, 0);
  room = 0;
  tight.enter(honest.waiting, 0);
  expect(more.events).toEqual(['connections-waiting']);
  const dropped: string[] = [];
  const stranger = tight.stranger('evil', (reason) => dropped.push(reason));
  tight.enter(last.waiting, 0);
  expect(dropped).toEqual(['strangers']);
  stranger.leave();
  const tooMany = visitor('good');
  tight.enter(tooMany.waiting, 0);
  expect(tooMany.events).toEqual(['descriptors']);
});

test('silent sockets push one another out of the pool before CONNECT, those of an address its own', () => {
  const pool = connectQueue({ strangersMax: 4, strangersPerAddressMax: 2 });
  const dropped: string[] = [];
  for (let n = 0; n < 10; n++) pool.stranger('evil', (reason) => dropped.push(reason));
  expect([pool.strangers, dropped]).toEqual([2, Array(8).fill('strangers-per-address')]);
  for (let n = 0; n < 10; n++) pool.stranger(`other-${n}`, (reason) => dropped.push(reason));
  expect([pool.strangers, dropped.slice(8)]).toEqual([4, Array(8).fill('strangers')]);
});
