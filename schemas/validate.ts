/**
 * Checks payloads and documents against the JSON Schemas. Everything that enters the system passes here once.
 */
import { isAscii } from 'node:buffer';
import { readdirSync, readFileSync } from 'node:fs';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormatsModule from 'ajv-formats';
import { PlatenError, reasonOf } from './errors.ts';
import { NESTING_LEVELS_MAX } from './limits.ts';
import type {
  AdminCredentials,
  AgentsConfig,
  Answer,
  Ask,
  AuditListParams,
  Campaign,
  CampaignsAbortParams,
  CampaignsCreateParams,
  CampaignsGetParams,
  CampaignsListParams,
  CampaignsPauseParams,
  CampaignsPreviewParams,
  CampaignsResumeParams,
  Catalog,
  CatalogGetParams,
  CatalogImpactParams,
  CatalogPutParams,
  DownlinkRequest,
  ErrorBatch,
  ErrorsAck,
  ErrorsRequestParams,
  FleetEvent,
  FleetSummary,
  FleetSummaryParams,
  Mapping,
  OperatorReply,
  OperatorRequest,
  Order,
  Policy,
  PolicySetParams,
  Presence,
  PrintersEnrollParams,
  PrintersErrorsParams,
  PrintersGetParams,
  PrintersListParams,
  PrintersRevokeParams,
  Refused,
  ReleasesListParams,
  ReleasesReleaseParams,
  RulesGetParams,
  RulesPutParams,
  Scenario,
  Structure,
  StructureRequestParams,
  Trouble,
  TroubleRules,
  TroublesCloseParams,
  TroublesListParams,
  UpdateReport,
  UsersListParams,
  UsersPutParams,
  UsersRemoveParams,
  Verdict,
} from './types.ts';

/** Schema name (its file) to the type it describes. */
export interface SchemaTypes {
  presence: Presence;
  structure: Structure;
  errors: ErrorBatch;
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

/** Request method to the type of its parameters (`schemas/methods/`). */
export interface MethodParams {
  'fleet.summary': FleetSummaryParams;
  'printers.list': PrintersListParams;
  'printers.get': PrintersGetParams;
  'printers.errors': PrintersErrorsParams;
  'printers.enroll': PrintersEnrollParams;
  'printers.revoke': PrintersRevokeParams;
  'structure.request': StructureRequestParams;
  'errors.request': ErrorsRequestParams;
  'policy.set': PolicySetParams;
  'catalog.get': CatalogGetParams;
  'catalog.put': CatalogPutParams;
  'catalog.impact': CatalogImpactParams;
  'rules.get': RulesGetParams;
  'rules.put': RulesPutParams;
  'troubles.list': TroublesListParams;
  'troubles.close': TroublesCloseParams;
  'releases.list': ReleasesListParams;
  'releases.release': ReleasesReleaseParams;
  'campaigns.preview': CampaignsPreviewParams;
  'campaigns.create': CampaignsCreateParams;
  'campaigns.pause': CampaignsPauseParams;
  'campaigns.resume': CampaignsResumeParams;
  'campaigns.abort': CampaignsAbortParams;
  'campaigns.get': CampaignsGetParams;
  'campaigns.list': CampaignsListParams;
  'audit.list': AuditListParams;
  'users.list': UsersListParams;
  'users.put': UsersPutParams;
  'users.remove': UsersRemoveParams;
}

// ajv-formats is CommonJS: under Node its default export is the module's `default`.
const addFormats = addFormatsModule as unknown as (ajv: Ajv) => Ajv;

const ajv = new Ajv({
  allErrors: false,
  strict: true,
  allowUnionTypes: true,
  strictTypes: false,
  strictRequired: false,
});
addFormats(ajv);
const strictDateTime = ajv.formats['date-time'] as { validate(text: string): boolean };
/**
 * The form that nearly every clock writes, on any day but 29 February; ajv-formats' own check is many times slower, and
 * what ingest costs must not depend on the day of the month.
 */
const PLAIN_DATE_TIME =
  /^\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z$/;
ajv.addFormat('date-time', {
  type: 'string',
  validate: (text: string) => PLAIN_DATE_TIME.test(text) || strictDateTime.validate(text),
});

for (const folder of ['wire', 'documents', 'methods']) {
  const base = new URL(`./${folder}/`, import.meta.url);
  for (const file of readdirSync(base)) {
    ajv.addSchema(JSON.parse(readFileSync(new URL(file, base), 'utf8')) as object);
  }
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

function sentence(error: ErrorObject | undefined): string {
  if (!error) return 'unknown reason';
  const where = error.instancePath || '/';
  const detail =
    error.keyword === 'enum' ? ` (${(error.params['allowedValues'] as unknown[]).join(', ')})` : '';
  return `${where} ${error.message ?? 'is wrong'}${detail}`;
}

/**
 * Why `value` breaks its schema, or undefined when it doesn't.
 */
export function schemaFault<N extends SchemaName>(name: N, value: unknown): string | undefined {
  const validate = validatorFor(name);
  return validate(value) ? undefined : sentence(validate.errors?.[0]);
}

/**
 * The parameters of a request as its method has them.
 * @throws PlatenError request/invalid with the JSON path of the first fault
 */
export function checkParams<M extends keyof MethodParams>(method: M, params: unknown): MethodParams[M] {
  const validate = validatorFor(method);
  if (!validate(params)) throw new PlatenError('request/invalid', { reason: sentence(validate.errors?.[0]) });
  return params as MethodParams[M];
}

/**
 * `value` as what its schema says it is.
 * @throws PlatenError payload/schema with the JSON path of the first fault
 */
export function checkSchema<N extends SchemaName>(name: N, value: unknown): SchemaTypes[N] {
  const reason = schemaFault(name, value);
  if (reason !== undefined) throw new PlatenError('payload/schema', { reason, schema: name });
  return value as SchemaTypes[N];
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The text of a payload. @throws when it isn't UTF-8 */
function textOf(payload: Uint8Array): string {
  // Most payloads are ASCII, and that is much faster to see and to read than UTF-8.
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
 * Refuses parameters with NUL in a text: nothing that can be asked for holds one, and no database column takes it.
 * `payload` is what they were parsed from, which is quicker to look through.
 * @throws PlatenError request/invalid
 */
export function checkNoNul(params: unknown, payload: Buffer): void {
  // In JSON a NUL is always escaped.
  if (payload.includes('\\u0000') && holdsNul(params)) {
    throw new PlatenError('request/invalid', { reason: 'a text holds the character NUL' });
  }
}

const [QUOTE, BACKSLASH, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('"\\[]{}');

/** Whether objects and arrays of right JSON are nested deeper than is read. */
function isTooDeep(json: Uint8Array): boolean {
  // Each level takes two characters: nearly every message is too short for it.
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
 * Parses a payload: UTF-8, JSON, an object, and right by its schema.
 * @throws PlatenError payload/not-json, payload/schema
 */
export function parsePayload<N extends SchemaName>(name: N, payload: Uint8Array): SchemaTypes[N] {
  let value: unknown;
  try {
    value = JSON.parse(textOf(payload));
  } catch (error) {
    throw new PlatenError('payload/not-json', { reason: reasonOf(error) });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PlatenError('payload/not-json', { reason: 'an object is expected' });
  }
  if (isTooDeep(payload)) {
    throw new PlatenError('payload/not-json', { reason: `nested deeper than ${NESTING_LEVELS_MAX} levels` });
  }
  return checkSchema(name, value);
}
