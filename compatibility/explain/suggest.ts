/**
 * Which single change would make it possible: each is tried for real.
 */
import { buildInstance, type Instance, type Link, type Part } from '../instance.ts';
import { findOptimum } from '../solver/optimum.ts';
import type { CompiledCatalog } from '../tables.ts';
import type { ChooseOptions, Suggestion } from '../types.ts';
import { inRange, SCHEMES } from '../versions.ts';
import { shortRange } from '../wording.ts';
import { type Host, World } from '../world.ts';
import { type Core, isSlotDemand } from './core.ts';

const TRIES_MAX = 16;

interface Change {
  text: string;
  options?: ChooseOptions;
  world?: World;
}

function without(wishes: Record<string, string> | undefined, subject: string): Record<string, string> {
  return Object.fromEntries(Object.entries(wishes ?? {}).filter(([name]) => name !== subject));
}

/** Hardware that the unit would need for a link, near the bounds that the link names. */
function fittingHardware(link: Link): { text: string; hardware: string } | undefined {
  if (link.reason.type !== 'rule' || link.reason.rule.target.type !== 'unit') return undefined;
  const { target, kind } = link.reason.rule;
  const range = target.hardware;
  if (!range) return undefined;
  const wanted = kind === 'requires' ? shortRange(range.text) : `not ${shortRange(range.text)}`;
  for (const { bounds } of range.alternatives) {
    for (const { version } of bounds) {
      // The bound itself, just above it, or below everything.
      for (const hardware of [version, `${version}.1`, '0']) {
        const key = SCHEMES.hardware.parse(hardware);
        if (key === undefined || inRange(SCHEMES.hardware, range, key) !== (kind === 'requires')) continue;
        return { text: wanted, hardware };
      }
    }
  }
  return undefined;
}

/** The world with one host changed. */
function withHost(world: World, host: Host, change: Partial<Host>): World {
  const changed: Host = { ...host, ...change };
  const hosts = world.hosts.map((each) => (each === host ? changed : each));
  const subjects = world.subjects.map((each) => (each.host === host ? { ...each, host: changed } : each));
  return new World(hosts, subjects);
}

function* changesFor(world: World, options: ChooseOptions, core: Core): Generator<Change> {
  const links = core.origins.filter((origin): origin is Link => !isSlotDemand(origin));
  for (const { reason } of links) {
    if (reason.type !== 'pin' && reason.type !== 'require') continue;
    const what = reason.type === 'pin' ? 'the pin of' : 'the wish for';
    const field = reason.type === 'pin' ? 'pins' : 'require';
    yield {
      text: `without ${what} ${reason.subject} ${shortRange(reason.range)}`,
      options: { ...options, [field]: without(options[field], reason.subject) },
    };
  }
  if (options.allowUnitReplacement === false) {
    yield { text: 'if units may be replaced', options: { ...options, allowUnitReplacement: true } };
  }
  if (options.allowDowngrade === false) {
    yield { text: 'if software may be downgraded', options: { ...options, allowDowngrade: true } };
  }
  for (const link of links) {
    const fitting = fittingHardware(link);
    if (!fitting) continue;
    for (const { part } of link.targets) {
      if (part.replaces || !world.hosts.includes(part.host)) continue;
      yield {
        text: `with ${part.host.model} of hardware ${fitting.text} as ${part.host.symbol}`,
        world: withHost(world, part.host, { hardware: fitting.hardware }),
      };
    }
  }
}

/** The world without one unit. */
function withoutHost(world: World, host: Host): World {
  return new World(
    world.hosts.filter((each) => each !== host),
    world.subjects.filter((each) => each.host !== host),
  );
}

/** Units of the core that could be taken out. */
function* takenOut(world: World, core: Core): Generator<Change> {
  const parts = core.origins.flatMap((origin): readonly (Part | undefined)[] => {
    if (isSlotDemand(origin)) return origin.demand === 'max' ? origin.places : [origin.part];
    return [origin.part, ...origin.targets.map(({ part }) => part)];
  });
  for (const part of new Set(parts)) {
    if (!part || part.replaces || part.host.index === 0 || part.host.spare) continue;
    yield { text: `without ${part.host.symbol} (${part.host.model})`, world: withoutHost(world, part.host) };
  }
}

/** Staged releases of the software in the core, which a campaign could name. */
function* stagedFor(instance: Instance, options: ChooseOptions, core: Core): Generator<Change> {
  const products = new Set(
    core.origins.flatMap((origin) =>
      isSlotDemand(origin)
        ? []
        : [origin.variable?.product, ...origin.targets.map(({ variable }) => variable?.product)],
    ),
  );
  for (const product of instance.catalog.products) {
    if (!products.has(product)) continue;
    for (const { version, status } of [...product.releases].reverse()) {
      if (status !== 'staged') continue;
      const name = `${product.id}@${version}`;
      yield {
        text: `with the staged release ${product.id} ${version}`,
        options: { ...options, staged: [...(options.staged ?? []), name] },
      };
    }
  }
}

/** Changes of one thing that make it possible, the cheapest remedy first. */
export function suggest(
  catalog: CompiledCatalog,
  world: World,
  instance: Instance,
  options: ChooseOptions,
  core: Core,
  exhausted: () => boolean,
): Suggestion[] {
  const suggestions: Suggestion[] = [];
  const seen = new Set<string>();
  let tries = 0;
  for (const change of [
    ...changesFor(world, options, core),
    ...stagedFor(instance, options, core),
    ...takenOut(world, core),
  ]) {
    if (seen.has(change.text) || tries++ >= TRIES_MAX || exhausted()) continue;
    seen.add(change.text);
    const changed = change.options ?? options;
    const tried = buildInstance(catalog, change.world ?? world, changed);
    const optimum = findOptimum(tried, changed.objective ?? 'fewest-changes', exhausted);
    if (typeof optimum === 'object') {
      suggestions.push({ text: `It would be possible ${change.text}.`, cost: optimum.cost });
    }
  }
  const order = (a: Suggestion, b: Suggestion): number =>
    a.cost[0] - b.cost[0] || a.cost[1] - b.cost[1] || a.cost[2] - b.cost[2];
  return suggestions.sort(order);
}
