import { randomBytes, scryptSync } from 'node:crypto';
import { hashPassword, makePassword, PasswordChecker, verifyPassword } from './passwords.ts';

test('a password is right for its own hash only', async () => {
  const password = makePassword();
  const hash = await hashPassword(password, 'generated');
  expect(await verifyPassword(hash, Buffer.from(password))).toBe(true);
  expect(await verifyPassword(hash, Buffer.from(`${password}x`))).toBe(false);
  expect(await verifyPassword(await hashPassword('another', 'chosen'), Buffer.from(password))).toBe(false);
});

test('the same password has another hash each time', async () => {
  expect(await hashPassword('same', 'generated')).not.toBe(await hashPassword('same', 'generated'));
});

test('what was right is remembered, and forgotten with the hash', async () => {
  const checker = new PasswordChecker();
  const first = await hashPassword('one', 'chosen');
  expect(await checker.check(first, Buffer.from('one'))).toBe(true);
  expect(await checker.check(first, Buffer.from('one'))).toBe(true);
  expect(await checker.check(first, Buffer.from('two'))).toBe(false);
  expect(await checker.check(await hashPassword('two', 'chosen'), Buffer.from('one'))).toBe(false);
  expect(await checker.pretend(Buffer.from('one'))).toBe(false);
});

test('a hash of another form is an error', async () => {
  await expect(verifyPassword('md5$1$2$3', Buffer.from('x'))).rejects.toThrow('not a hash');
});

test('a hash that names no block size has the usual one', async () => {
  const salt = randomBytes(16);
  const key = scryptSync('old', salt, 32, { N: 16, r: 8, p: 1 });
  const hash = `scrypt$16$${salt.toString('base64url')}$${key.toString('base64url')}`;
  expect(await verifyPassword(hash, Buffer.from('old'))).toBe(true);
  expect(await verifyPassword(hash, Buffer.from('new'))).toBe(false);
});

test('a hash that asks for absurd memory is no hash', async () => {
  for (const hash of [
    'scrypt$3$AA$AA',
    'scrypt$1073741824$AA$AA',
    'scrypt$16$AA$AA$AA',
    'scrypt$16,9$AA$AA',
  ]) {
    await expect(verifyPassword(hash, Buffer.from('x'))).rejects.toThrow('not a hash');
  }
});

test('a fleet that comes back after a restart is checked in seconds', async () => {
  const checker = new PasswordChecker();
  const hash = await hashPassword('made here', 'generated');
  const started = process.cpuUsage();
  // The printers have the right passwords. A wrong one takes as long to check as a person's.
  for (let n = 0; n < 1_000; n++) expect(await checker.check(hash, Buffer.from('made here'))).toBe(true);
  const { user, system } = process.cpuUsage(started);
  // A costly check takes 50 ms of CPU: if all passwords took it, that would be 50 s.
  expect((user + system) / 1_000).toBeLessThan(5_000);
});

test('every refusal costs one costly check, and a right password that was made here none', async () => {
  const checker = new PasswordChecker();
  let costly = 0;
  const turn = {
    admit: () => {},
    take: <T>(check: () => Promise<T>): Promise<T> => {
      costly++;
      return check();
    },
  };
  const [made, chosen] = [await hashPassword('made', 'generated'), await hashPassword('chosen', 'chosen')];
  const costs = [];
  for (const check of [
    () => checker.check(made, Buffer.from('wrong'), turn),
    () => checker.check(chosen, Buffer.from('wrong'), turn),
    () => checker.pretend(Buffer.from('wrong'), turn),
    () => checker.pretend(Buffer.from('x'.repeat(24)), turn),
    () => checker.check(chosen, Buffer.from('chosen'), turn),
    () => checker.check(chosen, Buffer.from('chosen'), turn),
    () => checker.check(made, Buffer.from('made'), turn),
  ]) {
    costly = 0;
    costs.push([await check(), costly]);
  }
  expect(costs).toEqual([
    [false, 1],
    [false, 1],
    [false, 1],
    [false, 1],
    [true, 1],
    [true, 0],
    [true, 0],
  ]);
});
