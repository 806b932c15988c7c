/**
 * How far updates may go without approval: whether corrections start automatically, when too many of them wait, how much of
 * the fleet may be under way at once, and the budget of one printer. Pure, except for the store at the end.
 */
import type { RolloutSetParams, Structure } from '../../../schemas/types.ts';
import type { Cause } from '../cause.ts';
import { type BudgetSettings, DEFAULT_BUDGET_SETTINGS } from '../orders/budget.ts';
import type { UpdateDatabase } from '../orders/execution-store.ts';

export type CorrectionMode = 'automatic' | 'propose' | 'off';

/** Printers or rules with a mode of their own. All members that are present must match. */
export interface RolloutException {
  mode: CorrectionMode;
  /** A catalog rule as findings name it, or a trouble rule. */
  rule?: string;
  idPrefix?: string;
  model?: string;
  site?: string;
  label?: Record<string, string>;
}

export interface RolloutSettings {
  /** How corrections start. */
  corrections: CorrectionMode;
  /** The first match counts. */
  exceptions: RolloutException[];
  /** Corrections of a catalog wait for approval above both of these. */
  confirmAbove: { printers: number; share: number };
  dispatch: {
    /** Orders per minute over the whole fleet. */
    perMinute: number;
    /** Share of a site or pool that may be under way at once; one printer always may. */
    siteShare: number;
    /** The last working printer of a site or pool with more than one printer gets no order. */
    keepLast: boolean;
  };
  /** The budget of one printer. */
  budget: BudgetSettings;
}

export const DEFAULT_ROLLOUT: RolloutSettings = {
  corrections: 'automatic',
  exceptions: [],
  confirmAbove: { printers: 50, share: 0.01 },
  dispatch: { perMinute: 6_000, siteShare: 0.5, keepLast: true },
  budget: DEFAULT_BUDGET_SETTINGS,
};

/** `base` with the members of `change` replaced. */
export function mergeRollout(base: RolloutSettings, change: RolloutSetParams): RolloutSettings {
  return {
    corrections: change.corrections ?? base.corrections,
    exceptions: (change.exceptions as RolloutException[] | undefined) ?? base.exceptions,
    confirmAbove: { ...base.confirmAbove, ...change.confirmAbove },
    dispatch: { ...base.dispatch, ...change.dispatch },
    budget: { ...base.budget, ...change.budget },
  };
}

/** Whether an exception matches this printer and one of these rules. */
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

/** How the correction of a misfit with these broken rules starts. */
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

/** How the remedy of a trouble rule starts: as the rule says, unless an exception names it. */
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

/**
 * Whether what started a campaign automatically would start it now too: its rule is in force, means the same, and is not
 * switched off.
 * @param rule the rule of the cause, if one with its name is in force
 */
export function mayRestart(
  settings: RolloutSettings,
  cause: Cause | undefined,
  rule: { question: string; auto: boolean } | undefined,
): boolean {
  if (cause?.kind === 'verdict') {
    // A printer or a catalog rule may have a mode of its own; that is looked at when corrections are asked for.
    return settings.corrections !== 'off' || settings.exceptions.some(({ mode }) => mode !== 'off');
  }
  if (cause?.kind !== 'rule') return true;
  return rule?.question === cause.question && ruleMode(settings, cause.rule, rule.auto) !== 'off';
}

/** How many corrections a catalog may start without approval. */
export function confirmLimit(settings: RolloutSettings, printers: number): number {
  const { printers: least, share } = settings.confirmAbove;
  return Math.max(least, Math.floor(printers * share));
}

export class RolloutSettingsStore {
  readonly #database: UpdateDatabase;
  readonly #listeners: (() => void)[] = [];

  constructor(database: UpdateDatabase) {
    this.#database = database;
  }

  onChanged(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async get(): Promise<RolloutSettings> {
    const [row] = await this.#database.query<{ document: RolloutSetParams }>(
      'SELECT document FROM rollout_settings',
    );
    return mergeRollout(DEFAULT_ROLLOUT, row?.document ?? {});
  }

  /** Changes the given members. @returns the settings in force */
  async set(change: RolloutSetParams): Promise<RolloutSettings> {
    const next = mergeRollout(await this.get(), change);
    await this.#database.query(
      `INSERT INTO rollout_settings (one, document) VALUES (true, $1)
       ON CONFLICT (one) DO UPDATE SET document = excluded.document`,
      [JSON.stringify(next)],
    );
    for (const listener of this.#listeners) listener();
    return next;
  }
}
