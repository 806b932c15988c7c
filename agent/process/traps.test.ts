import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import {
  freeUdpPort,
  JAM,
  type SnmpPrinter,
  startSnmpPrinter,
  V3_USER,
} from '../../tests/far-sides/snmpd.ts';
import type { PrinterEvent } from '../driver.ts';
import { DRIVER_LIMITS } from '../drivers/limits.ts';
import { PolledDriver } from '../drivers/polled-driver.ts';
import type { SnmpValue } from '../mapping/snmp-answer.ts';
import { MappingTables } from '../mapping/tables.ts';
import { startAgents } from './agents.ts';
import { loadMappings } from './config.ts';
import { openReader } from './open-reader.ts';
import { receiveTraps, TrapAddresses, type TrapReceiver } from './traps.ts';

const ALERT_TRAP = '1.3.6.1.2.1.43.18.2.0.1'; // printerV2Alert
const log = pino({ level: 'silent' });
let folder: string;
let receiver: TrapReceiver | undefined;
let printer: SnmpPrinter | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-traps-'));
  mkdirSync(join(folder, 'cert_indexes')); // Otherwise snmptrap would create it and print a message.
});
afterEach(async () => {
  await receiver?.close();
  await printer?.stop();
  receiver = undefined;
  printer = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** The jam's row as a printer would send it, with an index that is not in the table. */
const ALERT = Object.entries(JAM).flatMap(([oid, [type, value]]) => [
  oid.replace(/\.1$/, '.9'),
  type === 'string' ? 's' : type === 'timeticks' ? 't' : 'i',
  String(value),
]);

/** A trap's sender is the authority for its keys, so that it names its engine; an inform's receiver is asked for its own. */
const signedBy = ({ user, authKey, privKey }: typeof V3_USER, inform: boolean) => [
  ...['-v', '3', '-u', user, '-l', 'authPriv', '-a', 'SHA', '-A', authKey, '-x', 'AES', '-X', privKey],
  ...(inform ? [] : ['-e', '0x80001f8804706c6174656e']),
];

/** Runs net-snmp's snmptrap; an inform fails when nobody acknowledges it. */
async function snmptrap(
  port: number,
  version: '1' | '2c' | '3',
  inform = false,
  user: Partial<typeof V3_USER> = {},
): Promise<void> {
  const to = `udp:127.0.0.1:${port}`;
  const head =
    version === '1'
      ? ['-v', '1', '-c', 'any', to, '1.3.6.1.2.1.43.18.2', '127.0.0.1', '6', '1', '4711']
      : [
          ...(version === '3' ? signedBy({ ...V3_USER, ...user }, inform) : ['-v', '2c', '-c', 'any']),
          ...(inform ? ['-Ci', '-r', '1', '-t', '2'] : []),
          to,
          '4711',
          ALERT_TRAP,
        ];
  const child: ChildProcess = spawn('snmptrap', ['-M', '', '-m', '', ...head, ...ALERT], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, MIBS: '', SNMP_PERSISTENT_DIR: folder },
  });
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(0);
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2_000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  if (!holds()) throw new Error(`not seen: ${what}`);
}

/** A reader that records its traps. */
function noting() {
  const traps: [string, SnmpValue][][] = [];
  return { traps, reader: { trap: (variables: [string, SnmpValue][]) => void traps.push(variables) } };
}

test('a jam that is over before the next poll is told by its trap, of a printer that is configured by name', async () => {
  printer = await startSnmpPrinter();
  const { reader, snmp } = openReader(
    { urls: [`snmp://localhost:${printer.port}`], snmp: { timeoutMs: 1_000 } },
    new MappingTables(),
  );
  if (!snmp) throw new Error('no snmp reader');
  receiver = await receiveTraps({ host: '127.0.0.1', port: await freeUdpPort() }, [snmp], log);
  const told: PrinterEvent[] = [];
  const driver = new PolledDriver(reader, {
    pollMs: 600_000,
    fullMs: 600_000,
    silentMs: 600_000,
    log,
    random: () => 0,
  });
  try {
    await driver.start({ error: (event) => told.push(event), changed: () => undefined });
    await until('the first look', () => driver.state.answering);
    expect(told).toEqual([]);
    await snmptrap(receiver.port, '2c');
    // The next poll is ten minutes away, so only the trap can cause a read.
    await until('the jam', () => told.length > 0);
    expect(told[0]).toMatchObject({ code: 'J-7218', severity: 'error', unit: 'finisher.1', pages: 120345 });
  } finally {
    await driver.stop();
  }
});

test('traps of version 1 and 2c and informs are taken, informs acknowledged; noise ends nothing', async () => {
  const { traps, reader } = noting();
  const port = await freeUdpPort();
  receiver = await receiveTraps({ port }, [{ host: '127.0.0.1', reader }], log);
  expect(receiver.port).toBe(port);
  const noise = createSocket('udp4');
  for (const bytes of ['', 'not SNMP at all', '\x30\x82\xff\xff', '0'.repeat(60_000)]) {
    await new Promise<void>((resolve, reject) =>
      noise.send(Buffer.from(bytes, 'latin1'), port, '127.0.0.1', (error) =>
        error ? reject(error) : resolve(),
      ),
    );
  }
  noise.close();
  await snmptrap(port, '1');
  await snmptrap(port, '2c');
  await snmptrap(port, '2c', true);
  await until('three', () => traps.length === 3);
  for (const variables of traps) {
    const code = variables.find(([oid]) => oid === '1.3.6.1.2.1.43.18.1.1.7.1.9');
    expect(code).toEqual(['1.3.6.1.2.1.43.18.1.1.7.1.9', { type: 'integer', value: 8 }]);
  }
});

test('traps and informs of version 3 are read when they are signed; what is not is only a reason to look', async () => {
  const { traps, reader } = noting();
  const { snmp } = openReader(
    { urls: ['snmp://127.0.0.1'], snmp: { version: '3', ...V3_USER } },
    new MappingTables(),
  );
  if (!snmp) throw new Error('no snmp reader');
  receiver = await receiveTraps({ host: '127.0.0.1', port: await freeUdpPort() }, [{ ...snmp, reader }], log);
  await snmptrap(receiver.port, '3', false, { authKey: 'not-the-auth-key' });
  await snmptrap(receiver.port, '3', false, { privKey: 'not-the-priv-key' });
  await snmptrap(receiver.port, '3', false, { user: 'stranger' });
  await snmptrap(receiver.port, '3');
  await until('the trap', () => traps.length > 0);
  await snmptrap(receiver.port, '3', true);
  await until('the inform', () => traps.length > 1);
  // Its address can be forged, so an unsigned trap proves nothing.
  await snmptrap(receiver.port, '2c');
  await until('the unsigned one', () => traps.length > 2);
  expect(traps).toHaveLength(3);
  const [trap, inform, unsigned] = traps;
  for (const variables of [trap, inform]) {
    expect(variables).toContainEqual(['1.3.6.1.2.1.43.18.1.1.7.1.9', { type: 'integer', value: 8 }]);
  }
  expect(unsigned).toEqual([]);
  await snmp.reader.close();
});

test('users of one name with different keys are told', async () => {
  const lines: string[] = [];
  const source = (host: string, authKey: string) => {
    const { snmp } = openReader(
      { urls: [`snmp://${host}`], snmp: { version: '3', ...V3_USER, authKey } },
      new MappingTables(),
    );
    if (!snmp) throw new Error('no snmp reader');
    return snmp;
  };
  const sources = [
    source('10.0.0.1', 'the-first-key'),
    source('10.0.0.2', 'the-first-key'),
    source('10.0.0.3', 'another-key'),
  ];
  receiver = await receiveTraps(
    { host: '127.0.0.1', port: await freeUdpPort() },
    sources,
    pino({}, { write: (line: string) => lines.push(line) }),
  );
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 40, host: '10.0.0.3', user: V3_USER.user });
});

test('where two printers send from one address both are read, and nobody’s alert becomes the other’s', async () => {
  const [a, b, c] = [noting(), noting(), noting()];
  const sources = [
    { host: '127.0.0.1', reader: a.reader },
    { host: 'localhost', reader: b.reader },
    { host: '127.0.0.9', reader: c.reader },
  ];
  receiver = await receiveTraps({ host: '127.0.0.1', port: await freeUdpPort() }, sources, log);
  await snmptrap(receiver.port, '2c');
  await until('both', () => a.traps.length === 1 && b.traps.length === 1);
  expect([a.traps, b.traps, c.traps]).toEqual([[[]], [[]], []]);
});

test('a name is looked up when it is needed, again when that is old, and what was known stands when nobody answers', async () => {
  let now = 0;
  let answer: string[] | undefined = ['10.0.0.5', '::FFFF:10.0.0.5'];
  const asked: string[] = [];
  const resolve = async (host: string) => {
    asked.push(host);
    if (!answer) throw new Error('no name server');
    return answer;
  };
  const named = { host: 'bizhub-7.example', ...noting() };
  const fixed = { host: 'FE80::1', ...noting() };
  const addresses = new TrapAddresses([named, fixed], resolve, () => now);
  expect(await addresses.at('::ffff:10.0.0.5')).toEqual([named]);
  expect(await addresses.at('fe80::1')).toEqual([fixed]);
  // A flood of traps from strangers must not cause a flood of lookups.
  for (let i = 0; i < 100; i++) expect(await addresses.at(`10.9.9.${i}`)).toEqual([]);
  expect(asked).toHaveLength(1);
  answer = ['10.0.0.6'];
  now += DRIVER_LIMITS.trapNamesUnknownMs;
  const both = await Promise.all([addresses.at('10.0.0.6'), addresses.at('10.0.0.6')]);
  expect(both).toEqual([[named], [named]]);
  expect(await addresses.at('10.0.0.5')).toEqual([]);
  answer = undefined;
  now += DRIVER_LIMITS.trapNamesKnownMs;
  expect(await addresses.at('10.0.0.6')).toEqual([named]);
  expect(asked).toHaveLength(3);
});

test('a port that is taken is told, and the agents run without traps', async () => {
  const taken = createSocket('udp4').bind(0, '127.0.0.1');
  await once(taken, 'listening');
  const traps = { host: '127.0.0.1', port: taken.address().port };
  await expect(receiveTraps(traps, [], log)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  const lines: string[] = [];
  const agents = await startAgents(
    {
      file: 'agents.json',
      config: { broker: { url: 'mqtt://127.0.0.1:1' }, traps, printers: [] },
      data: folder,
      mapping: loadMappings([]),
    },
    pino({ level: 'error' }, { write: (line: string) => lines.push(line) }),
  );
  expect(agents.trapPort).toBeUndefined();
  expect(lines.join('')).toMatch(/EADDRINUSE.*printers are only asked/);
  await agents.stop();
  await new Promise<void>((resolve) => taken.close(() => resolve()));
});
