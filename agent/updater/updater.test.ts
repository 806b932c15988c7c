import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { trustNobody } from '../../releases/trust.ts';
import { PlatenError } from '../../schemas/errors.ts';
import type { Order, OrderStep } from '../../schemas/types.ts';
import { fakeContext, fakePrinter } from '../../tests/harness/fake-printer.ts';
import { download } from './download.ts';
import { type Journal, type JournalState, memoryJournal } from './journal.ts';
import { createUpdater, type Trust } from './updater.ts';

const images = new Map<string, Buffer>([
  ['/acme.engine/2.5.0.bin', Buffer.alloc(300_000, 'a')],
  ['/acme.engine/2.6.1.bin', Buffer.alloc(200_000, 'b')],
  ['/acme.controller/3.2.0.bin', Buffer.alloc(100_000, 'c')],
]);
/** Server faults: cut the answer after this many bytes, or answer something else. */
let mood: {
  cutAfter?: number;
  status?: number;
  body?: Buffer;
  endless?: boolean;
  /** Answers a range with 200, Content-Range and only the rest; a whole image with its first so many bytes. */
  restAsWhole?: number;
  /** Every answer starts from the beginning and ends after this many bytes. */
  anew?: number;
  drops?: boolean;
} = {};
const requests: { url: string; range: string | undefined }[] = [];
let server: Server;
let repository = '';
let folder = '';

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = request.url ?? '';
    requests.push({ url, range: request.headers.range });
    const image = mood.body ?? images.get(url);
    if (mood.status !== undefined || !image) {
      response.writeHead(mood.status ?? 404).end();
      return;
    }
    if (mood.endless) {
      response.writeHead(200);
      const more = () => {
        while (response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more).on('error', () => {});
      more();
      return;
    }
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (mood.drops) {
      response.writeHead(200);
      const timer = setInterval(() => response.write('a'), 20);
      response.on('close', () => clearInterval(timer)).on('error', () => {});
      return;
    }
    const cut = from === 0 ? mood.restAsWhole : mood.anew;
    if (mood.restAsWhole !== undefined || mood.anew !== undefined) {
      const rest = image.subarray(mood.anew === undefined ? from : 0);
      response.writeHead(200, {
        ...(mood.restAsWhole === undefined || from === 0
          ? {}
          : { 'content-range': `bytes ${from}-${image.length - 1}/${image.length}` }),
      });
      response.end(rest.subarray(0, mood.anew ?? cut ?? rest.length));
      return;
    }
    const part = image.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': part.length,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${image.length - 1}/${image.length}` } : {}),
    });
    if (mood.cutAfter !== undefined && part.length > mood.cutAfter) {
      response.write(part.subarray(0, mood.cutAfter), () => setTimeout(() => response.destroy(), 5));
    } else {
      response.end(part);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  repository = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  mood = {};
  requests.length = 0;
  folder = mkdtempSync(join(tmpdir(), 'platen-updater-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function step(subject: string, from: string, to: string, together?: number): OrderStep {
  const target = `${subject.slice(subject.indexOf(':') + 1)}/${to}.bin`;
  const image = images.get(`/${target}`) ?? Buffer.alloc(0);
  return {
    subject,
    from,
    to,
    target,
    length: image.length,
    sha256: createHash('sha256').update(image).digest('hex'),
    ...(together === undefined ? {} : { together }),
  };
}

const STEPS = [
  step('engine:acme.engine', '2.4.0', '2.5.0'),
  step('engine:acme.engine', '2.5.0', '2.6.1'),
  step('apparatus:acme.controller', '3.1.0', '3.2.0'),
];

function order(more: Partial<Order> = {}): Order {
  return { execution: 'e1', attempt: 1, repository, steps: STEPS, ...more };
}

test('installs step by step, restarts, tests and claims', async () => {
  const printer = fakePrinter();
  const context = fakeContext(printer, folder);
  const updater = createUpdater()(context);
  updater.onOrder(order());
  await context.until('claimed');
  expect(printer.done).toEqual([
    '+engine:acme.engine@2.5.0',
    '+engine:acme.engine@2.6.1',
    '+apparatus:acme.controller@3.2.0',
  ]);
  expect(printer.restarts).toBe(1);
  const states = context.reports.map((each) => each.state);
  expect([...new Set(states)]).toEqual([
    'accepted',
    'downloading',
    'verified',
    'installing',
    'self-testing',
    'claimed',
  ]);
  // The retained order arrives again with every connect: only its outcome is reported.
  updater.onOrder(order());
  await updater.stop();
  expect(printer.done).toHaveLength(3);
  expect(context.reports.at(-1)?.state).toBe('claimed');
});

test('a download that breaks off is resumed where it ended', async () => {
  mood = { cutAfter: 90_000 };
  const context = fakeContext(fakePrinter(), folder);
  const updater = createUpdater()(context);
  updater.onOrder(order());
  await context.until('claimed');
  await updater.stop();
  const ranges = requests.filter((each) => each.url === '/acme.engine/2.5.0.bin').map((each) => each.range);
  // Each request starts further on than the one before; how much of a broken answer arrives depends on the network.
  const starts = ranges.map((range) => Number(/bytes=(\d+)-/.exec(range ?? 'bytes=0-')?.[1]));
  expect(ranges[0]).toBeUndefined();
  expect(starts.length).toBeGreaterThanOrEqual(4);
  for (const [at, start] of starts.slice(1).entries()) expect(start).toBeGreaterThan(starts[at] ?? 0);
});

test('a download is resumed by an agent that was restarted', async () => {
  const parts = join(folder, 'updater', 'images');
  mkdirSync(parts, { recursive: true });
  const first = STEPS[0] as OrderStep;
  writeFileSync(join(parts, `${first.sha256}.part`), Buffer.alloc(123_456, 'a'));
  const context = fakeContext(fakePrinter(), folder);
  const updater = createUpdater()(context);
  updater.onOrder(order());
  await context.until('claimed');
  await updater.stop();
  expect(requests[0]).toEqual({ url: '/acme.engine/2.5.0.bin', range: 'bytes=123456-' });
});

test('a part that was kept and is rotten is thrown away, not installed', async () => {
  const parts = join(folder, 'updater', 'images');
  mkdirSync(parts, { recursive: true });
  writeFileSync(join(parts, `${STEPS[0]?.sha256}.part`), Buffer.alloc(1000, 'x'));
  const context = fakeContext(fakePrinter(), folder);
  const updater = createUpdater()(context);
  updater.onOrder(order());
  await context.until('claimed');
  await updater.stop();
});

test.each([
  ['other bytes', { body: Buffer.alloc(300_000, 'z') }, 'update/bad-hash', 'rejected'],
  ['too many bytes', { body: Buffer.alloc(300_001, 'a') }, 'update/too-long', 'rejected'],
  ['too few bytes', { body: Buffer.alloc(299_999, 'a') }, 'update/too-short', 'rejected'],
  ['endless data', { endless: true }, 'update/too-long', 'rejected'],
  ['a repository that is gone', { status: 503 }, 'update/unreachable', 'failed'],
])('%s: nothing is installed', async (_, given, code, state) => {
  mood = given;
  const printer = fakePrinter();
  const context = fakeContext(printer, folder);
  const updater = createUpdater()(context);
  updater.onOrder(order());
  const report = await context.until('rejected', 'failed', 'claimed');
  await updater.stop();
  expect([report.state, report.error?.code]).toEqual([state, code]);
  expect(printer.done).toEqual([]);
  for (const file of readdirSync(join(folder, 'updater', 'images'))) expect(file).toMatch(/\.part$/);
});

test.each([
  [
    'that answers a range with 200 and only the rest',
    { restAsWhole: 90_000 },
    /200 with a part|too few bytes|90000/i,
  ],
  ['that begins anew with every answer', { anew: 90_000 }, /90000/],
])('a repository %s is given up, and it says why', async (_, given, why) => {
  mood = given;
  const printer = fakePrinter();
  const context = fakeContext(printer, folder);
  const updater = createUpdater()(context);
  updater.onOrder(order());
  const report = await context.until('rejected', 'failed', 'claimed');
  await updater.stop();
  expect(report.state).toMatch(/rejected|failed/);
  expect(report.error?.message).toMatch(why);
  expect(requests.length).toBeLessThan(40);
  expect(printer.done).toEqual([]);
});

test('a repository that answers a range with 200 and the rest, but the whole when asked for it, is good enough', async () => {
  mkdirSync(join(folder, 'updater', 'images'), { recursive: true });
  writeFileSync(join(folder, 'updater', 'images', `${STEPS[0]?.sha256}.part`), Buffer.alloc(1_000, 'a'));
  mood = { restAsWhole: 300_000 };
  const context = fakeContext(fakePrinter(), folder);
  const updater = createUpdater()(context);
  updater.onOrder(order());
  await context.until('claimed');
  await updater.stop();
});

test('bytes that come too slowly to ever be all are given up', async () => {
  mood = { drops: true };
  const wanted = STEPS[0] as OrderStep & { target: string; length: number; sha256: string };
  const failed = download(wanted, {
    repository,
    folder,
    signal: new AbortController().signal,
    progress: () => {},
    random: () => 0,
    wait: async () => {},
    slowMs: 150,
  });
  await expect(failed).rejects.toMatchObject({
    code: 'update/unreachable',
    message: expect.stringMatching(/bytes in 0.15 s/),
  });
  expect(requests.length).toBeLessThanOrEqual(8);
});

test('an image on the disk counts by its bytes: one flipped bit and it is fetched anew', async () => {
  const images = join(folder, 'updater', 'images');
  mkdirSync(images, { recursive: true });
  const [first] = STEPS as [OrderStep];
  const rotten = Buffer.alloc(300_000, 'a');
  rotten[123_456] = 'a'.charCodeAt(0) ^ 1;
  writeFileSync(join(images, first.sha256 ?? ''), rotten);
  const printer = fakePrinter();
  const given: Buffer[] = [];
  const { install } = printer.driver;
  printer.driver.install = async (list, progress) => {
    for (const { file } of list) given.push(readFileSync(file ?? ''));
    await install(list, progress);
  };
  const context = fakeContext(printer, folder);
  const updater = createUpdater()(context);
  updater.onOrder(order());
  await context.until('claimed');
  await updater.stop();
  expect(given[0]?.equals(Buffer.alloc(300_000, 'a'))).toBe(true);
});

/** An order that waits for its window: what happens to the images, and to trust, in the meantime? */
async function afterWaiting(meanwhile: () => void, trust?: Trust) {
  const printer = fakePrinter();
  const context = fakeContext(printer, folder);
  const updater = createUpdater(trust ? { trust } : {})(context);
  updater.onOrder(order({ window: { from: '22:00', to: '05:00' } }));
  await context.until('deferred');
  meanwhile();
  context.advance(11 * 3_600_000);
  const report = await context.until('claimed', 'rejected', 'failed', 'rolled-back');
  await updater.stop();
  return { report, printer };
}

test('an image that rots while the order waits is fetched anew, not installed', async () => {
  const [first] = STEPS as [OrderStep];
  const file = join(folder, 'updater', 'images', first.sha256 ?? '');
  const { report } = await afterWaiting(() => {
    requests.length = 0;
    const bytes = readFileSync(file);
    bytes[7] = 'b'.charCodeAt(0);
    writeFileSync(file, bytes);
  });
  expect(report.state).toBe('claimed');
  expect(requests.map(({ url }) => url)).toEqual(['/acme.engine/2.5.0.bin']);
});

test('what is revoked while the order waits is not installed', async () => {
  let revoked = false;
  const { report, printer } = await afterWaiting(
    () => {
      revoked = true;
    },
    async () => {
      if (revoked)
        throw new PlatenError('update/revoked', { target: 'acme.engine/2.5.0.bin', reason: 'bricks' });
    },
  );
  expect([report.state, report.error?.code]).toEqual(['rejected', 'update/revoked']);
  expect(printer.done).toEqual([]);
});

test('an order whose versions are there already restarts nothing, and does nothing at all without trust', async () => {
  const printer = fakePrinter();
  const there = (n: number) =>
    order({
      execution: `there-${n}`,
      structure: { session: 's', revision: 1 },
      steps: [step('engine:acme.engine', '2.3.0', '2.4.0')],
    });
  for (let n = 0; n < 10; n++) {
    const context = fakeContext(printer, folder);
    const updater = createUpdater({ trust: trustNobody })(context);
    updater.onOrder(there(n));
    const report = await context.until('claimed', 'rejected');
    await updater.stop();
    expect([report.state, report.error?.code]).toEqual(['rejected', 'update/no-root']);
  }
  expect([printer.restarts, printer.sessions]).toEqual([0, 0]);
  const context = fakeContext(printer, folder);
  const updater = createUpdater({ trust: async () => {} })(context);
  updater.onOrder(there(10));
  await context.until('claimed');
  await updater.stop();
  expect([printer.restarts, printer.sessions]).toEqual([0, 1]);
});

test('a torn journal: the agent runs on and rejects orders with the name of the file and what to do', async () => {
  mkdirSync(join(folder, 'updater'), { recursive: true });
  writeFileSync(join(folder, 'updater', 'journal.json'), '{"current":{"order"');
  const printer = fakePrinter();
  const context = fakeContext(printer, folder);
  const updater = createUpdater()(context);
  updater.onOrder(order());
  const report = await context.until('rejected');
  await updater.stop();
  expect(report.error).toMatchObject({
    code: 'file/damaged',
    message: expect.stringContaining(join(folder, 'updater', 'journal.json')),
    hint: expect.stringContaining('remove the file'),
  });
  expect(printer.done).toEqual([]);
});

test('after a power loss in the middle, what was revoked since is taken back and a rotten image is not installed', async () => {
  for (const how of ['revoked', 'rotten'] as const) {
    const printer = fakePrinter();
    const kept = memoryJournal();
    const home = join(folder, how);
    const { journal, lost } = failing(kept, 3, false);
    const broken = createUpdater({ journal })(fakeContext(printer, home));
    broken.onOrder(order());
    await lost;
    await broken.stop();
    expect(kept.load().current?.phase).toBe('installing');
    const [first] = STEPS as [OrderStep];
    if (how === 'rotten') writeFileSync(join(home, 'updater', 'images', first.sha256 ?? ''), 'x');
    const context = fakeContext(printer, home);
    const trust: Trust = async () => {
      throw new PlatenError('update/revoked', { target: 'acme.engine/2.5.0.bin', reason: 'bricks' });
    };
    const updater = createUpdater({ journal: kept, ...(how === 'revoked' ? { trust } : {}) })(context);
    const report = await context.until('rolled-back', 'failed', 'claimed');
    await updater.stop();
    expect([report.state, report.error?.code]).toEqual([
      'rolled-back',
      how === 'revoked' ? 'update/revoked' : 'update/bad-hash',
    ]);
    expect(printer.structure.units[0]?.software?.[0]?.version).toBe('2.4.0');
  }
});

test.each([
  [
    'another version is installed',
    { steps: [step('engine:acme.engine', '2.3.0', '2.5.0')] },
    'update/structure-changed',
  ],
  [
    'there is no such unit',
    { steps: [step('tray.2:acme.engine', '2.4.0', '2.5.0')] },
    'update/unknown-subject',
  ],
  ['the subject is a unit', { steps: [{ ...STEPS[0], subject: 'engine' } as OrderStep] }, 'update/bad-order'],
  ['the deadline passed', { deadline: '2026-11-23T09:59:59Z' }, 'update/expired'],
  ['the unit takes no software', { steps: [step('finisher.1:acme.fin', '1', '2')] }, 'update/cannot-install'],
])('refuses an order when %s', async (_, more, code) => {
  const printer = fakePrinter();
  const context = fakeContext(printer, folder);
  const updater = createUpdater()(context);
  updater.onOrder(order(more));
  const report = await context.until('rejected');
  await updater.stop();
  expect(report.error?.code).toBe(code);
  expect(requests).toEqual([]);
  expect(printer.done).toEqual([]);
});

test('an order that ended is not carried out again', async () => {
  const printer = fakePrinter();
  const context = fakeContext(printer, folder);
  const updater = createUpdater()(context);
  updater.onOrder(order());
  await context.until('claimed');
  updater.onOrder(order({ execution: 'e2', steps: [step('engine:acme.engine', '2.6.1', '2.5.0')] }));
  while (printer.done.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  await updater.stop();
  printer.structure.units[0]!.software![0]!.version = '2.4.0';
  printer.structure.apparatus.software![0]!.version = '3.1.0';
  const again = fakeContext(printer, folder);
  const next = createUpdater()(again);
  next.onOrder(order());
  const report = await again.until('rejected');
  await next.stop();
  expect(report.error?.code).toBe('update/replayed');
  expect(printer.done).toHaveLength(4);
});

test.each(['install', 'selfTest'] as const)(
  'takes everything back in reverse when %s fails',
  async (what) => {
    const printer = fakePrinter();
    const context = fakeContext(printer, folder);
    if (what === 'selfTest') printer.fail.selfTest = 'no heartbeat';
    else {
      const install = printer.driver.install;
      printer.driver.install = async (list, progress) => {
        if (list[0]?.step.to === '3.2.0') throw new Error('flash is worn');
        await install(list, progress);
      };
    }
    const updater = createUpdater()(context);
    updater.onOrder(order());
    const report = await context.until('rolled-back');
    await updater.stop();
    expect(report.error?.code).toBe(
      what === 'selfTest' ? 'update/self-test-failed' : 'update/install-failed',
    );
    expect(printer.done.filter((each) => each.startsWith('-'))).toEqual([
      '-apparatus:acme.controller@3.2.0',
      '-engine:acme.engine@2.6.1',
      '-engine:acme.engine@2.5.0',
    ]);
    expect(printer.structure.units[0]?.software?.[0]?.version).toBe('2.4.0');
    expect(printer.structure.apparatus.software?.[0]?.version).toBe('3.1.0');
  },
);

test('a cancel is honoured before the installation, and told', async () => {
  const printer = fakePrinter();
  printer.printing = true;
  const context = fakeContext(printer, folder);
  const poll = context.after;
  context.after = (ms, task) => (ms === 30_000 ? () => {} : poll(ms, task));
  const updater = createUpdater()(context);
  updater.onOrder(order());
  await context.until('deferred');
  updater.onOrder(order({ cancel: true }));
  await context.until('cancelled');
  await updater.stop();
  expect(printer.done).toEqual([]);
});

test('waits for the maintenance window of its own zone and for the last page', async () => {
  const printer = fakePrinter();
  const context = fakeContext(printer, folder);
  const updater = createUpdater()(context);
  // It is 11:00 in Berlin.
  updater.onOrder(order({ window: { from: '22:00', to: '05:00' } }));
  await context.until('deferred');
  expect(printer.done).toEqual([]);
  context.advance(10 * 3_600_000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(printer.done).toEqual([]);
  context.advance(3_600_000);
  await context.until('claimed');
  await updater.stop();
});

/** A journal that loses power at its nth save, before or just after the write. Nothing is saved from then on. */
function failing(kept: Journal, nth: number, before: boolean): { journal: Journal; lost: Promise<void> } {
  let saves = 0;
  let tell: () => void = () => {};
  const lost = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const save = (state: JournalState) => {
    saves++;
    if (saves < nth) return kept.save(state);
    if (saves === nth && !before) kept.save(state);
    tell();
    throw new Error('power lost');
  };
  return { journal: { load: () => kept.load(), save }, lost };
}

describe.each(['claimed', 'rolled-back'] as const)('power loss at every journal entry, order %s', (ends) => {
  // A journal of this order has 7 entries on success and 11 after a rollback.
  test.each(Array.from({ length: ends === 'claimed' ? 7 : 11 }, (_, at) => [at + 1]))(
    'save %i',
    async (nth) => {
      for (const before of [true, false]) {
        const printer = fakePrinter();
        if (ends === 'rolled-back') printer.fail.selfTest = 'no heartbeat';
        const kept = memoryJournal();
        const { journal, lost } = failing(kept, nth, before);
        const broken = createUpdater({ journal })(fakeContext(printer, folder));
        broken.onOrder(order());
        await lost;
        await broken.stop();
        const context = fakeContext(printer, folder);
        const updater = createUpdater({ journal: kept })(context);
        updater.onOrder(order());
        await context.until(ends);
        await updater.stop();
        const wanted = ends === 'claimed' ? ['2.6.1', '3.2.0'] : ['2.4.0', '3.1.0'];
        expect([
          printer.structure.units[0]?.software?.[0]?.version,
          printer.structure.apparatus.software?.[0]?.version,
        ]).toEqual(wanted);
      }
    },
  );
});
