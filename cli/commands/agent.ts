/** `platen agent`: connects real printers; `add`, `discover` and `doctor` help to set it up. */
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { playRecorded } from '../../agent/drivers/recorded.ts';
import { mergeReadings } from '../../agent/mapping/merge.ts';
import type { Reading } from '../../agent/mapping/reading.ts';
import { clip, slug } from '../../agent/mapping/text.ts';
import { startAgents } from '../../agent/process/agents.ts';
import { addPrinter, loadConfig, loadMappings } from '../../agent/process/config.ts';
import { discover } from '../../agent/process/discover.ts';
import { adviceFor, diagnose, diagnosisText, rawText } from '../../agent/process/doctor.ts';
import { withoutSecrets } from '../../agent/process/open-reader.ts';
import { openProbe } from '../../agent/process/probe.ts';
import { durationMs } from '../../schemas/duration.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { oneLine } from '../../schemas/harmless.ts';
import type { AgentPrinter } from '../../schemas/types.ts';
import { createLog } from '../log.ts';
import { secretOption } from '../secret-option.ts';
import { isLoopback, readSettings } from '../settings.ts';
import { print, printJson, warn } from '../terminal.ts';

const CONFIG = 'agents.json';
type Snmp = NonNullable<AgentPrinter['snmp']>;
const AUTH_PROTOCOLS: NonNullable<Snmp['authProtocol']>[] = [
  'md5',
  'sha',
  'sha224',
  'sha256',
  'sha384',
  'sha512',
];
const PRIV_PROTOCOLS: NonNullable<Snmp['privProtocol']>[] = ['des', 'aes', 'aes256b', 'aes256r'];
const isAuth = (name?: string): name is NonNullable<Snmp['authProtocol']> =>
  AUTH_PROTOCOLS.some((known) => known === name);
const isPriv = (name?: string): name is NonNullable<Snmp['privProtocol']> =>
  PRIV_PROTOCOLS.some((known) => known === name);
const DISCOVER_DEFAULT = 'PT5S';
/** How often to check whether a printer is connected, and when to report that none is. */
const LOOK_MS = 50;
const COMPLAIN_MS = 3_000;

/** Options for reading a printer, the same for `add` and `doctor`. */
interface AccessFlags {
  community?: string;
  snmpVersion?: string;
  snmpUser?: string;
  authKey?: string;
  authProtocol?: string;
  privKey?: string;
  privProtocol?: string;
  accessCode?: string;
  fingerprint?: string;
  mapping?: string[];
  run?: string[];
}

function withAccess(command: Command): Command {
  return command
    .addOption(secretOption('--community <text>', 'SNMP 1 and 2c (default public)'))
    .option('--snmp-version <1|2c|3>', 'default 2c, or 3 with --snmp-user')
    .option('--snmp-user <name>', 'SNMP 3')
    .addOption(secretOption('--auth-key <text>', 'SNMP 3'))
    .addOption(new Option('--auth-protocol <name>', 'SNMP 3').choices(AUTH_PROTOCOLS).default('sha'))
    .addOption(secretOption('--priv-key <text>', 'SNMP 3'))
    .addOption(new Option('--priv-protocol <name>', 'SNMP 3').choices(PRIV_PROTOCOLS).default('aes'))
    .addOption(secretOption('--access-code <text>', 'Bambu: the access code in the printer’s menu'))
    .option('--fingerprint <hex>', 'accept only the certificate with this SHA-256')
    .option('--run <word...>', 'command://: the program and its arguments')
    .option('--mapping <file...>', 'your own mapping tables');
}

function setting(name: string, reason: string): PlatenError {
  return new PlatenError('setting/invalid', { name, reason, hint: 'platen agent --help' });
}

/** A printer of the configuration, from addresses and flags. */
function printerFrom(printer: string, urls: string[], flags: AccessFlags): AgentPrinter {
  for (const url of urls) {
    if (!/^(ipps?|snmp|bambu|command):\/\//.test(url) || !URL.canParse(url)) {
      throw setting(
        'url',
        `"${withoutSecrets(url)}" is not an ipp://, ipps://, snmp://, bambu:// or command:// address`,
      );
    }
  }
  const version = flags.snmpVersion;
  if (version !== undefined && version !== '1' && version !== '2c' && version !== '3') {
    throw setting('--snmp-version', `"${version}" is not one of 1, 2c, 3`);
  }
  const snmp: Snmp = {
    ...(version === undefined ? {} : { version }),
    ...(flags.community === undefined ? {} : { community: flags.community }),
    ...(flags.snmpUser === undefined ? {} : { user: flags.snmpUser }),
    ...(flags.authKey === undefined ? {} : { authKey: flags.authKey }),
    ...(flags.privKey === undefined ? {} : { privKey: flags.privKey }),
    // Omit the usual ones: they are the configuration's defaults.
    ...(isAuth(flags.authProtocol) && flags.authProtocol !== 'sha'
      ? { authProtocol: flags.authProtocol }
      : {}),
    ...(isPriv(flags.privProtocol) && flags.privProtocol !== 'aes'
      ? { privProtocol: flags.privProtocol }
      : {}),
  };
  const pinned = flags.fingerprint === undefined ? {} : { fingerprint: flags.fingerprint };
  return {
    printer,
    urls,
    ...(Object.keys(snmp).length === 0 ? {} : { snmp }),
    ...(flags.fingerprint === undefined ? {} : { ipp: pinned }),
    ...(flags.accessCode === undefined ? {} : { bambu: { accessCode: flags.accessCode, ...pinned } }),
    ...(flags.run === undefined ? {} : { command: { run: flags.run } }),
  };
}

async function run(flags: { config: string; log: string; logLevel: string }): Promise<void> {
  const loaded = loadConfig(flags.config);
  const log = createLog(flags.log === 'json' ? 'json' : 'story', flags.logLevel);
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  const agents = await startAgents(loaded, log);
  const broker = withoutSecrets(loaded.config.broker.url);
  const all = loaded.config.printers.length;
  // Ready means that at least one printer is connected.
  const startedMs = performance.now();
  let complained = false;
  const looking = setInterval(() => {
    if (agents.connected() > 0 || all === 0) {
      clearInterval(looking);
      process.stdout.write(`ready: ${agents.printers} of ${all} printers started, broker ${broker}\n`);
    } else if (!complained && performance.now() - startedMs >= COMPLAIN_MS) {
      complained = true;
      process.stderr.write(
        agents.printers === 0
          ? `not ready: none of ${all} printers could be started, see above\n`
          : `not ready: no printer is connected to ${broker}; retrying. Is the broker running, and are the printers enrolled? The broker's address is broker.url in ${flags.config}.\n`,
      );
    }
  }, LOOK_MS);
  await stopped;
  clearInterval(looking);
  await agents.stop();
}

async function add(
  urls: string[],
  flags: AccessFlags & {
    config: string;
    printer?: string;
    password?: string;
    broker?: string;
    site?: string;
    pin?: boolean;
    check?: boolean;
  },
): Promise<void> {
  const draft = printerFrom(flags.printer ?? 'unnamed', urls, flags);
  let reading: Reading | undefined;
  if (flags.check !== false) {
    const probe = openProbe(draft, loadMappings(flags.mapping ?? []));
    try {
      reading = await probe.read();
    } catch (error) {
      throw new PlatenError(
        'agent/no-answer',
        { url: urls.map(withoutSecrets).join(' '), reason: reasonOf(error) },
        { cause: error },
      );
    } finally {
      await probe.close();
    }
  }
  const { model, serial } = reading?.structure.apparatus ?? { model: 'printer' };
  const suggested = clip(slug([model, serial].filter((part) => part !== undefined).join('-')), 64).replace(
    /[^A-Za-z0-9]+$/,
    '',
  );
  const id = flags.printer ?? suggested;
  const { host, mqttPort } = readSettings({}, process.env);
  const here = isLoopback(host) || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  addPrinter(
    flags.config,
    {
      ...draft,
      printer: id,
      ...(flags.password === undefined ? {} : { password: flags.password }),
      ...(flags.site === undefined ? {} : { site: flags.site }),
      ...(flags.pin && serial !== undefined ? { serial } : {}),
    },
    flags.broker ?? `mqtt://${here.includes(':') ? `[${here}]` : here}:${mqttPort}`,
  );
  print(
    `added ${id}${reading ? ` (${model}${serial === undefined ? '' : `, ${serial}`})` : ''} to ${flags.config}`,
  );
  if (flags.password === undefined) {
    print(`the MQTT password is missing: run platen enroll ${id} and put the password into ${flags.config}`);
  }
}

async function find(flags: { for: string; interface?: string; json?: boolean }): Promise<void> {
  const ms = durationMs(flags.for);
  if (ms === undefined || ms < 100 || ms > 600_000)
    throw setting('--for', `"${flags.for}" is not a duration from PT0.1S to PT10M`);
  const printers = await discover({
    ms,
    ...(flags.interface === undefined ? {} : { interface: flags.interface }),
  });
  if (flags.json) {
    for (const printer of printers) printJson(printer);
    return;
  }
  for (const { url, name, model, location, addresses } of printers) {
    // Names in .local resolve only where the system uses mDNS.
    const known = [model, location, ...addresses].filter((part) => part !== undefined);
    print(`${oneLine(url)}\n    ${oneLine([name, ...known].join(', '))}`);
  }
  print(
    printers.length === 0
      ? 'no printer found by mDNS; add printers of other networks by address'
      : `${printers.length} found; platen agent add <url>`,
  );
}

async function doctor(
  urls: string[],
  flags: AccessFlags & { recorded?: string[]; json?: boolean; raw?: boolean },
): Promise<void> {
  const mapping = loadMappings(flags.mapping ?? []);
  const show = (reading: Reading, raw: string) => {
    const found = diagnose(reading, Date.now());
    if (flags.json) printJson(found);
    else print(`${flags.raw ? `${raw}\n` : ''}${diagnosisText(found)}`.trimEnd());
  };
  if (flags.recorded) {
    const played = flags.recorded.map((file) => {
      let bytes: Buffer;
      try {
        bytes = readFileSync(file === '-' ? 0 : file);
      } catch (error) {
        throw new PlatenError('agent/recording', { file, reason: reasonOf(error) }, { cause: error });
      }
      return playRecorded(bytes, file, mapping);
    });
    // SNMP first, as with a live printer.
    const readings = played
      .map(({ reading }) => reading)
      .sort((a, b) => (a.source === b.source ? 0 : a.source === 'snmp' ? -1 : 1));
    show(
      readings.reduce((merged, reading) => mergeReadings(merged, reading)),
      played.map(rawText).join(''),
    );
    return;
  }
  if (urls.length === 0) throw setting('url', 'an address or --recorded is needed');
  const probe = openProbe(printerFrom('doctor', urls, flags), mapping);
  try {
    const { reading, failures } = await probe.readEach();
    if (reading) show(reading, probe.raw());
    for (const { url, error } of failures) {
      warn(`${withoutSecrets(url)} does not answer: ${reasonOf(error)}`);
      for (const line of adviceFor(url, error)) warn(`  ${line}`);
      process.exitCode = 1;
    }
  } finally {
    await probe.close();
  }
}

export function command(): Command {
  const agent = new Command('agent')
    // Otherwise `agent add --config` would be an option of `agent` itself.
    .enablePositionalOptions()
    .description(
      'Connects real printers: reads them over IPP, SNMP, Bambu’s MQTT or a program, and represents each on the broker.',
    )
    .option('--config <file>', 'configuration', CONFIG)
    .option('--log <story|json>', 'readable lines, or JSON', 'story')
    .option('--log-level <level>', 'trace, debug, info, warn, error, silent', 'info')
    .action(run);
  withAccess(
    agent
      .command('add <url...>')
      .description(
        'Reads a printer and adds it to the configuration; ipp:// and snmp:// together are one printer.',
      )
      .option('--config <file>', 'configuration', CONFIG)
      .option('--printer <id>', 'its id on the broker (default: model and serial number)')
      .addOption(secretOption('--password <text>', 'its MQTT password, from platen enroll'))
      .option(
        '--broker <url>',
        'broker, for a new configuration (default: mqtt:// with PLATEN_HOST and PLATEN_MQTT_PORT)',
      )
      .option('--site <name>', 'where it stands')
      .option('--pin', 'accept only a printer with this serial number')
      .option('--no-check', 'add it without reading it'),
  ).action(add);
  agent
    .command('discover')
    .description('Lists printers that announce themselves by mDNS.')
    .option('--for <duration>', 'how long to listen', DISCOVER_DEFAULT)
    .option('--interface <address>', 'the network to listen in, by this machine’s address in it')
    .option('--json', 'one JSON object a line')
    .action(find);
  withAccess(
    agent
      .command('doctor [url...]')
      .description('Shows what a printer answers, how it is interpreted, and what is missing.')
      .option(
        '--recorded <file...>',
        'recorded answers instead: snmpwalk, snmprec, JSON, ipptool, Bambu messages; - is stdin',
      )
      .option('--raw', 'also show the raw answer')
      .option('--json', 'the reading as one JSON object'),
  ).action(doctor);
  return agent;
}
