import { readdirSync, readFileSync } from 'node:fs';
import mqtt, { type MqttClient } from 'mqtt';
import type { OperatorClient } from '../cli/operator-client.ts';
import { METHOD_ROLES, type Method } from '../schemas/roles.ts';
import { opsTopic, PREFIX, replyPrefix } from '../schemas/topics.ts';
import { Ear } from './harness/ear.ts';
import { platen, type RunningProduct, startProduct } from './harness/product.ts';

// Secrets reach only their owner: not the audit, the log, events, or other replies.

interface Schema {
  type?: string;
  enum?: unknown[];
  minimum?: number;
  'x-secret'?: boolean;
  properties?: Record<string, Schema>;
  items?: Schema;
  required?: string[];
}

const LOOKS_SECRET =
  /pass(word|phrase|wd)?$|secret|token|credential|(^|[a-z])(auth|priv|api|access)(key|code)$|^key$|community/i;
const CANARY = 'canary-3f81c2d09ab4';

function* properties(
  schema: Schema,
  path: string,
): Generator<{ path: string; name: string; schema: Schema }> {
  for (const [name, one] of Object.entries(schema.properties ?? {})) {
    yield { path: `${path}/${name}`, name, schema: one };
    yield* properties(one, `${path}/${name}`);
  }
  if (schema.items) yield* properties(schema.items, `${path}[]`);
}

function schemas(): { file: string; schema: Schema }[] {
  return ['wire', 'documents', 'methods'].flatMap((folder) => {
    const base = new URL(`../schemas/${folder}/`, import.meta.url);
    return readdirSync(base).map((file) => ({
      file: `${folder}/${file}`,
      schema: JSON.parse(readFileSync(new URL(file, base), 'utf8')) as Schema,
    }));
  });
}

function schemaOf(method: Method): Schema {
  return schemas().find(({ file }) => file === `methods/${method}.json`)?.schema ?? {};
}

/** Parameters with the canary in every secret, and plain values in the other required fields. */
function withCanaries(schema: Schema): Record<string, unknown> {
  const of = (one: Schema): unknown => {
    if (one.enum) return one.enum[0];
    if (one.type === 'object') return withCanaries(one);
    if (one.type === 'integer' || one.type === 'number') return one.minimum ?? 1;
    if (one.type === 'boolean') return true;
    if (one.type === 'array') return [of(one.items ?? {})];
    return one['x-secret'] ? CANARY : 'plain';
  };
  return Object.fromEntries(
    Object.entries(schema.properties ?? {})
      .filter(([name]) => LOOKS_SECRET.test(name) || schema.required?.includes(name))
      .map(([name, one]) => [name, of(one)]),
  );
}

test('every property of a schema that looks secret is marked as one', () => {
  const unmarked = schemas().flatMap(({ file, schema }) =>
    [...properties(schema, '')]
      .filter(
        (one) =>
          one.schema.type !== 'boolean' && LOOKS_SECRET.test(one.name) && one.schema['x-secret'] !== true,
      )
      .map(({ path }) => `${file}${path}`),
  );
  expect(unmarked).toEqual([]);
});

describe('a canary in every secret parameter', () => {
  let product: RunningProduct;
  let admin: OperatorClient;
  let client: MqttClient;
  let ear: Ear;

  beforeAll(async () => {
    product = await startProduct();
    admin = await product.operator();
    client = await mqtt.connectAsync(product.mqtt, { ...product.admin, clientId: 'ear' });
    ear = new Ear(client);
    await client.subscribeAsync(`${PREFIX}fleet/#`, { qos: 1 });
    await client.subscribeAsync(`${replyPrefix(product.admin.username)}#`, { qos: 1 });
  });

  afterAll(async () => {
    await client?.endAsync(true);
    expect(await product?.stop()).toBe(0);
  });

  test.each(Object.keys(METHOD_ROLES) as Method[])('%s gives it away nowhere', async (method) => {
    const schema = schemaOf(method);
    const named = withCanaries(schema);
    // A secret under a misspelled name is still a secret.
    const unknown = { passwort: CANARY, Password: CANARY, nested: { apiToken: CANARY } };
    const minimal: Record<Method, Record<string, unknown>> = {
      ...(Object.fromEntries(Object.keys(METHOD_ROLES).map((one) => [one, {}])) as Record<Method, object>),
      'users.put': { name: 'lena', role: 'viewer', password: CANARY },
      'users.remove': { name: 'lena' },
      'printers.enroll': { printer: 'office-7' },
      'printers.revoke': { printer: 'office-7' },
      'policy.set': { default: true, policy: {} },
      'structure.request': { filter: {} },
      'errors.request': { filter: {} },
    } as Record<Method, Record<string, unknown>>;
    for (const params of [minimal[method], named, { ...minimal[method], ...unknown }]) {
      await admin.request(method, params);
    }
    // A secret in JSON that is malformed right after it.
    const broken = `{"id":"b","params":{"name":"x","password":"${CANARY}"x}}`;
    const unquoted = `{"id":"b","params":{"name":"x","password":${CANARY}}}`;
    for (const payload of [broken, unquoted]) {
      await client.publishAsync(opsTopic.request(product.admin.username, method), payload, { qos: 1 });
    }
    const { items } = await admin.call('audit.list', { limit: 1_000 });
    expect(JSON.stringify(items)).not.toContain(CANARY);
    expect(JSON.stringify(product.log)).not.toContain(CANARY.slice(0, 6));
    expect(ear.heard.filter(({ payload }) => payload.includes(CANARY))).toEqual([]);
  });

  test('a secret is taken from standard input, and a warning says why when it stands among the arguments', async () => {
    const parameters = JSON.stringify({ name: 'ida', role: 'viewer', password: `${CANARY}-ida` });
    const flags = ['--url', product.mqtt, '--data', product.data];
    const piped = await platen(['request', 'users.put', '-', ...flags], { input: parameters });
    expect(piped).toMatchObject({ code: 0, stderr: '' });
    expect(piped.stdout).not.toContain(CANARY);
    const told = await platen(['request', 'users.put', parameters, ...flags]);
    expect(told.code).toBe(0);
    expect(told.stderr).toContain('/password');
    expect(told.stderr).not.toContain(CANARY);
    // The chosen password works.
    const ida = await mqtt.connectAsync(product.mqtt, { username: 'ida', password: `${CANARY}-ida` });
    await ida.endAsync();
  });
});
