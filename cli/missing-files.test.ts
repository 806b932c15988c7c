import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../tests/harness/folder.ts';
import { platen } from '../tests/harness/product.ts';

const folder = temporaryFolder('platen-missing-');
const catalog = new URL('../deploy/samples/catalog.json', import.meta.url).pathname;
const rules = new URL('../deploy/samples/rules.json', import.meta.url).pathname;
const none = join(folder, 'none.json');
const data = join(folder, 'data');
const repository = ['--repository', join(folder, 'repository'), '--keys', join(folder, 'keys')];
const admin = join(folder, 'admin.json');
writeFileSync(admin, '{"username":"admin","password":"none"}');

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['request', 'printers.list', `@${none}`],
  ['request', 'printers.list', '--credentials', none],
  ['enroll', 'a', '--credentials', none],
  ['catalog', 'check', none],
  ['catalog', 'check', folder],
  ['catalog', 'impact', '--from', catalog, '--to', none, '--structures', none],
  ['catalog', 'impact', '--from', catalog, '--to', catalog, '--structures', none],
  ['judge', '--catalog', none, '--structures', none],
  ['judge', '--catalog', catalog, '--structures', none],
  ['choose', '--catalog', catalog, '--structures', folder],
  ['rules', 'test', '--rules', none],
  ['rules', 'test', '--rules', rules, '--log', none],
  ['rules', 'test', '--rules', rules, '--log', folder],
  ['simulate', '--scenario', none],
  ['simulate', '--credentials', none],
  ['simulate', '--enroll-admin', none],
  ['simulate', '--duration', 'PT1S', '--record', join(none, 'log.jsonl')],
  ['agent', '--config', none],
  ['agent', 'doctor', '--recorded', none],
  ['agent', 'doctor', '--recorded', folder],
  ['agent', 'doctor', 'ipp://127.0.0.1:1/', '--mapping', none],
  ['release', 'add', none, 'acme.engine', '2.5.0', ...repository],
  ['release', 'add', catalog, 'acme.engine', '2.5.0', '--catalog', none, ...repository],
  ['release', 'add', catalog, 'acme.engine', '2.5.0', '--custom', none, ...repository],
  ['release', 'sign', 'root', '--key', none, ...repository],
  ['release', 'vendor', 'acme', '--public', none, ...repository],
  ['release', 'key', join(catalog, 'key.pem'), ...repository],
  ['release', 'check', '--catalog', none, ...repository],
])('platen %s %s says in words what it cannot open', async (...words) => {
  const { code, stderr, stdout } = await platen(words, { env: { PLATEN_DATA: data } });
  const said = stderr + stdout;
  expect(said).not.toMatch(/\bE[A-Z]{3,}\b:|no such file or directory|illegal operation/);
  expect(said).not.toContain('    at ');
  expect(stderr).not.toBe('');
  expect(code).toBe(1);
});
