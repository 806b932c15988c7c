import { pino } from 'pino';
import { type Broker, createBroker, type Principal } from '../broker/broker.ts';
import { OperatorClient } from './operator-client.ts';

let broker: Broker;
let url: string;

beforeEach(async () => {
  broker = await createBroker({
    tcp: { host: '127.0.0.1', port: 0 },
    log: pino({ level: 'silent' }),
    identity: {
      async authenticate({ username }: { username?: string }) {
        return username === undefined ? undefined : ({ name: username, role: 'viewer' } as Principal);
      },
    },
    // Requests are taken and never answered.
    uplink: async () => undefined,
  });
  await broker.listen();
  url = broker.addresses.tcp as string;
});

const connect = () => OperatorClient.connect({ url, username: 'lena', password: 'x', timeout_ms: 20_000 });

test('a request beyond the role of an operator fails with the role that it needs', async () => {
  const lena = await connect();
  await expect(lena.request('catalog.put', { document: {} })).rejects.toThrow(
    'the broker refused catalog.put and ended the connection: it needs the role admin, which lena seems not to have',
  );
  await lena.close();
  await broker.close();
});

test('a connection that is lost after the request was taken is no refusal', async () => {
  const lena = await connect();
  const reply = expect(lena.request('printers.list')).rejects.toThrow(
    'the connection to the broker was lost before printers.list was answered',
  );
  await new Promise((resolve) => setTimeout(resolve, 200));
  await broker.close();
  await reply;
  await lena.close();
});

test('a request on a connection that is gone fails at once', async () => {
  const lena = await connect();
  const cut = expect(lena.request('printers.list')).rejects.toThrow('was lost');
  await broker.close();
  await cut;
  // Its time for a reply is 30 s.
  const from = performance.now();
  await expect(lena.request('printers.list')).rejects.toThrow('was lost before printers.list was sent');
  expect(performance.now() - from).toBeLessThan(15_000);
  await lena.close();
});
