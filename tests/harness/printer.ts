/**
 * A printer for tests, with nothing of the agent in it: an MQTT client that publishes what the contract says and keeps
 * what it hears.
 */
import { randomUUID } from 'node:crypto';
import mqtt, { type MqttClient } from 'mqtt';
import { downlinkFilters, printerTopic } from '../../schemas/topics.ts';
import type { ErrorBatch, LogEntry, Structure } from '../../schemas/types.ts';

const WAIT_MS = 15_000;

/** The structure of the wire contract's example, at home in the sample catalog. */
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

interface Heard {
  topic: string;
  payload: string;
  retained: boolean;
}

export class TestPrinter {
  readonly id: string;
  readonly client: MqttClient;
  readonly heard: Heard[] = [];
  readonly #wake = new Set<() => void>();

  private constructor(id: string, client: MqttClient) {
    this.id = id;
    this.client = client;
    client.on('message', (topic, payload, packet) => {
      this.heard.push({ topic, payload: payload.toString(), retained: packet.retain });
      for (const wake of this.#wake) wake();
    });
  }

  static async connect(url: string, id: string, password: string): Promise<TestPrinter> {
    const client = await mqtt.connectAsync(url, { clientId: id, username: id, password, reconnectPeriod: 0 });
    const printer = new TestPrinter(id, client);
    await client.subscribeAsync(downlinkFilters(id), { qos: 1 });
    return printer;
  }

  /** Publishes a structure; resolves at the PUBACK. */
  async structure(structure: Structure): Promise<void> {
    await this.client.publishAsync(printerTopic.structure(this.id), JSON.stringify(structure), {
      qos: 1,
      retain: true,
    });
  }

  /** Publishes a batch of errors; resolves at the PUBACK. */
  async errors(batch: Partial<ErrorBatch> & { entries: LogEntry[] }): Promise<void> {
    const whole: ErrorBatch = { log: 'log-1', first: 1, reason: 'event', ...batch };
    await this.client.publishAsync(printerTopic.errors(this.id), JSON.stringify(whole), { qos: 1 });
  }

  /** Asks the center and waits for the answer. */
  async ask(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = randomUUID();
    await this.client.publishAsync(printerTopic.ask(this.id, method), JSON.stringify({ id, params }), {
      qos: 1,
    });
    return this.hear(printerTopic.answer(this.id, id));
  }

  /** The first message on `topic` (heard already or yet to come) of which `which` holds; it is then forgotten. */
  async hear<T = Record<string, unknown>>(
    topic: string,
    which: (document: T) => boolean = () => true,
  ): Promise<T> {
    const found = () => {
      const index = this.heard.findIndex(
        (heard) => heard.topic === topic && heard.payload !== '' && which(JSON.parse(heard.payload) as T),
      );
      return index < 0 ? undefined : (JSON.parse(this.heard.splice(index, 1)[0]!.payload) as T);
    };
    const at_once = found();
    if (at_once !== undefined) return at_once;
    return new Promise<T>((resolve, reject) => {
      const wake = () => {
        const document = found();
        if (document === undefined) return;
        clearTimeout(timer);
        this.#wake.delete(wake);
        resolve(document);
      };
      const timer = setTimeout(() => {
        this.#wake.delete(wake);
        const topics = this.heard.map((heard) => `${heard.topic} ${heard.payload}`).join('\n');
        reject(new Error(`nothing fitting on ${topic} within ${WAIT_MS} ms; heard:\n${topics}`));
      }, WAIT_MS);
      this.#wake.add(wake);
    });
  }

  close(): Promise<void> {
    return this.client.endAsync(true);
  }
}

/** Waits until `probe` gives something, asking again every 100 ms. */
export async function eventually<T>(
  probe: () => Promise<T | undefined | false>,
  what: string,
  ms = WAIT_MS,
): Promise<T> {
  const until = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > until) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
