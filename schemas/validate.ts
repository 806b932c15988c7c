/**
 * Validates payloads and documents against the JSON Schemas. All input passes here once.
 */
import { isAscii } from 'node:buffer';
import { readdirSync, readFileSync } from 'node:fs';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormatsModule from 'ajv-formats';
import { PlatenError, reasonOf } from './errors.ts';
import { parseJson } from './json.ts';
import { NESTING_LEVELS_MAX } from './limits.ts';
import { didYouMean, unknownMember } from './nearest-name.ts';
import type { SecretSchema } from './secrets.ts';
import type {
  AdminCredentials,
  AgentsConfig,
  Answer,
  Ask,
  Campaign,
  Catalog,
  DownlinkRequest,
  ErrorBatch,
  ErrorsAck,
  FleetEvent,
  FleetSummary,
  Mapping,
  MethodParams,
  OperatorReply,
  OperatorRequest,
  Order,
  Policy,
  Presence,
  Readings,
  Refused,
  Scenario,
  Structure,
  Trouble,
  TroubleRules,
  UpdateReport,
  Verdict,
} from './types.ts';

/** Schema names (file names) to the types that they describe. */
export interface SchemaTypes {
  presence: Presence;
  structure: Structure;
  errors: ErrorBatch;
  readings: Readings;
  update: UpdateReport;
  ask: Ask;
  answer: Answer;
  refused: Refused;
  policy: Policy;
  request: DownlinkRequest;
  'errors-ack': ErrorsAck;
  verdict: Verdict;
  order: Order;
  'operator-request': OperatorRequest;
  'operator-reply': OperatorReply;
  'fleet-summary': FleetSummary;
  'fleet-event': FleetEvent;
  trouble: Trouble;
  campaign: Campaign;
  admin: AdminCredentials;
  catalog: Catalog;
  rules: TroubleRules;
  mapping: Mapping;
  agents: AgentsConfig;
  scenario: Scenario;
}
export type SchemaName = keyof SchemaTypes;

export type { MethodParams };

// ajv-formats is CommonJS: under Node its default export is the module's `default`.
const addFormats = addFormatsModule as unknown as (ajv: Ajv) => Ajv;

const AJV_OPTIONS = {
  allErrors: false,
  strict: true,
  allowUnionTypes: true,
  strictTypes: false,
  strictRequired: false,
  // Validating the schemas themselves would add 0.1 s to each start; a test does it.
  validateSchema: false,
  // Errors then contain schema and value, which are needed to suggest the nearest name.
  verbose: true,
} as const;
const ajv = new Ajv(AJV_OPTIONS);
addFormats(ajv);
// Marks secrets: see secrets.ts.
ajv.addKeyword({ keyword: 'x-secret', schemaType: 'boolean' });
const strictDateTime = ajv.formats['date-time'] as { validate(text: string): boolean };
/**
 * The common form of a date-time, on any day but 29 February. ajv-formats' own check is many times slower, and the cost
 * of ingest must not depend on the day of the month.
 */
const PLAIN_DATE_TIME =
  /^\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z$/;
ajv.addFormat('date-time', {
  type: 'string',
  validate: (text: string) => PLAIN_DATE_TIME.test(text) || strictDateTime.validate(text),
});

const SCHEMAS = ['wire', 'documents', 'methods', 'replies'].flatMap((folder) => {
  const base = new URL(`./${folder}/`, import.meta.url);
  return readdirSync(base).map(
    (file) => JSON.parse(readFileSync(new URL(file, base), 'utf8')) as SecretSchema & { $id: string },
  );
});
for (const schema of SCHEMAS) ajv.addSchema(schema);
const SCHEMA_BY_ID = new Map(SCHEMAS.map((schema) => [schema.$id, schema]));

/** A schema by its `$id`. Not through Ajv, which would compile it first. */
function schemaOf(id: string): SecretSchema {
  const schema = SCHEMA_BY_ID.get(id);
  if (!schema) throw new Error(`there is no schema "${id}"`);
  return schema;
}

const compiled = new Map<string, ValidateFunction>();

function validatorFor(name: SchemaName | keyof MethodParams): ValidateFunction {
  let validate = compiled.get(name);
  if (!validate) {
    validate = ajv.getSchema(`${name}.json`);
    if (!validate) throw new Error(`there is no schema "${name}"`);
    compiled.set(name, validate);
  }
  return validate;
}

/** A fault in a value, and its place. */
export interface SchemaFault {
  /** JSON pointer; `/` for the value itself. */
  path: string;
  message: string;
}

/** The members in the schema of an error's object. */
function knownMembers(error: ErrorObject): string[] {
  return Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {});
}

/** An unknown member of an object whose schema is closed. */
function strayMember(error: ErrorObject): string | undefined {
  const { parentSchema, data } = error;
  if ((parentSchema as { additionalProperties?: unknown }).additionalProperties !== false) return undefined;
  const known = new Set(knownMembers(error));
  return Object.keys(data as object).find((name) => !known.has(name));
}

function faultOf(error: ErrorObject | undefined): SchemaFault {
  if (!error) return { path: '/', message: 'unknown reason' };
  const path = error.instancePath || '/';
  const { keyword, params, message = 'is wrong' } = error;
  if (keyword === 'additionalProperties') {
    return { path, message: unknownMember(String(params['additionalProperty']), path, knownMembers(error)) };
  }
  if (keyword === 'required') {
    // A missing member is often there, but misspelt.
    const stray = strayMember(error);
    if (stray !== undefined) {
      return { path, message: `${message}; ${unknownMember(stray, path, knownMembers(error))}` };
    }
  }
  if (keyword === 'enum') {
    const allowed = (params['allowedValues'] as unknown[]).map(String);
    const nearest = typeof error.data === 'string' ? didYouMean(error.data, allowed) : '';
    return { path, message: `${message} (${allowed.join(', ')})${nearest}` };
  }
  return { path, message };
}

/** A fault as a sentence; the text about an unknown member already contains its place. */
function sentence({ path, message }: SchemaFault): string {
  return message.startsWith('unknown member ') ? message : `${path} ${message}`;
}

function firstFault(validate: ValidateFunction, value: unknown): SchemaFault | undefined {
  return validate(value) ? undefined : faultOf(validate.errors?.[0]);
}

/** The fault of `value` by its schema, with its place as a member of its own; undefined if it is valid. */
export function findSchemaFault<N extends SchemaName>(name: N, value: unknown): SchemaFault | undefined {
  return firstFault(validatorFor(name), value);
}

/** The schema of a method's parameters. */
export function paramsSchema(method: keyof MethodParams): SecretSchema {
  return schemaOf(`${method}.json`);
}

/**
 * Why `value` is invalid by its schema; undefined if it is valid.
 */
export function schemaFault<N extends SchemaName>(name: N, value: unknown): string | undefined {
  const fault = findSchemaFault(name, value);
  return fault && sentence(fault);
}

/**
 * The fault of a policy in a request, a rule or a scenario. A policy on the wire is open, so that agents accept those
 * of newer centers; a policy that people write must have no unknown members.
 */
export function findPolicyFault(policy: unknown): SchemaFault | undefined {
  const validate = ajv.getSchema('policy.set.json#/properties/policy');
  if (!validate) throw new Error('policy.set.json has no policy');
  return firstFault(validate, policy);
}

/**
 * The validated parameters of a request.
 * @throws PlatenError request/invalid with the JSON path of the first fault
 */
export function checkParams<M extends keyof MethodParams>(method: M, params: unknown): MethodParams[M] {
  const fault = firstFault(validatorFor(method), params);
  if (fault) throw new PlatenError('request/invalid', { reason: sentence(fault) });
  return params as MethodParams[M];
}

/** The schema of `data` in a method's reply. */
export function replySchema(method: keyof MethodParams): object {
  return schemaOf(`${method}.reply.json`);
}

interface ListSchema {
  $ref?: string;
  allOf?: ListSchema[];
  properties?: Record<string, ListSchema>;
  items?: ListSchema;
}

/**
 * The members of the items in a method's list, in the order of its schema; undefined if the method returns no list.
 * `paged`: it takes `limit` and `cursor`.
 */
export function listColumns(method: keyof MethodParams): { names: string[]; paged: boolean } | undefined {
  const { properties = {} } = replySchema(method) as ListSchema;
  const { properties: params = {} } = paramsSchema(method);
  if (!properties['items'] || !(properties['next'] || Object.keys(params).length === 0)) return undefined;
  let item: ListSchema = properties['items'].items ?? {};
  if (item.$ref !== undefined) item = ajv.getSchema(item.$ref)?.schema as ListSchema;
  return { names: Object.keys(item.properties ?? {}), paged: 'cursor' in params };
}

/** Validates a reply. @throws Error when the method or its schema is wrong */
export function checkReply(method: keyof MethodParams, data: unknown): void {
  const validate = ajv.getSchema(`${method}.reply.json`);
  if (!validate) throw new Error(`there is no schema of the reply to ${method}`);
  const fault = firstFault(validate, data);
  if (fault) throw new Error(`the reply to ${method} breaks its schema: ${sentence(fault)}`);
}

/**
 * `value`, validated and typed by its schema.
 * @throws PlatenError payload/schema with the JSON path of the first fault
 */
export function checkSchema<N extends SchemaName>(name: N, value: unknown): SchemaTypes[N] {
  const reason = schemaFault(name, value);
  if (reason !== undefined) throw new PlatenError('payload/schema', { reason, schema: name });
  return value as SchemaTypes[N];
}

/** Removes unknown members instead of refusing them; created when a stored document first needs it. */
let dropping: Ajv | undefined;

/**
 * A stored document without members unknown to its schema. Older versions accepted such members, and a document that
 * was active then must stay active after an upgrade.
 */
export function withoutUnknownMembers<N extends SchemaName>(name: N, stored: SchemaTypes[N]): SchemaTypes[N] {
  if (!dropping) {
    dropping = new Ajv({ ...AJV_OPTIONS, removeAdditional: true });
    addFormats(dropping);
    for (const schema of SCHEMAS) dropping.addSchema(schema);
  }
  const copy = structuredClone(stored);
  dropping.validate(`${name}.json`, copy);
  return copy;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Decodes a payload. @throws when it isn't UTF-8 */
function textOf(payload: Uint8Array): string {
  // Most payloads are ASCII, which is much faster to detect and to decode than UTF-8.
  if (!isAscii(payload)) return utf8.decode(payload);
  const bytes = Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  return bytes.toString('latin1');
}

function holdsNul(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0');
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, one]) => key.includes('\0') || holdsNul(one));
}

/**
 * Refuses parameters with NUL in a text: no valid value contains one, and no database column accepts it. `payload` is
 * the text that they were parsed from, which is faster to search.
 * @throws PlatenError request/invalid
 */
export function checkNoNul(params: unknown, payload: Buffer): void {
  // In JSON a NUL is always escaped.
  if (payload.includes('\\u0000') && holdsNul(params)) {
    throw new PlatenError('request/invalid', { reason: 'a text holds the character NUL' });
  }
}

const [QUOTE, BACKSLASH, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('"\\[]{}');

/** Whether JSON is nested deeper than the limit. The result is meaningless for invalid JSON. */
function isTooDeep(json: Uint8Array): boolean {
  // Each level takes two characters, and nearly every message is too short to exceed the limit.
  if (json.length <= 2 * NESTING_LEVELS_MAX) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) quoted = !quoted;
    else if (quoted) at += byte === BACKSLASH ? 1 : 0;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      depth += 1;
      if (depth > NESTING_LEVELS_MAX) return true;
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth -= 1;
  }
  return false;
}

/**
 * Parses a payload: UTF-8, JSON, an object that isn't nested too deeply.
 * @throws PlatenError payload/not-json
 */
export function parseObject(payload: Uint8Array): Record<string, unknown> {
  // Checked first: `JSON.parse` takes seconds for megabytes of brackets and blocks the event loop.
  if (isTooDeep(payload)) {
    throw new PlatenError('payload/not-json', { reason: `nested deeper than ${NESTING_LEVELS_MAX} levels` });
  }
  let value: unknown;
  try {
    value = parseJson(textOf(payload));
  } catch (error) {
    throw new PlatenError('payload/not-json', { reason: reasonOf(error) });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PlatenError('payload/not-json', { reason: 'an object is expected' });
  }
  return value as Record<string, unknown>;
}

/**
 * Parses a payload: UTF-8, JSON, an object, valid by its schema.
 * @throws PlatenError payload/not-json, payload/schema
 */
export function parsePayload<N extends SchemaName>(name: N, payload: Uint8Array): SchemaTypes[N] {
  return checkSchema(name, parseObject(payload));
}
