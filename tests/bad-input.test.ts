/**
 * Bad input gets a clear error and changes nothing: payloads, connections, settings.
 */
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import mqtt, { type IClientOptions } from 'mqtt';
import { printerTopic } from '../schemas/topics.ts';
import type { Refused } from '../schemas/types.ts';
import { eventually } from './harness/ear.ts';
import { temporaryFolder } from './harness/folder.ts';
import { freePort } from './harness/ports.ts';
import { sampleEntries, sampleStructure, type TestPrinter } from './harness/printer.ts';
import { platen } from './harness/product.ts';
import { useProduct } from './harness/setting.ts';

const setting = useProduct();
const ID = 'bad-input';
const STRUCTURE = printerTopic.structure(ID);
const ERRORS = printerTopic.errors(ID);

/** `platen_refused_total` by code. */
async function refusedTotal(): Promise<Record<string, number>> {
  const text = await (await fetch(new URL('metrics', setting.product.http))).text();
  const counts: Record<string, number> = {};
  for (const [, code, count] of text.matchAll(/^platen_refused_total\{code="([^"]+)"\} (\d+)$/gm))
    counts[code!] = Number(count);
  return counts;
}

describe('payloads', () => {
  let printer: TestPrinter;
  let before: unknown;

  /** Everything that a refused payload might have changed, as operators and clients see it. */
  async function state(): Promise<unknown> {
    const { operator } = setting;
    const { lastSeen: _moves, ...details } = await operator.call('printers.get', { printer: ID });
    const { items } = await operator.call('printers.errors', { printer: ID });
    const retained = await setting.listen(`platen/v1/printers/${ID}/#`);
    const structure = await retained.hear(STRUCTURE);
    const verdict = await retained.hear(printerTopic.verdict(ID));
    return { details, items, structure, verdict };
  }

  beforeAll(async () => {
    printer = await setting.printer(ID);
    await printer.structure(sampleStructure({ revision: 3 }));
    await printer.verdictOn(3);
    await printer.errors({ entries: sampleEntries(1, 2) });
    before = await state();
  });

  const units = sampleStructure().units;
  const cases: [string, string, string | Buffer | object, string][] = [
    ['text that is no JSON', STRUCTURE, 'oops', 'payload/not-json'],
    ['JSON that is no object', ERRORS, '[]', 'payload/not-json'],
    ['bytes that are no UTF-8', STRUCTURE, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'payload/not-json'],
    ['a missing field', STRUCTURE, { ...sampleStructure(), apparatus: undefined }, 'payload/schema'],
    ['a field of another type', STRUCTURE, { ...sampleStructure(), revision: '7' }, 'payload/schema'],
    ['a reason that there is not', STRUCTURE, { ...sampleStructure(), reason: 'mood' }, 'payload/schema'],
    [
      'a time that is none',
      ERRORS,
      { log: 'l', first: 1, reason: 'event', entries: sampleEntries(3, 3, { at: 'yesterday' }) },
      'payload/schema',
    ],
    [
      'more than 500 entries',
      ERRORS,
      { log: 'log-1', first: 1, reason: 'event', entries: sampleEntries(3, 503) },
      'payload/schema',
    ],
    [
      'more than 64 KiB of entries',
      ERRORS,
      {
        log: 'log-1',
        first: 1,
        reason: 'event',
        entries: sampleEntries(3, 22, { detail: { text: 'x'.repeat(4_000) } }),
      },
      'payload/too-large',
    ],
    [
      'a symbol that is there twice',
      STRUCTURE,
      sampleStructure({ revision: 4, units: [...units, { ...units[1]!, serial: 'F-9' }] }),
      'payload/duplicate-symbol',
    ],
    [
      'a seq that goes backwards',
      ERRORS,
      {
        log: 'log-1',
        first: 1,
        reason: 'event',
        entries: [...sampleEntries(3, 4), ...sampleEntries(3, 3)],
      },
      'payload/seq-backwards',
    ],
    [
      'a revision that goes backwards',
      STRUCTURE,
      sampleStructure({ revision: 2 }),
      'payload/revision-backwards',
    ],
    ['an update report that is none', printerTopic.update(ID), { state: 'ready' }, 'payload/schema'],
    ['a presence that is none', printerTopic.presence(ID), { state: 'asleep' }, 'payload/schema'],
    ['an ask without an id', printerTopic.ask(ID, 'verdict'), {}, 'payload/schema'],
  ];

  test.each(cases)('%s: refused as a whole, counted, told', async (_what, topic, payload, code) => {
    const { [code]: counted = 0 } = await refusedTotal();
    await printer.say(topic, payload, topic === STRUCTURE);
    const refused = await printer.hear<Refused>(printerTopic.refused(ID));
    expect(refused).toMatchObject({ topic, code });
    expect(refused.message).not.toBe('');
    expect((await refusedTotal())[code]).toBe(counted + 1);
  });

  test('nothing changed: not in the store, not on the retained topics; the connection is kept', async () => {
    expect(await state()).toEqual(before);
    expect(printer.client.connected).toBe(true);
    // A valid batch is still accepted.
    await printer.errors({ entries: sampleEntries(3, 3) });
    await printer.hear(printerTopic.errorsAck(ID), ({ upTo }) => upTo === 3);
  });

  test('one line in the log for each kind of payload, however many were refused', async () => {
    const refusals = () => setting.product.log.filter(({ msg = '' }) => msg.includes('was refused'));
    await eventually(() => refusals().length >= 5, 'the lines of the log');
    const lines = refusals();
    expect(lines.map(({ printer, kind }) => `${printer} ${kind}`).sort()).toEqual(
      ['ask', 'errors', 'presence', 'structure', 'update'].map((kind) => `${ID} ${kind}`),
    );
  });

  test('another printer is not touched: the publish ends the connection, as MQTT 3.1.1 has it', async () => {
    const victim = await setting.printer('victim');
    await victim.structure(sampleStructure());
    await victim.verdictOn(1);
    const events = await setting.listen('platen/v1/fleet/events/security');
    const liar = await setting.printer('liar');
    const closed = new Promise<void>((resolve) => liar.client.once('close', () => resolve()));
    liar.client.publish(
      printerTopic.structure('victim'),
      JSON.stringify(sampleStructure({ revision: 2, units: [] })),
      { qos: 1, retain: true },
    );
    await closed;
    expect(await events.hear('platen/v1/fleet/events/security')).toMatchObject({
      kind: 'security',
      printer: 'liar',
    });
    const { structure } = await setting.operator.call('printers.get', { printer: 'victim' });
    expect(structure).toMatchObject({ revision: 1 });
    expect(victim.client.connected).toBe(true);
  });

  test('a packet beyond any limit ends the connection, and only that one', async () => {
    const loud = await setting.printer('loud');
    const closed = new Promise<void>((resolve) => loud.client.once('close', () => resolve()));
    loud.client.publish(printerTopic.structure('loud'), Buffer.alloc(2 * 1024 * 1024, 'x'), { qos: 1 });
    await closed;
    expect(printer.client.connected).toBe(true);
  });
});

describe('requests', () => {
  test.each([
    ['printers.fly', {}, 'request/unknown-method'],
    ['printers.get', {}, 'request/invalid'],
    ['printers.get', { printer: 'nobody' }, 'request/not-found'],
    ['printers.list', { limit: 1_001 }, 'request/invalid'],
    ['catalog.put', { document: { catalog: 'x', software: [{ id: 'a' }] } }, 'catalog/invalid'],
    ['rules.put', { document: { rules: 'x', list: [{ id: 'a' }] } }, 'rules/invalid'],
    ['catalog.put', { document: { catalog: '2026-11-22.1', apparatus: [] } }, 'request/conflict'],
  ])('%s %j is answered %s', async (method, params, code) => {
    const reply = await setting.operator.request(method, params);
    expect(reply).toMatchObject({ status: 'error', error: { code } });
    expect(reply.error?.message).toBeTruthy();
    expect(reply.error?.hint).toBeTruthy();
    const { document } = await setting.operator.call('catalog.get');
    expect(document).toMatchObject({ catalog: '2026-11-22.1' });
  });
});

describe('payloads that are no requests', () => {
  const topic = 'platen/v1/ops/admin/request/printers.list';

  test.each([
    ['broken JSON', '{"id":"b1","params":{', 'invalid', 'payload/not-json', 'not a JSON object'],
    [
      'bytes that are no UTF-8',
      Buffer.from([0x7b, 0xff]),
      'invalid',
      'payload/not-json',
      'not a JSON object',
    ],
    ['a list', '[]', 'invalid', 'payload/not-json', 'an object is expected'],
    ['no id', '{"params":{}}', 'invalid', 'request/invalid', "must have required property 'id'"],
    ['an id that is no topic', '{"id":"#"}', 'invalid', 'request/invalid', '/id must match pattern'],
    [
      'parameters beside "params"',
      '{"id":"b2","filter":{"site":"x"}}',
      'b2',
      'request/invalid',
      'unknown member "filter" in /',
    ],
    [
      'a misspelt "params"',
      '{"id":"b3","parms":{}}',
      'b3',
      'request/invalid',
      'unknown member "parms" in /; did you mean "params"?',
    ],
  ])('%s is answered once', async (_what, payload, id, code, message) => {
    const replies = await setting.listen('platen/v1/ops/admin/reply/#');
    const { username, password } = setting.product.admin;
    const client = await mqtt.connectAsync(setting.product.mqtt, {
      username,
      password,
      clientId: 'admin-raw',
    });
    await client.publishAsync(topic, payload, { qos: 1 });
    const reply = await replies.hear(`platen/v1/ops/admin/reply/${id}`);
    expect(reply).toMatchObject({ id, status: 'error', error: { code } });
    expect((reply as { error: { message: string } }).error.message).toContain(message);
    await setting.operator.call('printers.list', { limit: 1 });
    expect(replies.heard.filter((heard) => heard.topic.endsWith(`/reply/${id}`))).toEqual([]);
    await client.endAsync();
  });

  test.each([
    'printers.list',
    'printers.errors',
    'troubles.list',
    'releases.list',
    'campaigns.list',
    'campaigns.get',
    'audit.list',
  ])('%s refuses a cursor that it never gave', async (method) => {
    const base =
      method === 'printers.errors' ? { printer: ID } : method === 'campaigns.get' ? { id: 'none' } : {};
    // The last is a cursor of another list.
    const other = Buffer.from(JSON.stringify(['configurations', 'a'])).toString('base64url');
    for (const cursor of ['!', 'abc_def', '2026-11-22T07:00:00Z_x', '12', other]) {
      expect(await setting.operator.request(method, { ...base, cursor })).toMatchObject({
        status: 'error',
        error: { code: 'request/invalid', message: expect.stringContaining('/cursor') },
      });
    }
  });
});

describe('access', () => {
  const connect = (options: IClientOptions) =>
    mqtt.connectAsync(
      setting.product.mqtt,
      { reconnectPeriod: 0, connectTimeout: 10_000, ...options },
      false,
    );

  test.each([
    ['nobody', {}],
    ['an operator with a wrong password', { username: 'admin', password: 'guess' }],
    ['an operator without a password', { username: 'admin' }],
    ['a printer with a wrong password', { clientId: ID, username: ID, password: 'guess' }],
    ['a printer that was never enrolled', { clientId: 'ghost', username: 'ghost', password: 'guess' }],
  ])('%s gets no connection', async (_who, options) => {
    await expect(connect(options)).rejects.toMatchObject({ code: expect.any(Number) });
  });

  test('a printer cannot connect under the id of another', async () => {
    const { password } = await setting.operator.call('printers.enroll', { printer: 'one' });
    await expect(
      connect({ clientId: 'two', username: 'one', password: String(password) }),
    ).rejects.toMatchObject({ code: expect.any(Number) });
  });

  test('a printer hears its own downlinks only', async () => {
    const printer = await setting.printer('curious');
    const filters = ['#', 'platen/v1/printers/#', 'platen/v1/fleet/#', printerTopic.verdict(ID), '$SYS/#'];
    for (const filter of filters) {
      // A refused filter is 0x80 in the SUBACK.
      const refused = await printer.client.subscribeAsync(filter).then(
        (granted) => granted[0]?.qos,
        (error: Error & { code?: number }) => error.code ?? 128,
      );
      expect([filter, refused]).toEqual([filter, 128]);
    }
    expect(printer.client.connected).toBe(true);
  });

  test('a viewer reads and changes nothing', async () => {
    const { password } = await setting.operator.call('users.put', { name: 'vera', role: 'viewer' });
    const { OperatorClient } = await import('../cli/operator-client.ts');
    const credentials = { url: setting.product.mqtt, username: 'vera', password: String(password) };
    const vera = await OperatorClient.connect(credentials);
    expect(await vera.call('printers.list')).toHaveProperty('items');
    await vera.close();
    const events = await setting.listen('platen/v1/fleet/events/security');
    const client = await connect({ username: 'vera', password: String(password), clientId: 'vera-1' });
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    client.publish('platen/v1/ops/vera/request/printers.enroll', JSON.stringify({ id: '1', params: {} }), {
      qos: 1,
    });
    await closed;
    await events.hear('platen/v1/fleet/events/security');
  });

  test('a revoked printer is disconnected at once and stays out', async () => {
    const printer = await setting.printer('leaver');
    const closed = new Promise<void>((resolve) => printer.client.once('close', () => resolve()));
    await setting.operator.call('printers.revoke', { printer: 'leaver' });
    await closed;
    await expect(connect({ ...printer.client.options, reconnectPeriod: 0 })).rejects.toMatchObject({
      code: expect.any(Number),
    });
  });
});

describe('settings', () => {
  const folder = temporaryFolder('platen-settings-');
  const servers: Server[] = [];
  const env = {
    PLATEN_DATA: join(folder, 'data'),
    PLATEN_MQTT_PORT: '0',
    PLATEN_HTTP_PORT: '0',
    PLATEN_LOG: 'json',
  };
  afterAll(async () => {
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  async function occupied(): Promise<number> {
    const port = await freePort();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    servers.push(server);
    return port;
  }

  // cli/settings.test.ts tests each setting alone; this tests how the process reports it.
  test('a wrong setting is named, and the exit code is 1', async () => {
    const wrong: [Record<string, string>, string][] = [
      [{ PLATEN_MQTT_PORT: 'mqtt' }, 'PLATEN_MQTT_PORT'],
      [{ PLATEN_ACCESS: 'open', PLATEN_HOST: '0.0.0.0' }, 'PLATEN_ACCESS'],
      [{ PLATEN_DATA: import.meta.filename }, 'PLATEN_DATA'],
    ];
    const ended = await Promise.all(wrong.map(([change]) => platen(['up'], { env: { ...env, ...change } })));
    for (const [index, { code, stderr }] of ended.entries()) {
      expect(stderr).toContain(wrong[index]![1]);
      expect(stderr).not.toContain('    at ');
      expect(code).toBe(1);
    }
  });

  test('a database that cannot be reached is said, with the exit code 1', async () => {
    const url = `postgres://nobody:secret-word@127.0.0.1:${await freePort()}/none`;
    const { code, stderr, stdout } = await platen(['up'], { env: { ...env, PLATEN_DATABASE_URL: url } });
    expect(code).toBe(1);
    expect(stderr).toContain('database');
    expect(stderr).not.toContain('    at ');
    expect(stderr + stdout).not.toContain('secret-word');
  });

  test('a port in use is said, with its setting and the exit code 1', async () => {
    const mqttPort = String(await occupied());
    const httpPort = String(await occupied());
    const first = await platen(['up'], { env: { ...env, PLATEN_MQTT_PORT: mqttPort } });
    expect(first.code).toBe(1);
    expect(first.stderr).toContain(`Port ${mqttPort}`);
    expect(first.stderr).toContain('PLATEN_MQTT_PORT');
    // The failed start left nothing behind that would break the next one.
    const second = await platen(['up'], { env: { ...env, PLATEN_HTTP_PORT: httpPort } });
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`Port ${httpPort}`);
    expect(second.stderr).toContain('PLATEN_HTTP_PORT');
  });
});

test('the product is none the worse for all that', async () => {
  await eventually(async () => (await fetch(new URL('readyz', setting.product.http))).ok, 'ready');
  expect(setting.product.log.filter(({ level }) => level >= 50)).toEqual([]);
});
