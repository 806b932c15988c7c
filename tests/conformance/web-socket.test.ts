/** MQTT over WebSocket (section 6): allowed contents of frames. */
import { type EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import mqtt from 'mqtt';
import pino from 'pino';
import { WebSocket } from 'ws';
import { type Broker, createBroker } from '../../broker/broker.ts';
import { eventually } from '../harness/ear.ts';
import { connectPacket, packet, publishPacket, subscribePacket } from './raw-client.ts';

let broker: Broker;
let http: Server;
let port: number;

beforeAll(async () => {
  broker = await createBroker({
    tcp: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
    identity: 'open',
    limits: { packetBytesMax: 200_000, connectPacketBytesMax: 10_000 },
  });
  http = createServer();
  broker.attachWebSocket(http, '/mqtt');
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  port = (http.address() as AddressInfo).port;
  await broker.listen();
});

const opened: WebSocket[] = [];

afterAll(async () => {
  // Otherwise a client closed in the middle of a frame would wait half a minute for the closing handshake.
  for (const webSocket of opened) webSocket.terminate();
  await broker.close();
  http.closeAllConnections();
  http.close();
});

interface Socket {
  webSocket: WebSocket;
  /** Waits for this many bytes and returns them. */
  bytes(count: number): Promise<Buffer>;
}

async function open(...protocols: string[]): Promise<Socket> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, protocols);
  opened.push(webSocket);
  let held = Buffer.alloc(0);
  webSocket.on('message', (data: Buffer) => {
    held = Buffer.concat([held, data]);
  });
  webSocket.on('error', () => {});
  await once(webSocket, 'open');
  return {
    webSocket,
    async bytes(count) {
      while (held.length < count) await once(webSocket, 'message');
      const taken = held.subarray(0, count);
      held = held.subarray(count);
      return taken;
    },
  };
}

const ACCEPTED = Buffer.from('20020000', 'hex');

test('MQTT-6.0.0-4: the subprotocol mqtt is selected from what is offered', async () => {
  for (const offered of [['mqtt'], ['other', 'mqtt'], ['mqttv3.1', 'mqtt']]) {
    const { webSocket } = await open(...offered);
    expect(webSocket.protocol).toBe('mqtt');
    webSocket.terminate();
  }
});

test('MQTT-6.0.0-3: who offers nothing is served; what the broker does not know it does not select', async () => {
  const silent = await open();
  silent.webSocket.send(connectPacket({ clientId: 'silent' }));
  expect(await silent.bytes(4)).toEqual(ACCEPTED);
  silent.webSocket.terminate();
  const stranger = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, ['other']);
  const [error] = (await once(stranger, 'error')) as [Error];
  expect(error.message).toBe('Server sent no subprotocol');
});

test('MQTT-6.0.0-1: a text frame ends the connection', async () => {
  const { webSocket, bytes } = await open('mqtt');
  webSocket.send(connectPacket({ clientId: 'text' }));
  expect(await bytes(4)).toEqual(ACCEPTED);
  // The bytes are a valid packet, so that only the frame type is wrong.
  webSocket.send(publishPacket('text', 'x').toString('latin1'));
  webSocket.send(packet(0xc0));
  const answered = bytes(2).then((answer) => Promise.reject(new Error(`${answer.toString('hex')} came`)));
  await Promise.race([once(webSocket, 'close'), answered]);
});

test('MQTT-6.0.0-2: packets may be cut anywhere, and share frames', async () => {
  const { webSocket, bytes } = await open('mqtt');
  const all = Buffer.concat([
    connectPacket({ clientId: 'cut' }),
    subscribePacket(1, ['cut', 0]),
    publishPacket('cut', 'x'),
  ]);
  // Byte by byte, then all at once, then as fragments of one message.
  for (const byte of all) webSocket.send(Buffer.from([byte]));
  const echo = publishPacket('cut', 'x');
  const answers = Buffer.concat([ACCEPTED, Buffer.from('9003000100', 'hex'), echo]);
  expect(await bytes(answers.length)).toEqual(answers);
  webSocket.send(Buffer.concat([echo, echo, packet(0xc0)]));
  expect(await bytes(echo.length * 2 + 2)).toEqual(Buffer.concat([echo, echo, Buffer.from('d000', 'hex')]));
  webSocket.send(echo.subarray(0, 3), { fin: false });
  webSocket.send(echo.subarray(3), { fin: true });
  expect(await bytes(echo.length)).toEqual(echo);
});

/** The broker has closed this many connections because of a packet that is too large; it counts them a little later. */
async function countsTooLarge(count: number): Promise<void> {
  const closed = () => broker.stats().closed['packet-too-large'] ?? 0;
  await eventually(() => closed() >= count, `${count} are counted`);
  expect(closed()).toBe(count);
}

test('a frame over the limit ends its connection, however it is cut, and nobody else notices', async () => {
  const bystander = await open('mqtt');
  bystander.webSocket.send(connectPacket({ clientId: 'bystander' }));
  expect(await bystander.bytes(4)).toEqual(ACCEPTED);
  const huge = await open('mqtt');
  huge.webSocket.send(Buffer.alloc(300_000));
  await once(huge.webSocket, 'close');
  const cut = await open('mqtt');
  for (let n = 0; n < 30; n++) cut.webSocket.send(Buffer.alloc(10_000), { fin: false });
  await once(cut.webSocket, 'close');
  bystander.webSocket.send(packet(0xc0));
  expect(await bystander.bytes(2)).toEqual(Buffer.from('d000', 'hex'));
  await countsTooLarge(2);
});

test('before CONNECT is accepted a message may hold no more than a CONNECT, however it is cut; afterwards a packet', async () => {
  const headerOnly = await open('mqtt');
  // One frame of 150,000 bytes, which an accepted client may send: the connection ends long before the frame is
  // complete.
  let written = 0;
  const socket = (headerOnly.webSocket as unknown as { _socket: Duplex })._socket;
  const closed = once(headerOnly.webSocket, 'close');
  socket.write(Buffer.from('82ff00000000000249f000000000', 'hex'));
  for (; written < 150_000 && !socket.destroyed; written += 5_000) {
    socket.write(Buffer.alloc(5_000));
    await new Promise((resume) => setTimeout(resume, 5));
  }
  await closed;
  expect(written).toBeLessThan(140_000);
  const cut = await open('mqtt');
  for (let n = 0; n < 3; n++) cut.webSocket.send(Buffer.alloc(6_000), { fin: false });
  await once(cut.webSocket, 'close');
  await countsTooLarge(4);
  const known = await open('mqtt');
  // Much data in small frames before CONNACK is no reason to close.
  known.webSocket.send(connectPacket({ clientId: 'known' }));
  for (let n = 0; n < 30; n++) known.webSocket.send(publishPacket('nobody', 'x'.repeat(1_000)));
  expect(await known.bytes(4)).toEqual(ACCEPTED);
  known.webSocket.send(publishPacket('nobody', 'x'.repeat(150_000)));
  known.webSocket.send(packet(0xc0));
  expect(await known.bytes(2)).toEqual(Buffer.from('d000', 'hex'));
});

test('MQTT-7.0.0-2, MQTT-7.1.1-1: a client that knows only the standard works over TCP and over WebSocket', async () => {
  const addresses = [broker.addresses['tcp'] as string, `ws://127.0.0.1:${port}/mqtt`];
  for (const address of addresses) {
    const client = await mqtt.connectAsync(address, { reconnectPeriod: 0 });
    await client.subscribeAsync('standard', { qos: 2 });
    for (const qos of [0, 1, 2] as const) {
      const came = once(client as unknown as EventEmitter, 'message');
      // Resolves when the QoS handshake is complete.
      await client.publishAsync('standard', `${address} ${qos}`, { qos });
      expect(String((await came)[1])).toBe(`${address} ${qos}`);
    }
    await client.endAsync();
  }
});
