/**
 * Short random runs of the real order and campaign services over a real database: rules, verdicts, operators, joins,
 * revocations, printers that fail, fall back, fall silent and leave, and kills. The invariants are checked against the
 * database and against what was published.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../base/random.ts';
import { stopFor } from '../../center/update/campaigns/stops.ts';
import type { Cause } from '../../center/update/cause.ts';
import { releasesOf } from '../../center/update/cause.ts';
import { DEFAULT_BUDGET } from '../../center/update/orders/budget.ts';
import type { ExecutionPlan } from '../../center/update/orders/order-plan.ts';
import { bad, type CampaignFleet, good } from './campaign-fleet.ts';
import { eventually } from './orders.ts';

const VERSION = '2.5.0';
/** A stop gets its time before it is stored; an order created in between is withdrawn when the stop is stored. */
const STOP_STORED_MS = 1_000;
const SOFTWARE = { id: 'acme.engine', range: VERSION };

export interface KillRun {
  seed: number;
  printers: number;
  /** Share of installations that fail. */
  fails: number;
  kills: number;
  /** Printers that ever began to install the release. */
  got: number;
}

/** One run: a fresh fleet, 14 random actions, then quiet. */
export async function killRun(fleet: CampaignFleet, seed: number): Promise<KillRun> {
  const random = seededRandom(seed);
  const below = (n: number) => Math.floor(random() * n);
  const fails = [0, 0.3, 0.6, 1][seed % 4] ?? 0;
  const flaps = fails > 0 && random() < 0.3 ? 0.3 : 0;
  const prefix = `run${seed}`;
  await fleet.kill();
  await fleet.forgetUpdates();
  await fleet.start();
  const names = await fleet.printers(prefix, 12 + below(40));
  const revokedAt = new Map<string, number>();
  const off = new Set<string>();
  const installs = new Map<string, number>();
  fleet.behave = (printer, order) => {
    installs.set(printer, (installs.get(printer) ?? 0) + 1);
    const fate = random();
    if (fate < fails)
      return fate < fails * 0.1 ? { reports: ['accepted', 'installing'] } : bad(printer, order);
    if (random() < flaps) {
      setTimeout(() => void fallBack(fleet, printer).catch(() => undefined), 60);
    }
    return good(printer, order);
  };
  const some = () => names.filter((name) => !revokedAt.has(name) && random() < 0.4);
  const campaign = async () => {
    const { items } = await fleet.campaigns.list({}, { limit: 50, cursor: undefined });
    return items[below(Math.max(1, items.length))];
  };
  let kills = 0;
  const rule = (auto: boolean) => {
    const name = `rule${below(2)}`;
    const cause: Cause = { kind: 'rule', rule: name, question: 'q', trouble: 't' };
    return fleet.campaigns.ask({
      key: `rule ${name}`,
      mode: auto ? 'automatic' : 'propose',
      request: { software: SOFTWARE, printers: some(), cause },
    });
  };
  const actions: (() => Promise<unknown>)[] = [
    () => rule(true),
    () => rule(false),
    () => Promise.all(some().map((printer) => fleet.misfit(printer, VERSION))),
    () => Promise.all(some().map((printer) => fleet.misfit(printer, VERSION))),
    () => fleet.campaigns.create({ software: SOFTWARE, filter: { idPrefix: prefix } }, 'ana'),
    () => campaign().then((one) => one && fleet.campaigns.abort(one.id, 'ana')),
    () => campaign().then((one) => one && fleet.campaigns.pause(one.id, 'ana')),
    () => campaign().then((one) => one && fleet.campaigns.resume(one.id, 'ana')),
    () => campaign().then((one) => one && fleet.campaigns.resume(one.id, 'ana')),
    async () => void names.push(...(await fleet.printers(`${prefix}-${names.length}`, 1 + below(20)))),
    async () => {
      const [printer] = some();
      if (printer === undefined) return;
      await fleet.store.database.query(
        "UPDATE printers SET standing = 'revoked', online = false WHERE id = $1",
        [printer],
      );
      await fleet.orders.onLeft(printer, 'it was revoked', false);
      await fleet.campaigns.onLeft(printer, 'revoked');
      revokedAt.set(printer, Date.now());
    },
    async () => {
      const printer = names[below(names.length)] ?? '';
      if (revokedAt.has(printer)) return;
      const on = off.delete(printer);
      if (!on) off.add(printer);
      await fleet.turn(printer, on);
    },
    async () => {
      kills++;
      await fleet.kill();
      await fleet.start();
    },
    async () => {
      kills++;
      await fleet.kill();
      await fleet.start();
    },
  ];
  for (let step = 0; step < 14; step++) {
    const action = actions[step === 5 || step === 10 ? actions.length - 1 : below(actions.length)];
    // A person's request may be refused: no printer takes part, the campaign is over already, the release was stopped.
    await action?.().catch((error: Error & { code?: string }) => {
      if (error.code?.startsWith('request/') !== true) throw error;
    });
    await sleep(10 + below(60));
  }
  for (const printer of off) if (!revokedAt.has(printer)) await fleet.turn(printer, true);
  await quiet(fleet);
  if (fails === 0) await reachesEveryone(fleet, names, revokedAt);
  await check(fleet, revokedAt, installs);
  return { seed, printers: names.length, fails, kills, got: installs.size };
}

/** The printer reports its previous version again, and is judged. */
async function fallBack(fleet: CampaignFleet, printer: string): Promise<void> {
  await fleet.reports(printer, '2.4.0');
  await fleet.misfit(printer, VERSION);
}

/** Waits until nothing more is published. */
async function quiet(fleet: CampaignFleet): Promise<void> {
  for (let before = -1; before !== fleet.published.length; ) {
    before = fleet.published.length;
    await sleep(250);
  }
}

/** A good release reaches every printer that takes part once everything that a person stopped is released again. */
async function reachesEveryone(
  fleet: CampaignFleet,
  names: readonly string[],
  revoked: ReadonlyMap<string, number>,
): Promise<void> {
  for (const { releases } of await fleet.campaigns.stops()) {
    for (const release of releases)
      await fleet.campaigns.release(release, 'ana', 'it is well').catch(() => []);
  }
  const { items } = await fleet.campaigns.list({}, { limit: 50, cursor: undefined });
  for (const { id, state } of items) {
    if (state === 'paused' || state === 'proposed')
      await fleet.campaigns.resume(id, 'ana').catch(() => undefined);
  }
  const missing = async () => {
    const rows = await fleet.store.database.query<{ printer: string }>(
      `SELECT printer FROM structures WHERE printer = ANY($1) AND document->'units'->0->'software'->0->>'version' <> $2`,
      [names.filter((name) => !revoked.has(name)), VERSION],
    );
    return rows.map(({ printer }) => printer);
  };
  for (const printer of await missing()) await fleet.misfit(printer, VERSION);
  await eventually(async () => ((await missing()).length === 0 ? true : undefined), 60_000);
}

/** @throws Error when an invariant is violated */
async function check(
  fleet: CampaignFleet,
  revokedAt: ReadonlyMap<string, number>,
  installs: ReadonlyMap<string, number>,
): Promise<void> {
  for (const [printer, count] of installs) {
    if (count > DEFAULT_BUDGET.installations) throw new Error(`${printer} installed it ${count} times`);
  }
  for (const { printer, payload, at } of fleet.published) {
    const since = revokedAt.get(printer);
    if (since !== undefined && at > since && payload !== '' && !payload.includes('"cancel":true'))
      throw new Error(`${printer} was revoked and got an order ${at - since} ms later`);
  }
  const { database } = fleet.store;
  const stops = await database.query<{
    kind: 'guard' | 'person';
    releases: string[];
    strata: string[] | null;
    at: Date;
    lifted_at: Date | null;
    reason: string;
  }>('SELECT kind, releases, strata, at, lifted_at, reason FROM release_stops');
  const orders = await database.query<{
    printer: string;
    created_at: Date;
    ended_at: Date | null;
    plan: ExecutionPlan;
    cause: Cause | null;
    stratum: string;
  }>(
    `SELECT e.printer, e.created_at, e.ended_at, e.plan, c.request->'cause' AS cause, t.stratum
     FROM executions e JOIN campaigns c ON c.id = e.campaign
     JOIN campaign_targets t ON t.campaign = c.id AND t.printer = e.printer ORDER BY e.printer, e.created_at`,
  );
  for (const [at, { printer, created_at, plan, cause, stratum }] of orders.entries()) {
    const made = created_at.getTime();
    const before = orders[at - 1];
    if (before?.printer === printer && (before.ended_at?.getTime() ?? Number.POSITIVE_INFINITY) > made)
      throw new Error(`${printer} got an order while it had another`);
    const held = stops
      .filter(
        (stop) =>
          stop.at.getTime() + STOP_STORED_MS < made &&
          (stop.lifted_at?.getTime() ?? Number.POSITIVE_INFINITY) > made,
      )
      .map(({ strata, at: since, ...stop }) => ({
        ...stop,
        id: '',
        by: '',
        at: since.getTime(),
        ...(strata === null ? {} : { strata }),
      }));
    const asked = {
      releases: releasesOf(plan.steps),
      stratum,
      cause: cause ?? { kind: 'person' as const, by: 'ana' },
    };
    const stop = stopFor(held, asked);
    if (stop) throw new Error(`${printer} got an order for what was stopped before: ${stop.reason}`);
  }
}
