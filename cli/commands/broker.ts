import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { Authority } from '../../broker/access/authority.ts';
import { CredentialFile } from '../../broker/access/credential-file.ts';
import { hashPassword, makePassword } from '../../broker/access/passwords.ts';
import { createBroker } from '../../broker/broker.ts';
import type { TlsEndpoint } from '../../broker/listeners/sockets.ts';
import { FileBackend } from '../../broker/retained/file-backend.ts';
import { startHttp } from '../../center/http/server.ts';
import { createRegistry } from '../../center/metrics.ts';
import type { FolderLock } from '../../files/folder-lock.ts';
import { writeWholeSync } from '../../files/whole-file.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { ROLES, type Role } from '../../schemas/roles.ts';
import { addBrokerFlags, type BrokerFlags, readBrokerFlags } from '../broker-flags.ts';
import { serverHosts } from '../center-resources.ts';
import { lockDataFolder, openDataFolder } from '../data-folder.ts';
import { createLog } from '../log.ts';
import { addSettings, readSettings, type Settings } from '../settings.ts';
import { Story } from '../story.ts';

const SETTINGS = ['host', 'mqttPort', 'mqttsPort', 'httpPort', 'data', 'access', 'log', 'logLevel'] as const;

/** Limits the log, so that a client that hammers the broker can't fill the disk. */
const REFUSALS_PER_SECOND_MAX = 20;

/** Allows a limited number of lines per second, and counts the ones left out. */
class PerSecond {
  readonly #max: number;
  readonly #now: () => number;
  #second = 0;
  #taken = 0;
  #left = 0;

  constructor(max: number, now: () => number) {
    this.#max = max;
    this.#now = now;
  }

  /** The number left out since the last line; undefined when this one is left out too. */
  take(): number | undefined {
    const second = Math.floor(this.#now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#taken = 0;
    }
    if (this.#taken >= this.#max) {
      this.#left++;
      return undefined;
    }
    this.#taken++;
    const left = this.#left;
    this.#left = 0;
    return left;
  }
}

/** `platen broker`: the broker alone, with its own credentials and retained documents in the data folder. */
export function command(): Command {
  // Options belong to the command they follow, but `platen broker --data FOLDER add NAME` must work too.
  const broker = new Command('broker').description('run the MQTT broker by itself').enablePositionalOptions();
  addSettings(broker, SETTINGS);
  broker.option('--memory', 'keep retained documents in memory only');
  addBrokerFlags(broker);
  broker.action(async () => {
    const { memory } = broker.opts<{ memory?: boolean }>();
    await run(readSettings(broker.opts(), process.env), readBrokerFlags(broker), memory);
  });
  const add = new Command('add')
    .description('add credentials; the password is printed once')
    .argument('<name>')
    .addOption(new Option('--role <role>').choices(ROLES).default('printer'));
  addSettings(add, ['data']);
  add.action(async (name: string, options: { role: Role }) => {
    const password = makePassword();
    const file = credentialsOf(readSettings({ ...broker.opts(), ...add.opts() }, process.env));
    file.put(name, options.role, await hashPassword(password, 'generated'));
    process.stdout.write(`${password}\n`);
  });
  const remove = new Command('remove')
    .description('remove credentials and end live connections')
    .argument('<name>');
  addSettings(remove, ['data']);
  remove.action((name: string) => {
    if (!credentialsOf(readSettings({ ...broker.opts(), ...remove.opts() }, process.env)).remove(name)) {
      throw new PlatenError('request/not-found', { kind: 'credential', id: name });
    }
  });
  return broker.addCommand(add).addCommand(remove);
}

function credentialsOf(settings: Settings): CredentialFile {
  return new CredentialFile(join(settings.data, 'credentials.json'));
}

async function run(settings: Settings, flags: BrokerFlags, memory: boolean | undefined): Promise<void> {
  const log = createLog(settings.log, settings.logLevel);
  const open = settings.access === 'open';
  // Conformance suites and benchmarks start empty and leave nothing behind.
  const inMemory = memory ?? open;
  let lock: FolderLock | undefined;
  if (!open || !inMemory || settings.mqttsPort !== undefined) {
    openDataFolder(settings.data, (sentence) => log.warn(sentence));
    lock = lockDataFolder(settings.data, 'platen broker');
  }
  const credentials = open ? undefined : await firstCredentials(settings);
  const tls = await tlsOf(settings);
  const broker = await createBroker({
    ...(tls ? { tls: tls.endpoint } : {}),
    tcp: { host: settings.host, port: settings.mqttPort },
    log,
    identity: credentials ?? 'open',
    ...(inMemory ? {} : { retained: new FileBackend(join(settings.data, 'retained.log'), log) }),
    ...flags,
  });
  const refusals = new PerSecond(REFUSALS_PER_SECOND_MAX, Date.now);
  broker.on('refused', (refused) => {
    const untold = refusals.take();
    if (untold === undefined) return;
    log.warn({ ...refused, ...(untold > 0 ? { untold } : {}) }, 'refused');
  });
  const registry = createRegistry();
  broker.metrics(registry);
  let ready = false;
  await broker.listen();
  const http = await startHttp({
    host: settings.host,
    port: settings.httpPort,
    repository: undefined,
    registry,
    readiness: {
      broker: () => {
        const reason = ready ? broker.fault() : 'starting';
        return reason === undefined ? { ready } : { ready: false, reason };
      },
    },
    log,
  }).catch(async (error: unknown) => {
    // A listener that is already open would keep the failed process alive.
    tls?.authority.close();
    await broker.close();
    throw error;
  });
  broker.attachWebSocket(http.server, '/mqtt');
  credentials?.watch(
    (name) => {
      broker.revoke(name, 'rights-changed');
      tls?.authority.revokeEarlier(name, credentials.enrolmentOf(name));
    },
    (error) => log.error({ err: error }, 'the credentials could not be read'),
  );
  tls?.authority.onFailed((error) =>
    log.error({ reason: reasonOf(error) }, 'the list of client certificates cannot be read'),
  );
  tls?.authority.onRevoked((name) => broker.revoke(name, 'certificate-revoked'));
  ready = true;
  const addresses = {
    mqtt: broker.addresses['tcp'],
    ...(tls ? { mqtts: broker.addresses['tls'] } : {}),
    http: `http://${settings.host}:${http.port}`,
    webSocket: `ws://${settings.host}:${http.port}/mqtt`,
  };
  lock?.tell({ mqtt: addresses.mqtt ?? '', http: addresses.http });
  log.info({ addresses, access: settings.access }, `ready ${Object.values(addresses).join(' ')}`);
  if (settings.log === 'story') {
    const known = credentials ? `credentials: ${join(settings.data, 'admin.json')}` : 'open access';
    new Story(process.stdout).say(`ready  ${Object.values(addresses).join('  ')}  ${known}`);
  }
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  log.info('stopping');
  credentials?.unwatch();
  tls?.authority.close();
  await http.close();
  await broker.close();
  lock?.release();
}

/** The TLS listener with the product's own authority, if a TLS port is set. */
async function tlsOf(
  settings: Settings,
): Promise<{ authority: Authority; endpoint: TlsEndpoint } | undefined> {
  const { host, mqttsPort: port } = settings;
  if (port === undefined) return undefined;
  const authority = await Authority.open(join(settings.data, 'tls'), Date.now);
  const { key, cert } = await authority.server(serverHosts(settings));
  const { certificate: clientAuthority, isRevoked, enrolmentOf } = authority;
  return { authority, endpoint: { host, port, key, cert, clientAuthority, isRevoked, enrolmentOf } };
}

/** The credentials. The first start creates an administrator and writes its password to admin.json. */
async function firstCredentials(settings: Settings): Promise<CredentialFile> {
  const credentials = credentialsOf(settings);
  const admin = join(settings.data, 'admin.json');
  if (credentials.size === 0 && !existsSync(admin)) {
    const password = makePassword();
    mkdirSync(settings.data, { recursive: true, mode: 0o700 });
    writeWholeSync(admin, `${JSON.stringify({ username: 'admin', password })}\n`);
    credentials.put('admin', 'admin', await hashPassword(password, 'generated'));
  }
  return credentials;
}
