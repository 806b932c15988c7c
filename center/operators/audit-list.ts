import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** The audit log, newest first. */
export const auditList = defineMethod('audit.list', 'reads', async (params, _caller, { audit }) => ({
  data: { ...(await audit.list(params, pageOf(params))) },
}));
