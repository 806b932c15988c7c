/** Cancels orders that have not started to install: of a campaign that stops, or of a release that must not go out. */
import { CAMPAIGN_DISPATCH_MAX } from '../limits.ts';
import type { UpdateDatabase } from '../orders/execution-store.ts';
import type { OrderService } from '../orders/order-service.ts';
import { isTouched } from '../orders/order-state.ts';

/** Where orders are read and cancelled. */
export interface WithdrawalSources {
  orders: OrderService;
  database: UpdateDatabase;
}

/**
 * Cancels a campaign's orders. When it resolves, no order is on its way to a printer: it also waits for orders that another
 * request or a look is cancelling.
 */
export async function withdrawCampaign(orders: OrderService, id: string, why: string): Promise<void> {
  for (let after = ''; ; ) {
    const rows = await orders.store.activePage(after, CAMPAIGN_DISPATCH_MAX, id);
    const untouched = rows.filter(({ execution }) => !isTouched(execution.state));
    await Promise.all(
      untouched.map((row) =>
        row.execution.cancel === undefined ? orders.cancel(row.id, why) : orders.published(row.printer),
      ),
    );
    after = rows.at(-1)?.id ?? '';
    if (rows.length < CAMPAIGN_DISPATCH_MAX) return;
  }
}

/**
 * Cancels the orders of these releases, in one campaign or in all.
 * @returns the campaigns concerned, and the number of orders
 */
export async function withdrawReleases(
  { orders, database }: WithdrawalSources,
  releases: readonly string[],
  why: string,
  campaign?: string,
): Promise<{ campaigns: string[]; orders: number }> {
  const out = await database.query<{ execution: string; campaign: string }>(
    `SELECT t.execution, t.campaign FROM campaign_targets t JOIN executions e ON e.id = t.execution
     WHERE t.state = 'dispatched' AND t.releases && $1 AND e.ended_at IS NULL
       AND e.state NOT IN ('installing', 'self-testing', 'claimed')
       AND ($2::text IS NULL OR t.campaign = $2)`,
    [releases, campaign ?? null],
  );
  await Promise.all(out.map(({ execution }) => orders.cancel(execution, why)));
  return { campaigns: [...new Set(out.map(({ campaign }) => campaign))], orders: out.length };
}
