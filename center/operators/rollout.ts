import { defineMethod } from './method.ts';

/** How far things may go by themselves. */
export const rolloutGet = defineMethod('rollout.get', 'reads', async (_params, _caller, { campaigns }) => ({
  data: { ...(await campaigns.rollout.get()) },
}));

/** Changes the members that are given; answers what holds now. */
export const rolloutSet = defineMethod('rollout.set', 'changes', async (params, _caller, { campaigns }) => ({
  data: { ...(await campaigns.rollout.set(params)) },
}));
