/** Records what an MQTT client receives, and waits for more. */
import type { MqttClient } from 'mqtt';

/** How long a test waits for a message before it fails. */
export const WAIT_MS = 60_000;

export interface Heard {
  topic: string;
  payload: string;
  retained: boolean;
}

/** Records the messages of a client, in order. */
export class Ear {
  readonly heard: Heard[] = [];
  readonly #wake = new Set<() => void>();

  constructor(client: MqttClient) {
    client.on('message', (topic, payload, packet) => {
      this.heard.push({ topic, payload: payload.toString(), retained: packet.retain });
      for (const wake of this.#wake) wake();
    });
  }

  /** All documents received on `topic` that no `hear` has consumed, oldest first, without empty payloads. */
  all<T = Record<string, unknown>>(topic: string): T[] {
    return this.heard
      .filter((heard) => heard.topic === topic && heard.payload !== '')
      .map((heard) => JSON.parse(heard.payload) as T);
  }

  /** The first message on `topic`, received already or yet to come, for which `which` holds; it is consumed. */
  async hear<T = Record<string, unknown>>(
    topic: string,
    which: (document: T) => boolean = () => true,
    ms = WAIT_MS,
  ): Promise<T> {
    const found = () => {
      const index = this.heard.findIndex(
        (heard) => heard.topic === topic && heard.payload !== '' && which(JSON.parse(heard.payload) as T),
      );
      return index < 0 ? undefined : (JSON.parse(this.heard.splice(index, 1)[0]!.payload) as T);
    };
    const atOnce = found();
    if (atOnce !== undefined) return atOnce;
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
        reject(new Error(`nothing fitting on ${topic} within ${ms} ms; heard:\n${topics}`));
      }, ms);
      // A pending wait must not keep the process alive when the test has ended.
      timer.unref();
      this.#wake.add(wake);
    });
  }
}

/** Calls `probe` every 100 ms until it returns something. */
export async function eventually<T>(
  probe: () => Promise<T | undefined | false> | T | undefined | false,
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
