import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** Troubles, newest first. */
export const troublesList = defineMethod('troubles.list', 'reads', async (params, _caller, { troubles }) => ({
  data: { ...(await troubles.list(params, pageOf(params))) },
}));

/** Closes a trouble by hand, with a note. */
export const troublesClose = defineMethod(
  'troubles.close',
  'changes',
  async ({ id, note }, caller, { troubles }) => ({
    data: { ...(await troubles.close(id, note ?? '', caller.name)) },
  }),
);
