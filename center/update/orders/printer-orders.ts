/** The orders of one printer, as operators read them, with what it claimed and what it proved. */
import type { OrderStep, PrinterOrder } from '../../../schemas/types.ts';
import { cursorOf, keyOf } from '../../database/page-cursor.ts';
import type { Page, PageRequest } from '../../queries.ts';
import type { UpdateDatabase } from './execution-store.ts';
import type { ExecutionPlan } from './order-plan.ts';
import { type Execution, isEnd, isTouched } from './order-state.ts';

type StepState = PrinterOrder['steps'][number]['state'];

interface Row {
  id: string;
  campaign: string | null;
  trouble: string | null;
  record: Execution;
  plan: ExecutionPlan;
  created_at: Date;
  updated_at: Date;
  ended_at: Date | null;
  exact: string;
  claimed_at: Date | null;
}

/**
 * The progress of one step. A step is claimed when the printer went on to the next one or reported that it was done. Only
 * the end of the whole order proves it.
 */
export function stepState(
  { state, step }: Pick<Execution, 'state' | 'step'>,
  index: number,
  claimed: boolean,
): StepState {
  if (state === 'proven') return 'proven';
  if (claimed || index < step) return 'claimed';
  if (isEnd(state)) return index === step ? 'failed' : 'not-begun';
  return index === step && isTouched(state) ? 'installing' : 'not-begun';
}

function stepOf({ subject, from, to, together }: OrderStep) {
  return {
    subject,
    ...(from === undefined ? {} : { from }),
    to,
    ...(together === undefined ? {} : { together }),
  };
}

function itemOf(row: Row): PrinterOrder {
  const { record, plan } = row;
  const claimed = row.claimed_at !== null;
  const { cause, window, notBefore } = plan;
  return {
    execution: row.id,
    state: record.state,
    attempt: record.attempt,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    ...(row.ended_at ? { endedAt: row.ended_at.toISOString() } : {}),
    deadline: new Date(record.deadlineAt).toISOString(),
    ...(row.campaign === null ? {} : { campaign: row.campaign }),
    ...(row.trouble === null ? {} : { trouble: row.trouble }),
    ...(cause === undefined ? {} : { cause }),
    ...(window === undefined ? {} : { window }),
    ...(notBefore === undefined ? {} : { notBefore: new Date(notBefore).toISOString() }),
    steps: plan.steps.map((step, index) => ({
      ...stepOf(step),
      state: stepState(record, index, claimed),
    })),
    ...(row.claimed_at ? { claimedAt: row.claimed_at.toISOString() } : {}),
    ...(record.state === 'proven' && row.ended_at ? { provenAt: row.ended_at.toISOString() } : {}),
    ...(record.error === undefined ? {} : { error: record.error }),
    ...(record.cancel === undefined ? {} : { cancel: record.cancel }),
    ...(record.suspectedBrick === true ? { suspectedBrick: true } : {}),
  };
}

/** A page of a printer's orders, newest first. */
export async function printerOrders(
  database: Pick<UpdateDatabase, 'query'>,
  printer: string,
  page: PageRequest,
): Promise<Page<PrinterOrder>> {
  const [at = null, id = null] =
    page.cursor === undefined ? [] : keyOf('printer orders', page.cursor, ['time', 'text']);
  const rows = await database.query<Row>(
    `SELECT x.id, x.campaign, x.trouble, x.record, x.plan, x.created_at, x.updated_at, x.ended_at,
            to_char(x.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS exact,
            (SELECT max(r.received) FROM update_reports r
             WHERE r.execution = x.id AND r.printer = x.printer AND r.state = 'claimed') AS claimed_at
     FROM executions x
     WHERE x.printer = $1 AND ($3::timestamptz IS NULL OR x.created_at <= $3 AND (x.created_at, x.id) < ($3, $4))
     ORDER BY x.created_at DESC, x.id DESC LIMIT $2`,
    [printer, page.limit + 1, at, id],
  );
  const items = rows.slice(0, page.limit).map(itemOf);
  const last = rows[page.limit - 1];
  return {
    items,
    ...(rows.length > page.limit && last ? { next: cursorOf('printer orders', [last.exact, last.id]) } : {}),
  };
}
