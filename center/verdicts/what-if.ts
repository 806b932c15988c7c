/**
 * Judges a printer as if it had other parts: units exchanged, added or removed, software in other versions; and plans
 * the steps that lead there. Pure; runs in the thread for heavy questions.
 */
import {
  attainable,
  type Budget,
  type Choice,
  type CompiledCatalog,
  choose,
  type Judgement,
  judge,
} from '../../compatibility/index.ts';
import { PlatenError } from '../../schemas/errors.ts';
import { didYouMean } from '../../schemas/nearest-name.ts';
import { parseSubject } from '../../schemas/subject.ts';
import type { PrintersWhatifParams, Structure, Unit } from '../../schemas/types.ts';

/** The assumed exchange. */
export type Exchange = Pick<PrintersWhatifParams, 'units' | 'software'>;
type UnitExchange = NonNullable<Exchange['units']>[number];

export interface WhatIf {
  /** The judgement of the printer as it is now, and after the exchange. */
  before: Judgement;
  after: Judgement;
  /** The structure after the exchange, which was judged. */
  structure: Structure;
  /** The software steps after the exchange of units; none if everything fits already. */
  way: Choice;
}

const APPARATUS = 'apparatus';

function wrong(reason: string): PlatenError {
  return new PlatenError('request/invalid', { reason });
}

function without<T extends object, K extends keyof T>(value: T, ...keys: K[]): Omit<T, K> {
  const rest = { ...value };
  for (const key of keys) delete rest[key];
  return rest;
}

/** The best software for a unit of another model, if any fits. */
function comesWith(
  catalog: CompiledCatalog,
  structure: Structure,
  symbol: string,
  model: string,
  budget: Budget,
): Unit['software'] {
  const choice = choose(catalog, structure, { require: { [symbol]: model } }, budget);
  const { remedy } = attainable(choice) ?? {};
  return remedy?.structure.find((each) => each.symbol === symbol)?.software;
}

function exchangedUnit(
  unit: Unit | undefined,
  exchange: UnitExchange,
  software: () => Unit['software'],
): Unit {
  const { symbol, kind = unit?.kind, model = unit?.model, hardware } = exchange;
  if (kind === undefined || model === undefined) {
    throw wrong(`/units "${symbol}" is no unit of the printer: one that is added needs "kind" and "model"`);
  }
  const another = model !== unit?.model;
  // Another unit has another serial number and another board.
  const kept = unit && (another ? without(unit, 'serial', 'hardware', 'software') : unit);
  const installed = exchange.software ?? (another ? software() : unit?.software);
  return {
    ...kept,
    symbol,
    kind,
    model,
    ...(hardware === undefined ? {} : { hardware }),
    ...(installed === undefined ? {} : { software: installed }),
  };
}

function withUnits(
  catalog: CompiledCatalog,
  structure: Structure,
  exchanges: readonly UnitExchange[],
  budget: Budget,
): Structure {
  let { apparatus, units } = structure;
  for (const exchange of exchanges) {
    const { symbol, remove = false, model, hardware, software } = exchange;
    const unit = units.find((each) => each.symbol === symbol);
    if (symbol === APPARATUS) {
      if (remove) throw wrong('/units the apparatus cannot be taken out');
      apparatus = {
        ...apparatus,
        ...(model === undefined ? {} : { model }),
        ...(hardware === undefined ? {} : { hardware }),
        ...(software === undefined ? {} : { software }),
      };
    } else if (remove) {
      if (!unit) {
        const known = units.map((each) => each.symbol);
        throw wrong(`/units "${symbol}" is no unit of the printer${didYouMean(symbol, known)}`);
      }
      units = units.filter((each) => each !== unit);
    } else {
      const best = () =>
        comesWith(catalog, structure, symbol, model ?? '', budget) ??
        // Its versions are then unknown, and the verdict says so.
        unit?.software?.map((each) => without(each, 'version'));
      const next = exchangedUnit(unit, exchange, best);
      units = unit ? units.map((each) => (each === unit ? next : each)) : [...units, next];
    }
  }
  return { ...structure, apparatus, units };
}

/** The structure with software in other versions. */
function withVersions(structure: Structure, software: NonNullable<Exchange['software']>): Structure {
  const changed = structuredClone(structure);
  for (const { subject, version } of software) {
    const { symbol, software: id } = parseSubject(subject);
    const part =
      symbol === APPARATUS ? changed.apparatus : changed.units.find((each) => each.symbol === symbol);
    const installed = part?.software?.find((each) => each.id === id);
    if (!installed) {
      throw wrong(`/software the printer has no "${subject}"${didYouMean(subject, subjectsOf(structure))}`);
    }
    installed.version = version;
  }
  return changed;
}

function subjectsOf({ apparatus, units }: Structure): string[] {
  return [{ symbol: APPARATUS, software: apparatus.software }, ...units].flatMap(
    ({ symbol, software = [] }) => software.map(({ id }) => `${symbol}:${id}`),
  );
}

/** The wishes for the choice, which starts with exchanged units and the old versions. */
function wishOf(software: NonNullable<Exchange['software']>) {
  return {
    allowUnitReplacement: false,
    require: Object.fromEntries(software.map(({ subject, version }) => [subject, `=${version}`])),
    // Naming a staged release here allows it to be chosen.
    staged: software.map(({ subject, version }) => `${parseSubject(subject).software}@${version}`),
  };
}

/**
 * Judges an exchange.
 * @throws PlatenError request/invalid for a unit or software that the printer doesn't have
 */
export function whatIf(
  catalog: CompiledCatalog,
  structure: Structure,
  { units = [], software = [] }: Exchange,
  budget: Budget,
): WhatIf {
  const exchanged = withUnits(catalog, structure, units, budget);
  const changed = withVersions(exchanged, software);
  return {
    before: judge(catalog, structure),
    after: judge(catalog, changed),
    structure: changed,
    way: choose(catalog, exchanged, wishOf(software), budget),
  };
}
