import { PlatenError } from '../../schemas/errors.ts';
import { conditionsOf } from './addressees.ts';
import { checkRule } from './known-names.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** Troubles, newest first; or how many there are by rule and site. */
export const troublesList = defineMethod('troubles.list', 'reads', async (params, _caller, services) => {
  if (params.rule !== undefined) await checkRule(params.rule, services);
  const { groupBy, filter, where, ...rest } = params;
  const wanted = { ...rest, printers: await conditionsOf({ filter, where }, services) };
  if (groupBy !== undefined) {
    return { data: { items: [], ...(await services.troubles.groups(wanted, groupBy, pageOf(params))) } };
  }
  return { data: { ...(await services.troubles.list(wanted, pageOf(params))) } };
});

/** Closes a trouble by hand, with a note. */
export const troublesClose = defineMethod(
  'troubles.close',
  'changes',
  async ({ id, note }, caller, { troubles, attendance }) => {
    const { printer } = (await troubles.get(id)) ?? {};
    if (printer !== undefined && (await attendance.setAside(printer)).some((each) => each.trouble === id)) {
      throw new PlatenError('request/set-aside', { id, printer });
    }
    return { data: { ...(await troubles.close(id, note ?? '', caller.name)) } };
  },
);
