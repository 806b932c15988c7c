/**
 * Schemas of operators' input are closed: one that accepts unknown members would take a misspelt filter for the whole
 * fleet. Payloads of printers stay open, as the wire contract requires.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { METHOD_ROLES } from './roles.ts';
import {
  checkParams,
  findPolicyFault,
  parsePayload,
  schemaFault,
  withoutUnknownMembers,
} from './validate.ts';

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  [keyword: string]: unknown;
}

/** Objects whose content is checked elsewhere, or can't be known in advance. */
const OPEN: Record<string, string> = {
  'operator-request.json/params': 'each method has a schema of its own',
  'catalog.put.json/document': 'checked by catalog.json',
  'catalog.impact.json/document': 'checked by catalog.json',
  'rules.put.json/document': 'checked by rules.json',
  'rules.json/list/items/where': 'checked by the compiler of the rules',
  'rules.json/list/items/when': 'checked by the compiler of the rules',
  'rules.json/list/items/clear': 'checked by the compiler of the rules',
  'rules.json/list/items/remedy': 'checked by the compiler of the rules',
  'scenario.json/populations/items/policy': 'checked by the policy of policy.set',
  'scenario.json/populations/items/errors/items/detail': "a printer's own words",
  'agents.json/printers/items/command/settings': 'handed to a program of yours',
};

function* objectsOf(schema: Schema, path: string): Generator<[path: string, Schema]> {
  if (schema.type === 'object' || schema.properties) yield [path, schema];
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === 'properties' || keyword === 'definitions') {
      for (const [name, one] of Object.entries(value as Record<string, Schema>)) {
        yield* objectsOf(one, `${path}/${name}`);
      }
    } else if (Array.isArray(value)) {
      for (const one of value) if (typeof one === 'object' && one !== null) yield* objectsOf(one, path);
    } else if (typeof value === 'object' && value !== null) {
      yield* objectsOf(value as Schema, `${path}/${keyword}`);
    }
  }
}

const FILES = ['methods', 'documents'].flatMap((folder) =>
  readdirSync(new URL(`./${folder}/`, import.meta.url)).map((file) => `${folder}/${file}`),
);
const SCHEMAS = [...FILES, 'wire/operator-request.json'].map((file) => {
  const schema = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as Schema;
  return [file.slice(file.indexOf('/') + 1), schema] as const;
});

test.each(SCHEMAS)('%s is closed at every object', (file, schema) => {
  const open = [...objectsOf(schema, file)]
    // A map declares the schema of its values.
    .filter(([, { additionalProperties }]) => typeof additionalProperties !== 'object')
    .filter(([, { additionalProperties }]) => additionalProperties !== false)
    .map(([path]) => path);
  expect(open.filter((path) => OPEN[path] === undefined)).toEqual([]);
});

test('every method has a schema, and every exception is still there', () => {
  const files = SCHEMAS.map(([file]) => file);
  expect(Object.keys(METHOD_ROLES).filter((method) => !files.includes(`${method}.json`))).toEqual([]);
  const paths = new Set(
    SCHEMAS.flatMap(([file, schema]) => [...objectsOf(schema, file)].map(([path]) => path)),
  );
  expect(Object.keys(OPEN).filter((path) => !paths.has(path))).toEqual([]);
});

test.each([
  ['printers.list', { fliter: { site: 'a' } }, 'unknown member "fliter" in /; did you mean "filter"?'],
  ['printers.list', { filter: { sites: 'a' } }, 'unknown member "sites" in /filter; did you mean "site"?'],
  [
    'printers.list',
    { filter: { software: { id: 'a', rang: '1' } } },
    'unknown member "rang" in /filter/software; did you mean "range"?',
  ],
  [
    'campaigns.preview',
    { options: { window: { from: '01:00', to: '02:00', day: [1] } } },
    'unknown member "day" in /options/window; did you mean "days"?',
  ],
  ['users.list', { constructor: 1 }, 'unknown member "constructor" in /'],
  [
    'printers.get',
    { prnter: 'a' },
    `/ must have required property 'printer'; unknown member "prnter" in /; did you mean "printer"?`,
  ],
  ['printers.list', { filter: { verdict: 'compatble' } }, 'did you mean "compatible"?'],
] as const)('%s with %j names the wrong word and the right one', (method, params, reason) => {
  expect(() => checkParams(method, params)).toThrow(
    expect.objectContaining({ code: 'request/invalid', message: expect.stringContaining(reason) }),
  );
});

test('a request whose parameters stand beside "params" is refused, not taken for one without', () => {
  const text = '{"id":"1","filter":{"site":"berlin"}}';
  expect(() => parsePayload('operator-request', Buffer.from(text))).toThrow(/unknown member "filter" in \//);
});

test('documents and policies that somebody writes are closed, payloads of printers are not', () => {
  const release = { version: '2.5.0', form: '>=2.3.0' };
  const catalog = { catalog: 'c', software: [{ id: 'acme.engine', releases: [release] }] };
  expect(schemaFault('catalog', catalog)).toBe(
    'unknown member "form" in /software/0/releases/0; did you mean "from"?',
  );
  expect(findPolicyFault({ structure: { evry: 'PT1H' } })?.message).toBe(
    'unknown member "evry" in /structure; did you mean "every"?',
  );
  const presence = { state: 'online', session: 's', at: '2026-11-22T07:00:00Z', more: { of: 1 } };
  expect(schemaFault('presence', presence)).toBeUndefined();
  expect(schemaFault('policy', { structure: { every: 'PT1H' }, later: {} })).toBeUndefined();
});

test('of a stored document only what nobody knows is left out, and the stored one stays as it is', () => {
  const stored = { catalog: 'c', note: 'x', software: [{ id: 'a', releases: [{ version: '1', form: '' }] }] };
  const kept = withoutUnknownMembers('catalog', stored);
  expect(kept).toEqual({ catalog: 'c', software: [{ id: 'a', releases: [{ version: '1' }] }] });
  expect(stored).toHaveProperty('note', 'x');
});
