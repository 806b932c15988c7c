/**
 * The load generator as a separate process. Reads its parameters as one JSON line from stdin, connects, prints `ready`,
 * waits for a second line, sends everything and prints how long it took until the last PUBACK.
 */
import { createInterface } from 'node:readline';
import { downlinkFilters, printerTopic } from '../../schemas/topics.ts';
import { encodeEntries, encodePublish, RawPrinter } from './raw-printer.ts';

/** Parameters of the load generator. */
export interface LoadOrders {
  host: string;
  port: number;
  printers: { id: string; password?: string }[];
  messagesPerPrinter: number;
  entriesPerMessage: number;
  window: number;
  /** Subscribe to the printer's own downlinks, as real printers do. */
  downlinks: boolean;
  /** Published first by every printer; not measured. */
  structure?: object;
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const orders = JSON.parse((await lines.next()).value as string) as LoadOrders;
const printers: RawPrinter[] = [];
for (const { id, password } of orders.printers) {
  const printer = await RawPrinter.connect({
    host: orders.host,
    port: orders.port,
    id,
    password,
    filters: orders.downlinks ? downlinkFilters(id) : [],
    window: orders.window,
  });
  if (orders.structure) {
    await printer.send([encodePublish(printerTopic.structure(id), JSON.stringify(orders.structure), true)]);
  }
  printers.push(printer);
}
const { entriesPerMessage, messagesPerPrinter } = orders;
// The last entry happens now: rules treat a log that is days old differently from one that is reported as it grows, and
// the benchmark must not depend on the day on which it runs.
const zero_ms = Date.now() - messagesPerPrinter * entriesPerMessage * 1_000;
const messages = orders.printers.map(({ id }) =>
  Array.from({ length: messagesPerPrinter }, (_, index) =>
    encodeEntries(id, `log-${id}`, index * entriesPerMessage + 1, entriesPerMessage, zero_ms),
  ),
);
process.stdout.write('ready\n');
await lines.next();
const started = performance.now();
const cpu = process.cpuUsage();
await Promise.all(printers.map((printer, index) => printer.send(messages[index] as Buffer[])));
const seconds = (performance.now() - started) / 1_000;
const { user, system } = process.cpuUsage(cpu);
process.stdout.write(`${JSON.stringify({ seconds, cpu_s: (user + system) / 1e6 })}\n`);
await lines.next();
for (const printer of printers) printer.close();
process.exit(0);
