import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';

/** Operators' accounts and their roles. */
export const usersList = defineMethod('users.list', 'reads', async (_params, _caller, { accounts }) => ({
  data: { items: await accounts.listUsers() },
}));

/** Delay before connections end, so that the reply still reaches a caller whose own connection ends. */
const REPLY_MS = 1_000;

/**
 * Creates an operator's account, or changes its role or password. A generated password is only in the reply; a chosen
 * one is not repeated.
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

/** Removes an operator's account; its connections end immediately. */
export const usersRemove = defineMethod('users.remove', 'changes', async ({ name }, caller, { accounts }) => {
  if (name === caller.name)
    throw new PlatenError('request/conflict', { reason: 'Nobody removes the own account' });
  const role = await accounts.roleOf(name);
  if (role === undefined || role === 'printer')
    throw new PlatenError('request/not-found', { kind: 'user', id: name });
  await accounts.revoke(name);
  return { data: { name } };
});
