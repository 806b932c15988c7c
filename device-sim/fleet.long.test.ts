/** Runs 10,000 agents in one process: what each costs, and how they reconnect after a broker outage. */
import { type Mosquitto, startMosquitto } from '../tests/mosquitto.ts';
import { type SimulatedFleet, startFleet } from './fleet.ts';
import { planFleet, readScenario } from './scenario.ts';

const PRINTERS = 10_000;
/** Limits per agent; measured on two shared cores: 26 KiB and 1 µs. */
const AGENT_KIB_MAX = 40;
const AGENT_CPU_US_PER_S_MAX = 10;
// Long enough for every connection to send a ping.
const IDLE_MS = 40_000;

let broker: Mosquitto;
let fleet: SimulatedFleet | undefined;

beforeAll(async () => {
  broker = await startMosquitto({ config: ['max_connections -1'] });
});
afterAll(async () => {
  await fleet?.stop();
  await broker.stop();
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(probe: () => boolean, ms: number): Promise<void> {
  const end = Date.now() + ms;
  while (!probe()) {
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain: ${JSON.stringify(fleet?.refresh())}`);
    await pause(50);
  }
}

test('10,000 agents: memory, idle CPU, and a return that is spread', async () => {
  const rssBefore = process.memoryUsage().rss;
  const running = startFleet({
    plan: planFleet(readScenario(new URL('./scenarios/office.json', import.meta.url)), PRINTERS),
    url: broker.url,
    connectsPerSecond: 1_000,
    reconnectMs: { first: 5_000, most: 20_000 },
  });
  fleet = running;
  await until(() => running.refresh().structures === PRINTERS, 60_000);
  await pause(2_000);
  const agentKib = (process.memoryUsage().rss - rssBefore) / 1_024 / PRINTERS;
  const cpuBefore = process.cpuUsage();
  await pause(IDLE_MS);
  const cpu = process.cpuUsage(cpuBefore);
  const agentCpu = (cpu.user + cpu.system) / (IDLE_MS / 1_000) / PRINTERS;

  await broker.restart();
  await until(() => running.refresh().disconnects >= PRINTERS, 30_000);
  const perSecond: number[] = [];
  let before = running.figures.connects;
  while (running.refresh().online < PRINTERS) {
    await pause(1_000);
    perSecond.push(running.figures.connects - before);
    before = running.figures.connects;
    if (perSecond.length > 90) throw new Error(`not all came back: ${JSON.stringify(running.refresh())}`);
  }
  process.stdout.write(
    `${JSON.stringify({ agentKib: Math.round(agentKib * 10) / 10, agentCpu_us_per_s: Math.round(agentCpu * 10) / 10, back_per_s: perSecond })}\n`,
  );
  expect(agentKib).toBeLessThan(AGENT_KIB_MAX);
  expect(agentCpu).toBeLessThan(AGENT_CPU_US_PER_S_MAX);
  // Without jitter they would all reconnect within the first second.
  expect(Math.max(...perSecond)).toBeLessThan(PRINTERS / 2);
}, 240_000);
