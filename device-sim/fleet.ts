/** Many simulated printers in one process: an agent for each, one transport for all, and a timeline of events. */
import { type Logger, pino } from 'pino';
import { type Agent, createAgent } from '../agent/agent.ts';
import { type Clock, systemClock } from '../agent/clock.ts';
import { SimulatedDriver } from '../agent/drivers/simulated/driver.ts';
import { MemoryLog } from '../agent/log-memory.ts';
import type { Transport } from '../agent/transport.ts';
import type { UpdaterFactory } from '../agent/updater-seam.ts';
import { randomFor } from '../base/random.ts';
import { reasonOf } from '../schemas/errors.ts';
import type { FleetState } from './fleet-state.ts';
import { Latencies } from './latencies.ts';
import { rawTransport, type TransportCounts } from './raw-transport.ts';
import type { FleetPlan, PrinterPlan } from './scenario.ts';
import { runEvent, type Target } from './timeline.ts';
import { trustingUpdater } from './trusting-updater.ts';

export interface FleetOptions {
  plan: FleetPlan;
  /** URL of the broker, mqtt:// or mqtts://. */
  url?: string;
  /** Replaces the raw transport to `url`. */
  transport?: Transport;
  /** Certificate authority in PEM for mqtts://. */
  ca?: string;
  /** Passwords by printer, or one for all. None for a broker with open access. */
  passwords?: Record<string, string> | string;
  /** New connections per second. */
  connectsPerSecond?: number;
  updater?: UpdaterFactory;
  clock?: Clock;
  log?: Logger;
  /** Bounds of the wait before a reconnect, in ms. */
  reconnectMs?: { first: number; most: number };
  /** The folder where a printer's updater keeps its files. */
  folder?: (printer: string) => string;
  /** Keeps structures and page counts across restarts of the simulation. */
  state?: FleetState;
}

/** Counts over the whole fleet. All but `online` only grow. */
export interface FleetFigures {
  printers: number;
  online: number;
  connects: number;
  /** Failed attempts and broken connections. */
  disconnects: number;
  structures: number;
  verdicts: Record<string, number>;
  entriesLogged: number;
  /** Entries that were overwritten before the center acknowledged them. */
  entriesLost: number;
  entriesUnacknowledged: number;
  refused: number;
  orders: number;
  /** Update reports by state. */
  reports: Record<string, number>;
  bricked: number;
  /** Why connections failed, with counts. At most 20 reasons. */
  reasons: Record<string, number>;
}

const CONNECTS_PER_SECOND = 500;
const REASONS_MAX = 20;
/** How long `stop` waits for installations and disconnects. */
const STOP_MS = 8_000;
/** Slow, because hammering the broker doesn't make a refused password right. */
const RECONNECT_MS = { first: 1_000, most: 30_000 };

interface Member extends Target {
  plan: PrinterPlan;
  agent: Agent;
  driver: SimulatedDriver;
}

export class SimulatedFleet {
  readonly plan: FleetPlan;
  readonly figures: FleetFigures;
  /** Milliseconds from a publish to its acknowledgement. */
  readonly latencies = new Latencies();
  readonly #options: FleetOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #members = new Map<string, Member>();
  readonly #cancels = new Set<() => void>();
  readonly #raw: ReturnType<typeof rawTransport> | undefined;
  #stopped = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.plan = options.plan;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? pino({ level: 'silent' });
    this.figures = {
      printers: options.plan.printers.length,
      online: 0,
      connects: 0,
      disconnects: 0,
      structures: 0,
      verdicts: {},
      entriesLogged: 0,
      entriesLost: 0,
      entriesUnacknowledged: 0,
      refused: 0,
      orders: 0,
      reports: {},
      bricked: 0,
      reasons: {},
    };
    this.#raw = options.transport ? undefined : rawTransport(options.url ?? '', options.ca);
    this.#raw?.onLatency((ms) => this.latencies.add(ms));
    const transport = options.transport ?? this.#raw;
    if (!transport) throw new Error('a fleet needs a transport');
    for (const plan of options.plan.printers) this.#members.set(plan.printer, this.#member(plan, transport));
  }

  /** Counts of the raw transport; undefined with any other transport. */
  get wire(): TransportCounts | undefined {
    return this.#raw?.counts;
  }

  /** Printers that have connected at least once. */
  get everConnected(): number {
    let ever = 0;
    for (const { agent } of this.#members.values()) if (agent.status.connects > 0) ever++;
    return ever;
  }

  agent(printer: string): Agent | undefined {
    return this.#members.get(printer)?.agent;
  }
  driver(printer: string): SimulatedDriver | undefined {
    return this.#members.get(printer)?.driver;
  }

  /** Starts the timeline, and each printer at its time. Returns at once. */
  start(): void {
    const perSecond = this.#options.connectsPerSecond ?? CONNECTS_PER_SECOND;
    for (const [index, member] of [...this.#members.values()].entries()) {
      this.#later(member.plan.connectAfterMs + (index * 1_000) / perSecond, () => {
        member.agent.start().catch((error: unknown) => {
          this.#log.error(
            { printer: member.plan.printer, reason: reasonOf(error) },
            'the agent could not be started',
          );
        });
      });
    }
    for (const [index, planned] of this.plan.timeline.entries()) {
      const random = randomFor(this.plan.seed, `timeline/${index}`);
      const happen = () => {
        const touched = runEvent(planned, [...this.#members.values()], random, (ms, task) =>
          this.#later(ms, task),
        );
        this.#log.info({ do: planned.event.do, printers: touched }, 'timeline event');
        if (planned.everyMs !== undefined) this.#later(planned.everyMs, happen);
      };
      this.#later(planned.atMs, happen);
    }
  }

  /** Updates the figures that are read from the agents. */
  refresh(): FleetFigures {
    const { figures } = this;
    figures.online = 0;
    figures.entriesLost = 0;
    figures.entriesUnacknowledged = 0;
    figures.refused = 0;
    for (const { agent } of this.#members.values()) {
      const status = agent.status;
      if (status.connected) figures.online++;
      figures.entriesLost += status.lost;
      figures.entriesUnacknowledged += status.unacknowledged;
      figures.refused += status.refused;
    }
    return figures;
  }

  /** Disconnects every printer and frees everything. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    const stopped = Promise.all([...this.#members.values()].map(({ agent }) => agent.stop()));
    // An installation can't be interrupted, and a long one must not delay the shutdown.
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
    const { state } = this.#options;
    const now = this.#clock.now();
    for (const { printer, driver } of this.#members.values()) state?.count(printer, driver.model.pages(now));
    state?.flush();
    this.#raw?.close();
  }

  #member(plan: PrinterPlan, transport: Transport): Member {
    const { figures } = this;
    const random = randomFor(this.plan.seed, plan.printer);
    const { state } = this.#options;
    const known = state?.of(plan.printer);
    const driver = new SimulatedDriver({
      spec: known ? { ...plan.spec, ...known } : plan.spec,
      clock: this.#clock,
      random,
      bricked: () => {
        figures.bricked++;
        agent.suspend();
      },
      logged: () => {
        figures.entriesLogged++;
      },
      counted: (pages) => state?.count(plan.printer, pages),
    });
    const { passwords } = this.#options;
    const agent: Agent = createAgent({
      printer: plan.printer,
      transport,
      password: typeof passwords === 'string' ? passwords : passwords?.[plan.printer],
      driver,
      logMemory: new MemoryLog(plan.memory),
      updater: this.#options.updater ?? trustingUpdater,
      folder: this.#options.folder?.(plan.printer),
      policy: plan.policy,
      clock: this.#clock,
      random,
      log: this.#log.child({ printer: plan.printer }),
      reconnectMs: this.#options.reconnectMs ?? RECONNECT_MS,
      events: {
        connected: () => {
          figures.connects++;
        },
        disconnected: (reason) => {
          figures.disconnects++;
          if (reason) this.#countReason(reasonOf(reason));
        },
        structure: ({ apparatus, units, site, labels, timezone }) => {
          figures.structures++;
          const pages = driver.model.pages(this.#clock.now());
          state?.keep(plan.printer, { structure: { apparatus, units, site, labels, timezone }, pages });
        },
        verdict: (verdict) => {
          if (verdict) count(figures.verdicts, verdict.status);
        },
        order: (order) => {
          if (order) figures.orders++;
        },
        report: ({ state }) => count(figures.reports, state),
      },
    });
    return { plan, agent, driver, printer: plan.printer, population: plan.population, memory: plan.memory };
  }

  #countReason(reason: string): void {
    const { reasons } = this.figures;
    const known = Object.hasOwn(reasons, reason) || Object.keys(reasons).length < REASONS_MAX;
    count(reasons, known ? reason : 'other reasons');
  }

  #later(ms: number, task: () => void): void {
    if (this.#stopped) return;
    const cancel = this.#clock.after(ms, () => {
      this.#cancels.delete(cancel);
      task();
    });
    this.#cancels.add(cancel);
  }
}

function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

/** Creates and starts a fleet. */
export function startFleet(options: FleetOptions): SimulatedFleet {
  const fleet = new SimulatedFleet(options);
  fleet.start();
  return fleet;
}
