/**
 * Resources that every way of running the center needs: store, accounts, repository, metrics and HTTP. They are opened
 * in order of dependency and closed in reverse.
 */
import { readFileSync, statfsSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { Closers } from '../base/closers.ts';
import { StoredAccounts } from '../center/accounts/accounts.ts';
import { ensureAdmin, watchAdmin } from '../center/accounts/admin-file.ts';
import { OidcSignIn } from '../center/accounts/oidc-sign-in.ts';
import { OidcPeople } from '../center/accounts/oidc-store.ts';
import { Sessions } from '../center/accounts/sessions.ts';
import { SignIn } from '../center/accounts/sign-in.ts';
import { Tokens } from '../center/accounts/tokens.ts';
import type { Center, CenterOptions } from '../center/center.ts';
import { openStore, readIdentity, type Store } from '../center/database/store.ts';
import { type HttpServer, type Readiness, startHttp } from '../center/http/server.ts';
import type { Link } from '../center/link/link.ts';
import { createRegistry, show } from '../center/metrics.ts';
import { reachRedis } from '../center/update/orders/queue.ts';
import { expiryFault } from '../releases/expiry.ts';
import { type LocalRepository, openLocalRepository } from '../releases/local.ts';
import { reasonOf } from '../schemas/errors.ts';
import { lockDataFolder, openDataFolder } from './data-folder.ts';
import { oidcSettings, type Settings } from './settings.ts';

/** Formats an address as a client would write it. */
export function address(scheme: string, host: string, port: number, path = ''): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
}

/** Wildcard addresses. Clients can't connect to one. */
const WILDCARDS = ['0.0.0.0', '::'];

/** The default address of this machine for printers: its first network address. */
function guessedHost(host: string): string {
  if (!WILDCARDS.includes(host)) return host;
  const found = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4');
  return found?.address ?? '127.0.0.1';
}

/**
 * The base URL at which printers reach HTTP, with a trailing slash. Orders contain it.
 * @param apart the repository has its own port
 */
function publicUrl({ publicUrl, host }: Settings, port: number, apart: boolean, log: Logger): string {
  if (publicUrl !== undefined) {
    const url = new URL(publicUrl);
    if (apart) url.port = String(port);
    return url.href;
  }
  const guessed = address('http', guessedHost(host), port, '/');
  if (WILDCARDS.includes(host)) {
    log.warn(
      { address: guessed },
      `PLATEN_PUBLIC_URL is missing: orders name ${guessed}, which may not be how printers reach this machine`,
    );
  }
  return guessed;
}

/** The URL of the repository, as orders contain it. */
export function repositoryAddress(
  settings: Settings,
  { port, repositoryPort }: { port: number; repositoryPort: number },
  log: Logger,
): string {
  return `${publicUrl(settings, repositoryPort, port !== repositoryPort, log)}repository/`;
}

/** The host names that the server's certificate must cover. */
export function serverHosts({ publicUrl, host }: Settings): string[] {
  const given = publicUrl === undefined ? [] : [new URL(publicUrl).hostname];
  const hosts = [hostname(), 'localhost', '127.0.0.1', '::1', host, ...given];
  return [...new Set(hosts)].filter((one) => !WILDCARDS.includes(one));
}

export function readiness(ready: boolean, reason: string): ReturnType<Readiness> {
  return ready ? { ready: true } : { ready: false, reason };
}

/** Readiness, with warnings for operators. */
function note(reason: string | undefined): ReturnType<Readiness> {
  return reason === undefined ? { ready: true } : { ready: true, reason };
}

const FREE_BYTES_MIN = 512 * 1024 * 1024;

/** A warning when the disk of a folder is nearly full. */
function diskFault(folder: string): string | undefined {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= FREE_BYTES_MIN) return undefined;
  return `only ${Math.floor((bavail * bsize) / 1024 / 1024)} MiB are free on the disk of ${folder}`;
}

/** Closes what a start has opened, and logs failures to close. */
export function closersOf(log: Logger): Closers {
  return new Closers((error) => log.error({ reason: reasonOf(error) }, 'a part did not close cleanly'));
}

/** How to cancel a start that is under way. */
export interface Opening {
  log: Logger;
  opened: Closers;
  /** Aborted to cancel the start. */
  stop: AbortSignal;
}

/** What is open before the center starts. */
export interface CenterResources {
  /** Records where this process can be reached, for a second process that starts on the same data. */
  tell(addresses: Record<string, string>): void;
  store: Store;
  accounts: StoredAccounts;
  adminFile: string;
  registry: Registry;
  repository: LocalRepository;
  tokens: Tokens;
  signIn: SignIn;
  /** Undefined when it is not configured. */
  oidc: OidcSignIn | undefined;
}

/**
 * Opens the store, accounts and repository.
 * @param program the command that runs, such as `platen up`
 * @throws PlatenError start/database, start/in-use, start/owner, start/stopped
 */
export async function openResources(
  settings: Settings,
  program: string,
  { log, opened, stop }: Opening,
): Promise<CenterResources> {
  openDataFolder(settings.data, (sentence) => log.warn(sentence));
  const lock = lockDataFolder(settings.data, program);
  opened.add(() => lock.release());
  if (settings.redisUrl !== undefined) await reachRedis(settings.redisUrl, stop);
  const store = await openStore({
    source:
      settings.databaseUrl === undefined ? { dataFolder: settings.data } : { url: settings.databaseUrl },
    log,
    retention_days: settings.retentionDays,
    stop,
  });
  opened.add(() => store.close());
  const accounts = new StoredAccounts(store.credentials);
  const adminFile = join(settings.data, 'admin.json');
  const admin = { accounts, file: adminFile, database: await readIdentity(store.database), log };
  await ensureAdmin(admin);
  opened.add(watchAdmin(admin));
  await accounts.readAhead();
  // A repository whose root ceremony was held elsewhere is served as it is. Otherwise a local one is created.
  const repository = await openLocalRepository(
    join(settings.data, 'repository'),
    join(settings.data, 'keys'),
    Date.now,
  );
  opened.add(repository.tend(log));
  stop.throwIfAborted();
  const registry = createRegistry();
  show(registry, {
    name: 'platen_release_expires_seconds',
    help: 'Time until the signature of a role of the release repository expires; no printer takes an order after that.',
    label: 'role',
    read: () =>
      Object.fromEntries(
        repository.expiries().map(({ role, expiresMs }) => [role, (expiresMs - Date.now()) / 1_000]),
      ),
  });
  const tokens = new Tokens(store.database, Date.now);
  const sessions = new Sessions(store.database);
  const signIn = new SignIn({ accounts, sessions, tokens, now: Date.now });
  const provider = oidcSettings(settings);
  const people = new OidcPeople(store.database);
  const oidc =
    provider &&
    new OidcSignIn({ settings: provider, people, accounts, signIn, audit: store.audit, log, now: Date.now });
  return {
    tell: (addresses) => lock.tell(addresses),
    store,
    accounts,
    adminFile,
    registry,
    repository,
    tokens,
    signIn,
    oidc,
  };
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Who may read a resource on the main port. */
function accessOf(setting: Settings['metrics']): 'open' | 'token' | 'none' {
  return typeof setting === 'number' ? 'none' : setting;
}

/**
 * Opens HTTP.
 * @param center answers requests; undefined until it listens
 */
export async function openHttp(
  settings: Settings,
  { store, registry, repository, signIn, oidc }: CenterResources,
  { log, opened }: Pick<Opening, 'log' | 'opened'>,
  center: () => Center | undefined,
  more: Record<string, Readiness> = {},
): Promise<HttpServer & { repositoryPort: number }> {
  const http = await startHttp({
    host: settings.host,
    port: settings.httpPort,
    repository: join(settings.data, 'repository'),
    registry,
    readiness: {
      database: () => readiness(store.database.ready(), store.database.fault() ?? ''),
      // The server still serves, but an operator should look.
      clock: () => note(store.clock.fault()),
      disk: () => note(diskFault(settings.data)),
      releases: () => note(expiryFault(repository.expiries(), Date.now())),
      ...more,
    },
    log,
    version,
    proxies: settings.httpProxies,
    access: { metrics: accessOf(settings.metrics), repository: accessOf(settings.repository) },
    api: { signIn, oidc, publicUrl: settings.publicUrl, answering: () => center()?.door, registry, log },
  });
  opened.add(() => http.close());
  let repositoryPort = http.port;
  for (const name of ['metrics', 'repository'] as const) {
    const port = settings[name];
    if (typeof port !== 'number') continue;
    const apart = await startHttp({
      host: settings.host,
      port,
      setting: `PLATEN_${name.toUpperCase()}`,
      repository: name === 'repository' ? join(settings.data, 'repository') : undefined,
      // What this server counts of itself is of no interest beside the other's.
      registry: name === 'metrics' ? registry : new Registry(),
      access: name === 'metrics' ? {} : { metrics: 'none' },
      readiness: {},
      log,
    });
    opened.add(() => apart.close());
    if (name === 'repository') repositoryPort = apart.port;
    log.info({ address: address('http', settings.host, apart.port, '/') }, `${name} on a port of its own`);
  }
  return { ...http, repositoryPort };
}

/** Warns operators of signatures that expire soon. */
export function tellExpiry({ repository }: CenterResources, { capabilities: { events } }: Center): void {
  repository.onExpiring((news) => {
    const data = { role: news.role, version: news.version, expires: news.expires, days: news.days };
    events.tell('release', Date.parse(news.expires) <= Date.now() ? 'expired' : 'expires', { data });
  });
}

/** The options of a center that uses these resources. */
export function centerOptions(
  settings: Settings,
  { store, accounts, registry, repository, tokens }: CenterResources,
  link: Link,
  repositoryUrl: string,
  log: Logger,
): CenterOptions {
  const { redisUrl } = settings;
  return { store, link, accounts, tokens, registry, log, now: Date.now, repository, repositoryUrl, redisUrl };
}
