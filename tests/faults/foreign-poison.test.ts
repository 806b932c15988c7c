import { rmSync } from 'node:fs';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { opsTopic, printerTopic } from '../../schemas/topics.ts';
import { Ear, eventually } from '../harness/ear.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { sampleEntries, sampleStructure } from '../harness/printer.ts';
import { type RunningProduct, startProduct } from '../harness/product.ts';
import { type Mosquitto, startMosquitto } from '../mosquitto.ts';

// Over a foreign broker, one printer's messages must not keep the center from serving the others.

/** Ids from which no MQTT client may build a topic: mosquitto ends the connection of a client that publishes to it. */
const POISON = [
  '#',
  '+',
  'a/b',
  'a\u0000',
  'a\u0007',
  'a\u0085',
  '\ud800',
  '\uffff',
  '\u{1fffe}',
  '',
  'x'.repeat(65),
];
/** A larger packet makes mosquitto end the connection. */
const PACKET_BYTES_MAX = 60_000;

let mosquitto: Mosquitto;
let folder: string;
let center: RunningProduct;
let client: MqttClient;
let ear: Ear;

const start = () =>
  startProduct({ args: ['center'], data: join(folder, 'data'), env: { PLATEN_BROKER: mosquitto.url } });

/** A batch of another printer's entries is stored and acknowledged. */
async function isServed(printer: string, log: string): Promise<void> {
  const batch = { log, first: 1, reason: 'event', entries: sampleEntries(1, 1) };
  await client.publishAsync(printerTopic.errors(printer), JSON.stringify(batch), { qos: 1 });
  await ear.hear(printerTopic.errorsAck(printer), (ack: { log: string }) => ack.log === log);
}

beforeAll(async () => {
  folder = temporaryFolder('platen-poison-');
  mosquitto = await startMosquitto({ config: [`max_packet_size ${PACKET_BYTES_MAX}`] });
  center = await start();
  client = await mqtt.connectAsync(mosquitto.url, { clientId: 'printers' });
  ear = new Ear(client);
  const filters = [
    'platen/v1/printers/+/errors/ack',
    'platen/v1/printers/+/refused',
    'platen/v1/printers/+/answer/+',
  ];
  await client.subscribeAsync([...filters, opsTopic.reply('admin', 'r1')], { qos: 1 });
});

afterAll(async () => {
  await client?.endAsync(true);
  // Stopped rather than killed: a kill would leave its Postgres behind.
  await center?.stop();
  await mosquitto?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.each(POISON.map((id, index) => [JSON.stringify(id), id, `L${index}`] as const))(
  'an ask with the id %s is refused, and everybody else is served',
  async (_, id, log) => {
    const topic = printerTopic.ask('poisoner', 'verdict');
    await client.publishAsync(topic, JSON.stringify({ id }), { qos: 1 });
    expect(await ear.hear(printerTopic.refused('poisoner'))).toMatchObject({
      topic,
      code: 'payload/schema',
    });
    await isServed('other', log);
  },
);

test('a reply that the broker takes nowhere is set aside; the ones behind it arrive, also after a restart', async () => {
  // A printer whose answer is larger than the broker forwards.
  const big = Array.from({ length: 12 }, (_, index) =>
    sampleEntries(1 + index * 12, 12 + index * 12, { detail: { text: 'x'.repeat(4_000) } }),
  );
  for (const [index, entries] of big.entries()) {
    const batch = { log: 'L', first: 1, reason: 'event', entries };
    await client.publishAsync(printerTopic.errors('large'), JSON.stringify(batch), { qos: 1 });
    await ear.hear(printerTopic.errorsAck('large'), ({ upTo }) => upTo === 12 + index * 12);
  }
  await client.publishAsync(printerTopic.ask('large', 'history'), '{"id":"h1"}', { qos: 1 });
  await isServed('other', 'behind');
  await client.publishAsync(printerTopic.structure('other'), JSON.stringify(sampleStructure()), {
    qos: 1,
    retain: true,
  });
  await client.publishAsync(printerTopic.ask('other', 'troubles'), '{"id":"t1"}', { qos: 1 });
  await ear.hear(printerTopic.answer('other', 't1'));
  const metrics = await (await fetch(new URL('metrics', center.http))).text();
  expect(metrics).toMatch(/^platen_set_aside_total 1$/m);
  const setAside = () => center.log.filter(({ msg }) => msg?.includes('set aside'));
  await eventually(() => setAside().length > 0, 'the log says so');
  expect(setAside()).toHaveLength(1);
  expect(await center.stop()).toBe(0);
  center = await start();
  await isServed('other', 'restarted');
});
