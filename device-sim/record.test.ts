import { readFileSync } from 'node:fs';
import { compileRules } from '../center/trouble/engine/index.ts';
import { Replay, type TroubleLine } from '../center/trouble/engine/replay.ts';
import type { LogEntry, TroubleRules } from '../schemas/types.ts';
import { schemaFault } from '../schemas/validate.ts';
import { recordLog } from './record.ts';
import { checkScenario, planFleet, readScenario } from './scenario.ts';

const DAY_MS = 86_400_000;
const FIELD = new URL('./scenarios/field-cases.json', import.meta.url);

async function recorded(
  scenario: ReturnType<typeof readScenario>,
  durationMs: number,
  seed?: number,
): Promise<string[]> {
  const lines: string[] = [];
  await recordLog({
    plan: planFleet(scenario, undefined, seed),
    durationMs,
    write: (line) => lines.push(line),
  });
  return lines;
}

test('a week of real cases opens the troubles that a technician would name, and no others', async () => {
  const file = new URL('../deploy/samples/rules.json', import.meta.url);
  const { rules } = compileRules(JSON.parse(readFileSync(file, 'utf8')) as TroubleRules);
  const replay = new Replay(rules);
  for (const line of await recorded(readScenario(FIELD), 7 * DAY_MS)) replay.take(JSON.parse(line));
  const found = new Map<string, Set<string>>();
  for (const { text } of replay.finish()) {
    const { printer, rule } = JSON.parse(text) as TroubleLine;
    const population = (printer ?? '').replace(/-\d+$/, '');
    found.set(population, (found.get(population) ?? new Set()).add(rule));
  }
  const sorted = [...found].map(([population, names]) => [population, [...names].sort()]);
  expect(Object.fromEntries(sorted)).toEqual({
    'canon-a1': ['canon-finisher-inlet', 'canon-option-mismatch'],
    'hp-m9040': ['hp-49-firmware', 'hp-duplex-jam'],
    'km-ssd': ['konica-minolta-disk', 'konica-minolta-misfeed'],
    'kyocera-small-memory': ['kyocera-fuser'],
    'ricoh-firmware': ['ricoh-sc792-finisher-firmware'],
    'ricoh-jams': ['ricoh-excessive-jam', 'ricoh-sc728-finisher-fence'],
    'ricoh-worn': [
      'many-units-fail',
      'ricoh-fuser',
      'ricoh-sc390',
      'ricoh-sc651-remote-modem',
      'ricoh-sc672-controller',
    ],
    'xerox-phaser': ['xerox-engine-firmware', 'xerox-repeated-fault'],
  });
});

test('the same seed writes the same record, another seed a different one', async () => {
  const scenario = readScenario(FIELD);
  const first = await recorded(scenario, DAY_MS, 3);
  expect(await recorded(scenario, DAY_MS, 3)).toEqual(first);
  expect(await recorded(scenario, DAY_MS, 4)).not.toEqual(first);
});

test('entries are valid, numbered without a gap, in order of time; changes are recorded', async () => {
  const scenario = checkScenario({
    scenario: 'x',
    populations: [
      {
        name: 'a',
        count: 3,
        apparatus: { model: 'C360' },
        units: [{ symbol: 'finisher.1', kind: 'finisher', model: 'FS-539' }],
        errors: [{ code: 'J-1', severity: 'error', unit: 'finisher.1', every: 'PT1M' }],
      },
    ],
    timeline: [{ at: 'PT12H', do: 'remove-unit', symbol: 'finisher.1', printers: { ids: ['a-01'] } }],
  });
  const lines = (await recorded(scenario, DAY_MS)).map(
    (line) =>
      JSON.parse(line) as LogEntry & { printer: string; log: string; structure?: { units: unknown[] } },
  );
  expect(
    lines
      .filter(({ structure }) => structure)
      .map(({ printer, structure }) => [printer, structure?.units.length]),
  ).toEqual([
    ['a-01', 1],
    ['a-02', 1],
    ['a-03', 1],
    ['a-01', 0],
  ]);
  const entries = lines.filter(({ structure }) => !structure);
  expect(entries.map(({ at }) => at)).toEqual(entries.map(({ at }) => at).sort());
  const mine = entries.filter(({ printer }) => printer === 'a-02');
  expect(mine.map(({ seq }) => seq)).toEqual(mine.map((_, index) => index + 1));
  expect(mine.length).toBeGreaterThan(1_200);
  const [{ printer: _printer, log, ...entry } = { printer: '', log: '' }] = mine;
  expect(schemaFault('errors', { log, first: 1, reason: 'event', entries: [entry] })).toBeUndefined();
  expect(entries.filter(({ printer, at }) => printer === 'a-01' && at > '2026-01-01T12:00:00Z')).toEqual([]);
});
