import type { Structure, Verdict } from '../../schemas/types.ts';
import { sampleStructure, type TestPrinter } from '../harness/printer.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 15: software carries its own id, preparer and version, and compatibility is judged from them.
const CATALOG = {
  catalog: 'third-parties',
  apparatus: [
    {
      model: 'LJ-4200',
      slots: [{ kind: 'dimm', models: ['BARDIMM'], min: 0, max: 1 }],
    },
  ],
  software: [
    {
      id: 'firmware',
      vendor: 'acme',
      scheme: 'dotted',
      on: { kind: 'apparatus', models: ['LJ-4200'] },
      releases: [{ version: '03.100' }, { version: '04.020' }],
    },
    {
      id: 'barcodes',
      vendor: 'jetcaps',
      on: { kind: 'dimm' },
      releases: [
        {
          version: '1.0.0',
          // Third-party software requires the maker's firmware, and nobody else's.
          requires: [{ software: 'firmware', vendor: 'acme', range: '>=04' }],
        },
      ],
    },
    { id: 'barcodes', vendor: 'others', on: { kind: 'dimm' }, releases: [{ version: '1.0.0' }] },
  ],
};
const setting = useProduct({ catalog: CATALOG });
let printer: TestPrinter;
let revision = 0;

beforeAll(async () => {
  printer = await setting.printer('claim-15');
});

async function judged(firmware: object, barcodes: object): Promise<Verdict> {
  revision += 1;
  const structure = sampleStructure({
    revision,
    apparatus: { model: 'LJ-4200', serial: 'A1', software: [firmware] } as Structure['apparatus'],
    units: [
      { symbol: 'dimm.1', kind: 'dimm', model: 'BARDIMM', serial: 'D1', software: [barcodes] },
    ] as Structure['units'],
  });
  await printer.structure(structure);
  return printer.verdictOn(revision);
}
const firmware = (version: string | undefined, vendor = 'acme') => ({ id: 'firmware', vendor, version });
const barcodes = (vendor?: string) => ({ id: 'barcodes', vendor, version: '1.0.0' });

test('by version: in the order of its scheme', async () => {
  expect((await judged(firmware('03.100'), barcodes('jetcaps'))).status).toBe('incompatible');
  expect((await judged(firmware('04.020'), barcodes('jetcaps'))).status).toBe('compatible');
});

test('by preparer: the same id of another vendor is other software, with other needs', async () => {
  expect((await judged(firmware('03.100'), barcodes('others'))).status).toBe('compatible');
});

test('by id: software that is required and not there does not fit', async () => {
  const verdict = await judged({ id: 'renamed', vendor: 'acme', version: '04.020' }, barcodes('jetcaps'));
  expect(verdict.status).toBe('incompatible');
  expect(verdict.findings[0]?.subjects).toContain('dimm.1:barcodes');
});

test('a preparer that is not named, a version that is not told: unknown, never compatible', async () => {
  expect((await judged(firmware('03.100'), barcodes())).status).toBe('unknown');
  expect((await judged(firmware(undefined), barcodes('jetcaps'))).status).toBe('unknown');
  expect((await judged(firmware('04.020', 'stranger'), barcodes('others'))).status).toBe('unknown');
});

test('the finding names the software by id, and its subjects', async () => {
  const { findings } = await judged(firmware('03.100'), barcodes('jetcaps'));
  expect(findings).toHaveLength(1);
  expect(findings[0]?.rule).toMatch(/barcodes@1\.0\.0 requires firmware.*>=04/);
  expect(findings[0]?.subjects).toEqual(['dimm.1:barcodes', 'apparatus:firmware']);
});
