/**
 * Compatibility: `choose` against other solvers on the same instances, and judging a fleet.
 *
 * `choose` gets the whole document and optimizes all criteria; the peers get the numbers and optimize the first two.
 * Both must find the same optimum. Slow peers get fewer instances (`--all` gives them all).
 */

import { readFileSync } from 'node:fs';
import { seededRandom } from '../base/random.ts';
import { compileCatalog, judge, Memo, type PrinterStructureLike } from '../compatibility/index.ts';
import { buildInstance } from '../compatibility/instance.ts';
import { findOptimum } from '../compatibility/solver/optimum.ts';
import { resolveWorld } from '../compatibility/world.ts';
import type { Catalog } from '../schemas/types.ts';
import { documentsOf, type Instance, makeInstance } from './compatibility/instances.ts';
import { clingo, highs, installPeers, minisat, type Peer, z3 } from './compatibility/peers.ts';
import type { BenchResult } from './result.ts';

const LARGE = { count: 30, subjects: 40, versions: 200 };
const SMALL = { count: 200, subjects: 12, versions: 50 };
/** How many of the large instances each peer gets; the two fastest get all. */
const PEERS: [Peer, number][] = [
  [minisat, LARGE.count],
  [z3, LARGE.count],
  [clingo, 3],
  [highs, 1],
];
const PEER_MS_MAX = 120_000;

type Cost = [downgrades: number, changes: number];

/** Compiles the catalog and finds the optimum, as `choose` does before it plans. */
function solve(instance: Instance): Cost {
  const { catalog: document, structure } = documentsOf(instance);
  const { catalog } = compileCatalog(document);
  return solveIn(catalog, structure);
}

function solveIn(
  catalog: ReturnType<typeof compileCatalog>['catalog'],
  structure: PrinterStructureLike,
): Cost {
  const optimum = findOptimum(
    buildInstance(catalog, resolveWorld(catalog, structure), {}),
    'fewest-changes',
    () => false,
  );
  if (typeof optimum === 'string') throw new Error(`no optimum: ${optimum}`);
  return [optimum.cost[1], optimum.cost[2]];
}

interface PeerRun {
  name: string;
  instances: number;
  ms: number;
  wrong: number;
}

async function runPeer(peer: Peer, instances: readonly Instance[], costs: readonly Cost[]): Promise<PeerRun> {
  const started = performance.now();
  const solveWith = await peer.load();
  let wrong = 0;
  let done = 0;
  for (const [i, instance] of instances.entries()) {
    const cost = await solveWith(instance);
    done++;
    if (!cost || cost[0] !== costs[i]![0] || cost[1] !== costs[i]![1]) wrong++;
    if (performance.now() - started > PEER_MS_MAX) break;
  }
  return { name: peer.name, instances: done, ms: performance.now() - started, wrong };
}

/** A fleet of `distinct` structures that differ in models, hardware and versions. */
function* fleet(distinct: number): Generator<PrinterStructureLike> {
  const random = seededRandom(distinct);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  for (let i = 0; i < distinct; i++) {
    yield {
      apparatus: {
        model: 'C360',
        // The last number makes every structure distinct.
        hardware: `2.${i}`,
        software: [
          { id: 'acme.controller', vendor: 'acme', version: pick(['3.0.0', '3.1.0', '3.2.0']) },
          { id: 'acme.panel', vendor: 'acme', version: pick(['1.0.0', '1.1.0']) },
        ],
      },
      units: [
        {
          symbol: 'engine',
          kind: 'engine',
          model: 'EN-36',
          hardware: pick(['1.0', '1.1']),
          software: [{ id: 'acme.engine', vendor: 'acme', version: pick(['2.4.0', '2.5.0', '2.6.1']) }],
        },
        {
          symbol: 'finisher.1',
          kind: 'finisher',
          model: pick(['FS-539', 'FS-540']),
          hardware: '1',
          software: [],
        },
        { symbol: 'feeder.1', kind: 'feeder', model: pick(['PF-1', 'PF-2']), hardware: pick(['1', '2']) },
        { symbol: 'feeder.2', kind: 'feeder', model: 'PF-2', hardware: '2' },
      ],
    };
  }
}

const MILLION = 1_000_000;
const BATCH = 10_000;

/** Seconds to judge a million structures of `distinct` kinds; generating them is not timed. */
function judgeMillion(document: Catalog, distinct: number): number {
  const { catalog } = compileCatalog(document);
  const memo = new Memo(catalog, 20_000);
  const kinds = distinct < MILLION ? [...fleet(distinct)] : undefined;
  const source = fleet(distinct);
  const random = seededRandom(7);
  let ms = 0;
  for (let done = 0; done < MILLION; done += BATCH) {
    const batch = Array.from({ length: BATCH }, () => {
      // Copies share no objects with each other, as if parsed from the wire.
      const kind = kinds
        ? kinds[Math.floor(random() * kinds.length)]
        : (source.next().value as PrinterStructureLike);
      return structuredClone(kind!);
    });
    const started = performance.now();
    for (const structure of batch) {
      if (kinds) memo.judge(structure);
      else judge(catalog, structure);
    }
    ms += performance.now() - started;
  }
  return ms / 1000;
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

export async function run(args: string[]): Promise<BenchResult> {
  installPeers();
  const instances = Array.from({ length: LARGE.count }, (_, i) =>
    makeInstance(i + 1, LARGE.subjects, LARGE.versions),
  );
  const started = performance.now();
  const costs = instances.map(solve);
  const ours = performance.now() - started;
  // Runs before the peers fill the memory.
  const small = Array.from({ length: SMALL.count }, (_, i) =>
    makeInstance(1000 + i, SMALL.subjects, SMALL.versions),
  );
  const prepared = small.map((instance) => {
    const { catalog, structure } = documentsOf(instance);
    return { catalog: compileCatalog(catalog).catalog, structure };
  });
  for (const { catalog, structure } of prepared) solveIn(catalog, structure);
  const warm = performance.now();
  for (const { catalog, structure } of prepared) solveIn(catalog, structure);
  const smallMs = (performance.now() - warm) / SMALL.count;

  const runs: PeerRun[] = [];
  // --quick leaves out the slower peers.
  for (const [peer, count] of args.includes('--quick') ? PEERS.slice(0, 1) : PEERS) {
    runs.push(await runPeer(peer, args.includes('--all') ? instances : instances.slice(0, count), costs));
  }
  const perInstance = (each: PeerRun): number => each.ms / each.instances;
  const fastest = runs.reduce((best, each) => (perInstance(each) < perInstance(best) ? each : best));

  const sample = new URL('../deploy/samples/catalog.json', import.meta.url);
  const document = JSON.parse(readFileSync(sample, 'utf8')) as Catalog;
  const realistic = judgeMillion(document, 2_000);
  const distinct = judgeMillion(document, MILLION);

  const ratio = round(ours / LARGE.count / perInstance(fastest));
  const figures: BenchResult['figures'] = {
    choose_40x200_30_instances_ms: round(ours),
    choose_40x200_mean_ms: round(ours / LARGE.count),
    choose_12x50_warm_mean_ms: round(smallMs),
    judge_million_of_2000_kinds_s: round(realistic),
    judge_million_distinct_s: round(distinct),
  };
  const ratios: BenchResult['ratios'] = {};
  for (const each of runs) {
    figures[`${each.name}_mean_ms`] = round(perInstance(each));
    figures[`${each.name}_instances`] = each.instances;
    figures[`${each.name}_other_optimum`] = each.wrong;
    ratios[`ours_to_${each.name}`] = round(ours / LARGE.count / perInstance(each));
  }
  const wrong = runs.reduce((sum, each) => sum + each.wrong, 0);
  return {
    figures,
    ratios,
    bars: [
      { name: 'optima that differ from a peer', value: wrong, bar: '0', met: wrong === 0 },
      {
        name: `time to the fastest peer (${fastest.name})`,
        value: ratio,
        bar: 'at most 0.5',
        met: ratio <= 0.5,
      },
      { name: '12 x 50 warm, ms', value: round(smallMs), bar: 'at most 5', met: smallMs <= 5 },
      { name: 'a million of 2,000 kinds, s', value: round(realistic), bar: 'at most 3', met: realistic <= 3 },
      { name: 'a million distinct, s', value: round(distinct), bar: 'at most 20', met: distinct <= 20 },
    ],
  };
}
