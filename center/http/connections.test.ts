/** Silent and slow HTTP connections, with real sockets. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import pino from 'pino';
import { Registry } from 'prom-client';
import { boundConnections, type HttpConnectionsOptions } from './connections.ts';
import { type HttpServer, startHttp } from './server.ts';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(limits: Partial<HttpConnectionsOptions>): Promise<{ port: number; registry: Registry }> {
  const registry = new Registry();
  const server: Server = createServer((request, response) => {
    if (request.url === '/slow') response.write('begun');
    else response.end('done');
  });
  const options = { connectionsMax: 1_000, idleMax: 100, idlePerAddressMax: 100, requestsPerAddressMax: 100 };
  boundConnections(server, { ...options, registry, ...limits });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, registry };
}

function raw(
  port: number,
  address: string,
  text = '',
): { socket: Socket; came: () => string; ended: boolean } {
  const socket = connect({ port, host: '127.0.0.1', localAddress: address });
  let came = '';
  const connection = { socket, came: () => came, ended: false };
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    came += String(bytes);
  });
  socket.on('close', () => {
    connection.ended = true;
  });
  if (text !== '') socket.write(text);
  ends.push(() => socket.destroy());
  return connection;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

const until = async (holds: () => boolean, ms = 60_000): Promise<void> => {
  for (const began = Date.now(); !holds(); ) {
    if (Date.now() - began > ms) throw new Error('the condition never became true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

test('silent connections evict each other, and other clients are still answered', async () => {
  const { port, registry } = await serve({ connectionsMax: 60, idleMax: 40, idlePerAddressMax: 20 });
  const silent = Array.from({ length: 200 }, () => raw(port, '127.0.0.2'));
  await until(() => silent.filter(({ ended }) => ended).length >= 180);
  for (let n = 0; n < 200; n++) silent.push(raw(port, `127.0.1.${(n % 100) + 1}`));
  await until(() => silent.filter(({ ended }) => ended).length >= 360);
  const honest = raw(port, '127.0.0.1', get('/'));
  await until(() => honest.came().includes('done'));
  expect(await registry.metrics()).toMatch(/platen_http_turned_away_total\{reason="idle-per-address"\} \d+/);
});

test('slow requests from one address are limited; other addresses are answered', async () => {
  const { port } = await serve({ requestsPerAddressMax: 5 });
  const slow = Array.from({ length: 8 }, () => raw(port, '127.0.0.2', get('/slow')));
  const begun = () => slow.filter(({ came }) => came().includes('begun')).length;
  await until(() => slow.filter(({ ended }) => ended).length === 3 && begun() === 5);
  const other = raw(port, '127.0.0.1', get('/'));
  await until(() => other.came().includes('done'));
});

test('a connection that sends nothing, half a header, or goes silent is closed', async () => {
  const registry = new Registry();
  const log = pino({ level: 'silent' });
  const server: HttpServer = await startHttp({
    host: '127.0.0.1',
    port: 0,
    repository: undefined,
    registry,
    readiness: {},
    log,
  });
  ends.push(() => server.close());
  const [silent, half, idle] = ['', 'GET / HTTP/1.1\r\nHost: x\r\n', get('/healthz')].map((text) =>
    raw(server.port, '127.0.0.1', text),
  );
  await until(() => idle?.ended === true);
  expect(idle?.came()).toMatch(/^HTTP\/1\.1 200 /);
  await until(() => half?.ended === true);
  await until(() => silent?.ended === true);
});
