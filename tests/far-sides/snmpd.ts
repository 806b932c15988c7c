/**
 * A real SNMP agent as a printer: net-snmp's snmpd on a free loopback port, with Printer MIB values from a file that a
 * test may change while it runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import snmp from 'net-snmp';

/** Values by OID with a leading dot, with the type names of pass_persist: `['integer', 3]`. */
export type Mib = Record<string, [string, string | number]>;

const ALERT = '.1.3.6.1.2.1.43.18.1.1';
const INPUT = '.1.3.6.1.2.1.43.8.2.1';
const SOFTWARE = '.1.3.6.1.2.1.25.6.3.1';

/** One row of prtAlertTable. */
export function alertRow(
  index: number,
  row: {
    severity: number;
    training: number;
    group: number;
    groupIndex: number;
    location: number;
    code: number;
    description: string;
    ticks: number;
  },
): Mib {
  return {
    [`${ALERT}.2.1.${index}`]: ['integer', row.severity],
    [`${ALERT}.3.1.${index}`]: ['integer', row.training],
    [`${ALERT}.4.1.${index}`]: ['integer', row.group],
    [`${ALERT}.5.1.${index}`]: ['integer', row.groupIndex],
    [`${ALERT}.6.1.${index}`]: ['integer', row.location],
    [`${ALERT}.7.1.${index}`]: ['integer', row.code],
    [`${ALERT}.8.1.${index}`]: ['string', row.description],
    [`${ALERT}.9.1.${index}`]: ['timeticks', row.ticks],
  };
}

/** One row of prtInputTable. */
export function trayRow(index: number, name: string, model: string, version: string, serial: string): Mib {
  return {
    [`${INPUT}.13.1.${index}`]: ['string', name],
    [`${INPUT}.14.1.${index}`]: ['string', 'KM'],
    [`${INPUT}.15.1.${index}`]: ['string', model],
    [`${INPUT}.16.1.${index}`]: ['string', version],
    [`${INPUT}.17.1.${index}`]: ['string', serial],
  };
}

/** One row of hrSWInstalledTable. */
export function softwareRow(index: number, name: string): Mib {
  return {
    [`${SOFTWARE}.1.${index}`]: ['integer', index],
    [`${SOFTWARE}.2.${index}`]: ['string', name],
    [`${SOFTWARE}.4.${index}`]: ['integer', 2],
  };
}

const MARKER = '.1.3.6.1.2.1.43.10.2.1';
const SUPPLIES = '.1.3.6.1.2.1.43.11.1.1';

/** The life counter of the first marker, in impressions. */
export function markerRow(impressions: number): Mib {
  return { [`${MARKER}.3.1.1`]: ['integer', 7], [`${MARKER}.4.1.1`]: ['counter', impressions] };
}

/** One row of prtMarkerSuppliesTable, in percent. */
export function supplyRow(index: number, type: number, description: string, level: number): Mib {
  return {
    [`${SUPPLIES}.5.1.${index}`]: ['integer', type],
    [`${SUPPLIES}.6.1.${index}`]: ['string', description],
    [`${SUPPLIES}.7.1.${index}`]: ['integer', 19],
    [`${SUPPLIES}.8.1.${index}`]: ['integer', 100],
    [`${SUPPLIES}.9.1.${index}`]: ['integer', level],
  };
}

/** A bizhub C360i without faults: controller, engine, finisher, two trays. */
export const BIZHUB: Mib = {
  ...trayRow(1, 'Tray 1', 'PC-216', 'G00-05', 'A1A1A1'),
  ...trayRow(2, 'LCT', 'LU-302', 'G00-02', 'B2B2B2'),
  ...softwareRow(1, 'MFP controller G00-K4'),
  ...softwareRow(2, 'Engine G00-K2'),
  ...softwareRow(3, 'FS-539 G00-15'),
};

export const JAM = alertRow(1, {
  severity: 3,
  training: 5,
  group: 30,
  groupIndex: 1,
  location: 7201,
  code: 8,
  description: 'J-7218 changed',
  ticks: 0,
});

export const TONER_LOW = alertRow(2, {
  severity: 4,
  training: 3,
  group: 11,
  groupIndex: 1,
  location: 0,
  code: 1104,
  description: 'Toner low K',
  ticks: 0,
});

/** The SNMPv3 user of the printer. */
export const V3_USER = { user: 'fleet', authKey: 'fleet-auth-key', privKey: 'fleet-priv-key' };

/** A free UDP port of the loopback address. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

export interface SnmpPrinter {
  port: number;
  /** Replaces the contents of the dynamic tables. */
  set(mib: Mib): void;
  /** Suspends its process: requests are answered late or never. */
  sleep(): void;
  wake(): void;
  stop(): Promise<void>;
}

/**
 * Starts it and waits until it answers. `serial` and `model` cannot change later. `port` defaults to a free one; `host`
 * may be a loopback address other than 127.0.0.1.
 */
export async function startSnmpPrinter(
  options: { mib?: Mib; serial?: string; model?: string; host?: string; port?: number } = {},
): Promise<SnmpPrinter> {
  const {
    host = '127.0.0.1',
    mib = BIZHUB,
    serial = 'A9KEKM0001234',
    model = 'KONICA MINOLTA bizhub C360i',
  } = options;
  const folder = mkdtempSync(join(tmpdir(), 'platen-snmpd-'));
  const file = join(folder, 'mib.json');
  const set = (values: Mib) => {
    writeFileSync(`${file}.new`, JSON.stringify({ ...markerRow(120_345), ...values }));
    renameSync(`${file}.new`, file);
  };
  set(mib);
  mkdirSync(join(folder, 'persist'));
  const port = options.port ?? (await freeUdpPort());
  const pass = `${process.execPath} ${fileURLToPath(new URL('pass-mib.mjs', import.meta.url))} ${file}`;
  const lines = [
    `agentAddress udp:${host}:${port}`,
    'rocommunity public 127.0.0.0/8',
    `createUser ${V3_USER.user} SHA ${V3_USER.authKey} AES ${V3_USER.privKey}`,
    `rouser ${V3_USER.user} priv`,
    `override 1.3.6.1.2.1.43.5.1.1.17.1 octet_str "${serial}"`,
    'override 1.3.6.1.2.1.43.5.1.1.16.1 octet_str "printer-7"',
    `override 1.3.6.1.2.1.25.3.2.1.3.1 octet_str "${model}"`,
    'override 1.3.6.1.2.1.25.3.5.1.1.1 integer 3',
    `override 1.3.6.1.2.1.1.1.0 octet_str "${model}"`,
    ...['43.18.1', '43.8.2', '43.10.2', '43.11.1', '25.6.3'].map(
      (tree) => `pass_persist .1.3.6.1.2.1.${tree} ${pass}`,
    ),
  ];
  writeFileSync(join(folder, 'snmpd.conf'), `${lines.join('\n')}\n`);
  const child = spawn(
    'snmpd',
    // Leaves out the modules that would report this machine's own packages.
    [
      '-f',
      '-C',
      '-c',
      join(folder, 'snmpd.conf'),
      '-Lf',
      join(folder, 'log'),
      '-I',
      '-hrSWInstalledTable,hrSWInstalledEntry,hrswinst,hw_mem',
    ],
    {
      stdio: 'ignore',
      env: {
        ...process.env,
        MIBS: '',
        SNMP_PERSISTENT_DIR: join(folder, 'persist'),
        PATH: `${process.env['PATH']}:/usr/sbin`,
      },
    },
  );
  await answers(child, host, port);
  return {
    port,
    set,
    sleep: () => child.kill('SIGSTOP'),
    wake: () => child.kill('SIGCONT'),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGCONT');
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(child: ChildProcess, host: string, port: number): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (child.exitCode !== null) throw new Error(`snmpd ended with ${child.exitCode}`);
    const session = snmp.createSession(host, 'public', {
      port,
      version: snmp.Version2c,
      timeout: 200,
      retries: 0,
    });
    session.on('error', () => undefined);
    const there = await new Promise<boolean>((resolve) => {
      session.get(['1.3.6.1.2.1.25.6.3.1.2.1'], (error: Error | null) => resolve(!error));
    });
    session.close();
    if (there) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('snmpd does not answer');
}
