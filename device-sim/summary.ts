/** The output of a simulation: progress lines while it runs, figures at the end. */
import type { SimulatedFleet } from './fleet.ts';

/** The figures of the whole run, as `platen simulate --json` prints them. */
export function summaryOf(fleet: SimulatedFleet, ranSeconds: number): Record<string, unknown> {
  const figures = fleet.refresh();
  const { wire, latencies } = fleet;
  const perSecond = (count: number) => Math.round((count / Math.max(ranSeconds, 0.001)) * 10) / 10;
  const ms = (share: number) => Math.round(latencies.percentile(share) * 100) / 100;
  return {
    scenario: fleet.plan.scenario,
    seed: fleet.plan.seed,
    ran_s: Math.round(ranSeconds * 10) / 10,
    ...figures,
    ...(wire === undefined
      ? {}
      : {
          published: wire.published,
          published_per_s: perSecond(wire.published),
          acknowledged_per_s: perSecond(wire.acknowledged),
          out_bytes: wire.bytesOut,
          in_bytes: wire.bytesIn,
        }),
    entries_logged_per_s: perSecond(figures.entriesLogged),
    puback_p50_ms: ms(0.5),
    puback_p99_ms: ms(0.99),
    puback_max_ms: Math.round(latencies.most * 100) / 100,
    rss_mib: Math.round(process.memoryUsage().rss / 2 ** 20),
    cpu_s: Math.round(cpuSeconds() * 10) / 10,
  };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** One line of progress. */
export function progressLine(fleet: SimulatedFleet, ranSeconds: number): string {
  const { printers, online, entriesLogged, entriesUnacknowledged, entriesLost, orders } = fleet.refresh();
  const parts = [
    `${Math.round(ranSeconds)} s`,
    `${online}/${printers} online`,
    `${entriesLogged} errors logged, ${entriesUnacknowledged} unacknowledged${entriesLost > 0 ? `, ${entriesLost} lost` : ''}`,
    `${fleet.wire?.published ?? 0} messages`,
    `PUBACK p99 ${fleet.latencies.percentile(0.99).toFixed(1)} ms`,
  ];
  if (orders > 0) parts.push(`${orders} orders`);
  return parts.join(', ');
}

/** The summary as text. */
export function summaryText(summary: Record<string, unknown>): string {
  const show = (value: unknown): string =>
    typeof value === 'object' && value !== null
      ? Object.entries(value)
          .map(([key, count]) => `${key} ${String(count)}`)
          .join(', ') || '-'
      : String(value);
  return `${Object.entries(summary)
    .map(([key, value]) => `${key.padEnd(24)} ${show(value)}`)
    .join('\n')}\n`;
}
