/**
 * Whether a printer may get an order at all. Checked where orders are created, and by previews. A printer that left the
 * fleet, whose device is unreachable, or that was set aside gets none. A printer that has spent its budget is set aside
 * here.
 */
import { textArray } from '../../database/sql-arrays.ts';
import { type Budget, type PastOrder, type Spent, softwareOf, spentBudget } from './budget.ts';
import type { ExecutionPlan } from './order-plan.ts';

export type Absence = 'revoked' | 'retired' | 'unreachable';

export interface Refusal {
  why: Absence | 'set-aside';
  reason: string;
}

/** A release that a printer is set aside for; empty software and release: every order. */
export interface SetAside {
  printer: string;
  software: string;
  release: string;
  reason: string;
  /** RFC 3339. */
  at: string;
}

type Ask = <R extends object>(text: string, values?: unknown[]) => Promise<R[]>;

/** The columns of a printer's row that decide whether it takes part. */
export interface AttendanceRow {
  standing: 'active' | 'retired' | 'revoked' | null;
  standing_reason: string | null;
  device: 'reachable' | 'unreachable' | null;
  device_at: Date | null;
}

interface Row extends AttendanceRow {
  printer: string;
  aside: { software: string; release: string; reason: string }[] | null;
  past: { at: number; execution: PastOrder['execution']; steps: PastOrder['steps'] }[] | null;
}

/** An order that somebody wants for a printer. */
export interface Wish {
  printer: string;
  plan: Pick<ExecutionPlan, 'steps'>;
}

/** Why a printer gets no order of any kind. */
export function absenceOf(row: AttendanceRow): Refusal | undefined {
  const because = row.standing_reason === null ? '' : `: ${row.standing_reason}`;
  if (row.standing === 'revoked') return { why: 'revoked', reason: `its credentials were revoked${because}` };
  if (row.standing === 'retired') return { why: 'retired', reason: `it was retired${because}` };
  if (row.device !== 'unreachable') return undefined;
  const since = row.device_at === null ? '' : ` since ${row.device_at.toISOString()}`;
  return { why: 'unreachable', reason: `its agent has not reached the device${since}` };
}

function asideOf(row: Row, steps: Wish['plan']['steps']): Refusal | undefined {
  const hit = (row.aside ?? []).find(
    ({ software, release }) =>
      software === '' || steps.some((step) => step.to === release && softwareOf(step) === software),
  );
  return hit && { why: 'set-aside', reason: hit.reason };
}

export class Admission {
  /** Called when printers were set aside, possibly before that transaction commits. */
  onSetAside: () => void = () => undefined;
  readonly #ask: Ask;
  readonly #budget: () => Promise<Budget>;

  /**
   * @param ask runs a query outside any transaction
   * @param budget the budget in force
   */
  constructor(ask: Ask, budget: () => Promise<Budget>) {
    this.#ask = ask;
    this.#budget = budget;
  }

  /**
   * Which of these printers get no order, and why. Changes nothing.
   * @param now ms since the epoch
   */
  async refusals(wishes: readonly Wish[], now: number, ask: Ask = this.#ask): Promise<Map<string, Refusal>> {
    return (await this.#look(wishes, now, ask)).refused;
  }

  /** Like `refusals`, and sets printers aside that have spent a budget, in the caller's transaction. */
  async admit(wishes: readonly Wish[], now: number, ask: Ask = this.#ask): Promise<Map<string, Refusal>> {
    const { refused, spent } = await this.#look(wishes, now, ask);
    if (spent.size > 0) {
      const list = [...spent];
      await ask(
        `INSERT INTO set_aside (printer, software, release, spent, reason, at)
         SELECT n.*, $6 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS n
         ON CONFLICT DO NOTHING`,
        [
          list.map(([printer]) => printer),
          list.map(([, { software }]) => software),
          list.map(([, { release }]) => release),
          list.map(([, { what }]) => what),
          list.map(([, { reason }]) => reason),
          new Date(now),
        ],
      );
      this.onSetAside();
    }
    return refused;
  }

  async #look(
    wishes: readonly Wish[],
    now: number,
    ask: Ask,
  ): Promise<{ refused: Map<string, Refusal>; spent: Map<string, Spent> }> {
    const refused = new Map<string, Refusal>();
    const spent = new Map<string, Spent>();
    if (wishes.length === 0) return { refused, spent };
    const budget = await this.#budget();
    const rows = await ask<Row>(
      `SELECT g.id AS printer, p.standing, p.standing_reason, p.device, p.device_at,
         (SELECT json_agg(json_build_object('software', a.software, 'release', a.release, 'reason', a.reason))
          FROM set_aside a WHERE a.printer = g.id) AS aside,
         (SELECT json_agg(json_build_object('at', extract(epoch FROM e.created_at) * 1000, 'execution', e.record,
                                            'steps', e.plan->'steps') ORDER BY e.created_at)
          FROM executions e LEFT JOIN budget_starts b ON b.printer = e.printer
          WHERE e.printer = g.id AND e.ended_at IS NOT NULL AND e.created_at > $2
            AND (b.since IS NULL OR e.created_at >= b.since)) AS past
       FROM unnest($1::text[]) AS g (id) LEFT JOIN printers p ON p.id = g.id`,
      [textArray(wishes.map(({ printer }) => printer)), new Date(now - budget.withinMs)],
    );
    const byPrinter = new Map(rows.map((row) => [row.printer, row]));
    for (const { printer, plan } of wishes) {
      const row = byPrinter.get(printer);
      if (!row) continue;
      const known = absenceOf(row) ?? asideOf(row, plan.steps);
      if (known) {
        refused.set(printer, known);
        continue;
      }
      const over = spentBudget(plan.steps, row.past ?? [], now, budget);
      if (!over) continue;
      spent.set(printer, over);
      refused.set(printer, { why: 'set-aside', reason: over.reason });
    }
    return { refused, spent };
  }

  /** Set-asides that no trouble announces yet. */
  async untold(limit: number): Promise<SetAside[]> {
    return (await this.#list('trouble IS NULL ORDER BY printer, software LIMIT $1', [limit])).map(
      ({ trouble: _trouble, ...rest }) => rest,
    );
  }

  /** Records the trouble that announces a set-aside. */
  async told({ printer, software, release }: SetAside, trouble: string): Promise<void> {
    await this.#ask(
      'UPDATE set_aside SET trouble = $4 WHERE printer = $1 AND software = $2 AND release = $3',
      [printer, software, release, trouble],
    );
  }

  /** What a printer is set aside for, with the trouble that announces it. */
  of(printer: string): Promise<(SetAside & { trouble: string | null })[]> {
    return this.#list('printer = $1 ORDER BY at, software, release', [printer]);
  }

  async #list(where: string, values: unknown[]): Promise<(SetAside & { trouble: string | null })[]> {
    const rows = await this.#ask<{
      printer: string;
      software: string;
      release: string;
      reason: string;
      at: Date;
      trouble: string | null;
    }>(`SELECT printer, software, release, reason, at, trouble FROM set_aside WHERE ${where}`, values);
    return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
  }

  /**
   * Readmits a printer: its earlier orders no longer count towards its budgets.
   * @returns what it was set aside for
   */
  async lift(printer: string, now: number): Promise<(SetAside & { trouble: string | null })[]> {
    const lifted = await this.of(printer);
    if (lifted.length === 0) return lifted;
    await this.#ask(
      `WITH gone AS (DELETE FROM set_aside WHERE printer = $1)
       INSERT INTO budget_starts (printer, since) VALUES ($1, $2)
       ON CONFLICT (printer) DO UPDATE SET since = excluded.since`,
      [printer, new Date(now)],
    );
    return lifted;
  }
}
