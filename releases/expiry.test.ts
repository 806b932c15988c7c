import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { RepositoryEditor } from './editor.ts';
import { type ExpiryNews, expiryFault } from './expiry.ts';
import { generateKeyPem, signingKey } from './keys.ts';
import { type LocalRepository, openLocalRepository } from './local.ts';
import { loadMetadata } from './repository.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.parse('2026-12-01T00:00:00Z');
const log = pino({ level: 'silent' });
let folder: string;
let nowMs: number;
let heard: (ExpiryNews & { day: number })[];
const day = () => Math.floor((nowMs - START_MS) / DAY_MS);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-expiry-'));
  nowMs = START_MS;
  heard = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function open(): Promise<LocalRepository> {
  const repository = await openLocalRepository(join(folder, 'repository'), join(folder, 'keys'), () => nowMs);
  repository.onExpiring((news) => heard.push({ ...news, day: day() }));
  return repository;
}

/** Runs the periodic check every twelve hours until a day. */
async function until(repository: LocalRepository, end: number, each: () => void = () => {}): Promise<void> {
  while (day() < end) {
    nowMs += DAY_MS / 2;
    await repository.look(log);
    each();
  }
}

const expired = (repository: LocalRepository) =>
  repository.expiries().flatMap(({ role, expiresMs }) => (expiresMs <= nowMs ? [role] : []));

const pem = (role: string, where = join(folder, 'keys')) =>
  signingKey(readFileSync(join(where, `${role}.pem`), 'utf8'), role);

function image(text: string): string {
  const file = join(folder, text);
  writeFileSync(file, text);
  return file;
}

test('with the keys here nothing expires or is announced in 800 days', async () => {
  const repository = await open();
  await repository.release([
    { image: Buffer.from('v2'), custom: { software: 'acme.engine', version: '2.0.0' } },
  ]);
  await until(repository, 800, () => expect(expired(repository)).toEqual([]));
  expect(heard).toEqual([]);
  expect(repository.list().map(({ target }) => target)).toEqual(['acme.engine/2.0.0.bin']);
  expect(expiryFault(repository.expiries(), nowMs)).toBeUndefined();
});

test('with the keys of targets and root elsewhere, expiry is announced 30, 7 and 1 days before, and at the end', async () => {
  const repository = await open();
  for (const role of ['targets', 'root'])
    renameSync(join(folder, 'keys', `${role}.pem`), join(folder, `${role}.pem`));
  await until(repository, 149);
  expect(heard).toEqual([]);
  await until(repository, 181);
  expect(heard.map(({ role, day: told, days }) => [role, told, days])).toEqual([
    ['targets', 150, 30],
    ['targets', 173, 7],
    ['targets', 179, 1],
    ['targets', 180, 0],
  ]);
  // The online roles are renewed; only the expiring role is reported.
  expect(expired(repository)).toEqual(['targets']);
  expect(expiryFault(repository.expiries(), nowMs)).toMatch(/signature of targets expired at 2027-05-30/);
  // Signed again elsewhere: published, and quiet again.
  const editor = new RepositoryEditor(join(folder, 'repository'), () => nowMs);
  await editor.renew('targets');
  await editor.sign('targets', [pem('targets', folder)]);
  await editor.publish({ snapshot: [pem('snapshot')], timestamp: [pem('timestamp')] });
  await repository.look(log);
  expect(expired(repository)).toEqual([]);
});

test("a release that waits for its vendor's signature stops no renewal, and is published when signed", async () => {
  const repository = await open();
  const editor = new RepositoryEditor(join(folder, 'repository'), () => nowMs);
  const vendor = signingKey(generateKeyPem(), 'beta');
  await editor.setVendor('beta', { keys: [vendor.key], threshold: 1 });
  await editor.renew('beta');
  await editor.sign('beta', [vendor]);
  await repository.release([
    { image: Buffer.from('a'), custom: { software: 'acme.engine', version: '1.0.0' } },
  ]);
  const online = { snapshot: [pem('snapshot')], timestamp: [pem('timestamp')] };
  await editor.publish(online);
  await repository.look(log);

  // Staged by beta on day 0 and not signed; an edit of targets waits too.
  await editor.add(image('b1'), { software: 'beta.fin', version: '1.0.0' });
  await editor.revoke('acme.engine', '1.0.0', 'bricks');
  await until(repository, 170, () => expect(expired(repository)).toEqual([]));
  const stagedOnly = join(folder, 'repository', 'beta.fin', '1.0.0.bin');
  expect(existsSync(stagedOnly)).toBe(false);
  // It doesn't delay another release by local keys either.
  await repository.release([{ image: Buffer.from('c'), custom: { software: 'core.os', version: '3.0.0' } }]);
  await until(repository, 179);
  expect(heard.filter(({ role }) => role !== 'beta')).toEqual([]);
  expect(heard.map(({ day: told }) => told)).toEqual([150, 173, 179]);
  expect(repository.target('beta.fin', '1.0.0')).toBeUndefined();

  await editor.sign('beta', [vendor]);
  await editor.publish(online);
  await repository.look(log);
  expect(repository.target('beta.fin', '1.0.0')?.length).toBe(2);
  expect(existsSync(stagedOnly)).toBe(true);
  expect(repository.target('core.os', '3.0.0')?.custom.revoked).toBeUndefined();
  expect(repository.target('acme.engine', '1.0.0')?.custom.revoked).toBe('bricks');
  expect(loadMetadata(join(folder, 'repository'))?.vendors.has('beta')).toBe(true);
});

test('a staged release is not in the served folder, and adding it again says so', async () => {
  const repository = await open();
  const editor = new RepositoryEditor(join(folder, 'repository'), () => nowMs);
  const custom = { software: 'acme.engine', version: '2.5.0' };
  const file = image('v2.5');
  const served = () => readdirSync(join(folder, 'repository')).filter((name) => name !== 'metadata');
  expect((await editor.add(file, custom)).state).toBe('staged');
  expect(served()).toEqual([]);
  expect((await editor.add(file, custom)).state).toBe('staged already');
  await repository.release([{ image: { file }, custom }]);
  expect(readdirSync(join(folder, 'repository', 'acme.engine'))).toHaveLength(2);
  expect((await editor.add(file, custom)).state).toBe('published already');
  expect(await editor.status()).toEqual([]);
  // A lost or damaged image is put back, under both names.
  writeFileSync(join(folder, 'repository', 'acme.engine', '2.5.0.bin'), 'vX.5');
  expect((await editor.add(file, custom)).state).toBe('published already');
  for (const name of readdirSync(join(folder, 'repository', 'acme.engine'))) {
    expect(readFileSync(join(folder, 'repository', 'acme.engine', name), 'utf8')).toBe('v2.5');
  }
});

test('an edit staged before a renewal keeps what was published meanwhile', async () => {
  const repository = await open();
  const editor = new RepositoryEditor(join(folder, 'repository'), () => nowMs);
  await editor.add(image('x'), { software: 'acme.engine', version: '1.0.0' });
  nowMs += 175 * DAY_MS;
  await repository.look(log);
  expect(loadMetadata(join(folder, 'repository'))?.targets.signed.version).toBe(2);
  expect((await editor.status()).map(({ role, version }) => [role, version])).toEqual([['targets', 3]]);
  await repository.release([
    { image: Buffer.from('y'), custom: { software: 'acme.engine', version: '2.0.0' } },
  ]);
  expect(
    repository
      .list()
      .map(({ target }) => target)
      .sort(),
  ).toEqual(['acme.engine/1.0.0.bin', 'acme.engine/2.0.0.bin']);
});
