/**
 * Attacks on the way from the vendor to the printer (TUF's list, and attacks on the order). Each is refused with a
 * specific code, nothing is installed, and a genuine order afterwards works.
 */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readChunk } from '../../releases/chunks.ts';
import { RepositoryEditor } from '../../releases/editor.ts';
import { generateKeyPem, type SigningKey, signingKey } from '../../releases/keys.ts';
import { openRepository } from '../../releases/repository.ts';
import type { ReleaseCustom } from '../../releases/targets.ts';
import { tufTrust } from '../../releases/trust.ts';
import type { Order, OrderStep } from '../../schemas/types.ts';
import { fakeContext, fakePrinter } from '../../tests/harness/fake-printer.ts';
import { createUpdater } from './updater.ts';

const key = (name: string): SigningKey => signingKey(generateKeyPem(), name);
const HOUR_MS = 3_600_000;

let folder: string;
/** The repository that is served. */
let dir: string;
let server: Server;
let repository: string;
/** Answers with something other than the file in the folder. */
let instead: ((path: string) => Buffer | 'endless' | undefined) | undefined;

const keys = {
  root: [key('root 1'), key('root 2'), key('root 3')],
  targets: [key('targets 1'), key('targets 2')],
  snapshot: [key('snapshot')],
  timestamp: [key('timestamp')],
  acme: [key('acme 1'), key('acme 2')],
  mallory: [key('mallory 1'), key('mallory 2')],
};
type Role = keyof typeof keys;
let nowMs = Date.now();
let editor: RepositoryEditor;
let root: Buffer;

const spec = (role: Role, threshold: number) => ({ keys: keys[role].map((each) => each.key), threshold });
const online = () => ({ snapshot: keys.snapshot, timestamp: keys.timestamp });
const image = (name: string) => join(folder, 'images', name);

function custom(software: string, version: string, more: Partial<ReleaseCustom> = {}): ReleaseCustom {
  return { software, version, vendor: 'acme', ...more };
}

async function signAndPublish(): Promise<void> {
  for (const { role } of await editor.status()) {
    const by = role === 'root' ? keys.root.slice(0, 2) : keys[role as Role];
    await editor.sign(role, by);
  }
  await editor.publish(online());
}

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    const given = instead?.(path);
    if (given === 'endless') {
      const more = () => {
        while (response.write(Buffer.alloc(65_536, '{')));
      };
      response.on('drain', more).on('error', () => {});
      more();
      return;
    }
    const file = join(dir, path);
    if (given === undefined && !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.end(given ?? readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  repository = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(async () => {
  instead = undefined;
  nowMs = Date.now();
  folder = mkdtempSync(join(tmpdir(), 'platen-attacks-'));
  dir = join(folder, 'repository');
  cpSync(new URL('.', import.meta.url), join(folder, 'images'), { recursive: true });
  editor = new RepositoryEditor(dir, () => nowMs);
  await editor.init({
    root: spec('root', 2),
    targets: spec('targets', 2),
    snapshot: spec('snapshot', 1),
    timestamp: spec('timestamp', 1),
  });
  await editor.setVendor('acme', spec('acme', 2));
  await editor.add(image('judge.ts'), custom('acme.engine', '2.5.0', { from: '>=2.3.0' }));
  await editor.add(image('window.ts'), custom('acme.engine', '2.6.1', { from: '>=2.5.0' }));
  await editor.add(image('limits.ts'), custom('acme.engine', '2.3.0'));
  await editor.add(
    image('journal.ts'),
    custom('acme.engine', '2.7.0', {
      requires: [{ software: 'acme.controller', range: '>=4', because: 'new bus' }],
    }),
  );
  await signAndPublish();
  root = readFileSync(join(dir, 'metadata', '1.root.json'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function step(version: string, from: string, more: Partial<OrderStep> = {}): OrderStep {
  const release = openRepository(dir).target('acme.engine', version);
  if (!release) throw new Error(`no ${version}`);
  const { target, length, sha256 } = release;
  return { subject: 'engine:acme.engine', from, to: version, target, length, sha256, ...more };
}
let execution = 0;
const order = (steps: OrderStep[], more: Partial<Order> = {}): Order => ({
  execution: `e${++execution}`,
  attempt: 1,
  printer: 'p1',
  repository,
  steps,
  ...more,
});
const honest = () => order([step('2.5.0', '2.4.0')]);

/** Gives orders to one agent in sequence and returns how each ended, as a code (or `claimed`). */
async function agent(...orders: (() => Order | Promise<Order>)[]): Promise<string[]> {
  const printer = fakePrinter();
  const home = join(folder, 'agent');
  const ends: string[] = [];
  for (const make of orders) {
    const context = fakeContext(printer, home);
    const installed = printer.done.length;
    const updater = createUpdater({ trust: tufTrust({ root, folder: join(home, 'trust') }) })(context);
    updater.onOrder(await make());
    const report = await context.until('claimed', 'rejected', 'failed', 'rolled-back');
    await updater.stop();
    if (report.state !== 'claimed') expect(printer.done).toHaveLength(installed);
    ends.push(report.state === 'claimed' ? 'claimed' : (report.error?.code ?? report.state));
  }
  return ends;
}

test('where HTTP is out of reach, metadata and images come over MQTT, and are checked the same', async () => {
  const big = join(folder, 'big');
  writeFileSync(big, Buffer.alloc(300_000, 'b'));
  await editor.add(big, custom('acme.engine', '2.5.5'));
  await signAndPublish();
  const printer = fakePrinter();
  const asked: string[] = [];
  let underWay = 0;
  let most = 0;
  const over = (spoil: boolean) => {
    const context = fakeContext(printer, join(folder, 'agent'));
    context.ask = async (method, params) => {
      expect(method).toBe('chunk');
      asked.push((params as { path: string }).path);
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 1));
      underWay--;
      const chunk = await readChunk(dir, params as Record<string, unknown>).catch(
        (error: Error & { code: string }) => {
          throw new Error(`${error.code}: ${error.message}`);
        },
      );
      expect(chunk.bytes.length).toBeLessThanOrEqual(64 * 1024);
      const image = asked.at(-1)?.endsWith('.bin') === true;
      return spoil && image
        ? { ...chunk, bytes: Buffer.alloc(Buffer.from(chunk.bytes, 'base64').length, 'x').toString('base64') }
        : chunk;
    };
    return context;
  };
  const gone = order([step('2.5.5', '2.4.0')], { repository: 'http://127.0.0.1:9/repository/' });
  for (const [spoil, end] of [
    [true, 'update/bad-hash'],
    [false, undefined],
  ] as const) {
    const context = over(spoil);
    const updater = createUpdater({ trust: tufTrust({ root, folder: join(folder, 'trust') }) })(context);
    updater.onOrder({ ...gone, execution: `mqtt-${spoil}` });
    const report = await context.until('claimed', 'rejected', 'failed');
    await updater.stop();
    expect([report.state, report.error?.code]).toEqual([spoil ? 'rejected' : 'claimed', end]);
  }
  expect(printer.done).toEqual(['+engine:acme.engine@2.5.5']);
  expect(asked).toContain('metadata/timestamp.json');
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(4);
});

test('an honest order is carried out, bridge by bridge', async () => {
  expect(await agent(() => order([step('2.5.0', '2.4.0'), step('2.6.1', '2.5.0')]))).toEqual(['claimed']);
});

test.each([
  ['emptied', (file: string) => truncateSync(file, 0)],
  ['cut in the middle', (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2))],
  ['full of zeros', (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
])('kept metadata that a power cut left %s is fetched and checked anew', async (_how, damage) => {
  const trust = join(folder, 'agent', 'trust');
  const damaged = () => {
    const files = readdirSync(trust).filter((name) => name.endsWith('.json'));
    expect(files).toContain('root.json');
    for (const name of files) damage(join(trust, name));
    return order([step('2.6.1', '2.5.0')]);
  };
  expect(await agent(honest, damaged)).toEqual(['claimed', 'claimed']);
});

describe('attacks on the order', () => {
  test('arbitrary software: a target that nobody signed', async () => {
    writeFileSync(join(dir, 'evil.bin'), 'evil');
    const evil = step('2.5.0', '2.4.0', { target: 'evil.bin' });
    expect(await agent(() => order([evil]), honest)).toEqual(['update/untrusted-target', 'claimed']);
  });
  test('an extra step that is not in the signed metadata', async () => {
    const extra = { ...step('2.5.0', '2.4.0'), to: '2.5.1', from: '2.5.0', target: 'acme.engine/2.5.1.bin' };
    expect(await agent(() => order([step('2.5.0', '2.4.0'), extra]))).toEqual(['update/untrusted-target']);
  });
  test('another length or hash than was signed', async () => {
    expect(
      await agent(
        () => order([step('2.5.0', '2.4.0', { length: 7 })]),
        () => order([step('2.5.0', '2.4.0', { sha256: 'a'.repeat(64) })]),
      ),
    ).toEqual(['update/target-differs', 'update/target-differs']);
  });
  test('a signed image of other software', async () => {
    const { target, length, sha256 } = step('2.5.0', '2.4.0');
    const swapped: OrderStep = {
      subject: 'apparatus:acme.controller',
      from: '3.1.0',
      to: '2.5.0',
      target,
      length,
      sha256,
    };
    expect(await agent(() => order([swapped]))).toEqual(['update/wrong-software']);
  });
  test('a signed release passed off as another version', async () => {
    expect(await agent(() => order([step('2.3.0', '2.4.0', { to: '2.5.0' })]))).toEqual([
      'update/wrong-software',
    ]);
  });
  test('an old release that may not be gone back to, and a bridge left out', async () => {
    expect(
      await agent(
        () => order([step('2.3.0', '2.4.0')]),
        () => order([step('2.6.1', '2.4.0')]),
      ),
    ).toEqual(['update/no-way', 'update/no-way']);
  });
  test('a release whose signed requirements this printer does not meet', async () => {
    expect(await agent(() => order([step('2.7.0', '2.4.0')]))).toEqual(['update/incompatible']);
  });
  test('the order of another printer, and one replayed after it was carried out', async () => {
    const first = honest();
    expect(
      await agent(
        () => order([step('2.5.0', '2.4.0')], { printer: 'p2' }),
        () => first,
        () => order([step('2.6.1', '2.5.0')]),
        () => ({ ...first, steps: [step('2.5.0', '2.6.1')] }),
      ),
    ).toEqual(['update/wrong-printer', 'claimed', 'claimed', 'update/replayed']);
  });
  test('a revoked release', async () => {
    const before = honest();
    await editor.revoke('acme.engine', '2.5.0', 'bricks EN-36 with hardware 1.0');
    await signAndPublish();
    expect(await agent(() => before)).toEqual(['update/revoked']);
  });
});

describe('attacks on the repository', () => {
  test('rollback: an old repository is put back', async () => {
    cpSync(dir, join(folder, 'old'), { recursive: true });
    await editor.renew('acme');
    await signAndPublish();
    expect(
      await agent(honest, () => {
        const next = order([step('2.6.1', '2.5.0')]);
        dir = join(folder, 'old');
        return next;
      }),
    ).toEqual(['claimed', 'update/trust-rollback']);
  });
  test('freeze: the same metadata for ever', async () => {
    nowMs = Date.now() - 8 * 24 * HOUR_MS;
    await editor.publish(online());
    expect(await agent(honest)).toEqual(['update/trust-expired']);
  });
  test('fast-forward: a stolen timestamp key runs ahead; new keys bring the agent back', async () => {
    const thief = new RepositoryEditor(dir, () => nowMs);
    expect(
      await agent(honest, async () => {
        for (let times = 0; times < 3; times++) await thief.publish(online());
        return order([step('2.6.1', '2.5.0')], { printer: 'p2' });
      }),
    ).toEqual(['claimed', 'update/wrong-printer']);
    cpSync(dir, join(folder, 'ahead'), { recursive: true });
    const stolen = { snapshot: keys.snapshot, timestamp: keys.timestamp };
    keys.snapshot = [key('snapshot 2')];
    keys.timestamp = [key('timestamp 2')];
    await editor.setRole('snapshot', spec('snapshot', 1));
    await editor.setRole('timestamp', spec('timestamp', 1));
    await signAndPublish();
    expect(await agent(honest)).toEqual(['claimed']);
    // The thief's signatures are no longer trusted.
    await expect(editor.publish(stolen)).rejects.toMatchObject({ code: 'release/unsigned' });
    cpSync(join(folder, 'ahead', 'metadata', 'timestamp.json'), join(dir, 'metadata', 'timestamp.json'));
    rmSync(join(folder, 'agent'), { recursive: true });
    expect(await agent(honest)).toEqual(['update/trust-unsigned']);
  });
  test('mix and match: metadata that was not published together', async () => {
    const before = readdirSync(join(dir, 'metadata'));
    const old = readFileSync(join(dir, 'metadata', '1.acme.json'));
    await editor.renew('acme');
    await signAndPublish();
    const fresh = readdirSync(join(dir, 'metadata')).find(
      (file) => file.endsWith('.acme.json') && !before.includes(file),
    );
    writeFileSync(join(dir, 'metadata', fresh ?? ''), old);
    expect(await agent(honest)).toEqual(['update/trust-mixed']);
  });
  test('half a copy: a file is missing', async () => {
    const made = honest();
    rmSync(join(dir, 'metadata', '1.acme.json'));
    expect(await agent(() => made)).toEqual(['update/trust-mixed']);
  });
  test('endless metadata', async () => {
    instead = (path) => (path === 'metadata/timestamp.json' ? 'endless' : undefined);
    expect(await agent(honest)).toEqual(['update/trust-endless']);
  });
  test('no metadata at all, or none that can be read', async () => {
    instead = (path) => (path.startsWith('metadata/timestamp') ? Buffer.from('[]') : undefined);
    expect(await agent(honest)).toEqual(['update/trust-unreadable']);
  });
  test('other bytes, fewer, more, endless ones under the signed name', async () => {
    const { length } = step('2.5.0', '2.4.0');
    const codes: string[] = [];
    for (const bytes of [
      Buffer.alloc(length!, 'x'),
      Buffer.alloc(length! - 1),
      Buffer.alloc(length! + 1),
      'endless',
    ] as const) {
      instead = (path) => (path === 'acme.engine/2.5.0.bin' ? bytes : undefined);
      codes.push(...(await agent(honest)));
    }
    expect(codes).toEqual(['update/bad-hash', 'update/too-short', 'update/too-long', 'update/too-long']);
  });
});

describe('stolen keys', () => {
  test('fewer than the threshold sign nothing that is believed', async () => {
    await editor.add(image('window.ts'), custom('acme.engine', '2.9.0'));
    await editor.sign('acme', keys.acme.slice(0, 1));
    await expect(editor.publish(online())).rejects.toMatchObject({ code: 'release/unsigned' });
    // The thief still publishes it by hand, with the online keys.
    const staged = readFileSync(join(`${dir}-staged`, 'acme.json'));
    const thief = new RepositoryEditor(join(folder, 'forged'), () => nowMs);
    cpSync(dir, join(folder, 'forged'), { recursive: true });
    const forged = join(folder, 'forged', 'metadata', '1.acme.json');
    writeFileSync(forged, staged);
    await thief.publish(online());
    dir = join(folder, 'forged');
    const made = order([{ ...honest().steps[0], target: 'acme.engine/2.9.0.bin', to: '2.9.0' } as OrderStep]);
    expect(['update/trust-mixed', 'update/trust-unsigned']).toContain((await agent(() => made))[0]);
  });
  test("a key that isn't named for a role can't sign it", async () => {
    await editor.renew('acme');
    await expect(editor.sign('acme', keys.mallory)).rejects.toMatchObject({ code: 'release/wrong-key' });
  });
  test("a vendor can't sign another vendor's software", async () => {
    await editor.setVendor('mallory', spec('mallory', 2));
    await editor.renew('mallory');
    await signAndPublish();
    const staged = join(`${dir}-staged`, 'mallory.json');
    await editor.renew('mallory');
    const document = JSON.parse(readFileSync(staged, 'utf8')) as { signed: { targets: object } };
    const acme = JSON.parse(readFileSync(join(dir, 'metadata', '1.acme.json'), 'utf8')) as {
      signed: { targets: Record<string, object> };
    };
    document.signed.targets = {
      'acme.engine/6.6.6.bin': {
        ...acme.signed.targets['acme.engine/2.5.0.bin'],
        custom: custom('acme.engine', '6.6.6'),
      },
    };
    writeFileSync(staged, JSON.stringify(document));
    await signAndPublish();
    const forged = { ...step('2.5.0', '2.4.0'), to: '6.6.6', target: 'acme.engine/6.6.6.bin' };
    expect(await agent(() => order([forged]))).toEqual(['update/untrusted-target']);
  });
  test('over the threshold: after new keys are named, what the thief signs is not believed', async () => {
    const stolen = keys.acme;
    keys.acme = [key('acme 3'), key('acme 4')];
    await editor.setVendor('acme', spec('acme', 2));
    await editor.renew('acme');
    await signAndPublish();
    expect(await agent(honest)).toEqual(['claimed']);
    await editor.add(image('window.ts'), custom('acme.engine', '2.9.0'));
    await expect(editor.sign('acme', stolen)).rejects.toMatchObject({ code: 'release/wrong-key' });
    keys.acme = stolen;
  });
  test('a root that the old root keys did not sign is not followed', async () => {
    const forged = new RepositoryEditor(join(folder, 'forged'), () => nowMs);
    const mine = { keys: keys.mallory.map((each) => each.key), threshold: 2 };
    await forged.init({ root: mine, targets: mine, snapshot: mine, timestamp: mine });
    for (const role of ['root', 'targets']) await forged.sign(role, keys.mallory);
    await forged.publish({ snapshot: keys.mallory, timestamp: keys.mallory });
    const made = honest();
    cpSync(join(folder, 'forged', 'metadata', '1.root.json'), join(dir, 'metadata', '2.root.json'));
    expect(await agent(() => made)).toEqual(['update/trust-unsigned']);
  });
  test('root keys are replaced with the signatures of both', async () => {
    const old = keys.root;
    keys.root = [key('root 4'), key('root 5')];
    await editor.setRole('root', spec('root', 2));
    await editor.sign('root', keys.root);
    await expect(editor.publish(online())).rejects.toMatchObject({ code: 'release/unsigned' });
    await editor.sign('root', old.slice(0, 2));
    await editor.publish(online());
    expect(await agent(honest)).toEqual(['claimed']);
    keys.root = old;
  });
});
