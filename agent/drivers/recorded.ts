/** Replays a recorded answer of any format through the mapping. */
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { type BambuState, bambuReading } from '../mapping/bambu-reading.ts';
import type { IppAnswer } from '../mapping/ipp-answer.ts';
import { ippReading } from '../mapping/ipp-reading.ts';
import type { Reading } from '../mapping/reading.ts';
import { parseRecordedBambu } from '../mapping/recorded-bambu.ts';
import { parseRecordedIpp } from '../mapping/recorded-ipp.ts';
import { parseRecordedSnmp } from '../mapping/recorded-snmp.ts';
import type { SnmpAnswer } from '../mapping/snmp-answer.ts';
import { snmpReading } from '../mapping/snmp-reading.ts';
import type { MappingTables } from '../mapping/tables.ts';
import { decodeResponse } from './ipp/codec.ts';

export interface Recorded {
  reading: Reading;
  snmp?: SnmpAnswer;
  ipp?: IppAnswer;
  bambu?: BambuState;
}

/** Whether the bytes are an IPP message as sent on the wire: version 1.x or 2.x, then a status below 0x0600. */
function isBinaryIpp(bytes: Uint8Array): boolean {
  return (
    bytes.length > 8 && (bytes[0] === 1 || bytes[0] === 2) && (bytes[1] ?? 9) <= 2 && (bytes[2] ?? 9) <= 5
  );
}

/**
 * Maps a recording.
 * @throws PlatenError agent/recording when it contains no answer of a printer
 */
export function playRecorded(bytes: Uint8Array, file: string, mapping: MappingTables): Recorded {
  if (isBinaryIpp(bytes)) {
    let ipp: IppAnswer;
    try {
      ipp = decodeResponse(bytes);
    } catch (error) {
      throw new PlatenError('agent/recording', { file, reason: reasonOf(error) }, { cause: error });
    }
    return { reading: ippReading(ipp, mapping), ipp };
  }
  const bambu = parseRecordedBambu(bytes);
  if (bambu) return { reading: bambuReading(bambu), bambu };
  const snmp = parseRecordedSnmp(bytes, file);
  if (snmp) return { reading: snmpReading(snmp, mapping), snmp };
  const ipp = parseRecordedIpp(bytes, file);
  if (ipp) return { reading: ippReading(ipp, mapping), ipp };
  throw new PlatenError('agent/recording', {
    file,
    reason: 'no SNMP values, no IPP attributes and no messages of a Bambu printer are in it',
  });
}
