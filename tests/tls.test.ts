import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './harness/ear.ts';
import { temporaryFolder } from './harness/folder.ts';
import { platen, type RunningProduct, startProduct } from './harness/product.ts';

// Printers that authenticate with a certificate of the product's own authority, using mosquitto's client.
let product: RunningProduct;
let folder: string;
let port: string;
const env = () => ({ PLATEN_DATA: product.data });

function mosquittoSub(args: string[], seconds: number): { done: Promise<number | null>; end(): void } {
  const base = [
    '-h',
    'localhost',
    '-p',
    port,
    '--cafile',
    join(folder, 'ca.pem'),
    '-i',
    'office-7',
    '-q',
    '1',
  ];
  const child = spawn('mosquitto_sub', [...base, '-W', String(seconds), ...args], { stdio: 'ignore' });
  return { done: new Promise((resolve) => child.once('exit', resolve)), end: () => child.kill() };
}

const POLICY = ['-t', 'platen/v1/printers/office-7/policy', '-C', '1'];
const certificate = (name: string) => [
  '--cert',
  join(folder, `${name}.pem`),
  '--key',
  join(folder, `${name}-key.pem`),
];

beforeAll(async () => {
  folder = temporaryFolder('platen-tls-');
  product = await startProduct({ env: { PLATEN_MQTTS_PORT: '0' } });
  port = new URL(
    String(product.log.find(({ msg }) => msg === 'ready')?.['mqtts']).replace('mqtts:', 'https:'),
  ).port;
  const operator = await product.operator();
  await operator.call('printers.enroll', { printers: ['office-7', 'office-8'] });
  await operator.call('policy.set', { default: true, policy: { structure: { every: 'PT1H' } } });
  for (const printer of ['office-7', 'office-8']) await issue(printer);
});

async function issue(printer: string): Promise<void> {
  const { code } = await platen(['certificate', 'issue', printer, '--out', folder], { env: env() });
  expect(code).toBe(0);
}

afterAll(async () => {
  expect(await product?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

test('a certificate is enough; without one, or with that of somebody else, it is not', async () => {
  expect(await mosquittoSub([...certificate('office-7'), ...POLICY], 60).done).toBe(0);
  expect(await mosquittoSub(POLICY, 5).done).not.toBe(0);
  expect(await mosquittoSub([...certificate('office-8'), ...POLICY], 5).done).not.toBe(0);
});

test('a revocation ends the live connection and bars the next', async () => {
  const never = ['-t', 'platen/v1/printers/office-7/answer/never', '-C', '1'];
  const live = mosquittoSub([...certificate('office-7'), ...never], 120);
  await eventually(async () => {
    const { presence } = await (await product.operator()).call('printers.get', { printer: 'office-7' });
    return presence === 'online';
  }, 'office-7 online');
  expect((await platen(['certificate', 'revoke', 'office-7'], { env: env() })).code).toBe(0);
  const started = Date.now();
  const refused = await eventually(async () => {
    const { presence } = await (await product.operator()).call('printers.get', { printer: 'office-7' });
    return presence === 'offline';
  }, 'office-7 offline');
  expect(refused).toBe(true);
  expect(Date.now() - started).toBeLessThan(20_000);
  live.end();
  await live.done;
  expect(await mosquittoSub([...certificate('office-7'), ...POLICY], 5).done).not.toBe(0);
});

test('a certificate ends with the enrolment that it was issued for, and with the account', async () => {
  const operator = await product.operator();
  const policy = ['-t', 'platen/v1/printers/office-9/policy', '-C', '1', '-i', 'office-9'];
  const gets = async () => (await mosquittoSub([...certificate('office-9'), ...policy], 5).done) === 0;
  await operator.call('printers.enroll', { printer: 'office-9' });
  await issue('office-9');
  expect(await gets()).toBe(true);
  // Revoked and enrolled again: the old certificate is not valid for the new printer.
  await operator.call('printers.revoke', { printer: 'office-9' });
  expect(await gets()).toBe(false);
  await operator.call('printers.enroll', { printer: 'office-9' });
  expect(await gets()).toBe(false);
  const { stdout } = await platen(['certificate', 'list', '--json'], { env: env() });
  const listed = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; revokedAt?: string });
  expect(listed.filter(({ name }) => name === 'office-9')).toEqual([
    expect.objectContaining({ revokedAt: expect.any(String) }),
  ]);
  await issue('office-9');
  expect(await gets()).toBe(true);
});

test('a certificate is for printers that are enrolled: for nobody, or a person, it is refused with a hint', async () => {
  const operator = await product.operator();
  await operator.call('users.put', { name: 'lena', role: 'viewer' });
  for (const name of ['stranger', 'lena']) {
    const { code, stderr } = await platen(['certificate', 'issue', name, '--out', folder], { env: env() });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/no printer "\w+" enrolled.*platen enroll/s);
  }
});
