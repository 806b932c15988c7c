import type { AddressInfo } from 'node:net';
import { createServer, type Server, Socket } from 'node:net';
import { jest } from '@jest/globals';
import { mqttTransport } from '../agent/mqtt-transport.ts';
import { OperatorClient } from '../cli/operator-client.ts';

// Without it an acknowledgement waits for the other side's delayed one: 40 ms a message.
let server: Server;
let url: string;
const sockets: Socket[] = [];
beforeAll(async () => {
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('data', (bytes) => {
      // CONNECT → CONNACK, SUBSCRIBE → SUBACK for one filter at QoS 1.
      if (bytes[0] === 0x10) socket.write(Buffer.from([0x20, 2, 0, 0]));
      else if (bytes[0] === 0x82) socket.write(Buffer.from([0x90, 3, bytes[2] ?? 0, bytes[3] ?? 0, 1]));
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});
afterEach(() => jest.restoreAllMocks());

test('agents and operators send at once', async () => {
  const set = jest.spyOn(Socket.prototype, 'setNoDelay');
  const connected = await new Promise<{ end(): void }>((resolve) => {
    const connection = mqttTransport({ url }).connect(
      {
        clientId: 'p1',
        username: 'p1',
        will: { topic: 'will', payload: '{}' },
        filters: ['a'],
        keepalive: 60,
        timeoutMs: 5_000,
      },
      { connected: () => resolve(connection), message: () => {}, closed: () => {} },
    );
  });
  expect(set).toHaveBeenCalledWith(true);
  set.mockClear();
  connected.end();
  const operator = await OperatorClient.connect({ url, username: 'admin', password: 'x' });
  expect(set).toHaveBeenCalledWith(true);
  await operator.close();
});
