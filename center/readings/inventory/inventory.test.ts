/**
 * Exports, validated: CycloneDX by its published schema, GLPI's format by its schema's rules for the exported
 * parts.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import type { LatestReadings } from '../../queries.ts';
import { cyclonedxInventory } from './cyclonedx.ts';
import { glpiInventory } from './glpi.ts';
import type { InventoryPrinter } from './inventory.ts';

const { resolve } = createRequire(import.meta.url);
const ID = '3e671687-395b-41f5-a30f-a58921a69b79';
const NOW_MS = Date.UTC(2026, 10, 30, 12);

/** The schema of CycloneDX 1.6 with the schemas that it references. */
function bomFault(): (document: unknown) => string | undefined {
  const at = new URL('./res/schema/', `file://${resolve('@cyclonedx/cyclonedx-library/package.json')}`);
  const read = (name: string) => JSON.parse(readFileSync(new URL(name, at), 'utf8')) as object;
  const ajv = new Ajv({ strict: false, allErrors: true });
  for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs']) {
    const file = `${name}.SNAPSHOT.schema.json`;
    ajv.addSchema({ ...read(file), $id: `http://cyclonedx.org/schema/${file}` });
  }
  formats.default(ajv);
  // This product writes no international names or addresses.
  for (const format of ['idn-email', 'iri-reference']) ajv.addFormat(format, true);
  const validate = ajv.compile(read('bom-1.6.SNAPSHOT.schema.json'));
  return (document) => (validate(document) ? undefined : JSON.stringify(validate.errors));
}

const SUPPLY = { since: '2026-11-01T00:00:00Z', known: 'exact' as const };
const READINGS: LatestReadings = {
  session: 's',
  number: 3,
  at: '2026-11-30T11:00:00Z',
  received: '2026-11-30T11:00:01Z',
  counters: {
    impressions: 1_000,
    'impressions-color': 200,
    'impressions-two-sided': 300,
    scans: 40,
    copies: 5,
  },
  supplies: [
    { ...SUPPLY, symbol: 'supply.black', kind: 'toner', color: 'black', left: 0.424 },
    { ...SUPPLY, symbol: 'supply.black.2', kind: 'toner', color: 'black', left: 0.3 },
    { ...SUPPLY, symbol: 'supply.cyan', kind: 'ink', color: 'Light Cyan', known: 'some', state: 'ok' },
    { ...SUPPLY, symbol: 'waste', kind: 'waste', known: 'unknown', state: 'full' },
    { ...SUPPLY, symbol: 'drum', kind: 'drum', color: 'black', known: 'unknown' },
    { ...SUPPLY, symbol: 'odd', kind: 'glitter', left: 1 },
  ],
  facts: { address: '10.0.0.7', hostname: 'office-7', mac: '00:11:22:33:44:55', location: '2.OG' },
};
const PRINTER: InventoryPrinter = {
  printer: 'p-7',
  structure: {
    session: 's',
    revision: 1,
    at: '2026-11-30T07:00:00Z',
    reason: 'connect',
    apparatus: {
      model: 'C360',
      serial: 'A7X0021',
      hardware: '2.0',
      software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }],
    },
    units: [
      // A printer may give its parts any names, also names of other parts.
      { symbol: 'apparatus', kind: 'engine', model: 'EN-36', software: [{ id: 'acme.controller' }] },
      {
        symbol: 'finisher.1',
        kind: 'finisher',
        model: 'FS-539',
        serial: 'F1',
        hardware: '1.1',
        state: 'spare',
      },
    ],
    site: 'berlin-3',
  },
  readings: READINGS,
};
const BARE: InventoryPrinter = { printer: 'p-bare' };

test('a printer is a bill of materials that the schema of CycloneDX 1.6 takes', () => {
  const fault = bomFault();
  const document = cyclonedxInventory(PRINTER, ID, NOW_MS);
  expect(fault(document)).toBeUndefined();
  expect(fault(cyclonedxInventory(BARE, ID, NOW_MS))).toBeUndefined();
  // The schema itself refuses an invalid document.
  expect(fault({ ...document, specVersion: 16 })).toBeDefined();
  expect(fault({ ...document, components: [{ type: 'printer', name: 'x' }] })).toBeDefined();
  expect(document).toMatchObject({
    serialNumber: `urn:uuid:${ID}`,
    metadata: {
      component: {
        type: 'device',
        name: 'C360',
        version: '2.0',
        components: [
          { type: 'firmware', name: 'acme.controller', version: '3.1.0', supplier: { name: 'acme' } },
        ],
      },
    },
  });
  const references = JSON.stringify(document).match(/"bom-ref":"[^"]*"/g) ?? [];
  expect(references).toHaveLength(5);
  expect(new Set(references).size).toBe(5);
});

test("a printer is a device of GLPI's network inventory, with what it said and nothing else", () => {
  expect(glpiInventory(PRINTER)).toEqual({
    action: 'netinventory',
    deviceid: 'platen-p-7',
    itemtype: 'Printer',
    content: {
      versionclient: 'Platen',
      network_device: {
        type: 'Printer',
        name: 'office-7',
        model: 'C360',
        serial: 'A7X0021',
        manufacturer: 'acme',
        firmware: '3.1.0',
        mac: '00:11:22:33:44:55',
        location: '2.OG',
        ips: ['10.0.0.7'],
      },
      firmwares: [
        {
          name: 'acme.controller',
          type: 'device',
          description: 'apparatus',
          version: '3.1.0',
          manufacturer: 'acme',
        },
        { name: 'acme.controller', type: 'engine', description: 'apparatus' },
      ],
      pagecounters: { total: 1_000, color: 200, rectoverso: 300, scanned: 40, copytotal: 5 },
      // Of two black toners, the one that runs out first; unknown values are left out.
      cartridges: [{ tonerblack: '30', cartridgelightcyan: 'OK', wastetoner: 'BAD' }],
    },
  });
  expect(glpiInventory(BARE)).toEqual({
    action: 'netinventory',
    deviceid: 'platen-p-bare',
    itemtype: 'Printer',
    content: { versionclient: 'Platen', network_device: { type: 'Printer', name: 'p-bare' } },
  });
});
