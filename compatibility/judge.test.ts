import { readFileSync } from 'node:fs';
import type { Catalog } from '../schemas/types.ts';
import { checkSchema } from '../schemas/validate.ts';
import { compileCatalog, judge, type PrinterStructureLike, signatureOf } from './index.ts';

const sample = new URL('../deploy/samples/catalog.json', import.meta.url);
const document = checkSchema('catalog', JSON.parse(readFileSync(sample, 'utf8')));
const { catalog } = compileCatalog(document);

function c360(controller?: string, engine?: string, extra: object = {}): PrinterStructureLike {
  return {
    apparatus: { model: 'C360', software: [{ id: 'acme.controller', vendor: 'acme', version: controller }] },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'EN-36',
        hardware: '1.1',
        software: [{ id: 'acme.engine', vendor: 'acme', version: engine }],
        ...extra,
      },
    ],
  };
}

function compile(parts: Partial<Catalog>): ReturnType<typeof compileCatalog>['catalog'] {
  const { catalog: compiled, diagnostics } = compileCatalog(
    checkSchema('catalog', { catalog: 'test', ...parts }),
  );
  expect(diagnostics.filter((each) => each.severity === 'error')).toEqual([]);
  return compiled;
}

test('parts that fit are compatible', () => {
  expect(judge(catalog, c360('3.1.0', '2.5.0'))).toEqual({ status: 'compatible', findings: [], unknown: [] });
});

test('a broken rule names rule, subjects and side', () => {
  const { status, findings } = judge(catalog, c360('3.1.0', '2.4.0'));
  expect(status).toBe('incompatible');
  expect(findings).toEqual([
    {
      rule: 'acme.controller@3.1.0 requires acme.engine >=2.5.0',
      subjects: ['apparatus:acme.controller', 'engine:acme.engine'],
      severity: 'function',
      message:
        'apparatus:acme.controller: acme.controller@3.1.0 requires acme.engine >=2.5.0 (because 3.1.0 drives the new fuser table), but engine:acme.engine is 2.4.0.',
    },
  ]);
});

test('what is missing makes what depends on it unknown, never compatible', () => {
  const version = judge(catalog, c360('3.1.0', undefined));
  expect(version.status).toBe('unknown');
  expect(version.unknown.map((each) => each.rule)).toEqual([
    'acme.engine has a known version',
    'acme.controller@3.1.0 requires acme.engine >=2.5.0',
  ]);
  expect(judge(catalog, c360('3.1.0', '2.5.0', { hardware: undefined })).unknown[0]?.rule).toBe(
    'acme.engine runs on engine EN-36 hardware >=1.0',
  );
  expect(judge(catalog, c360('3.1.0', '2.5.7')).status).toBe('unknown');
  const other = c360('3.1.0', '2.5.0');
  other.apparatus.software!.push({ id: 'third.party', version: '1.0.0' });
  expect(judge(catalog, other).status).toBe('unknown');
});

test('withdrawn software, software in the wrong place and units without a slot are findings', () => {
  expect(judge(catalog, c360('3.0.0', '2.3.0')).findings[0]?.rule).toBe('acme.engine@2.3.0 is withdrawn');
  expect(judge(catalog, c360('3.0.0', '2.4.0', { hardware: '0.9' })).findings[0]).toMatchObject({
    severity: 'boot',
    rule: 'acme.engine runs on engine EN-36 hardware >=1.0',
  });
  const rules = judge(catalog, c360('3.0.0', '2.4.0', { model: 'EN-99' })).findings.map((each) => each.rule);
  expect(rules).toContain('C360 has a slot for engine EN-99');
  expect(rules).toContain('C360 needs at least 1 in its engine slot (EN-36)');
});

test('every instance is looked at, not the first', () => {
  const two = compile({
    software: [
      { id: 'head', releases: [{ version: '1.0.0' }, { version: '2.0.0' }] },
      { id: 'main', releases: [{ version: '1.0.0', requires: [{ software: 'head', range: '>=2' }] }] },
    ],
  });
  const structure = (first: string, second: string): PrinterStructureLike => ({
    apparatus: { model: 'X', software: [{ id: 'main', version: '1.0.0' }] },
    units: [first, second].map((version, i) => ({
      symbol: `u${i}`,
      kind: 'head',
      model: 'H',
      software: [{ id: 'head', version }],
    })),
  });
  expect(judge(two, structure('2.0.0', '2.0.0')).status).toBe('compatible');
  expect(judge(two, structure('2.0.0', '1.0.0')).findings[0]?.subjects).toEqual([
    'apparatus:main',
    'u1:head',
  ]);
});

test.each([
  ['requires', {}, 'incompatible'],
  ['requires', { optional: true }, 'compatible'],
  ['conflicts', {}, 'compatible'],
] as const)('%s %j without a matching subject is %s', (kind, extra, status) => {
  const rules = compile({
    apparatus: [{ model: 'X', [kind]: [{ software: 'absent', range: '>=1', ...extra }] }],
    software: [{ id: 'absent', releases: [{ version: '1.0.0' }] }],
  });
  expect(judge(rules, { apparatus: { model: 'X' } }).status).toBe(status);
});

test('units that share slots are placed so that all fit, where that is possible', () => {
  const overlapping = compile({
    apparatus: [
      {
        model: 'X',
        slots: [
          { kind: 'tray', models: ['A', 'B'], max: 1 },
          { kind: 'tray', models: ['A'], min: 1, max: 1 },
        ],
      },
    ],
  });
  const trays = (...models: string[]): PrinterStructureLike => ({
    apparatus: { model: 'X' },
    units: models.map((model, i) => ({ symbol: `t${i}`, kind: 'tray', model })),
  });
  expect(judge(overlapping, trays('A', 'B')).status).toBe('compatible');
  expect(judge(overlapping, trays('B', 'A')).status).toBe('compatible');
  expect(judge(overlapping, trays('A')).status).toBe('compatible');
  expect(judge(overlapping, trays('B')).findings[0]?.rule).toBe('X needs at least 1 in its tray slot (A)');
  expect(judge(overlapping, trays('B', 'B', 'A')).findings[0]?.message).toBe(
    'X takes at most 1 in its tray slot (A or B), but there are 3.',
  );
});

test('a spare is not in use: no rule and no slot counts it', () => {
  const structure = c360('3.1.0', '2.5.0');
  structure.units!.push({ symbol: 'engine.2', kind: 'engine', model: 'EN-36', state: 'spare' });
  expect(judge(catalog, structure).status).toBe('compatible');
});

test('a signature tells apart what is judged apart, and nothing else', () => {
  const one = c360('3.1.0', '2.5.0');
  const serial = c360('3.1.0', '2.5.0', { serial: 'E-1' });
  expect(signatureOf(serial)).toBe(signatureOf(one));
  expect(signatureOf(c360('3.1.0', '2.5.1'))).not.toBe(signatureOf(one));
  expect(signatureOf(c360('3.1.0', undefined))).not.toBe(signatureOf(one));
});
