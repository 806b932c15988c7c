import { durationMs } from '../../schemas/duration.ts';
import { PlatenError } from '../../schemas/errors.ts';
import { timeMs } from '../../schemas/where.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { conditionsOf } from './addressees.ts';
import { checkRule } from './known-names.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** Troubles, newest first; or their numbers by rule and site. */
export const troublesList = defineMethod('troubles.list', 'reads', async (params, _caller, capabilities) => {
  if (params.rule !== undefined) await checkRule(params.rule, capabilities);
  const { groupBy, filter, where, ...rest } = params;
  const wanted = { ...rest, printers: await conditionsOf({ filter, where }, capabilities) };
  if (groupBy !== undefined) {
    return { data: { items: [], ...(await capabilities.troubles.groups(wanted, groupBy, pageOf(params))) } };
  }
  return { data: { ...(await capabilities.troubles.list(wanted, pageOf(params))) } };
});

/** Closes a trouble by hand, with a note. */
export const troublesClose = defineMethod(
  'troubles.close',
  'changes',
  async ({ id, note }, caller, { troubles, attendance }) => {
    const { printer } = (await troubles.get(id)) ?? {};
    if (printer !== undefined && (await attendance.setAside(printer)).some((each) => each.trouble === id)) {
      throw new PlatenError('request/set-aside', { id, printer });
    }
    return { data: { ...(await troubles.close(id, note ?? '', caller.name)) } };
  },
);

/** Acknowledges an open trouble. */
export const troublesAck = defineMethod(
  'troubles.ack',
  'changes',
  async ({ id, reason, undo }, { name: by }, { troubles: { handling } }) => {
    const how = { by, reason };
    return { data: { ...(await (undo ? handling.unacknowledge(id, how) : handling.acknowledge(id, how))) } };
  },
);

/** Sets or clears the owner of an open trouble. */
export const troublesAssign = defineMethod(
  'troubles.assign',
  'changes',
  async ({ id, owner, reason, undo }, { name: by }, { troubles, accounts }) => {
    checkEither('owner', owner, undo);
    if (owner !== undefined) {
      const role = await accounts.roleOf(owner);
      if (role === undefined || role === 'printer') {
        throw new PlatenError('request/unknown-user', { id: owner });
      }
    }
    return { data: { ...(await troubles.handling.assign(id, owner, { by, reason })) } };
  },
);

/** Snoozes an open trouble until a time. */
export const troublesSnooze = defineMethod(
  'troubles.snooze',
  'changes',
  async ({ id, until, reason, undo }, { name: by }, { troubles: { handling }, now }) => {
    checkEither('until', until, undo);
    const how = { by, reason };
    const trouble =
      until === undefined
        ? await handling.wake(id, how)
        : await handling.snooze(id, snoozeEnd(until, now()), how);
    return { data: { ...trouble } };
  },
);

/** @throws PlatenError request/invalid unless exactly one of them is given */
function checkEither(name: string, value: string | undefined, undo: true | undefined): void {
  if ((value === undefined) === (undo === undefined)) {
    throw new PlatenError('request/invalid', { reason: `Give "${name}" or "undo": true` });
  }
}

/** @throws PlatenError request/invalid for an invalid time, one in the past, or one too far ahead */
function snoozeEnd(until: string, now_ms: number): Date {
  const lasts_ms = durationMs(until);
  const end_ms = lasts_ms === undefined ? timeMs(until) : now_ms + lasts_ms;
  const wrong = (what: string) =>
    new PlatenError('request/invalid', { reason: `"until" ${what}, not "${until}"` });
  if (end_ms === undefined) throw wrong('is a time as 2026-11-30T07:00:00Z or a duration as PT4H');
  if (end_ms <= now_ms) throw wrong('is a time to come');
  if (end_ms > now_ms + CENTER_LIMITS.snooze_ms_max) throw wrong('is at most a year from now');
  return new Date(end_ms);
}
