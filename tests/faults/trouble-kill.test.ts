import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import mqtt from 'mqtt';
import { encodePublish, RawPrinter } from '../../bench/ingest/raw-printer.ts';
import type { TroubleLine } from '../../center/trouble/engine/replay.ts';
import type { OperatorClient } from '../../cli/operator-client.ts';
import { fleetTopic, printerTopic } from '../../schemas/topics.ts';
import type { LogEntry, Trouble, TroubleRules } from '../../schemas/types.ts';
import { Ear, eventually, WAIT_MS } from '../harness/ear.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { platen, type RunningProduct, startProduct } from '../harness/product.ts';

const SEED = Number(process.env['PLATEN_SEED'] ?? 20261125);
const PRINTERS = 30;
const ENTRIES = 500;
/** How long the product runs before each kill, ms, plus a random time. One outlasts a checkpoint. */
const LIVES_MS = [150, 400, 10_000, 250, 100, 600];
const LATE_MINUTES = 30;
const MINUTE = 60_000;
const DAY = 86_400_000;
/** The log ends days ago, so that everything that follows from time alone has happened when the test looks. */
const END = Math.floor((Date.now() - 5 * DAY) / MINUTE) * MINUTE;
const BEGIN = END - 12 * DAY;

const code = (name: string) => ({ all: [['code', '=', name]] });
const late = `PT${LATE_MINUTES}M`;
const RULES: TroubleRules = {
  rules: 'kill-1',
  list: [
    {
      id: 'count',
      where: code('A'),
      by: ['printer', 'unit'],
      when: { count: { ge: 3, over: 'PT6H' } },
      clear: { quiet: 'PT8H' },
      dedup: 'PT12H',
      severity: [
        ['minor', 3],
        ['major', 5],
      ],
    },
    {
      id: 'bucket',
      where: code('B'),
      when: { bucket: { add: 2, drain: { amount: 1, pages: 200 }, ge: 8 } },
      clear: { lt: 2, over: 'PT6H' },
    },
    {
      id: 'rate',
      where: { any: [['code', 'in', ['A', 'B']]] },
      when: { rate: { per: 'pages', n: 1000, ge: 5, min: 300, over: 'PT12H' } },
      clear: { quiet: 'PT9H' },
    },
    {
      id: 'flap',
      by: ['printer', 'unit'],
      when: { flap: { of: [code('C'), code('D')], ge: 3, over: 'PT10H' } },
      clear: { quiet: 'PT10H' },
      dedup: 'PT20H',
    },
    {
      id: 'absent',
      when: { absent: { after: code('C'), of: code('D'), within: 'PT3H' } },
      clear: { quiet: 'PT5H' },
    },
    {
      id: 'sequence',
      when: { seq: { of: [code('A'), code('B'), code('C')], within: 'PT4H' } },
      clear: { quiet: 'PT12H' },
      suppressedBy: ['bucket'],
    },
    {
      id: 'calm',
      where: code('E'),
      when: {
        all: [
          { count: { ge: 2, over: 'PT12H' } },
          { not: { count: { ge: 1, over: 'PT2H', where: code('A') } } },
        ],
      },
      clear: { quiet: 'PT6H' },
    },
    {
      id: 'everywhere',
      where: code('F'),
      by: ['code'],
      when: { distinct: { field: 'printer', ge: 6, over: 'PT4H' } },
      clear: { quiet: 'PT2H' },
    },
    { id: 'stays', where: code('G'), when: { count: { ge: 2, over: 'P1D' } } },
  ].map((rule) => ({ ...rule, late })) as TroubleRules['list'],
};

/** Pseudo-random, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** A product, and when it dies. */
interface Mortal extends RunningProduct {
  dead: Promise<void>;
}

async function begin(data: string): Promise<Mortal> {
  const product = await startProduct({ data });
  return { ...product, dead: new Promise((resolve) => product.process.once('exit', () => resolve())) };
}

/** A printer's log in the order of sending: shuffled within `late`, some entries twice, split at random. */
interface Memory {
  id: string;
  password: string;
  log: string;
  arrivals: { at: number; entry: LogEntry }[];
  messages: Buffer[];
  acknowledged: number;
}

function memoryOf(id: string, password: string, next: () => number): Memory {
  const log = `log-${id}`;
  let at = BEGIN;
  let pages = 1_000;
  const arrivals: Memory['arrivals'] = [];
  for (let seq = 1; seq <= ENTRIES; seq += 1) {
    // Bursts and quiet hours, so that troubles open, clear and open again.
    at += Math.floor((next() < 0.06 ? 60 + next() * 600 : next() * 12) * MINUTE);
    if (at > END) break;
    pages = next() < 0.005 ? 0 : pages + Math.floor(next() * 60);
    const entry: LogEntry = {
      seq,
      at: new Date(at).toISOString(),
      code: 'AAABBBCCDDEFZZZZZZZZZZ'[Math.floor(next() * 22)] as string,
      severity: 'error',
      ...(next() < 0.8 && { unit: next() < 0.6 ? 'engine' : 'finisher.1' }),
      ...(next() < 0.9 && { pages }),
    };
    if (next() < 0.004) entry.code = 'G';
    const delayed = () => at + Math.floor(next() * (LATE_MINUTES - 1) * MINUTE);
    arrivals.push({ at: delayed(), entry });
    if (next() < 0.1) arrivals.push({ at: delayed(), entry });
  }
  arrivals.sort((a, b) => a.at - b.at);
  const messages: Buffer[] = [];
  for (let from = 0; from < arrivals.length; ) {
    const some = arrivals.slice(from, from + 1 + Math.floor(next() * 6));
    from += some.length;
    // Within a message, entries are in the order of `seq`, each once.
    const entries = [...new Set(some.map(({ entry }) => entry))].sort((a, b) => a.seq - b.seq);
    messages.push(
      encodePublish(
        printerTopic.errors(id),
        JSON.stringify({ log, first: 1, reason: 'accumulated', entries }),
      ),
    );
  }
  return { id, password, log, arrivals, messages, acknowledged: 0 };
}

/**
 * Sends the unacknowledged part of a share of the log, a few messages at a time, until the connection breaks;
 * acknowledgements come in order.
 */
async function speak(
  product: Mortal,
  memory: Memory,
  next: () => number,
  share: number,
  ms: number,
): Promise<void> {
  const { hostname, port } = new URL(product.mqtt);
  let printer: RawPrinter | undefined;
  const { id, password } = memory;
  try {
    printer = await RawPrinter.connect({
      host: hostname,
      port: Number(port),
      id,
      password,
      filters: [],
      window: 10,
    });
    const upTo = Math.floor(memory.messages.length * share);
    while (memory.acknowledged < upTo) {
      const count = 1 + Math.floor(next() * 3);
      const some = memory.messages.slice(memory.acknowledged, Math.min(upTo, memory.acknowledged + count));
      try {
        // The kill may fall between two messages, when no send is in flight that could fail.
        await Promise.race([
          printer.send(some),
          product.dead.then(() => Promise.reject(new Error('killed'))),
        ]);
      } finally {
        memory.acknowledged += printer.acknowledged;
      }
      await sleep(next() * ms);
    }
  } catch {
    // The kill breaks the connection; the next call sends the rest.
  } finally {
    printer?.close();
  }
}

/** Kills the product and its database, as in a power failure. */
async function powerFails(product: RunningProduct): Promise<void> {
  const lines = readFileSync(join(product.data, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n');
  process.kill(-Number(lines[0]), 'SIGKILL');
  await product.kill();
}

async function expectedOf(folder: string, memories: Memory[]): Promise<string[]> {
  const lines = memories
    .flatMap(({ id, log, arrivals }) =>
      arrivals.map(({ at, entry }) => ({ at, line: { printer: id, log, ...entry } })),
    )
    .sort((a, b) => a.at - b.at)
    .map(({ line }) => line);
  // Time advances beyond the log, as it does in the center.
  lines.push({
    printer: 'clock',
    log: 'clock',
    seq: 1,
    at: new Date(Date.now() - DAY).toISOString(),
    code: 'Z',
    severity: 'info',
  });
  const files = { rules: join(folder, 'rules.json'), log: join(folder, 'log.jsonl') };
  writeFileSync(files.rules, JSON.stringify(RULES));
  writeFileSync(files.log, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const {
    code: exit,
    stdout,
    stderr,
  } = await platen([...['rules', 'test', '--rules', files.rules, '--log', files.log]]);
  if (exit !== 0) throw new Error(stderr);
  expect(stderr).not.toMatch(/too late/);
  return stdout
    .trim()
    .split('\n')
    .map((text) => {
      const line = JSON.parse(text) as TroubleLine;
      const { rule, printer, unit, openedAt, closedAt, severity, evidence, printers } = line;
      return described(rule, printer, unit, openedAt, closedAt, severity, evidence, printers);
    })
    .sort();
}

function described(
  rule: string,
  printer: string | null,
  unit: string | null,
  openedAt: string,
  closedAt: string | null,
  severity: string,
  evidence: number[],
  printers: (string | undefined)[] | undefined,
): string {
  const names = printers ? ` ${printers.join()}` : '';
  const closed = closedAt === null ? 'open' : new Date(closedAt).toISOString();
  return `${rule} ${printer} ${unit} ${new Date(openedAt).toISOString()} ${closed} ${severity} ${evidence.join()}${names}`;
}

async function troublesOf(operator: OperatorClient): Promise<Trouble[]> {
  const all: Trouble[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await operator.call('troubles.list', { limit: 500, ...(cursor && { cursor }) });
    all.push(...(page['items'] as Trouble[]));
    cursor = page['next'] as string | undefined;
    if (cursor === undefined) return all;
  }
}

function foundOf(troubles: Trouble[]): string[] {
  return troubles
    .map(({ rule, printer, unit, openedAt, closedAt, severity, evidence }) =>
      described(
        rule,
        printer ?? null,
        unit ?? null,
        openedAt,
        closedAt ?? null,
        severity,
        evidence.map(({ seq }) => seq),
        printer === undefined ? evidence.map((one) => one.printer) : undefined,
      ),
    )
    .sort();
}

test(`killed ${LIVES_MS.length} times with kill -9, the center finds the troubles that a replay of the log finds (seed ${SEED})`, async () => {
  const next = random(SEED);
  const folder = temporaryFolder('platen-trouble-kill-');
  const data = join(folder, 'data');
  let product = await begin(data);
  try {
    let operator = await product.operator();
    await operator.call('rules.put', { document: RULES });
    const ids = Array.from({ length: PRINTERS }, (_, index) => `jam-${index}`);
    const { items } = await operator.call('printers.enroll', { printers: ids });
    const memories = (items as { printer: string; password: string }[]).map((one) =>
      memoryOf(one.printer, one.password, next),
    );
    await operator.close();
    const expected = await expectedOf(folder, memories);
    let interrupted = 0;
    for (const [life, life_ms] of LIVES_MS.entries()) {
      // Each run gets its share of the log, so that something is left for the last.
      const share = (life + 1) / (LIVES_MS.length + 1);
      const speaking = Promise.all(
        memories.map((memory) => speak(product, memory, next, share, (life_ms + 300) / 8)),
      );
      await sleep(life_ms + next() * 300);
      await powerFails(product);
      await speaking;
      if (memories.some(({ acknowledged, messages }) => acknowledged < Math.floor(messages.length * share))) {
        interrupted += 1;
      }
      product = await begin(data);
    }
    expect(interrupted).toBeGreaterThan(1);
    // A connection may also break on a busy machine: a printer that was cut off sends the rest.
    await eventually(async () => {
      const open = memories.filter(({ acknowledged, messages }) => acknowledged < messages.length);
      await Promise.all(open.map((memory) => speak(product, memory, next, 1, 10)));
      return memories.every(({ acknowledged, messages }) => acknowledged === messages.length);
    }, 'everything is acknowledged');
    operator = await product.operator();
    let troubles: Trouble[] = [];
    for (const end = Date.now() + WAIT_MS; Date.now() < end; ) {
      troubles = await troublesOf(operator);
      if (foundOf(troubles).join('\n') === expected.join('\n')) break;
      await sleep(500);
    }
    expect(foundOf(troubles)).toEqual(expected);
    // Every rule found something, and some of it is open.
    expect(new Set(troubles.map(({ rule }) => rule))).toEqual(new Set(RULES.list.map(({ id }) => id)));
    const open = troubles.filter(({ state }) => state === 'open' || state === 'escalated');
    expect(open.length).toBeGreaterThan(5);
    // Retained are the open troubles, and none that were withdrawn.
    const { hostname, port } = new URL(product.mqtt);
    const client = await mqtt.connectAsync({ hostname, port: Number(port), ...product.admin });
    const ear = new Ear(client);
    await client.subscribeAsync('platen/v1/fleet/troubles/+', { qos: 1 });
    await eventually(() => ear.heard.length >= open.length, 'retained documents');
    await sleep(200);
    expect(new Set(ear.heard.map(({ topic }) => topic))).toEqual(
      new Set(open.map(({ id }) => fleetTopic.trouble(id))),
    );
    await client.endAsync(true);
    for (const { id } of memories.slice(0, 5)) {
      const mine = open.filter(({ printer }) => printer === id);
      expect(await operator.call('printers.get', { printer: id })).toMatchObject({
        openTroubles: mine.length,
      });
    }
    expect(await product.stop()).toBe(0);
  } finally {
    product.process.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
