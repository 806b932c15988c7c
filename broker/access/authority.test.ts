import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from './authority.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.parse('2026-11-22T00:00:00Z');
let folder: string;
let now_ms = START_MS;
const open = () => Authority.open(join(folder, 'tls'), () => now_ms);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-authority-'));
  now_ms = START_MS;
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

test('the server certificate is kept, and renewed when little of it is left or for another host', async () => {
  const authority = await open();
  const first = await authority.server(['localhost', '127.0.0.1']);
  expect(new X509Certificate(first.cert).subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1');
  now_ms += 300 * DAY_MS;
  expect(await authority.server(['localhost'])).toEqual(first);
  now_ms += 80 * DAY_MS;
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
