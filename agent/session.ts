/**
 * What an agent sends and when: a state machine without I/O, clock or randomness. Events go in (connected, a downlink, a
 * new error, a structure that was read, time); effects come out (publish this, read the structure).
 * The same machine serves a real printer over mqtt.js and thousands of simulated ones over raw sockets.
 */

import type { Random } from '../base/random.ts';
import { reasonOf } from '../schemas/errors.ts';
import { downlinkFilters, printerTopic } from '../schemas/topics.ts';
import type { Answer, Order, Policy, Refused, Structure, Verdict } from '../schemas/types.ts';
import { parsePayload } from '../schemas/validate.ts';
import type { PrinterReadings, PrinterStructure } from './driver.ts';
import { ErrorReporter } from './error-reporter.ts';
import { DOWNLINK_BYTES_MAX, REPORTS_WAITING_MAX } from './limits.ts';
import type { LogMemory } from './log-memory.ts';
import { type EffectivePolicy, effectivePolicy } from './policy.ts';
import { ReadingsReporter } from './readings-reporter.ts';
import { StructureReporter } from './structure-reporter.ts';
import type { ReportNumbers, UnnumberedReport } from './update-reports.ts';

/** An effect for the caller to carry out. */
export type Effect =
  /** Publish with QoS 1; when the broker acknowledged it, call `published(token)`. */
  | { do: 'publish'; topic: string; payload: string; retain: boolean; token: number }
  /** Read the structure from the driver, then call `structureRead` or `structureFailed`. */
  | { do: 'read' }
  /** Read the readings from the driver, then call `readingsRead` or `readingsFailed`. */
  | { do: 'read-readings' }
  /** Pass the order, or undefined when there is none, to the updater. */
  | { do: 'order'; order: Order | undefined }
  | { do: 'verdict'; verdict: Verdict | undefined }
  | { do: 'answer'; answer: Answer }
  | { do: 'refused'; refused: Refused }
  | { do: 'policy'; policy: EffectivePolicy }
  /** Something an operator of the agent should see in its log. */
  | { do: 'warn'; what: string; detail: Record<string, unknown> };

export interface SessionOptions {
  printer: string;
  /** Id of this agent start. */
  session: string;
  memory: LogMemory;
  /** The policy where the center sets none. */
  policy?: Policy;
  /** The driver may have readings. */
  readings?: boolean;
  numbers: ReportNumbers;
  random: Random;
}

interface WaitingReport {
  key: string;
  state: string;
  payload: string;
  /** Set while it is in flight on this connection. */
  token?: number;
}

/** The state machine of one agent. After a restart of the printer, `renew` begins a new session. */
export class AgentSession {
  readonly printer: string;
  session: string;
  readonly #errors: ErrorReporter;
  readonly #structure: StructureReporter;
  readonly #readings: ReadingsReporter | undefined;
  readonly #defaults: Policy | undefined;
  readonly #numbers: ReportNumbers;
  readonly #prefix: string;
  #policy: EffectivePolicy;
  #connected = false;
  /** Undefined until the driver reports it. */
  #device: 'reachable' | 'unreachable' | undefined;
  #token = 0;
  #reports: WaitingReport[] = [];

  constructor(options: SessionOptions) {
    this.printer = options.printer;
    this.session = options.session;
    this.#defaults = options.policy;
    this.#policy = effectivePolicy(options.policy, undefined);
    this.#numbers = options.numbers;
    this.#errors = new ErrorReporter(options.printer, options.memory, this.#policy.errors, options.random);
    this.#structure = new StructureReporter(options.printer, this.#policy.structure, options.random);
    if (options.readings) {
      this.#readings = new ReadingsReporter(options.printer, this.#policy.readings, options.random);
    }
    this.#prefix = printerTopic.policy(options.printer).slice(0, -'policy'.length);
  }

  get connected(): boolean {
    return this.#connected;
  }
  get policy(): EffectivePolicy {
    return this.#policy;
  }
  get structure(): Structure | undefined {
    return this.#structure.last;
  }
  /** Entries in memory not yet acknowledged by the center. */
  get unacknowledged(): number {
    return this.#errors.unacknowledged;
  }

  /** Topic and payload of the will and of the offline presence. */
  presence(state: 'online' | 'offline', now: number): { topic: string; payload: string } {
    const at = new Date(now).toISOString();
    return {
      topic: printerTopic.presence(this.printer),
      payload: JSON.stringify({
        state,
        session: this.session,
        ...(state === 'online' && this.#device !== undefined ? { device: this.#device } : {}),
        at,
      }),
    };
  }

  filters(): string[] {
    return downlinkFilters(this.printer);
  }

  /** The printer restarted: the next connection belongs to a new session. Call while disconnected. */
  renew(session: string): void {
    this.session = session;
    this.#structure.renew();
    this.#readings?.renew();
  }

  /** The broker accepted the connection. */
  connectedNow(now: number): Effect[] {
    this.#connected = true;
    const effects: Effect[] = [this.#publish({ ...this.presence('online', now), retain: true })];
    effects.push(...this.#structure.connected(), ...(this.#readings?.connected() ?? []));
    for (const report of this.#reports) effects.push(this.#sendReport(report));
    this.#errors.connected(now);
    this.#pump(now, effects);
    return effects;
  }

  /** The connection is gone: messages in flight count as not sent. */
  disconnected(): void {
    this.#connected = false;
    for (const report of this.#reports) report.token = undefined;
    this.#errors.disconnected();
    this.#structure.disconnected();
    this.#readings?.disconnected();
  }

  /** The broker acknowledged what was published under `token`. */
  published(token: number, now: number): Effect[] {
    const effects: Effect[] = [];
    const index = this.#reports.findIndex((report) => report.token === token);
    if (index >= 0) this.#reports.splice(index, 1);
    else if (this.#errors.published(token, now)) this.#pump(now, effects);
    return effects;
  }

  /** An entry was appended to the log memory, or became durable there. */
  logged(now: number): Effect[] {
    const effects: Effect[] = [];
    this.#errors.logged(now);
    this.#pump(now, effects);
    return effects;
  }

  /** The driver reports whether it reaches the printer, which is part of the presence. */
  reached(reachable: boolean, now: number): Effect[] {
    const device = reachable ? 'reachable' : 'unreachable';
    if (device === this.#device) return [];
    this.#device = device;
    return this.#connected ? [this.#publish({ ...this.presence('online', now), retain: true })] : [];
  }

  /** The driver reports that units or versions may have changed. */
  changed(): Effect[] {
    return this.#connected ? this.#structure.changed() : [];
  }

  /** What the driver read, in answer to a `read` effect. */
  structureRead(read: PrinterStructure, now: number): Effect[] {
    if (!this.#connected) {
      this.#structure.disconnected();
      return [];
    }
    const { messages, again } = this.#structure.read(read, this.session, now);
    const effects: Effect[] = messages.map((message) => this.#publish({ ...message, retain: true }));
    if (again) effects.push({ do: 'read' });
    return effects;
  }

  /** The driver could not read the structure; it is tried again. */
  structureFailed(error: unknown, now: number): Effect[] {
    const retryMs = this.#structure.failed(now);
    return [
      {
        do: 'warn',
        what: 'the printer does not tell its structure',
        detail: { reason: reasonOf(error), retryMs },
      },
    ];
  }

  /** The driver says that counters or supplies may have changed. */
  readingsChanged(): Effect[] {
    return this.#connected ? (this.#readings?.changed() ?? []) : [];
  }

  /** The result of a `read-readings` effect; undefined: this printer has no readings. */
  readingsRead(read: PrinterReadings | undefined, now: number): Effect[] {
    const reporter = this.#readings;
    if (!reporter) return [];
    if (!this.#connected) {
      reporter.disconnected();
      return [];
    }
    const { messages, again } = reporter.read(read, this.session, now);
    const effects: Effect[] = messages.map((message) => this.#publish({ ...message, retain: false }));
    if (again) effects.push({ do: 'read-readings' });
    return effects;
  }

  /** The driver could not read them; it is tried again. */
  readingsFailed(error: unknown, now: number): Effect[] {
    const retryMs = this.#readings?.failed(now);
    return [
      {
        do: 'warn',
        what: 'the printer does not tell its readings',
        detail: { reason: reasonOf(error), retryMs },
      },
    ];
  }

  /** Queues an update report; it is kept until the broker acknowledged it. */
  report(report: UnnumberedReport): Effect[] {
    const key = `${report.execution}/${report.attempt}`;
    const seq = this.#numbers.next(report.execution, report.attempt);
    const waiting: WaitingReport = { key, state: report.state, payload: JSON.stringify({ ...report, seq }) };
    const last = this.#reports.at(-1);
    // Progress within one state is not history: only the newest report is kept.
    if (last && last.token === undefined && last.key === key && last.state === report.state)
      this.#reports.pop();
    this.#reports.push(waiting);
    if (this.#reports.length > REPORTS_WAITING_MAX) this.#reports.shift();
    return this.#connected ? [this.#sendReport(waiting)] : [];
  }

  /** An `ask/{method}` to be sent now; undefined while there is no connection. */
  ask(id: string, method: string, params: object): Effect[] | undefined {
    if (!this.#connected) return undefined;
    const topic = printerTopic.ask(this.printer, method);
    return [this.#publish({ topic, payload: JSON.stringify({ id, params }), retain: false })];
  }

  /** When `tick` wants to be called next, in ms since the epoch; Infinity when there is nothing to wait for. */
  dueAt(): number {
    if (!this.#connected) return Number.POSITIVE_INFINITY;
    const readingsAt = this.#readings?.dueAt ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#structure.dueAt, this.#errors.dueAt, readingsAt);
  }

  /** Time has passed. */
  tick(now: number): Effect[] {
    if (!this.#connected) return [];
    const effects: Effect[] = [...this.#structure.tick(now), ...(this.#readings?.tick(now) ?? [])];
    this.#errors.tick(now);
    this.#pump(now, effects);
    return effects;
  }

  /** A message of the center arrived. A payload that breaks its schema changes nothing. */
  received(topic: string, payload: Buffer, now: number): Effect[] {
    if (!topic.startsWith(this.#prefix)) return [];
    const kind = topic.slice(this.#prefix.length);
    if (payload.length > DOWNLINK_BYTES_MAX) {
      return [{ do: 'warn', what: 'a downlink is too large', detail: { kind, bytes: payload.length } }];
    }
    try {
      return this.#handle(kind, payload, now);
    } catch (error) {
      return [{ do: 'warn', what: 'a downlink is wrong', detail: { kind, reason: reasonOf(error) } }];
    }
  }

  #handle(kind: string, payload: Buffer, now: number): Effect[] {
    const effects: Effect[] = [];
    switch (kind) {
      case 'policy':
        this.#policy = effectivePolicy(
          this.#defaults,
          payload.length === 0 ? undefined : parsePayload('policy', payload),
        );
        this.#structure.setPolicy(this.#policy.structure, now);
        this.#errors.setPolicy(this.#policy.errors, now);
        this.#readings?.setPolicy(this.#policy.readings, now);
        effects.push({ do: 'policy', policy: this.#policy });
        this.#pump(now, effects);
        return effects;
      case 'request/structure': {
        const request = parsePayload('request', payload);
        const taken = this.#structure.request(request.id);
        return taken ?? [this.#tooMany('structure', request.id)];
      }
      case 'request/readings': {
        const request = parsePayload('request', payload);
        if (!this.#readings) return [];
        return this.#readings.request(request.id) ?? [this.#tooMany('readings', request.id)];
      }
      case 'request/errors': {
        const request = parsePayload('request', payload);
        if (!this.#errors.request(request)) return [this.#tooMany('errors', request.id)];
        this.#pump(now, effects);
        return effects;
      }
      case 'errors/ack': {
        const ack = parsePayload('errors-ack', payload);
        this.#errors.acknowledged(ack.log, ack.upTo, now);
        this.#pump(now, effects);
        return effects;
      }
      case 'verdict':
        return [
          { do: 'verdict', verdict: payload.length === 0 ? undefined : parsePayload('verdict', payload) },
        ];
      case 'order':
        return [{ do: 'order', order: payload.length === 0 ? undefined : parsePayload('order', payload) }];
      case 'refused': {
        const refused = parsePayload('refused', payload);
        if (refused.topic === printerTopic.errors(this.printer)) this.#errors.refused(now);
        return [{ do: 'refused', refused }];
      }
      default:
        return kind.startsWith('answer/') ? [{ do: 'answer', answer: parsePayload('answer', payload) }] : [];
    }
  }

  #tooMany(of: string, id: string): Effect {
    return { do: 'warn', what: 'too many requests wait: one was dropped', detail: { of, id } };
  }

  #pump(now: number, effects: Effect[]): void {
    if (!this.#connected) return;
    for (;;) {
      const token = this.#token + 1;
      const message = this.#errors.next(token, now);
      if (!message) return;
      effects.push(this.#publish({ ...message, retain: false }));
    }
  }

  #sendReport(report: WaitingReport): Effect {
    const topic = printerTopic.update(this.printer);
    const effect = this.#publish({ topic, payload: report.payload, retain: false });
    report.token = this.#token;
    return effect;
  }

  #publish(message: { topic: string; payload: string; retain: boolean }): Effect {
    this.#token++;
    return { do: 'publish', ...message, token: this.#token };
  }
}
