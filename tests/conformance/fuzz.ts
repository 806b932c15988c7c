/**
 * Seeded mutations of client packets, sent to a running `platen broker`. Afterwards the broker must be alive, serve
 * clients, have closed every connection, and use about as much memory as before.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../../base/random.ts';
import { WITH_TYPES } from '../harness/run/with-types.ts';
import {
  connectPacket,
  packet,
  publishPacket,
  RawClient,
  subscribePacket,
  uint16,
  unsubscribePacket,
} from './raw-client.ts';

/** Loaded into the broker: collects garbage on SIGUSR2, so that the memory still in use can be compared. */
const COLLECT = 'data:text/javascript,process.on("SIGUSR2",()=>globalThis.gc())';
const AT_ONCE = 100;
/** How long a connection stays open when its bytes are not refused. */
const STAY_MS = 15;

export interface Fuzzed {
  port: number;
  http: number;
  child: ChildProcess;
}

/** Starts the broker as a user does. */
export async function startBroker(): Promise<Fuzzed> {
  const cli = fileURLToPath(new URL('../../cli/platen.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    [
      '--expose-gc',
      '--import',
      COLLECT,
      ...WITH_TYPES,
      cli,
      'broker',
      '--mqtt-port',
      '0',
      '--http-port',
      '0',
      '--log',
      'json',
      // Small limits, so that everything kept on purpose is full after the first thousands and later growth is a leak:
      // the queues of offline clients alone grew by 15 MB over 200,000 connections.
      '--limit',
      'offlineSessionsMax=100',
      'offlineMessagesMax=10',
      'retainedMax=50',
      'watchedMax=1000',
      '--log-level',
      'info',
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, PLATEN_ACCESS: 'open', NODE_OPTIONS: '' },
    },
  );
  const addresses = await new Promise<{ mqtt: string; http: string }>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the broker ended with ${code}`)));
    // The listener stays attached: later log lines are not used here, but must not fill the pipe.
    createInterface(child.stdout).on('line', (line) => {
      const logged = JSON.parse(line) as { addresses?: { mqtt: string; http: string } };
      if (logged.addresses) resolve(logged.addresses);
    });
  });
  return { port: Number(new URL(addresses.mqtt).port), http: Number(new URL(addresses.http).port), child };
}

/** The packets of a plausible client. */
function conversation(next: () => number): Buffer[] {
  const pick = (most: number) => Math.floor(next() * most);
  const topic = ['a', 'a/b', 'a/+', '#', '$SYS/x', '/', 'platen/v1/printers/p/structure', ''][
    pick(8)
  ] as string;
  const id = pick(4);
  const qos = pick(4);
  const payload = 'x'.repeat(pick(40) === 0 ? 70_000 : pick(50));
  const said = [
    connectPacket({
      clientId: ['', 'one', 'two', `c${pick(500)}`][pick(4)] as string,
      clean: pick(4) > 0,
      keepalive: pick(3),
      level: pick(20) === 0 ? pick(7) : 4,
      ...(pick(3) === 0
        ? { will: { topic, payload: payload.slice(0, 60_000), qos: pick(4), retain: pick(2) === 0 } }
        : {}),
      ...(pick(4) === 0 ? { username: 'u' } : {}),
      ...(pick(4) === 0 ? { password: 'p' } : {}),
    }),
  ];
  for (let more = pick(8); more > 0; more--) {
    const kinds = [
      () => publishPacket(topic, payload, { qos, id, retain: pick(2) === 0, dup: pick(2) === 0 }),
      () => subscribePacket(id, [topic, qos], [`${topic}/x`, pick(3)]),
      () => unsubscribePacket(id, topic),
      () => packet(0xc0),
      () => packet(0x62, uint16(id)),
      () => packet(((4 + pick(4)) << 4) | pick(3), uint16(id)),
      () => packet(0xe0),
    ];
    said.push((kinds[pick(kinds.length)] as () => Buffer)());
  }
  return said;
}

/** Damages bytes in one of several typical ways. */
function mutate(bytes: Buffer, next: () => number): Buffer {
  const pick = (most: number) => Math.floor(next() * most);
  const at = pick(bytes.length);
  switch (pick(7)) {
    case 0: {
      const copy = Buffer.from(bytes);
      copy[at] = pick(256);
      return copy;
    }
    case 1: {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] as number) ^ (1 << pick(8));
      return copy;
    }
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([pick(256), pick(256)]), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([bytes, bytes.subarray(at)]);
    case 5: {
      // The remaining length exceeds the data.
      const copy = Buffer.from(bytes);
      copy[1] = 0x80 | pick(128);
      return copy;
    }
    default:
      return bytes;
  }
}

/** One damaged conversation, split into pieces. Resolves when the connection has ended. */
function talk(port: number, next: () => number): Promise<void> {
  let bytes: Buffer = Buffer.concat(conversation(next));
  for (let more = Math.floor(next() * 4); more > 0 && bytes.length > 0; more--) bytes = mutate(bytes, next);
  const cut = next() < 0.3 ? Math.floor(next() * bytes.length) : bytes.length;
  const rude = next() < 0.3;
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const timer = setTimeout(() => (rude ? socket.resetAndDestroy() : socket.destroy()), STAY_MS);
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.write(bytes.subarray(0, cut));
    if (cut < bytes.length) setImmediate(() => socket.write(bytes.subarray(cut)));
  });
}

/** Runs `count` damaged conversations. */
export async function fuzz(port: number, seed: number, count: number): Promise<void> {
  const next = seededRandom(seed);
  let begun = 0;
  const lane = async () => {
    while (begun++ < count) await talk(port, next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** A metric of the broker. */
export async function metric(http: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1],
  );
}

/** Whether a new client is served normally. */
export async function serves(port: number): Promise<boolean> {
  const client = await RawClient.connected(port, { clientId: 'witness' });
  await client.subscribe(['witness', 1]);
  client.send(publishPacket('witness', 'alive', { qos: 1, id: 9 }));
  const types = [(await client.next()).type, (await client.next()).type].sort();
  await client.disconnect();
  return types.join() === '3,4';
}

/**
 * Memory of the broker after garbage collection: objects and buffers that are still referenced. Resident memory is
 * reported too but not judged: the allocator returns pages when it likes, and resident growth of 90 MB was seen with
 * nothing retained.
 */
async function heldBytes(broker: { child: ChildProcess; http: number }): Promise<Held> {
  broker.child.kill('SIGUSR2');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const [heap, external, resident] = await Promise.all([
    metric(broker.http, 'platen_nodejs_heap_size_used_bytes'),
    metric(broker.http, 'platen_nodejs_external_memory_bytes'),
    metric(broker.http, 'platen_process_resident_memory_bytes'),
  ]);
  return { held_bytes: heap + external, resident_bytes: resident };
}

interface Held {
  held_bytes: number;
  resident_bytes: number;
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** The whole trial. @returns how much more memory the broker holds afterwards @throws Error that names the seed */
export async function trial(seed: number, count: number): Promise<{ growth_bytes: number }> {
  const broker = await startBroker();
  const settled = async () => {
    for (let n = 0; n < 100 && (await metric(broker.http, 'platen_broker_connections')) > 0; n++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return metric(broker.http, 'platen_broker_connections');
  };
  try {
    // The first conversations fill the sessions, retained topics and compiled code that are kept, and grow the heap to
    // its working size: three times as many make it no larger.
    await fuzz(broker.port, seed ^ 0x5eed, Math.min(20_000, count));
    await settled();
    const before = await heldBytes(broker);
    await fuzz(broker.port, seed, count);
    const left = await settled();
    if (left !== 0) throw new Error(`seed ${seed}, ${count} connections: ${left} connections are left`);
    if (!(await serves(broker.port))) throw new Error(`seed ${seed}: the broker serves nobody any more`);
    const after = await heldBytes(broker);
    const growth_bytes = after.held_bytes - before.held_bytes;
    process.stdout.write(
      `fuzz: seed ${seed}, ${count} connections: held ${mib(growth_bytes)}, resident ${mib(after.resident_bytes - before.resident_bytes)} more than before\n`,
    );
    const exited = once(broker.child, 'exit');
    broker.child.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    if (code !== 0) throw new Error(`seed ${seed}: the broker ended with ${code}`);
    return { growth_bytes };
  } finally {
    if (broker.child.exitCode === null) broker.child.kill('SIGKILL');
  }
}
