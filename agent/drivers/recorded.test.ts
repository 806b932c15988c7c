import { MappingTables } from '../mapping/tables.ts';
import { playRecorded } from './recorded.ts';

const mapping = new MappingTables();
const play = (text: string | Buffer) =>
  playRecorded(Buffer.from(text as string), 'recorded', mapping).reading;

test('an HP LaserJet: private objects, device id, code in the description', () => {
  const { structure, conditions } = play(`
SNMPv2-MIB::sysDescr.0 = STRING: HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24200035,CIDATE 05/23/2018
SNMPv2-MIB::sysObjectID.0 = OID: SNMPv2-SMI::enterprises.11.2.3.9.1
SNMPv2-SMI::enterprises.11.2.3.9.1.1.7.0 = STRING: "MFG:Hewlett-Packard;CMD:PJL,PCL;MDL:HP LaserJet M507;CLS:PRINTER;"
SNMPv2-SMI::enterprises.11.2.3.9.4.2.1.1.3.3.0 = STRING: "CNBRM1X0AB"
SNMPv2-SMI::enterprises.11.2.3.9.4.2.1.1.3.6.0 = STRING: "2409065_000590"
SNMPv2-SMI::mib-2.43.18.1.1.2.1.12 = INTEGER: 3
SNMPv2-SMI::mib-2.43.18.1.1.4.1.12 = INTEGER: 13
SNMPv2-SMI::mib-2.43.18.1.1.5.1.12 = INTEGER: 1
SNMPv2-SMI::mib-2.43.18.1.1.7.1.12 = INTEGER: 8
SNMPv2-SMI::mib-2.43.18.1.1.8.1.12 = STRING: "13.B2.D1 Jam in registration"
`);
  expect(structure.apparatus).toEqual({
    model: 'LaserJet M507',
    serial: 'CNBRM1X0AB',
    software: [{ id: 'hp.firmware', vendor: 'hp', version: '2409065_000590' }],
  });
  expect(conditions).toEqual([
    expect.objectContaining({ code: '13.B2.D1', severity: 'error', keyword: 'media-jam' }),
  ]);
});

test('a Xerox names its components in sysDescr only', () => {
  const { structure } = play(
    '.1.3.6.1.2.1.1.1.0 = STRING: "Xerox WorkCentre 7845 v1 Multifunction System; System Software 072.040.075.34540, ESS 072.045.34540, IOT 33.63.0, Finisher 23.9.0"\n.1.3.6.1.2.1.43.5.1.1.17.1 = STRING: "XL3456"\n',
  );
  expect(structure.apparatus.model).toBe('WorkCentre 7845');
  const versions = [structure.apparatus, ...structure.units].flatMap((owner) =>
    (owner.software ?? []).map(({ version }) => version),
  );
  expect(versions.sort()).toEqual(['072.040.075.34540', '072.045.34540', '23.9.0', '33.63.0']);
});

test('Japanese in Shift-JIS, Latin-1 and padded fields are read; snmprec too', () => {
  const { structure, conditions } = play(
    Buffer.from(
      [
        '1.3.6.1.2.1.25.3.2.1.3.1|4x|5249434f48204d5020433330303300000000',
        '1.3.6.1.2.1.43.5.1.1.17.1|4|E153C950012   ',
        '1.3.6.1.2.1.43.8.2.1.13.1.1|4x|83678389834332',
        '1.3.6.1.2.1.43.18.1.1.2.1.3|2|3',
        '1.3.6.1.2.1.43.18.1.1.7.1.3|2|1',
        '1.3.6.1.2.1.43.18.1.1.8.1.3|4x|53433534322046fc68726572',
        '',
      ].join('\n'),
    ),
  );
  expect(structure).toEqual({
    apparatus: { model: 'MP C3003', serial: 'E153C950012', software: [] },
    units: [{ symbol: 'input.1', kind: 'tray', model: 'トライ2', software: [] }],
  });
  expect(conditions).toEqual([
    expect.objectContaining({
      code: 'SC542',
      severity: 'fatal',
      detail: expect.objectContaining({ description: 'SC542 Führer' }),
    }),
  ]);
});

test('IPP attributes as JSON: arrays of unequal length, alerts in words, a keyword nobody knows', () => {
  const { structure, conditions } = play(
    JSON.stringify({
      'printer-attributes-tag': {
        'printer-make-and-model': 'Brother MFC-L9570CDW series',
        'printer-device-id': 'MFG:Brother;MDL:MFC-L9570CDW;SN:E78283A9N123456;',
        'printer-firmware-name': ['MAIN', 'SUB1', 'SUB2'],
        'printer-firmware-string-version': ['Q', '1.05'],
        'printer-alert': ['code=subunitEmpty;index=4;severity=critical;group=input;groupindex=1;time=100;'],
        'printer-alert-description': ['No Paper T1'],
        'printer-input-tray': [
          'type=sheetFeedAutoRemovableTray;name=Tray1;',
          'type=sheetFeedManual;name=MP;',
        ],
        'printer-state-reasons': ['media-empty-error', 'brother.drum-weary-warning'],
        'printer-state': 5,
      },
    }),
  );
  expect(structure.apparatus.serial).toBe('E78283A9N123456');
  expect(structure.apparatus.software).toEqual([
    { id: 'brother.main', vendor: 'brother', version: 'Q' },
    { id: 'brother.sub1', vendor: 'brother', version: '1.05' },
    { id: 'brother.sub2', vendor: 'brother' },
  ]);
  expect(structure.units.map(({ symbol, model }) => [symbol, model])).toEqual([
    ['input.1', 'Tray1'],
    ['input.2', 'MP'],
  ]);
  expect(conditions.map(({ code, severity, unit }) => [code, severity, unit])).toEqual([
    ['media-empty', 'error', 'input.1'],
    ['brother.drum-weary', 'warning', undefined],
  ]);
});

test('what is no answer of a printer is refused', () => {
  expect(() => play('root:x:0:0:root')).toThrow(expect.objectContaining({ code: 'agent/recording' }));
  expect(() => play('{"oid":')).toThrow(expect.objectContaining({ code: 'agent/recording' }));
});
