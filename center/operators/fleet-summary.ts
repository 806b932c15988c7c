import { defineMethod } from './method.ts';

/** Printers by presence, verdict and model; open troubles; running campaigns. */
export const fleetSummary = defineMethod('fleet.summary', 'reads', async (_params, _caller, { summary }) => ({
  data: { ...(await summary.current()) },
}));
