/**
 * `npm run bench -- rejudge`: how much the ingest of log entries slows down while the fleet is judged again after
 * `catalog.put`.
 *
 * A fleet of FLEET printers is in the store, each with a structure. A few of them send entries as fast as they are
 * acknowledged. Their rate is measured in turns: for a while with nothing else, then from a catalog.put until the last
 * printer has its verdict under the new catalog, and so on. Both sides belong to the same run and are at most minutes
 * apart.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OperatorClient } from '../cli/operator-client.ts';
import { printerTopic } from '../schemas/topics.ts';
import { sampleStructure } from '../tests/harness/printer.ts';
import { startProduct } from '../tests/harness/product.ts';
import { encodeEntries, encodePublish, RawPrinter } from './ingest/raw-printer.ts';
import type { BenchResult } from './result.ts';

const FLEET = 10_000;
const SENDERS = 50;
const WINDOW = 20;
const ENTRIES = 10;
/** Messages that a sender encodes at once. */
const CHUNK = 100;
const ENROL_AT_ONCE = 1_000;
const UNDER_WAY = 200;
const ROUNDS = 3;
const CALM_MS = 6_000;
const ROUND_MS_MAX = 60_000;
const LOOK_EVERY_MS = 100;
/** Largest share of its rate that ingest may lose. */
const LOSS_MAX = 0.1;

interface Host {
  host: string;
  port: number;
}

/** Stores a printer's structure; one in ten has no finisher. */
async function introduce(at: Host, id: string, password: string, index: number): Promise<void> {
  const printer = await RawPrinter.connect({ ...at, id, password, filters: [], window: 1 });
  const structure = sampleStructure({ session: id });
  structure.apparatus.serial = id;
  if (index % 10 === 0) structure.units.pop();
  await printer.send([encodePublish(printerTopic.structure(id), JSON.stringify(structure), true)]);
  printer.close();
}

/** Sends entries until stopped; `sent` counts those acknowledged before its current chunk. */
class Sender {
  readonly #printer: RawPrinter;
  readonly #id: string;
  #before = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(printer: RawPrinter, id: string) {
    this.#printer = printer;
    this.#id = id;
  }

  get entries(): number {
    return (this.#before + this.#printer.acknowledged) * ENTRIES;
  }

  start(): void {
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const from = this.#before * ENTRIES + 1;
      const chunk = Array.from({ length: CHUNK }, (_, index) =>
        encodeEntries(this.#id, 'log', from + index * ENTRIES, ENTRIES),
      );
      const before = this.#before;
      await this.#printer.send(chunk);
      this.#before = before + CHUNK;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    this.#printer.close();
  }
}

interface Fleet {
  operator: OperatorClient;
  ids: string[];
  senders: Sender[];
}

function catalogNamed(name: string): object {
  const text = readFileSync(new URL('../deploy/samples/catalog.json', import.meta.url), 'utf8');
  return { ...(JSON.parse(text) as object), catalog: name };
}

/** Whether the last printer, and with it the whole fleet, has its verdict under this catalog. */
async function judgedUnder({ operator, ids }: Fleet, catalog: string): Promise<boolean> {
  const reply = await operator.call('printers.get', { printer: ids.at(-1) });
  return (reply['verdictDocument'] as { catalog?: string } | undefined)?.catalog === catalog;
}

/** Waits for the end of a round. */
async function judged(fleet: Fleet, catalog: string): Promise<void> {
  const end_ms = performance.now() + ROUND_MS_MAX;
  while (!(await judgedUnder(fleet, catalog))) {
    if (performance.now() > end_ms) throw new Error(`the fleet is not judged after ${ROUND_MS_MAX} ms`);
    await sleep(LOOK_EVERY_MS);
  }
}

/** Entries per second while `work` runs, and how long it took. */
async function rateDuring(
  { senders }: Fleet,
  work: () => Promise<unknown>,
): Promise<{ rate: number; s: number }> {
  const count = () => senders.reduce((sum, sender) => sum + sender.entries, 0);
  const before = count();
  const started_ms = performance.now();
  await work();
  const s = (performance.now() - started_ms) / 1_000;
  return { rate: (count() - before) / s, s };
}

async function enrol(operator: OperatorClient, names: string[]): Promise<Map<string, string>> {
  const passwords = new Map<string, string>();
  for (let from = 0; from < names.length; from += ENROL_AT_ONCE) {
    const reply = await operator.call('printers.enroll', {
      printers: names.slice(from, from + ENROL_AT_ONCE),
    });
    for (const { printer, password } of reply['items'] as { printer: string; password: string }[]) {
      passwords.set(printer, password);
    }
  }
  return passwords;
}

/** The fleet stored and judged under the catalog `first`, and the senders connected. */
async function fleetOf(operator: OperatorClient, mqtt: string, first: string): Promise<Fleet> {
  const { hostname: host, port } = new URL(mqtt);
  const at = { host, port: Number(port) };
  const ids = Array.from({ length: FLEET }, (_, index) => `fleet-${String(index).padStart(6, '0')}`);
  const passwords = await enrol(operator, ids);
  await operator.call('catalog.put', { document: catalogNamed(first) });
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < ids.length; index = next++) {
      const id = ids[index] as string;
      await introduce(at, id, passwords.get(id) as string, index);
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, lane));
  const senders: Sender[] = [];
  for (const id of ids.slice(0, SENDERS)) {
    const password = passwords.get(id);
    senders.push(
      new Sender(await RawPrinter.connect({ ...at, id, password, filters: [], window: WINDOW }), id),
    );
  }
  const fleet = { operator, ids, senders };
  await judged(fleet, first);
  return fleet;
}

export async function run(): Promise<BenchResult> {
  const product = await startProduct();
  let fleet: Fleet | undefined;
  try {
    fleet = await fleetOf(await product.operator(), product.mqtt, 'round-0');
    const ready = fleet;
    for (const sender of ready.senders) sender.start();
    await sleep(CALM_MS);
    const calm: number[] = [];
    const busy: number[] = [];
    let rounds_s = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const before = await rateDuring(ready, () => sleep(CALM_MS));
      const during = await rateDuring(ready, async () => {
        await ready.operator.call('catalog.put', { document: catalogNamed(`round-${round}`) });
        await judged(ready, `round-${round}`);
      });
      const after = await rateDuring(ready, () => sleep(CALM_MS));
      calm.push((before.rate + after.rate) / 2);
      busy.push(during.rate);
      rounds_s += during.s;
    }
    const ratios = busy.map((rate, round) => rate / (calm[round] as number)).sort((a, b) => a - b);
    const ratio = Math.round((ratios[ratios.length >> 1] as number) * 1_000) / 1_000;
    return {
      figures: {
        entries_per_s_calm: mean(calm),
        entries_per_s_while_judging: mean(busy),
        judged_printers_per_s: Math.round((FLEET * ROUNDS) / rounds_s),
        seconds_a_round: Math.round((rounds_s / ROUNDS) * 10) / 10,
      },
      ratios: { ingest_while_judging_to_calm: ratio },
      bars: [
        {
          name: `ingest while ${FLEET} printers are judged again, of its rate before and after`,
          value: ratio,
          bar: `>= ${1 - LOSS_MAX}`,
          met: ratio >= 1 - LOSS_MAX,
        },
      ],
    };
  } finally {
    await Promise.all(fleet?.senders.map((sender) => sender.stop()) ?? []);
    await product.stop();
  }
}

function mean(values: number[]): number {
  return Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
}
