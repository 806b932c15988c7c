/**
 * Whole campaigns over simulated printers, with seeds: how many are exposed before a bad release is stopped, whether a
 * good one gets through, and what must hold whatever operators do meanwhile.
 */
import fc from 'fast-check';
import { seededRandom } from '../../../base/random.ts';
import {
  type CampaignEvent,
  type CampaignRecord,
  campaignTransition,
  DEFAULT_PACE,
  newCampaign,
  type Pace,
} from './campaign-state.ts';
import { DEFAULT_GUARD } from './guard.ts';
import { outcomeOf } from './order-outcome.ts';

interface World {
  campaign: CampaignRecord;
  waiting: number;
  /** Orders under way: when each ends, whether it fails, and its exposure once it installs. */
  underWay: { at: number; failed: boolean; exposure: number }[];
  at: number;
  ended: number;
  failed: number;
  withdrawn: number;
}

function begin(printers: number, pace: Partial<Pace> = {}): World {
  return {
    campaign: newCampaign(printers, { ...DEFAULT_PACE, ...pace }, DEFAULT_GUARD, 'running'),
    waiting: printers,
    underWay: [],
    at: 0,
    ended: 0,
    failed: 0,
    withdrawn: 0,
  };
}

function happen(world: World, event: CampaignEvent) {
  const { campaign, allowance } = campaignTransition(world.campaign, event);
  world.campaign = campaign;
  return allowance;
}

/** One look at the campaign, and the end of the order that ends next. */
function turn(world: World, rate: number, random: () => number): void {
  const { waiting, underWay } = world;
  const { dispatch } = happen(world, {
    type: 'tick',
    at: world.at,
    waiting,
    underWay: underWay.length,
    active: underWay.length,
  });
  if (dispatch > 0) {
    for (let n = 0; n < dispatch; n++) {
      const exposure = world.campaign.guard.exposed;
      happen(world, { type: 'exposed' });
      underWay.push({ at: world.at + 60_000 + random() * 240_000, failed: random() < rate, exposure });
    }
    happen(world, { type: 'dispatched', at: world.at, count: dispatch });
    world.waiting -= dispatch;
    return;
  }
  const soonest = underWay.reduce((best, each, at) => (each.at < (underWay[best]?.at ?? 0) ? at : best), 0);
  const [next] = underWay.splice(soonest, 1);
  if (!next) {
    world.at += 60_000;
    return;
  }
  world.at = next.at;
  world.ended++;
  if (next.failed) world.failed++;
  happen(world, { type: 'outcome', exposure: next.exposure, failed: next.failed });
}

function run(printers: number, rate: number, seed: number): World {
  const random = seededRandom(seed);
  const world = begin(printers, { atOnce: 100 });
  for (let turns = 0; world.campaign.state === 'running' && turns < 20_000; turns++)
    turn(world, rate, random);
  return world;
}

const exposedOf = (world: World) => world.ended + world.underWay.length;
const median = (list: number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;

test('few printers are exposed to a bad release: at most 13 in the median when 30 % fail, 60 when 10 % do', () => {
  const exposed = (rate: number) => {
    const worlds = Array.from({ length: 60 }, (_, seed) => run(2000, rate, seed + 1));
    if (rate === 0.3) for (const world of worlds) expect(world.campaign.state).toBe('halted');
    return median(worlds.map(exposedOf));
  };
  expect(exposed(0.3)).toBeLessThanOrEqual(13);
  expect(exposed(0.1)).toBeLessThanOrEqual(60);
});

test('a release that fails on the 2 % that are tolerated gets through', () => {
  const worlds = Array.from({ length: 100 }, (_, seed) => run(800, 0.02, seed + 1));
  const through = worlds.filter((world) => world.campaign.state === 'finished');
  // One in a hundred may be halted: five of a hundred would be one chance in two hundred.
  expect(through.length).toBeGreaterThanOrEqual(96);
  for (const world of through) expect([world.ended, world.waiting]).toEqual([800, 0]);
});

test('a release that fails on 8 %, too many and too few to be sure soon, stays with the canaries', () => {
  const worlds = Array.from({ length: 20 }, (_, seed) => run(2000, 0.08, seed + 1));
  for (const world of worlds) {
    expect(['halted', 'paused']).toContain(world.campaign.state);
    expect(exposedOf(world)).toBeLessThanOrEqual(500);
  }
});

test('small fleets: promoted when no canary failed, paused as inconclusive when one did', () => {
  expect(run(8, 0, 1).campaign.state).toBe('finished');
  expect(run(1, 0, 1).campaign.state).toBe('finished');
  const world = begin(20, { canaries: 4 });
  const random = seededRandom(7);
  let first = true;
  while (world.campaign.state === 'running') {
    turn(world, 0, random);
    for (const order of world.underWay.slice(0, first ? 1 : 0)) order.failed = true;
    if (world.underWay.length > 0) first = false;
  }
  expect(world.campaign.state).toBe('paused');
  expect(world.campaign.reason).toMatch(/^inconclusive: 1 of /);
  // The operator decides what the evidence could not.
  happen(world, { type: 'resume', at: world.at });
  expect([world.campaign.state, world.campaign.stage]).toEqual(['running', 'waves']);
});

test('orders a minute are bounded', () => {
  const world = begin(1000, { canaries: 1, perMinute: 30, atOnce: 1000, wave: 1000 });
  const random = seededRandom(3);
  const minutes = new Map<number, number>();
  for (let turns = 0; turns < 3000 && world.campaign.state === 'running'; turns++) {
    const before = world.campaign.dispatched;
    const at = world.at;
    turn(world, 0, random);
    const minute =
      Math.floor((at - world.campaign.minuteAt) / 60_000) + Math.floor(world.campaign.minuteAt / 1);
    minutes.set(minute, (minutes.get(minute) ?? 0) + world.campaign.dispatched - before);
  }
  expect(Math.max(...minutes.values())).toBeLessThanOrEqual(30);
});

test('what an end says of the release', () => {
  expect(outcomeOf('proven', undefined)).toBe('good');
  for (const state of ['rolled-back', 'failed', 'silent', 'partial'] as const) {
    expect(outcomeOf(state, 'update/self-test-failed', state === 'silent')).toBe('bad');
  }
  // Offline is not failed, and neither is a way that was blocked.
  expect(outcomeOf('silent', 'update/deadline')).toBeUndefined();
  expect(outcomeOf('failed', 'update/unreachable')).toBeUndefined();
  expect(outcomeOf('cancelled', undefined)).toBeUndefined();
  // Nor is a printer without room, a busy one, or one that never answered.
  for (const code of ['update/no-space', 'update/busy', 'update/timeout', 'update/structure-changed']) {
    expect(outcomeOf('failed', code)).toBeUndefined();
    expect(outcomeOf('rolled-back', code)).toBeUndefined();
  }
  expect(outcomeOf('silent', 'update/silent')).toBeUndefined();
});

test('orders that say nothing of the release promote nothing, are counted, and pause when they are too many', () => {
  const world = begin(400);
  const tell = (why: string) => {
    const exposure = world.campaign.guard.exposed;
    happen(world, { type: 'exposed' });
    happen(world, { type: 'outcome', exposure, failed: null });
    happen(world, { type: 'unrelated', why });
  };
  // Printers that were never on are nobody's fault.
  for (let n = 0; n < 40; n++) tell('update/deadline');
  expect([world.campaign.state, world.campaign.guard.safe]).toEqual(['running', false]);
  for (let n = 0; n < 8; n++) tell('update/no-space');
  expect(world.campaign.state).toBe('paused');
  expect(world.campaign.reason).toMatch(
    /without saying anything of the release \(update\/deadline 40, update\/no-space 8\)/,
  );
  // The operator has looked into it: it goes on until there are too many again.
  happen(world, { type: 'resume', at: 0 });
  for (let n = 0; n < 7; n++) tell('update/busy');
  expect(world.campaign.state).toBe('running');
  tell('update/busy');
  expect(world.campaign.state).toBe('paused');
  expect(world.campaign.unrelated).toEqual({ 'update/deadline': 40, 'update/no-space': 8, 'update/busy': 8 });
  expect(world.campaign.stage).toBe('canaries');
});

// --- whatever operators do -------------------------------------------------------------------------------------

type Step = 'turn' | 'pause' | 'resume' | 'abort' | 'brick' | 'join' | 'withdraw';

test('invariants hold under any order of turns and requests', () => {
  const step = fc.oneof(
    { weight: 30, arbitrary: fc.constant<Step>('turn') },
    ...(['pause', 'resume', 'brick', 'join', 'withdraw'] as const).map((each) => ({
      weight: 2,
      arbitrary: fc.constant<Step>(each),
    })),
    { weight: 1, arbitrary: fc.constant<Step>('abort') },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 120 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer(),
      fc.record({
        canaries: fc.integer({ min: 0, max: 30 }),
        canariesAtOnce: fc.integer({ min: 1, max: 10 }),
        wave: fc.integer({ min: 1, max: 40 }),
        growth: fc.double({ min: 1, max: 4, noNaN: true }),
        atOnce: fc.integer({ min: 1, max: 60 }),
      }),
      fc.array(step, { maxLength: 400 }),
      (printers, rate, seed, pace, steps) => {
        const random = seededRandom(seed);
        const world = begin(printers, pace);
        let targets = printers;
        for (const each of steps) {
          const before = world.campaign;
          const dispatchedBefore = exposedOf(world);
          switch (each) {
            case 'turn':
              turn(world, rate, random);
              break;
            case 'pause':
              happen(world, { type: 'pause', reason: 'somebody asked' });
              break;
            case 'resume':
              happen(world, { type: 'resume', at: world.at });
              break;
            case 'abort':
              happen(world, { type: 'abort', reason: 'somebody asked' });
              break;
            case 'brick':
              happen(world, { type: 'brick', printer: 'p' });
              break;
            case 'join':
              targets++;
              world.waiting++;
              happen(world, { type: 'targets', count: targets });
              break;
            case 'withdraw':
              break;
          }
          const { campaign } = world;
          // Counts add up.
          expect(world.waiting + world.underWay.length + world.ended).toBe(targets);
          expect(campaign.dispatched).toBe(exposedOf(world));
          expect(campaign.guard.exposed).toBe(exposedOf(world));
          expect(campaign.guard.fed + Object.keys(campaign.guard.waiting).length).toBe(world.ended);
          // Nothing is given out unless it runs, never more than was allowed.
          if (before.state !== 'running') expect(exposedOf(world)).toBe(dispatchedBefore);
          expect(campaign.dispatched).toBeLessThanOrEqual(campaign.allowed);
          // An end is an end.
          if (before.state === 'aborted' || before.state === 'finished')
            expect(campaign.state).toBe(before.state);
          if (before.state === 'halted') expect(['halted', 'aborted']).toContain(campaign.state);
          if (campaign.state === 'finished') expect(world.waiting + world.underWay.length).toBe(0);
        }
        // Left alone, with an operator who resumes it, it ends or stays stopped.
        for (let turns = 0; turns < 5000 && world.campaign.state === 'running'; turns++) {
          turn(world, rate, random);
        }
        expect(world.campaign.state).not.toBe('running');
      },
    ),
    { seed: 20261122, numRuns: 150 },
  );
});

/** Dispatches and ends everything that may be dispatched, until nothing is allowed; all of it ends well. */
function settle(world: World): void {
  for (let turns = 0; turns < 2_000 && (world.waiting > 0 || world.underWay.length > 0); turns++) {
    turn(world, 0, () => 0.5);
  }
  happen(world, { type: 'tick', at: world.at, waiting: 0, underWay: 0, active: 0 });
}

test('300 printers that join a campaign of 3 in its waves begin with canaries of their own', () => {
  const world = begin(3);
  settle(world);
  expect(world.campaign).toMatchObject({ state: 'finished', stage: 'waves', dispatched: 3 });
  happen(world, { type: 'targets', count: 303 });
  happen(world, { type: 'reopen' });
  world.waiting = 300;
  expect(world.campaign.stage).toBe('canaries');
  const { dispatch } = happen(world, { type: 'tick', at: world.at, waiting: 300, underWay: 0, active: 0 });
  expect(dispatch).toBe(4);
  expect(world.campaign.allowed).toBeLessThanOrEqual(40);
  settle(world);
  expect([world.campaign.state, world.campaign.dispatched]).toEqual(['finished', 303]);
});

test('a campaign that lives long does not grow by its age: the next wave is bounded by what it has shown', () => {
  const world = begin(200);
  settle(world);
  for (let joined = 1; joined <= 40; joined++) {
    happen(world, { type: 'targets', count: 200 + joined });
    happen(world, { type: 'reopen' });
    world.waiting = 1;
    settle(world);
  }
  happen(world, { type: 'targets', count: 10_240 });
  happen(world, { type: 'reopen' });
  const { dispatch } = happen(world, { type: 'tick', at: world.at, waiting: 10_000, underWay: 0, active: 0 });
  expect(dispatch).toBeLessThanOrEqual(480);
});

test('a stop that is lifted begins again with canaries and without the evidence of before', () => {
  const world = begin(500);
  for (let turns = 0; world.campaign.state === 'running' && turns < 1_000; turns++) turn(world, 1, () => 0.5);
  expect(world.campaign).toMatchObject({ state: 'halted', halt: 'failures' });
  happen(world, { type: 'lift' });
  expect(world.campaign).toMatchObject({
    state: 'running',
    stage: 'canaries',
    guard: { fed: 0, failures: 0 },
  });
  expect(world.campaign.allowed - world.campaign.dispatched).toBeLessThanOrEqual(34);
});

test('a campaign of which only those are left that wait for a stop is halted and not finished', () => {
  const world = begin(5);
  happen(world, { type: 'tick', at: 0, waiting: 0, underWay: 0, active: 0, stopped: 5 });
  expect(world.campaign).toMatchObject({ state: 'halted', halt: 'stop' });
});

const QUIET = { waiting: 0, underWay: 0, active: 0 };

test('a campaign whose release was withdrawn is halted with the reason, without waiting for whoever is away', () => {
  const world = begin(5);
  happen(world, { type: 'release-withdrawn', releases: { 'acme.engine@2.5.0': 'jams more' } });
  // One installs: its outcome is waited for. One is away with an order that was taken back: it is not.
  happen(world, { type: 'tick', at: 0, waiting: 0, underWay: 2, active: 1, withdrawn: 3, cancelled: 1 });
  expect(world.campaign.state).toBe('running');
  happen(world, { type: 'tick', at: 0, waiting: 0, underWay: 1, active: 0, withdrawn: 4, cancelled: 1 });
  expect(world.campaign).toMatchObject({
    state: 'halted',
    halt: 'withdrawn',
    reason: 'acme.engine@2.5.0 was withdrawn (jams more): 5 printers are left out',
  });
  // Lifted by mistake, while it is still withdrawn, it is halted again.
  happen(world, { type: 'lift' });
  expect(world.campaign.state).toBe('running');
  happen(world, { type: 'tick', at: 0, ...QUIET, withdrawn: 4 });
  expect(world.campaign.state).toBe('halted');
  // Printers for which nothing was right from the beginning don't halt a campaign.
  const other = begin(5);
  happen(other, { type: 'tick', at: 0, ...QUIET, withdrawn: 4 });
  expect(other.campaign.state).toBe('finished');
});

test('a campaign waits for printers that others have, and is not finished without them', () => {
  const world = begin(5);
  const { againAt } = happen(world, { type: 'tick', at: 7, ...QUIET, busy: 1 });
  expect(world.campaign.state).toBe('running');
  expect(againAt).toBeGreaterThan(7);
  happen(world, { type: 'tick', at: 9, ...QUIET });
  expect(world.campaign.state).toBe('finished');
});

test('a canary that gave up its place makes room for another, and one more place is never given than are allowed', () => {
  const world = begin(4);
  happen(world, { type: 'dispatched', at: 0, count: 1 });
  const tick = { type: 'tick', at: 0, waiting: 3, underWay: 1, active: 0 } as const;
  expect(happen(world, tick).dispatch).toBe(0);
  expect(happen(world, { ...tick, givenUp: 1 }).dispatch).toBe(1);
  happen(world, { type: 'dispatched', at: 0, count: 1 });
  expect(happen(world, { ...tick, waiting: 2, underWay: 2, active: 1, givenUp: 1 }).dispatch).toBe(0);
  // The second stays away too; then the first comes back and lets go of its order.
  expect(happen(world, { ...tick, waiting: 2, underWay: 2, givenUp: 2 }).dispatch).toBe(1);
  happen(world, { type: 'withdrawn', count: 1 });
  expect(happen(world, { ...tick, waiting: 3, underWay: 1, givenUp: 1 }).dispatch).toBe(1);
  happen(world, { type: 'dispatched', at: 0, count: 1 });
  // What it shows is enough for so few.
  happen(world, { type: 'exposed' });
  happen(world, { type: 'outcome', exposure: 0, failed: false });
  expect(happen(world, { ...tick, waiting: 2, underWay: 1, givenUp: 1 }).dispatch).toBe(2);
  expect(world.campaign.stage).toBe('waves');
});
