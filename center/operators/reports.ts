import { PlatenError } from '../../schemas/errors.ts';
import { dateOfDay, dayOfDate, localDay } from '../readings/local-day.ts';
import { conditionsOf } from './addressees.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

const MONTH_DAYS = 30;
/** The time zone in which each date begins first. */
const FIRST_ZONE = 'Pacific/Kiritimati';

/** Pages printed between two days, by printer, site, model or a label. */
export const reportsPages = defineMethod('reports.pages', 'reads', async (params, _caller, capabilities) => {
  const { reports, now } = capabilities;
  const { by = 'printer', sort = '-pages', counter = 'impressions', label, site, model } = params;
  const to = params.to ?? dateOfDay(localDay(now(), FIRST_ZONE));
  const from = params.from ?? dateOfDay(dayOfDate(to) - (MONTH_DAYS - 1));
  if (from > to) throw new PlatenError('request/invalid', { reason: '/from is after "to"' });
  if ((by === 'label') !== (label !== undefined)) {
    throw new PlatenError('request/invalid', {
      reason: '/label is the name of the label, with "by": "label" only',
    });
  }
  const printers = await conditionsOf(params, capabilities);
  const query = { printers, from, to, now_ms: now(), by, sort, counter, label, site, model };
  return { data: { from, to, ...(await reports.pages(query, pageOf(params))) } };
});

/** Installed versions, their age, and how far each may be upgraded. */
export const reportsFirmware = defineMethod(
  'reports.firmware',
  'reads',
  async (params, _caller, capabilities) => {
    const { reports, catalog } = capabilities;
    const printers = await conditionsOf(params, capabilities);
    const { by = 'software', sort = '-printers', software, model, site } = params;
    const ageOf = (id: string, version: string) => catalog.firmwareAge(id, version);
    return {
      data: {
        ...(await reports.firmware({ printers, by, sort, software, model, site }, pageOf(params), ageOf)),
      },
    };
  },
);

/** Installed supplies; those that run out first come first. */
export const reportsSupplies = defineMethod(
  'reports.supplies',
  'reads',
  async (params, _caller, capabilities) => {
    const { reports, now } = capabilities;
    const printers = await conditionsOf(params, capabilities);
    const { sort = 'ends', endsWithinDays, site, kind, color, printer } = params;
    const query = { printers, now_ms: now(), sort, endsWithinDays, site, kind, color, printer };
    return { data: { ...(await reports.supplies(query, pageOf(params))) } };
  },
);
