import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Mosquitto, startMosquitto } from '../tests/mosquitto.ts';
import { FleetState } from './fleet-state.ts';
import { Latencies } from './latencies.ts';
import { startStory } from './story.ts';

const folder = mkdtempSync(join(tmpdir(), 'platen-fleet-'));
let broker: Mosquitto;

beforeAll(async () => {
  broker = await startMosquitto();
});
afterAll(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function until(probe: () => boolean): Promise<void> {
  const end = Date.now() + 30_000;
  while (!probe()) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a second start of the demo resumes with the state of its printers', async () => {
  const story = () => startStory({ url: broker.url, count: 6, folder: join(folder, 'story') });
  const first = story();
  await until(() => first.refresh().structures >= 4);
  const printer = first.plan.printers[0]?.printer ?? '';
  first.driver(printer)?.setVersion('engine:acme.engine', '9.9.9');
  await until(() => first.agent(printer)?.status.structure?.reason === 'change');
  const begun = first.plan.printers[0]?.spec.pages ?? 0;
  await until(() => (first.driver(printer)?.model.pages(Date.now()) ?? 0) > begun);
  await first.stop();

  const second = story();
  expect(second.driver(printer)?.model.spec.pages).toBeGreaterThan(begun);
  expect(second.driver(printer)?.model.version('engine:acme.engine')).toBe('9.9.9');
  await until(() => second.agent(printer)?.status.structure !== undefined);
  expect(second.agent(printer)?.status.structure?.units[0]?.software?.[0]?.version).toBe('9.9.9');
  await second.stop();
});

test('nothing is kept without a folder, and an invalid state file is refused by name', () => {
  const file = join(folder, 'broken.json');
  writeFileSync(file, 'no json');
  expect(() => new FleetState(file)).toThrow(expect.objectContaining({ code: 'file/damaged' }));
  const none = new FleetState(join(folder, 'none', 'printers.json'));
  none.flush();
  expect(existsSync(join(folder, 'none'))).toBe(false);
});

test('percentiles are right to a tenth, in a space that does not grow', () => {
  const latencies = new Latencies();
  expect(latencies.percentile(0.5)).toBe(0);
  for (let ms = 1; ms <= 10_000; ms++) latencies.add(ms);
  for (const share of [0.01, 0.5, 0.9, 0.99, 1]) {
    expect(latencies.percentile(share) / (10_000 * share)).toBeGreaterThan(0.99);
    expect(latencies.percentile(share) / (10_000 * share)).toBeLessThan(1.11);
  }
  expect([latencies.count, latencies.most]).toEqual([10_000, 10_000]);
});
