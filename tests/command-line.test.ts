/**
 * The command line as an operator uses it, against the real product with printers: sign-in, output formats of lists, a
 * campaign from its preview to its end, a stolen printer, exit codes, narrow terminals and closed pipes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../cli/remote/exits.ts';
import type { AdminCredentials } from '../schemas/types.ts';
import { checkReply } from '../schemas/validate.ts';
import { eventually } from './harness/ear.ts';
import { WITH_TYPES } from './harness/run/with-types.ts';
import { useProduct } from './harness/setting.ts';
import { type Simulated, simulate } from './harness/simulated.ts';

const CATALOG = {
  catalog: 'command-line-1',
  apparatus: [{ model: 'C1', slots: [{ kind: 'engine', models: ['EN-36'], min: 1, max: 1 }] }],
  units: [{ model: 'EN-36', kind: 'engine' }],
  software: [
    {
      id: 'acme.engine',
      vendor: 'acme',
      scheme: 'semver',
      releases: [{ version: '2.4.0' }, { version: '2.5.0' }],
    },
    {
      id: 'acme.bad',
      vendor: 'acme',
      scheme: 'semver',
      releases: [{ version: '1.0.0' }, { version: '1.1.0' }],
    },
  ],
};
const RULES = {
  rules: 'command-line',
  list: [
    {
      id: 'jams',
      title: 'It jams',
      by: ['printer'],
      where: { all: [['code', '=', 'J-1']] },
      when: { count: { ge: 1, over: 'PT72H' } },
      late: 'PT0S',
      clear: { quiet: 'PT72H' },
      dedup: 'PT0S',
    },
  ],
};
const setting = useProduct({ catalog: CATALOG, rules: RULES, releases: true });
const PROGRAM = fileURLToPath(new URL('../cli/platen.ts', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'platen-cli-'));
const groups: Simulated[] = [];
const children = new Set<ChildProcess>();

interface Ran {
  code: number | null;
  out: string;
  err: string;
}

/** Runs a command to its end, signed in with the context in `home`. */
function platen(args: readonly string[], input = '', env: Record<string, string> = {}): Promise<Ran> {
  return run(process.execPath, [...WITH_TYPES, PROGRAM, ...args], input, env);
}

function run(
  program: string,
  args: readonly string[],
  input = '',
  env: Record<string, string> = {},
  heard: (err: string) => void = () => undefined,
): Promise<Ran> {
  const { PLATEN_DATA: _data, ...rest } = process.env;
  const child = spawn(program, args, { cwd: home, env: { ...rest, XDG_CONFIG_HOME: home, ...env } });
  children.add(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk;
    heard(err);
  });
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      children.delete(child);
      resolve({ code, out, err });
    });
  });
}

/** The JSON lines of a command that succeeds. */
async function rows(...args: string[]): Promise<Record<string, unknown>[]> {
  const { code, out, err } = await platen([...args, '--json']);
  expect([err, code]).toEqual(['', EXIT.done]);
  return out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const admin = (): AdminCredentials =>
  JSON.parse(readFileSync(join(setting.product.data, 'admin.json'), 'utf8')) as AdminCredentials;

beforeAll(async () => {
  const names = [
    {
      name: 'shop',
      count: 6,
      model: 'C1',
      site: 'Oslo',
      engine: { 'acme.engine': '2.4.0', 'acme.bad': '1.0.0' },
    },
  ];
  for (const group of names) groups.push(await simulate(setting, group));
  const { username, password } = admin();
  const signedIn = await platen(
    ['login', setting.product.http, '--user', username, '--name', 'shop', '--password-stdin'],
    `${password}\n`,
  );
  expect([signedIn.code, signedIn.out]).toEqual([EXIT.done, '']);
  expect(signedIn.err).toMatch(/as admin \(admin\)/);
  await eventually(
    async () => (await rows('printers', 'list', '--where', 'verdict=compatible')).length === 6,
    'all are judged',
    60_000,
  );
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const { fleet } of groups) await fleet.stop();
  rmSync(home, { recursive: true, force: true });
});

test('a sign-in keeps a token that only its owner can read, and shows it nowhere', async () => {
  const file = join(home, 'platen', 'contexts.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const { token } = (JSON.parse(readFileSync(file, 'utf8')) as { contexts: { shop: { token: string } } })
    .contexts.shop;
  const { out, err } = await platen(['context', 'list', '--json']);
  expect(JSON.parse(out)).toMatchObject({ name: 'shop', user: 'admin', role: 'admin', inUse: true });
  expect(out + err).not.toContain(token);
  expect((await platen(['status'], '', { PLATEN_CONTEXT: 'shp' })).err).toContain('did you mean "shop"?');
  // The password is in no argument and no file.
  expect(readFileSync(file, 'utf8')).not.toContain(admin().password);
});

test('lists come as tables, JSON lines and CSV; data on stdout, everything else on stderr', async () => {
  const list = await platen(['printers', 'list', '--limit', '2', '--columns', 'printer,site,verdict']);
  const [head = '', first = ''] = list.out.split('\n');
  expect(head.split(/ {2,}/)).toEqual(['PRINTER', 'SITE', 'VERDICT']);
  expect(first).toMatch(/^shop-\S+ +Oslo +compatible$/);
  expect(list.err).toBe('2 of 6 shown; --all shows the rest.\n');
  const items = await rows('printers', 'list');
  checkReply('printers.list', { items, total: 6, exact: true });
  const csv = (await platen(['printers', 'export', '--columns', 'printer,verdict'])).out.split('\r\n');
  expect(csv).toHaveLength(8);
  expect(csv[0]).toBe('printer,verdict');
  const [printer = ''] = groups[0]?.names ?? [];
  const one = await platen(['printers', 'get', printer]);
  expect(one.out).toMatch(/engine +EN-36/);
  checkReply('printers.get', (await rows('printers', 'get', printer))[0]);
  expect((await platen(['printers', 'timeline', printer])).out).toMatch(/first structure/);
  expect((await rows('reports', 'firmware')).map(({ software }) => software)).toContain('acme.engine');
  expect(await rows('users', 'list')).toEqual([{ name: 'admin', role: 'admin' }]);
  expect((await platen(['status'])).out).toMatch(/serves +ok\n/);
});

test.each([
  ['a wrong column', ['printers', 'list', '--columns', 'sit'], EXIT.usage, 'did you mean "site"?'],
  [
    'a wrong field of a filter',
    ['printers', 'list', '--where', 'modle=C1'],
    EXIT.usage,
    'did you mean "model"?',
  ],
  ['a wrong option', ['printers', 'list', '--limt', '2'], EXIT.usage, '--limit'],
  ['a wrong command', ['printer'], EXIT.usage, 'printers'],
  ['no printer', ['printers', 'get', 'nobody'], EXIT.failed, 'nobody'],
  [
    'many printers and nobody to ask',
    ['printers', 'label', '--fleet', '--set', 'a=b'],
    EXIT.notConfirmed,
    '6 printers',
  ],
  [
    'nobody matches',
    ['printers', 'label', '--where', 'site=Rome', '--set', 'a=b', '--yes'],
    EXIT.nothingToDo,
    'No printer',
  ],
  [
    'a campaign for nobody',
    ['campaigns', 'create', '--fleet', '--software', 'acme.engine@2.4.0', '--yes'],
    EXIT.nothingToDo,
    'nothing was started',
  ],
  ['no target', ['campaigns', 'create', '--software', 'acme.engine'], EXIT.usage, 'which printers'],
  ['no center', ['status', '--context', 'away'], EXIT.unreachable, "can't be reached"],
])('%s: the exit code says it, and a sentence', async (_case, args, code, says) => {
  const file = join(home, 'platen', 'contexts.json');
  const known = JSON.parse(readFileSync(file, 'utf8')) as {
    contexts: Record<string, Record<string, string>>;
  };
  // Port 1 of this machine, on which nobody listens.
  known.contexts['away'] = { ...known.contexts['shop'], url: 'http://127.0.0.1:1' };
  writeFileSync(file, JSON.stringify(known), { mode: 0o600 });
  const ran = await platen(args);
  expect([ran.code, ran.out]).toEqual([code, '']);
  expect(ran.err).toContain(says);
  expect(ran.err).not.toMatch(/\n\s+at /);
});

test('a role that may not, and a token that has ended, exit with 4', async () => {
  // A token cannot create tokens; on the server, a user who can read the data folder can.
  const create = ['tokens', 'create', 'reader', '--role', 'viewer', '--expires', '1h'];
  const byToken = await platen(create);
  expect([byToken.code, byToken.err]).toEqual([EXIT.notAllowed, expect.stringContaining('token')]);
  const made = await platen([...create, '--data', setting.product.data]);
  expect(made.code).toBe(EXIT.done);
  const token = made.out.trim();
  const login = await platen(['login', setting.product.http, '--name', 'reader', '--token-stdin'], token);
  expect([login.code, login.err]).toEqual([EXIT.done, expect.stringContaining('(viewer)')]);
  const refused = await platen(['users', 'list']);
  expect([refused.code, refused.out]).toEqual([EXIT.notAllowed, '']);
  expect(refused.err).toContain('it needs the role admin');
  const id = (await rows('tokens', 'list', '--context', 'shop')).find(({ name }) => name === 'reader')?.[
    'id'
  ];
  await platen(['tokens', 'revoke', String(id), '--context', 'shop']);
  const ended = await platen(['printers', 'list']);
  expect([ended.code, ended.err]).toEqual([EXIT.notAllowed, expect.stringContaining('platen login')]);
  expect((await platen(['context', 'use', 'shop'])).code).toBe(EXIT.done);
});

test('troubles are seen, given to somebody, snoozed and closed', async () => {
  const [printer = ''] = groups[0]?.names ?? [];
  groups[0]?.fleet.driver(printer)?.emit({ code: 'J-1', severity: 'error', unit: 'engine' });
  const trouble = await eventually(
    async () => (await rows('troubles', 'list'))[0],
    'a trouble opens',
    60_000,
  );
  const id = String(trouble['id']);
  expect((await platen(['troubles', 'list', '--group', 'rule'])).out).toMatch(/^ *1 +1 +jams/m);
  for (const act of [
    ['ack', id, '--reason', 'looking'],
    ['assign', id, '--owner', 'admin'],
    ['snooze', id, '--until', '4h'],
  ]) {
    expect((await platen(['troubles', ...act])).code).toBe(EXIT.done);
  }
  const [now] = await rows('troubles', 'list');
  expect(now).toMatchObject({
    id,
    owner: 'admin',
    acknowledged: expect.anything(),
    snoozed: expect.anything(),
  });
  expect((await platen(['troubles', 'close', id, '--note', 'paper was wet'])).err).toBe('It is closed.\n');
  expect(await rows('troubles', 'list')).toEqual([]);
});

test('a campaign is previewed, created, watched to its end; a failing one exits with 5', async () => {
  const preview = await platen([
    'campaigns',
    'preview',
    '--where',
    'site=Oslo',
    '--software',
    'acme.engine@2.5.0',
  ]);
  expect([preview.code, preview.out]).toEqual([EXIT.done, expect.stringMatching(/^targets +6$/m)]);
  const dry = await platen(['campaigns', 'create', '--fleet', '--release', 'acme.engine@2.5.0', '--dry-run']);
  expect([dry.code, dry.err]).toEqual([EXIT.done, expect.stringContaining('Nothing was changed')]);
  expect(await rows('campaigns', 'list')).toEqual([]);
  const done = await platen([
    'campaigns',
    'create',
    '--fleet',
    '--release',
    'acme.engine@2.5.0',
    '--yes',
    '--watch',
  ]);
  expect([done.code, done.err]).toEqual([EXIT.done, expect.stringMatching(/100 %.*finished/)]);
  const [{ id = '' } = {}] = (await rows('campaigns', 'list')) as { id: string }[];
  expect((await rows('campaigns', 'targets', id)).map(({ is }) => is)).toEqual(Array(6).fill('proven'));
  expect(await rows('releases', 'where', 'acme.engine', '2.5.0')).toHaveLength(6);

  // Another operator stops a campaign that is being watched.
  const created = await platen([
    'campaigns',
    'create',
    '--fleet',
    '--release',
    'acme.bad@1.1.0',
    '--propose',
    '--yes',
  ]);
  const second = /Campaign (\S+) is proposed/.exec(created.err)?.[1] ?? '';
  const watched = platen(['campaigns', 'watch', second]);
  expect((await platen(['campaigns', 'abort', second])).code).toBe(EXIT.done);
  const { code, err } = await watched;
  expect([code, err]).toEqual([EXIT.stopped, expect.stringContaining('is aborted')]);
}, 120_000);

test('a catalog is compared and put; a stolen printer is revoked, and the audit has both', async () => {
  const file = join(home, 'catalog.json');
  const next = structuredClone(CATALOG);
  next.catalog = 'command-line-2';
  next.software[0]?.releases.push({ version: '2.6.0' });
  writeFileSync(file, JSON.stringify(next));
  const diff = await platen(['catalog', 'diff', file]);
  expect(diff.out).toBe('~ software acme.engine: releases +2.6.0\n');
  expect((await platen(['catalog', 'impact', file])).err).toMatch(/0 become misfits/);
  const put = await platen(['catalog', 'put', file, '--yes']);
  expect([put.code, put.err]).toEqual([EXIT.done, expect.stringMatching(/Revision \d+ is in force/)]);
  expect((await platen(['catalog', 'diff', file])).code).toBe(EXIT.nothingToDo);

  const stolen = groups[0]?.names.at(-1) ?? '';
  expect((await platen(['printers', 'revoke', stolen])).code).toBe(EXIT.notConfirmed);
  expect((await platen(['printers', 'revoke', stolen, '--yes'])).code).toBe(EXIT.done);
  expect(await rows('printers', 'list', '--where', 'standing=active')).toHaveLength(5);
  const acts = (await rows('audit')).map(({ method }) => method);
  expect(acts).toEqual(expect.arrayContaining(['printers.revoke', 'catalog.put', 'campaigns.create']));
});

test('events are followed', async () => {
  let isOpen = () => {};
  const open = new Promise<void>((resolve) => {
    isOpen = resolve;
  });
  const args = ['events', '--kind', 'trouble', '--count', '1', '--json'];
  const followed = run(process.execPath, [...WITH_TYPES, PROGRAM, ...args], '', {}, (text) => {
    if (text.includes('Following')) isOpen();
  });
  await open;
  const printer = groups[0]?.names[1] ?? '';
  groups[0]?.fleet.driver(printer)?.emit({ code: 'J-1', severity: 'error', unit: 'engine' });
  const { code, out } = await followed;
  expect([code, JSON.parse(out)]).toEqual([
    EXIT.done,
    expect.objectContaining({ event: 'trouble', id: expect.stringMatching(/\d/) }),
  ]);
}, 90_000);

describe('a terminal', () => {
  const command = (args: string, columns: number) =>
    `stty cols ${columns}; ${[process.execPath, ...WITH_TYPES, PROGRAM].join(' ')} ${args}`;
  const ESCAPE = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

  test.each([40, 80])('of %d columns: no line is longer, and what is left out is said', async (columns) => {
    const { out } = await run('script', ['-qec', command('printers list', columns), '/dev/null'], '', {
      TERM: 'xterm',
      NO_COLOR: '',
    });
    expect(out).toMatch(ESCAPE);
    const lines = out.replace(ESCAPE, '').split('\r\n');
    const table = lines.slice(
      0,
      lines.findIndex((line) => !/^(PRINTER|shop)/.test(line)),
    );
    expect(table.length).toBeGreaterThanOrEqual(6);
    for (const line of table) expect(line.length).toBeLessThanOrEqual(columns);
    if (columns === 40) expect(out).toMatch(/too narrow for .*LASTSEEN/);
  });

  test('NO_COLOR is kept to', async () => {
    const { out } = await run('script', ['-qec', command('printers list', 80), '/dev/null'], '', {
      TERM: 'xterm',
      NO_COLOR: '1',
    });
    expect(out).not.toMatch(ESCAPE);
  });

  test('a question is answered with no: nothing is changed, exit code 3', async () => {
    const ran = await run(
      'script',
      ['-qec', command('printers label --fleet --set asked=1', 80), '/dev/null'],
      'n\n',
      { TERM: 'xterm' },
    );
    expect([ran.code, ran.out]).toEqual([EXIT.notConfirmed, expect.stringMatching(/Go on\? \[y\/N\]/)]);
    expect(await rows('printers', 'list', '--where', 'label.asked=1')).toEqual([]);
  });
});

test('a pipe that closes ends the command without a trace', async () => {
  const list = await run('bash', [
    '-c',
    `set -o pipefail; ${[process.execPath, ...WITH_TYPES, PROGRAM].join(' ')} printers list --all --json | true; echo "\${PIPESTATUS[0]}"`,
  ]);
  expect(list.err).toBe('');
  expect(list.out.trim()).toBe(String(EXIT.pipeClosed));
});

test('Tab completes commands, options and names of printers', async () => {
  const complete = async (...words: string[]) =>
    (await platen(['complete', '--', ...words])).out.split('\n').filter(Boolean);
  expect(await complete('camp')).toEqual(['campaigns']);
  expect(await complete('campaigns', 'p')).toEqual(['preview', 'pause']);
  expect(await complete('printers', 'list', '--wh')).toEqual(['--where']);
  expect((await complete('printers', 'get', 'shop-')).length).toBeGreaterThanOrEqual(5);
  for (const shell of ['bash', 'zsh', 'fish'])
    expect((await platen(['completion', shell])).out).toContain('platen complete');
  const sourced = await run(
    'bash',
    ['-c', `eval "$(cat)"; complete -p platen`],
    (await platen(['completion', 'bash'])).out,
  );
  expect(sourced.out).toContain('-F _platen platen');
});
