/**
 * The environment of a claim's test: the product as a real process, an administrator, printers. Call `useProduct` once
 * at the top of a test file; everything is stopped after its last test.
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { pino } from 'pino';
import { type Agent, type AgentOptions, createAgent } from '../../agent/agent.ts';
import { systemClock } from '../../agent/clock.ts';
import { SimulatedDriver } from '../../agent/drivers/simulated/driver.ts';
import type { SimulatedPrinterSpec } from '../../agent/drivers/simulated/model.ts';
import type { EffectivePolicy } from '../../agent/policy.ts';
import { createUpdater } from '../../agent/updater/updater.ts';
import { seededRandom } from '../../base/random.ts';
import type { OperatorClient } from '../../cli/operator-client.ts';
import { openRepository } from '../../releases/repository.ts';
import { tufTrust } from '../../releases/trust.ts';
import { PREFIX, printerTopic } from '../../schemas/topics.ts';
import { Ear, eventually } from './ear.ts';
import { temporaryFolder } from './folder.ts';
import { sampleStructure, TestPrinter } from './printer.ts';
import { type RunningProduct, startProduct } from './product.ts';
import { publishReleases, sample } from './samples.ts';

export interface SettingOptions {
  /** Documents put before the first test. */
  catalog?: Record<string, unknown>;
  rules?: Record<string, unknown>;
  /** Publish an image for every release of the catalog in the product's repository before it starts. */
  releases?: boolean;
  env?: Record<string, string>;
}

/** A simulated printer with the real agent, and what an operator receives about it. */
export interface Machine {
  readonly id: string;
  readonly agent: Agent;
  readonly driver: SimulatedDriver;
  /** Folder of its updater's journal and downloads. */
  readonly folder: string;
  /** Receives every topic of this printer, as an operator does. */
  readonly ear: Ear;
  /** The next message on one of its topics; see `Ear.hear`. */
  hear<T>(
    kind: Exclude<keyof typeof printerTopic, 'ask' | 'answer'>,
    which?: (document: T) => boolean,
    ms?: number,
  ): Promise<T>;
  /** Messages on one of its topics that no `hear` has consumed. */
  heard<T>(kind: Exclude<keyof typeof printerTopic, 'ask' | 'answer'>): T[];
  /** Waits until the printer itself applies such a policy: an operator may receive the policy first. */
  goesBy(which: (policy: EffectivePolicy) => boolean): Promise<void>;
}

/** A printer's changes as in `printers.get`: newest revision first, and within a revision in the order of detection. */
export async function changesOf(
  operator: OperatorClient,
  printer: string,
): Promise<Record<string, unknown>[]> {
  const { changes } = (await operator.call('printers.get', { printer })) as {
    changes: { changes: Record<string, unknown>[] }[];
  };
  return changes.flatMap((noticed) => noticed.changes);
}

/** An error that recurs until the software of `subject` changes; `stop` ends it early. */
export function keepsFailing(
  { driver }: Machine,
  subject: string,
  error: Parameters<SimulatedDriver['emit']>[0],
): { stop(): void } {
  const before = driver.model.version(subject);
  driver.emit(error);
  const timer = setInterval(() => {
    if (driver.model.version(subject) === before) driver.emit(error);
    else clearInterval(timer);
  }, 500);
  // A test that ends before the software has changed must not keep its worker alive.
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

export interface MachineOptions {
  spec?: Partial<SimulatedPrinterSpec>;
  agent?: Partial<AgentOptions>;
  seed?: number;
}

export interface Setting {
  readonly product: RunningProduct;
  readonly operator: OperatorClient;
  /** An enrolled printer that is a plain MQTT client. */
  printer(id: string): Promise<TestPrinter>;
  /** An enrolled printer with the real agent, started. The operator subscribes before it connects. */
  machine(id: string, options?: MachineOptions): Promise<Machine>;
  /** What an operator receives under a filter from now on, including retained documents. */
  listen(filter: string): Promise<Ear>;
}

/** The sample structure as a simulated printer has it: without what the agent adds. */
export function sampleSpec(versions: Record<string, string> = {}): SimulatedPrinterSpec {
  const { apparatus, units, site, labels } = sampleStructure();
  const spec = structuredClone({
    structure: {
      apparatus,
      units,
      ...(site === undefined ? {} : { site }),
      ...(labels === undefined ? {} : { labels }),
    },
    pages: 120_000,
    install: { takesMs: 200, restartMs: 100, selfTestMs: 50 },
  });
  for (const owner of [spec.structure.apparatus, ...spec.structure.units]) {
    for (const software of owner.software ?? []) software.version = versions[software.id] ?? software.version;
  }
  return spec;
}

/** The root of trust of the product's new repository. */
function rootOf(data: string): Buffer {
  const root = openRepository(join(data, 'repository')).rootBytes();
  if (!root) throw new Error('the product has no release repository');
  return root;
}

/** Starts the product before the tests of a file and stops it after them. */
export function useProduct(options: SettingOptions = {}): Setting {
  const closing: (() => Promise<unknown>)[] = [];
  let running: { product: RunningProduct; operator: OperatorClient } | undefined;
  const now = () => {
    if (!running) throw new Error('the product is not there yet: use it in tests, not beside them');
    return running;
  };
  const catalog = options.catalog ?? sample('catalog.json');

  beforeAll(async () => {
    const folder = temporaryFolder('platen-claim-');
    closing.push(async () => rmSync(folder, { recursive: true, force: true }));
    const data = join(folder, 'data');
    if (options.releases) await publishReleases(data, catalog);
    const product = await startProduct({ data, env: options.env });
    closing.push(async () => expect(await product.stop()).toBe(0));
    const operator = await product.operator();
    running = { product, operator };
    await operator.call('catalog.put', { document: catalog });
    if (options.rules) await operator.call('rules.put', { document: options.rules });
  });

  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  const enroll = async (printer: string) => {
    const { password } = await now().operator.call('printers.enroll', { printer, again: true });
    return String(password);
  };

  const setting: Setting = {
    get product() {
      return now().product;
    },
    get operator() {
      return now().operator;
    },
    async printer(id) {
      const printer = await TestPrinter.connect(now().product.mqtt, id, await enroll(id));
      closing.push(() => printer.close());
      return printer;
    },
    async listen(filter) {
      const { product } = now();
      const client: MqttClient = await mqtt.connectAsync(product.mqtt, {
        ...product.admin,
        clientId: `ear-${randomUUID()}`,
        reconnectPeriod: 0,
      });
      closing.push(() => client.endAsync(true));
      const ear = new Ear(client);
      await client.subscribeAsync(filter, { qos: 1 });
      return ear;
    },
    async machine(id, { spec, agent: change, seed = 1 } = {}) {
      const random = seededRandom(seed);
      const driver = new SimulatedDriver({
        spec: { ...sampleSpec(), ...spec },
        clock: systemClock,
        random,
      });
      const password = await enroll(id);
      const ear = await setting.listen(`${PREFIX}printers/${id}/#`);
      const folder = temporaryFolder('platen-machine-');
      let policy: EffectivePolicy | undefined;
      const agent = createAgent({
        printer: id,
        url: now().product.mqtt,
        password,
        driver,
        random,
        // Like a real printer it was given the repository's root and trusts only what that root vouches for.
        updater: createUpdater({ trust: tufTrust({ root: rootOf(now().product.data) }) }),
        folder,
        log: pino({ level: 'silent' }),
        reconnectMs: { first: 50, most: 500 },
        events: {
          policy: (effective) => {
            policy = effective;
          },
        },
        ...change,
      });
      closing.push(async () => {
        await agent.stop();
        rmSync(folder, { recursive: true, force: true });
      });
      await agent.start();
      await eventually(() => agent.status.connected, `${id} connects`);
      return {
        id,
        agent,
        driver,
        folder,
        ear,
        hear: (kind, which, ms) => ear.hear(printerTopic[kind](id), which, ms),
        heard: (kind) => ear.all(printerTopic[kind](id)),
        goesBy: async (which) => {
          await eventually(() => policy !== undefined && which(policy), `${id} goes by the policy`);
        },
      };
    },
  };
  return setting;
}
