/**
 * The world of the soak: a catalog of two releases, a rule whose trouble opens and clears, and printers that misbehave
 * a little.
 */
import { engineCatalog, enginePrinters } from '../../tests/harness/engine-catalog.ts';

/** A campaign covers the printers that share a prefix (`soak-00` for `soak-0001`), a hundred at most. */
const GROUP_DIGITS = 2;

export const CATALOG = engineCatalog('soak.1', [{ version: '2.4.0' }, { version: '2.5.0' }]);

export const RULES = {
  rules: 'soak.1',
  list: [
    {
      id: 'jams',
      title: 'Jams',
      where: { all: [['code', 'prefix', 'J-72']] },
      by: ['printer'],
      when: { count: { ge: 4, over: 'PT4M' } },
      clear: { quiet: 'PT1M30S' },
      dedup: 'PT10S',
      late: 'PT0S',
      severity: [['minor', 4]],
    },
  ],
};

function jammingOf(printers: number): number {
  return Math.max(1, Math.round(printers / 20));
}

/** Every 20th printer jams so often that its trouble opens and clears again and again; the others log little. */
export function soakScenario(printers: number): object {
  const population = {
    ...enginePrinters('2.4.0'),
    sites: ['berlin-3', 'paris-1', 'osaka-2', 'lima-1'],
    pages: 120_000,
    pagesPerHour: 1_800,
    supplies: [{ symbol: 'toner.k', kind: 'toner', color: 'black', pages: 20_000 }],
    memory: { entries: 64, freeAcknowledged: true },
    policy: { readings: { every: 'PT5M' } },
    install: { takes: 'PT2S', restart: 'PT1S', selfTest: 'PT0.2S' },
  };
  const jamming = jammingOf(printers);
  return {
    scenario: 'soak',
    title: 'Connects and drops, errors and readings, for hours',
    seed: 1,
    populations: [
      {
        ...population,
        name: 'soak',
        id: 'soak-{n}',
        count: printers - jamming,
        errors: [{ code: 'W-1102', severity: 'warning', unit: 'engine', every: 'PT5M' }],
      },
      {
        ...population,
        name: 'jams',
        id: 'jams-{n}',
        count: jamming,
        errors: [{ code: 'J-7201', severity: 'error', unit: 'engine', every: 'PT1M30S' }],
      },
    ],
    timeline: [
      { at: 'PT1M', every: 'PT10S', do: 'cut-connection', printers: { share: 0.004 } },
      { at: 'PT1M', every: 'PT10S', do: 'power-off', for: 'PT40S', printers: { share: 0.001 } },
    ],
  };
}

/** The prefixes of the groups, endlessly in turn. */
export function* groupsOf(printers: number): Generator<string, never> {
  const calm = printers - jammingOf(printers);
  const digits = Math.max(GROUP_DIGITS, String(calm).length);
  const groups = Math.max(1, Math.floor(calm / 10 ** (digits - GROUP_DIGITS)));
  for (let turn = 0; ; turn++) yield `soak-${String(turn % groups).padStart(GROUP_DIGITS, '0')}`;
}
