/**
 * A printer for tests without any code of the agent: an MQTT client that publishes what the contract specifies and
 * records what it receives.
 */
import { randomUUID } from 'node:crypto';
import mqtt, { type MqttClient } from 'mqtt';
import { downlinkFilters, printerTopic } from '../../schemas/topics.ts';
import type { ErrorBatch, LogEntry, Presence, Structure, Verdict } from '../../schemas/types.ts';
import { Ear } from './ear.ts';

/** The structure of the wire contract's example, which the sample catalog covers. */
export function sampleStructure(change: Partial<Structure> = {}): Structure {
  return {
    session: '01JD',
    revision: 1,
    at: '2026-11-22T07:00:00Z',
    reason: 'connect',
    apparatus: {
      model: 'C360',
      serial: 'A7X0021',
      hardware: '2.0',
      software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }],
    },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'EN-36',
        serial: 'E-991',
        hardware: '1.1',
        software: [{ id: 'acme.engine', vendor: 'acme', version: '2.5.0' }],
      },
      {
        symbol: 'finisher.1',
        kind: 'finisher',
        model: 'FS-539',
        serial: 'F-104',
        hardware: '1',
        software: [],
      },
    ],
    ...change,
  };
}

/** Entries `from`…`to` of one code, a minute apart. */
export function sampleEntries(from: number, to: number, change: Partial<LogEntry> = {}): LogEntry[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    seq: from + index,
    at: new Date(Date.parse('2026-11-22T07:00:00Z') + (from + index) * 60_000).toISOString(),
    code: 'J-7201',
    severity: 'error' as const,
    unit: 'finisher.1',
    pages: 1_000 + from + index,
    ...change,
  }));
}

export class TestPrinter {
  readonly id: string;
  readonly client: MqttClient;
  readonly ear: Ear;

  private constructor(id: string, client: MqttClient) {
    this.id = id;
    this.client = client;
    this.ear = new Ear(client);
  }

  /**
   * Connects and subscribes to its own downlinks; `will` is the presence that the broker publishes when the connection
   * is lost.
   */
  static async connect(url: string, id: string, password: string, will?: Presence): Promise<TestPrinter> {
    const client = await mqtt.connectAsync(
      url,
      {
        clientId: id,
        username: id,
        password,
        reconnectPeriod: 0,
        ...(will
          ? {
              will: {
                topic: printerTopic.presence(id),
                payload: Buffer.from(JSON.stringify(will)),
                qos: 1 as const,
                retain: true,
              },
            }
          : {}),
      },
      false,
    );
    const printer = new TestPrinter(id, client);
    await client.subscribeAsync(downlinkFilters(id), { qos: 1 });
    return printer;
  }

  /** Publishes any payload on one of its uplinks; resolves at the PUBACK. */
  async say(topic: string, payload: string | Buffer | object, retain = false): Promise<void> {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
    await this.client.publishAsync(topic, bytes, { qos: 1, retain });
  }

  /** Publishes a structure; resolves at the PUBACK. */
  structure(structure: Structure): Promise<void> {
    return this.say(printerTopic.structure(this.id), structure, true);
  }

  /** Publishes a batch of errors; resolves at the PUBACK. */
  errors(batch: Partial<ErrorBatch> & { entries: LogEntry[] }): Promise<void> {
    const whole: ErrorBatch = { log: 'log-1', first: 1, reason: 'event', ...batch };
    return this.say(printerTopic.errors(this.id), whole);
  }

  /** Asks the center and waits for the answer. */
  async ask(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = randomUUID();
    await this.say(printerTopic.ask(this.id, method), { id, params });
    return this.hear(printerTopic.answer(this.id, id));
  }

  /** See `Ear.hear`. */
  hear<T = Record<string, unknown>>(
    topic: string,
    which?: (document: T) => boolean,
    ms?: number,
  ): Promise<T> {
    return this.ear.hear(topic, which, ms);
  }

  /** The next verdict on this revision of its structure. */
  verdictOn(revision: number): Promise<Verdict> {
    return this.hear<Verdict>(
      printerTopic.verdict(this.id),
      ({ structure }) => structure.revision === revision,
    );
  }

  close(): Promise<void> {
    return this.client.endAsync(true);
  }
}
