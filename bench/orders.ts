/**
 * `npm run bench -- orders`
 *
 * 1. Orders dispatched per second: executions in the store, one nudge each, compare-and-set to `offered`, the order
 *    document built and handed to the broker; against bare BullMQ with the same number of empty jobs, in the same run
 *    on the same backend with the same concurrency (added with addBulk, processed by one worker).
 * 2. One image downloaded by 500 printers at once from the product's `/repository/` and from nginx: the same file, the
 *    same clients.
 *
 * The two sides take turns several times, and the median is reported, because other load on the machine varies.
 */
import { rmSync } from 'node:fs';
import { temporaryFolder } from '../tests/harness/folder.ts';
import { measureDispatch } from './orders/dispatch.ts';
import { measureDownloads } from './orders/downloads.ts';
import { needPrograms } from './orders/programs.ts';
import type { BenchResult } from './result.ts';

const ORDERS = 4000;
const ROUNDS = 3;
const PRINTERS = 500;
const IMAGE_BYTES = 1 << 20;

function median(list: number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;
}

export async function run(args: string[]): Promise<BenchResult> {
  const quick = args.includes('--quick');
  const { nginx } = needPrograms(['nginx', 'redis-server']);
  const folder = temporaryFolder('platen-bench-orders');
  const figures: BenchResult['figures'] = {
    orders: quick ? 500 : ORDERS,
    rounds: quick ? 1 : ROUNDS,
    printers: PRINTERS,
    image_bytes: IMAGE_BYTES,
  };
  const ratios: BenchResult['ratios'] = {};
  const bars: BenchResult['bars'] = [];
  const compare = (name: string, ours: number[], peer: number[], unit: string, bar: number) => {
    figures[`${name}_platen_${unit}`] = Math.round(median(ours));
    figures[`${name}_peer_${unit}`] = Math.round(median(peer));
    // Ratios are taken within a round, because both sides of a round saw the same machine.
    const ratio = median(ours.map((value, at) => value / (peer[at] ?? Number.NaN)));
    ratios[name] = Number(ratio.toFixed(3));
    bars.push({ name, value: ratios[name], bar: `at least ${bar}`, met: ratio >= bar });
  };
  try {
    for (const backend of ['postgres', 'redis'] as const) {
      const measured = await measureDispatch(
        backend,
        folder,
        Number(figures['orders']),
        Number(figures['rounds']),
      );
      compare(`dispatch_${backend}`, measured.platen, measured.bare, 'orders_per_s', 0.8);
    }
    const downloads = await measureDownloads(nginx, folder, PRINTERS, IMAGE_BYTES, Number(figures['rounds']));
    compare('download', downloads.platen, downloads.nginx, 'mib_per_s', 0.7);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { figures, ratios, bars };
}
