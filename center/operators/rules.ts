import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';

/** The trouble rules in force, or an older revision. */
export const rulesGet = defineMethod('rules.get', 'reads', async (params, _caller, { rules }) => {
  const found = await rules.get(params.rules);
  if (!found)
    throw new PlatenError('request/not-found', { kind: 'rules revision', id: params.rules ?? 'current' });
  return { data: { ...found } };
});

/** Activates new rules. */
export const rulesPut = defineMethod(
  'rules.put',
  'changes',
  async ({ document }, caller, { rules }) => ({
    data: { ...(await rules.put(document, caller.name)) },
  }),
  { heavy: true },
);
