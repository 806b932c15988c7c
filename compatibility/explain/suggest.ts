/**
 * Finds one or two changes that would make an impossible choice possible. Each is verified by choosing again.
 */
import { buildInstance, type Instance, type Part, type Requirement } from '../instance.ts';
import { findOptimum } from '../solver/optimum.ts';
import type { CompiledCatalog } from '../tables.ts';
import type { ChooseOptions, Suggestion } from '../types.ts';
import { inRange, SCHEMES } from '../versions.ts';
import { shortRange } from '../wording.ts';
import { type Host, World } from '../world.ts';
import { type Core, findCore, isSlotDemand } from './core.ts';

const SINGLE_TRIES_MAX = 16;
const PAIR_TRIES_MAX = 48;

/** The structure and the wishes of a choice. */
interface Situation {
  world: World;
  options: ChooseOptions;
}

/** A situation with one more change. */
interface Change extends Situation {
  text: string;
}

function without(wishes: Record<string, string> | undefined, subject: string): Record<string, string> {
  return Object.fromEntries(Object.entries(wishes ?? {}).filter(([name]) => name !== subject));
}

/** A hardware version that meets the requirement, near its bounds. */
function fittingHardware(requirement: Requirement): { text: string; hardware: string } | undefined {
  if (requirement.reason.type !== 'rule' || requirement.reason.rule.target.type !== 'unit') return undefined;
  const { target, kind } = requirement.reason.rule;
  const range = target.hardware;
  if (!range) return undefined;
  const wanted = kind === 'requires' ? shortRange(range.text) : `not ${shortRange(range.text)}`;
  for (const { bounds } of range.alternatives) {
    for (const { version } of bounds) {
      // The bound itself, just above it, or below all others.
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

function* changesFor({ world, options }: Situation, core: Core): Generator<Change> {
  const requirements = core.origins.filter((origin): origin is Requirement => !isSlotDemand(origin));
  for (const { reason } of requirements) {
    if (reason.type !== 'pin' && reason.type !== 'require') continue;
    const what = reason.type === 'pin' ? 'the pin of' : 'the wish for';
    const field = reason.type === 'pin' ? 'pins' : 'require';
    yield {
      text: `without ${what} ${reason.subject} ${shortRange(reason.range)}`,
      world,
      options: { ...options, [field]: without(options[field], reason.subject) },
    };
  }
  if (options.allowUnitReplacement === false) {
    yield { text: 'if units may be replaced', world, options: { ...options, allowUnitReplacement: true } };
  }
  if (options.allowDowngrade === false) {
    yield { text: 'if software may be downgraded', world, options: { ...options, allowDowngrade: true } };
  }
  for (const requirement of requirements) {
    const fitting = fittingHardware(requirement);
    if (!fitting) continue;
    for (const { part } of requirement.targets) {
      if (part.replaces || !world.hosts.includes(part.host)) continue;
      yield {
        text: `with ${part.host.model} of hardware ${fitting.text} as ${part.host.symbol}`,
        options,
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

/** Units of the core that could be removed. */
function* takenOut({ world, options }: Situation, core: Core): Generator<Change> {
  const parts = core.origins.flatMap((origin): readonly (Part | undefined)[] => {
    if (isSlotDemand(origin)) return origin.demand === 'max' ? origin.places : [origin.part];
    return [origin.part, ...origin.targets.map(({ part }) => part)];
  });
  for (const part of new Set(parts)) {
    if (!part || part.replaces || part.host.index === 0 || part.host.spare) continue;
    if (!world.hosts.includes(part.host)) continue;
    yield {
      text: `without ${part.host.symbol} (${part.host.model})`,
      options,
      world: withoutHost(world, part.host),
    };
  }
}

/** Staged releases of the core's software, which a campaign could name. */
function* stagedFor({ world, options }: Situation, instance: Instance, core: Core): Generator<Change> {
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
        world,
        options: { ...options, staged: [...(options.staged ?? []), name] },
      };
    }
  }
}

function* allChanges(situation: Situation, instance: Instance, core: Core): Generator<Change> {
  yield* changesFor(situation, core);
  yield* stagedFor(situation, instance, core);
  yield* takenOut(situation, core);
}

/** Tries changes, each once, up to a limit. */
class Trials {
  /** Changes that were not enough, with the situations that they led to. */
  readonly failed: { change: Change; instance: Instance }[] = [];
  private readonly enough: Suggestion[] = [];
  private readonly seen = new Set<string>();
  private readonly catalog: CompiledCatalog;
  private readonly max: number;
  private readonly exhausted: () => boolean;

  constructor(catalog: CompiledCatalog, max: number, exhausted: () => boolean) {
    this.catalog = catalog;
    this.max = max;
    this.exhausted = exhausted;
  }

  get isOver(): boolean {
    return this.seen.size >= this.max || this.exhausted();
  }

  try(change: Change): void {
    const { options, world, text } = change;
    if (this.seen.has(text) || this.isOver) return;
    this.seen.add(text);
    const instance = buildInstance(this.catalog, world, options);
    const optimum = findOptimum(instance, options.objective ?? 'fewest-changes', this.exhausted);
    if (typeof optimum === 'object') {
      this.enough.push({ text: `It would be possible ${text}.`, cost: optimum.cost });
    } else if (optimum === 'unsat') this.failed.push({ change, instance });
  }

  /** The changes that were enough, cheapest remedy first. */
  get suggestions(): Suggestion[] {
    return this.enough.sort(({ cost: a }, { cost: b }) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  }
}

/**
 * Changes that make the choice possible, cheapest remedy first: single changes or, if none is enough, pairs. A choice
 * that is still impossible after one change has a conflict of its own, which shows candidates for the second.
 */
export function suggest(
  catalog: CompiledCatalog,
  world: World,
  instance: Instance,
  options: ChooseOptions,
  core: Core,
  exhausted: () => boolean,
): Suggestion[] {
  const single = new Trials(catalog, SINGLE_TRIES_MAX, exhausted);
  for (const change of allChanges({ world, options }, instance, core)) single.try(change);
  if (single.suggestions.length > 0) return single.suggestions;
  const double = new Trials(catalog, PAIR_TRIES_MAX, exhausted);
  for (const { change: first, instance: changed } of single.failed) {
    const rest = double.isOver ? undefined : findCore(changed, exhausted);
    if (!rest) continue;
    for (const second of allChanges(first, changed, rest)) {
      const text = [first.text, second.text].sort().join(' and ');
      double.try({ ...second, text });
    }
  }
  return double.suggestions;
}
