/**
 * One process that represents many real printers, each with its own MQTT session, log memory and pace. A printer that
 * hangs, answers nonsense or fails to start doesn't affect the others.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { trustNobody, tufTrust } from '../../releases/trust.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { AgentPrinter } from '../../schemas/types.ts';
import { type Agent, type AgentOptions, createAgent } from '../agent.ts';
import { DiskLog } from '../disk-log.ts';
import type { Driver } from '../driver.ts';
import { DRIVER_LIMITS } from '../drivers/limits.ts';
import { mqttTransport } from '../mqtt-transport.ts';
import { ReportNumbersOnDisk } from '../report-numbers.ts';
import { createUpdater } from '../updater/updater.ts';
import { type LoadedConfig, paceOf } from './config.ts';
import { discover } from './discover.ts';
import { createFinder } from './finder.ts';
import type { FollowOptions } from './following-reader.ts';
import { openDriver } from './open-driver.ts';
import { createLanes } from './read-slots.ts';
import { receiveTraps, type TrapReceiver, type TrapSource } from './traps.ts';

/** One printer of the process. */
interface Spoken {
  id: string;
  agent: Agent;
}

export interface RunningAgents {
  printers: number;
  /** Printers that are connected to the broker now. */
  connected(): number;
  agent(printer: string): Agent | undefined;
  trapPort: number | undefined;
  stop(): Promise<void>;
}

/** Adds what only the configuration knows: site, labels, time zone. */
export function withPlace(driver: Driver, printer: AgentPrinter): Driver {
  const { site, labels, timezone } = printer;
  const place = {
    ...(site === undefined ? {} : { site }),
    ...(labels === undefined ? {} : { labels }),
    ...(timezone === undefined ? {} : { timezone }),
  };
  return {
    kind: driver.kind,
    start: (events) => driver.start(events),
    stop: () => driver.stop(),
    readStructure: async () => ({ ...(await driver.readStructure()), ...place }),
    readCounters: () => driver.readCounters(),
    // Only if the driver has it: without it an agent sends no readings.
    ...(driver.readReadings
      ? { readReadings: () => driver.readReadings?.() ?? Promise.resolve(undefined) }
      : {}),
    cannotInstall: (subject) => driver.cannotInstall(subject),
    install: (images, progress) => driver.install(images, progress),
    rollback: (images) => driver.rollback(images),
    selfTest: () => driver.selfTest(),
    restart: () => driver.restart(),
  };
}

/** Starts all printers. One that can't be started is logged and skipped. */
export async function startAgents(
  loaded: LoadedConfig,
  log: Logger,
  options: Pick<AgentOptions, 'reconnectMs'> = {},
): Promise<RunningAgents> {
  const { config } = loaded;
  const lanes = createLanes();
  const hosts: FollowOptions['hosts'] = new Map();
  const { off, interface: network } = config.mdns ?? {};
  const find = off
    ? undefined
    : createFinder(() =>
        discover({ ms: DRIVER_LIMITS.findMs, ...(network === undefined ? {} : { interface: network }) }),
      );
  const transport = mqttTransport({
    url: config.broker.url,
    ...(loaded.ca === undefined ? {} : { ca: loaded.ca }),
  });
  const sources: TrapSource[] = [];
  const spoken: Spoken[] = [];
  for (const printer of config.printers) {
    const own = log.child({ printer: printer.printer });
    const folder = join(loaded.data, printer.printer);
    try {
      mkdirSync(folder, { recursive: true });
      const opened = openDriver(
        printer,
        loaded.mapping,
        { ...paceOf(config, printer), stateFile: join(folder, 'conditions.json'), log: own, lanes },
        {
          file: join(folder, 'identity.json'),
          hosts,
          ...(find === undefined ? {} : { find }),
        },
      );
      const driver = withPlace(opened.driver, printer);
      const memory = new DiskLog({ folder: join(folder, 'log'), log: own });
      const agent = createAgent({
        printer: printer.printer,
        transport,
        ...(printer.password === undefined ? {} : { password: printer.password }),
        driver,
        logMemory: memory,
        reportNumbers: new ReportNumbersOnDisk(join(folder, 'report-numbers.json')),
        updater: createUpdater({
          trust: loaded.root ? tufTrust({ root: loaded.root, folder: join(folder, 'trust') }) : trustNobody,
        }),
        folder,
        log: own,
        ...options,
      });
      if (opened.traps) sources.push(opened.traps);
      await agent.start();
      spoken.push({ id: printer.printer, agent });
    } catch (error) {
      own.error({ reason: reasonOf(error) }, 'this printer cannot be spoken for; the others are');
    }
  }
  let traps: TrapReceiver | undefined;
  if (config.traps) {
    try {
      traps = await receiveTraps(config.traps, sources, log);
    } catch (error) {
      log.error(
        { port: config.traps.port, reason: reasonOf(error) },
        'traps cannot be received; printers are only asked',
      );
    }
  }
  return {
    printers: spoken.length,
    connected: () => spoken.filter(({ agent }) => agent.status.connected).length,
    agent: (printer) => spoken.find(({ id }) => id === printer)?.agent,
    trapPort: traps?.port,
    stop: async () => {
      await traps?.close();
      await Promise.all(
        spoken.map(async ({ id, agent }) => {
          try {
            await agent.stop();
          } catch (error) {
            log.error({ printer: id, reason: reasonOf(error) }, 'this printer did not stop cleanly');
          }
        }),
      );
    },
  };
}
