import { seededRandom } from '../../../base/random.ts';
import { VirtualClock } from '../../clock.ts';
import type { PrinterEvent } from '../../driver.ts';
import { SimulatedDriver } from './driver.ts';
import type { InstallBehaviour, SimulatedPrinterSpec } from './model.ts';

const STEP = {
  subject: 'engine:acme.engine',
  from: '2.4.0',
  to: '2.5.0',
  target: 'acme.engine/2.5.0.bin',
  length: 1,
  sha256: '0'.repeat(64),
};

function spec(
  install: InstallBehaviour = {},
  more: Partial<SimulatedPrinterSpec> = {},
): SimulatedPrinterSpec {
  return {
    structure: {
      apparatus: { model: 'C360', software: [{ id: 'acme.controller', version: '3.1.0' }] },
      units: [
        {
          symbol: 'engine',
          kind: 'engine',
          model: 'EN-36',
          software: [{ id: 'acme.engine', version: '2.4.0' }],
        },
        { symbol: 'finisher.1', kind: 'finisher', model: 'FS-539' },
        { symbol: 'finisher.2', kind: 'finisher', model: 'FS-540', state: 'spare' },
      ],
    },
    pages: 100,
    pagesPerHour: 3_600,
    install: { takesMs: 1_000, restartMs: 1_000, selfTestMs: 1_000, ...install },
    ...more,
  };
}

async function started(given: SimulatedPrinterSpec, seed = 1) {
  const clock = new VirtualClock();
  const events: PrinterEvent[] = [];
  const seen = { changed: 0, bricked: 0 };
  const driver = new SimulatedDriver({
    spec: given,
    clock,
    random: seededRandom(seed),
    bricked: () => {
      seen.bricked++;
    },
  });
  await driver.start({ error: (event) => events.push(event), changed: () => seen.changed++ });
  return { clock, driver, events, seen };
}

/** Lets a promise that needs virtual time settle, and returns its outcome. */
async function lasting<T>(clock: VirtualClock, work: Promise<T>): Promise<T | Error> {
  const outcome = work.catch((error: unknown) => error as Error);
  await clock.advance(10_000);
  return outcome;
}

test('an error that hangs on a release comes until the release is replaced', async () => {
  const { clock, driver, events } = await started(
    spec(
      {},
      {
        errors: [
          {
            code: 'J-7201',
            severity: 'error',
            unit: 'finisher.1',
            everyMs: 3_000,
            spread: 'regular',
            while: { id: 'acme.engine', range: '<2.5.0' },
          },
        ],
      },
    ),
  );
  await clock.advance(9_000);
  expect(events).toHaveLength(3);
  expect(events[0]).toMatchObject({ code: 'J-7201', unit: 'finisher.1', pages: 103 });
  driver.setVersion('engine:acme.engine', '2.5.0');
  await clock.advance(60_000);
  expect(events).toHaveLength(3);
  await driver.stop();
});

test('an error of a unit comes only while the unit is there and in use', async () => {
  const errors = [
    {
      code: 'S-1',
      severity: 'error' as const,
      unit: 'finisher.2',
      everyMs: 1_000,
      spread: 'regular' as const,
    },
  ];
  const { clock, driver, events } = await started(spec({}, { errors }));
  await clock.advance(5_000);
  expect(events).toHaveLength(0);
  driver.alter((model) => model.switchToSpare('finisher.1', 'finisher.2'));
  await clock.advance(5_000);
  expect(events).toHaveLength(5);
  driver.removeUnit('finisher.2');
  await clock.advance(5_000);
  expect(events).toHaveLength(5);
});

test('errors come at the rate that is asked for, the same ones for the same seed', async () => {
  const errors = [{ code: 'W-1', severity: 'warning' as const, everyMs: 10_000 }];
  const times = async (seed: number) => {
    const { clock, events } = await started(spec({}, { errors }), seed);
    await clock.advance(1_000_000);
    return events.map(({ at }) => at);
  };
  const first = await times(5);
  expect(await times(5)).toEqual(first);
  expect(first.length).toBeGreaterThan(70);
  expect(first.length).toBeLessThan(130);
  expect(await times(6)).not.toEqual(first);
});

test('an installation takes its time, tells progress, and shows in the structure', async () => {
  const { clock, driver } = await started(spec());
  const shares: number[] = [];
  const work = driver.install([{ step: STEP }], (share) => shares.push(share));
  await clock.advance(999);
  expect(driver.model.version('engine:acme.engine')).toBe('2.4.0');
  expect(await lasting(clock, work)).toBeUndefined();
  expect(shares).toEqual([0.25, 0.5, 0.75, 1]);
  expect((await driver.readStructure()).units[0]?.software?.[0]?.version).toBe('2.5.0');
  expect(await lasting(clock, driver.selfTest())).toBeUndefined();
});

test('an installation that fails changes nothing; one that lies too, but says otherwise', async () => {
  const failing = await started(spec({ fails: 1 }));
  expect(
    await lasting(
      failing.clock,
      failing.driver.install([{ step: STEP }], () => {}),
    ),
  ).toBeInstanceOf(Error);
  expect(failing.driver.model.version('engine:acme.engine')).toBe('2.4.0');
  const lying = await started(spec({ lies: 1 }));
  expect(
    await lasting(
      lying.clock,
      lying.driver.install([{ step: STEP }], () => {}),
    ),
  ).toBeUndefined();
  expect(lying.driver.model.version('engine:acme.engine')).toBe('2.4.0');
});

test('a self-test that fails is cured by the rollback, also when the step was installed twice', async () => {
  const { clock, driver } = await started(spec({ selfTestFails: 1 }));
  await lasting(
    clock,
    driver.install([{ step: STEP }], () => {}),
  );
  await lasting(
    clock,
    driver.install([{ step: STEP }], () => {}),
  );
  expect(await lasting(clock, driver.selfTest())).toBeInstanceOf(Error);
  expect(await lasting(clock, driver.rollback([{ step: STEP }]))).toBeUndefined();
  expect(driver.model.version('engine:acme.engine')).toBe('2.4.0');
  expect(await lasting(clock, driver.selfTest())).toBeUndefined();
});

test('a bricked printer says nothing more, to anybody', async () => {
  const errors = [{ code: 'W-1', severity: 'warning' as const, everyMs: 1_000, spread: 'regular' as const }];
  const { clock, driver, events, seen } = await started(spec({ bricks: 1 }, { errors }));
  expect(
    await lasting(
      clock,
      driver.install([{ step: STEP }], () => {}),
    ),
  ).toBeInstanceOf(Error);
  const before = events.length;
  expect(seen.bricked).toBe(1);
  await clock.advance(10_000);
  expect(events).toHaveLength(before);
  await expect(driver.readStructure()).rejects.toThrow('dead');
  await expect(driver.restart()).rejects.toThrow('dead');
});

test('a step on a unit switches to the spare, and back', async () => {
  const { clock, driver } = await started(spec());
  const step = { ...STEP, subject: 'finisher.1', from: 'FS-539', to: 'finisher.2' };
  await lasting(
    clock,
    driver.install([{ step }], () => {}),
  );
  expect([driver.model.unit('finisher.1')?.state, driver.model.unit('finisher.2')?.state]).toEqual([
    'spare',
    'active',
  ]);
  await lasting(clock, driver.rollback([{ step }]));
  expect([driver.model.unit('finisher.1')?.state, driver.model.unit('finisher.2')?.state]).toEqual([
    undefined,
    'spare',
  ]);
});

test('says what cannot be installed, and why', async () => {
  const { driver } = await started(spec({ refuses: ['engine:acme.boot'] }));
  expect(driver.cannotInstall('engine:acme.engine')).toBeUndefined();
  expect(driver.cannotInstall('apparatus:acme.controller')).toBeUndefined();
  expect(driver.cannotInstall('feeder.9:x')?.code).toBe('driver/no-such-unit');
  expect(driver.cannotInstall('engine:acme.boot')?.code).toBe('driver/not-installable');
});

test('units are added, removed and swapped, and every change is told, none that changes nothing', async () => {
  const { driver, seen } = await started(spec());
  expect(driver.addUnit({ symbol: 'feeder.1', kind: 'feeder', model: 'PF-1' })).toBe(true);
  expect(driver.addUnit({ symbol: 'feeder.1', kind: 'feeder', model: 'PF-1' })).toBe(false);
  expect(driver.swapUnit('engine', { serial: 'E-2' })).toBe(true);
  expect(driver.removeUnit('feeder.1')).toBe(true);
  expect(driver.removeUnit('feeder.1')).toBe(false);
  expect(seen.changed).toBe(3);
  expect(driver.model.unit('engine')).toMatchObject({ serial: 'E-2', model: 'EN-36' });
});
