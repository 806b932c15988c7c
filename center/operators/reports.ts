import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

const DAY_MS = 86_400_000;
const MONTH_DAYS = 30;

function dayOf(time_ms: number): string {
  return new Date(time_ms).toISOString().slice(0, 10);
}

/** Pages that were printed between two days, by printer, site, model or a label. */
export const reportsPages = defineMethod(
  'reports.pages',
  'reads',
  async (params, _caller, { reports, now }) => {
    const { by = 'printer', sort = '-pages', counter = 'impressions', label, site, model } = params;
    const today = dayOf(now());
    const to = params.to ?? today;
    const from = params.from ?? dayOf(Date.parse(to) - (MONTH_DAYS - 1) * DAY_MS);
    if (from > to) throw new PlatenError('request/invalid', { reason: '/from is after "to"' });
    if ((by === 'label') !== (label !== undefined)) {
      throw new PlatenError('request/invalid', {
        reason: '/label is the name of the label, with "by": "label" only',
      });
    }
    const query = { from, to, today, by, sort, counter, label, site, model };
    return { data: { from, to, ...(await reports.pages(query, pageOf(params))) } };
  },
);

/** Supplies that are in their printers, those first that end first. */
export const reportsSupplies = defineMethod(
  'reports.supplies',
  'reads',
  async (params, _caller, { reports, now }) => {
    const { sort = 'ends', endsWithinDays, site, kind, color, printer } = params;
    const query = { now_ms: now(), sort, endsWithinDays, site, kind, color, printer };
    return { data: { ...(await reports.supplies(query, pageOf(params))) } };
  },
);
