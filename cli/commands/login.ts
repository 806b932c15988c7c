/** `platen login`, `platen logout`, `platen context`: which center the commands ask, and as whom. */
import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { chosenContext, readContexts, writeContexts } from '../remote/contexts.ts';
import { Door } from '../remote/door.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { readHidden } from '../show/hidden-input.ts';
import { printTable } from '../show/output.ts';
import { printJson, warn } from '../terminal.ts';

interface LoginFlags {
  user?: string;
  name?: string;
  role?: string;
  days: string;
  passwordStdin?: boolean;
  tokenStdin?: boolean;
}

const TOKEN_DAYS_DEFAULT = '30';

function addressOf(url: string): string {
  try {
    const parsed = new URL(url.includes('://') ? url : `http://${url}`);
    if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') throw new Error('the protocol');
    return parsed.href.replace(/\/+$/, '');
  } catch {
    throw new CommandFailure(
      EXIT.usage,
      `"${url}" is not an address.`,
      'Write where HTTP listens: https://platen.example, or http://127.0.0.1:8080.',
    );
  }
}

async function passwordFor(user: string, flags: LoginFlags): Promise<string> {
  if (flags.passwordStdin) return (await text(process.stdin)).replace(/\r?\n$/, '');
  if (process.stdin.isTTY) return readHidden(`Password of ${user}: `);
  throw new CommandFailure(
    EXIT.usage,
    'Nobody is there to type a password.',
    'Give it on standard input with --password-stdin, or a token with --token-stdin.',
  );
}

async function login(url: string, flags: LoginFlags): Promise<void> {
  const address = addressOf(url);
  const name = flags.name ?? new URL(address).host;
  const known = readContexts(process.env);
  const days = Number(flags.days);
  if (!Number.isInteger(days) || days < 1) {
    throw new CommandFailure(EXIT.usage, `--days "${flags.days}" is not a whole number above 0.`);
  }
  if (flags.tokenStdin) {
    const token = (await text(process.stdin)).trim();
    const who = await new Door(address, { token }).who();
    known.contexts[name] = {
      url: address,
      user: who.name,
      role: who.role,
      token,
      tokenId: '',
      expires: who.expires,
    };
  } else {
    const user = flags.user ?? process.env['USER'] ?? '';
    if (user === '') throw new CommandFailure(EXIT.usage, 'It is not said who signs in.', 'Give --user.');
    const door = await Door.signIn(address, user, await passwordFor(user, flags));
    try {
      const made = await door.call('tokens.create', {
        name: `platen on ${hostname()}`.slice(0, 64),
        expires: `P${days}D`,
        role: flags.role ?? (await door.who()).role,
      });
      const { id, token, role, expires } = made as Record<string, string>;
      const before = known.contexts[name];
      known.contexts[name] = {
        url: address,
        user,
        role: role ?? '',
        token: token ?? '',
        tokenId: id ?? '',
        ...(expires === undefined ? {} : { expires }),
      };
      // The token of the sign-in before is of no use any more.
      if (before?.tokenId && before.url === address && before.user === user) {
        await door.call('tokens.revoke', { id: before.tokenId }).catch(() => undefined);
      }
    } finally {
      await door.signOut();
    }
  }
  writeContexts(process.env, { ...known, current: name });
  const { user, role, expires } = known.contexts[name] ?? {};
  warn(
    `Signed in at ${address} as ${user} (${role}), until ${expires ?? 'the token is revoked'}. The context "${name}" is in use.`,
  );
}

export function loginCommand(): Command {
  return new Command('login')
    .description('sign in at a center; a token is kept for its owner only')
    .argument('<url>', 'where its HTTP listens')
    .option('--user <name>', 'who signs in (default: the name at this machine)')
    .option('--name <context>', 'what to call it (default: the host)')
    .option('--role <role>', "at most this role: viewer, operator or admin (default: one's own)")
    .option('--days <days>', 'how long the token holds', TOKEN_DAYS_DEFAULT)
    .option('--password-stdin', 'read the password from standard input')
    .option('--token-stdin', 'use a token from standard input instead of a password')
    .action(login);
}

export function logoutCommand(): Command {
  return new Command('logout')
    .description('end the token of a context and forget it')
    .argument('[context]', 'default: the one in use')
    .action(async (asked: string | undefined) => {
      const known = readContexts(process.env);
      const chosen = chosenContext(known, asked ?? process.env['PLATEN_CONTEXT']);
      if (!chosen) throw new CommandFailure(EXIT.nothingToDo, 'There is no context.');
      const { name, context } = chosen;
      const ended = context.tokenId
        ? await new Door(context.url, { token: context.token })
            .call('tokens.revoke', { id: context.tokenId })
            .then(
              () => true,
              () => false,
            )
        : false;
      delete known.contexts[name];
      const { current, ...rest } = known;
      writeContexts(process.env, current === name ? rest : known);
      warn(
        ended
          ? `The token of "${name}" has ended.`
          : `"${name}" is forgotten; its token could not be ended and holds until it expires.`,
      );
    });
}

export function contextCommand(): Command {
  const command = new Command('context').description('the centers that somebody signed in to');
  command
    .command('list')
    .description('list them; * is in use')
    .option('--json', 'as JSON lines')
    .action((flags: { json?: boolean }) => {
      const { current, contexts } = readContexts(process.env);
      const used = process.env['PLATEN_CONTEXT'] ?? current;
      // Never the tokens.
      const rows = Object.entries(contexts).map(([name, { url, user, role, expires }]) => ({
        name,
        url,
        user,
        role,
        expires,
        inUse: name === used,
      }));
      if (flags.json) for (const row of rows) printJson(row);
      else if (rows.length === 0) warn('There are none: platen login URL adds one.');
      else {
        printTable(
          [
            { name: '', read: ({ inUse }) => (inUse ? '*' : ' '), kind: 'state' },
            { name: 'name' },
            { name: 'url' },
            { name: 'user' },
            { name: 'role', kind: 'state' },
            { name: 'expires', kind: 'time' },
          ],
          rows,
        );
      }
    });
  command
    .command('use')
    .description('use another one from now on')
    .argument('<name>')
    .action((name: string) => {
      const known = readContexts(process.env);
      chosenContext(known, name);
      writeContexts(process.env, { ...known, current: name });
      warn(`"${name}" is in use.`);
    });
  return command;
}
