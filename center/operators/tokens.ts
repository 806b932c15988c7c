import { durationMs } from '../../schemas/duration.ts';
import { PlatenError } from '../../schemas/errors.ts';
import { ROLES } from '../../schemas/roles.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** The lifetime of a token in milliseconds. @throws PlatenError request/invalid */
function lastsMs(expires: string | undefined): number {
  const lasts_ms = expires === undefined ? CENTER_LIMITS.token_ms_default : durationMs(expires);
  if (lasts_ms === undefined || lasts_ms <= 0 || lasts_ms > CENTER_LIMITS.token_ms_max) {
    throw new PlatenError('request/invalid', {
      reason: '/expires is an ISO 8601 duration of at most 366 days, such as P90D',
    });
  }
  return lasts_ms;
}

/** Creates an API token, which is only in the reply. */
export const tokensCreate = defineMethod(
  'tokens.create',
  'changes',
  async ({ name, role, expires }, caller, { tokens }) => {
    if (caller.token !== undefined) throw new PlatenError('token/by-token');
    const wanted = role ?? 'viewer';
    if (ROLES.indexOf(wanted) > ROLES.indexOf(caller.role)) {
      throw new PlatenError('token/own-role', { role: caller.role });
    }
    const made = await tokens.create(caller.name, { name, role: wanted, lasts_ms: lastsMs(expires) });
    return { data: { ...made } };
  },
);

/** The caller's own tokens, newest first; an administrator sees everybody's. */
export const tokensList = defineMethod('tokens.list', 'reads', async (params, caller, { tokens }) => ({
  data: { ...(await tokens.list(caller.role === 'admin' ? undefined : caller.name, pageOf(params))) },
}));

/** Revokes a token immediately: the caller's own, or for an administrator anybody's. */
export const tokensRevoke = defineMethod('tokens.revoke', 'changes', async ({ id }, caller, { tokens }) => {
  await tokens.revoke(id, caller.role === 'admin' ? undefined : caller.name);
  return { data: { id } };
});
