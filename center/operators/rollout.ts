import { PlatenError } from '../../schemas/errors.ts';
import { checkExceptions } from './known-names.ts';
import { defineMethod } from './method.ts';

/** How far updates may go without approval. */
export const rolloutGet = defineMethod('rollout.get', 'reads', async (_params, _caller, { campaigns }) => ({
  data: { ...(await campaigns.rollout.get()) },
}));

/** Changes the given members, and answers the settings in force. */
export const rolloutSet = defineMethod('rollout.set', 'changes', async (params, _caller, capabilities) => {
  const everybody = params.exceptions?.findIndex((each) => Object.keys(each).length === 1) ?? -1;
  if (everybody >= 0) {
    throw new PlatenError('request/invalid', {
      reason: `/exceptions/${everybody} names no printer and no rule, so it would hold for everybody: name idPrefix, model, site, label or rule, or change "corrections"`,
    });
  }
  await checkExceptions(params.exceptions ?? [], capabilities);
  return { data: { ...(await capabilities.campaigns.rollout.set(params)) } };
});
