/** What operators see: `$SYS` with mosquitto's names, and the metrics. */
import pino from 'pino';
import { Registry } from 'prom-client';
import { connectPacket, packet, publishPacket, RawClient } from '../tests/conformance/raw-client.ts';
import { type Broker, createBroker } from './broker.ts';

/** The topics of mosquitto 2.0 (mosquitto(8), "Broker status"; bridges aside). */
const LOADS = [
  'messages/received',
  'messages/sent',
  'publish/dropped',
  'publish/received',
  'publish/sent',
  'bytes/received',
  'bytes/sent',
  'sockets',
  'connections',
];
const NAMES = [
  'version',
  'uptime',
  ...['total', 'connected', 'disconnected', 'active', 'inactive', 'maximum', 'expired'].map(
    (name) => `clients/${name}`,
  ),
  'subscriptions/count',
  'shared_subscriptions/count',
  'retained messages/count',
  'messages/received',
  'messages/sent',
  'messages/inflight',
  'messages/stored',
  'store/messages/count',
  'store/messages/bytes',
  'publish/messages/received',
  'publish/messages/sent',
  'publish/messages/dropped',
  'publish/bytes/received',
  'publish/bytes/sent',
  'bytes/received',
  'bytes/sent',
  'heap/current',
  'heap/maximum',
  ...LOADS.flatMap((name) => ['1min', '5min', '15min'].map((span) => `load/${name}/${span}`)),
].map((name) => `$SYS/broker/${name}`);

let broker: Broker;
let port: number;

beforeEach(async () => {
  broker = await createBroker({
    tcp: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
    identity: 'open',
    sysMs: 50,
  });
  await broker.listen();
  port = Number(new URL(broker.addresses['tcp'] as string).port);
});

afterEach(() => broker.close());

test('$SYS has the names of mosquitto, and its values follow what happens', async () => {
  const watcher = await RawClient.connected(port, { clientId: 'watcher' });
  await watcher.subscribe(['$SYS/#', 0], ['$share/g/x', 0]);
  const seen = new Map<string, string>();
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      const { topic, payload } = await watcher.nextPublish();
      seen.set(topic, payload);
    }
  };
  await until(() => seen.size >= NAMES.length);
  expect([...seen.keys()].sort()).toEqual([...NAMES].sort());
  (await RawClient.connected(port)).send(publishPacket('somewhere', '12345'));
  await until(() => seen.get('$SYS/broker/publish/bytes/received') === '5');
  await until(() => seen.get('$SYS/broker/clients/connected') === '2');
  await until(() => seen.get('$SYS/broker/shared_subscriptions/count') === '1');
  expect(seen.get('$SYS/broker/version')).toMatch(/^platen version \d+\.\d+/);
});

test('metrics tell connections, rates, queues, and what was dropped, refused and closed by reason', async () => {
  const registry = new Registry();
  broker.metrics(registry);
  const client = await RawClient.connected(port, { clientId: 'one' });
  await client.subscribe(['$share/g/t', 1], ['test/nosubscribe', 0]);
  await client.send(publishPacket('$SYS/x', '', { qos: 1, id: 1 }), packet(0xc0)).next();
  const bad = await RawClient.open(port);
  bad.send(connectPacket({ clean: false }));
  await bad.closed();
  bad.vanish();
  while (!broker.stats().closed['client-id']) await new Promise((resolve) => setTimeout(resolve, 5));
  const text = await registry.metrics();
  for (const line of [
    /^platen_broker_clients_connected 1$/m,
    /^platen_broker_subscriptions 1$/m,
    /^platen_broker_received_packets_total \d+$/m,
    /^platen_broker_sent_packets_total \d+$/m,
    /^platen_broker_queued_messages 0$/m,
    /^platen_broker_inflight_messages 0$/m,
    /^platen_broker_dropped_total\{reason="reserved-topic"\} 1$/m,
    /^platen_broker_refused_total\{reason="subscribe-not-authorized"\} 1$/m,
    /^platen_broker_refused_total\{reason="client-id"\} 1$/m,
    /^platen_broker_closed_total\{reason="client-id"\} 1$/m,
    /^platen_broker_retained_write_seconds_bucket\{le="0\.001"\} /m,
  ]) {
    expect(text).toMatch(line);
  }
});
