import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';

/** Operators' accounts and their roles. */
export const usersList = defineMethod('users.list', 'reads', async (_params, _caller, { accounts }) => ({
  data: { items: await accounts.listUsers() },
}));

/** Time for the reply to reach somebody whose connections end because of it. */
const REPLY_MS = 1_000;

/**
 * Creates an operator's account or changes its role or password. A password that the center made is in the reply and
 * nowhere else; one that was chosen is known to whoever chose it and isn't repeated.
 */
export const usersPut = defineMethod(
  'users.put',
  'changes',
  async ({ name, role, password, newPassword }, caller, { accounts }) => {
    const later = (end: () => void) => void setTimeout(end, REPLY_MS);
    const shown = await accounts.putUser(name, role, {
      password,
      newPassword,
      later: name === caller.name ? later : undefined,
    });
    return {
      data: { name, role, ...(shown === undefined || password !== undefined ? {} : { password: shown }) },
    };
  },
);

/** Removes an operator's account; its connections end at once. */
export const usersRemove = defineMethod('users.remove', 'changes', async ({ name }, caller, { accounts }) => {
  if (name === caller.name)
    throw new PlatenError('request/conflict', { reason: 'Nobody removes the own account' });
  const role = await accounts.roleOf(name);
  if (role === undefined || role === 'printer')
    throw new PlatenError('request/not-found', { kind: 'user', id: name });
  await accounts.revoke(name);
  return { data: { name } };
});
