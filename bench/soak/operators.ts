/**
 * The users of the center during a soak: operators who send requests over MQTT and HTTP, people who sign in and out,
 * event readers that come and go, and campaigns that begin and end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { OperatorClient } from '../../cli/operator-client.ts';
import { Latencies } from '../../device-sim/latencies.ts';
import { reasonOf } from '../../schemas/errors.ts';
import { EventReader, Web } from '../../tests/harness/web.ts';

const ASK_EVERY_MS = 400;
const CAMPAIGN_EVERY_MS = 60_000;
const CAMPAIGN_LOOK_MS = 2_000;
/** One in this many campaigns is aborted while it runs. */
const ABORT_EACH = 4;
const ABORT_AFTER_MS = 6_000;
const READERS = 4;
const READER_MS = 90_000;
const SIGN_IN_EVERY_MS = 30_000;
const FAILURES_MAX = 20;

type Question = [method: string, params: Record<string, unknown>];

function questions(printer: string): Question[] {
  return [
    ['fleet.summary', {}],
    ['printers.list', { limit: 50, filter: { presence: 'online' } }],
    ['printers.get', { printer }],
    ['troubles.list', { limit: 50 }],
    ['campaigns.list', { limit: 20 }],
    ['printers.list', { limit: 50, filter: { software: { id: 'acme.engine', range: '2.5.0' } } }],
    ['catalog.get', {}],
    ['tokens.list', {}],
  ];
}

export interface Asked {
  mqtt: Latencies;
  http: Latencies;
}

export class Operators {
  readonly campaigns = { begun: 0, finished: 0, aborted: 0 };
  events = 0;
  /** Failures, at most FAILURES_MAX. */
  readonly failures: string[] = [];
  readonly #operator: OperatorClient;
  readonly #web: Web;
  readonly #admin: { username: string; password: string };
  readonly #printer: () => string;
  readonly #groups: Generator<string>;
  readonly #working: Promise<void>[] = [];
  readonly #end = new AbortController();
  #asked: Asked = { mqtt: new Latencies(), http: new Latencies() };

  constructor(parts: {
    operator: OperatorClient;
    http: string;
    token: string;
    admin: { username: string; password: string };
    /** A printer, a different one on each call. */
    printer: () => string;
    /** Prefixes of printers for campaigns. */
    groups: Generator<string>;
  }) {
    this.#operator = parts.operator;
    this.#web = new Web(parts.http, { token: parts.token });
    this.#admin = parts.admin;
    this.#printer = parts.printer;
    this.#groups = parts.groups;
  }

  start(): void {
    const mqtt = (method: string, params: Record<string, unknown>) => this.#operator.call(method, params);
    const http = async (method: string, params: Record<string, unknown>) => {
      const { code, text } = await this.#web.call(method, params);
      if (code !== 200) throw new Error(`${method} over HTTP: ${code} ${text}`);
    };
    this.#working.push(
      this.#ask(mqtt, (ms) => this.#asked.mqtt.add(ms)),
      this.#ask(http, (ms) => this.#asked.http.add(ms)),
      this.#repeat(SIGN_IN_EVERY_MS, async () => {
        const { username, password } = this.#admin;
        const session = await this.#web.with({}).signIn(username, password);
        await session.send('DELETE', '/api/v1/session');
      }),
      this.#rollOut(),
      ...Array.from({ length: READERS }, (_, index) => this.#read(index)),
    );
  }

  /** Latencies since the last call. */
  takeAsked(): Asked {
    const asked = this.#asked;
    this.#asked = { mqtt: new Latencies(), http: new Latencies() };
    return asked;
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#working);
  }

  #failed(error: unknown): void {
    if (this.failures.length < FAILURES_MAX) {
      this.failures.push(`${new Date().toISOString()} ${reasonOf(error)}`);
    }
  }

  /** Resolves to false when the soak has ended. */
  async #wait(ms: number): Promise<boolean> {
    const { signal } = this.#end;
    await sleep(ms, undefined, { signal }).catch(() => undefined);
    return !signal.aborted;
  }

  async #repeat(every_ms: number, work: () => Promise<void>): Promise<void> {
    while (await this.#wait(every_ms)) await work().catch((error: unknown) => this.#failed(error));
  }

  async #ask(
    call: (method: string, params: Record<string, unknown>) => Promise<unknown>,
    took: (ms: number) => void,
  ): Promise<void> {
    let turn = 0;
    await this.#repeat(ASK_EVERY_MS, async () => {
      const all = questions(this.#printer());
      const [method, params] = all[turn++ % all.length] as Question;
      const started = performance.now();
      await call(method, params);
      took(performance.now() - started);
    });
  }

  /** An event reader that disconnects and reconnects, and sometimes resumes from its last event. */
  async #read(index: number): Promise<void> {
    let last: string | undefined;
    await this.#repeat(READER_MS / (index + 1), async () => {
      const reader = new EventReader(
        this.#web,
        '/api/v1/events',
        last === undefined ? {} : { 'last-event-id': last },
      );
      try {
        await reader.opened;
        await this.#wait(READER_MS);
        this.events += reader.events.length;
        last = reader.events.findLast(({ id }) => id !== undefined)?.id;
      } finally {
        reader.close();
      }
    });
  }

  async #rollOut(): Promise<void> {
    const versions = new Map<string, string>();
    await this.#repeat(CAMPAIGN_EVERY_MS, async () => {
      const idPrefix = this.#groups.next().value as string;
      const version = versions.get(idPrefix) === '2.5.0' ? '2.4.0' : '2.5.0';
      versions.set(idPrefix, version);
      const { id } = (await this.#operator.call('campaigns.create', {
        software: { id: 'acme.engine', range: version },
        filter: { idPrefix },
        options: { canaries: 20, canariesAtOnce: 20, promoteBelow: 0.5, wave: 50, settle: 'PT0S' },
      })) as { id: string };
      this.campaigns.begun++;
      if (this.campaigns.begun % ABORT_EACH === 0) {
        await this.#wait(ABORT_AFTER_MS);
        await this.#operator.call('campaigns.abort', { id });
        this.campaigns.aborted++;
        return;
      }
      // The next begins when this one has ended or after a minute: a campaign that never ends shows up in the row
      // counts.
      for (let waited_ms = 0; waited_ms < CAMPAIGN_EVERY_MS; waited_ms += CAMPAIGN_LOOK_MS) {
        if (!(await this.#wait(CAMPAIGN_LOOK_MS))) return;
        const { state, reason } = await this.#operator.call('campaigns.get', { id, limit: 1 });
        if (state === 'finished') {
          this.campaigns.finished++;
          return;
        }
        if (state !== 'running') throw new Error(`campaign ${id} is ${String(state)}: ${String(reason)}`);
      }
    });
  }
}
