/**
 * Reads scenario files and turns their populations into printers. The same scenario, seed and size give the same
 * printers.
 */
import { readFileSync } from 'node:fs';
import type {
  ErrorGenerator,
  InstallBehaviour,
  SimulatedPrinterSpec,
} from '../agent/drivers/simulated/model.ts';
import type { SimulatedSupply } from '../agent/drivers/simulated/supplies.ts';
import { hashOf, type Random, randomFor } from '../base/random.ts';
import { durationMs } from '../schemas/duration.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import { parseSubject } from '../schemas/subject.ts';
import { PRINTER_ID } from '../schemas/topics.ts';
import type { Policy, Population, Scenario, TimelineEvent, Unit } from '../schemas/types.ts';
import { findPolicyFault, schemaFault } from '../schemas/validate.ts';

/** One simulated printer, ready to start. */
export interface PrinterPlan {
  printer: string;
  population: string;
  spec: SimulatedPrinterSpec;
  /** When it connects, in ms after the start of the simulation. */
  connectAfterMs: number;
  memory: { entriesMax?: number; bytesMax?: number; freeAcknowledged?: boolean };
  policy: Policy | undefined;
}

/** A timeline event with its times in ms. */
export interface PlannedEvent {
  atMs: number;
  everyMs: number | undefined;
  forMs: number | undefined;
  event: TimelineEvent;
}

export interface FleetPlan {
  scenario: string;
  seed: number;
  printers: PrinterPlan[];
  timeline: PlannedEvent[];
}

/**
 * Reads and checks a scenario file.
 * @throws PlatenError scenario/invalid
 */
export function readScenario(file: string | URL): Scenario {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new PlatenError('scenario/invalid', { reason: reasonOf(error) });
  }
  return checkScenario(value);
}

/** @throws PlatenError scenario/invalid with the JSON path of the first error */
export function checkScenario(value: unknown): Scenario {
  const fault = schemaFault('scenario', value);
  if (fault !== undefined) throw new PlatenError('scenario/invalid', { reason: fault });
  const scenario = value as Scenario;
  for (const [index, population] of scenario.populations.entries()) {
    const where = `/populations/${index}`;
    const symbols = new Set<string>(['apparatus']);
    for (const unit of population.units ?? []) {
      if (symbols.has(unit.symbol)) wrong(where, `the symbol "${unit.symbol}" is used twice or reserved`);
      symbols.add(unit.symbol);
    }
    const fault = population.policy && findPolicyFault(population.policy);
    if (fault) wrong(`${where}/policy${fault.path === '/' ? '' : fault.path}`, fault.message);
    for (const errors of population.errors ?? []) {
      if (milliseconds(errors.every, `${where}/errors`) <= 0)
        wrong(`${where}/errors`, 'every must be positive');
    }
  }
  for (const [index, event] of (scenario.timeline ?? []).entries()) {
    const missing = missingField(event);
    if (missing) wrong(`/timeline/${index}`, `"${event.do}" needs "${missing}"`);
    const { population } = event.printers ?? {};
    if (population !== undefined && !scenario.populations.some(({ name }) => name === population)) {
      wrong(`/timeline/${index}`, `there is no population "${population}"`);
    }
  }
  return scenario;
}

function wrong(where: string, what: string): never {
  throw new PlatenError('scenario/invalid', { reason: `${where} ${what}` });
}

/** The field that the action requires and the event lacks. */
function missingField(event: TimelineEvent): string | undefined {
  switch (event.do) {
    case 'remove-unit':
    case 'swap-unit':
      return event.symbol === undefined ? 'symbol' : undefined;
    case 'add-unit':
      return event.unit === undefined ? 'unit' : undefined;
    case 'set-version':
      return event.subject === undefined ? 'subject' : event.version === undefined ? 'version' : undefined;
    case 'emit-errors':
      return event.code === undefined ? 'code' : undefined;
    default:
      return undefined;
  }
}

function milliseconds(text: string, where: string): number {
  const ms = durationMs(text);
  if (ms === undefined) wrong(where, `"${text}" is no duration such as PT10S`);
  return ms;
}

function optionalMs(text: string | undefined, where: string): number | undefined {
  return text === undefined ? undefined : milliseconds(text, where);
}

/**
 * Scales the populations to a fleet of `total` by the largest remainder method. Each population keeps at least one
 * printer if possible, because the rare ones often matter most.
 */
export function scaledCounts(counts: number[], total: number): number[] {
  const sum = counts.reduce((all, count) => all + count, 0);
  if (sum === 0) return counts.map(() => 0);
  const populated = counts.filter((count) => count > 0).length;
  const least = total >= populated ? 1 : 0;
  const exact = counts.map((count) => (count * total) / sum);
  const scaled = exact.map((share, index) =>
    Math.max((counts[index] ?? 0) > 0 ? least : 0, Math.floor(share)),
  );
  const order = exact
    .map((share, index) => ({ index, rest: share - (scaled[index] ?? 0) }))
    .sort((a, b) => b.rest - a.rest || a.index - b.index)
    .map(({ index }) => index);
  let left = total - scaled.reduce((all, count) => all + count, 0);
  for (const index of order) {
    if (left <= 0) break;
    scaled[index] = (scaled[index] ?? 0) + 1;
    left--;
  }
  // Keeping the rare ones may exceed the total, so the largest populations give up some.
  for (; left < 0; left++) {
    const largest = scaled.indexOf(Math.max(...scaled));
    scaled[largest] = (scaled[largest] ?? 0) - 1;
  }
  return scaled;
}

/**
 * The printers and events of a scenario.
 * @param total size of the fleet; undefined: the scenario's own counts
 * @throws PlatenError scenario/invalid when two printers have the same id
 */
export function planFleet(scenario: Scenario, total?: number, seed = scenario.seed ?? 1): FleetPlan {
  const counts = scenario.populations.map(({ count }) => count);
  const scaled = total === undefined ? counts : scaledCounts(counts, total);
  const printers: PrinterPlan[] = [];
  const ids = new Set<string>();
  for (const [index, population] of scenario.populations.entries()) {
    const count = scaled[index] ?? 0;
    for (let number = 1; number <= count; number++) {
      const plan = planPrinter(population, number, Math.max(2, String(count).length), seed);
      if (ids.has(plan.printer))
        wrong(`/populations/${index}`, `the printer id "${plan.printer}" is used twice`);
      if (!PRINTER_ID.test(plan.printer))
        wrong(`/populations/${index}`, `"${plan.printer}" is no printer id`);
      ids.add(plan.printer);
      printers.push(plan);
    }
  }
  const timeline = (scenario.timeline ?? []).map((event, index) => ({
    atMs: milliseconds(event.at, `/timeline/${index}/at`),
    everyMs: optionalMs(event.every, `/timeline/${index}/every`),
    forMs: optionalMs(event.for, `/timeline/${index}/for`),
    event,
  }));
  return { scenario: scenario.scenario, seed, printers, timeline };
}

/** A serial number that is the same in every run and unique for each part. */
export function serialFor(printer: string, symbol: string): string {
  return `${symbol.slice(0, 1).toUpperCase()}${hashOf(`${printer}/${symbol}`).toString(36).toUpperCase().padStart(7, '0')}`;
}

function planPrinter(population: Population, number: number, digits: number, seed: number): PrinterPlan {
  const padded = String(number).padStart(digits, '0');
  const printer = (population.id ?? `${population.name}-{n}`).replace('{n}', padded);
  const random = randomFor(seed, `${printer}/plan`);
  const units: Unit[] = (population.units ?? []).map((unit) => ({
    ...structuredClone(unit),
    serial: unit.serial ?? serialFor(printer, unit.symbol),
    software: structuredClone(unit.software ?? []),
  }));
  const apparatus = structuredClone(population.apparatus);
  apparatus.serial ??= serialFor(printer, 'apparatus');
  apparatus.software ??= [];
  for (const [subject, version] of Object.entries(variantOf(population, number, random))) {
    const { symbol, software: id } = parseSubject(subject);
    const owner = symbol === 'apparatus' ? apparatus : units.find((unit) => unit.symbol === symbol);
    const installed = owner?.software?.find((software) => software.id === id);
    if (!installed) wrong(`/populations (${population.name})/variants`, `there is no "${subject}"`);
    installed.version = version;
  }
  const pages = Math.floor((population.pages ?? 0) * (0.5 + random()));
  const { sites } = population;
  const site = sites?.[(number - 1) % Math.max(1, sites.length)];
  return {
    printer,
    population: population.name,
    connectAfterMs: optionalMs(population.connectAfter, 'connectAfter') ?? 0,
    memory: {
      entriesMax: population.memory?.entries,
      bytesMax: population.memory?.bytes,
      freeAcknowledged: population.memory?.freeAcknowledged,
    },
    policy: population.policy as Policy | undefined,
    spec: {
      structure: {
        apparatus,
        units,
        ...(site === undefined ? {} : { site }),
        ...(population.labels === undefined ? {} : { labels: population.labels }),
        ...(population.timezone === undefined ? {} : { timezone: population.timezone }),
      },
      // Page counts vary within a population.
      pages,
      pagesPerHour: population.pagesPerHour ?? 0,
      busy: population.busy ?? 0,
      errors: errorsOf(population, random),
      install: installOf(population),
      hours: population.hours,
      color: population.color,
      ...(population.supplies ? { supplies: suppliesOf(population, printer, pages, seed) } : {}),
    },
  };
}

function variantOf(population: Population, number: number, random: Random): Record<string, string> {
  const variants = population.variants ?? [];
  const sum = variants.reduce((all, { share }) => all + share, 0);
  // The first printers get one variant each, so that even a small population has them all.
  if (number <= variants.length) return variants[number - 1]?.versions ?? {};
  let draw = random() * sum;
  for (const { share, versions } of variants) {
    draw -= share;
    if (draw < 0) return versions;
  }
  return {};
}

/** The supplies of a printer. Their levels have their own random draws, so that they don't affect anything else. */
function suppliesOf(
  population: Population,
  printer: string,
  printed: number,
  seed: number,
): SimulatedSupply[] {
  const random = randomFor(seed, `${printer}/supplies`);
  return (population.supplies ?? []).map((supply) => {
    const { level = 0.05 + 0.95 * random(), exchangeAt = 0.02, ...rest } = supply;
    const used = Math.floor((1 - level) * supply.pages);
    return { ...rest, exchangeAt, offset: used - printed, serial: serialFor(printer, supply.symbol) };
  });
}

function errorsOf(population: Population, random: Random): ErrorGenerator[] {
  const generators: ErrorGenerator[] = [];
  for (const errors of population.errors ?? []) {
    const suffers = random() < (errors.share ?? 1);
    if (!suffers) continue;
    generators.push({
      code: errors.code,
      severity: errors.severity,
      unit: errors.unit,
      everyMs: milliseconds(errors.every, 'errors'),
      spread: errors.spread,
      while: errors.while,
      detail: errors.detail,
    });
  }
  return generators;
}

function installOf(population: Population): InstallBehaviour {
  const { takes, restart, selfTest, ...chances } = population.install ?? {};
  return {
    ...chances,
    takesMs: optionalMs(takes, 'install/takes'),
    restartMs: optionalMs(restart, 'install/restart'),
    selfTestMs: optionalMs(selfTest, 'install/selfTest'),
  };
}
