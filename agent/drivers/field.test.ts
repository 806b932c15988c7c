import { MappingTables } from '../mapping/tables.ts';
import { playRecorded } from './recorded.ts';

// How printers answer in the field where they deviate from their protocols. Each deviation comes from a public report;
// the values are made up.

const mapping = new MappingTables();
const play = (recording: string | Buffer) => playRecorded(Buffer.from(recording), 'field', mapping).reading;
const codes = (recording: string | Buffer) =>
  play(recording).conditions.map(({ code, severity, unit }) =>
    [code, severity, unit].filter(Boolean).join(' '),
  );
const software = (recording: string) => {
  const { apparatus, units } = play(recording).structure;
  return [apparatus, ...units].flatMap((part) =>
    (part.software ?? []).map(({ id, version }) => `${id} ${version ?? '?'}`),
  );
};

const PRT = '1.3.6.1.2.1.43';
const HP_ID = '1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1';
const HR = '1.3.6.1.2.1.25.3.2.1';
const PRINTER = `${HR}.2.1|6|1.3.6.1.2.1.25.3.1.5`;
const lines = (...rows: string[]) => rows.join('\n');
const hex = (bytes: Buffer | string) => Buffer.from(bytes).toString('hex');

describe('SNMP', () => {
  test('the number of a symbol set before a text is no part of it', () => {
    const wrapped = (text: string) => `fde8${hex(text)}`;
    const { apparatus } = play(
      lines(
        HP_ID,
        PRINTER,
        `1.3.6.1.4.1.11.2.3.9.4.2.1.1.3.2.0|4x|${wrapped('HP Designjet Z77')}`,
        `1.3.6.1.4.1.11.2.3.9.4.2.1.1.3.3.0|4x|${wrapped('CN77Z')}`,
        `1.3.6.1.4.1.11.2.3.9.4.2.1.1.3.6.0|4x|${wrapped('Größe 7')}`,
        `1.3.6.1.4.1.11.2.3.9.4.2.1.1.3.5.0|4x|0115${hex('20260101')}`,
      ),
    ).structure;
    expect(apparatus).toMatchObject({ model: 'Designjet Z77', serial: 'CN77Z' });
    expect(apparatus.software?.map(({ version }) => version)).toEqual(['Größe 7', '20260101']);
  });

  test.each([
    ['Ruhemodus...', undefined],
    ['深度睡眠', undefined],
    ['スリープ中', undefined],
    ['En veille', undefined],
    ['Спящий режим', undefined],
    ['Глубокий сон in ISO-8859-5', 'b3dbe3d1dedad8d920e1dedd'],
    ['Спящий режим in windows-1251', 'd1effff9e8e920f0e5e6e8ec'],
  ])('asleep in another language is no error: %s', (words, octets) => {
    const alert = (column: number, value: string) => `${PRT}.18.1.1.${column}.1.5|${value}`;
    const rows = [alert(2, '2|1'), alert(4, '2|5'), alert(7, '2|1'), alert(8, `4x|${octets ?? hex(words)}`)];
    expect(codes(lines(...rows))).toEqual([]);
  });

  test('half-width kana stay Japanese', () => {
    const rows = [
      `${PRT}.18.1.1.2.1.5|2|3`,
      `${PRT}.18.1.1.7.1.5|2|8`,
      `${PRT}.18.1.1.8.1.5|4x|b6d0d7b8cf20b1d8`,
    ];
    expect(play(lines(...rows)).conditions[0]?.detail['description']).toBe('ｶﾐﾗｸﾏ ｱﾘ');
  });

  test('a serial number that only sysDescr has, a device id of the family, a print server that is no model', () => {
    const description = 'HP ETHERNET MULTI-ENVIRONMENT,SN:VNC7000001,FN:1,PID:HP LaserJet MFP M777nw';
    const { apparatus } = play(
      lines(
        `1.3.6.1.2.1.1.1.0|4|${description}`,
        HP_ID,
        PRINTER,
        `${HR}.3.1|4|HP LaserJet MFP M777nw`,
        '1.3.6.1.4.1.11.2.3.9.1.1.7.0|4|MFG:HP;MDL:HP LaserJet MFP M776-M779;CLS:PRINTER;',
      ),
    ).structure;
    expect(apparatus).toMatchObject({ model: 'LaserJet MFP M777nw', serial: 'VNC7000001' });
    const server = 'HP ETHERNET MULTI-ENVIRONMENT,ROM A.01,JETDIRECT,JD7,EEPROM A.02';
    expect(play(lines(`1.3.6.1.2.1.1.1.0|4|${server}`, HP_ID)).structure.apparatus.model).toBe('unknown');
  });

  test('what stands behind the model in a description of Dell is none of it; a choice of trays is no tray', () => {
    const dell = lines(
      '1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.674.10898.2',
      PRINTER,
      `${HR}.3.1|4|Dell S7730dn 7XX0X07 LW77.DN4.P777`,
    );
    expect(play(dell).structure.apparatus.model).toBe('S7730dn');
    const names = ['Tray 1', 'Auto Select', 'Automatic Tray Select', 'Auto Feeder'];
    const trays = names.map((name, i) => `${PRT}.8.2.1.13.1.${i + 1}|4|${name}`);
    expect(play(lines(PRINTER, ...trays)).structure.units.map(({ model }) => model)).toEqual([
      'Tray 1',
      'Auto Feeder',
    ]);
  });

  test('recordings of SnmpSoft and of MIB browsers', () => {
    const soft = lines(
      'SnmpWalk v1.01',
      'OID=.1.3.6.1.2.1.1.2.0, Type=OID, Value=1.3.6.1.4.1.1129.1.2.1',
      'OID=.1.3.6.1.4.1.1129.1.2.1.1.1.1.1.0, Type=OctetString, Value=7777A00001',
      'OID=.1.3.6.1.4.1.1129.1.2.1.1.1.2.1.0, Type=OctetString, Value=B-770-R',
      '%Failed to get value of SNMP variable. General Error (genErr(5))',
    );
    expect(play(soft).structure.apparatus).toMatchObject({ model: 'B-770-R', serial: '7777A00001' });
    const browser = lines('7: mib-2.25.3.2.1.2.1 .1.3.6.1.2.1.25.3.1.5', '9: mib-2.25.3.5.1.2.1 20 00 ..');
    expect(codes(browser)).toEqual(['toner-low warning']);
  });
});

describe('IPP', () => {
  const ipp = (attributes: object) => JSON.stringify({ 'printer-make-and-model': 'Acme P7', ...attributes });

  test('the name of an attribute within its values, a serial number under SER, protocols among the firmware', () => {
    const recording = ipp({
      'printer-device-id': 'MFG:Acme;MDL:P7;SER:VCX7000001;',
      'printer-state-reasons': ['media-jam-error'],
      'printer-alert': ['printer-alert[0] = code=jam;index=1;severity=critical;group=mediaPath'],
      'printer-alert-description': ["printer-alert-description[0] = '08-700 A jam in the back.'"],
      'printer-firmware-name': ['System', 'IPP', 'URF', 'PDF version'],
      'printer-firmware-string-version': ['80.7', '1.1,2.0', '1.4', '1.7'],
    });
    const { structure, conditions } = play(recording);
    expect(structure.apparatus.serial).toBe('VCX7000001');
    expect(software(recording)).toEqual(['acme.controller 80.7']);
    expect(conditions).toHaveLength(1);
    expect(conditions[0]?.detail['description']).toBe('08-700 A jam in the back.');
  });

  test('words of a line of a log are no reasons; capitals, underscores and commas are', () => {
    const line = ['DEBUG:', 'Ghostscript', 'using', 'any-part-of-pixel', 'to', 'paths.', 'toner-low-warning'];
    expect(codes(ipp({ 'printer-state-reasons': line }))).toEqual(['toner-low warning']);
    const forms = ['Media-Jam-Error', 'media_empty', 'toner-low-warning,cover-open-error', ' ', 'none'];
    expect(codes(ipp({ 'printer-state-reasons': forms }))).toEqual([
      'media-jam error',
      'media-empty error',
      'toner-low warning',
      'cover-open error',
    ]);
  });
});

describe('Bambu', () => {
  const version = (modules: object[]) =>
    JSON.stringify({ info: { command: 'get_version', module: modules } });
  const report = (print: object) => JSON.stringify({ print: { command: 'push_status', ...print } });
  const OTA = { name: 'ota', sw_ver: '01.06.00.00', sn: '01P00A7' };

  test('a delta of an object leaves the rest of it', () => {
    const offer = { name: 'ota', cur_ver: '01.06.00.00', new_ver: '01.07.00.00' };
    const full = report({
      hms: [],
      gcode_state: 'IDLE',
      upgrade_state: { status: 'IDLE', new_ver_list: [offer] },
    });
    const delta = report({ upgrade_state: { message: '0%, 0B/s' } });
    expect(codes(lines(version([OTA]), full, delta))).toEqual(['update-offered info']);
  });

  test('offers in a module and in numbers of their own, once each', () => {
    const modules = [
      { ...OTA, new_ver: '01.07.00.00' },
      { name: 'ams/0', sw_ver: '00.00.06.40' },
    ];
    const upgrade = { ams_new_version_number: '00.00.06.49', ota_new_version_number: '01.07.00.00' };
    expect(codes(lines(version(modules), report({ hms: [], upgrade_state: upgrade })))).toEqual([
      'update-offered info',
      'update-offered info ams.0',
    ]);
  });

  test('a job that somebody cancelled is no error; numbers as texts are numbers, and told once', () => {
    const cancelled = report({ hms: [], gcode_state: 'FAILED', print_error: 0x0300400c });
    expect(codes(lines(version([OTA]), cancelled))).toEqual(['0300_400C info']);
    const hms = [
      { attr: '0x03000100', code: '0x00010001' },
      { attr: '0300_0100', code: '0001_0001' },
      { attr: '50331904', code: '65537' },
    ];
    expect(codes(lines(version([OTA]), report({ hms, print_error: '0' })))).toEqual([
      '0300_0100_0001_0001 fatal',
    ]);
  });
});
