import { cursorOf, keyOf } from '../database/page-cursor.ts';
import { checkCount } from '../update/campaigns/expected-count.ts';
import { checkTimes } from '../update/campaigns/request-times.ts';
import { campaignRequest } from './campaign-request.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** Previews, creates, lists and controls campaigns. */
export const campaignsPreview = defineMethod(
  'campaigns.preview',
  'reads',
  async (params, { signal }, capabilities) => {
    const { request, warnings } = await campaignRequest(params, capabilities);
    warnings.push(...checkTimes(request.options, capabilities.now()));
    const preview = await capabilities.campaigns.preview(request, signal);
    checkCount(request, preview.targets);
    return { data: { ...preview, ...(warnings.length > 0 ? { warnings } : {}) } };
  },
  { heavy: true },
);

export const campaignsCreate = defineMethod(
  'campaigns.create',
  'changes',
  async (params, caller, capabilities) => {
    const { request, warnings } = await campaignRequest(params, capabilities);
    warnings.push(...checkTimes(request.options, capabilities.now()));
    const campaign = await capabilities.campaigns.create(request, caller.name);
    return { status: 'accepted', data: { ...campaign, ...(warnings.length > 0 ? { warnings } : {}) } };
  },
);

export const campaignsPause = defineMethod(
  'campaigns.pause',
  'changes',
  async ({ id }, caller, capabilities) => ({
    data: { ...(await capabilities.campaigns.pause(id, caller.name)) },
  }),
);

export const campaignsResume = defineMethod(
  'campaigns.resume',
  'changes',
  async ({ id, retry, reason }, caller, capabilities) => ({
    status: 'accepted',
    data: { ...(await capabilities.campaigns.resume(id, caller.name, { retry, reason })) },
  }),
);

export const campaignsAbort = defineMethod(
  'campaigns.abort',
  'changes',
  async ({ id }, caller, capabilities) => ({
    status: 'accepted',
    data: { ...(await capabilities.campaigns.abort(id, caller.name)) },
  }),
);

/** One campaign, with a page of its printers and the outcome of each. */
export const campaignsGet = defineMethod('campaigns.get', 'reads', async (params, _caller, capabilities) => {
  const { limit, cursor } = pageOf(params);
  const [after] = cursor === undefined ? [] : keyOf('campaign printers', cursor, ['text']);
  const campaign = await capabilities.campaigns.get(params.id);
  const found = await capabilities.campaigns.printers(params.id, limit + 1, after);
  const printers = found.slice(0, limit);
  const last = printers.at(-1)?.['printer'];
  const more = found.length > limit && typeof last === 'string';
  return {
    data: { ...campaign, printers, ...(more ? { next: cursorOf('campaign printers', [last]) } : {}) },
  };
});

export const campaignsList = defineMethod(
  'campaigns.list',
  'reads',
  async (params, _caller, capabilities) => ({
    data: { ...(await capabilities.campaigns.list(params, pageOf(params))) },
  }),
);
