/**
 * Settings: a flag, else its environment variable, else the default. Every wrong value is an error that names the
 * setting, because a service that starts with half of its settings is worse than one that doesn't start.
 */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { parseRoleRules, type RoleRule } from '../center/accounts/oidc-roles.ts';
import type { OidcSettings } from '../center/accounts/oidc-sign-in.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import { didYouMean } from '../schemas/nearest-name.ts';
import { PRINTER_ID } from '../schemas/topics.ts';

/** The settings of the process contract, parsed and checked. */
export interface Settings {
  host: string;
  /** Ports; 0 picks a free one, shown in the ready line. */
  mqttPort: number;
  /** Undefined: no TLS listener. */
  mqttsPort: number | undefined;
  httpPort: number;
  /** Who may read /metrics and /repository/: everybody, holders of a token, or everybody on a separate port. */
  metrics: 'open' | 'token' | number;
  repository: 'open' | 'token' | number;
  /** Where printers reach HTTP, with a slash at its end; undefined: guessed from the host. */
  publicUrl: string | undefined;
  /** Addresses of trusted proxies: their X-Forwarded-For is used. */
  httpProxies: string[];
  /** OpenID Connect; off without an issuer. */
  oidcIssuer: string | undefined;
  oidcClient: string | undefined;
  oidcSecret: string | undefined;
  oidcScope: string;
  /** Claim names, and which values of the role claim give which role. */
  oidcName: string;
  oidcClaim: string;
  oidcRoles: readonly RoleRule[];
  /** Absolute path of the data folder. */
  data: string;
  /** Undefined: the embedded Postgres under the data folder. */
  databaseUrl: string | undefined;
  /** Undefined: a single node, the queue on Postgres. */
  redisUrl: string | undefined;
  /** Number of simulated printers. */
  demo: number;
  access: 'closed' | 'open';
  log: 'story' | 'json';
  logLevel: string;
  /** How long log entries are kept, in days. */
  retentionDays: number;
  /** The foreign broker of `platen center`. */
  broker: string | undefined;
  /** Names this center at a foreign broker. */
  centerName: string;
}

interface SettingDefinition {
  flag: string;
  env: string;
  description: string;
  fallback: string | undefined;
}

const PORT_MAX = 65_535;
const DEMO_PRINTERS_MAX = 1_000;
const RETENTION_DAYS_MAX = 3_660;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

const DEFINITIONS = {
  host: {
    flag: '--host <address>',
    env: 'PLATEN_HOST',
    description: 'address that every listener binds to',
    fallback: '127.0.0.1',
  },
  mqttPort: {
    flag: '--mqtt-port <port>',
    env: 'PLATEN_MQTT_PORT',
    description: 'MQTT over TCP',
    fallback: '1883',
  },
  mqttsPort: {
    flag: '--mqtts-port <port>',
    env: 'PLATEN_MQTTS_PORT',
    description: 'MQTT over TLS (default: off)',
    fallback: undefined,
  },
  httpPort: {
    flag: '--http-port <port>',
    env: 'PLATEN_HTTP_PORT',
    description: 'HTTP: /api/v1, /mqtt, /repository/, /metrics, /healthz, /readyz',
    fallback: '8080',
  },
  metrics: {
    flag: '--metrics <open|token|port>',
    env: 'PLATEN_METRICS',
    description:
      'who may read /metrics: everybody (open), holders of a token, or everybody on a separate port',
    fallback: 'open',
  },
  repository: {
    flag: '--repository <open|token|port>',
    env: 'PLATEN_REPOSITORY',
    description:
      'who may read /repository/: everybody (open), holders of a token, or everybody on a separate port',
    fallback: 'open',
  },
  publicUrl: {
    flag: '--public-url <url>',
    env: 'PLATEN_PUBLIC_URL',
    description: 'base URL at which printers reach HTTP (http://platen.example:8080/), used in orders',
    fallback: undefined,
  },
  httpProxies: {
    flag: '--http-proxy <addresses>',
    env: 'PLATEN_HTTP_PROXY',
    description: 'addresses of reverse proxies, separated by commas: their X-Forwarded-For is trusted',
    fallback: '',
  },
  oidcIssuer: {
    flag: '--oidc-issuer <url>',
    env: 'PLATEN_OIDC_ISSUER',
    description: 'OpenID provider for sign-in (https://login.example/realm)',
    fallback: undefined,
  },
  oidcClient: {
    flag: '--oidc-client <id>',
    env: 'PLATEN_OIDC_CLIENT',
    description: 'client id of this center at the provider',
    fallback: undefined,
  },
  oidcSecret: {
    flag: '--oidc-secret <secret>',
    env: 'PLATEN_OIDC_SECRET',
    description: 'client secret at the provider, better in the environment',
    fallback: undefined,
  },
  oidcScope: {
    flag: '--oidc-scope <scopes>',
    env: 'PLATEN_OIDC_SCOPE',
    description: 'scopes to request',
    fallback: 'openid profile email',
  },
  oidcName: {
    flag: '--oidc-name <claim>',
    env: 'PLATEN_OIDC_NAME',
    description: 'the claim with the account name',
    fallback: 'preferred_username',
  },
  oidcClaim: {
    flag: '--oidc-claim <claim>',
    env: 'PLATEN_OIDC_CLAIM',
    description: 'the claim that gives roles; a path for a nested claim (realm_access.roles)',
    fallback: 'groups',
  },
  oidcRoles: {
    flag: '--oidc-roles <rules>',
    env: 'PLATEN_OIDC_ROLES',
    description:
      'which value of the claim gives which role: platen-admins=admin,staff=viewer; * is everybody',
    fallback: undefined,
  },
  data: { flag: '--data <folder>', env: 'PLATEN_DATA', description: 'data folder', fallback: '.platen' },
  databaseUrl: {
    flag: '--database-url <url>',
    env: 'PLATEN_DATABASE_URL',
    description: 'Postgres to use (default: an embedded one under the data folder)',
    fallback: undefined,
  },
  redisUrl: {
    flag: '--redis-url <url>',
    env: 'PLATEN_REDIS_URL',
    description: 'Redis for the queue (default: the queue is on Postgres)',
    fallback: undefined,
  },
  demo: { flag: '--demo-printers <n>', env: 'PLATEN_DEMO', description: 'simulated printers', fallback: '0' },
  access: {
    flag: '--access <closed|open>',
    env: 'PLATEN_ACCESS',
    description: 'open: no credentials, loopback only',
    fallback: 'closed',
  },
  log: {
    flag: '--log <story|json>',
    env: 'PLATEN_LOG',
    description: 'readable lines, or JSON',
    fallback: 'story',
  },
  logLevel: {
    flag: '--log-level <level>',
    env: 'PLATEN_LOG_LEVEL',
    description: LOG_LEVELS.join(', '),
    fallback: 'info',
  },
  retentionDays: {
    flag: '--retention-days <days>',
    env: 'PLATEN_RETENTION_DAYS',
    description: 'how long log entries, audit records, closed troubles and finished orders are kept',
    fallback: '400',
  },
  broker: {
    flag: '--broker <url>',
    env: 'PLATEN_BROKER',
    description: 'MQTT broker to connect to, mqtt:// or mqtts://, with the user and password of the center',
    fallback: undefined,
  },
  centerName: {
    flag: '--name <name>',
    env: 'PLATEN_CENTER_NAME',
    description:
      'client id of this center at the broker: the same at every start, a different one for each center',
    fallback: 'center',
  },
} as const satisfies Record<keyof Settings, SettingDefinition>;

/** The settings of the HTTP server and of access to it, for every command that starts one. */
export const HTTP_SETTINGS = [
  'httpPort',
  'metrics',
  'repository',
  'publicUrl',
  'httpProxies',
  'oidcIssuer',
  'oidcClient',
  'oidcSecret',
  'oidcScope',
  'oidcName',
  'oidcClaim',
  'oidcRoles',
] as const satisfies (keyof Settings)[];

/** Adds the flags of these settings to a command. */
export function addSettings(command: Command, names: readonly (keyof Settings)[]): Command {
  for (const name of names) {
    const { flag, env, description, fallback } = DEFINITIONS[name];
    const suffix = fallback === undefined || fallback === '' ? ` (${env})` : ` (${env}, default ${fallback})`;
    command.addOption(new Option(flag, description + suffix));
  }
  return command;
}

function optionName(flag: string): string {
  return new Option(flag).attributeName();
}

function wrong(name: keyof Settings, reason: string): PlatenError {
  const { flag, env } = DEFINITIONS[name];
  return new PlatenError('setting/invalid', {
    name: env,
    reason,
    hint: `Give ${flag.split(' ')[0]} or ${env} another value.`,
  });
}

function integer(name: keyof Settings, text: string, max: number, min = 0): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw wrong(name, `"${text}" is not a whole number from ${min} to ${max}`);
  }
  return value;
}

/** `open`, `token`, or a port. */
function exposure(name: keyof Settings, text: string): 'open' | 'token' | number {
  return text === 'open' || text === 'token' ? text : integer(name, text, PORT_MAX);
}

function oneOf<T extends string>(name: keyof Settings, text: string, values: readonly T[]): T {
  const value = values.find((candidate) => candidate === text);
  if (value === undefined) throw wrong(name, `"${text}" is none of ${values.join(', ')}`);
  return value;
}

function url(name: keyof Settings, text: string | undefined, protocols: string[]): string | undefined {
  if (text === undefined) return undefined;
  if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
    throw wrong(
      name,
      `an address beginning with ${protocols.map((protocol) => `${protocol}//`).join(' or ')} is expected`,
    );
  }
  return text;
}

/** Addresses separated by commas. */
function addresses(name: keyof Settings, text: string): string[] {
  const list = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  const bad = list.find((each) => isIP(each) === 0);
  if (bad !== undefined) throw wrong(name, `"${bad}" is not an IP address`);
  return list;
}

function withSlash(address: string | undefined): string | undefined {
  return address === undefined || address.endsWith('/') ? address : `${address}/`;
}

/** Whether an address is reachable only from this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Our own names that are not settings: for tests and their seeds, and the center that the command line asks. */
const NO_SETTING = /^PLATEN_(TEST_.*|SEED|CONTEXT)$/;
/** Variables that Kubernetes sets in every container for a service called platen. */
const SERVICE_LINK = /_SERVICE_(HOST|PORT(_.*)?)$|_PORT_\d+_(TCP|UDP)(_.*)?$/;
const SERVICE_ADDRESS = /^(tcp|udp):\/\//;

/** Refuses unknown variables that look like settings: a misspelt one would silently leave the default in place. */
function checkNames(env: NodeJS.ProcessEnv): void {
  const known = Object.values(DEFINITIONS).map((definition) => definition.env as string);
  for (const [name, value = ''] of Object.entries(env)) {
    if (!name.startsWith('PLATEN_') || value === '' || known.includes(name) || NO_SETTING.test(name))
      continue;
    if (SERVICE_LINK.test(name) || SERVICE_ADDRESS.test(value)) continue;
    throw new PlatenError('setting/unknown', { name, nearest: didYouMean(name, known) });
  }
}

function roleRules(text: string | undefined): RoleRule[] {
  if (text === undefined) return [];
  try {
    return parseRoleRules(text);
  } catch (error) {
    throw wrong('oidcRoles', reasonOf(error));
  }
}

/** OpenID Connect must be configured completely or not at all. @throws PlatenError setting/invalid */
function checkOidc({ oidcIssuer, oidcClient, oidcSecret, oidcRoles, oidcScope, publicUrl }: Settings): void {
  if (oidcIssuer === undefined) {
    for (const name of ['oidcClient', 'oidcSecret', 'oidcRoles'] as const) {
      const given = { oidcClient, oidcSecret, oidcRoles: oidcRoles.length > 0 ? 'rules' : undefined }[name];
      if (given !== undefined) throw wrong(name, 'it also needs PLATEN_OIDC_ISSUER');
    }
    return;
  }
  const { protocol, hostname } = new URL(oidcIssuer);
  if (protocol === 'http:' && !isLoopback(hostname.replace(/^\[|\]$/g, ''))) {
    throw wrong('oidcIssuer', 'a provider on another machine needs https://');
  }
  if (oidcClient === undefined) throw wrong('oidcIssuer', 'it also needs PLATEN_OIDC_CLIENT');
  if (oidcRoles.length === 0) throw wrong('oidcIssuer', 'it also needs PLATEN_OIDC_ROLES');
  if (publicUrl === undefined) {
    throw wrong('oidcIssuer', 'it also needs PLATEN_PUBLIC_URL, where the provider redirects to');
  }
  if (!oidcScope.split(' ').includes('openid')) throw wrong('oidcScope', '"openid" is missing in it');
}

/** The OpenID Connect configuration; undefined when it is off. */
export function oidcSettings(settings: Settings): OidcSettings | undefined {
  const { oidcIssuer: issuer, oidcClient: clientId, publicUrl } = settings;
  if (issuer === undefined || clientId === undefined || publicUrl === undefined) return undefined;
  return {
    issuer,
    clientId,
    clientSecret: settings.oidcSecret,
    scope: settings.oidcScope,
    redirectUri: new URL('api/v1/oidc/callback', publicUrl).href,
    homeUri: publicUrl,
    nameClaim: settings.oidcName,
    roleClaim: settings.oidcClaim,
    roles: settings.oidcRoles,
  };
}

/**
 * Reads the settings.
 * @param flags the parsed options of the command; @param env the environment
 * @throws PlatenError setting/invalid, setting/unknown, setting/open-access
 */
export function readSettings(flags: Record<string, unknown>, env: NodeJS.ProcessEnv): Settings {
  checkNames(env);
  const text = (name: keyof Settings): string | undefined => {
    const { flag, env: variable, fallback } = DEFINITIONS[name];
    const given = flags[optionName(flag)] ?? env[variable];
    return given === undefined || given === '' ? fallback : String(given);
  };
  const required = (name: keyof Settings) => text(name) ?? '';
  const mqttsPort = text('mqttsPort');
  const settings: Settings = {
    host: required('host'),
    mqttPort: integer('mqttPort', required('mqttPort'), PORT_MAX),
    mqttsPort: mqttsPort === undefined ? undefined : integer('mqttsPort', mqttsPort, PORT_MAX),
    httpPort: integer('httpPort', required('httpPort'), PORT_MAX),
    metrics: exposure('metrics', required('metrics')),
    repository: exposure('repository', required('repository')),
    publicUrl: withSlash(url('publicUrl', text('publicUrl'), ['http:', 'https:'])),
    httpProxies: addresses('httpProxies', required('httpProxies')),
    oidcIssuer: url('oidcIssuer', text('oidcIssuer'), ['https:', 'http:']),
    oidcClient: text('oidcClient'),
    oidcSecret: text('oidcSecret'),
    oidcScope: required('oidcScope'),
    oidcName: required('oidcName'),
    oidcClaim: required('oidcClaim'),
    oidcRoles: roleRules(text('oidcRoles')),
    data: resolve(required('data')),
    databaseUrl: url('databaseUrl', text('databaseUrl'), ['postgres:', 'postgresql:']),
    redisUrl: url('redisUrl', text('redisUrl'), ['redis:', 'rediss:']),
    demo: integer('demo', required('demo'), DEMO_PRINTERS_MAX),
    access: oneOf('access', required('access'), ['closed', 'open'] as const),
    log: oneOf('log', required('log'), ['story', 'json'] as const),
    logLevel: oneOf('logLevel', required('logLevel'), LOG_LEVELS),
    retentionDays: integer('retentionDays', required('retentionDays'), RETENTION_DAYS_MAX, 1),
    broker: url('broker', text('broker'), ['mqtt:', 'mqtts:']),
    centerName: required('centerName'),
  };
  if (!PRINTER_ID.test(settings.centerName)) {
    throw wrong(
      'centerName',
      `"${settings.centerName}" is not made of letters, digits, dots, dashes and underscores`,
    );
  }
  checkOidc(settings);
  if (settings.access === 'open' && !isLoopback(settings.host)) {
    throw new PlatenError('setting/open-access', { listener: settings.host });
  }
  return settings;
}
