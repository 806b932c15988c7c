import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { PrinterEvent } from '../../driver.ts';
import { CommandDriver } from './command-driver.ts';

const TOOL = fileURLToPath(new URL('../../../tests/far-sides/vendor-tool.mjs', import.meta.url));
const PRINTER = {
  pages: 42,
  structure: {
    apparatus: {
      model: 'C360',
      serial: 'A7X0021',
      software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }],
    },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'EN-36',
        software: [{ id: 'acme.engine', vendor: 'acme', version: '2.4.0' }],
      },
    ],
  },
};
const STEP = {
  subject: 'engine:acme.engine',
  from: '2.4.0',
  to: '2.5.0',
  target: 'acme.engine/2.5.0.bin',
  length: 3,
  sha256: 'a'.repeat(64),
};

let folder: string;
let file: string;
let drivers: CommandDriver[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-command-'));
  file = join(folder, 'printer.json');
  writeFileSync(file, JSON.stringify(PRINTER));
  drivers = [];
});
afterEach(async () => {
  await Promise.all(drivers.map((driver) => driver.stop()));
  rmSync(folder, { recursive: true, force: true });
});

/** Written atomically: the program polls the file and must never see half of it. */
const change = (more: object) => {
  writeFileSync(`${file}.new`, JSON.stringify({ ...PRINTER, ...more }));
  renameSync(`${file}.new`, file);
};

async function start(run = [process.execPath, TOOL, file]) {
  const told: PrinterEvent[] = [];
  const driver = new CommandDriver({
    run,
    printer: 'p-1',
    url: 'command://vendor',
    log: pino({ level: 'silent' }),
    restartMs: 50,
    stateFile: join(folder, 'state.json'),
  });
  drivers.push(driver);
  await driver.start({ error: (event) => told.push(event), changed: () => undefined });
  const until = async (what: string, holds: () => boolean | Promise<boolean>) => {
    for (let i = 0; i < 200; i++) {
      if (await holds()) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`not seen: ${what}`);
  };
  return { driver, told, until };
}

test('a program that says so tells readings, and one that tells nonsense is refused', async () => {
  change({
    readings: { counters: { impressions: 42 }, supplies: [{ symbol: 's', kind: 'ink', level: 7 }], odd: 1 },
  });
  const { driver, until } = await start();
  await expect(driver.readReadings()).rejects.toMatchObject({ code: 'agent/driver' });
  await until('an answer', () => driver.readReadings().then(Boolean, () => false));
  expect(await driver.readReadings()).toEqual({
    counters: { impressions: 42 },
    supplies: [{ symbol: 's', kind: 'ink', level: 7 }],
  });
  change({ readings: { counters: { impressions: -1 } } });
  await expect(driver.readReadings()).rejects.toThrow('readings: /counters/impressions must be >= 0');
  change({});
  const { driver: silent, until: again } = await start();
  await again('hello', () =>
    silent.readReadings().then(
      () => true,
      () => false,
    ),
  );
  expect(await silent.readReadings()).toBeUndefined();
});

test('structure and counters are the program’s; what holds becomes entries', async () => {
  const { driver, told, until } = await start();
  expect(await driver.readStructure()).toEqual(PRINTER.structure);
  expect(await driver.readCounters()).toEqual({ pages: 42, printing: false });
  change({ conditions: [{ code: 'J-7201', severity: 'error', unit: 'engine', keyword: 'media-jam' }] });
  await until('the jam', () => told.length === 1);
  expect(told[0]).toMatchObject({ code: 'J-7201', severity: 'error', unit: 'engine', pages: 42 });
  change({ conditions: [] });
  await until('its end', () => told.length === 2);
});

test('it installs with progress, rolls back, tests itself; what it can’t install it refuses in its own words', async () => {
  const { driver } = await start();
  await driver.readStructure();
  expect(driver.cannotInstall('engine:acme.engine')).toBeUndefined();
  expect(driver.cannotInstall('apparatus:acme.controller')?.message).toBe(
    'Only engine software can be installed over the cable.',
  );
  const image = { step: STEP, file: join(folder, 'image.bin') };
  await expect(driver.install([image], () => undefined)).rejects.toThrow(/there is no file/);
  writeFileSync(image.file, 'abc');
  const progress: number[] = [];
  await driver.install([image], (share) => progress.push(share));
  expect(progress).toEqual([1]);
  const version = async () => (await driver.readStructure()).units[0]?.software?.[0]?.version;
  expect(await version()).toBe('2.5.0');
  await driver.rollback([image]);
  expect(await version()).toBe('2.4.0');
  change({ broken: true });
  await expect(driver.selfTest()).rejects.toThrow(/fuser/);
});

test('a program that crashes is started again', async () => {
  const { driver, until } = await start();
  await driver.readStructure();
  change({ crash: true });
  await expect(driver.readCounters()).rejects.toThrow(/ended with 3/);
  change({});
  await until('an answer', () =>
    driver.readCounters().then(
      () => true,
      () => false,
    ),
  );
});

test.each([
  ['that isn’t there', ['/nowhere/tool'], /does not run|there is no program/],
  [
    'that speaks another protocol',
    [
      process.execPath,
      '-e',
      'process.stdin.once("data",()=>console.log(JSON.stringify({id:1,result:{protocol:9}})))',
    ],
    /protocol 9/,
  ],
])('a program %s installs nothing and says why', async (_, run, reason) => {
  const { driver, until } = await start(run);
  await until('the reason', () => reason.test(driver.cannotInstall('engine:acme.engine')?.message ?? ''));
});

test('a structure or an entry that breaks the schema is refused, and what is right goes on', async () => {
  const script = `
    console.log('no json');
    console.log(JSON.stringify({event:'error',data:{severity:'loud'}}));
    console.log(JSON.stringify({event:'error',data:{code:'X-1',severity:'info'}}));
    require('node:readline').createInterface({input:process.stdin}).on('line',(l)=>{const m=JSON.parse(l);console.log(JSON.stringify({id:m.id,result:m.method==='hello'?{protocol:1}:{units:[]}}))});`;
  const { driver, told, until } = await start([process.execPath, '-e', script]);
  await until('the right entry', () => told.length > 0);
  expect(told.map((event) => event.code)).toEqual(['X-1']);
  await expect(driver.readStructure()).rejects.toThrow(/apparatus/);
  expect(readFileSync(file, 'utf8')).toBe(JSON.stringify(PRINTER));
});
