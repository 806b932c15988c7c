import { playRecorded } from '../drivers/recorded.ts';
import { MappingTables } from '../mapping/tables.ts';
import { diagnose, diagnosisText } from './doctor.ts';

const mapping = new MappingTables();
const doctor = (recording: string) =>
  diagnosisText(diagnose(playRecorded(Buffer.from(recording), 'recorded', mapping).reading, 0));

test('every reading is shown with the OID, the attribute or the place in JSON that it came from', () => {
  const snmp = doctor(
    [
      '1.3.6.1.2.1.25.3.5.1.1.1|2|3',
      '1.3.6.1.2.1.43.10.2.1.4.1.1|65|4711',
      '1.3.6.1.2.1.43.11.1.1.5.1.4|2|3',
      '1.3.6.1.2.1.43.11.1.1.6.1.4|4|Black Toner',
      '1.3.6.1.2.1.43.11.1.1.9.1.4|2|-3',
      '1.3.6.1.2.1.1.6.0|4|Room 7',
    ].join('\n'),
  );
  expect(snmp).toMatch(/state +idle {2}\[1\.3\.6\.1\.2\.1\.25\.3\.5\.1\.1\.1\]/);
  expect(snmp).toMatch(/impressions +4711 {2}\[1\.3\.6\.1\.2\.1\.43\.10\.2\.1\.4\.1\.1\]/);
  expect(snmp).toMatch(/supply\.4 +black toner {2}some {2}ok {2}\[1\.3\.6\.1\.2\.1\.43\.11\.1\.1\.9\.1\.4\]/);
  expect(snmp).toMatch(/location +Room 7 {2}\[1\.3\.6\.1\.2\.1\.1\.6\.0\]/);

  const ipp = doctor(
    JSON.stringify({
      'printer-impressions-completed': 12,
      'marker-names': ['Cyan'],
      'marker-types': ['ink'],
      'marker-levels': [50],
      'printer-input-tray': ['name=Tray 1;level=-2;maxcapacity=250;'],
    }),
  );
  expect(ipp).toMatch(/impressions +12 {2}\[printer-impressions-completed\]/);
  expect(ipp).toMatch(/supply\.1 +cyan ink {2}50 of 100 percent .*\[marker-levels\[0\]\]/);
  expect(ipp).toMatch(/input\.1 +unknown of 250 sheets .*\[printer-input-tray\[0\]\]/);
  expect(ipp).toMatch(/reasons +unknown/);

  const tray = { id: '2', tray_type: 'PLA', tray_color: 'FF0000FF', tray_uuid: 'A1', remain: 30 };
  const print = { command: 'push_status', hms: [], ams: { ams: [{ id: '0', tray: [tray] }] } };
  expect(doctor(JSON.stringify({ print }))).toMatch(
    /filament\.0\.2 +#ff0000 filament {2}30 of 100 percent {2}ok {2}\[print\.ams\.ams\[0\]\.tray\[0\]\.remain\]/,
  );
});
