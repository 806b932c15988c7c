/**
 * Runs of the whole update system in memory, as fast-check makes them up; shared by the short test and the long one.
 */
import fc from 'fast-check';
import { DEFAULT_BUDGET } from '../../center/update/orders/budget.ts';
import type { Behaviour } from './rollout-records.ts';
import { RolloutWorld } from './rollout-world.ts';

const BAD = 'engine@2';
const HOUR_MS = 3_600_000;

type Command = (world: RolloutWorld) => void;

/** Everything that may ask for a release or change who gets it. */
function commands(release: string): fc.Arbitrary<Command> {
  const share = fc.oneof(
    fc.double({ min: 0.001, max: 0.05, noNaN: true }),
    fc.double({ min: 0.05, max: 1, noNaN: true }),
  );
  const which = fc.nat(20);
  return fc.oneof(
    {
      weight: 4,
      // Now and then a rule means something else from now on.
      arbitrary: fc.tuple(fc.nat(4), fc.constantFrom(0, 0, 0, 1, 2), fc.boolean(), share).map(
        ([rule, meaning, auto, part]): Command =>
          (world) => {
            if (meaning > 0) world.changeRule(rule, meaning);
            world.rule(rule, meaning, auto, release, part);
          },
      ),
    },
    {
      weight: 3,
      arbitrary: share.map(
        (part): Command =>
          (world) => {
            world.verdicts(
              release,
              world.printers.filter((_, at) => at % Math.max(1, Math.round(1 / part)) === 0),
            );
          },
      ),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(share, fc.boolean()).map(
        ([part, expected]): Command =>
          (world) =>
            world.catalog(release, part, expected),
      ),
    },
    {
      weight: 2,
      arbitrary: share.map(
        (part): Command =>
          (world) =>
            world.operator(release, part),
      ),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(which, fc.constantFrom('abort', 'pause', 'resume', 'resume', 'resume')).map(
        ([n, what]): Command =>
          (world) =>
            world.decide(n, what),
      ),
    },
    {
      weight: 2,
      arbitrary: fc.integer({ min: 1, max: 3_000 }).map(
        (n): Command =>
          (world) =>
            world.join(n),
      ),
    },
    { weight: 1, arbitrary: fc.constant<Command>((world) => world.revoke(0.02)) },
    { weight: 1, arbitrary: fc.constant<Command>((world) => world.connections(0.1)) },
    { weight: 1, arbitrary: fc.constant<Command>((world) => world.kill()) },
    {
      weight: 6,
      arbitrary: fc.integer({ min: 1, max: 60 }).map(
        (n): Command =>
          (world) =>
            world.pass(n * 60_000),
      ),
    },
  );
}

/** Fleets of 10 to 10,000 printers, as many of each order of magnitude. */
const fleet = fc.double({ min: 1, max: 4, noNaN: true }).map((power) => Math.round(10 ** power));

function worldOf(printers: number, seed: number, behaviour: Behaviour): RolloutWorld {
  return new RolloutWorld({
    printers,
    strata: 1 + (seed % 12),
    sites: Math.max(1, Math.round(printers / (5 + (seed % 40)))),
    seed,
    behaviour: { [BAD]: behaviour },
  });
}

function checkBudgets(world: RolloutWorld): void {
  for (const [which, times] of world.installs) {
    if (times > DEFAULT_BUDGET.installations) throw new Error(`${which} was installed ${times} times`);
  }
}

/**
 * Runs with a release that fails on 30 % of the printers or more.
 * @returns in each run, how many printers ever installed it
 */
export function failingRuns(
  runs: number,
  seed: number,
): { printers: number; got: number; offered: number }[] {
  const results: { printers: number; got: number; offered: number }[] = [];
  fc.assert(
    fc.property(
      fleet,
      fc.nat(1_000_000),
      fc.double({ min: 0.3, max: 1, noNaN: true }),
      fc.constantFrom(0, 0, 0.1),
      fc.constantFrom(0, 0, 0.3),
      fc.array(commands(BAD), { minLength: 5, maxLength: 40 }),
      (printers, worldSeed, fails, silent, flaps, list) => {
        const world = worldOf(printers, worldSeed, { fails, silent, flaps });
        for (const command of list) command(world);
        world.pass(24 * HOUR_MS);
        checkBudgets(world);
        results.push({
          printers: world.printers.length,
          got: world.got.get(BAD)?.size ?? 0,
          offered: world.offered.get(BAD)?.size ?? 0,
        });
      },
    ),
    { seed, numRuns: runs, endOnFailure: true },
  );
  return results;
}

/** A release that fails on nobody, or as often as is tolerated, over a whole fleet that asks for it at once. */
export function wholeFleet(
  printers: number,
  seed: number,
  fails: number,
): { reached: number; hours: number; halted: boolean } {
  const world = worldOf(printers, seed, { fails, silent: 0, flaps: 0 });
  for (const printer of world.printers) printer.online = true;
  world.rule(1, 0, true, BAD, 1);
  const began = world.at;
  let hours = 0;
  while (hours < 200 && world.campaigns[0]?.record.state === 'running') {
    world.pass(HOUR_MS / 4);
    hours = (world.at - began) / HOUR_MS;
  }
  checkBudgets(world);
  const reached = world.printers.filter(({ installed }) => installed === BAD).length;
  return { reached, hours, halted: world.stops.some(({ kind }) => kind === 'guard') };
}

/** The value below which this share of a list lies. */
export function quantile(list: readonly number[], share: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
