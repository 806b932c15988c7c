/**
 * A removed printer is gone everywhere, and a new printer with its id inherits nothing, whether the product kept
 * running, was killed in the middle, or was restarted afterwards. Its reports stay stored.
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startEmbeddedPostgres } from '../center/database/embedded-postgres.ts';
import type { OperatorClient } from '../cli/operator-client.ts';
import { printerTopic } from '../schemas/topics.ts';
import type { Campaign, ErrorsAck, Order, Structure, Trouble } from '../schemas/types.ts';
import { connectPacket, RawClient } from './conformance/raw-client.ts';
import { eventually } from './harness/ear.ts';
import { temporaryFolder } from './harness/folder.ts';
import { prepareDatabase } from './harness/prepared.ts';
import { sampleEntries, sampleStructure, TestPrinter } from './harness/printer.ts';
import { type RunningProduct, startProduct } from './harness/product.ts';
import { publishReleases, sample } from './harness/samples.ts';

const folder = temporaryFolder('platen-removing-');
const data = join(folder, 'data');
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const RULES = {
  rules: 'removing.1',
  list: [
    {
      id: 'many-jams',
      where: { all: [['code', '=', 'J-7201']] },
      by: ['printer'],
      when: { count: { ge: 3, over: 'P30D' } },
      severity: [['major', 3]],
    },
  ],
};
let server: Awaited<ReturnType<typeof startEmbeddedPostgres>>;
let database: pg.Client;
let product: RunningProduct;
let operator: OperatorClient;

beforeAll(async () => {
  await prepareDatabase(join(folder, 'server'));
  server = await startEmbeddedPostgres(join(folder, 'server'), silent);
  database = new pg.Client(server.url);
  await database.connect();
  const catalog = sample('catalog.json');
  await publishReleases(data, catalog);
  await start();
  await operator.call('catalog.put', { document: catalog });
  await operator.call('rules.put', { document: RULES });
});
afterAll(async () => {
  await database.end();
  await product.stop();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  product = await startProduct({ data, env: { PLATEN_DATABASE_URL: server.url } });
  operator = await product.operator();
}

async function startAgain(): Promise<void> {
  await product.stop();
  await start();
}

async function enrol(id: string): Promise<string> {
  return String((await operator.call('printers.enroll', { printer: id }))['password']);
}

/** The structure of a printer that needs an update. */
function misfit(): Structure {
  const structure = structuredClone(sampleStructure({ session: randomUUID(), at: new Date().toISOString() }));
  structure.units[0]!.software![0]!.version = '2.4.0';
  return structure;
}

/** Recent entries, so that the trouble is open. */
function jams(to: number) {
  const begin = Date.now() - 60_000;
  return sampleEntries(1, to).map((entry, index) => ({
    ...entry,
    at: new Date(begin + index * 1_000).toISOString(),
  }));
}

const items = async <T>(method: 'troubles.list' | 'printers.list' | 'printers.errors', params: object) =>
  (await operator.call(method, params as Record<string, unknown>))['items'] as T[];

/** Topics of the printer with a retained document. */
async function retained(id: string): Promise<string[]> {
  const { rows } = await database.query<{ topic: string }>(
    `SELECT topic FROM retained WHERE (topic LIKE $1 OR topic LIKE $2) AND length(payload) > 0`,
    [`platen/v1/printers/${id}/%`, `#%${Buffer.from(`${id}\0${id}`).toString('base64url')}%`],
  );
  return rows.map(({ topic }) => topic);
}

/** A client with a kept session, and whether a session was already present. */
async function withSession(id: string, password: string): Promise<{ client: RawClient; present: boolean }> {
  const client = await RawClient.open(Number(new URL(product.mqtt).port));
  client.send(connectPacket({ clientId: id, clean: false, username: id, password }));
  const answer = await client.nextHex();
  expect(['20 0000', '20 0100']).toContain(answer);
  return { client, present: answer === '20 0100' };
}

/**
 * A printer with everything that one can have: verdict, order, campaign, policy, entries, an open trouble, and a kept
 * session in which a message waits. @returns its connection
 */
async function known(id: string): Promise<RawClient> {
  const password = await enrol(id);
  const printer = await TestPrinter.connect(product.mqtt, id, password);
  await printer.structure(misfit());
  await printer.hear(printerTopic.verdict(id));
  await printer.hear<Order>(printerTopic.order(id));
  await printer.say(printerTopic.presence(id), { state: 'online', session: 's-1' }, true);
  await printer.errors({ entries: jams(5) });
  await operator.call('policy.set', { printer: id, policy: { errors: { mode: 'accumulate' } } });
  await printer.hear(printerTopic.policy(id));
  await eventually(
    async () => (await items<Trouble>('troubles.list', { printer: id, open: true })).length === 1,
    'its trouble is open',
  );
  await printer.close();
  const { client } = await withSession(id, password);
  expect(await client.subscribe([printerTopic.requestStructure(id), 1])).toEqual([1]);
  await operator.call('structure.request', { printer: id });
  await client.nextPublish();
  await eventually(async () => {
    const topics = await retained(id);
    return topics.length > 5 && topics.some((topic) => topic.startsWith('#session/'));
  }, 'everything is retained');
  return client;
}

/** Looks for a printer wherever one could be. */
async function isNowhere(id: string): Promise<void> {
  await expect(operator.call('printers.get', { printer: id })).rejects.toThrow('request/not-found');
  expect(await items('printers.list', { filter: { idPrefix: id } })).toEqual([]);
  expect(await items('troubles.list', { printer: id })).toEqual([]);
  expect(await retained(id)).toEqual([]);
  // No table contains its id.
  const { rows } = await database.query<{ table_name: string; column_name: string }>(
    `SELECT c.table_name, c.column_name FROM information_schema.columns c
     JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
       -- What happened within the last hour, the removal too.
       AND table_name <> 'fleet_events'
       AND (column_name = 'printer' OR (table_name, column_name) IN
            (('printers', 'id'), ('credentials', 'name'), ('policies', 'key')))`,
  );
  expect(rows.length).toBeGreaterThan(18);
  for (const { table_name, column_name } of rows) {
    const { rows: left } = await database.query(`SELECT FROM ${table_name} WHERE ${column_name} = $1`, [id]);
    expect([table_name, left.length]).toEqual([table_name, 0]);
  }
}

/** Enrols the id again and checks that the new printer starts from scratch. */
async function inheritsNothing(id: string): Promise<TestPrinter> {
  const password = await enrol(id);
  const found = (await operator.call('printers.get', { printer: id })) as Record<string, unknown>;
  expect(found).toMatchObject({ openTroubles: 0, verdict: 'none', logs: [], changes: [], labels: {} });
  expect(found).not.toHaveProperty('structure');
  expect(found).not.toHaveProperty('standing');
  expect(found).not.toHaveProperty('policy');
  expect(await items('printers.errors', { printer: id })).toEqual([]);
  const { client, present } = await withSession(id, password);
  expect(present).toBe(false);
  await client.disconnect();
  const printer = await TestPrinter.connect(product.mqtt, id, password);
  await sleep(500);
  expect(printer.ear.heard).toEqual([]);
  // Its log begins with 1, under the same name as the previous printer's log.
  await printer.errors({ entries: jams(2) });
  const ack = await printer.hear<ErrorsAck>(printerTopic.errorsAck(id));
  expect(ack).toEqual({ log: 'log-1', upTo: 2 });
  expect(await items('printers.errors', { printer: id })).toHaveLength(2);
  // Two of three entries: those of the previous printer don't count.
  await sleep(500);
  expect(await items('troubles.list', { printer: id })).toEqual([]);
  return printer;
}

/** Stored entries of removed printers with this id. */
async function entriesKept(id: string): Promise<number> {
  const { rows } = await database.query<{ n: string }>(
    'SELECT count(*) AS n FROM error_entries WHERE printer LIKE $1',
    [`${id}~%`],
  );
  return Number(rows[0]!.n);
}

test('a printer that was removed is nowhere, and whoever gets its id inherits nothing', async () => {
  const before = (await operator.call('fleet.summary'))['printers'];
  const client = await known('gone-1');
  const [trouble] = await items<Trouble>('troubles.list', { printer: 'gone-1' });
  const { items: campaigns } = (await operator.call('campaigns.list', {})) as { items: Campaign[] };
  await operator.call('printers.remove', { printer: 'gone-1' });
  await client.closed();
  await isNowhere('gone-1');
  expect((await operator.call('fleet.summary'))['printers']).toBe(before);
  expect(await entriesKept('gone-1')).toBe(5);
  const { rows: troubles } = await database.query('SELECT state, explanation FROM troubles WHERE id = $1', [
    trouble!.id,
  ]);
  expect(troubles).toEqual([{ state: 'closed', explanation: 'The printer was removed.' }]);
  const { rows: documents } = await database.query('SELECT FROM retained WHERE topic = $1', [
    `platen/v1/fleet/troubles/${trouble!.id}`,
  ]);
  expect(documents).toEqual([]);
  // No campaign waits for it.
  await eventually(async () => {
    const { rows } = await database.query(
      "SELECT FROM campaign_targets WHERE printer LIKE 'gone-1%' AND state IN ('waiting', 'dispatched')",
    );
    return rows.length === 0;
  }, 'its campaign goes on without it');
  expect(campaigns.length).toBeGreaterThan(0);
  const preview = await operator.call('campaigns.preview', { fleet: true, remedy: 'each' }).catch(String);
  expect(JSON.stringify(preview)).not.toContain('gone-1');

  const again = await inheritsNothing('gone-1');
  // It takes part like any other.
  await again.structure(misfit());
  await again.hear<Order>(printerTopic.order('gone-1'));
  await again.close();
  // A restart, which reads everything anew, does not confuse the two either.
  await startAgain();
  expect(await items('printers.errors', { printer: 'gone-1' })).toHaveLength(2);
  expect(await items('troubles.list', { printer: 'gone-1' })).toEqual([]);
  expect(await entriesKept('gone-1')).toBe(5);
  // It may be removed again.
  await operator.call('printers.remove', { printer: 'gone-1' });
  await isNowhere('gone-1');
  expect(await entriesKept('gone-1')).toBe(7);
});

test('the rules made anew from the log do not see what removed printers reported', async () => {
  await known('gone-2');
  await operator.call('printers.remove', { printer: 'gone-2' });
  const printer = await inheritsNothing('gone-2');
  await operator.call('rules.put', {
    document: {
      rules: 'removing.2',
      list: [{ ...RULES.list[0], when: { count: { ge: 3, over: 'P20D' } } }],
    },
  });
  expect(await items('troubles.list', { open: true })).toEqual([]);
  await printer.close();
});

test('killed in the middle, the next start finishes it', async () => {
  await known('gone-3');
  // The transaction that removes it waits here; everything before it is done.
  await database.query('BEGIN');
  await database.query('LOCK TABLE structure_history IN ACCESS EXCLUSIVE MODE');
  const asked = operator.call('printers.remove', { printer: 'gone-3' }).catch(() => undefined);
  await eventually(async () => {
    const { rows } = await database.query(
      `SELECT FROM pg_locks WHERE NOT granted AND relation = 'structure_history'::regclass`,
    );
    return rows.length > 0;
  }, 'it waits in the middle');
  // Until the removal is finished nobody gets the id.
  await expect(operator.call('printers.enroll', { printer: 'gone-3' })).rejects.toThrow('request/conflict');
  await product.kill();
  await asked;
  await database.query('ROLLBACK');
  const { rows } = await database.query('SELECT printer FROM removals');
  expect(rows).toEqual([{ printer: 'gone-3' }]);
  expect((await database.query("SELECT FROM printers WHERE id = 'gone-3'")).rowCount).toBe(1);
  await start();
  await isNowhere('gone-3');
  expect(await entriesKept('gone-3')).toBe(5);
  await (await inheritsNothing('gone-3')).close();
});

test('several are removed only with their number said, and unknown ones not at all', async () => {
  for (const id of ['many-1', 'many-2']) await enrol(id);
  const remove = (params: Record<string, unknown>) => operator.call('printers.remove', params);
  const printers = ['many-1', 'many-2'];
  await expect(remove({ printers })).rejects.toThrow('"expect": {"printers": 2}');
  await expect(remove({ printers, expect: { printers: 3 } })).rejects.toThrow('3 were expected');
  await expect(remove({ printers: [...printers, 'many-3'], expect: { printers: 3 } })).rejects.toThrow(
    'request/unknown-printer',
  );
  await expect(remove({ printer: 'many-1', reason: 'old' })).rejects.toThrow('reason');
  expect(await items('printers.list', { filter: { idPrefix: 'many-' } })).toHaveLength(2);
  const done = await remove({ printers, expect: { printers: 2 } });
  expect(done).toMatchObject({ printers });
  for (const id of printers) await isNowhere(id);
  const { items: audited } = (await operator.call('audit.list', { method: 'printers.remove' })) as {
    items: { params: object }[];
  };
  expect(audited[0]!.params).toMatchObject({ printers });
});
