/**
 * Generates schemas/openapi.json, the description of the HTTP interface (OpenAPI 3.1), from the schemas of parameters
 * and replies, the roles and the error codes. Run with `npm run schemas`; tests keep the committed file current and
 * lint it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ERRORS, type ErrorCode, httpStatusOf } from './errors.ts';
import { METHOD_ROLES, type Method } from './roles.ts';
import { FLEET_EVENTS } from './topics.ts';
import { listColumns } from './validate.ts';

type Json = Record<string, unknown>;

interface SchemaFile extends Json {
  $id: string;
  title: string;
  description: string;
}

const FOLDERS = ['wire', 'documents', 'methods', 'replies'];
const TAGS: Record<string, string> = {
  fleet: 'The fleet as a whole.',
  printers: 'Printers: what they are, what they reported, whether they may connect.',
  structure: 'Reports of structures.',
  errors: 'Reports of logs.',
  readings: 'Reports of counters and supplies.',
  policy: 'How printers report.',
  catalog: 'What fits together.',
  rules: 'What log entries mean.',
  troubles: 'What is wrong.',
  releases: 'Signed software.',
  rollout: 'How far things may go by themselves.',
  campaigns: 'Updates over many printers.',
  audit: 'Who changed what.',
  users: "Operators' accounts.",
  tokens: 'Tokens for programs.',
  session: 'Who is signed in.',
  events: 'What happens, as it happens.',
  service: 'The server itself.',
};

function readFiles(): Map<string, SchemaFile> {
  const files = FOLDERS.flatMap((folder) => {
    const base = new URL(`./${folder}/`, import.meta.url);
    return readdirSync(base).map(
      (file) => JSON.parse(readFileSync(new URL(file, base), 'utf8')) as SchemaFile,
    );
  });
  return new Map(files.map((file) => [file.$id, file]));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Collects the schemas that the document references, each under its type name. */
class Components {
  readonly schemas: Json = {};
  readonly #files = readFiles();

  /** A reference to a schema file; includes the file and everything that it references. */
  ref(id: string): Json {
    const file = this.file(id);
    const name = file.title;
    if (!(name in this.schemas)) {
      // Registered before its contents, which may reference it.
      this.schemas[name] = {};
      const { $id: _id, $schema: _schema, definitions = {}, ...rest } = file;
      this.schemas[name] = this.#converted(rest, name);
      for (const [key, definition] of Object.entries(definitions as Json)) {
        this.schemas[name + capital(key)] = this.#converted(definition, name);
      }
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  file(id: string): SchemaFile {
    const file = this.#files.get(id);
    if (!file) throw new Error(`there is no schema "${id}"`);
    return file;
  }

  #converted(value: unknown, owner: string): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#converted(one, owner));
    if (typeof value !== 'object' || value === null) return value;
    const { $ref } = value as { $ref?: string };
    if ($ref?.startsWith('#/definitions/')) {
      return { $ref: `#/components/schemas/${owner}${capital($ref.slice('#/definitions/'.length))}` };
    }
    if ($ref !== undefined) return this.ref($ref);
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, this.#converted(one, owner)]),
    );
  }
}

const ERROR_REPLY = { $ref: '#/components/schemas/ErrorReply' };

function failure(description: string): Json {
  return { description, content: { 'application/json': { schema: ERROR_REPLY } } };
}

const REFUSALS = {
  '400': { $ref: '#/components/responses/Invalid' },
  '401': { $ref: '#/components/responses/NobodySignedIn' },
  '403': { $ref: '#/components/responses/NotAllowed' },
  '404': { $ref: '#/components/responses/NotFound' },
  '409': { $ref: '#/components/responses/Conflict' },
  '413': { $ref: '#/components/responses/TooLarge' },
  '429': { $ref: '#/components/responses/TooMany' },
  '503': { $ref: '#/components/responses/Unavailable' },
};

function operation(method: Method, components: Components): Json {
  const reply = components.file(`${method}.reply.json`);
  const params = components.file(`${method}.json`);
  const data = components.ref(reply.$id);
  const answered = (status: 'ok' | 'accepted') => ({
    'application/json': {
      schema: {
        type: 'object',
        properties: { status: { const: status }, data },
        required: ['status', 'data'],
      },
    },
  });
  const list = listColumns(method) !== undefined;
  const [tag = ''] = method.split('.');
  const required = ((params['required'] ?? []) as string[]).length > 0;
  return {
    operationId: method.replace(/\.(\w)/g, (_, letter: string) => letter.toUpperCase()),
    summary: reply.description,
    description: `Least role: ${METHOD_ROLES[method]}.`,
    tags: [tag],
    requestBody: {
      required,
      content: { 'application/json': { schema: components.ref(params.$id) } },
    },
    responses: {
      '200': {
        description: 'Done.',
        content: {
          ...answered('ok'),
          ...(list
            ? {
                'application/x-ndjson': {
                  schema: { type: 'string', description: 'The items of all pages, one a line.' },
                },
                'text/csv': { schema: { type: 'string', description: 'The items of all pages, one a row.' } },
              }
            : {}),
        },
      },
      '202': { description: 'Begun: the work goes on after the reply.', content: answered('accepted') },
      ...REFUSALS,
    },
  };
}

const SESSION = {
  type: 'object',
  title: 'Session',
  description: 'Who is signed in.',
  properties: {
    name: { type: 'string' },
    role: { enum: ['viewer', 'operator', 'admin'] },
    how: { enum: ['password', 'oidc', 'token'], description: 'How they signed in.' },
    expires: { type: 'string', format: 'date-time', description: 'When it ends at the latest.' },
  },
  required: ['name', 'role', 'how'],
  additionalProperties: false,
};

function sessionPath(): Json {
  const session = { $ref: '#/components/schemas/Session' };
  const answered = {
    description: 'Who is signed in.',
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: { status: { const: 'ok' }, data: session },
          required: ['status', 'data'],
        },
      },
    },
  };
  return {
    post: {
      operationId: 'signIn',
      summary:
        'Signs in with the user name and password of an operator; the answer sets the cookie of the session.',
      tags: ['session'],
      security: [],
      requestBody: {
        required: true,
        content: { 'application/json': { schema: { $ref: '#/components/schemas/SignIn' } } },
      },
      responses: {
        '200': answered,
        '400': REFUSALS['400'],
        '401': REFUSALS['401'],
        '403': REFUSALS['403'],
        '429': REFUSALS['429'],
        '503': REFUSALS['503'],
      },
    },
    get: {
      operationId: 'whoAmI',
      summary: 'Tells who is signed in, and until when.',
      tags: ['session'],
      responses: { '200': answered, '401': REFUSALS['401'] },
    },
    delete: {
      operationId: 'signOut',
      summary: 'Ends the session.',
      tags: ['session'],
      responses: {
        '200': {
          description: 'Signed out.',
          content: {
            'application/json': {
              schema: {
                type: 'object',
                properties: {
                  status: { const: 'ok' },
                  data: {
                    type: 'object',
                    properties: {
                      endSession: {
                        type: 'string',
                        format: 'uri',
                        description: 'Where to sign out at the OpenID provider too.',
                      },
                    },
                    required: ['endSession'],
                  },
                },
                required: ['status'],
              },
            },
          },
        },
        '401': REFUSALS['401'],
        '403': REFUSALS['403'],
      },
    },
  };
}

function eventsPath(): Json {
  return {
    get: {
      operationId: 'events',
      summary: 'What happens in the fleet, as server-sent events.',
      description:
        'Each has an `id`, its kind as `event`, and as `data` a fleet event or `{"topic","document"}`. `Last-Event-ID` goes on after what was seen, from the record of the last hour; `reset` says that it does not reach back so far. `dropped` says why the stream ends.',
      tags: ['events'],
      parameters: [
        {
          name: 'kind',
          in: 'query',
          description: 'Only events of these kinds, divided by commas.',
          schema: { type: 'string', examples: [[...FLEET_EVENTS, 'document'].join(',')] },
        },
        {
          name: 'printer',
          in: 'query',
          description: 'Only events of these printers, divided by commas.',
          schema: { type: 'string' },
        },
        {
          name: 'Last-Event-ID',
          in: 'header',
          description: 'The id of the last event that was seen.',
          schema: { type: 'string', pattern: '^[0-9]{1,18}$' },
        },
      ],
      responses: {
        '200': {
          description: 'The stream.',
          content: { 'text/event-stream': { schema: { type: 'string' } } },
        },
        '400': REFUSALS['400'],
        '401': REFUSALS['401'],
        '429': REFUSALS['429'],
        '503': REFUSALS['503'],
      },
    },
  };
}

function servicePaths(): Json {
  return {
    '/api/v1/openapi.json': {
      get: {
        operationId: 'openapi',
        summary: 'This document.',
        tags: ['service'],
        security: [],
        responses: {
          '200': {
            description: 'OpenAPI 3.1.',
            content: { 'application/json': { schema: { type: 'object' } } },
          },
          '429': REFUSALS['429'],
        },
      },
    },
    '/healthz': {
      get: {
        operationId: 'health',
        summary: 'Whether the process serves, and its version.',
        tags: ['service'],
        security: [],
        responses: {
          '200': {
            description: 'It serves.',
            content: {
              'application/json': {
                schema: {
                  type: 'object',
                  properties: { status: { const: 'ok' }, version: { type: 'string' } },
                  required: ['status', 'version'],
                },
              },
            },
          },
          '429': REFUSALS['429'],
        },
      },
    },
  };
}

/** The document for the present schemas, roles and errors. */
export function openapi(): Json {
  const components = new Components();
  const methods = Object.keys(METHOD_ROLES).sort() as Method[];
  const paths = Object.fromEntries(
    methods.map((method) => [`/api/v1/${method}`, { post: operation(method, components) }]),
  );
  const codes = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => httpStatusOf(code) !== 500);
  const used = new Set([
    ...methods.map((method) => method.split('.')[0] ?? ''),
    'session',
    'events',
    'service',
  ]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Platen',
      version: '1',
      summary: 'Administrates fleets of printers.',
      description:
        'Every method of the center over HTTP: the same roles, limits, audit and errors as over MQTT. A reply is `{"status","data"}` or `{"status":"error","error"}`.',
      license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
    },
    servers: [{ url: '/', description: 'This server.' }],
    security: [{ token: [] }, { session: [] }],
    tags: [...used].sort().map((name) => ({ name, description: TAGS[name] ?? `Methods of ${name}.` })),
    paths: {
      ...paths,
      '/api/v1/session': sessionPath(),
      '/api/v1/events': eventsPath(),
      ...servicePaths(),
    },
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token of `tokens.create`, for programs.' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'platen',
          description: 'A session of `POST /api/v1/session`; under TLS the cookie is `__Host-platen`.',
        },
      },
      schemas: {
        ...Object.fromEntries(Object.entries(components.schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
        SignIn: {
          type: 'object',
          properties: { username: { type: 'string' }, password: { type: 'string', format: 'password' } },
          required: ['username', 'password'],
          additionalProperties: false,
        },
        Session: SESSION,
        ErrorReply: {
          type: 'object',
          description: 'Why a request was refused.',
          properties: {
            status: { const: 'error' },
            error: {
              type: 'object',
              properties: {
                code: {
                  type: 'string',
                  description: 'Stable, and never reused.',
                  examples: codes,
                },
                message: { type: 'string' },
                hint: { type: 'string', description: 'What to do about it.' },
              },
              required: ['code', 'message', 'hint'],
            },
          },
          required: ['status', 'error'],
        },
      },
      responses: {
        Invalid: failure('The parameters are wrong.'),
        NobodySignedIn: failure('Nobody is signed in, or the token or session has ended.'),
        NotAllowed: failure('The role does not allow it; the message names the role that does.'),
        NotFound: failure('There is no such method or thing.'),
        Conflict: failure('It cannot be done as things stand.'),
        TooLarge: failure('The body is over its limit.'),
        TooMany: failure('Too many requests, or too many wrong passwords.'),
        Unavailable: failure('The center is not ready, or the question takes too long.'),
      },
    },
  };
}

/** The text of the committed file. */
export function openapiText(): string {
  return `${JSON.stringify(openapi(), undefined, 2)}\n`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(new URL('./openapi.json', import.meta.url), openapiText());
}
