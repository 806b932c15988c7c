/** Printers over SNMP, with values of our own in the form in which public documentation of the make describes them. */
import {
  counter,
  IMPRESSIONS,
  name,
  PERCENT,
  PRT,
  type SupplyRow,
  snmp,
  type TestedPrinter,
  TONER,
} from './recording.ts';

const CMYK = ['Cyan', 'Magenta', 'Yellow', 'Black'];
const KM = '18334.1.1.1.5.7.2';
const RICOH = '367.3.2.1.2.19';
const KYOCERA = '1347.42.3.1';

export const OWN_PRINTERS: TestedPrinter[] = [
  [
    'HP with private counters: mono, color, two-sided',
    'own',
    snmp({
      enterprise: '11.2.3.9.1',
      model: 'HP Color LaserJet M9999',
      life: [IMPRESSIONS, 9000],
      more: [
        counter('11.2.3.9.4.2.1.4.1.2.6.0', 6000),
        counter('11.2.3.9.4.2.1.4.1.2.7.0', 3000),
        counter('11.2.3.9.4.2.1.4.1.2.22.0', 1200),
      ],
    }),
    {
      counters: {
        impressions: 9000,
        'impressions-mono': 6000,
        'impressions-color': 3000,
        'impressions-two-sided': 1200,
      },
    },
  ],
  [
    'HP LaserJet whose level is no share of its capacity: it means nothing',
    'own',
    snmp({
      enterprise: '11.2.3.9.1',
      model: 'HP LaserJet M9998',
      supplies: [[TONER, 'Black Cartridge HP CF999A', PERCENT, 100, 143065]],
    }),
    { supplies: ['supply.1 toner black -/100 percent unknown -'] },
  ],
  [
    'Konica Minolta with private counters: copies and prints are sums of mono and color',
    'own',
    snmp({
      enterprise: '18334.1.2.1.2.1',
      model: 'KONICA MINOLTA bizhub C999i',
      life: [IMPRESSIONS, 1000],
      more: [
        ...[counter(`${KM}.1.3.0`, 400), counter(`${KM}.1.5.0`, 77)],
        ...[counter(`${KM}.2.1.5.1.1`, 100), counter(`${KM}.2.1.5.1.2`, 500)],
        ...[counter(`${KM}.2.1.5.2.1`, 50), counter(`${KM}.2.1.5.2.2`, 350)],
      ],
    }),
    {
      counters: {
        impressions: 1000,
        'impressions-two-sided': 400,
        scans: 77,
        copies: 150,
        prints: 850,
        'impressions-color': 400,
      },
    },
  ],
  [
    'Ricoh with its own counters: objects, and a table that names them',
    'own',
    snmp({
      enterprise: '367.1.1',
      model: 'RICOH IM C9999',
      life: [8, 700],
      more: [
        ...[
          counter(`${RICOH}.1.0`, 1300),
          counter(`${RICOH}.2.0`, 1000),
          counter(`${RICOH}.3.0`, 30),
          counter(`${RICOH}.4.0`, 270),
        ],
        ...[name(`${RICOH}.5.1.5.1`, 'Counter: Machine Total'), counter(`${RICOH}.5.1.9.1`, 1300)],
        ...[name(`${RICOH}.5.1.5.27`, 'Counter:Scanner Send:Total'), counter(`${RICOH}.5.1.9.27`, 88)],
        ...[name(`${RICOH}.5.1.5.30`, 'Total Prints: Color'), counter(`${RICOH}.5.1.9.30`, 450)],
      ],
    }),
    {
      counters: {
        sheets: 700,
        impressions: 1300,
        scans: 88,
        'impressions-color': 450,
        prints: 1000,
        faxes: 30,
        copies: 270,
      },
    },
  ],
  [
    'Sharp with private counters',
    'own',
    snmp({
      enterprise: '2385.3.1',
      model: 'SHARP BP-99C99',
      life: [IMPRESSIONS, 500],
      more: [counter('2385.1.1.19.2.1.3.5.4.61', 300), counter('2385.1.1.19.2.1.3.5.4.63', 200)],
    }),
    { counters: { impressions: 500, 'impressions-mono': 300, 'impressions-color': 200 } },
  ],
  [
    'Xerox VersaLink with private counters, an older one without the Printer MIB’s',
    'own',
    snmp({
      enterprise: '253.8.62.1',
      model: 'Xerox VersaLink C9999',
      more: ['1', '33', '34'].map((row, i) =>
        counter(`253.8.53.13.2.1.6.1.20.${row}`, [700, 200, 500][i] ?? 0),
      ),
    }),
    { counters: { impressions: 700, 'impressions-color': 200, 'impressions-mono': 500 } },
  ],
  [
    'Canon imageRUNNER: totals by size, which are added up',
    'own',
    snmp({
      enterprise: '1602.4.7',
      model: 'Canon iR-ADV C9999 /P',
      supplies: [[TONER, 'Canon NPG-99 Black Toner', PERCENT, 100, 0]],
      life: [IMPRESSIONS, 4000],
      more: Object.entries({ 112: 100, 113: 2900, 122: 50, 123: 950, 301: 3500, 501: 60 }).map(
        ([id, count]) => counter(`1602.1.11.1.3.1.4.${id}`, count),
      ),
    }),
    {
      counters: {
        impressions: 4000,
        'impressions-color': 1000,
        'impressions-mono': 3000,
        prints: 3500,
        scans: 60,
      },
      supplies: ['supply.1 toner black 0/100 percent exact empty'],
    },
  ],
  [
    'Kyocera TASKalfa: functions by color; toner in tenths of grams',
    'own',
    snmp({
      enterprise: '1347.41',
      model: 'TASKalfa 9999ci',
      supplies: [[TONER, 'TK-9999K', 13, 5000, 1250]],
      colorants: { 1: [1, 'black'] },
      life: [IMPRESSIONS, 9000],
      status: 4,
      more: [
        ...[counter(`${KYOCERA}.2.1.1.1.1`, 5000), counter(`${KYOCERA}.2.1.1.1.3`, 2000)],
        ...[
          counter(`${KYOCERA}.2.1.1.2.1`, 1500),
          counter(`${KYOCERA}.2.1.1.2.3`, 400),
          counter(`${KYOCERA}.2.1.1.4.1`, 100),
        ],
        ...[counter(`${KYOCERA}.3.1.1.2`, 10), counter(`${KYOCERA}.4.1.1.1`, 20)],
      ],
    }),
    {
      counters: {
        impressions: 9000,
        prints: 7000,
        copies: 1900,
        faxes: 100,
        'impressions-color': 2400,
        scans: 30,
      },
      supplies: ['supply.1 toner black 125/500 grams exact ok'],
      state: 'processing',
    },
  ],
  [
    'Triumph-Adler, a Kyocera: the only toner is what the error bit means',
    'own',
    snmp({
      enterprise: '1347.41',
      model: 'TA Triumph-Adler P-9999DN',
      supplies: [
        [TONER, 'PK-9999', null, -2, -3],
        [4, 'Resttonerbehälter', null, -2, -3],
      ],
      errors: '20',
      status: 3,
    }),
    {
      supplies: ['supply.1 toner - -/- unknown some low', 'supply.2 waste - -/- unknown some ok'],
      state: 'idle',
      reasons: ['toner-low'],
    },
  ],
  [
    'Lexmark CX: an alert names the supply that is low; capacity in impressions',
    'own',
    snmp({
      enterprise: '641.1',
      model: 'Lexmark CX999de',
      supplies: [
        [TONER, 'Cyan Cartridge', IMPRESSIONS, 5000, 400],
        [TONER, 'Black Cartridge', IMPRESSIONS, 8000, 6000],
        [9, 'Imaging Unit', IMPRESSIONS, 125000, 80000],
      ],
      life: [IMPRESSIONS, 31000],
      more: [
        ...[`${PRT}.18.1.1.2.1.7|2|4`, `${PRT}.18.1.1.4.1.7|2|11`, `${PRT}.18.1.1.5.1.7|2|1`],
        ...[`${PRT}.18.1.1.7.1.7|2|1104`, `${PRT}.18.1.1.8.1.7|4|88.00 Cyan low`],
        ...[counter('641.2.1.5.2.0', 20000), counter('641.2.1.5.3.0', 11000)],
      ],
    }),
    {
      counters: { impressions: 31000, 'impressions-mono': 20000, 'impressions-color': 11000 },
      supplies: [
        'supply.1 toner cyan 400/5000 impressions exact low',
        'supply.2 toner black 6000/8000 impressions exact ok',
        'supply.3 drum - 80000/125000 impressions exact ok',
      ],
      reasons: ['toner-low'],
    },
  ],
  [
    'OKI: toner in steps of a scale of four, drums of each color, a belt',
    'own',
    snmp({
      enterprise: '2001.1.1.1.297.93',
      model: 'OKI MC999',
      supplies: [
        ...CMYK.map((color): SupplyRow => [TONER, `${color} Toner Cartridge`, 1, 4, 3]),
        [9, 'Cyan Image Drum Unit', PERCENT, 100, 64],
        [20, 'Belt Unit', PERCENT, 100, 71],
      ],
    }),
    {
      supplies: [
        'supply.1 toner cyan 3/4 unknown steps ok',
        'supply.2 toner magenta 3/4 unknown steps ok',
        'supply.3 toner yellow 3/4 unknown steps ok',
        'supply.4 toner black 3/4 unknown steps ok',
        'supply.5 drum cyan 64/100 percent exact ok',
        'supply.6 transfer - 71/100 percent exact ok',
      ],
    },
  ],
  [
    'Toshiba e-STUDIO: its own tree of counters; a full waste box',
    'own',
    snmp({
      enterprise: '1129.2.3.45.1',
      model: 'TOSHIBA e-STUDIO9999AC',
      supplies: [
        [TONER, 'Toner K', PERCENT, 100, 33],
        [4, 'Waste toner box', PERCENT, 100, 0],
      ],
      life: [IMPRESSIONS, 800],
      more: Object.entries({
        '2.1.1': 300,
        '2.1.3': 500,
        '3.1.4': 600,
        '4.1.4': 150,
        '7.1.4': 50,
        '8.1.4': 40,
      }).map(([row, count]) => counter(`1129.2.3.50.1.3.21.6.1.${row}`, count)),
    }),
    {
      counters: {
        impressions: 800,
        'impressions-color': 300,
        'impressions-mono': 500,
        prints: 600,
        copies: 150,
        faxes: 50,
        scans: 40,
      },
      supplies: ['supply.1 toner black 33/100 percent exact ok', 'supply.2 waste - 0/100 percent exact full'],
    },
  ],
  [
    'Epson with private counters; a maintenance box is waste',
    'own',
    snmp({
      enterprise: '1248.1.1.2.1',
      model: 'EPSON AM-C9999',
      supplies: [
        [6, 'Black Ink Cartridge', PERCENT, 100, 90],
        [8, 'Maintenance Box', PERCENT, 100, 40],
      ],
      life: [IMPRESSIONS, 5000],
      more: [
        counter('1248.1.2.2.27.1.1.4.1.1', 2100),
        counter('1248.1.2.2.27.6.1.4.1.1.1', 4000),
        counter('1248.1.2.2.27.6.1.4.1.1.2', 900),
      ],
    }),
    {
      counters: { impressions: 5000, 'impressions-color': 2100, prints: 4000, copies: 900 },
      supplies: ['supply.1 ink black 90/100 percent exact ok', 'supply.2 waste - 40/100 percent exact ok'],
    },
  ],
  [
    'Dell: the words of a description in German, colors by colorant',
    'own',
    snmp({
      enterprise: '674.10898.2.100.3',
      model: 'Dell C9999dn',
      supplies: [
        [null, 'Tonerkassette', PERCENT, 100, 12],
        [null, 'Fixiereinheit', PERCENT, 100, 55],
      ],
      colorants: { 2: [1, 'magenta'] },
      life: [IMPRESSIONS, 200],
      errors: '10',
    }),
    {
      counters: { impressions: 200 },
      supplies: [
        'supply.1 toner magenta 12/100 percent exact empty',
        'supply.2 fuser - 55/100 percent exact ok',
      ],
      reasons: ['toner-empty'],
    },
  ],
  [
    'Pantum: toner and drum in percent',
    'own',
    snmp({
      enterprise: '40093.1.1',
      model: 'Pantum BM9999DW',
      supplies: [
        [TONER, 'Black Toner', PERCENT, 100, 66],
        [9, 'Drum', PERCENT, 100, 91],
      ],
      life: [IMPRESSIONS, 321],
    }),
    {
      counters: { impressions: 321 },
      supplies: ['supply.1 toner black 66/100 percent exact ok', 'supply.2 drum - 91/100 percent exact ok'],
    },
  ],
  [
    'Zebra: a ribbon in metres; what it has printed is counted in metres too and no impressions',
    'own',
    snmp({
      enterprise: '10642.1.1',
      model: 'Zebra ZT999',
      supplies: [[13, 'Ribbon', 17, 300, 210]],
      life: [17, 8000],
    }),
    { supplies: ['supply.1 ribbon - 210/300 metres exact ok'] },
  ],
  [
    'Olivetti, in Italian',
    'own',
    snmp({
      enterprise: '1347.41',
      model: 'Olivetti d-Color MF999',
      supplies: [
        [null, 'Toner nero', PERCENT, 100, 44],
        [null, 'Tamburo giallo', PERCENT, 100, 71],
      ],
    }),
    {
      supplies: [
        'supply.1 toner black 44/100 percent exact ok',
        'supply.2 drum yellow 71/100 percent exact ok',
      ],
    },
  ],
];
