import { pino } from 'pino';
import { type FirmwarePrinter, startFirmwarePrinter } from '../../../tests/far-sides/ipp-firmware.ts';
import type { Image } from '../../driver.ts';
import { MappingTables } from '../../mapping/tables.ts';
import { PolledDriver } from '../polled-driver.ts';
import { isAllowedRepository } from './firmware-offer.ts';
import { IppReader } from './ipp-reader.ts';

// IPP Firmware Update against our own server: no real program implements it.

const mapping = new MappingTables();
let printer: FirmwarePrinter;
beforeEach(async () => {
  printer = await startFirmwarePrinter([
    ['Controller', '1.0'],
    ['Engine', '2.0'],
  ]);
  printer.repository = [
    ['Controller', '1.1'],
    ['Engine', '2.0'],
  ];
});
afterEach(() => printer.stop());

const CONTROLLER = 'apparatus:acme.controller';
const REPOSITORIES = ['https://firmware.acme.example/'];
const image = (subject: string, from: string, to: string): Image => ({
  step: { subject, from, to, target: 'acme/x', length: 1, sha256: '0'.repeat(64) },
});

function driver(
  settings: { repositories: string[] } | undefined = { repositories: REPOSITORIES },
): PolledDriver {
  const firmwareUpdate = settings && { ...settings, pollMs: 20 };
  const reader = new IppReader({ url: printer.url, ...(firmwareUpdate ? { firmwareUpdate } : {}) }, mapping);
  return new PolledDriver(reader, {
    pollMs: 60_000,
    fullMs: 60_000,
    silentMs: 60_000,
    log: pino({ level: 'silent' }),
  });
}

/** A driver that has already read its printer, as when an order arrives. */
async function ready(settings?: { repositories: string[] }): Promise<PolledDriver> {
  const found = driver(settings);
  await found.readStructure();
  return found;
}

const controller = async (of: PolledDriver) =>
  (await of.readStructure()).apparatus.software?.find(({ id }) => id === 'acme.controller')?.version;

test('the printer looks, offers what was ordered, installs through all phases, and shows it', async () => {
  const update = await ready();
  expect(update.cannotInstall(CONTROLLER)).toBeUndefined();
  const shares: number[] = [];
  await update.install([image(CONTROLLER, '1.0', '1.1')], (share) => shares.push(share));
  await update.restart();
  await update.selfTest();
  expect(await controller(update)).toBe('1.1');
  expect(shares.length).toBeGreaterThan(0);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
  expect(printer.asked.map(({ operation }) => operation)).toEqual([0x6b, 0x6c]);
  expect(printer.asked[1]?.body).toContain('delay-update-until');
  // Repeated, as after a power loss of the agent: it is already installed, and nothing is requested.
  await update.install([image(CONTROLLER, '1.0', '1.1')], () => {});
  expect(printer.asked).toHaveLength(2);
});

test('numbers of an older draft are used where the printer lists them and the feature', async () => {
  printer.operations = [0x68, 0x69];
  const update = await ready();
  await update.install([image(CONTROLLER, '1.0', '1.1')], () => {});
  expect(printer.asked.map(({ operation }) => operation)).toEqual([0x68, 0x69]);
});

test.each([
  [
    'nothing of it',
    () => {
      printer.features = [];
    },
    /no "fwupdate"/,
  ],
  [
    '0x68 and 0x69 without the feature, where they are operations on encrypted jobs',
    () => {
      printer.features = [];
      printer.operations = [0x68, 0x69];
    },
    /no "fwupdate"/,
  ],
  [
    'the feature without its operations',
    () => {
      printer.operations = [];
    },
    /names none of the operations/,
  ],
  [
    'no repository',
    () => {
      printer.repositoryUri = undefined;
    },
    /does not say from which repository/,
  ],
  [
    'another repository',
    () => {
      printer.repositoryUri = 'https://firmware.acme.example.evil.test/';
    },
    /does not allow/,
  ],
] as const)('a printer that offers %s is not told anything', async (_, change, reason) => {
  change();
  const update = await ready();
  expect(update.cannotInstall(CONTROLLER)?.message).toMatch(reason);
  await expect(update.install([image(CONTROLLER, '1.0', '1.1')], () => {})).rejects.toMatchObject({
    code: 'update/cannot-install',
  });
  expect(printer.asked).toEqual([]);
});

test('without the setting it is only read, as ever', async () => {
  const reader = new IppReader({ url: printer.url }, mapping);
  const update = new PolledDriver(reader, {
    pollMs: 60_000,
    fullMs: 60_000,
    silentMs: 60_000,
    log: pino({ level: 'silent' }),
  });
  await update.readStructure();
  expect(update.cannotInstall(CONTROLLER)?.message).toMatch(/IPP only reads this printer/);
});

test.each([
  [
    'another version than the one that was ordered',
    [['Controller', '1.2']],
    /offers 1\.2 for acme\.controller, and 1\.1 was ordered/,
  ],
  [
    'more than was ordered',
    [
      ['Controller', '1.1'],
      ['Engine', '2.1'],
    ],
    /would install acme\.engine 2\.1 too/,
  ],
] as const)(
  'a repository that offers %s: the printer is not asked to install',
  async (_, repository, reason) => {
    printer.repository = repository.map(([name, version]) => [name, version]);
    const update = await ready();
    await expect(update.install([image(CONTROLLER, '1.0', '1.1')], () => {})).rejects.toThrow(reason);
    expect(printer.asked.map(({ operation }) => operation)).toEqual([0x6b]);
    // Nothing was started, so there is nothing to roll back.
    await update.rollback([image(CONTROLLER, '1.0', '1.1')]);
  },
);

test('a phase that fails is told; what the printer put back itself counts as put back', async () => {
  printer.failsAt = 'installation';
  const update = await ready();
  await expect(update.install([image(CONTROLLER, '1.0', '1.1')], () => {})).rejects.toThrow(
    /installation of it failed/,
  );
  await update.rollback([image(CONTROLLER, '1.0', '1.1')]);
  printer.installed = [['Controller', '1.1']];
  await expect(update.rollback([image(CONTROLLER, '1.0', '1.1')])).rejects.toThrow(/no way to put it back/);
});

test('a refusal is told with its status', async () => {
  printer.refusal = 0x0403;
  const update = await ready();
  await expect(update.install([image(CONTROLLER, '1.0', '1.1')], () => {})).rejects.toThrow(
    /Update-Printer-Firmware with IPP status 0x0403/,
  );
});

test.each([
  ['https://fw.example/a/b', true],
  ['https://fw.example/a', true],
  ['https://fw.example/a/', true],
  ['https://fw.example/ab', false],
  ['https://fw.example/a/../c', false],
  ['http://fw.example/a', false],
  ['https://fw.example:8443/a', false],
  ['https://fw.example.org/a', false],
  ['https://user@fw.example/a', false],
  ['file:///a', false],
  [undefined, false],
])('the repository %s', (configured, allowed) => {
  expect(isAllowedRepository(configured, ['https://fw.example/a'])).toBe(allowed);
});
