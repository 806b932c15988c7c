/** Takes back orders that have not begun to install: of a campaign that stops, and of releases that must not go out. */
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
 * Takes back a campaign's orders. When it resolves, nothing of them is on its way to a printer any more: what another
 * request or a look is taking back at this moment is waited for too.
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
 * Takes releases back, whatever campaign they went out with.
 * @returns the campaigns concerned, and how many orders were asked back
 */
export async function withdrawReleases(
  { orders, database }: WithdrawalSources,
  releases: readonly string[],
  why: string,
): Promise<{ campaigns: string[]; orders: number }> {
  const out = await database.query<{ execution: string; campaign: string }>(
    `SELECT t.execution, t.campaign FROM campaign_targets t JOIN executions e ON e.id = t.execution
     WHERE t.state = 'dispatched' AND t.releases && $1 AND e.ended_at IS NULL
       AND e.state NOT IN ('installing', 'self-testing', 'claimed')`,
    [releases],
  );
  await Promise.all(out.map(({ execution }) => orders.cancel(execution, why)));
  return { campaigns: [...new Set(out.map(({ campaign }) => campaign))], orders: out.length };
}
