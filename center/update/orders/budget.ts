/**
 * How often one printer may get the same release. Without a budget, an update that undoes itself (proven, gone after the
 * next restart) would be ordered forever, because every verdict asks for it again. Pure.
 */
import type { OrderStep } from '../../../schemas/types.ts';
import type { Execution } from './order-state.ts';

export interface Budget {
  /** Orders that installed a release, with any outcome; per printer and release. */
  installations: number;
  /** Downloads of a release; per printer and release. */
  downloads: number;
  /** Orders for a release that ended without being cancelled; per printer and release. */
  orders: number;
  /** Installed steps, each of which restarts the printer; per printer. */
  restarts: number;
  /** How far back orders count, in ms. */
  withinMs: number;
}

const DAY_MS = 24 * 3_600_000;

/** The budget as people set it. */
export interface BudgetSettings extends Omit<Budget, 'withinMs'> {
  /** How far back orders count. */
  days: number;
}

export const DEFAULT_BUDGET_SETTINGS: BudgetSettings = {
  installations: 3,
  downloads: 10,
  orders: 30,
  restarts: 30,
  days: 30,
};

export function budgetOf({ days, ...counts }: BudgetSettings): Budget {
  return { ...counts, withinMs: days * DAY_MS };
}

export const DEFAULT_BUDGET: Budget = budgetOf(DEFAULT_BUDGET_SETTINGS);

type Step = Pick<OrderStep, 'subject' | 'from' | 'to'>;

/** An earlier order of the printer. */
export interface PastOrder {
  /** Creation, ms since the epoch. */
  at: number;
  execution: Pick<Execution, 'state' | 'step' | 'installs' | 'downloads' | 'endedAt' | 'suspectedBrick'>;
  steps: readonly Step[];
}

/** Why a printer gets no further order for a release; empty software: no order at all. */
export interface Spent {
  software: string;
  release: string;
  what: 'installations' | 'downloads' | 'orders' | 'restarts';
  /** In words, for people. */
  reason: string;
}

/** End states in which the printer was changed, even if it never reported `installing`. */
const CHANGED = new Set<Execution['state']>(['proven', 'partial', 'rolled-back']);

/** The software a step installs, or the unit it switches. */
export function softwareOf({ subject }: Pick<Step, 'subject'>): string {
  return subject.slice(subject.indexOf(':') + 1);
}

/** How many steps of an order started to install. */
function installsOf({ execution }: PastOrder): number {
  const least = CHANGED.has(execution.state) || execution.suspectedBrick === true ? 1 : 0;
  return Math.max(execution.installs ?? 0, least);
}

/** The steps an order reached. One that failed at its first step says nothing about its second. */
function reached({ execution, steps }: PastOrder): readonly Step[] {
  return execution.state === 'proven' ? steps : steps.slice(0, execution.step + 1);
}

function concerns(order: PastOrder, software: string, release: string): boolean {
  return reached(order).some((step) => step.to === release && softwareOf(step) === software);
}

/** A time of day, with the date unless it is today. */
function moment(at: number, now: number): string {
  const text = new Date(at).toISOString();
  const today = new Date(now).toISOString().slice(0, 10);
  return text.startsWith(today) ? text.slice(11, 16) : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
}

function times(count: number): string {
  if (count === 1) return '';
  return count === 2 ? ', twice' : `, ${count} times`;
}

function often(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function days(ms: number): string {
  const count = Math.round(ms / DAY_MS);
  if (count === 1) return 'a day';
  return count > 1 ? `${count} days` : `${Math.round(ms / 60_000)} minutes`;
}

/**
 * The outcomes in words: "proven at 10:02, back at 1.0 at 10:31, twice". Equal outcomes appear once, with the times of
 * the first.
 * @param next the first step wanted now: it shows what the printer runs after the last order
 */
function historyOf(orders: readonly PastOrder[], next: Step, now: number): string {
  const told = new Map<string, { text: string; count: number }>();
  for (const [index, order] of orders.entries()) {
    const { state, endedAt = order.at } = order.execution;
    const after = orders[index + 1];
    const then = after ? after.steps.find(({ subject }) => subject === next.subject) : next;
    const back = state === 'proven' && then?.from !== undefined ? then.from : undefined;
    const key = `${state} ${back ?? ''}`;
    const known = told.get(key);
    if (known) known.count += 1;
    else {
      const where = back === undefined ? '' : `, back at ${back} at ${moment(after?.at ?? now, now)}`;
      told.set(key, { text: `${state} at ${moment(endedAt, now)}${where}`, count: 1 });
    }
  }
  return [...told.values()].map(({ text, count }) => `${text}${times(count)}`).join('; ');
}

/**
 * The budget that an order with these steps would exceed, if any.
 * @param past its orders, oldest first
 */
export function spentBudget(
  steps: readonly Step[],
  past: readonly PastOrder[],
  now: number,
  budget: Budget,
): Spent | undefined {
  const recent = past.filter(({ at }) => at > now - budget.withinMs);
  const within = days(budget.withinMs);
  const restarts = recent.reduce((sum, order) => sum + installsOf(order), 0);
  if (restarts >= budget.restarts) {
    const reason = `Orders restarted it ${often(restarts)} in ${within}`;
    return { software: '', release: '', what: 'restarts', reason };
  }
  // When the order passes several versions, the last one is what was asked for.
  for (const step of [...steps].reverse()) {
    const software = softwareOf(step);
    const release = step.to;
    const name = `${software} ${release}`;
    const first = steps.find(({ subject }) => subject === step.subject) ?? step;
    const mine = recent.filter((order) => concerns(order, software, release));
    const installed = mine.filter((order) => installsOf(order) > 0);
    if (installed.length >= budget.installations) {
      const reason = `${name} was installed ${often(installed.length)} in ${within}: ${historyOf(installed, first, now)}`;
      return { software, release, what: 'installations', reason };
    }
    const downloads = mine.reduce((sum, { execution }) => sum + (execution.downloads ?? 0), 0);
    if (downloads >= budget.downloads) {
      const reason = `${name} was downloaded ${often(downloads)} in ${within}: ${historyOf(mine, first, now)}`;
      return { software, release, what: 'downloads', reason };
    }
    const ended = mine.filter(({ execution }) => execution.state !== 'cancelled');
    if (ended.length >= budget.orders) {
      const reason = `${name} was ordered ${often(ended.length)} in ${within}: ${historyOf(ended, first, now)}`;
      return { software, release, what: 'orders', reason };
    }
  }
  return undefined;
}
