/** A broker with open access for the tests of a file, and raw clients of it. */
import pino from 'pino';
import { type Broker, type BrokerLimits, createBroker } from '../../broker/broker.ts';
import { type ConnectOptions, connectPacket, RawClient } from './raw-client.ts';

export interface OpenBroker {
  /** A client that has sent nothing yet. */
  open(): Promise<RawClient>;
  /** A client whose CONNECT was accepted. */
  connected(options?: ConnectOptions): Promise<RawClient>;
  /** A client, and its CONNACK's bytes: flags, return code. */
  connack(options: ConnectOptions): Promise<[RawClient, number[]]>;
  /** A name that no other test of the file uses. */
  fresh(what: string): string;
}

/** Call at the top of a test file: the broker runs while its tests run. */
export function openBroker(limits: Partial<BrokerLimits> = {}): OpenBroker {
  let broker: Broker;
  let port: number;
  let sequence = 0;

  beforeAll(async () => {
    broker = await createBroker({
      tcp: { host: '127.0.0.1', port: 0 },
      log: pino({ level: 'silent' }),
      identity: 'open',
      limits,
    });
    await broker.listen();
    port = Number(new URL(broker.addresses['tcp'] as string).port);
  });

  afterAll(() => broker.close());

  return {
    open: () => RawClient.open(port),
    connected: (options) => RawClient.connected(port, options),
    fresh: (what) => `${what}-${++sequence}`,
    async connack(options) {
      const client = await RawClient.open(port);
      client.send(connectPacket(options));
      const { type, body } = await client.next();
      expect(type).toBe(2);
      return [client, [...body]];
    },
  };
}
