import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addPrinter, loadConfig, paceOf } from './config.ts';
import { printerOfService } from './discover.ts';
import { snmpAccess, withoutSecrets } from './open-reader.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-config-'));
  file = join(folder, 'agents.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (printers: object[], more: object = {}) =>
  writeFileSync(file, JSON.stringify({ broker: { url: 'mqtt://127.0.0.1' }, printers, ...more }));

test.each([
  ['an unknown field', [{ printer: 'a', urls: ['ipp://a'], colour: 1 }], {}, /printers\/0/],
  [
    'the same id twice',
    [
      { printer: 'a', urls: ['ipp://a'] },
      { printer: 'a', urls: ['ipp://b'] },
    ],
    {},
    /\/printers\/1 has the id/,
  ],
  [
    'two addresses that don’t go together',
    [{ printer: 'a', urls: ['ipp://a', 'ipps://a'] }],
    {},
    /only ipp and snmp/,
  ],
  ['a Bambu without its code', [{ printer: 'a', urls: ['bambu://S@a'] }], {}, /accessCode/],
  ['too quick a pace', [{ printer: 'a', urls: ['ipp://a'], poll: 'PT0.1S' }], {}, /poll/],
  ['a root that is not there', [], { root: 'nowhere.root.json' }, /\/root .*nowhere/],
  ['a table that is wrong', [], { mappings: ['table.json'] }, /table.json/],
])('%s is refused with its place', (_, printers, more, reason) => {
  write(printers, more);
  writeFileSync(join(folder, 'table.json'), '{"mapping":"x","units":[{"model":"(","kind":"y"}]}');
  expect(() => loadConfig(file)).toThrow(reason);
});

test('a printer is added once, the file is for its owner only, and a refusal changes nothing', () => {
  addPrinter(file, { printer: 'a', urls: ['snmp://10.0.0.1'], poll: 'PT10S' }, 'mqtt://broker');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const before = readFileSync(file, 'utf8');
  expect(() => addPrinter(file, { printer: 'a', urls: ['ipp://b'] }, 'mqtt://broker')).toThrow(/already/);
  expect(readFileSync(file, 'utf8')).toBe(before);
  const { config, data } = loadConfig(file);
  expect(data).toBe(join(folder, '.platen-agent'));
  expect(config.broker.url).toBe('mqtt://broker');
  const [printer] = config.printers;
  expect(printer && paceOf(config, printer)).toEqual({ pollMs: 10_000, fullMs: 900_000, silentMs: 900_000 });
});

test('the root of trust is the file that the configuration names, from beside it; without it there is none', () => {
  writeFileSync(join(folder, 'my.root.json'), '{"signed":{}}');
  write([], { root: 'my.root.json' });
  expect(loadConfig(file).root?.toString()).toBe('{"signed":{}}');
  write([]);
  expect(loadConfig(file).root).toBeUndefined();
});

test('addresses carry a community, and are shown without it', () => {
  expect(snmpAccess('snmp://s%40cret@10.0.0.1:1161')).toEqual({
    host: '10.0.0.1',
    port: 1161,
    version: '2c',
    community: 's@cret',
  });
  expect(withoutSecrets('snmp://secret@10.0.0.1')).toBe('snmp://10.0.0.1');
});

test('what mDNS tells becomes an address', () => {
  const service = {
    name: 'Printer',
    type: 'ipp',
    host: 'p.local.',
    port: 631,
    txt: { TY: 'Acme 7', rp: '/ipp/print', UUID: 'u-1' },
    addresses: ['10.0.0.1'],
  };
  expect(printerOfService(service)).toEqual({
    url: 'ipp://p.local:631/ipp/print',
    urls: ['ipp://p.local:631/ipp/print'],
    name: 'Printer',
    model: 'Acme 7',
    uuid: 'u-1',
    addresses: ['10.0.0.1'],
  });
  expect(printerOfService({ ...service, type: 'http' })).toBeUndefined();
});
