import { rmSync } from 'node:fs';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { OperatorClient } from '../cli/operator-client.ts';
import { httpStatusOf } from '../schemas/errors.ts';
import { METHOD_ROLES, type Method, mayCall, type Role } from '../schemas/roles.ts';
import { eventually } from './harness/ear.ts';
import { temporaryFolder } from './harness/folder.ts';
import { sampleStructure, TestPrinter } from './harness/printer.ts';
import { type RunningProduct, startProduct } from './harness/product.ts';
import { publishReleases, putSampleCatalog, sample } from './harness/samples.ts';
import { Web } from './harness/web.ts';

// The HTTP interface of a real product: same answers as over MQTT, access, lists, and bad input.
const ROLES = ['viewer', 'operator', 'admin'] as const;
type OperatorRole = (typeof ROLES)[number];

let folder: string;
let product: RunningProduct;
let admin: OperatorClient;
let web: Web;
let printer: TestPrinter;
const passwords = new Map<string, string>();
const signedIn = new Map<OperatorRole, Web>();

const as = (role: OperatorRole): Web => signedIn.get(role) ?? web;

async function makeUser(name: string, role: OperatorRole): Promise<string> {
  const { password } = await admin.call('users.put', { name, role });
  passwords.set(name, String(password));
  return String(password);
}

async function makeToken(who: Web, params: object): Promise<{ id: string; token: string }> {
  const answer = await who.call('tokens.create', params);
  expect(answer.body).toMatchObject({ status: 'ok', data: { token: expect.stringMatching(/^pt_/) } });
  return answer.body.data as { id: string; token: string };
}

beforeAll(async () => {
  folder = temporaryFolder('platen-http-');
  await publishReleases(join(folder, 'data'), sample('catalog.json'));
  product = await startProduct({ data: join(folder, 'data') });
  web = new Web(product.http);
  admin = await product.operator();
  await putSampleCatalog(admin);
  const printers = Array.from({ length: 25 }, (_, index) => `p-${String(index).padStart(2, '0')}`);
  const { items } = (await admin.call('printers.enroll', { printers })) as {
    items: { printer: string; password: string }[];
  };
  printer = await TestPrinter.connect(product.mqtt, 'p-00', items[0]?.password ?? '');
  await printer.structure(sampleStructure({ site: '=HYPERLINK("http://x")', labels: { ring: 'canary' } }));
  await eventually(
    async () => (await admin.call('printers.get', { printer: 'p-00' }))['verdict'] === 'compatible',
    'the verdict on p-00',
  );
  for (const role of ROLES) {
    signedIn.set(role, await web.signIn(`the-${role}`, await makeUser(`the-${role}`, role)));
  }
});

afterAll(async () => {
  await printer?.close();
  expect(await product?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

/** Parameters for each method, besides none. No answer here depends on earlier requests. */
const QUESTIONS: Partial<Record<Method, object[]>> = {
  'fleet.summary': [{}],
  'printers.list': [
    {},
    { limit: 3 },
    { filter: { site: 'nowhere' } },
    { fliter: {} },
    { cursor: '!' },
    { where: 'id=p-0* presence=online', sort: '-seen' },
    { where: 'modle=C360' },
    { where: 'model=C36' },
    { where: 'id=p', filter: {} },
    { columns: ['model', 'site'] },
    { sort: 'age' },
  ],
  'printers.facets': [
    { where: 'id=p-0*', fields: ['model', 'label.ring', 'software:acme.engine'] },
    { fields: ['nonsense'] },
    { fields: ['model', 'model'] },
  ],
  'configurations.list': [{ where: 'presence=online' }, { where: 'x' }],
  'printers.label': [
    { printer: 'p-02', set: { ring: 'first' }, expect: { printers: 1 } },
    { where: 'id=p-02', set: { ring: 'first' }, expect: { printers: 2 } },
    { printer: 'p-02' },
    { set: { ring: 'x' } },
  ],
  'printers.get': [{ printer: 'p-00' }, { printer: 'nobody' }, {}],
  'printers.errors': [{ printer: 'p-00' }],
  'printers.timeline': [
    { printer: 'p-00', kinds: ['structure'] },
    { printer: 'p-0' },
    { printer: 'p-00', kinds: ['x'] },
  ],
  'printers.orders': [{ printer: 'p-00' }, { printer: 'p-0' }],
  'printers.structures': [
    { printer: 'p-00', documents: true },
    { printer: 'p-00', cursor: '!' },
  ],
  'printers.whatif': [
    { printer: 'p-00', units: [{ symbol: 'finisher.1', model: 'FS-540' }] },
    { printer: 'p-00', software: [{ subject: 'engine:acme.engine', version: '99.0.0' }] },
    { printer: 'p-00' },
    { printer: 'p-01', units: [{ symbol: 'engine', remove: true }] },
  ],
  'printers.enroll': [{}, { printer: 'p-00' }],
  'printers.revoke': [{ printer: 'nobody' }],
  'printers.readmit': [{ printer: 'nobody' }],
  'printers.retire': [{ printer: 'nobody' }],
  'structure.request': [{ printer: 'nobody' }, {}],
  'errors.request': [{ printer: 'nobody' }],
  'readings.request': [{ printer: 'nobody' }],
  'policy.set': [{ printer: 'p-01', policy: { structure: { every: 'PT2H' } } }, { policy: {} }],
  'catalog.get': [{}, { catalog: 'none' }],
  'catalog.put': [{ document: { software: 3 } }],
  'catalog.impact': [{ document: sample('catalog.json') }],
  'rules.get': [{}],
  'rules.put': [{ document: { rules: 'x', list: [{ id: 'a', when: { nonsense: 1 } }] } }],
  'troubles.list': [
    { groupBy: ['rule', 'site'], open: true },
    { groupBy: ['model'] },
    {},
    { where: 'model=C360' },
    { where: 'modle=C360' },
    { rule: 'none' },
    { owner: 'the-operator', acknowledged: true, snoozed: false },
  ],
  'troubles.ack': [{ id: 'none' }, { id: 'none', undo: true }, { id: 'none', undo: false }],
  'troubles.assign': [
    { id: 'none', owner: 'the-operator' },
    { id: 'none', owner: 'nobody' },
    { id: 'none', owner: 'p-00' },
    { id: 'none' },
  ],
  'troubles.close': [{ id: 'none' }],
  'troubles.snooze': [
    { id: 'none', until: 'PT4H', reason: 'the part is ordered' },
    { id: 'none', until: 'tomorrow' },
    { id: 'none', until: '2020-01-01' },
    { id: 'none', until: 'P9Y' },
    { id: 'none', until: 'PT1H', undo: true },
  ],
  'releases.list': [{}],
  'releases.release': [{ software: 'acme.engine', version: '2.5.0', reason: 'x' }],
  'rollout.get': [{}],
  'rollout.set': [{ corrections: 'automatic' }, { corrections: 'never' }],
  'campaigns.preview': [
    { software: { id: 'acme.engine' }, fleet: true },
    { software: { id: 'acme.engine' }, where: 'presence=online' },
    { software: { id: 'acme.engine' }, where: '' },
    {},
  ],
  'campaigns.create': [{}],
  'campaigns.pause': [{ id: 'none' }],
  'campaigns.resume': [{ id: 'none' }],
  'campaigns.abort': [{ id: 'none' }],
  'campaigns.get': [{ id: 'none' }],
  'campaigns.list': [{}],
  'campaigns.targets': [{ id: 'none' }, { id: 'none', state: 'x' }],
  'campaigns.excluded': [
    { software: { id: 'acme.engine' }, fleet: true },
    { id: 'none' },
    { id: 'x', fleet: true },
  ],
  'campaigns.series': [{ id: 'none' }],
  'campaigns.retry': [{ id: 'none' }, { id: 'none', printers: ['p-0'] }],
  'audit.list': [{ actor: 'nobody' }],
  'tokens.create': [{}, { name: 'x', expires: 'P900D' }],
  'tokens.list': [{}],
  'tokens.revoke': [{ id: 'none' }],
  'users.list': [{}],
  'users.put': [{}, { name: 'p-00', role: 'viewer' }],
  'users.remove': [{ name: 'nobody' }],
  'reports.firmware': [{ by: 'model', sort: '-behind' }],
  'reports.inventory': [{ form: 'glpi' }, { form: 'glpi', printer: 'nobody' }],
  'reports.pages': [{ where: 'model=C360' }, { from: 'yesterday' }],
  'reports.supplies': [{ where: 'model=C360 presence=online' }, { limit: 0 }],
};

/** A reply without the fields that differ on every call. */
function lasting(reply: object): unknown {
  return JSON.parse(
    JSON.stringify(reply, (key, value: unknown) => (key === 'at' || key === 'lastSeen' ? undefined : value)),
  );
}

test.each(ROLES)('a %s is answered the same over MQTT and over HTTP, method by method', async (role) => {
  const url = product.mqtt;
  const connect = () =>
    OperatorClient.connect({ url, username: `the-${role}`, password: passwords.get(`the-${role}`) ?? '' });
  let operator = await connect();
  for (const method of Object.keys(METHOD_ROLES) as Method[]) {
    for (const params of [{}, ...(QUESTIONS[method] ?? [])]) {
      const overHttp = await as(role).call(method, params);
      const overMqtt = await operator
        .request(method, params as Record<string, unknown>)
        .catch((error: Error) => error);
      if (!mayCall(role as Role, method)) {
        // MQTT 3.1.1 can only refuse by closing the connection.
        expect([method, (overMqtt as Error).message]).toEqual([
          method,
          expect.stringContaining(`needs the role ${METHOD_ROLES[method]}`),
        ]);
        await operator.close();
        operator = await connect();
        expect([method, overHttp.code, overHttp.body.error.code]).toEqual([
          method,
          403,
          'request/not-allowed',
        ]);
        expect(overHttp.body.error.message).toContain(`needs the role ${METHOD_ROLES[method]}`);
        continue;
      }
      if (overMqtt instanceof Error) throw overMqtt;
      const { id: _id, ...reply } = overMqtt;
      expect([method, params, lasting(overHttp.body)]).toEqual([method, params, lasting(reply)]);
      const { error } = reply;
      const code = reply.status === 'accepted' ? 202 : 200;
      expect([method, overHttp.code]).toEqual([
        method,
        error ? httpStatusOf(error.code as 'request/invalid') : code,
      ]);
    }
  }
  await operator.close();
});

test('a method that does not exist is answered 404 with the nearest names', async () => {
  const { code, body } = await as('admin').call('printers.lsit');
  expect([code, body.error.code]).toEqual([404, 'request/unknown-method']);
  expect(body.error.message).toContain('did you mean "printers.list"');
  expect((await as('admin').send('GET', '/api/v1/printers.list')).body.error.code).toBe('http/not-found');
});

test('nobody asks without being signed in, and bodies of strangers are not read', async () => {
  const { code, body, headers } = await web.call('printers.list', {});
  expect([code, body.error.code]).toEqual([401, 'session/none']);
  expect(headers.get('www-authenticate')).toBe('Bearer');
  expect((await web.announce('/api/v1/printers.list', 20 * 1024 * 1024)).code).toBe(401);
  expect((await web.with({ token: 'pt_nonsense' }).call('printers.list')).body.error.code).toBe(
    'token/refused',
  );
  expect((await web.with({ headers: { authorization: 'Basic YTpi' } }).call('fleet.summary')).code).toBe(401);
  expect(
    (await web.with({ cookie: 'platen=nonsense', origin: web.base }).call('fleet.summary')).body,
  ).toMatchObject({
    error: { code: 'session/ended' },
  });
});

test.each([
  ['no JSON', '{', 400, 'payload/not-json'],
  ['no object', '[1]', 400, 'payload/not-json'],
  ['too deep', `{"filter":${'['.repeat(2_000)}${']'.repeat(2_000)}}`, 400, 'payload/not-json'],
  ['a NUL', '{"filter":{"site":"a\\u0000"}}', 400, 'request/invalid'],
])('a body that is %s is refused', async (_, text, code, error) => {
  const answer = await as('admin').send('POST', '/api/v1/printers.list', text);
  expect([answer.code, answer.body.error.code]).toEqual([code, error]);
});

test('a body over its limit is refused before it is read', async () => {
  const { code, body } = await as('admin').announce('/api/v1/printers.list', 17 * 1024 * 1024);
  expect([code, JSON.parse(body).error.code]).toEqual([413, 'payload/too-large']);
  const signIn = await web.announce('/api/v1/session', 5_000);
  expect(signIn.code).toBe(413);
});

test('only a document may be large', async () => {
  const large = 2 * 1024 * 1024;
  const { code } = await as('viewer').announce('/api/v1/printers.list', large);
  expect(code).toBe(413);
  const document = await as('admin').call('rules.put', { document: { rules: 'x'.repeat(large) } });
  expect(document.code).not.toBe(413);
});

test('bodies that one person never sends to their end keep nobody else out', async () => {
  const bytes = 16 * 1024 * 1024;
  const sent = Array.from({ length: 60 }, () => as('viewer').hold('/api/v1/catalog.impact', bytes));
  const refused = () => sent.map(({ answer }) => answer()).filter((answer) => answer !== undefined);
  try {
    await eventually(() => refused().length > 50, 'all but a few are refused');
    for (const { code, body } of refused()) {
      expect([code, JSON.parse(body).error.code]).toEqual([429, 'request/busy']);
    }
    expect((await as('operator').call('fleet.summary')).code).toBe(200);
    const { text } = await web.send('GET', '/metrics');
    expect(text).toMatch(/^platen_http_busy_total\{limit="bytes"\} [1-9]/m);
  } finally {
    for (const { stop } of sent) stop();
  }
  await eventually(
    async () => (await as('viewer').call('fleet.summary')).code === 200,
    'the viewer is let in again',
  );
});

test('a body that is not JSON by its type is refused, and none at all stands for no parameters', async () => {
  const form = await as('admin').send('POST', '/api/v1/printers.list', 'a=b', {
    'content-type': 'text/plain',
  });
  expect([form.code, form.body.error.code]).toEqual([415, 'http/media-type']);
  expect((await as('admin').send('POST', '/api/v1/fleet.summary')).code).toBe(200);
});

test('a list comes whole as JSON lines, over all pages', async () => {
  const { code, text, headers } = await as('viewer').call(
    'printers.list',
    { limit: 4 },
    { accept: 'application/x-ndjson' },
  );
  expect([code, headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
  const items = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { printer: string });
  expect(items.map((item) => item.printer)).toEqual(
    Array.from({ length: 25 }, (_, index) => `p-${String(index).padStart(2, '0')}`),
  );
});

test('a list comes whole as CSV, and no cell of it is a formula', async () => {
  const { code, text, headers } = await as('viewer').call(
    'printers.list',
    {},
    { accept: 'text/csv, */*;q=0.1' },
  );
  expect([code, headers.get('content-type')]).toEqual([200, 'text/csv; charset=utf-8; header=present']);
  const rows = text.trimEnd().split('\r\n');
  expect(rows).toHaveLength(26);
  expect(rows[0]?.split(',').slice(0, 4)).toEqual(['printer', 'presence', 'verdict', 'openTroubles']);
  expect(rows[1]).toContain(`"'=HYPERLINK(""http://x"")"`);
  expect(rows[1]).toContain('"{""ring"":""canary""}"');
});

test.each([
  ['reports.pages', { by: 'site' }, 'name,pages,printers,readings,first,last,resets,gaps,silentDays', /^"'=/],
  ['reports.supplies', {}, 'printer,printerModel,site,symbol,kind,color,unit,model,serial', undefined],
  [
    'reports.firmware',
    { sort: '-behind' },
    'name,software,version,printers,installed,status,behind,newest,allowed',
    /^,acme\.\w+,[^,]+,1,1,released,\d+,[^,]+/,
  ],
  ['reports.inventory', { form: 'glpi' }, 'printer,document', /^p-00,"\{""action"":""netinventory""/],
] as const)('%s is a table for a spreadsheet too', async (method, params, header, row) => {
  const { code, text } = await as('viewer').call(method, params, { accept: 'text/csv' });
  const [first = '', ...rows] = text.trimEnd().split('\r\n');
  expect([code, first.startsWith(header)]).toEqual([200, true]);
  if (row) expect(rows.some((one) => row.test(one))).toBe(true);
});

test('what is wrong with a list is told before it begins, and what is no list is not told as one', async () => {
  const wrong = await as('viewer').call('printers.list', { cursor: '!' }, { accept: 'text/csv' });
  expect([wrong.code, wrong.body.error.code]).toEqual([400, 'request/invalid']);
  const none = await as('viewer').call('fleet.summary', {}, { accept: 'text/csv' });
  expect([none.code, none.body.error.code]).toEqual([406, 'http/not-acceptable']);
});

test('a session is a cookie that scripts and other sites never get, and ends when it is told to', async () => {
  const name = 'lena';
  const password = await makeUser(name, 'operator');
  const signIn = await web.send('POST', '/api/v1/session', { username: name, password });
  expect(signIn.body).toMatchObject({ status: 'ok', data: { name, role: 'operator', how: 'password' } });
  const cookie = signIn.headers.get('set-cookie') ?? '';
  for (const mark of ['HttpOnly', 'SameSite=Strict', 'Path=/']) expect(cookie).toContain(mark);
  const lena = web.with({ cookie: cookie.split(';')[0] ?? '', origin: web.base });
  expect((await lena.send('GET', '/api/v1/session')).body.data).toMatchObject({ name, role: 'operator' });
  expect((await lena.send('DELETE', '/api/v1/session')).code).toBe(200);
  expect((await lena.send('GET', '/api/v1/session')).code).toBe(401);
  expect((await lena.call('fleet.summary')).body.error.code).toBe('session/ended');
});

test('pages of other sites change nothing with a session, and sign nobody in', async () => {
  const { cookie = '' } = as('admin').options;
  for (const origin of ['http://evil.example', 'null', undefined]) {
    const foreign = web.with({ cookie, ...(origin === undefined ? {} : { origin }) });
    for (const send of [
      () => foreign.call('users.put', { name: 'mallory', role: 'admin' }),
      () => foreign.send('DELETE', '/api/v1/session'),
    ]) {
      const { code, body } = await send();
      expect([origin, code, body.error.code]).toEqual([origin, 403, 'session/foreign-origin']);
    }
  }
  const stranger = web.with({ origin: 'http://evil.example' });
  const login = await stranger.send('POST', '/api/v1/session', { username: 'admin', password: 'x' });
  expect(login.body.error.code).toBe('session/foreign-origin');
  const { items } = (await admin.call('users.list')) as { items: { name: string }[] };
  expect(items.map((item) => item.name)).not.toContain('mallory');
});

test('passwords that are tried are answered slowly, then not looked at; others are let in meanwhile', async () => {
  const name = 'target';
  await admin.call('users.put', { name, role: 'viewer', password: 'chosen by a person' });
  const signIn = (username: string, password: string) =>
    web.send('POST', '/api/v1/session', { username, password });
  const began = performance.now();
  expect((await signIn(name, 'wrong')).body.error.code).toBe('session/wrong-password');
  expect(performance.now() - began).toBeGreaterThan(350);
  const tries = await Promise.all(Array.from({ length: 14 }, () => signIn(name, 'wrong')));
  const codes = tries.map(({ body }) => body.error.code as string);
  expect(codes).toContain('session/too-many-tries');
  expect(codes.filter((code) => code === 'session/wrong-password').length).toBeLessThan(11);
  // Not even the correct password works during the ban.
  const right = await signIn(name, 'chosen by a person');
  expect([right.code, right.body.error.code]).toEqual([429, 'session/too-many-tries']);
  expect((await signIn('the-viewer', passwords.get('the-viewer') ?? '')).code).toBe(200);
  // The reply does not reveal whether the account exists.
  expect((await signIn('nobody-at-all', 'wrong')).body.error).toEqual(
    (await signIn('the-viewer', 'wrong')).body.error,
  );
});

test('however often somebody tries from an address, others sign in from there', async () => {
  const noise = Array.from({ length: 140 }, () =>
    web.send('POST', '/api/v1/session', { username: 'noise', password: 'wrong' }),
  );
  const codes = (await Promise.all(noise)).map(({ code }) => code);
  expect(codes).toContain(429);
  expect(
    (await web.signIn('the-operator', passwords.get('the-operator') ?? '')).options.cookie,
  ).toBeDefined();
});

test('a printer signs in nowhere, whatever it knows', async () => {
  const { items } = (await admin.call('printers.enroll', { printers: ['p-99'] })) as {
    items: { password: string }[];
  };
  const answer = await web.send('POST', '/api/v1/session', {
    username: 'p-99',
    password: items[0]?.password,
  });
  expect([answer.code, answer.body.error.code]).toEqual([401, 'session/wrong-password']);
});

test('a token has at most the role of whoever makes it, is shown once, and ends at once', async () => {
  const { id, token } = await makeToken(as('operator'), { name: 'script', role: 'operator' });
  const program = web.with({ token });
  expect((await program.call('printers.list', { limit: 1 })).code).toBe(200);
  expect((await program.send('GET', '/api/v1/session')).body.data).toMatchObject({
    name: 'the-operator',
    role: 'operator',
    how: 'token',
  });
  expect((await program.call('users.list')).code).toBe(403);
  expect((await as('operator').call('tokens.create', { name: 'x', role: 'admin' })).body.error.code).toBe(
    'token/own-role',
  );
  expect((await program.call('tokens.create', { name: 'x' })).body.error.code).toBe('token/by-token');
  const listed = await as('operator').call('tokens.list');
  expect(listed.text).not.toContain(token);
  expect(listed.body.data.items).toEqual([
    expect.objectContaining({ id, name: 'script', role: 'operator', lastUsed: expect.any(String) }),
  ]);
  // Other people's tokens look nonexistent to anybody but an administrator.
  expect((await as('viewer').call('tokens.list')).body.data.items).toEqual([]);
  expect((await as('viewer').call('tokens.revoke', { id })).body.error.code).toBe('request/not-found');
  expect((await as('operator').call('tokens.revoke', { id })).code).toBe(200);
  const after = await program.call('printers.list');
  expect([after.code, after.body.error.code]).toEqual([401, 'token/refused']);
  const audit = JSON.stringify(await admin.call('audit.list', { method: 'tokens.create' }));
  expect(audit).toContain('script');
  expect(audit).not.toContain(token);
});

test('a token that expires lets nobody in any more', async () => {
  const { token } = await makeToken(as('viewer'), { name: 'short', expires: 'PT1S' });
  expect((await web.with({ token }).call('fleet.summary')).code).toBe(200);
  await eventually(
    async () => (await web.with({ token }).call('fleet.summary')).code === 401,
    'the token expired',
  );
});

test('whoever is removed is out at once: sessions, tokens and MQTT', async () => {
  const password = await makeUser('leaver', 'admin');
  const leaver = await web.signIn('leaver', password);
  const program = web.with({ token: (await makeToken(leaver, { name: 'left behind' })).token });
  const connection = await mqtt.connectAsync(product.mqtt, {
    username: 'leaver',
    password,
    reconnectPeriod: 0,
  });
  await admin.call('users.remove', { name: 'leaver' });
  const began = performance.now();
  expect((await leaver.call('fleet.summary')).code).toBe(401);
  expect((await program.call('fleet.summary')).code).toBe(401);
  await eventually(() => !connection.connected, 'the connection of the leaver ended');
  // At once, with headroom for a busy machine.
  expect(performance.now() - began).toBeLessThan(20_000);
  await connection.endAsync(true);
  // A later user of the same name gets none of it.
  await makeUser('leaver', 'viewer');
  expect((await program.call('fleet.summary')).code).toBe(401);
});

test('a lower role holds at once, for tokens too', async () => {
  const mia = await web.signIn('mia', await makeUser('mia', 'admin'));
  const program = web.with({ token: (await makeToken(mia, { name: 'all', role: 'admin' })).token });
  expect((await program.call('users.list')).code).toBe(200);
  await admin.call('users.put', { name: 'mia', role: 'viewer' });
  expect((await mia.call('users.list')).code).toBe(401);
  expect((await program.call('users.list')).code).toBe(403);
  expect((await program.call('fleet.summary')).code).toBe(200);
});

test('the OpenAPI document and the health are for everybody', async () => {
  const document = await web.send('GET', '/api/v1/openapi.json');
  expect(document.body).toMatchObject({ openapi: '3.1.0' });
  expect((await web.send('GET', '/healthz')).body).toMatchObject({
    status: 'ok',
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
  });
});
