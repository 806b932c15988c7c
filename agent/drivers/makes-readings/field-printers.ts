/** Printers over SNMP, with values from recordings of real ones. */
import { IMPRESSIONS, PERCENT, snmp, type TestedPrinter, TONER } from './recording.ts';

export const FIELD_PRINTERS: TestedPrinter[] = [
  [
    'Brother MFC-L2710DW: toner is "some", its capacity unknown',
    'field',
    snmp({
      enterprise: '2435.2.3.9.1',
      model: 'Brother MFC-L2710DW series',
      supplies: [
        [TONER, 'Black Toner Cartridge', null, -2, -3],
        [9, 'Drum Unit', null, 12000, 11501],
      ],
      trays: [
        ['AUTO', 250, -3],
        ['MANUAL TRAY', 1, -3],
        ['TRAY1', 250, -3],
      ],
    }),
    {
      supplies: ['supply.1 toner black -/- unknown some ok', 'supply.2 drum - 11501/12000 unknown exact ok'],
      inputs: ['input.2 -/1 some', 'input.3 -/250 some'],
    },
  ],
  [
    'Canon LBP6670: a cartridge without a type holds toner',
    'field',
    snmp({
      enterprise: '1602.4.7',
      model: 'Canon LBP6670',
      supplies: [[null, 'Canon Cartridge 719/719H', null, 100, 70]],
    }),
    { supplies: ['supply.1 toner - 70/100 unknown exact ok'] },
  ],
  [
    'Epson WF-C5790: trays whose level nobody knows',
    'field',
    snmp({
      enterprise: '1248.1.1.2.1',
      model: 'EPSON WF-C5790BA',
      supplies: [
        [5, 'Black Ink Supply Unit T9441/T9451/T9461', null, 100, 1],
        [5, 'Cyan Ink Supply Unit T9442/T9452', null, 100, 1],
      ],
      trays: [['Rear Auto Sheet Feeder', 80, -2]],
    }),
    {
      supplies: ['supply.1 ink black 1/100 unknown exact ok', 'supply.2 ink cyan 1/100 unknown exact ok'],
      inputs: ['input.1 -/80 unknown'],
    },
  ],
  [
    'Fujifilm Apeos C810: two black toners keep their places 30 and 31',
    'field',
    snmp({
      enterprise: '297.1.11.93.1',
      model: 'FUJIFILM ApeosPro C810',
      supplies: {
        2: [TONER, 'Yellow Toner', null, 25000, 25000],
        5: [4, 'Waste Toner Container', null, -2, -3],
        6: [9, 'Black Drum Cartridge', null, 163000, 161370],
        30: [TONER, 'Black Toner 1', null, 23000, 23000],
        31: [TONER, 'Black Toner 2', null, 23000, 20700],
      },
      trays: [['Tray 1', 540, 270]],
    }),
    {
      supplies: [
        'supply.2 toner yellow 25000/25000 unknown exact ok',
        'supply.5 waste - -/- unknown some ok',
        'supply.6 drum black 161370/163000 unknown exact ok',
        'supply.30 toner black 23000/23000 unknown exact ok',
        'supply.31 toner black 20700/23000 unknown exact ok',
      ],
      inputs: ['input.1 270/540 exact'],
    },
  ],
  [
    'HP Color LaserJet M452nw: the part number in the description',
    'field',
    snmp({
      enterprise: '11.2.3.9.1',
      model: 'HP Color LaserJet M452nw',
      supplies: [
        [null, 'Black Cartridge HP CF410A', null, 100, 54],
        [null, 'Cyan Cartridge HP CF411A', null, 100, 44],
      ],
    }),
    {
      supplies: [
        'supply.1 toner black 54/100 unknown exact ok',
        'supply.2 toner cyan 44/100 unknown exact ok',
      ],
    },
  ],
  [
    'HP LaserJet MFP M130nw: indexes 1 and 5',
    'field',
    snmp({
      enterprise: '11.2.3.9.1',
      model: 'HP LaserJet MFP M130nw',
      supplies: {
        1: [TONER, 'Black Cartridge HP CF217A', null, 100, 28],
        5: [9, 'Imaging Drum HP CF219A', null, 100, 71],
      },
      life: [IMPRESSIONS, 15232],
      trays: [['Tray 1', 150, -3]],
      errors: '00',
    }),
    {
      counters: { impressions: 15232 },
      supplies: ['supply.1 toner black 28/100 unknown exact ok', 'supply.5 drum - 71/100 unknown exact ok'],
      inputs: ['input.1 -/150 some'],
    },
  ],
  [
    'HP Color LaserJet flow MFP M880: percents, staplers that only have some',
    'field',
    snmp({
      enterprise: '11.2.3.9.1',
      model: 'HP Color LaserJet flow MFP M880',
      supplies: {
        1: [21, 'Black Cartridge 827A HP CF300A', PERCENT, 100, 92],
        9: [20, 'Transfer Kit HP D7H14A', PERCENT, 100, 89],
        10: [15, 'Fuser Kit HP 110V-C1N54A', PERCENT, 100, 84],
        13: [32, 'Stapler 1 HP C8091A', 18, -2, -3],
      },
    }),
    {
      supplies: [
        'supply.1 toner black 92/100 percent exact ok',
        'supply.9 transfer - 89/100 percent exact ok',
        'supply.10 fuser - 84/100 percent exact ok',
        'supply.13 staples - -/- items some ok',
      ],
    },
  ],
  [
    'Develop ineo+ 280, a Konica Minolta: developers, filters, a waste box',
    'field',
    snmp({
      enterprise: '18334.1.2.1.2.1.50.3.2',
      model: 'Generic 28C-1',
      supplies: {
        1: [null, 'Toner (Cyan)', null, 100, 29],
        5: [null, 'Drum Cartridge (Cyan)', null, 100, 59],
        6: [null, 'Developer Cartridge (Cyan)', null, 100, 79],
        13: [null, 'Waste Toner Box', null, -2, -3],
        14: [null, 'Fusing Unit', null, 100, 68],
        15: [null, 'Image Transfer Belt Unit', null, 100, 41],
        17: [null, 'Ozone Filter', null, 100, 45],
      },
    }),
    {
      supplies: [
        'supply.1 toner cyan 29/100 unknown exact ok',
        'supply.5 drum cyan 59/100 unknown exact ok',
        'supply.6 developer cyan 79/100 unknown exact ok',
        'supply.13 waste - -/- unknown some ok',
        'supply.14 fuser - 68/100 unknown exact ok',
        'supply.15 transfer - 41/100 unknown exact ok',
        'supply.17 filter - 45/100 unknown exact ok',
      ],
    },
  ],
  [
    'Konica Minolta bizhub C250i: a counter without a unit, an empty tray, service requested',
    'field',
    snmp({
      enterprise: '18334.1.1.1.2.1.181.2.4',
      model: 'KONICA MINOLTA bizhub C250i',
      supplies: { 1: [TONER, 'Toner (Cyan)', null, 100, 76], 13: [4, 'Waste Toner Box', null, -2, -3] },
      life: [null, 33810],
      trays: [
        ['Tray 1', 500, 500],
        ['Tray 2', 500, 500],
        ['Bypass', 150, 0],
      ],
      errors: '0100',
    }),
    {
      counters: { impressions: 33810 },
      supplies: ['supply.1 toner cyan 76/100 unknown exact ok', 'supply.13 waste - -/- unknown some ok'],
      inputs: ['input.1 500/500 exact', 'input.2 500/500 exact', 'input.3 0/150 exact'],
      reasons: ['service-requested'],
    },
  ],
  [
    'Ricoh MP C2503 in Chinese; its marker counts sheets',
    'field',
    snmp({
      enterprise: '367.1.1',
      model: 'RICOH MP C2503',
      supplies: [
        [TONER, '黑色碳粉', null, 100, 80],
        [4, '廢棄碳粉', null, 100, 100],
        [TONER, '青色碳粉', null, 100, 30],
        [TONER, '洋紅色碳粉', null, 100, 30],
        [TONER, '黃色碳粉', null, 100, 20],
      ],
      life: [8, 580249],
      trays: [
        ['Paper Tray 1', 550, 385],
        ['Bypass Tray', 100, -3],
      ],
      errors: '00',
    }),
    {
      counters: { sheets: 580249 },
      supplies: [
        'supply.1 toner black 80/100 unknown exact ok',
        'supply.2 waste - 100/100 unknown exact ok',
        'supply.3 toner cyan 30/100 unknown exact ok',
        'supply.4 toner magenta 30/100 unknown exact ok',
        'supply.5 toner yellow 20/100 unknown exact ok',
      ],
      inputs: ['input.1 385/550 exact', 'input.2 -/100 some'],
    },
  ],
  [
    'Samsung M4080FX: rollers by impressions, low on paper',
    'field',
    snmp({
      enterprise: '236.11.5.1',
      model: 'Samsung M408x Series',
      supplies: [
        [TONER, 'Black Toner Cartridge S/N:CRUM-17X', null, 20000, 17600],
        [15, 'Fuser S/N:', null, 90000, 67066],
        [1, 'Transfer Roller', null, 150000, 127066],
        [1, 'ADF Roller', null, 100000, 95643],
      ],
      life: [IMPRESSIONS, 22934],
      trays: [
        ['Tray 1', 550, 55],
        ['MP Tray', 100, 0],
      ],
      errors: '8000',
    }),
    {
      counters: { impressions: 22934 },
      supplies: [
        'supply.1 toner black 17600/20000 unknown exact ok CRUM-17X',
        'supply.2 fuser - 67066/90000 unknown exact ok',
        'supply.3 transfer - 127066/150000 unknown exact ok',
        'supply.4 roller - 95643/100000 unknown exact ok',
      ],
      inputs: ['input.1 55/550 exact', 'input.2 0/100 exact'],
      reasons: ['media-low'],
    },
  ],
  [
    'Sharp MX-3570N: a fuser whose level is not told, toner low of one among four',
    'field',
    snmp({
      enterprise: '2385.3.1.112.1.2',
      model: 'SHARP MX-3570N',
      supplies: {
        1: [TONER, 'Cyan Toner', null, 100, 55],
        2: [TONER, 'Magenta Toner', null, 100, 19],
        5: [4, 'Waste Toner', null, -2, 100],
        14: [15, 'Fusing Unit', null, -2, -2],
      },
      life: [IMPRESSIONS, 121104],
      errors: '20',
    }),
    {
      counters: { impressions: 121104 },
      supplies: [
        'supply.1 toner cyan 55/100 unknown exact ok',
        'supply.2 toner magenta 19/100 unknown exact ok',
        'supply.5 waste - 100/- unknown exact ok',
        'supply.14 fuser - -/- unknown unknown -',
      ],
      reasons: ['toner-low'],
    },
  ],
  [
    'Xerox AltaLink C8045: part and serial numbers in descriptions',
    'field',
    snmp({
      enterprise: '253.8.62.1',
      model: 'Xerox AltaLink C8045',
      supplies: [
        [null, 'Black Toner, PN 006R01509;SN48178080E0000481', null, 5300, 1060],
        [null, 'Drum Cartridge (R1), PN 013R00662;SN5238EF80E000048E', null, 100, 50],
        [null, 'Fuser, PN unknown;SNunknown', null, 100, 90],
        [null, 'Waste Toner Container, PN 008R13061;SNunknown', null, 100, 5],
        [null, 'Second Bias Transfer Roll, PN 008R13064;SNunknown', null, 100, 86],
      ],
    }),
    {
      supplies: [
        'supply.1 toner black 1060/5300 unknown exact ok 48178080E0000481',
        'supply.2 drum - 50/100 unknown exact ok 5238EF80E000048E',
        'supply.3 fuser - 90/100 unknown exact ok',
        'supply.4 waste - 5/100 unknown exact ok',
        'supply.5 transfer - 86/100 unknown exact ok',
      ],
    },
  ],
];
