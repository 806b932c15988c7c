/**
 * Turns a driver into a printer on the network: connects, reports, stores, updates. This file does the I/O around the
 * state machine in `session.ts`.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import { PRINTER_ID } from '../schemas/topics.ts';
import type { Order, Policy, Refused, Structure, Verdict } from '../schemas/types.ts';
import { Backoff } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Driver } from './driver.ts';
import {
  ASK_TIMEOUT_MS,
  ASKS_WAITING_MAX,
  CONNECT_TIMEOUT_MS,
  CONNECTION_STABLE_MS,
  FAREWELL_MS,
  KEEPALIVE_S,
  RECONNECT_MS,
  RECONNECT_MS_MAX,
} from './limits.ts';
import { type LogMemory, MemoryLog } from './log-memory.ts';
import { mqttTransport } from './mqtt-transport.ts';
import type { EffectivePolicy } from './policy.ts';
import { ReportNumbersInMemory } from './report-numbers.ts';
import { AgentSession, type Effect } from './session.ts';
import type { Connection, Transport } from './transport.ts';
import type { ReportNumbers, UnnumberedReport } from './update-reports.ts';
import type { Updater, UpdaterFactory } from './updater-seam.ts';

/** Callbacks for the program that embeds an agent. All are optional and must not throw. */
export interface AgentEvents {
  connected?(): void;
  /** The connection ended or an attempt failed. */
  disconnected?(reason: Error | undefined): void;
  verdict?(verdict: Verdict | undefined): void;
  order?(order: Order | undefined): void;
  policy?(policy: EffectivePolicy): void;
  refused?(refused: Refused): void;
  structure?(structure: Structure): void;
  report?(report: UnnumberedReport): void;
}

export interface AgentOptions {
  /** The printer's id, also used as client id and user name. */
  printer: string;
  /** The broker's URL, for mqtt.js. Pass `transport` to connect in another way. */
  url?: string;
  transport?: Transport;
  password?: string;
  driver: Driver;
  logMemory?: LogMemory;
  reportNumbers?: ReportNumbers;
  updater?: UpdaterFactory;
  /** Folder for the updater's journal. */
  folder?: string;
  /** The policy until the center sets one. */
  policy?: Policy;
  clock?: Clock;
  /** Spreads reconnects and periodic reports; seeded in simulations. */
  random?: () => number;
  log: Logger;
  events?: AgentEvents;
  /** Ceiling of the first reconnect delay and of all later ones, in ms. */
  reconnectMs?: { first: number; most: number };
  /** MQTT keep-alive in seconds. */
  keepalive?: number;
}

export interface AgentStatus {
  connected: boolean;
  session: string;
  structure: Structure | undefined;
  verdict: Verdict | undefined;
  /** Entries in memory not yet acknowledged by the center. */
  unacknowledged: number;
  /** Entries overwritten before the center acknowledged them. */
  lost: number;
  /** Payloads that the center refused. */
  refused: number;
  connects: number;
}

interface WaitingAsk {
  resolve(data: object): void;
  reject(error: Error): void;
  method: string;
  params: object;
  cancelTimer(): void;
}

/** One printer's agent. Between `start` and `stop` it stays connected and reconnects as needed. */
export class Agent {
  readonly printer: string;
  readonly #options: AgentOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Logger;
  readonly #memory: LogMemory;
  readonly #transport: Transport;
  readonly #core: AgentSession;
  readonly #backoff: Backoff;
  readonly #updater: Updater | undefined;
  #connection: Connection | undefined;
  #running = false;
  #cancelReconnect: (() => void) | undefined;
  #cancelTick: (() => void) | undefined;
  #tickAt = Number.POSITIVE_INFINITY;
  #connectedAt = 0;
  #connects = 0;
  #refused = 0;
  #verdict: Verdict | undefined;
  #asks = new Map<string, WaitingAsk>();
  /** Ends the wait for the acknowledgement of the offline presence. */
  #farewell: (() => void) | undefined;
  #suspended = false;

  constructor(options: AgentOptions) {
    if (!PRINTER_ID.test(options.printer)) {
      throw new PlatenError('agent/printer-id', { printer: options.printer });
    }
    this.printer = options.printer;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#log = options.log;
    this.#memory = options.logMemory ?? new MemoryLog();
    this.#transport = transportOf(options);
    this.#core = new AgentSession({
      printer: options.printer,
      session: randomUUID(),
      memory: this.#memory,
      policy: options.policy,
      readings: options.driver.readReadings !== undefined,
      numbers: options.reportNumbers ?? new ReportNumbersInMemory(),
      random: this.#random,
    });
    const { first, most } = options.reconnectMs ?? { first: RECONNECT_MS, most: RECONNECT_MS_MAX };
    this.#backoff = new Backoff(first, most, this.#random);
    this.#memory.onDurable(() => this.#perform(this.#core.logged(this.#clock.now())));
    this.#updater = options.updater?.({
      printer: options.printer,
      driver: this.#driverForUpdater(options.driver),
      report: (report) => this.#report(report),
      newSession: () => this.newSession(),
      structureChanged: () => this.#perform(this.#core.changed()),
      currentStructure: () => this.#core.structure,
      currentVerdict: () => this.#verdict,
      ask: (method, params) => this.ask(method, params),
      log: options.log,
      now: () => this.#clock.now(),
      folder: options.folder,
      after: (ms, task) => this.#clock.after(ms, task),
      random: this.#random,
    });
  }

  get status(): AgentStatus {
    return {
      connected: this.#core.connected,
      session: this.#core.session,
      structure: this.#core.structure,
      verdict: this.#verdict,
      unacknowledged: this.#core.unacknowledged,
      lost: this.#memory.lost,
      refused: this.#refused,
      connects: this.#connects,
    };
  }

  /**
   * Starts the driver and then connects. Resolves when the driver runs; connecting continues in the background. Rejects
   * with the driver's reason when it can't start. The agent may be started again.
   */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      await this.#options.driver.start({
        error: (event) => {
          this.#memory.append(event, this.#clock.now());
          this.#perform(this.#core.logged(this.#clock.now()));
        },
        changed: () => this.#perform(this.#core.changed()),
        readings: () => this.#perform(this.#core.readingsChanged()),
        reached: (reachable) => this.#perform(this.#core.reached(reachable, this.#clock.now())),
      });
    } catch (error) {
      this.#running = false;
      throw error;
    }
    this.#connect();
  }

  /** Publishes the offline presence, stops updater and driver, and closes the log memory. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    await this.#updater?.stop();
    await this.#leave();
    for (const ask of this.#asks.values()) {
      ask.cancelTimer();
      ask.reject(new PlatenError('agent/stopped', { printer: this.printer }));
    }
    this.#asks.clear();
    await this.#options.driver.stop();
    await this.#memory.close();
  }

  /**
   * Asks the center for data it has collected (`history`, `troubles`, `options`, `verdict`).
   * @returns the answer's data
   * @throws PlatenError agent/ask-timeout, agent/ask-refused, agent/ask-too-many, agent/stopped
   */
  ask(method: string, params: object = {}, timeoutMs = ASK_TIMEOUT_MS): Promise<object> {
    if (!this.#running) return Promise.reject(new PlatenError('agent/stopped', { printer: this.printer }));
    if (this.#asks.size >= ASKS_WAITING_MAX) {
      return Promise.reject(new PlatenError('agent/ask-too-many', { limit: ASKS_WAITING_MAX }));
    }
    return new Promise((resolve, reject) => {
      const id = randomUUID();
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        this.#asks.delete(id);
        reject(new PlatenError('agent/ask-timeout', { method, seconds: timeoutMs / 1000 }));
      });
      this.#asks.set(id, { resolve, reject, method, params, cancelTimer });
      this.#perform(this.#core.ask(id, method, params) ?? []);
    });
  }

  /** Drops the connection without DISCONNECT. The agent then reconnects. */
  cutConnection(): void {
    this.#connection?.cut();
  }

  /** Simulates a power loss: drops the connection without DISCONNECT and stays away until `resume`. */
  suspend(): void {
    this.#suspended = true;
    this.#cancelReconnect?.();
    const connection = this.#connection;
    if (!connection) return;
    connection.cut();
    // Don't wait for the socket to close: power may come back before that.
    if (this.#connection === connection) this.#lostConnection(new Error('the power is off'));
  }

  /** Power is back: a new session begins. */
  resume(): void {
    if (!this.#suspended) return;
    this.#suspended = false;
    this.#begin();
  }

  /** The printer restarted: ends the connection and begins a new session. */
  async newSession(): Promise<void> {
    await this.#leave();
    this.#begin();
  }

  #begin(): void {
    if (!this.#connection) this.#core.renew(randomUUID());
    if (this.#running && !this.#suspended) this.#connect();
  }

  #driverForUpdater(driver: Driver): Driver {
    return {
      kind: driver.kind,
      start: (events) => driver.start(events),
      stop: () => driver.stop(),
      readStructure: () => driver.readStructure(),
      readCounters: () => driver.readCounters(),
      cannotInstall: (subject) => driver.cannotInstall(subject),
      install: (images, progress) => driver.install(images, progress),
      rollback: (images) => driver.rollback(images),
      selfTest: () => driver.selfTest(),
      restart: async () => {
        await this.#leave();
        try {
          await driver.restart();
        } finally {
          this.#begin();
        }
      },
    };
  }

  #connect(): void {
    if (this.#connection) return;
    this.#cancelReconnect?.();
    const connection = this.#transport.connect(
      {
        clientId: this.printer,
        username: this.printer,
        password: this.#options.password,
        will: this.#core.presence('offline', this.#clock.now()),
        filters: this.#core.filters(),
        keepalive: this.#options.keepalive ?? KEEPALIVE_S,
        timeoutMs: CONNECT_TIMEOUT_MS,
      },
      {
        connected: () => {
          if (this.#connection !== connection) return;
          this.#connects++;
          this.#connectedAt = this.#clock.now();
          this.#log.debug({ session: this.#core.session }, 'connected');
          this.#options.events?.connected?.();
          this.#perform(this.#core.connectedNow(this.#clock.now()));
          this.#repeatAsks();
        },
        message: (topic, payload) => {
          if (this.#connection === connection) {
            this.#perform(this.#core.received(topic, payload, this.#clock.now()));
          }
        },
        closed: (reason) => {
          if (this.#connection === connection) this.#lostConnection(reason);
        },
      },
    );
    this.#connection = connection;
  }

  #lostConnection(reason: Error | undefined): void {
    const lasted = this.#core.connected ? this.#clock.now() - this.#connectedAt : 0;
    this.#connection = undefined;
    this.#core.disconnected();
    this.#schedule();
    this.#farewell?.();
    this.#options.events?.disconnected?.(reason);
    if (!this.#running || this.#suspended) return;
    if (lasted >= CONNECTION_STABLE_MS) this.#backoff.reset();
    const delay = this.#backoff.next();
    this.#log.warn({ reason: reason && reasonOf(reason), retryMs: Math.round(delay) }, 'not connected');
    this.#cancelReconnect = this.#clock.after(delay, () => this.#connect());
  }

  /** Publishes the offline presence, waits a bounded time for its acknowledgement, and disconnects. */
  async #leave(): Promise<void> {
    this.#cancelReconnect?.();
    const connection = this.#connection;
    if (!connection) return;
    if (this.#core.connected) {
      await new Promise<void>((resolve) => {
        const done = () => {
          cancel();
          this.#farewell = undefined;
          resolve();
        };
        const cancel = this.#clock.after(FAREWELL_MS, done);
        this.#farewell = done;
        const farewell = this.#core.presence('offline', this.#clock.now());
        connection.publish(farewell.topic, farewell.payload, true, done);
      });
    }
    // The connection may have closed or been replaced meanwhile.
    this.#cancelReconnect?.();
    this.#connection?.end();
    this.#connection = undefined;
    this.#core.disconnected();
    this.#schedule();
  }

  #report(report: UnnumberedReport): void {
    this.#options.events?.report?.(report);
    this.#perform(this.#core.report(report));
  }

  /** Sends every open ask again on this connection. Asking twice is harmless. */
  #repeatAsks(): void {
    for (const [id, ask] of this.#asks) this.#perform(this.#core.ask(id, ask.method, ask.params) ?? []);
  }

  #perform(effects: Effect[]): void {
    for (const effect of effects) this.#performOne(effect);
    this.#schedule();
  }

  #performOne(effect: Effect): void {
    switch (effect.do) {
      case 'publish': {
        const { token } = effect;
        this.#connection?.publish(effect.topic, effect.payload, effect.retain, () =>
          this.#perform(this.#core.published(token, this.#clock.now())),
        );
        return;
      }
      case 'read':
        this.#read();
        return;
      case 'read-readings':
        this.#readReadings();
        return;
      case 'order':
        this.#options.events?.order?.(effect.order);
        this.#updater?.onOrder(effect.order);
        return;
      case 'verdict':
        this.#verdict = effect.verdict;
        this.#options.events?.verdict?.(effect.verdict);
        return;
      case 'policy':
        this.#options.events?.policy?.(effect.policy);
        return;
      case 'refused':
        this.#refused++;
        this.#log.warn(effect.refused, 'the center refused a payload');
        this.#options.events?.refused?.(effect.refused);
        return;
      case 'answer': {
        const ask = this.#asks.get(effect.answer.id);
        if (!ask) return;
        this.#asks.delete(effect.answer.id);
        ask.cancelTimer();
        if (effect.answer.status === 'ok') {
          ask.resolve(effect.answer.data ?? {});
        } else {
          const { code = 'unknown', message = 'no reason was given' } = effect.answer.error ?? {};
          ask.reject(new PlatenError('agent/ask-refused', { method: ask.method, code, reason: message }));
        }
        return;
      }
      case 'warn':
        this.#log.warn(effect.detail, effect.what);
        return;
    }
  }

  #read(): void {
    this.#options.driver.readStructure().then(
      (read) => {
        const before = this.#core.structure;
        this.#perform(this.#core.structureRead(read, this.#clock.now()));
        const after = this.#core.structure;
        if (after && after !== before) this.#options.events?.structure?.(after);
      },
      (error: unknown) => this.#perform(this.#core.structureFailed(error, this.#clock.now())),
    );
  }

  #readReadings(): void {
    const read = this.#options.driver.readReadings?.() ?? Promise.resolve(undefined);
    read.then(
      (readings) => this.#perform(this.#core.readingsRead(readings, this.#clock.now())),
      (error: unknown) => this.#perform(this.#core.readingsFailed(error, this.#clock.now())),
    );
  }

  /** Keeps one timer, for the next deadline of the state machine. */
  #schedule(): void {
    const at = this.#core.dueAt();
    if (at === this.#tickAt) return;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#tickAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#cancelTick = this.#clock.after(at - this.#clock.now(), () => {
      this.#tickAt = Number.POSITIVE_INFINITY;
      this.#perform(this.#core.tick(this.#clock.now()));
    });
  }
}

function transportOf(options: AgentOptions): Transport {
  if (options.transport) return options.transport;
  if (options.url === undefined) {
    throw new PlatenError('setting/invalid', {
      name: 'url',
      reason: 'an agent needs the address of its broker',
      hint: 'For example mqtt://127.0.0.1:1883',
    });
  }
  return mqttTransport({ url: options.url });
}

/** Creates the agent of one printer without starting it. */
export function createAgent(options: AgentOptions): Agent {
  return new Agent(options);
}
