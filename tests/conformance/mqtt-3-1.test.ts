/** The differences of MQTT 3.1 (MQIsdp, level 3), which old devices still use, from 3.1.1; on raw bytes. */
import { openBroker } from './open-broker.ts';
import { type ConnectOptions, packet, publishPacket, subscribePacket, text, uint16 } from './raw-client.ts';

const { connack, connected, fresh } = openBroker();
const old = (options: ConnectOptions): ConnectOptions => ({ name: 'MQIsdp', level: 3, ...options });

test('it is served', async () => {
  const topic = fresh('t');
  const [client, answer] = await connack(old({ clientId: fresh('c') }));
  expect(answer).toEqual([0, 0]);
  await client.subscribe([topic, 0]);
  client.send(publishPacket(topic, 'x'));
  expect((await client.nextPublish()).payload).toBe('x');
});

test('a session goes on without being told: CONNACK has no place for it', async () => {
  const topic = fresh('t');
  const clientId = fresh('c');
  const first = await connected(old({ clientId, clean: false }));
  await first.subscribe([topic, 1]);
  await first.disconnect();
  (await connected()).send(publishPacket(topic, 'kept', { qos: 1, id: 1 }));
  const [second, answer] = await connack(old({ clientId, clean: false }));
  expect(answer).toEqual([0, 0]);
  expect((await second.nextPublish()).payload).toBe('kept');
});

test('SUBSCRIBE, UNSUBSCRIBE and PUBREL that are sent again may say so', async () => {
  const topic = fresh('t');
  const client = await connected(old({ clientId: fresh('c') }));
  const again = Buffer.concat([Buffer.from([0x8a]), subscribePacket(7, [topic, 1]).subarray(1)]);
  expect(await client.send(again).nextHex()).toBe('90 000701');
  expect(await client.send(packet(0xaa, uint16(8), text(topic))).nextHex()).toBe('b0 0008');
  expect(await client.send(packet(0x6a, uint16(9))).nextHex()).toBe('70 0009');
  client.send(packet(0x60, uint16(9)));
  await client.closed();
});
