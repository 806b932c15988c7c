/**
 * Bytes that MQTT 3.1.1 forbids: each closes the connection ([MQTT-4.8.0-1]), without a reply unless the standard
 * defines one, and affects nobody else.
 */
import pino from 'pino';
import { type Broker, createBroker } from '../../broker/broker.ts';
import {
  connectPacket,
  packet,
  publishPacket,
  RawClient,
  subscribePacket,
  text,
  uint16,
  unsubscribePacket,
} from './raw-client.ts';

let broker: Broker;
let port: number;

beforeAll(async () => {
  broker = await createBroker({
    tcp: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
    identity: 'open',
  });
  await broker.listen();
  port = Number(new URL(broker.addresses['tcp'] as string).port);
});

afterAll(() => broker.close());

const nul = Buffer.from('a\0b');
const surrogate = Buffer.from([0x61, 0xed, 0xa0, 0x80]);
const overlong = Buffer.from([0xc0, 0x80]);
const long = 'x'.repeat(200);

/** Statement, what is wrong, the bytes instead of CONNECT. */
const INSTEAD_OF_CONNECT: [string, string, Buffer][] = [
  ['MQTT-3.1.0-1', 'PUBLISH before CONNECT', publishPacket('a', 'b')],
  ['MQTT-3.1.0-1', 'PINGREQ before CONNECT', packet(0xc0)],
  ['MQTT-3.1.0-1', 'SUBSCRIBE before CONNECT', subscribePacket(1, ['a', 0])],
  ['MQTT-3.1.2-1', 'another protocol name', connectPacket({ name: 'HTTP', clientId: 'x' })],
  ['MQTT-3.1.2-3', 'the reserved flag of CONNECT', connectPacket({ flags: 0x03, clientId: 'x' })],
  ['MQTT-3.1.2-13', 'will QoS without a will', connectPacket({ flags: 0x0a, clientId: 'x' })],
  [
    'MQTT-3.1.2-14',
    'will QoS 3',
    packet(0x10, text('MQTT'), [4, 0x1e], uint16(0), text('x'), text('w'), text('p')),
  ],
  ['MQTT-3.1.2-15', 'will retain without a will', connectPacket({ flags: 0x22, clientId: 'x' })],
  [
    'MQTT-3.1.2-22',
    'a password without a user name',
    packet(0x10, text('MQTT'), [4, 0x42], uint16(0), text('x'), text('p')),
  ],
  [
    'MQTT-3.1.2-19',
    'a user name flag without a user name',
    packet(0x10, text('MQTT'), [4, 0x82], uint16(0), text('x')),
  ],
  [
    'MQTT-3.1.2-21',
    'a password flag without a password',
    packet(0x10, text('MQTT'), [4, 0xc2], uint16(0), text('x'), text('u')),
  ],
  ['MQTT-3.1.2-9', 'a will flag without a will', packet(0x10, text('MQTT'), [4, 0x06], uint16(0), text('x'))],
  [
    'MQTT-3.1.2-18',
    'a user name without its flag',
    packet(0x10, text('MQTT'), [4, 0x02], uint16(0), text('x'), text('u')),
  ],
  ['MQTT-3.1.3-4', 'a client id that is not UTF-8', connectPacket({ clientId: surrogate })],
  ['MQTT-1.5.3-2', 'U+0000 in the client id', connectPacket({ clientId: nul })],
  ['MQTT-3.1.3-11', 'a user name with U+0000', connectPacket({ clientId: 'x', username: 'a\0' })],
  [
    'MQTT-4.7.1-1',
    'a wildcard in the will topic',
    connectPacket({ clientId: 'x', will: { topic: 'a/#', payload: '' } }),
  ],
  [
    'MQTT-3.1.3-10',
    'a will topic that is not UTF-8',
    packet(0x10, text('MQTT'), [4, 6], uint16(0), text('x'), text(surrogate), text('p')),
  ],
  ['MQTT-4.7.3-1', 'an empty will topic', connectPacket({ clientId: 'x', will: { topic: '', payload: '' } })],
  [
    'MQTT-2.2.2-2',
    'flags in the fixed header of CONNECT',
    Buffer.concat([Buffer.from([0x11]), connectPacket({ clientId: 'x' }).subarray(1)]),
  ],
  ['MQTT-3.1.3-1', 'bytes behind the payload', packet(0x10, text('MQTT'), [4, 2], uint16(0), text('x'), [0])],
  ['MQTT-3.1.3-3', 'no client id at all', packet(0x10, text('MQTT'), [4, 2], uint16(0))],
  [
    'MQTT-3.1.2-11',
    'a will without its flag',
    packet(0x10, text('MQTT'), [4, 2], uint16(0), text('x'), text('w'), text('p')),
  ],
  [
    'MQTT-3.1.2-20',
    'a password without its flag',
    packet(0x10, text('MQTT'), [4, 0x82], uint16(0), text('x'), text('u'), text('p')),
  ],
  ['2.2.3', 'a remaining length of five bytes', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x01])],
];

/** The same after CONNECT. */
const AFTER_CONNECT: [string, string, Buffer][] = [
  ['MQTT-3.1.0-2', 'a second CONNECT', connectPacket({ clientId: 'again' })],
  ['MQTT-2.2.2-2', 'a reserved packet type 0', Buffer.from([0x00, 0x00])],
  ['MQTT-2.2.2-2', 'a reserved packet type 15', Buffer.from([0xf0, 0x00])],
  ['MQTT-2.2.2-2', 'CONNACK from a client', packet(0x20, [0, 0])],
  ['MQTT-2.2.2-2', 'SUBACK from a client', packet(0x90, uint16(1), [0])],
  ['MQTT-2.2.2-2', 'UNSUBACK from a client', packet(0xb0, uint16(1))],
  ['MQTT-2.2.2-2', 'PINGRESP from a client', packet(0xd0)],
  ['MQTT-2.2.2-2', 'flags in PINGREQ', packet(0xc1)],
  ['MQTT-2.2.2-2', 'flags in PUBACK', packet(0x41, uint16(1))],
  ['MQTT-2.2.2-2', 'flags in DISCONNECT', packet(0xe1)],
  ['MQTT-3.14.1-1', 'DISCONNECT with a body', packet(0xe0, [0])],
  ['3.12', 'PINGREQ with a body', packet(0xc0, [0])],
  ['MQTT-3.6.1-1', 'PUBREL with wrong flags', packet(0x60, uint16(1))],
  [
    'MQTT-3.8.1-1',
    'SUBSCRIBE with wrong flags',
    Buffer.concat([Buffer.from([0x80]), subscribePacket(1, ['a', 0]).subarray(1)]),
  ],
  [
    'MQTT-3.10.1-1',
    'UNSUBSCRIBE with wrong flags',
    Buffer.concat([Buffer.from([0xa0]), unsubscribePacket(1, 'a').subarray(1)]),
  ],
  ['MQTT-3.8.1-1', 'SUBSCRIBE with DUP, which only MQTT 3.1 has', packet(0x8a, uint16(1), text('a'), [0])],
  ['MQTT-3.3.1-4', 'PUBLISH with QoS 3', packet(0x36, text('a'), uint16(1))],
  ['MQTT-3.3.1-2', 'DUP with QoS 0', packet(0x38, text('a'))],
  ['MQTT-2.3.1-1', 'PUBLISH with identifier 0', publishPacket('a', 'b', { qos: 1, id: 0 })],
  ['MQTT-2.3.1-1', 'SUBSCRIBE with identifier 0', subscribePacket(0, ['a', 0])],
  ['MQTT-2.3.1-1', 'UNSUBSCRIBE with identifier 0', unsubscribePacket(0, 'a')],
  ['MQTT-2.3.1-1', 'PUBACK with identifier 0', packet(0x40, uint16(0))],
  ['3.4.2', 'PUBACK with bytes behind it', packet(0x40, uint16(1), [0])],
  ['3.4.2', 'PUBACK that is too short', packet(0x40, [1])],
  ['MQTT-3.3.2-1', 'PUBLISH without a topic', packet(0x30)],
  [
    'MQTT-3.3.2-1',
    'PUBLISH whose topic is longer than the packet',
    packet(0x30, uint16(10), Buffer.from('abc')),
  ],
  ['MQTT-4.7.3-1', 'an empty topic', publishPacket('', 'b')],
  ['MQTT-3.3.2-2', '# in a topic', publishPacket('a/#', 'b')],
  ['MQTT-3.3.2-2', '+ in a topic', publishPacket('a/+/b', 'b')],
  ['MQTT-4.7.3-2', 'U+0000 in a topic', publishPacket(nul, 'b')],
  ['MQTT-1.5.3-1', 'a surrogate in a topic', publishPacket(surrogate, 'b')],
  ['MQTT-1.5.3-1', 'overlong UTF-8 in a topic', publishPacket(overlong, 'b')],
  ['1.5.3', 'a control character U+0001 in a topic', publishPacket('a\u0001', 'b')],
  ['1.5.3', 'a control character U+0085 in a topic', publishPacket('a\u0085', 'b')],
  ['1.5.3', 'U+FFFF, which is no character, in a filter', subscribePacket(1, ['a\uffff', 0])],
  ['2.2.3', 'PUBLISH without room for its identifier', packet(0x32, text('a'))],
  ['MQTT-3.8.3-3', 'SUBSCRIBE without filters', packet(0x82, uint16(1))],
  ['MQTT-3.8.3-4', 'SUBSCRIBE with QoS 3', subscribePacket(1, ['a', 3])],
  ['MQTT-3.8.3-4', 'SUBSCRIBE with reserved bits', subscribePacket(1, ['a', 0x41])],
  ['3.8.3', 'SUBSCRIBE that ends before the QoS', packet(0x82, uint16(1), text('a'))],
  ['MQTT-3.8.3-1', 'a filter that is not UTF-8', subscribePacket(1, [surrogate, 0])],
  ['MQTT-4.7.3-2', 'U+0000 in a filter', subscribePacket(1, [nul, 0])],
  ['MQTT-4.7.3-1', 'an empty filter', subscribePacket(1, ['', 0])],
  ['MQTT-4.7.1-2', '# in the middle', subscribePacket(1, ['a/#/b', 0])],
  ['MQTT-4.7.1-2', '# behind other characters', subscribePacket(1, ['a#', 0])],
  ['MQTT-4.7.1-2', '# behind other characters of its level', subscribePacket(1, ['b/a#', 0])],
  ['MQTT-4.7.1-3', '+ behind other characters', subscribePacket(1, ['a+', 0])],
  ['MQTT-4.7.1-3', '+ before other characters', subscribePacket(1, ['a/+b', 0])],
  ['MQTT-3.10.3-1', 'UNSUBSCRIBE with a filter that is not UTF-8', packet(0xa2, uint16(1), text(surrogate))],
  ['MQTT-3.10.3-2', 'UNSUBSCRIBE without filters', packet(0xa2, uint16(1))],
  ['MQTT-4.7.1-3', 'a malformed filter in UNSUBSCRIBE', unsubscribePacket(1, 'a+')],
  ['limit', 'more topic levels than the limit', publishPacket('/'.repeat(201), '')],
  ['limit', 'more filter levels than the limit', subscribePacket(1, ['/'.repeat(201), 0])],
];

describe('instead of CONNECT [MQTT-3.1.4-1], [MQTT-3.2.2-6]', () => {
  test.each(INSTEAD_OF_CONNECT)('%s: %s', async (_statement, _wrong, bytes) => {
    const client = await RawClient.open(port);
    client.send(bytes);
    expect(await client.closed()).toEqual([]);
  });
});

describe('after CONNECT', () => {
  test.each(AFTER_CONNECT)('%s: %s', async (_statement, _wrong, bytes) => {
    const client = await RawClient.connected(port);
    client.send(bytes);
    expect(await client.closed()).toEqual([]);
  });
});

/** Return codes of a refusing CONNACK: statement, CONNECT, code. */
const REFUSED: [string, string, Buffer, number][] = [
  ['MQTT-3.1.2-2', 'a level that is not known', connectPacket({ level: 6, clientId: 'x' }), 1],
  ['MQTT-3.1.2-2', 'level 3 under the name MQTT', connectPacket({ level: 3, clientId: 'x' }), 1],
  ['MQTT-3.1.2-2', 'MQTT 5', packet(0x10, text('MQTT'), [5, 2], uint16(0), [0], text('x')), 1],
  [
    'MQTT-3.1.3-8, MQTT-3.1.3-9',
    'an empty client id with clean session 0',
    connectPacket({ clean: false }),
    2,
  ],
  ['3.1.3.1', 'an empty client id in MQTT 3.1', connectPacket({ name: 'MQIsdp', level: 3 }), 2],
];

describe('CONNACK that refuses, without a session [MQTT-3.2.2-4], then the end [MQTT-3.2.2-5]', () => {
  test.each(REFUSED)('%s: %s', async (_statement, _wrong, bytes, code) => {
    const client = await RawClient.open(port);
    client.send(bytes);
    const packets = await client.closed();
    expect(packets.map(({ type, body }) => [type, ...body])).toEqual([[2, 0, code]]);
  });
});

test('an unread bystander notices nothing of all this', async () => {
  const bystander = await RawClient.connected(port);
  expect(await bystander.subscribe(['bystander', 0])).toEqual([0]);
  for (const [, , bytes] of AFTER_CONNECT)
    (await RawClient.connected(port)).send(bytes, publishPacket('bystander', long));
  await bystander.quiet();
  bystander.send(packet(0xc0));
  expect(await bystander.nextHex()).toBe('d0');
});
