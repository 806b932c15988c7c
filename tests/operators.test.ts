import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorClient } from '../cli/operator-client.ts';
import { METHOD_ROLES, type Method, mayCall, type Role } from '../schemas/roles.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { Catalog, OperatorReply } from '../schemas/types.ts';
import { eventually } from './harness/ear.ts';
import { temporaryFolder } from './harness/folder.ts';
import { sampleStructure, TestPrinter } from './harness/printer.ts';
import { type RunningProduct, startProduct } from './harness/product.ts';
import { publishReleases, putSampleCatalog, sample } from './harness/samples.ts';

// The request methods as an operator uses them: replies, pages, filters, roles, impact, audit.
let product: RunningProduct;
let folder: string;
let admin: OperatorClient;
let printer: TestPrinter;
const passwords: Record<string, string> = {};

beforeAll(async () => {
  folder = temporaryFolder('platen-operators-');
  await publishReleases(join(folder, 'data'), sample('catalog.json'));
  product = await startProduct({ data: join(folder, 'data') });
  admin = await product.operator();
  await putSampleCatalog(admin);
  const printers = Array.from({ length: 25 }, (_, index) => `op-${String(index).padStart(2, '0')}`);
  const { items } = (await admin.call('printers.enroll', { printers })) as {
    items: { printer: string; password: string }[];
  };
  printer = await TestPrinter.connect(product.mqtt, 'op-00', items[0]!.password);
  await printer.structure(sampleStructure({ site: 'berlin-3', labels: { ring: 'canary' } }));
  await printer.hear(printerTopic.verdict('op-00'));
  for (const role of ['viewer', 'operator', 'admin']) {
    const { password } = await admin.call('users.put', { name: `the-${role}`, role });
    passwords[role] = String(password);
  }
});

afterAll(async () => {
  await printer?.close();
  expect(await product?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

interface Warned extends Record<string, unknown> {
  diagnostics: { path: string; severity: string; message: string }[];
}

const connect = (role: string) =>
  OperatorClient.connect({
    url: product.mqtt,
    username: `the-${role}`,
    password: passwords[role]!,
    timeout_ms: 20_000,
  });

test('a list comes in pages that together hold every printer once, in order', async () => {
  const seen: string[] = [];
  let cursor: unknown;
  do {
    const page = await admin.call('printers.list', {
      limit: 10,
      ...(cursor === undefined ? {} : { cursor }),
    });
    seen.push(...(page['items'] as { printer: string }[]).map((item) => item.printer));
    cursor = page['next'];
  } while (cursor !== undefined);
  expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => `op-${String(index).padStart(2, '0')}`));
});

test.each([
  [{ idPrefix: 'op-1' }, 10],
  [{ model: 'C360' }, 1],
  [{ site: 'berlin-3' }, 1],
  [{ label: { ring: 'canary' } }, 1],
  [{ label: { ring: 'broad' } }, 0],
  [{ verdict: 'compatible' }, 1],
  [{ verdict: 'none' }, 24],
  [{ presence: 'online' }, 1],
  [{ software: { id: 'acme.engine', range: '>=2.5.0' } }, 1],
  [{ software: { id: 'acme.engine', range: '<2.5.0' } }, 0],
  [{ trouble: true }, 0],
])('the filter %j finds %i', async (filter, count) => {
  const { items } = await admin.call('printers.list', { filter });
  expect(items).toHaveLength(count);
});

test.each([
  ['id=op-1*', 10],
  ['model=C360 site=berlin-3 label.ring=canary', 1],
  ['verdict=compatible,none presence=offline', 24],
  ['software:acme.engine>=2.5.0', 1],
  ['software:acme.engine<2.5.0', 0],
  ['seen<PT1H', 1],
  ['text~OP-00', 1],
])('where %s finds %i', async (where, count) => {
  const { items, total, exact } = await admin.call('printers.list', { where });
  expect(items).toHaveLength(count);
  expect({ total, exact }).toEqual({ total: count, exact: true });
});

test('a list has the columns that were chosen', async () => {
  const { items } = await admin.call('printers.list', { where: 'id=op-00', columns: ['model', 'site'] });
  expect(items).toEqual([{ printer: 'op-00', model: 'C360', site: 'berlin-3' }]);
});

test.each([
  ['nonsense', {}, 'request/unknown-method'],
  ['printers.list', { where: 'modle=C360' }, 'request/where'],
  ['printers.list', { where: 'model=C36' }, 'request/unknown-model'],
  ['printers.list', { where: 'trouble:jamm' }, 'request/unknown-rule'],
  ['printers.list', { where: 'software:acme.engin' }, 'request/unknown-software'],
  ['printers.list', { where: 'software:acme.engine=">=>"' }, 'request/invalid'],
  ['printers.list', { where: 'id=a', filter: {} }, 'request/invalid'],
  ['printers.list', { sort: 'age' }, 'request/invalid'],
  ['campaigns.preview', { software: { id: 'acme.engine' }, where: '' }, 'request/invalid'],
  ['campaigns.preview', { software: { id: 'acme.engine' }, where: 'id=x*' }, 'request/conflict'],
  ['structure.request', { where: 'id=op-00', fleet: true }, 'request/invalid'],
  ['printers.get', {}, 'request/invalid'],
  ['printers.get', { printer: 'nobody' }, 'request/not-found'],
  ['printers.list', { limit: 0 }, 'request/invalid'],
  ['printers.list', { cursor: '!' }, 'request/invalid'],
  ['printers.list', { filter: { site: 'a\u0000' } }, 'request/invalid'],
  ['printers.list', { filter: { software: { id: 'acme.engine', range: '>=>' } } }, 'request/invalid'],
  ['printers.enroll', {}, 'request/invalid'],
  ['policy.set', { policy: {} }, 'request/invalid'],
  ['catalog.put', { document: { software: 3 } }, 'catalog/invalid'],
  ['rules.put', { document: { rules: 'x', list: [{ id: 'a', when: { nonsense: 1 } }] } }, 'rules/invalid'],
  ['troubles.close', { id: 'none' }, 'request/not-found'],
  ['campaigns.get', { id: 'none' }, 'request/not-found'],
  ['users.remove', { name: 'admin' }, 'request/conflict'],
])('%s with %j is answered with %s', async (method, params, code) => {
  const reply = await admin.request(method, params);
  expect(reply).toMatchObject({ status: 'error', error: { code } });
  expect(reply.error?.hint).toBeTruthy();
});

test('a printer that is enrolled keeps its password, unless a new one is asked for', async () => {
  await admin.call('printers.enroll', { printer: 'twice-1' });
  const refused = await admin.request('printers.enroll', { printers: ['twice-2', 'twice-1'] });
  expect(refused).toMatchObject({ status: 'error', error: { code: 'request/enrolled' } });
  expect(refused.error?.message).toContain('twice-1');
  expect(refused.error?.hint).toContain('again');
  // None of it was done.
  const { password } = await admin.call('printers.enroll', { printer: 'twice-2' });
  const again = await admin.call('printers.enroll', { printer: 'twice-2', again: true });
  expect(again['password']).not.toBe(password);
  await admin.call('printers.revoke', { printer: 'twice-1' });
  await admin.call('printers.enroll', { printer: 'twice-1' });
  await admin.call('printers.revoke', { printer: 'twice-1' });
  await admin.call('printers.revoke', { printer: 'twice-2' });
});

test('a printer that asks with NUL is answered with request/invalid', async () => {
  const answer = await printer.ask('history', { code: 'J\u0000' });
  expect(answer).toMatchObject({ status: 'error', error: { code: 'request/invalid' } });
});

test.each(['viewer', 'operator', 'admin'] as Role[])(
  'a %s may call what the role allows, and nothing else',
  async (role) => {
    for (const method of Object.keys(METHOD_ROLES) as Method[]) {
      if (method === 'users.remove' || method === 'printers.revoke') continue;
      // Each call has its own connection: the broker closes one on a request that is not allowed.
      const operator = await connect(role);
      const reply = await operator.request(method, { id: 'none' }).catch((error: Error) => error);
      const called =
        !(reply instanceof Error) && (reply as OperatorReply).error?.code !== 'request/not-allowed';
      expect([method, called]).toEqual([method, mayCall(role, method)]);
      await operator.close();
    }
  },
  120_000,
);

test('the impact of a catalog is told by count and example, and nothing is put', async () => {
  const catalog = sample('catalog.json') as {
    catalog: string;
    apparatus: { slots: { kind: string; models: string[] }[] }[];
  };
  const finishers = catalog.apparatus[0]!.slots.find(({ kind }) => kind === 'finisher')!;
  finishers.models = ['FS-540'];
  const document = { ...catalog, catalog: 'without FS-539' };
  expect(await admin.call('catalog.impact', { document })).toMatchObject({
    printers: 1,
    changed: 1,
    transitions: [{ from: 'compatible', to: 'incompatible', printers: 1, examples: ['op-00'] }],
  });
  const { document: current } = await admin.call('catalog.get');
  expect((current as { catalog: string }).catalog).toBe(sample('catalog.json')['catalog']);
  await admin.call('catalog.put', { document });
  const verdict = await printer.hear<{ catalog: string; status: string }>(
    printerTopic.verdict('op-00'),
    (heard) => heard.catalog === 'without FS-539',
  );
  expect(verdict.status).toBe('incompatible');
});

test('a catalog that says of a release what was not signed is put, and warned of', async () => {
  const agrees = { ...sample('catalog.json'), catalog: 'as signed' };
  const { diagnostics: none } = (await admin.call('catalog.put', { document: agrees })) as Warned;
  expect(none.filter(({ message }) => message.includes('signed'))).toEqual([]);
  const document = structuredClone(agrees) as unknown as Catalog;
  document.catalog = 'not as signed';
  const [controller] = document.software ?? [];
  if (!controller) throw new Error('the sample has software');
  const at = controller.releases.findIndex(({ version }) => version === '3.2.0');
  Object.assign(controller.releases[at] ?? {}, { from: '>=3.0.0' });
  // A release that nobody has signed yet is no contradiction.
  controller.releases.push({ version: '9.0.0' });
  const { diagnostics } = (await admin.call('catalog.put', { document })) as Warned;
  expect(diagnostics.filter(({ message }) => message.includes('signed'))).toEqual([
    {
      path: `$.software[0].releases[${at}].from`,
      severity: 'warning',
      message:
        'acme.controller 3.2.0: from is ">=3.0.0" in the catalog, ">=3.1.0" is signed; printers go by what is signed',
    },
  ]);
});

test('a name of a catalog never means two things', async () => {
  const document = { ...sample('catalog.json'), catalog: 'without FS-539' };
  expect(await admin.request('catalog.put', { document })).toMatchObject({
    error: { code: 'request/conflict' },
  });
});

test('what was changed stands in the audit, without documents and passwords', async () => {
  const { items } = (await admin.call('audit.list', { limit: 1_000 })) as {
    items: Record<string, unknown>[];
  };
  expect(items.map(({ method }) => method)).toEqual(
    expect.arrayContaining(['catalog.put', 'printers.enroll', 'users.put']),
  );
  const text = JSON.stringify(items);
  for (const password of Object.values(passwords)) expect(text).not.toContain(password);
});

test('a policy reaches one printer, and a default reaches all', async () => {
  await admin.call('policy.set', {
    printer: 'op-00',
    policy: { errors: { mode: 'accumulate', atEntries: 20 } },
  });
  await printer.hear(
    printerTopic.policy('op-00'),
    (policy: { errors: { mode: string } }) => policy.errors.mode === 'accumulate',
  );
  expect(await admin.call('policy.set', { default: true, policy: { structure: { every: 'PT1H' } } })).toEqual(
    { printers: 25 },
  );
  await printer.hear(
    printerTopic.policy('op-00'),
    (policy: { structure: { every: string }; errors: { mode: string } }) =>
      policy.structure.every === 'PT1H' && policy.errors.mode === 'accumulate',
  );
});

test('a revoked printer is disconnected at once and stays out', async () => {
  await admin.call('printers.revoke', { printer: 'op-00' });
  await eventually(() => !printer.client.connected, 'op-00 disconnected');
  const { presence } = await eventually(async () => {
    const item = await admin.call('printers.get', { printer: 'op-00' });
    return item['presence'] === 'offline' && item;
  }, 'op-00 offline');
  expect(presence).toBe('offline');
});
