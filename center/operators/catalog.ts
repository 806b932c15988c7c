import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';

/** The catalog in force, or an older revision. */
export const catalogGet = defineMethod('catalog.get', 'reads', async (params, _caller, { catalog }) => {
  const found = await catalog.get(params.catalog);
  if (!found)
    throw new PlatenError('request/not-found', {
      kind: 'catalog revision',
      id: params.catalog ?? 'current',
    });
  return { data: { ...found } };
});

/** Activates a new revision; the fleet is judged again in the background. */
export const catalogPut = defineMethod(
  'catalog.put',
  'changes',
  async ({ document, expect }, caller, { catalog }) => ({
    status: 'accepted',
    data: { ...(await catalog.put(document, caller.name, expect)) },
  }),
  { heavy: true },
);

/** What a catalog would change in the fleet, as counts and examples; nothing is stored. */
export const catalogImpact = defineMethod(
  'catalog.impact',
  'reads',
  async (params, { signal }, { catalog }) => ({
    data: { ...(await catalog.impact(params.document, signal)) },
  }),
  { heavy: true },
);
