/** Printers over IPP and Bambu’s MQTT, with values of our own in the form that PWG specifications and reports describe. */
import { ipp, type TestedPrinter } from './recording.ts';

export const IPP_AND_BAMBU_PRINTERS: TestedPrinter[] = [
  [
    'HP OfficeJet over IPP: markers, low by its own limit',
    'own',
    ipp({
      'printer-make-and-model': 'HP OfficeJet Pro 9999',
      'printer-impressions-completed': 4200,
      'printer-impressions-completed-col': { monochrome: [2000], 'full-color': [2200] },
      'marker-names': ['cyan ink', 'black ink', 'printhead'],
      'marker-types': ['ink-cartridge', 'ink-cartridge', 'other'],
      'marker-colors': ['#00FFFF', '#000000', 'none'],
      'marker-levels': [8, 60, -2],
      'marker-low-levels': [10, 10, 0],
    }),
    {
      counters: { impressions: 4200, 'impressions-color': 2200, 'impressions-mono': 2000 },
      supplies: [
        'supply.1 ink cyan 8/100 percent exact low',
        'supply.2 ink black 60/100 percent exact ok',
        'supply.3 printhead - -/100 percent unknown -',
      ],
      state: 'idle',
    },
  ],
  [
    'Brother MFC over IPP: printer-supply in its keyed form, a tray by its index',
    'own',
    ipp({
      'printer-make-and-model': 'Brother MFC-L9999CDW series',
      'printer-state': 5,
      'printer-state-reasons': ['media-empty-error', 'toner-low-warning'],
      'printer-supply': [
        'index=1;class=supplyThatIsConsumed;type=toner;unit=percent;maxcapacity=100;level=-3;colorantname=black;',
        'index=5;class=receptacleThatIsFilled;type=wasteToner;unit=percent;maxcapacity=100;level=70;colorantname=unknown;',
      ],
      'printer-supply-description': ['Black Toner', 'Waste Toner Box'],
      'printer-input-tray': [
        'type=sheetFeedAutoRemovableTray;mediafeed=0;maxcapacity=250;level=0;status=9;name=Tray1;',
      ],
      'printer-media-sheets-completed': 777,
    }),
    {
      counters: { sheets: 777 },
      supplies: ['supply.1 toner black -/100 percent some low', 'supply.5 waste - -/100 percent unknown -'],
      inputs: ['input.1 0/250 exact'],
      state: 'stopped',
      reasons: ['media-empty', 'toner-low'],
    },
  ],
  [
    'Canon inkjet over IPP: a tri-color cartridge, counts that name only one-sided ones',
    'own',
    ipp({
      'printer-make-and-model': 'Canon TS9999 series',
      'printer-impressions-completed': 900,
      'printer-impressions-completed-col': {
        monochrome: [400],
        'full-color': [500],
        'monochrome-two-sided': [100],
        'full-color-two-sided': [50],
      },
      'marker-names': ['Color'],
      'marker-types': ['ink-cartridge'],
      'marker-colors': ['#00FFFF#FF00FF#FFFF00'],
      'marker-levels': [70],
    }),
    {
      counters: {
        impressions: 900,
        'impressions-color': 500,
        'impressions-mono': 400,
        'impressions-two-sided': 150,
      },
      supplies: ['supply.1 ink cyan+magenta+yellow 70/100 percent exact ok'],
      state: 'idle',
    },
  ],
  [
    'Lexmark over IPP: counts whose sum fits nothing stand under their own names; how full the waste box is',
    'own',
    ipp({
      'printer-make-and-model': 'Lexmark MX999',
      'printer-impressions-completed': 1000,
      'printer-impressions-completed-col': { monochrome: [10], 'monochrome-two-sided': [20] },
      'marker-names': ['Waste Toner Bottle', 'Black Toner'],
      'marker-types': ['waste-toner', 'toner'],
      'marker-levels': [30, 55],
      'marker-high-levels': [90, 100],
    }),
    {
      counters: { impressions: 1000, 'impressions-monochrome': 10, 'impressions-monochrome-two-sided': 20 },
      supplies: ['supply.1 waste - 70/100 percent exact ok', 'supply.2 toner black 55/100 percent exact ok'],
      state: 'idle',
    },
  ],
  [
    'Bambu Lab X1 Carbon: AMS with a measured spool, one without a tag, an empty slot',
    'own',
    [
      {
        info: {
          command: 'get_version',
          module: [
            { name: 'ota', sw_ver: '01.08.00.00', sn: '00M1' },
            { name: 'ams/0', sw_ver: '00.00.06.40', sn: '006' },
          ],
        },
      },
      {
        print: {
          command: 'push_status',
          gcode_state: 'PAUSE',
          hms: [{ attr: 0x0700_0100, code: 0x0003_0002 }],
          nozzle_type: 'hardened_steel',
          nozzle_diameter: '0.4',
          ams: {
            ams: [
              {
                id: '0',
                tray: [
                  {
                    id: '0',
                    remain: 82,
                    tray_type: 'PLA',
                    tray_sub_brands: 'PLA Basic',
                    tray_color: 'FF6A13FF',
                    tag_uid: 'A1B2C3D400000100',
                    tray_uuid: '0A1B2C3D4E5F60718293A4B5C6D7E8F9',
                  },
                  {
                    id: '1',
                    remain: 0,
                    tray_type: 'PETG',
                    tray_color: '000000FF',
                    tag_uid: '0000000000000000',
                    tray_uuid: '00000000000000000000000000000000',
                  },
                  { id: '2' },
                ],
              },
            ],
          },
        },
      },
    ]
      .map((line) => JSON.stringify(line))
      .join('\n'),
    {
      supplies: [
        'filament.0.0 filament #ff6a13 82/100 percent exact ok 0A1B2C3D4E5F60718293A4B5C6D7E8F9',
        'filament.0.1 filament #000000 -/100 percent unknown ok',
        'filament.0.2 filament - -/- percent unknown missing',
        'nozzle.0 nozzle - -/-  unknown -',
      ],
      state: 'stopped',
      reasons: ['0700_0100_0003_0002'],
    },
  ],
  [
    'Bambu Lab H2D: two nozzles with wear, two spools beside it',
    'own',
    [
      {
        info: {
          command: 'get_version',
          module: [{ name: 'ota', product_name: 'Bambu Lab H2D', sw_ver: '01.02.00.00', sn: '094' }],
        },
      },
      {
        print: {
          command: 'push_status',
          gcode_state: 'RUNNING',
          hms: [],
          device: {
            nozzle: {
              info: [
                { id: 0, type: 'HS01', diameter: 0.4, wear: 12 },
                { id: 1, type: 'HH01', diameter: 0.6, wear: 3 },
              ],
            },
          },
          vir_slot: [
            {
              id: '254',
              remain: 40,
              tray_type: 'ABS',
              tray_color: 'FFFFFFFF',
              tray_uuid: 'ABCDEF0123456789ABCDEF0123456789',
            },
            { id: '255' },
          ],
          net: { info: [{ ip: 0x0501_a8c0, mask: 0x00ff_ffff }] },
        },
      },
    ]
      .map((line) => JSON.stringify(line))
      .join('\n'),
    {
      counters: { 'nozzle-0-wear': 12, 'nozzle-1-wear': 3 },
      supplies: [
        'filament.external.254 filament #ffffff 40/100 percent exact ok ABCDEF0123456789ABCDEF0123456789',
        'nozzle.0 nozzle - -/-  unknown -',
        'nozzle.1 nozzle - -/-  unknown -',
      ],
      state: 'processing',
    },
  ],
];
