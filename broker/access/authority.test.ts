import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withLockSync } from '../../files/with-lock.ts';
import { WITH_TYPES } from '../../tests/harness/run/with-types.ts';
import { Authority } from './authority.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.parse('2026-11-22T00:00:00Z');
let folder: string;
let nowMs = START_MS;
const open = () => Authority.open(join(folder, 'tls'), () => nowMs);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-authority-'));
  nowMs = START_MS;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a client certificate names the printer, is signed by the authority and is for clients only', async () => {
  const authority = await open();
  const { certificate, key, serial } = await authority.issue('office-7');
  const leaf = new X509Certificate(certificate);
  const issuer = new X509Certificate(authority.certificate);
  expect(leaf.subject).toBe('CN=office-7');
  expect(leaf.checkIssued(issuer)).toBe(true);
  expect(leaf.verify(issuer.publicKey)).toBe(true);
  expect(leaf.ca).toBe(false);
  expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  expect(leaf.serialNumber.toLowerCase()).toBe(serial);
  expect(key).toContain('PRIVATE KEY');
  expect(statSync(join(folder, 'tls', 'ca-key.pem')).mode & 0o077).toBe(0);
});

test('what was issued holds until it is revoked, over a restart; what was never issued does not hold', async () => {
  const first = await open();
  const { serial } = await first.issue('office-7');
  const { serial: other } = await first.issue('office-7');
  expect(first.isRevoked(serial)).toBe(false);
  expect((await open()).revoke(serial)).toEqual([expect.objectContaining({ name: 'office-7', serial })]);
  const later = await open();
  expect(later.isRevoked(serial)).toBe(true);
  expect(later.isRevoked(other)).toBe(false);
  expect(later.isRevoked('abc')).toBe(true);
  expect(later.revoke('office-7').map((entry) => entry.serial)).toEqual([other]);
  expect(later.revoke('office-7')).toEqual([]);
});

test('a list of certificates that is missing is said with what to do, at a start and while it runs', async () => {
  const running = await open();
  const { serial } = await running.issue('office-7');
  const said: unknown[] = [];
  running.onFailed((error) => said.push(error));
  expect(running.isRevoked(serial)).toBe(false);
  rmSync(join(folder, 'tls', 'issued.json'));
  expect([running.isRevoked(serial), running.isRevoked('abc')]).toEqual([false, true]);
  await expect(running.issue('office-8')).rejects.toMatchObject({ code: 'file/damaged' });
  const later = await open();
  later.onFailed((error) => said.push(error));
  expect(later.isRevoked(serial)).toBe(true);
  for (const error of said) {
    expect(error).toMatchObject({
      code: 'file/damaged',
      message: expect.stringContaining('it is missing'),
      hint: expect.stringContaining('Restore it from a copy'),
    });
  }
  expect(said).toHaveLength(2);
  const fresh = await Authority.open(join(folder, 'another'), () => nowMs);
  fresh.onFailed((error) => said.push(error));
  expect(said).toHaveLength(2);
});

test('a revocation and certificates that are issued beside it, by other processes, are all kept', async () => {
  const authority = await open();
  const first = await Promise.all(['a', 'b', 'c', 'd'].map((name) => authority.issue(name)));
  // Each child issues, as `platen certificate issue` does, while this process revokes.
  const module = new URL('./authority.ts', import.meta.url).href;
  const program = `import { Authority } from ${JSON.stringify(module)};
    const authority = await Authority.open(${JSON.stringify(join(folder, 'tls'))}, () => ${START_MS});
    for (let n = 0; n < 15; n++) await authority.issue('new-' + process.argv[1] + '-' + n);`;
  const children = ['x', 'y', 'z'].map(
    (name) =>
      new Promise<number | null>((resolve) => {
        const args = [...WITH_TYPES, '--input-type=module', '-e', program, name];
        spawn(process.execPath, args, { stdio: 'inherit' }).once('exit', resolve);
      }),
  );
  let ended = false;
  const all = Promise.all(children).then((codes) => {
    ended = true;
    return codes;
  });
  for (const { serial } of first) {
    const before = authority.list().length;
    while (!ended && authority.list().length < before + 3) await new Promise((next) => setTimeout(next, 1));
    expect(authority.revoke(serial)).toHaveLength(1);
  }
  expect(await all).toEqual([0, 0, 0]);
  const list = (await open()).list();
  expect(list).toHaveLength(first.length + 45);
  const revoked = list.flatMap(({ name, revokedAt }) => (revokedAt === undefined ? [] : [name]));
  expect(revoked.sort()).toEqual(['a', 'b', 'c', 'd']);
});

test('a lock that a killed process left is taken over; one that is held is waited for, and then named', async () => {
  const file = join(folder, 'list.json');
  writeFileSync(`${file}.lock`, '999999999');
  utimesSync(`${file}.lock`, new Date(0), new Date(0));
  expect(withLockSync(file, () => 'done')).toBe('done');
  writeFileSync(`${file}.lock`, String(process.pid));
  expect(() => withLockSync(file, () => 'done')).toThrow(
    expect.objectContaining({ code: 'file/busy', hint: expect.stringContaining(`${file}.lock`) }),
  );
});

test('enrolling again, or taking the account away, revokes the certificates of before and no other', async () => {
  const authority = await open();
  const [old, present, other] = [
    await authority.issue('office-7', 'first'),
    await authority.issue('office-7', 'second'),
    await authority.issue('office-8', 'first'),
  ];
  expect(authority.revokeEarlier('office-7', 'second').map(({ serial }) => serial)).toEqual([old.serial]);
  expect(authority.revokeEarlier('office-7', 'second')).toEqual([]);
  expect([authority.enrolmentOf(present.serial), authority.isRevoked(present.serial)]).toEqual([
    'second',
    false,
  ]);
  expect(authority.revokeEarlier('office-7', undefined)).toHaveLength(1);
  expect([authority.isRevoked(present.serial), authority.isRevoked(other.serial)]).toEqual([true, false]);
});

test('the server certificate is kept, and renewed when little of it is left or for another host', async () => {
  const authority = await open();
  const first = await authority.server(['localhost', '127.0.0.1']);
  expect(new X509Certificate(first.cert).subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1');
  nowMs += 300 * DAY_MS;
  expect(await authority.server(['localhost'])).toEqual(first);
  nowMs += 80 * DAY_MS;
  const renewed = await authority.server(['localhost']);
  expect(renewed.cert).not.toBe(first.cert);
  expect((await authority.server(['printers.example'])).cert).not.toBe(renewed.cert);
});

test('somebody who watches hears of a revocation by another process', async () => {
  const authority = await open();
  await authority.issue('office-7');
  const heard = new Promise<string>((resolve) => authority.onRevoked(resolve));
  (await open()).revoke('office-7');
  expect(await heard).toBe('office-7');
  authority.close();
});
