import { MappingTables } from '../mapping/tables.ts';
import { playRecorded } from './recorded.ts';

// Answers in the style of each make, with made-up values. The forms of models, serial numbers, versions and alerts
// follow public descriptions and walks, none of which is copied here.

const mapping = new MappingTables();

interface Seen {
  model: string;
  serial?: string;
  /** `unit:id version`. */
  software?: string[];
  /** `symbol kind model`. */
  units?: string[];
  /** `code severity [unit]`. */
  conditions?: string[];
}

function play(recording: string): Seen {
  const { reading } = playRecorded(Buffer.from(recording, 'latin1'), 'recorded', mapping);
  const { apparatus, units } = reading.structure;
  const of = (symbol: string, list: { id: string; version?: string }[] = []) =>
    list.map(({ id, version }) => `${symbol}:${id} ${version ?? '?'}`);
  return {
    model: apparatus.model,
    ...(apparatus.serial === undefined ? {} : { serial: apparatus.serial }),
    software: [
      ...of('apparatus', apparatus.software),
      ...units.flatMap((unit) => of(unit.symbol, unit.software)),
    ],
    units: units.map(({ symbol, kind, model }) => `${symbol} ${kind} ${model}`),
    conditions: reading.conditions.map(({ code, severity, unit }) =>
      [code, severity, unit].filter(Boolean).join(' '),
    ),
  };
}

const PRT = '.1.3.6.1.2.1.43';
const SYS = '.1.3.6.1.2.1.1.1.0';
const SYS_ID = '.1.3.6.1.2.1.1.2.0';
const HR = '.1.3.6.1.2.1.25.3.2.1.3.1';
const text = (oid: string, value: string) => `${oid} = STRING: "${value}"`;
const system = (description: string, enterprise: string) =>
  `${text(SYS, description)}\n${SYS_ID} = OID: .1.3.6.1.4.1.${enterprise}`;
const serial = (value: string) => text(`${PRT}.5.1.1.17.1`, value);
const tray = (index: number, name: string, model = '') =>
  [text(`${PRT}.8.2.1.13.1.${index}`, name), text(`${PRT}.8.2.1.15.1.${index}`, model)].join('\n');
/** severity 1 other, 3 critical, 4 warning; group as in RFC 3805. */
const alert = (
  index: number,
  severity: number,
  group: number,
  groupIndex: number,
  code: number,
  words: string,
) =>
  [
    `${PRT}.18.1.1.2.1.${index} = INTEGER: ${severity}`,
    `${PRT}.18.1.1.4.1.${index} = INTEGER: ${group}`,
    `${PRT}.18.1.1.5.1.${index} = INTEGER: ${groupIndex}`,
    `${PRT}.18.1.1.7.1.${index} = INTEGER: ${code}`,
    text(`${PRT}.18.1.1.8.1.${index}`, words),
  ].join('\n');

const MAKES: [string, string[], Seen][] = [
  [
    'HP LaserJet: strings that begin with their symbol set, the JetDirect in sysDescr, sleep and ready are no alerts',
    [
      system(
        'HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD151,EEPROM JSI25070021,CIDATE 03/04/2019',
        '11.2.3.9.1',
      ),
      text(HR, 'HP LaserJet M605'),
      '.1.3.6.1.4.1.11.2.3.9.4.2.1.1.3.3.0 = Hex-STRING: 01 15 43 4E 44 58 31 59 5A 32',
      '.1.3.6.1.4.1.11.2.3.9.4.2.1.1.3.6.0 = Hex-STRING: 01 15 32 34 30 37 30 38 31',
      tray(1, 'Tray 1'),
      tray(2, 'Tray 2'),
      alert(55, 1, 5, -1, 23, 'Sleep mode on'),
      alert(56, 1, 5, -1, 1, 'Ready'),
      alert(57, 4, 8, 2, 13, 'Tray 2 empty'),
      alert(58, 3, 13, 1, 8, '13.A2.D2 Jam in tray 2'),
    ],
    {
      model: 'LaserJet M605',
      serial: 'CNDX1YZ2',
      software: ['apparatus:hp.firmware 2407081', 'network:hp.jetdirect JSI25070021'],
      units: ['input.1 tray Tray 1', 'input.2 tray Tray 2', 'network network JetDirect'],
      conditions: ['media-empty warning input.2', '13.A2.D2 error'],
    },
  ],
  [
    'HP OfficeJet over IPP: one component named by its version, alerts that are a history, a level without its separator',
    [
      'printer-make-and-model (textWithoutLanguage) = HP OfficeJet Pro 9990',
      'printer-device-id (textWithoutLanguage) = MFG:HP;MDL:HP OfficeJet Pro 9990;CMD:PCL3GUI;SN:TH9XYZ01AB;',
      'printer-firmware-name (nameWithoutLanguage) = WXPP1N002.2501B.00',
      'printer-firmware-string-version (textWithoutLanguage) = WXPP1N002.2501B.00',
      'printer-state-reasons (keyword) = none',
      'printer-alert (1setOf octetString) = code=unknown;severity=otherother,code=printerReadyToPrint;severity=other;group=generalPrinter,code=unknown;severity=other;group=other,code=unknown;severity=criticalother,code=unknown;severity=other;group=other',
      'printer-alert-description (1setOf textWithoutLanguage) = supplyInkLevelChange,ready,inPowerSave,trayOpen,processing',
      'printer-input-tray (1setOf octetString) = type=unRemovableBin;status=0;name=InputTray1,type=other;status=0;name=auto',
    ],
    {
      model: 'OfficeJet Pro 9990',
      serial: 'TH9XYZ01AB',
      software: ['apparatus:hp.firmware WXPP1N002.2501B.00'],
      units: ['input.1 tray InputTray1'],
      conditions: ['tray-open error'],
    },
  ],
  [
    'Bambu, a recent one: AMS 2 and AMS HT by their boards, serials covered by who recorded it, padding for a version',
    [
      JSON.stringify({
        info: {
          command: 'get_version',
          module: [
            {
              name: 'ota',
              product_name: 'Bambu Lab P2S',
              hw_ver: 'OTA',
              sw_ver: '01.09.00.00',
              sn: '22E9XY000000123',
            },
            {
              name: 'n3f/1',
              product_name: 'AMS 2 Pro (2)',
              hw_ver: 'N3F05',
              sw_ver: '03.01.20.80',
              sn: '**REDACTED**',
            },
            {
              name: 'n3s/128',
              product_name: 'AMS HT (1)',
              hw_ver: 'N3S05',
              sw_ver: '02.02.10.10',
              sn: '19F0001',
            },
            { name: 'xm', product_name: '', hw_ver: '', sw_ver: '00.00.00.00', sn: '' },
          ],
        },
      }),
      JSON.stringify({
        print: {
          command: 'push_status',
          gcode_state: 'IDLE',
          hms: [
            { attr: 0x0701_0100, code: 0x0003_0002 },
            { attr: 0x1800_2000, code: 0x0002_0001 },
          ],
        },
      }),
    ],
    {
      model: 'Bambu Lab P2S',
      serial: '22E9XY000000123',
      software: [
        'apparatus:bambu.ota 01.09.00.00',
        'n3f.1:bambu.n3f 03.01.20.80',
        'n3s.128:bambu.n3s 02.02.10.10',
        'xm:bambu.xm ?',
      ],
      units: ['n3f.1 ams AMS 2 Pro (2)', 'n3s.128 ams AMS HT (1)', 'xm xm xm'],
      conditions: ['0701_0100_0003_0002 warning n3f.1', '1800_2000_0002_0001 error n3s.128'],
    },
  ],
  [
    'Bambu, old firmware in a diagnostics file: the model by its project, no report of what holds',
    [
      JSON.stringify({
        data: {
          get_version: {
            command: 'get_version',
            module: [
              { name: 'ota', hw_ver: '', sw_ver: '01.03.00.00', sn: '**REDACTED**' },
              { name: 'esp32', project_name: 'C12', hw_ver: 'AP04', sw_ver: '00.03.09.20', sn: '01P0001' },
            ],
          },
        },
      }),
    ],
    {
      model: 'Bambu Lab P1S',
      software: ['apparatus:bambu.ota 01.03.00.00', 'esp32:bambu.esp32 00.03.09.20'],
      units: ['esp32 esp32 esp32'],
      conditions: [],
    },
  ],
  [
    'Brother: names and versions in turn in a private column, the network card in sysDescr',
    [
      system('Brother NC-9100w, Firmware Ver.2.07  (17.03.21),MID 8CE-W01,FID 2', '2435.2.3.9.1'),
      text(HR, 'Brother HL-L9999CDW series'),
      text('.1.3.6.1.4.1.2435.2.3.9.4.2.1.5.5.1.0', 'E99999K1N000123'),
      '.1.3.6.1.4.1.2435.2.4.3.99.3.1.6.1.2.1 = STRING: "MODEL=\\"HL-L9999CDW\\"\n"',
      '.1.3.6.1.4.1.2435.2.4.3.99.3.1.6.1.2.4 = STRING: "FIRMID=\\"MAIN\\"\n"',
      '.1.3.6.1.4.1.2435.2.4.3.99.3.1.6.1.2.5 = STRING: "FIRMVER=\\"ZC1703211200\\"\n"',
      '.1.3.6.1.4.1.2435.2.4.3.99.3.1.6.1.2.6 = STRING: "FIRMID=\\"SUB1\\"\n"',
      '.1.3.6.1.4.1.2435.2.4.3.99.3.1.6.1.2.7 = STRING: "FIRMVER=\\"1.09\\"\n"',
      alert(1, 3, 5, -1, 1, 'Print Unable 6A'),
    ],
    {
      model: 'HL-L9999CDW series',
      serial: 'E99999K1N000123',
      software: [
        'apparatus:brother.main ZC1703211200',
        'apparatus:brother.sub1 1.09',
        'network:brother.network 2.07',
      ],
      units: ['network network Network'],
      conditions: ['6A fatal'],
    },
  ],
  [
    'Canon: /P behind the model, serial and version in private objects, a service code in the words',
    [
      system('Canon iR-ADV C9999 /P', '1602.4.7'),
      text(HR, 'Canon iR-ADV C9999 /P'),
      text('.1.3.6.1.4.1.1602.1.1.1.4.0', '77.31'),
      text('.1.3.6.1.4.1.1602.1.2.1.8.1.3.1.1', 'XYZ01234'),
      alert(3, 3, 30, 1, 1, 'Error. Contact service. E000720-0001'),
    ],
    {
      model: 'iR-ADV C9999',
      serial: 'XYZ01234',
      software: ['apparatus:canon.controller 77.31'],
      units: [],
      conditions: ['E000720-0001 fatal'],
    },
  ],
  [
    'Canon over IPP: the version in octets is not its text',
    [
      'printer-make-and-model (textWithoutLanguage) = Canon MF999C',
      'printer-firmware-name (nameWithoutLanguage) = IPP',
      'printer-firmware-string-version (textWithoutLanguage) = 03.07',
      'printer-firmware-version (octetString) = 0307',
      'printer-state-reasons (1setOf keyword) = toner-low-warning,cover-open-error',
    ],
    {
      model: 'MF999C',
      software: ['apparatus:canon.ipp 03.07'],
      units: [],
      conditions: ['toner-low warning', 'cover-open error'],
    },
  ],
  [
    'Dell: a component without dots, or a Lexmark under another name',
    [
      system(
        'Dell Color Laser 9999cn; Net 9.41, Controller 201001021117, Engine 05.11.00',
        '674.10898.2.100.3',
      ),
      text(HR, 'Dell Color Laser 9999cn; Net 9.41, Controller 201001021117, Engine 05.11.00'),
      serial('ABC12D1'),
    ],
    {
      model: 'Color Laser 9999cn',
      serial: 'ABC12D1',
      software: [
        'apparatus:dell.controller 201001021117',
        'network:dell.network 9.41',
        'engine:dell.engine 05.11.00',
      ],
      units: ['network network Net', 'engine engine Engine'],
      conditions: [],
    },
  ],
  [
    'Epson: the print server in sysDescr says nothing of the printer; tables of names and versions',
    [
      system('EPSON Built-in 11b/g/n Print Server', '1248.1.1.2.1.3.5.69.69.80.83.50'),
      text(
        '.1.3.6.1.4.1.1248.1.2.2.1.1.1.1.1',
        'MFG:EPSON;CMD:ESCPL2;MDL:WF-9999 Series;CLS:PRINTER;DES:EPSON WF-9999 Series;',
      ),
      text('.1.3.6.1.4.1.1248.1.2.2.1.1.1.5.1', 'X9Y9000123'),
      text('.1.3.6.1.4.1.1248.1.2.2.2.1.1.2.1.1', '05.12.LQ31K2'),
      text('.1.3.6.1.4.1.1248.1.2.2.2.1.1.3.1.1', 'Main'),
      alert(1, 3, 11, 2, 1102, 'Ink out: cyan'),
    ],
    {
      model: 'WF-9999 Series',
      serial: 'X9Y9000123',
      software: ['apparatus:epson.controller 05.12.LQ31K2'],
      units: [],
      conditions: ['marker-ink-empty error'],
    },
  ],
  [
    'Fujifilm: components stuck to their versions',
    [
      system('FUJIFILM Apeos C9999 ; ESS1.6.12,IOT 35.7.0,FIN C19.30.1,ADF 14.2.0', '297.1.11.93'),
      serial('990123'),
      alert(7, 3, 13, 1, 8, 'Paper jam. 077-104'),
    ],
    {
      model: 'Apeos C9999',
      serial: '990123',
      software: [
        'apparatus:xerox.ess 1.6.12',
        'engine:xerox.engine 35.7.0',
        'finisher.1:xerox.finisher C19.30.1',
        'adf:xerox.adf 14.2.0',
      ],
      units: ['engine engine IOT', 'finisher.1 finisher FIN', 'adf adf ADF'],
      conditions: ['077-104 error engine'],
    },
  ],
  [
    'Kyocera: two feeders of one model, versions of system and engine, sleep in words',
    [
      system('KYOCERA Document Solutions Printing System', '1347.41'),
      text(HR, 'TASKalfa 9999ci'),
      serial('W1X9900123'),
      text('.1.3.6.1.4.1.1347.43.5.4.1.5.1.1', '2ZZ_2000.003.101'),
      text('.1.3.6.1.4.1.1347.43.5.4.1.5.2.1', '2ZZ_1000.002.044'),
      tray(1, 'MP Tray', 'MP Tray'),
      tray(2, '', 'PF-7199'),
      tray(3, '', 'PF-7199'),
      alert(1, 1, 5, -1, 1, 'Sleeping...'),
      alert(2, 3, 10, 1, 1, 'Machine failure. Call service. C6000'),
    ],
    {
      model: 'TASKalfa 9999ci',
      serial: 'W1X9900123',
      software: ['apparatus:kyocera.controller 2ZZ_2000.003.101', 'engine:kyocera.engine 2ZZ_1000.002.044'],
      units: [
        'input.1 tray MP Tray',
        'input.2 feeder PF-7199',
        'input.3 feeder PF-7199',
        'engine engine Engine',
      ],
      conditions: ['C6000 fatal engine'],
    },
  ],
  [
    'Lexmark: model, serial and code in one text, the network’s version in sysDescr',
    [
      system('Lexmark MX999 version NH99.TU.N601 kernel 3.0.0 All-N-1', '641.2.71303168'),
      text(HR, 'Lexmark MX999 7016ABC012345 LW99.TU.P801'),
      alert(2, 3, 10, 1, 1, '924 Service Fuser'),
    ],
    {
      model: 'MX999',
      serial: '7016ABC012345',
      software: ['apparatus:lexmark.controller LW99.TU.P801', 'network:lexmark.network NH99.TU.N601'],
      units: ['network network Network'],
      conditions: ['924 fatal'],
    },
  ],
  [
    'OKI: the printer is attached to its own print server',
    [
      system(
        'OKI OkiLAN 8999e Rev.03.11 10/100BASE Ethernet PrintServer: Attached to C9999n Rev.N3.20 : (C)2008 Oki Data Corporation',
        '2001.1.1.1.297.93.1.23.1.11',
      ),
      text('.1.3.6.1.4.1.2001.1.1.1.1.11.1.10.45.0', 'AK81099999'),
      alert(1, 3, 6, 1, 3, 'Cover open'),
    ],
    {
      model: 'C9999n',
      serial: 'AK81099999',
      software: ['apparatus:oki.controller N3.20', 'network:oki.network 03.11'],
      units: ['network network Network'],
      conditions: ['cover-open error'],
    },
  ],
  [
    'Pantum: the device id where an OID should be; lines with numbers and without types',
    [
      '12: mib-2.25.3.2.1.2.1 .1.3.6.1.2.1.25.3.1.5',
      '13: mib-2.25.3.2.1.3.1 M9900DW',
      '14: mib-2.25.3.2.1.4.1 MFG:Pantum;CMD:PJL,PCL;MDL:M9900DW series;CLS:PRINTER;',
      '15: mib-2.25.3.5.1.1.1 printing(4)',
      '16: enterprises.40093.1.1.1.5.0 CK9A000123',
    ],
    { model: 'M9900DW series', serial: 'CK9A000123', software: [], units: [], conditions: [] },
  ],
  [
    'Ricoh: the version of the system in sysDescr, numbers in braces behind the words, a service call',
    [
      system(
        'RICOH MP C9999 1.24.1 / RICOH Network Printer C model / RICOH Network Scanner C model',
        '367.1.1',
      ),
      text('.1.3.6.1.4.1.367.3.2.1.2.1.4.0', 'E999Z900123'),
      text(`${PRT}.9.2.1.9.1.1`, 'SR3999'),
      alert(1, 1, 5, -1, 1, 'Energy Saver Mode{40038}'),
      alert(2, 4, 11, 1, 1, 'Replacement soon: black toner 9% left {10099}'),
      alert(3, 3, 10, 1, 1, 'Malfunction: SC542-00'),
    ],
    {
      model: 'MP C9999',
      serial: 'E999Z900123',
      software: ['apparatus:ricoh.controller 1.24.1'],
      units: ['output.1 finisher SR3999'],
      conditions: ['replacement-soon-black-toner-left warning', 'SC542-00 fatal'],
    },
  ],
  [
    'Samsung: everything in sysDescr, the make twice, dates behind the versions',
    [
      system(
        'Samsung Samsung M999x Series; V3.00.01.27 OCT-01-2014;Engine V1.00.10 06-10-2014;NIC V6.01.00(M999x);S/N ZD0VBJCFA000XYZ',
        '236.11.5.1',
      ),
      alert(1, 3, 10, 1, 1, 'Engine failure #U1-2315'),
    ],
    {
      model: 'M999x Series',
      serial: 'ZD0VBJCFA000XYZ',
      software: [
        'apparatus:samsung.controller 3.00.01.27',
        'engine:samsung.engine 1.00.10',
        'network:samsung.network 6.01.00',
      ],
      units: ['engine engine Engine', 'network network NIC'],
      conditions: ['U1-2315 error engine'],
    },
  ],
  [
    'Samsung, older: OS in the first part, an engine with a colon, nothing behind NIC',
    [
      system(
        'Samsung ML-9x50 Series OS 1.03.00.16 01-22-2008;Engine 1.00:20;NIC ;S/N 4F66BKEQ400XYZ.',
        '236.11.5.1',
      ),
    ],
    {
      model: 'ML-9x50 Series',
      serial: '4F66BKEQ400XYZ',
      software: ['apparatus:samsung.controller 1.03.00.16', 'engine:samsung.engine 1.00:20'],
      units: ['engine engine Engine'],
      conditions: [],
    },
  ],
  [
    'SATO: the cutter’s code is made of its type and the code of any subunit',
    [system('SATO CL9NX', '21543.1'), alert(1, 3, 30, 1, 31108, ''), alert(2, 3, 10, 1, 1103, 'Ribbon end')],
    {
      model: 'SATO CL9NX',
      software: [],
      units: [],
      conditions: ['separation-cutter-jam error', 'marker-print-ribbon-empty error'],
    },
  ],
  [
    'Sharp: nothing private; bits where the alert table is empty',
    [
      system('SHARP MX-9999N', '2385.3.1.22.1'),
      text(HR, 'SHARP MX-9999N'),
      serial('95012345'),
      '.1.3.6.1.2.1.25.3.5.1.1.1 = INTEGER: other(1)',
      '.1.3.6.1.2.1.25.3.5.1.2.1 = Hex-STRING: 0C 00',
    ],
    {
      model: 'MX-9999N',
      serial: '95012345',
      software: [],
      units: [],
      conditions: ['cover-open error', 'media-jam error'],
    },
  ],
  [
    'Toshiba TEC: a label printer with its own objects',
    [
      system('TOSHIBA TEC BARCODE PRINTER', '1129.1.2.1'),
      text('.1.3.6.1.4.1.1129.1.2.1.1.1.1.1.0', '2599A00123'),
      text('.1.3.6.1.4.1.1129.1.2.1.1.1.1.2.0', 'B1.5'),
      text('.1.3.6.1.4.1.1129.1.2.1.1.1.2.1.0', 'B-EX9T1'),
      text('.1.3.6.1.4.1.1129.1.2.1.1.1.2.5.0', 'V1.1'),
    ],
    {
      model: 'B-EX9T1',
      serial: '2599A00123',
      software: ['apparatus:toshiba.controller B1.5', 'apparatus:toshiba.boot V1.1'],
      units: [],
      conditions: [],
    },
  ],
  [
    'Xerox, made by others: Net, and versions that are dates',
    [
      system(
        'XEROX Phaser 9999DN; Net 11.57,ESS 201009101129,IOT 04.01.09,Boot 200809221447',
        '253.8.62.1.20',
      ),
      text('.1.3.6.1.4.1.253.8.53.3.2.1.3.1', 'XYZ99001234'),
    ],
    {
      model: 'Phaser 9999DN',
      serial: 'XYZ99001234',
      software: [
        'apparatus:xerox.ess 201009101129',
        'apparatus:xerox.boot 200809221447',
        'network:xerox.network 11.57',
        'engine:xerox.engine 04.01.09',
      ],
      units: ['network network Net', 'engine engine IOT'],
      conditions: [],
    },
  ],
  [
    'Zebra: a print server with the printer behind it',
    [
      system('ZebraNet Wired PS', '683.6'),
      text('.1.3.6.1.4.1.10642.1.1.0', 'ZTC ZT999-300dpi'),
      text('.1.3.6.1.4.1.10642.1.2.0', 'V99.20.15Z'),
      text('.1.3.6.1.4.1.10642.200.19.5.0', '99J184900123'),
    ],
    {
      model: 'ZT999-300dpi',
      serial: '99J184900123',
      software: ['apparatus:zebra.controller V99.20.15Z'],
      units: [],
      conditions: [],
    },
  ],
];

test.each(MAKES)('%s', (_, lines, expected) => {
  expect(play(lines.join('\n'))).toEqual(expected);
});
