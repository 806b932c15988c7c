import { PlatenError } from '../../schemas/errors.ts';
import type { TroubleRules } from '../../schemas/types.ts';
import { unknownRuleNames } from './known-names.ts';
import { defineMethod } from './method.ts';

/** Most diagnostics in a reply. */
const DIAGNOSTICS_MAX = 1_000;

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
  async ({ document }, caller, capabilities) => {
    const { revision, diagnostics } = await capabilities.rules.put(document, caller.name);
    const names = unknownRuleNames(document as unknown as TroubleRules, capabilities);
    return { data: { revision, diagnostics: [...diagnostics, ...names].slice(0, DIAGNOSTICS_MAX) } };
  },
  { heavy: true },
);
