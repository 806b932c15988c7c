import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { encodeEntries, RawPrinter } from '../../bench/ingest/raw-printer.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { type RunningProduct, startProduct } from '../harness/product.ts';
import { storedEntries } from './stored-entries.ts';

const PRINTERS = 25;
const WINDOW = 10;
const MESSAGES = 4_000;

/** Pseudo-random, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** A printer's log memory, split into messages, and how many of these were acknowledged. */
interface Memory {
  id: string;
  password: string;
  messages: Buffer[];
  /** The last entry of each message. */
  upTo: number[];
  acknowledged: number;
  /** Its connection, while connected. */
  printer?: RawPrinter | undefined;
}

function memoryOf(id: string, password: string, next: () => number): Memory {
  const memory: Memory = { id, password, messages: [], upTo: [], acknowledged: 0 };
  let from = 1;
  while (memory.messages.length < MESSAGES) {
    const count = 1 + Math.floor(next() * 5);
    memory.messages.push(encodeEntries(id, `log-${id}`, from, count));
    from += count;
    memory.upTo.push(from - 1);
  }
  return memory;
}

/** Sends unacknowledged messages until the connection breaks; acknowledgements come in order. */
async function speak(product: RunningProduct, memory: Memory): Promise<void> {
  const { hostname, port } = new URL(product.mqtt);
  let printer: RawPrinter | undefined;
  try {
    printer = await RawPrinter.connect({
      host: hostname,
      port: Number(port),
      id: memory.id,
      password: memory.password,
      filters: [],
      window: WINDOW,
    });
    memory.printer = printer;
    await printer.send(memory.messages.slice(memory.acknowledged));
  } catch {
    // The kill breaks the connection; the next call sends the rest.
  } finally {
    memory.printer = undefined;
    memory.acknowledged += printer?.acknowledged ?? 0;
    printer?.close();
  }
}

/** Number of messages acknowledged so far. */
function messages(memories: Memory[]): number {
  return memories.reduce(
    (sum, { acknowledged, printer }) => sum + acknowledged + (printer?.acknowledged ?? 0),
    0,
  );
}

/**
 * Kills the product under load, every other time together with its database, and compares the store with what was
 * acknowledged.
 */
export async function killUnderLoad(kills: number, seed: number): Promise<void> {
  const next = random(seed);
  const folder = temporaryFolder('platen-kill-');
  const data = join(folder, 'data');
  const start = () => startProduct({ data });
  let product = await start();
  try {
    const operator = await product.operator();
    const ids = Array.from({ length: PRINTERS }, (_, index) => `kill-${index}`);
    const { items } = await operator.call('printers.enroll', { printers: ids });
    const memories = (items as { printer: string; password: string }[]).map((one) =>
      memoryOf(one.printer, one.password, next),
    );
    await operator.close();
    for (let kill = 1; kill <= kills; kill += 1) {
      const speaking = Promise.all(memories.map((memory) => speak(product, memory)));
      await sleep(50 + next() * 400);
      // A busy machine takes longer to build up load.
      for (const end = Date.now() + 60_000; messages(memories) < kill * 2 * PRINTERS && Date.now() < end; )
        await sleep(20);
      // Every other time the database dies with it, as in a power failure.
      if (kill % 2 === 0) {
        const [server] = readFileSync(join(data, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split(
          '\n',
        );
        process.kill(-Number(server), 'SIGKILL');
      }
      await product.kill();
      await speaking;
      product = await start();
    }
    expect(await product.stop()).toBe(0);
    const printers = memories.map(({ id, upTo, acknowledged }) => ({
      id,
      last: upTo[acknowledged - 1] ?? 0,
    }));
    expect((await storedEntries(data, printers)).wrong).toEqual([]);
    const acknowledged = printers.reduce((sum, { last }) => sum + last, 0);
    // Enough was in flight for the kills to mean something, and the load did not run out.
    expect(acknowledged).toBeGreaterThan(PRINTERS * kills);
    expect(memories.every((memory) => memory.acknowledged < MESSAGES)).toBe(true);
  } finally {
    product.process.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}
