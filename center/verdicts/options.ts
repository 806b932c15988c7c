/**
 * Computes what is compatible with a printer as it is now (claim 4, `ask/options`): for each piece of software the
 * versions, and for each unit the models, that could replace the present one without breaking a rule.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { Structure } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { type CatalogAssessor, partsOf } from './assessor.ts';

interface SoftwareOption {
  subject: string;
  installed?: string;
  versions: string[];
}

interface UnitOption {
  symbol: string;
  model: string;
  models: string[];
}

/**
 * The options for a structure: at most `answer_items_max` versions per subject, newest first. If time runs out,
 * `complete` is false and the rest is missing.
 * @throws PlatenError request/invalid for a structure with too many parts
 */
export function optionsOf(assessor: CatalogAssessor, structure: Structure): Record<string, unknown> {
  if (partsOf(structure) > CENTER_LIMITS.choose_parts_max) {
    throw new PlatenError('request/invalid', {
      reason: `the structure has more than ${CENTER_LIMITS.choose_parts_max} units and pieces of software`,
    });
  }
  const deadline_ms = performance.now() + CENTER_LIMITS.options_budget_ms_max;
  let complete = true;
  const fits = (changed: () => Structure) => {
    if (performance.now() > deadline_ms) complete = false;
    return complete && assessor.judge(changed()).status === 'compatible';
  };
  const software: SoftwareOption[] = [];
  const holders = [{ symbol: 'apparatus', software: structure.apparatus.software ?? [] }, ...structure.units];
  for (const holder of holders) {
    for (const installed of holder.software ?? []) {
      const versions = assessor
        .releasedVersions(installed.id)
        .filter((version) => fits(() => withVersion(structure, holder.symbol, installed.id, version)))
        .slice(0, CENTER_LIMITS.answer_items_max);
      const subject = `${holder.symbol}:${installed.id}`;
      software.push({
        subject,
        ...(installed.version === undefined ? {} : { installed: installed.version }),
        versions,
      });
    }
  }
  const units: UnitOption[] = structure.units.map((unit) => ({
    symbol: unit.symbol,
    model: unit.model,
    models: assessor
      .modelsFor(structure.apparatus.model, unit.kind)
      .filter((model) => fits(() => withModel(structure, unit.symbol, model))),
  }));
  return { catalog: assessor.catalog, complete, software, units };
}

function withVersion(structure: Structure, symbol: string, id: string, version: string): Structure {
  const change = <Holder extends { software?: { id: string; version?: string }[] }>(
    holder: Holder,
  ): Holder => ({
    ...holder,
    software: (holder.software ?? []).map((one) => (one.id === id ? { ...one, version } : one)),
  });
  return symbol === 'apparatus'
    ? { ...structure, apparatus: change(structure.apparatus) }
    : { ...structure, units: structure.units.map((unit) => (unit.symbol === symbol ? change(unit) : unit)) };
}

function withModel(structure: Structure, symbol: string, model: string): Structure {
  return {
    ...structure,
    units: structure.units.map((unit) => (unit.symbol === symbol ? { ...unit, model } : unit)),
  };
}
