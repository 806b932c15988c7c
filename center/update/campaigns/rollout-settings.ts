/**
 * How far things may go by themselves: whether corrections start automatically, when many of them wait for a person,
 * how much of the fleet may be under way at once, and how often one printer may be given the same. Pure, but for the store at its end.
 */
import type { RolloutSetParams, Structure } from '../../../schemas/types.ts';
import { type BudgetSettings, DEFAULT_BUDGET_SETTINGS } from '../orders/budget.ts';
import type { UpdateDatabase } from '../orders/execution-store.ts';

export type CorrectionMode = 'automatic' | 'propose' | 'off';

/** Printers that differ in what may happen by itself; the members that are there all have to match. */
export interface RolloutException {
  mode: CorrectionMode;
  /** A rule: of a catalog, as its findings name it, or of troubles. */
  rule?: string;
  idPrefix?: string;
  model?: string;
  site?: string;
  label?: Record<string, string>;
}

export interface RolloutSettings {
  /** What a verdict's correction does. */
  corrections: CorrectionMode;
  /** The first that matches counts. */
  exceptions: RolloutException[];
  /** A catalog whose corrections concern more printers than both of these waits for a person. */
  confirmAbove: { printers: number; share: number };
  dispatch: {
    /** Orders offered a minute, over the whole fleet. */
    perMinute: number;
    /** Share of a site's or a pool's printers that may be under way at once; one always may. */
    siteShare: number;
    /** The last working printer of a site or pool gets no order while there is more than one printer in it. */
    keepLast: boolean;
  };
  /** How often one printer may be given the same, before it is set aside. */
  budget: BudgetSettings;
}

export const DEFAULT_ROLLOUT: RolloutSettings = {
  corrections: 'automatic',
  exceptions: [],
  confirmAbove: { printers: 50, share: 0.01 },
  dispatch: { perMinute: 6_000, siteShare: 0.5, keepLast: true },
  budget: DEFAULT_BUDGET_SETTINGS,
};

/** `change` over `base`: each member that is given replaces what was there. */
export function mergeRollout(base: RolloutSettings, change: RolloutSetParams): RolloutSettings {
  return {
    corrections: change.corrections ?? base.corrections,
    exceptions: (change.exceptions as RolloutException[] | undefined) ?? base.exceptions,
    confirmAbove: { ...base.confirmAbove, ...change.confirmAbove },
    dispatch: { ...base.dispatch, ...change.dispatch },
    budget: { ...base.budget, ...change.budget },
  };
}

/** Whether an exception is for this printer and one of these rules. */
function matches(
  { mode: _mode, rule, idPrefix, model, site, label = {} }: RolloutException,
  printer: string,
  structure: Structure,
  rules: readonly string[],
): boolean {
  return (
    (rule === undefined || rules.includes(rule)) &&
    (idPrefix === undefined || printer.startsWith(idPrefix)) &&
    (model === undefined || structure.apparatus.model === model) &&
    (site === undefined || structure.site === site) &&
    Object.entries(label).every(([name, value]) => structure.labels?.[name] === value)
  );
}

/** What may be done by itself about a misfit with these broken rules. */
export function correctionMode(
  settings: RolloutSettings,
  printer: string,
  structure: Structure,
  rules: readonly string[],
): CorrectionMode {
  return (
    settings.exceptions.find((each) => matches(each, printer, structure, rules))?.mode ?? settings.corrections
  );
}

/** What a trouble rule may do by itself: what it says, unless an exception for the rule says otherwise. */
export function ruleMode(settings: RolloutSettings, rule: string, auto: boolean): CorrectionMode {
  const exception = settings.exceptions.find(
    (each) =>
      each.rule === rule &&
      each.idPrefix === undefined &&
      each.model === undefined &&
      each.site === undefined &&
      each.label === undefined,
  );
  if (exception) return exception.mode === 'automatic' && !auto ? 'propose' : exception.mode;
  return auto ? 'automatic' : 'propose';
}

/** Corrections for how many printers a catalog may start without being asked. */
export function confirmLimit(settings: RolloutSettings, printers: number): number {
  const { printers: least, share } = settings.confirmAbove;
  return Math.max(least, Math.floor(printers * share));
}

export class RolloutSettingsStore {
  readonly #database: UpdateDatabase;

  constructor(database: UpdateDatabase) {
    this.#database = database;
  }

  async get(): Promise<RolloutSettings> {
    const [row] = await this.#database.query<{ document: RolloutSetParams }>(
      'SELECT document FROM rollout_settings',
    );
    return mergeRollout(DEFAULT_ROLLOUT, row?.document ?? {});
  }

  /** Changes the members that are given. @returns what holds now */
  async set(change: RolloutSetParams): Promise<RolloutSettings> {
    const next = mergeRollout(await this.get(), change);
    await this.#database.query(
      `INSERT INTO rollout_settings (one, document) VALUES (true, $1)
       ON CONFLICT (one) DO UPDATE SET document = excluded.document`,
      [JSON.stringify(next)],
    );
    return next;
  }
}
