/**
 * Brokers that keep sessions in a file, for tests of what is on disk at a given moment: a crash is simulated by a
 * second broker that starts from a copy of the file while the first still runs. Real processes are killed in
 * `tests/faults`.
 */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { type Broker, createBroker, type Identity, type Uplink } from '../../broker/broker.ts';
import type { BrokerLimits } from '../../broker/limits.ts';
import { FileBackend } from '../../broker/retained/file-backend.ts';
import type { RetainedChange, RetainedDocument } from '../../broker/retained/retained-backend.ts';
import { connectPacket, RawClient } from './raw-client.ts';

/** A disk that can be slow or broken. */
export class HeldBackend extends FileBackend {
  #held: Promise<void> | undefined;
  #letGo = () => {};
  /** While set, every write fails. */
  broken = false;
  /** Bytes of names and payloads written. */
  bytes = 0;

  /** Writes wait until `letGo`. */
  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#letGo = resolve;
    });
  }

  letGo(): void {
    this.#held = undefined;
    this.#letGo();
  }

  override async write(changes: RetainedChange[]): Promise<void> {
    await this.#held;
    if (this.broken) throw new Error('the disk is broken');
    await super.write(changes);
    for (const { topic, payload } of changes) this.bytes += topic.length + (payload?.length ?? 0);
  }
}

export interface KeptBroker {
  broker: Broker;
  port: number;
  file: string;
  backend: HeldBackend;
}

export interface KeptOptions {
  /** Start from a copy of this broker's file. */
  from?: { file: string };
  identity?: Identity;
  uplink?: Uplink;
  limits?: Partial<BrokerLimits>;
}

export interface KeptBrokers {
  start(options?: KeptOptions): Promise<KeptBroker>;
  /** A broker that is not listening yet. */
  create(options?: KeptOptions): Promise<Omit<KeptBroker, 'port'>>;
  /** Everything in a broker's file. */
  contents(of: { file: string }): Promise<Map<string, RetainedDocument>>;
  /** An unused path. */
  path(): string;
  /** Warnings and errors logged in this test. */
  readonly log: { msg?: string; [field: string]: unknown }[];
}

/** Call at the top of a test file: brokers are closed after the test that started them. */
export function keptBrokers(): KeptBrokers {
  let folder: string;
  let files = 0;
  let log: KeptBrokers['log'] = [];
  const running: { broker: Broker; backend: HeldBackend }[] = [];
  const told = pino({ level: 'warn' }, { write: (line: string) => log.push(JSON.parse(line)) });
  const path = () => join(folder, `${++files}.log`);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'platen-sessions-'));
    log = [];
  });

  afterEach(async () => {
    for (const { broker, backend } of running.splice(0)) {
      backend.letGo();
      await broker.close();
    }
    rmSync(folder, { recursive: true });
  });

  const create: KeptBrokers['create'] = async ({ from, identity, uplink, limits } = {}) => {
    const file = path();
    if (from) copyFileSync(from.file, file);
    const backend = new HeldBackend(file);
    const broker = await createBroker({
      tcp: { host: '127.0.0.1', port: 0 },
      log: told,
      identity: identity ?? 'open',
      ...(uplink ? { uplink } : {}),
      retained: backend,
      sysMs: 0,
      limits: { outboundInFlightMax: 2, offlineMessagesMax: 4, ...limits },
    });
    running.push({ broker, backend });
    return { broker, file, backend };
  };

  return {
    create,
    path,
    get log() {
      return log;
    },
    async start(options) {
      const started = await create(options);
      await started.broker.listen();
      const port = Number(new URL(started.broker.addresses['tcp'] as string).port);
      return { ...started, port };
    },
    async contents({ file }) {
      const copy = path();
      copyFileSync(file, copy);
      const backend = new FileBackend(copy);
      const found = new Map<string, RetainedDocument>();
      for await (const document of backend.load()) found.set(document.topic, document);
      await backend.close();
      return found;
    },
  };
}

/** Options of a client with a kept session. */
export const kept = (clientId: string) => ({ clientId, clean: false });

/** Connects; the session must be present. */
export async function resume(port: number, clientId: string): Promise<RawClient> {
  const client = await RawClient.open(port);
  client.send(connectPacket(kept(clientId)));
  expect((await client.next()).body.toString('hex')).toBe('0100');
  return client;
}
