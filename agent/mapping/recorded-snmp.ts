/**
 * Reads recorded SNMP answers: `snmpwalk` output (with or without -On), snmprec files, and JSON `{oid: [type, value]}`.
 * Lines that can't be read are counted, not fatal: recordings are cut and pasted by people.
 */
import { PlatenError } from '../../schemas/errors.ts';
import { SnmpAnswer, type SnmpType, type SnmpValue } from './snmp-answer.ts';

/** Prefixes that snmpwalk prints instead of numbers. */
const NAMED_PREFIXES: [RegExp, string][] = [
  [/^iso\b/, '1'],
  [/^SNMPv2-SMI::mib-2\b/, '1.3.6.1.2.1'],
  [/^SNMPv2-SMI::enterprises\b/, '1.3.6.1.4.1'],
  [/^SNMPv2-SMI::(snmpModules)\b/, '1.3.6.1.6.3'],
  [/^mib-2\b/, '1.3.6.1.2.1'],
  [/^enterprises\b/, '1.3.6.1.4.1'],
];

/** Objects by name, as snmpwalk prints them when it has the MIBs. Columns end without the instance. */
const NAMED_OBJECTS = new Map<string, string>(
  [
    ['1.3.6.1.2.1.1', 'sysDescr:1 sysObjectID:2 sysUpTime:3 sysContact:4 sysName:5 sysLocation:6'],
    [
      '1.3.6.1.2.1.25.3.2.1',
      'hrDeviceIndex:1 hrDeviceType:2 hrDeviceDescr:3 hrDeviceID:4 hrDeviceStatus:5 hrDeviceErrors:6',
    ],
    ['1.3.6.1.2.1.25.3.5.1', 'hrPrinterStatus:1 hrPrinterDetectedErrorState:2'],
    [
      '1.3.6.1.2.1.25.6.3.1',
      'hrSWInstalledIndex:1 hrSWInstalledName:2 hrSWInstalledID:3 hrSWInstalledType:4 hrSWInstalledDate:5',
    ],
    [
      '1.3.6.1.2.1.43.5.1.1',
      'prtGeneralConfigChanges:1 prtGeneralCurrentLocalization:2 prtGeneralReset:3 prtGeneralPrinterName:16 prtGeneralSerialNumber:17',
    ],
    [
      '1.3.6.1.2.1.43.7.1.1',
      'prtLocalizationLanguage:2 prtLocalizationCountry:3 prtLocalizationCharacterSet:4',
    ],
    [
      '1.3.6.1.2.1.43.8.2.1',
      'prtInputType:2 prtInputCapacityUnit:8 prtInputMaxCapacity:9 prtInputCurrentLevel:10 prtInputStatus:11 prtInputMediaName:12 prtInputName:13 prtInputVendorName:14 prtInputModel:15 prtInputVersion:16 prtInputSerialNumber:17 prtInputDescription:18',
    ],
    [
      '1.3.6.1.2.1.43.9.2.1',
      'prtOutputType:2 prtOutputCapacityUnit:3 prtOutputMaxCapacity:4 prtOutputRemainingCapacity:5 prtOutputStatus:6 prtOutputName:7 prtOutputVendorName:8 prtOutputModel:9 prtOutputVersion:10 prtOutputSerialNumber:11 prtOutputDescription:12',
    ],
    [
      '1.3.6.1.2.1.43.10.2.1',
      'prtMarkerMarkTech:2 prtMarkerCounterUnit:3 prtMarkerLifeCount:4 prtMarkerPowerOnCount:5',
    ],
    [
      '1.3.6.1.2.1.43.11.1.1',
      'prtMarkerSuppliesMarkerIndex:2 prtMarkerSuppliesColorantIndex:3 prtMarkerSuppliesClass:4 prtMarkerSuppliesType:5 prtMarkerSuppliesDescription:6 prtMarkerSuppliesSupplyUnit:7 prtMarkerSuppliesMaxCapacity:8 prtMarkerSuppliesLevel:9',
    ],
    ['1.3.6.1.2.1.43.12.1.1', 'prtMarkerColorantRole:3 prtMarkerColorantValue:4'],
    ['1.3.6.1.2.1.43.6.1.1', 'prtCoverDescription:2 prtCoverStatus:3'],
    ['1.3.6.1.2.1.2.2.1', 'ifDescr:2 ifType:3 ifPhysAddress:6'],
    ['1.3.6.1.2.1.4.20.1', 'ipAdEntAddr:1'],
    [
      '1.3.6.1.2.1.43.18.1.1',
      'prtAlertIndex:1 prtAlertSeverityLevel:2 prtAlertTrainingLevel:3 prtAlertGroup:4 prtAlertGroupIndex:5 prtAlertLocation:6 prtAlertCode:7 prtAlertDescription:8 prtAlertTime:9',
    ],
    [
      '1.3.6.1.2.1.43.30.1.1',
      'finDeviceIndex:1 finDeviceType:2 finDevicePresentOnOff:3 finDeviceCapacityUnit:4 finDeviceMaxCapacity:5 finDeviceCurrentCapacity:6 finDeviceAssociatedMediaPaths:7 finDeviceAssociatedOutputs:8 finDeviceStatus:9 finDeviceDescription:10',
    ],
    [
      '1.3.6.1.2.1.47.1.1.1.1',
      'entPhysicalDescr:2 entPhysicalClass:5 entPhysicalName:7 entPhysicalHardwareRev:8 entPhysicalFirmwareRev:9 entPhysicalSoftwareRev:10 entPhysicalSerialNum:11 entPhysicalModelName:13',
    ],
  ].flatMap(([base, columns]) =>
    (columns ?? '').split(' ').map((column) => {
      const [name, number] = column.split(':');
      return [name ?? '', `${base}.${number}`];
    }),
  ),
);

/** The OID of a line's left side in numbers; undefined when it isn't one. */
function numericOid(text: string): string | undefined {
  const trimmed = text.trim().replace(/^\./, '');
  if (/^\d+(\.\d+)+$/.test(trimmed)) return trimmed;
  for (const [prefix, number] of NAMED_PREFIXES) {
    if (prefix.test(trimmed)) {
      const oid = trimmed.replace(prefix, number);
      return /^\d+(\.\d+)+$/.test(oid) ? oid : undefined;
    }
  }
  const named = /^(?:[\w-]+::)?(\w+)((?:\.\d+)*)$/.exec(trimmed);
  const base = named?.[1] === undefined ? undefined : NAMED_OBJECTS.get(named[1]);
  return base === undefined ? undefined : `${base}${named?.[2] ?? ''}`;
}

function hexBytes(text: string): Uint8Array {
  return Buffer.from(text.replace(/[^0-9a-fA-F]/g, ''), 'hex');
}

/** The number in `3`, `idle(3)`, `3 pages` or `0x1F`. */
function numberIn(text: string): number | undefined {
  const match = /\((-?\d+)\)/.exec(text) ?? /(-?\d+)/.exec(text);
  if (/^0x[0-9a-f]+$/i.test(text.trim())) return Number.parseInt(text, 16);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/** snmpwalk prints non-ASCII octets as they are: reading the file as latin1 keeps every byte. */
function unquote(text: string): Uint8Array {
  const inner = text.startsWith('"')
    ? text.slice(1, text.endsWith('"') && text.length > 1 ? -1 : undefined)
    : text;
  return Buffer.from(inner.replace(/\\(["\\])/g, '$1'), 'latin1');
}

/** The right side of a snmpwalk line. Undefined: the printer has no such object. */
function walkValue(right: string): SnmpValue | undefined {
  const text = right.trim().replace(/^Wrong Type \([^)]*\):\s*/i, '');
  if (/^(No Such|No more variables|NULL\b|End of MIB)/i.test(text)) return undefined;
  const typed = /^([A-Za-z][A-Za-z0-9 -]*?):\s?([\s\S]*)$/.exec(text);
  const [, type, rest] = typed ?? [];
  if (type === undefined || rest === undefined) {
    if (text.startsWith('"') || text === '') return { type: 'octets', value: unquote(text) };
    // -Oq leaves the types out; some walkers show the number behind its name.
    const dumped = dumpedOctets(text);
    if (dumped) return { type: 'octets', value: dumped };
    const named = /^[A-Za-z][\w-]*\((-?\d+)\)$/.exec(text);
    if (named?.[1] !== undefined) return { type: 'integer', value: Number(named[1]) };
    return /^-?\d+$/.test(text)
      ? { type: 'integer', value: Number(text) }
      : { type: 'octets', value: unquote(text) };
  }
  const number = (as: SnmpType): SnmpValue | undefined => {
    const found = numberIn(rest);
    return found === undefined ? undefined : { type: as, value: found };
  };
  switch (type.toLowerCase()) {
    case 'string':
      return { type: 'octets', value: unquote(rest.trim()) };
    case 'hex-string':
    case 'bits': {
      const hex = /^[0-9a-fA-F\s]+/.exec(rest)?.[0] ?? '';
      return { type: 'octets', value: hexBytes(hex) };
    }
    case 'integer':
      return number('integer');
    case 'counter32':
      return number('counter32');
    case 'counter64':
      return number('counter64');
    case 'gauge32':
    case 'unsigned32':
    case 'uinteger32':
      return number('gauge32');
    case 'timeticks':
      return number('ticks');
    case 'oid': {
      const oid = numericOid(rest);
      return { type: 'oid', value: oid ?? rest.trim() };
    }
    case 'ipaddress':
    case 'network address':
      return { type: 'ip', value: rest.trim() };
    case 'opaque':
      return { type: 'opaque', value: hexBytes(rest) };
    default:
      return { type: 'octets', value: unquote(text) };
  }
}

/** BER tags of snmprec files. */
const RECORDED_TAGS = new Map<string, SnmpType>(
  Object.entries({
    '2': 'integer',
    '4': 'octets',
    '5': 'null',
    '6': 'oid',
    '64': 'ip',
    '65': 'counter32',
    '66': 'gauge32',
    '67': 'ticks',
    '68': 'opaque',
    '70': 'counter64',
  }),
);

function recordedLine(line: string): [string, SnmpValue] | undefined {
  const match = /^\.?(\d+(?:\.\d+)+)\|(\d+)(x?)(?::\w+)?\|(.*)$/.exec(line);
  if (!match) return undefined;
  const [, oid = '', tag = '', hex, text = ''] = match;
  const type = RECORDED_TAGS.get(tag);
  if (type === undefined) return undefined;
  if (type === 'octets' || type === 'opaque') {
    return [oid, { type, value: hex === 'x' ? hexBytes(text) : Buffer.from(text, 'latin1') }];
  }
  return [
    oid,
    type === 'oid' || type === 'ip' || type === 'null'
      ? { type, value: text }
      : { type, value: Number(text) },
  ];
}

/** `OID=.1.3.6…, Type=OctetString, Value=…`, as SnmpSoft's walker writes it. */
function snmpSoftLine(line: string): [string, SnmpValue] | undefined {
  const match = /^OID=\.?(\d+(?:\.\d+)+), Type=(\w+), Value=(.*)$/.exec(line);
  const [, oid, type = '', text = ''] = match ?? [];
  const value = oid === undefined ? undefined : jsonValue([type, text.trim()]);
  return oid === undefined || value === undefined ? undefined : [oid, value];
}

/** `20 00 ..`: octets, and behind them what they would be as text. MIB browsers show bit strings so. */
function dumpedOctets(text: string): Uint8Array | undefined {
  const match = /^((?:[0-9A-Fa-f]{2} )+) ?(\S*)$/.exec(text);
  const [, hex, shown] = match ?? [];
  if (hex === undefined || shown === undefined) return undefined;
  const bytes = hexBytes(hex);
  const same = [...shown].every((char, i) => char === '.' || char.charCodeAt(0) === bytes[i]);
  return bytes.length === shown.length && same ? bytes : undefined;
}

/** Words for types in JSON recordings. */
const JSON_TYPES = new Map<string, SnmpType>(
  Object.entries({
    integer: 'integer',
    integer32: 'integer',
    string: 'octets',
    octet_str: 'octets',
    octetstring: 'octets',
    octets: 'octets',
    hex: 'octets',
    'hex-string': 'octets',
    timeticks: 'ticks',
    ticks: 'ticks',
    counter: 'counter32',
    counter32: 'counter32',
    counter64: 'counter64',
    gauge: 'gauge32',
    gauge32: 'gauge32',
    unsigned32: 'gauge32',
    objectid: 'oid',
    oid: 'oid',
    ipaddress: 'ip',
  }),
);

function jsonValue(entry: unknown): SnmpValue | undefined {
  const [typeName, value] = Array.isArray(entry) ? (entry as unknown[]) : [undefined, entry];
  const word =
    typeof typeName === 'string'
      ? typeName.toLowerCase()
      : typeof typeName === 'number'
        ? String(typeName)
        : undefined;
  if (value === null || value === undefined) return undefined;
  const type =
    word === undefined
      ? typeof value === 'number'
        ? 'integer'
        : 'octets'
      : (JSON_TYPES.get(word) ?? RECORDED_TAGS.get(word) ?? 'octets');
  if (type === 'octets' || type === 'opaque') {
    if (word?.startsWith('hex') && typeof value === 'string') return { type, value: hexBytes(value) };
    if (Array.isArray(value)) return { type, value: Uint8Array.from(value as number[]) };
    if (typeof value === 'object' && Array.isArray((value as { data?: unknown }).data)) {
      return { type, value: Uint8Array.from((value as { data: number[] }).data) };
    }
    return { type, value: Buffer.from(String(value), 'utf8') };
  }
  if (type === 'oid' || type === 'ip') return { type, value: String(value).replace(/^\./, '') };
  const number = typeof value === 'number' ? value : numberIn(String(value));
  return number === undefined ? undefined : { type, value: number };
}

/** `{oid: [type, value]}`, `{oid: value}` or `[{oid, type, value}]`. */
function fromJson(document: unknown): SnmpAnswer | undefined {
  const answer = new SnmpAnswer();
  const entries: [string, unknown][] = Array.isArray(document)
    ? document.map((item: { oid?: string; type?: unknown; value?: unknown }) => [
        String(item?.oid ?? ''),
        item?.type === undefined ? item?.value : [item.type, item.value],
      ])
    : Object.entries(document as object);
  for (const [name, entry] of entries) {
    const oid = numericOid(name);
    const value = oid === undefined ? undefined : jsonValue(entry);
    if (oid !== undefined && value) answer.set(oid, value);
  }
  return answer.size === 0 ? undefined : answer;
}

/**
 * A recorded SNMP answer, or undefined when the text holds no SNMP values at all.
 * @throws PlatenError agent/recording when JSON is broken
 */
export function parseRecordedSnmp(bytes: Uint8Array, file: string): SnmpAnswer | undefined {
  const head = Buffer.from(bytes.subarray(0, 64)).toString('latin1').trimStart();
  if (head.startsWith('{') || head.startsWith('[')) {
    let document: unknown;
    try {
      document = JSON.parse(
        Buffer.from(bytes)
          .toString('utf8')
          .replace(/^\ufeff/, ''),
      );
    } catch (error) {
      throw new PlatenError('agent/recording', { file, reason: String(error) }, { cause: error });
    }
    return typeof document === 'object' && document !== null ? fromJson(document) : undefined;
  }
  const answer = new SnmpAnswer();
  const text = Buffer.from(bytes).toString('latin1');
  // -Oq leaves the equals sign out: then any line that begins with an OID is a new value.
  const quick = !/^\S+ = /m.test(text);
  let oid: string | undefined;
  let right = '';
  const flush = () => {
    const value = oid === undefined ? undefined : walkValue(right);
    if (oid !== undefined && value) answer.set(oid, value);
    oid = undefined;
  };
  for (const numbered of text.split(/\r?\n/)) {
    // Some walkers number their lines.
    const line = numbered.replace(/^\d+: (?=[\w.])/, '');
    const recorded = recordedLine(line) ?? snmpSoftLine(line);
    if (recorded) {
      flush();
      answer.set(...recorded);
      continue;
    }
    const match = /^(\S+?)\s+(?:=\s?)?(.*)$/.exec(line);
    const left = match?.[1] === undefined ? undefined : numericOid(match[1]);
    // A new value begins with an OID; any other line continues the one before (strings and hex span lines).
    if (left !== undefined && (line.includes('=') || /^\./.test(line) || quick)) {
      flush();
      oid = left;
      right = match?.[2] ?? '';
    } else if (oid !== undefined) right += `\n${line}`;
  }
  flush();
  return answer.size === 0 ? undefined : answer;
}
