/** Campaigns by printer: the state of each, the printers left out, the guard's evidence, and retries. */
import { PlatenError } from '../../schemas/errors.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { campaignRequest } from './campaign-request.ts';
import { checkPrinters } from './known-names.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

export const campaignsTargets = defineMethod(
  'campaigns.targets',
  'reads',
  async (params, _caller, { campaigns }) => ({
    data: { ...(await campaigns.questions.targets(params.id, params.state, pageOf(params))) },
  }),
);

/** For an existing campaign (`id`), or for a planned one. */
export const campaignsExcluded = defineMethod(
  'campaigns.excluded',
  'reads',
  async ({ id, reason, limit, cursor, ...wanted }, _caller, capabilities) => {
    const { questions } = capabilities.campaigns;
    const page = pageOf({
      ...(limit === undefined ? {} : { limit }),
      ...(cursor === undefined ? {} : { cursor }),
    });
    if (id === undefined) {
      const { request, warnings } = await campaignRequest(wanted, capabilities);
      const found = await questions.wouldLeaveOut(request, reason, page);
      return { data: { ...found, ...(warnings.length > 0 ? { warnings } : {}) } };
    }
    const [other] = Object.keys(wanted);
    if (other !== undefined) {
      throw new PlatenError('request/invalid', {
        reason: `/ names a campaign by "id": "${other}" says another`,
      });
    }
    return { data: { ...(await questions.leftOut(id, reason, page)) } };
  },
  { heavy: true },
);

/** The guard's evidence, outcome by outcome. */
export const campaignsSeries = defineMethod(
  'campaigns.series',
  'reads',
  async (params, _caller, { campaigns }) => ({
    data: { ...(await campaigns.questions.series(params.id, pageOf(params))) },
  }),
  { heavy: true },
);

/** Retries printers that failed. */
export const campaignsRetry = defineMethod(
  'campaigns.retry',
  'changes',
  async ({ id, printers }, caller, capabilities) => {
    await checkPrinters(printers ?? [], capabilities);
    const tried = await capabilities.campaigns.retry(id, caller.name, printers);
    const { state } = await capabilities.campaigns.get(id);
    return {
      status: 'accepted',
      data: { id, state, retried: tried.length, printers: tried.sort().slice(0, CENTER_LIMITS.page_max) },
    };
  },
);
