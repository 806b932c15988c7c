/** `platen broker` as a user runs it: credentials, what survives a kill, what is refused. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { type EventEmitter, once as onceOf } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import { printerTopic } from '../../schemas/topics.ts';
import { eventually } from '../../tests/harness/ear.ts';
import { WITH_TYPES } from '../../tests/harness/run/with-types.ts';

const cli = fileURLToPath(new URL('../platen.ts', import.meta.url));
const once = (emitter: unknown, event: string): Promise<unknown[]> => onceOf(emitter as EventEmitter, event);
let folder: string;
let running: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-broker-'));
});

afterEach(async () => {
  if (running && running.exitCode === null && running.signalCode === null) {
    running.kill('SIGKILL');
    await once(running, 'exit');
  }
  rmSync(folder, { recursive: true });
});

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  NODE_OPTIONS: '',
  PLATEN_DATA: folder,
  PLATEN_LOG: 'json',
});

/** Starts a broker; gives the lines that it has printed so far. */
function started(...args: string[]): string[] {
  const all = [...WITH_TYPES, cli, 'broker', '--mqtt-port', '0', '--http-port', '0', ...args];
  const child = spawn(process.execPath, all, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
  running = child;
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  return lines;
}

async function start(...args: string[]): Promise<Record<string, string>> {
  const lines = started(...args);
  return eventually(
    () =>
      lines
        .map((line) => (JSON.parse(line) as { addresses?: Record<string, string> }).addresses)
        .find((addresses) => addresses !== undefined),
    'the broker is ready',
  );
}

function platen(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [...WITH_TYPES, cli, ...args], {
    env: environment(),
    encoding: 'utf8',
  });
}

const client = (url: string, username: string, password: string): Promise<mqtt.MqttClient> =>
  mqtt.connectAsync(url, { clientId: username, username, password, reconnectPeriod: 0 });

test('added credentials work, kill -9 loses no acknowledged structure, removed credentials are disconnected', async () => {
  const password = platen('broker', 'add', 'printer-1').stdout.trim();
  const operator = platen('broker', 'add', 'watcher', '--role', 'viewer').stdout.trim();
  const first = await start('--mqtts-port', '0');
  expect(first['mqtts']).toMatch(/^mqtts:/);
  await expect(client(first['mqtt'] as string, 'printer-1', 'wrong')).rejects.toThrow(
    'Bad username or password',
  );
  const printer = await client(first['mqtt'] as string, 'printer-1', password);
  printer.on('error', () => {});
  await printer.publishAsync(printerTopic.structure('printer-1'), '{"kept":true}', { qos: 1, retain: true });
  running?.kill('SIGKILL');
  await once(running, 'exit');

  const second = await start();
  const watcher = await client(second['webSocket'] as string, 'watcher', operator);
  const got = once(watcher, 'message');
  await watcher.subscribeAsync(printerTopic.structure('printer-1'), { qos: 1 });
  expect(String((await got)[1])).toBe('{"kept":true}');
  const again = await client(second['mqtt'] as string, 'printer-1', password);
  again.on('error', () => {});
  const ended = once(again, 'close');
  expect(platen('broker', 'remove', 'printer-1').status).toBe(0);
  await ended;
  await expect(client(second['mqtt'] as string, 'printer-1', password)).rejects.toThrow(
    'Bad username or password',
  );
  await watcher.endAsync();
  running?.kill('SIGTERM');
  expect((await once(running, 'exit'))[0]).toBe(0);
});

test('the first start creates an administrator, in a file that only its owner can read', async () => {
  const { mqtt: url = '' } = await start();
  const file = join(folder, 'admin.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const { username, password } = JSON.parse(readFileSync(file, 'utf8')) as {
    username: string;
    password: string;
  };
  const admin = await client(url, username, password);
  await admin.endAsync();
});

test('open access is refused on an address other machines reach; an unknown limit is named', () => {
  const open = platen('broker', '--access', 'open', '--host', '0.0.0.0');
  expect([open.status, open.stderr]).toEqual([1, expect.stringContaining('not on loopback')]);
  const limit = platen('broker', '--limit', 'packetBytesMax=lots');
  expect([limit.status, limit.stderr]).toEqual([1, expect.stringContaining('packetBytesMax=lots')]);
});

test('two brokers never run on one folder; the second one says where the first one is', async () => {
  const { mqtt: url = '' } = await start();
  const second = platen('broker', '--mqtt-port', '0', '--http-port', '0');
  expect([second.status, second.stderr]).toEqual([1, expect.stringContaining(url)]);
  expect(second.stderr).toContain('platen broker');
});

test('--data works before and after the subcommand', () => {
  const other = join(folder, 'other');
  expect(platen('broker', 'add', 'one', '--data', other).status).toBe(0);
  expect(platen('broker', '--data', other, 'add', 'two').status).toBe(0);
  const { credentials } = JSON.parse(readFileSync(join(other, 'credentials.json'), 'utf8')) as {
    credentials: { name: string }[];
  };
  expect(credentials.map(({ name }) => name)).toEqual(['one', 'two']);
  expect(platen('broker', 'remove', 'one', '--data', other).status).toBe(0);
});

test('at a terminal it says when it is ready, and who was refused', async () => {
  const lines = started('--log', 'story');
  const ready = await eventually(() => lines[0], 'the first line');
  expect(ready).toMatch(/ready {2}mqtt:\/\/127\.0\.0\.1:\d+ {2}http:.*admin\.json$/);
  const url = /mqtt:\S+/.exec(ready)?.[0] as string;
  await expect(client(url, 'stranger', 'wrong')).rejects.toThrow('Bad username or password');
  const refused = await eventually(() => lines[1], 'the second line');
  expect(refused).toMatch(/warning {2}refused {2}\(reason credentials, claimed stranger, .*127\.0\.0\.1/);
});

test('a failed start exits', async () => {
  const { http = '' } = await start();
  const other = mkdtempSync(join(tmpdir(), 'platen-broker-'));
  const failed = platen('broker', '--data', other, '--mqtt-port', '0', '--http-port', new URL(http).port);
  expect([failed.status, failed.stderr]).toEqual([1, expect.stringContaining('PLATEN_HTTP_PORT')]);
  rmSync(other, { recursive: true });
});
