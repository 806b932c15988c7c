/** `platen users`, `platen tokens`, `platen audit`: who may do what, and who did. */
import { Command } from 'commander';
import type { Row } from '../remote/door.ts';
import { asking } from '../remote/run.ts';
import type { Column } from '../show/columns.ts';
import { addConfirmOptions, type ConfirmFlags, confirmed } from '../show/confirm.ts';
import {
  addListOptions,
  addOutputOptions,
  type ListFlags,
  type OutputFlags,
  printList,
  rowsMax,
} from '../show/output.ts';
import { isoLength } from '../show/typed-time.ts';
import { print, printJson, warn } from '../terminal.ts';

const USERS: readonly Column[] = [
  { name: 'name', usual: true },
  { name: 'role', usual: true, kind: 'state' },
];
const TOKENS: readonly Column[] = [
  { name: 'id', usual: true, kind: 'state' },
  { name: 'name', usual: true },
  { name: 'owner', usual: true },
  { name: 'role', usual: true, kind: 'state' },
  { name: 'expires', usual: true, kind: 'time' },
  { name: 'lastUsed', usual: true, kind: 'time' },
  { name: 'created', kind: 'time' },
  { name: 'revoked', kind: 'time' },
];
const AUDIT: readonly Column[] = [
  { name: 'at', usual: true, kind: 'time' },
  { name: 'actor', usual: true },
  { name: 'method', usual: true },
  { name: 'outcome', usual: true, kind: 'state' },
  { name: 'params', usual: true, narrowest: 12, read: ({ params }) => JSON.stringify(params ?? {}) },
  { name: 'role', kind: 'state' },
  { name: 'id', kind: 'number' },
];

export function users(): Command {
  const command = new Command('users').description('people, and their roles');
  const list = addListOptions(new Command('list').description('list people'), USERS);
  command.addCommand(
    asking<ListFlags>(list, async (door, { flags }) => {
      await printList(USERS, door.whole('users.list'), flags, 'There is nobody.');
    }),
  );
  const put = addOutputOptions(
    new Command('put')
      .description('add somebody with a new password, which is shown once; or give somebody another role')
      .argument('<name>')
      .requiredOption('--role <role>', 'viewer, operator or admin')
      .option('--new-password', 'a new password for somebody who is there already'),
  );
  command.addCommand(
    asking<OutputFlags & { role: string; newPassword?: boolean }>(
      put,
      async (door, { args: [name = ''], flags }) => {
        const done = await door.call('users.put', {
          name,
          role: flags.role,
          ...(flags.newPassword ? { newPassword: true } : {}),
        });
        if (flags.json) return printJson(done);
        warn(`${name} is ${flags.role}.`);
        if (typeof done['password'] === 'string') {
          warn('The password is shown this once:');
          print(done['password']);
        }
      },
    ),
  );
  const remove = addOutputOptions(
    new Command('remove').description('end what somebody may do, at once').argument('<name>'),
  );
  addConfirmOptions(remove, 'change nothing');
  command.addCommand(
    asking<ConfirmFlags & OutputFlags>(remove, async (door, { args: [name = ''], flags }) => {
      if (!(await confirmed(`Sessions, tokens and connections of ${name} end at once.`, flags))) return;
      const done = await door.call('users.remove', { name });
      if (flags.json) printJson(done);
      else warn(`${name} is removed.`);
    }),
  );
  return command;
}

export function tokens(): Command {
  const command = new Command('tokens').description('tokens for programs');
  const list = addListOptions(
    new Command('list').description('list tokens; their secrets are never shown again'),
    TOKENS,
  );
  command.addCommand(
    asking<ListFlags>(list, async (door, { flags }) => {
      await printList(TOKENS, door.pages('tokens.list', {}, rowsMax(flags)), flags, 'There are no tokens.');
    }),
  );
  const create = addOutputOptions(
    new Command('create')
      .description('make a token: it is shown once, on stdout')
      .argument('<name>')
      .option('--role <role>', "viewer, operator or admin; at most one's own")
      .option('--expires <length>', 'how long it holds: 12h, 30d (at most 366 days)'),
  );
  command.addCommand(
    asking<OutputFlags & { role?: string; expires?: string }>(
      create,
      async (door, { args: [name = ''], flags }) => {
        const params: Row = {
          name,
          ...(flags.role ? { role: flags.role } : {}),
          ...(flags.expires ? { expires: isoLength(flags.expires) } : {}),
        };
        const done = await door.call('tokens.create', params);
        if (flags.json) printJson(done);
        else {
          warn(`Token ${done['id']}, role ${done['role']}; it is shown this once:`);
          print(String(done['token']));
        }
      },
    ),
  );
  const revoke = addOutputOptions(
    new Command('revoke').description('end tokens at once').argument('<ids...>'),
  );
  command.addCommand(
    asking<OutputFlags>(revoke, async (door, { args, flags }) => {
      for (const id of args) {
        const done = await door.call('tokens.revoke', { id });
        if (flags.json) printJson(done);
      }
      if (!flags.json) warn('Done.');
    }),
  );
  return command;
}

export function audit(): Command {
  const command = new Command('audit')
    .description('what people, rules and the guard did, the newest first')
    .option('--actor <name>', 'only what one of them did')
    .option('--method <name>', 'only one method, such as campaigns.create');
  addListOptions(command, AUDIT);
  return asking<ListFlags & { actor?: string; method?: string }>(command, async (door, { flags }) => {
    const params = {
      ...(flags.actor ? { actor: flags.actor } : {}),
      ...(flags.method ? { method: flags.method } : {}),
    };
    await printList(AUDIT, door.pages('audit.list', params, rowsMax(flags)), flags, 'Nothing was done yet.');
  });
}
