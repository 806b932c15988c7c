/** Many simulated printers with the real agent, beside a product that a test runs. */
import { join } from 'node:path';

import { createUpdater } from '../../agent/updater/updater.ts';
import { type SimulatedFleet, startFleet } from '../../device-sim/fleet.ts';
import { checkScenario, planFleet } from '../../device-sim/scenario.ts';
import { openRepository } from '../../releases/repository.ts';
import { tufTrust } from '../../releases/trust.ts';
import type { Setting } from './setting.ts';

export interface Simulated {
  names: string[];
  fleet: SimulatedFleet;
}

/** A group of identical printers. */
export interface Group {
  /** Prefix of their ids. */
  name: string;
  count: number;
  model: string;
  /** Software versions of the apparatus and of its engine. */
  apparatus?: Record<string, string>;
  engine: Record<string, string>;
  /** Share of installations whose self-test fails. */
  fails?: number;
  takes?: string;
  site?: string;
}

const software = (versions: Record<string, string> = {}) =>
  Object.entries(versions).map(([id, version]) => ({ id, vendor: 'acme', version }));

/** Enrols and starts a group. */
export async function simulate(setting: Setting, group: Group): Promise<Simulated> {
  const { product, operator } = setting;
  const scenario = checkScenario({
    scenario: group.name,
    seed: 1,
    populations: [
      {
        name: group.name,
        count: group.count,
        ...(group.site === undefined ? {} : { sites: [group.site] }),
        apparatus: { model: group.model, software: software(group.apparatus) },
        units: [{ symbol: 'engine', kind: 'engine', model: 'EN-36', software: software(group.engine) }],
        install: { takes: group.takes ?? 'PT0.2S', restart: 'PT0.2S', selfTestFails: group.fails ?? 0 },
      },
    ],
  });
  const plan = planFleet(scenario, group.count, 1);
  const names = plan.printers.map(({ printer }) => printer);
  const { items } = (await operator.call('printers.enroll', { printers: names })) as {
    items: { printer: string; password: string }[];
  };
  const root = openRepository(join(product.data, 'repository')).rootBytes() ?? Buffer.alloc(0);
  const fleet = startFleet({
    plan,
    passwords: Object.fromEntries(items.map(({ printer, password }) => [printer, password])),
    url: product.mqtt,
    updater: createUpdater({ trust: tufTrust({ root }) }),
  });
  return { names, fleet };
}
