import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** Campaigns: what one would do, and doing it. */
export const campaignsPreview = defineMethod(
  'campaigns.preview',
  'reads',
  async (params, _caller, services) => ({
    data: { ...(await services.campaigns.preview(params)) },
  }),
);

export const campaignsCreate = defineMethod(
  'campaigns.create',
  'changes',
  async (params, caller, services) => ({
    status: 'accepted',
    data: { ...(await services.campaigns.create(params, caller.name)) },
  }),
);

export const campaignsPause = defineMethod(
  'campaigns.pause',
  'changes',
  async ({ id }, caller, services) => ({
    data: { ...(await services.campaigns.pause(id, caller.name)) },
  }),
);

export const campaignsResume = defineMethod(
  'campaigns.resume',
  'changes',
  async ({ id, retry, reason }, caller, services) => ({
    status: 'accepted',
    data: { ...(await services.campaigns.resume(id, caller.name, { retry, reason })) },
  }),
);

export const campaignsAbort = defineMethod(
  'campaigns.abort',
  'changes',
  async ({ id }, caller, services) => ({
    status: 'accepted',
    data: { ...(await services.campaigns.abort(id, caller.name)) },
  }),
);

/** One campaign, with a page of its printers and what became of each. */
export const campaignsGet = defineMethod('campaigns.get', 'reads', async (params, _caller, services) => {
  const { limit, cursor } = pageOf(params);
  const [campaign, printers] = [
    await services.campaigns.get(params.id),
    await services.campaigns.printers(params.id, limit, cursor),
  ];
  const last = printers.at(-1)?.['printer'];
  return { data: { ...campaign, printers, ...(printers.length === limit ? { next: last } : {}) } };
});

export const campaignsList = defineMethod('campaigns.list', 'reads', async (params, _caller, services) => ({
  data: { ...(await services.campaigns.list(params, pageOf(params))) },
}));
