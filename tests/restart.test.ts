/** Stopping, restarting, and being killed: the next start continues from the stored state. */
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Verdict } from '../schemas/types.ts';
import { eventually } from './harness/ear.ts';
import { temporaryFolder } from './harness/folder.ts';
import { sampleEntries, sampleStructure, TestPrinter } from './harness/printer.ts';
import { type RunningProduct, startProduct } from './harness/product.ts';
import { putSampleCatalog } from './harness/samples.ts';

const STOP_MS_MAX = 10_000;
const folder = temporaryFolder('platen-restart-');
const data = join(folder, 'data');
let product: RunningProduct | undefined;
let password: string;

afterAll(async () => {
  await product?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Processes with this folder as working directory or argument: the product's Postgres and its workers. */
function processesIn(place: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      const inside = readlinkSync(`/proc/${name}/cwd`).startsWith(place) || command.includes(place);
      return inside ? [Number(name)] : [];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

const credentials = () => readFileSync(join(data, 'admin.json'), 'utf8');

/** What a printer finds when it connects, and what operators see. */
async function seen(running: RunningProduct) {
  const printer = await TestPrinter.connect(running.mqtt, 'restarter', password);
  const verdict = await printer.hear<Verdict>('platen/v1/printers/restarter/verdict');
  await printer.close();
  const operator = await running.operator();
  const { structure, verdictDocument, logs } = await operator.call('printers.get', { printer: 'restarter' });
  const { items } = await operator.call('printers.errors', { printer: 'restarter' });
  const { document } = await operator.call('catalog.get');
  return { verdict, structure, verdictDocument, logs, items, document };
}

let first: Awaited<ReturnType<typeof seen>>;
let admin: string;

test('the first start makes credentials that only their owner can read', async () => {
  product = await startProduct({ data, firstStart: true });
  admin = credentials();
  expect(statSync(join(data, 'admin.json')).mode & 0o777).toBe(0o600);
  const operator = await product.operator();
  await putSampleCatalog(operator);
  password = String((await operator.call('printers.enroll', { printer: 'restarter' }))['password']);
  const printer = await TestPrinter.connect(product.mqtt, 'restarter', password);
  await printer.structure(sampleStructure());
  await printer.verdictOn(1);
  await printer.errors({ entries: sampleEntries(1, 3) });
  await printer.close();
  first = await seen(product);
  expect(first).toMatchObject({ verdict: { status: 'compatible' }, items: [{ seq: 3 }, {}, {}] });
});

test('SIGTERM ends it with 0 within 10 s, whoever is connected, and leaves no process behind', async () => {
  const running = product!;
  const printer = await TestPrinter.connect(running.mqtt, 'restarter', password);
  expect(processesIn(folder).length).toBeGreaterThan(0);
  const begun = Date.now();
  const code = await running.stop();
  expect(code).toBe(0);
  expect(Date.now() - begun).toBeLessThan(STOP_MS_MAX);
  expect(processesIn(folder)).toEqual([]);
  await printer.close();
});

test('the second start goes on from the stored state', async () => {
  product = await startProduct({ data });
  expect(credentials()).toBe(admin);
  expect(await seen(product)).toEqual(first);
});

test('killed, it leaves its Postgres behind; the next start works all the same and lost nothing', async () => {
  const printer = await TestPrinter.connect(product!.mqtt, 'restarter', password);
  await printer.errors({ entries: sampleEntries(4, 4) });
  await product!.kill();
  await printer.close();
  expect(processesIn(folder).length).toBeGreaterThan(0);
  product = await startProduct({ data });
  const after = await seen(product);
  expect(after.items).toMatchObject([{ seq: 4 }, { seq: 3 }, { seq: 2 }, { seq: 1 }]);
  expect({ ...after, items: undefined, logs: undefined }).toEqual({
    ...first,
    items: undefined,
    logs: undefined,
  });
});

test('who was online when it was killed is offline until it connects again', async () => {
  const operator = await product!.operator();
  const presence = async () => (await operator.call('printers.get', { printer: 'restarter' }))['presence'];
  await eventually(async () => (await presence()) === 'offline', 'offline');
});

test('two products cannot work on one data folder', async () => {
  await expect(startProduct({ data })).rejects.toThrow(/ended with 1/);
  // The first one is not affected.
  expect((await fetch(new URL('readyz', product!.http))).status).toBe(200);
});
