import { MappingTables } from '../../mapping/tables.ts';
import { playRecorded } from '../recorded.ts';
import { FIELD_PRINTERS } from './field-printers.ts';
import { IPP_AND_BAMBU_PRINTERS } from './ipp-and-bambu-printers.ts';
import { OWN_PRINTERS } from './own-printers.ts';
import type { ExpectedReadings } from './recording.ts';

// Counters and supplies of printers of many makes. `field`: the values come from recordings of real printers; `own`:
// they are made up.

const mapping = new MappingTables();
const PRINTERS = [...FIELD_PRINTERS, ...OWN_PRINTERS, ...IPP_AND_BAMBU_PRINTERS];

function told(recording: string): ExpectedReadings {
  const { measured } = playRecorded(Buffer.from(recording), 'recorded', mapping).reading;
  const { counters, supplies, inputs, state, reasons } = measured?.readings ?? {};
  return {
    ...(counters === undefined ? {} : { counters }),
    ...(supplies === undefined
      ? {}
      : {
          supplies: supplies.map(
            ({ symbol, kind, color = '-', level = '-', capacity = '-', measure, known, state: is, serial }) =>
              [
                symbol,
                kind,
                color,
                `${level}/${capacity}`,
                measure,
                known,
                is ?? '-',
                ...(serial ? [serial] : []),
              ].join(' '),
          ),
        }),
    ...(inputs === undefined
      ? {}
      : {
          inputs: inputs.map(
            ({ symbol, level = '-', capacity = '-', known }) => `${symbol} ${level}/${capacity} ${known}`,
          ),
        }),
    ...(state === undefined ? {} : { state }),
    ...(reasons === undefined || reasons.length === 0 ? {} : { reasons }),
  };
}

test.each(PRINTERS)('%s (%s)', (_title, _source, recording, expected) => {
  expect(told(recording)).toEqual(expected);
});

test('there are at least thirty, many of them with values of real printers', () => {
  expect(PRINTERS.length).toBeGreaterThanOrEqual(30);
  expect(PRINTERS.filter(([, source]) => source === 'field').length).toBeGreaterThanOrEqual(12);
});
