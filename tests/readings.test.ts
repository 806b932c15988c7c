/** Readings end to end: a simulated printer with the real agent, the product as a process, an operator. */
import { afterEach, expect, test } from '@jest/globals';
import { type SimulatedFleet, startFleet } from '../device-sim/fleet.ts';
import { checkScenario, planFleet } from '../device-sim/scenario.ts';
import { printerTopic } from '../schemas/topics.ts';
import { eventually } from './harness/ear.ts';
import { sampleStructure } from './harness/printer.ts';
import { useProduct } from './harness/setting.ts';

const setting = useProduct({
  rules: {
    rules: 'readings.1',
    list: [
      {
        id: 'toner',
        title: 'Toner is nearly used up',
        by: ['printer', 'unit'],
        when: { supply: { kind: 'toner', level: { lt: 10 } } },
      },
      { id: 'life', title: 'Its life is over', when: { counter: { name: 'scans', ge: 5_000 } } },
      { id: 'door', title: 'A cover is open', when: { reason: { is: 'cover-open' } } },
    ],
  },
});
let fleet: SimulatedFleet | undefined;
afterEach(async () => {
  await fleet?.stop();
  fleet = undefined;
});

interface Shown {
  readings?: {
    number: number;
    counters: Record<string, number>;
    supplies: { symbol: string; left: number; since: string; serial: string }[];
  };
}

async function start(printer: string, supply: object, pagesPerHour: number) {
  const { operator, product } = setting;
  const { password } = await operator.call('printers.enroll', { printer });
  const scenario = checkScenario({
    scenario: printer,
    populations: [
      {
        name: printer,
        id: printer,
        count: 1,
        apparatus: { model: 'C360' },
        pages: 1_000,
        pagesPerHour,
        supplies: [{ symbol: 'supply.black', kind: 'toner', color: 'black', ...supply }],
      },
    ],
  });
  fleet = startFleet({
    plan: planFleet(scenario),
    url: product.mqtt,
    passwords: String(password),
  });
  return async () => ((await operator.call('printers.get', { printer })) as Shown).readings;
}

test('what a printer counts is shown, and asked for', async () => {
  const shown = await start('counts', { pages: 10_000, level: 0.5 }, 7_200);
  const first = await eventually(shown, 'readings');
  expect(first).toMatchObject({ number: 1, supplies: [{ symbol: 'supply.black', left: 0.5 }] });
  const seen = first.counters['impressions'] ?? 0;
  await eventually(async () => {
    await setting.operator.request('readings.request', { printer: 'counts' });
    return ((await shown())?.counters['impressions'] ?? 0) > seen;
  }, 'a page');
  expect((await shown())?.supplies[0]).toMatchObject({ since: first.supplies[0]?.since });
});

test('an exchange of toner is told as it happens', async () => {
  const shown = await start('exchanged', { pages: 400, level: 0.3, exchangeAt: 0.1 }, 72_000);
  const first = await eventually(shown, 'readings');
  const [before] = first.supplies;
  const after = await eventually(async () => {
    const [now] = (await shown())?.supplies ?? [];
    return now !== undefined && now.serial !== before?.serial && now;
  }, 'another cartridge');
  expect(after.left).toBeGreaterThan(0.3);
  expect(after.since > (before?.since ?? '')).toBe(true);
});

test('readings that a printer publishes open troubles of a supply, a counter and a reason, and clear them', async () => {
  const id = 'rules-on-readings';
  const printer = await setting.printer(id);
  await printer.structure(sampleStructure());
  await printer.verdictOn(1);
  let number = 0;
  const reading = (scans: number, serial: string, level: number, reasons: string[]) =>
    printer.say(printerTopic.readings(id), {
      session: '01JD',
      number: ++number,
      at: new Date().toISOString(),
      reasons,
      counters: { scans },
      supplies: [{ symbol: 'supply.black', kind: 'toner', serial, level, measure: 'percent' }],
    });
  const troubles = async () => {
    const { items } = (await setting.operator.call('troubles.list', { printer: id })) as {
      items: { rule: string; state: string; unit?: string }[];
    };
    return items.map(({ rule, state }) => `${rule} ${state}`).sort();
  };
  const become = async (expected: string[]) => {
    await eventually(async () => String(await troubles()) === String(expected), expected.join(', '));
  };
  await reading(4_999, 'T1', 11, []);
  await reading(5_000, 'T1', 9, ['cover-open-warning']);
  await become(['door open', 'life open', 'toner open']);
  // A higher level of the same cartridge is no exchange; a new board restarts the counter.
  await reading(10, 'T1', 12, []);
  await become(['door cleared', 'life cleared', 'toner open']);
  await reading(11, 'T2', 100, []);
  await become(['door cleared', 'life cleared', 'toner cleared']);
});
