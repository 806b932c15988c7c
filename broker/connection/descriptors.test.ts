import { type ChildProcess, spawn } from 'node:child_process';
import { type EventEmitter, once as onceOf } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connectPacket, publishPacket, RawClient } from '../../tests/conformance/raw-client.ts';
import { WITH_TYPES } from '../../tests/harness/run/with-types.ts';
import { Descriptors } from './descriptors.ts';

const cli = fileURLToPath(new URL('../../cli/platen.ts', import.meta.url));
const once = (emitter: unknown, event: string): Promise<unknown[]> => onceOf(emitter as EventEmitter, event);

test('what is open is counted seldom while there is room, and often near the limit', () => {
  let now = 0;
  let sockets = 0;
  let counts = 0;
  const descriptors = new Descriptors({
    reserve: 100,
    now: () => now,
    sockets: () => sockets,
    limit: 1_000,
    count: () => {
      counts++;
      return sockets + 50;
    },
  });
  expect([descriptors.room, counts]).toEqual([850, 1]);
  sockets = 500;
  now = 5_000;
  expect([descriptors.room, counts]).toEqual([350, 1]);
  sockets = 849;
  expect([descriptors.fault, counts]).toEqual([undefined, 2]);
  sockets = 850;
  expect([descriptors.room, counts]).toEqual([0, 2]);
  expect(descriptors.fault).toMatch(/^900 of 1000 file descriptors are in use/);
});

test('where few are allowed the reserve leaves most of them; where the limit is not known there is always room', () => {
  const options = { reserve: 256, now: () => 0, sockets: () => 0, count: () => 20 };
  expect(new Descriptors({ ...options, limit: 256 }).room).toBe(172);
  expect(new Descriptors({ ...options, limit: undefined }).room).toBe(Number.POSITIVE_INFINITY);
});

const SCARCE = 'file descriptors are running out: new connections are turned away';

test('at the limit of descriptors the broker says so, and goes on for those that are connected', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'platen-descriptors-'));
  const sockets: Socket[] = [];
  let broker: ChildProcess | undefined;
  try {
    broker = spawn(
      'sh',
      [
        '-c',
        'ulimit -n 240 && exec "$@"',
        'sh',
        ...[process.execPath, ...WITH_TYPES, cli, 'broker', '--mqtt-port', '0', '--http-port', '0'],
      ],
      {
        env: { ...process.env, NODE_OPTIONS: '', PLATEN_DATA: folder, PLATEN_LOG: 'json' },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const told: string[] = [];
    const lines = createInterface(broker.stdout as NonNullable<ChildProcess['stdout']>);
    const addresses = await new Promise<Record<string, string>>((resolve) => {
      lines.on('line', (line) => {
        const parsed = JSON.parse(line) as { addresses?: Record<string, string>; msg: string };
        told.push(parsed.msg);
        if (parsed.addresses) resolve(parsed.addresses);
      });
    });
    const port = Number(new URL(addresses['mqtt'] as string).port);
    const admin = JSON.parse(readFileSync(join(folder, 'admin.json'), 'utf8')) as {
      username: string;
      password: string;
    };
    const client = await RawClient.connected(port, { clientId: 'one', ...admin });
    for (let n = 0; n < 300; n++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      sockets.push(socket);
    }
    let status = 200;
    for (let n = 0; n < 1_200 && status === 200; n++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      status = (await fetch(`${addresses['http']}/readyz`)).status;
    }
    expect(status).toBe(503);
    // The log is written at the next tick, possibly after the first 503.
    for (let n = 0; n < 1_200 && !told.includes(SCARCE); n++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(told).toContain(SCARCE);
    client.send(publishPacket('platen/v1/ops/admin/request/fleet.summary', '{}', { qos: 1, id: 7 }));
    expect(await client.nextHex()).toBe('40 0007');
    // A newcomer is let in and a silent one closed.
    const other = await RawClient.open(port);
    other.send(connectPacket({ clientId: 'two', ...admin }));
    expect((await other.next()).body[1]).toBe(0);
    for (const socket of sockets) socket.destroy();
    for (let n = 0; n < 1_200 && status === 503; n++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      status = (await fetch(`${addresses['http']}/readyz`)).status;
    }
    expect(status).toBe(200);
    client.vanish();
    other.vanish();
  } finally {
    for (const socket of sockets) socket.destroy();
    if (broker && broker.exitCode === null) {
      broker.kill('SIGKILL');
      await once(broker, 'exit');
    }
    rmSync(folder, { recursive: true });
  }
});
