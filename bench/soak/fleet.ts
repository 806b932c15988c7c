/**
 * The printers of the soak, in their own process so that their cost is not attributed to the product. Reads its
 * parameters as one JSON line from stdin, starts the fleet, and answers every further line with its figures since the
 * last.
 */
import { createInterface } from 'node:readline';
import { createUpdater } from '../../agent/updater/updater.ts';
import { startFleet } from '../../device-sim/fleet.ts';
import { Latencies } from '../../device-sim/latencies.ts';
import { checkScenario, planFleet } from '../../device-sim/scenario.ts';
import { tufTrust } from '../../releases/trust.ts';

/** Parameters of the process. */
export interface FleetOrders {
  url: string;
  scenario: unknown;
  printers: number;
  passwords: Record<string, string>;
  /** The repository's root of trust, in base64. */
  root: string;
}

/** The answer to each line. */
export interface FleetMinute {
  online: number;
  connects: number;
  entriesLogged: number;
  entriesLost: number;
  entriesUnacknowledged: number;
  orders: number;
  published: number;
  refused: number;
  puback_p50_ms: number;
  puback_p99_ms: number;
  cpu_s: number;
}

const CONNECTS_PER_S = 100;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const orders = JSON.parse((await lines.next()).value as string) as FleetOrders;
const trust = tufTrust({ root: Buffer.from(orders.root, 'base64') });
const fleet = startFleet({
  plan: planFleet(checkScenario(orders.scenario), orders.printers),
  url: orders.url,
  passwords: orders.passwords,
  updater: createUpdater({ trust }),
  connectsPerSecond: CONNECTS_PER_S,
});
let minute = new Latencies();
fleet.latencies.add = (ms) => minute.add(ms);
for (;;) {
  const { done } = await lines.next();
  if (done) break;
  const figures = fleet.refresh();
  const { user, system } = process.cpuUsage();
  const answer: FleetMinute = {
    online: figures.online,
    connects: figures.connects,
    entriesLogged: figures.entriesLogged,
    entriesLost: figures.entriesLost,
    entriesUnacknowledged: figures.entriesUnacknowledged,
    orders: figures.orders,
    published: fleet.wire?.published ?? 0,
    refused: figures.refused,
    puback_p50_ms: minute.percentile(0.5),
    puback_p99_ms: minute.percentile(0.99),
    cpu_s: (user + system) / 1e6,
  };
  minute = new Latencies();
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await fleet.stop();
process.exit(0);
