import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import mqtt from 'mqtt';
import { openStore } from '../../center/database/store.ts';
import { opsTopic, printerTopic } from '../../schemas/topics.ts';
import { eventually } from '../harness/ear.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { sampleEntries, sampleStructure } from '../harness/printer.ts';
import { platen, type RunningProduct, startProduct } from '../harness/product.ts';
import { startMosquitto } from '../mosquitto.ts';

const PRINTERS = 20;
const KILLS = 3;

/** Pseudo-random, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

test('over mosquitto, a center that is killed between receiving and committing loses and doubles nothing', async () => {
  const next = random(20261122);
  const folder = temporaryFolder('platen-foreign-');
  const data = join(folder, 'data');
  const mosquitto = await startMosquitto({ config: ['max_inflight_messages 0', 'max_queued_messages 0'] });
  const env = { PLATEN_BROKER: mosquitto.url };
  const start = () => startProduct({ args: ['center'], data, env });
  let center: RunningProduct = await start();
  const client = await mqtt.connectAsync(mosquitto.url, { clientId: 'printers' });
  const heard: Record<string, number> = {};
  client.on('message', (topic, payload) => {
    const printer = topic.split('/')[3] ?? '';
    const { upTo } = JSON.parse(payload.toString()) as { upTo: number };
    heard[printer] = Math.max(heard[printer] ?? 0, upTo);
  });
  await client.subscribeAsync('platen/v1/printers/+/errors/ack', { qos: 1 });
  const sent: Record<string, number> = {};
  let speaking = true;
  const speak = async (printer: string) => {
    while (speaking) {
      const from = (sent[printer] ?? 0) + 1;
      const to = from + Math.floor(next() * 4);
      const batch = { log: 'L', first: 1, reason: 'event', entries: sampleEntries(from, to) };
      await client.publishAsync(printerTopic.errors(printer), JSON.stringify(batch), { qos: 1 });
      sent[printer] = to;
      await sleep(5);
    }
  };
  const speakers = Array.from({ length: PRINTERS }, (_, index) => speak(`f-${index}`));
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(200 + next() * 300);
      await center.kill();
      await sleep(200);
      center = await start();
    }
    speaking = false;
    await Promise.all(speakers);
    await eventually(
      () => Object.keys(sent).every((printer) => heard[printer] === sent[printer]),
      'everything sent is acknowledged',
    );
    // Over a foreign broker the cursor is the acknowledgement.
    expect(heard).toEqual(sent);
    // An operator sends requests over the same broker.
    await client.publishAsync(printerTopic.structure('f-0'), JSON.stringify(sampleStructure()), {
      qos: 1,
      retain: true,
    });
    await client.subscribeAsync('platen/v1/ops/admin/reply/#', { qos: 1 });
    type Reply = { status: string; data: { logs: { upTo: number }[] } };
    let asked = 0;
    const ask = () =>
      new Promise<Reply>((resolve) => {
        const id = `r${++asked}`;
        client.on('message', (topic, payload) => {
          if (topic === opsTopic.reply('admin', id)) resolve(JSON.parse(payload.toString()) as Reply);
        });
        const params = { printer: 'f-0' };
        client.publish(opsTopic.request('admin', 'printers.get'), JSON.stringify({ id, params }), { qos: 1 });
      });
    // mosquitto acknowledged the structure, which does not mean that the center has it.
    const reply = await eventually(async () => {
      const answer = await ask();
      return answer.status === 'ok' && answer;
    }, 'the center knows f-0');
    expect(reply).toMatchObject({ data: { logs: [{ upTo: sent['f-0'] }] } });
    expect(await center.stop()).toBe(0);
  } finally {
    speaking = false;
    center.process.kill('SIGKILL');
    await client.endAsync(true);
    await mosquitto.stop();
  }
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const store = await openStore({ source: { dataFolder: data }, log });
  const rows = await store.database.query<{ printer: string; n: number; last: number }>(
    'SELECT printer, count(*) AS n, max(seq) AS last FROM error_entries GROUP BY 1',
  );
  await store.close();
  rmSync(folder, { recursive: true, force: true });
  expect(Object.fromEntries(rows.map((row) => [row.printer, [row.n, row.last]]))).toEqual(
    Object.fromEntries(Object.entries(sent).map(([printer, last]) => [printer, [last, last]])),
  );
});

test('without a broker, or with one that is not there, the center says which setting and ends with 1', async () => {
  const folder = temporaryFolder('platen-foreign-');
  const env = { PLATEN_DATA: join(folder, 'data'), PLATEN_HTTP_PORT: '0' };
  const without = await platen(['center'], { env });
  expect(without.code).toBe(1);
  expect(without.stderr).toContain('PLATEN_BROKER');
  const absent = await platen(['center', '--broker', 'mqtt://127.0.0.1:9'], { env });
  expect(absent.code).toBe(1);
  expect(absent.stderr).toMatch(/The broker 127\.0\.0\.1:9 cannot be used: .*ECONNREFUSED/);
  rmSync(folder, { recursive: true, force: true });
});
