/**
 * Maps an SNMP answer: Printer MIB (RFC 3805), Finisher MIB (RFC 3806), Host Resources (RFC 2790), Entity MIB
 * and the private objects of the tables. Pure; every table may be missing, short or odd.
 */
import { ALERT_GROUPS, ALERT_SEVERITIES, ALERT_TRAINING, conditionOf, type RawAlert } from './alert.ts';
import { DETECTED_ERRORS, FROM_BITS, saysTheSame } from './detected-errors.ts';
import { type DeviceId, parseDeviceId } from './keyed-text.ts';
import { boundedReading, type Condition, type ReadCounters, type Reading } from './reading.ts';
import type { FoundReadings } from './readings/found-readings.ts';
import { snmpReadings } from './readings/snmp-readings.ts';
import { intOf, OID, octetsOf, type SnmpAnswer, type SnmpValue, textOf } from './snmp-answer.ts';
import {
  charsetOf,
  columnOf,
  deviceRow,
  printerIndex,
  privateText,
  privateValue,
  rowsOf,
  tableDevice,
} from './snmp-rows.ts';
import { splitNameAndVersion, versionsInDescription } from './software-names.ts';
import { isChoiceOfTrays, namesFamily, StructureBuilder } from './structure-builder.ts';
import { expand, type Identity, type MappingTables, modelIn, modelName, type Tables } from './tables.ts';
import { meaningful } from './text.ts';

/** Whether all of the printer's alerts were read. */
export function alertsWhole(answer: SnmpAnswer, device: string): boolean {
  return !answer.brokenOff.has(OID.prtAlert) && !leftOut(answer, device).has('prtAlert');
}

const JOINED = {
  prtInput: OID.prtInput,
  prtOutput: OID.prtOutput,
  prtMarker: OID.prtMarker,
  prtMarkerSupplies: OID.prtMarkerSupplies,
  prtAlert: OID.prtAlert,
  finDevice: OID.finDevice,
} as const;

/**
 * Counts rows under a device that the host doesn't have, so that rows left out by a join are reported. Rows of the host's
 * other devices (a print server has several printers) are not counted.
 */
function leftOut(answer: SnmpAnswer, device: string): Map<keyof typeof JOINED, number> {
  const devices = new Set(answer.rows(OID.hrDevice).keys());
  const counts = new Map<keyof typeof JOINED, number>();
  for (const [name, entry] of Object.entries(JOINED) as [keyof typeof JOINED, string][]) {
    const rows = answer.rows(entry);
    const at = tableDevice(rows, device);
    for (const index of rows.keys()) {
      const dot = index.indexOf('.');
      const here = index.slice(0, dot);
      if (dot < 0 || here === at || devices.has(here)) continue;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return counts;
}

function deviceIdOf(answer: SnmpAnswer, device: string, tables: MappingTables): DeviceId | undefined {
  const told = tables.deviceIdObjects().map((oid) => answer.text(oid));
  // hrDeviceID should be an OID; some write their device id there.
  told.push(textOf(answer.rows(OID.hrDevice).get(device)?.get(4)));
  for (const text of told) {
    if (text?.includes(':')) {
      const id = parseDeviceId(text);
      if (id.model !== undefined || id.make !== undefined) return id;
    }
  }
  return undefined;
}

/** Make, model and enterprise number, before any mapping table is chosen. */
export function identify(
  answer: SnmpAnswer,
  mapping: MappingTables,
): { identity: Identity; deviceId?: DeviceId } {
  const device = printerIndex(answer);
  const deviceId = deviceIdOf(answer, device, mapping);
  const description = meaningful(textOf(answer.rows(OID.hrDevice).get(device)?.get(3)));
  const systemText = meaningful(answer.text(OID.sysDescr), 1024);
  const systemId = answer.text(OID.sysObjectId)?.replace(/^\./, '') ?? '';
  const enterprise = systemId.startsWith(`${OID.enterprises}.`) ? Number(systemId.split('.')[6]) : undefined;
  const model = deviceId?.model ?? description;
  // A partial recording may still show the make in the vendor of its trays.
  const make =
    deviceId?.make ?? (model === undefined && systemText === undefined ? vendorOfTrays(answer) : undefined);
  return {
    identity: {
      ...(make === undefined ? {} : { make }),
      ...(model === undefined ? {} : { model }),
      ...(systemText === undefined ? {} : { text: systemText }),
      ...(enterprise === undefined || !Number.isInteger(enterprise) ? {} : { enterprise }),
    },
    ...(deviceId === undefined ? {} : { deviceId }),
  };
}

function vendorOfTrays(answer: SnmpAnswer): string | undefined {
  for (const [entry, column] of [
    [OID.prtInput, 14],
    [OID.prtOutput, 8],
  ] as const) {
    for (const row of answer.rows(entry).values()) {
      const vendor = meaningful(textOf(row.get(column)));
      if (vendor !== undefined) return vendor;
    }
  }
  return undefined;
}

/** FinDeviceTypeTC (RFC 3806) to our kinds. */
const FINISHER_KINDS: Record<number, string> = {
  4: 'folder',
  5: 'binder',
  6: 'trimmer',
  7: 'die-cutter',
  8: 'puncher',
  9: 'perforator',
  10: 'slitter',
  11: 'separation-cutter',
  12: 'imprinter',
  13: 'wrapper',
  14: 'bander',
  15: 'envelope-maker',
  16: 'stacker',
  17: 'sheet-rotator',
  18: 'inserter',
};

/** finDeviceAssociatedOutputs: one octet an index by the RFC, digits as text in the field. */
function associatedOutputs(value: SnmpValue | undefined): number[] {
  const octets = octetsOf(value);
  if (!octets) return [];
  const text = Buffer.from(octets).toString('latin1').replaceAll('\0', '');
  if (/^[\d,; ]+$/.test(text))
    return text
      .split(/[,; ]+/)
      .filter(Boolean)
      .map(Number);
  return [...octets].filter((octet) => octet > 0);
}

/** Results of a full read that the following quick reads need. */
export interface SnmpContext {
  device: string;
  /** Where tables with a row a device have the printer's, and where the markers stand: see `tableDevice`. */
  general: string;
  marker: string;
  tables: Tables;
  symbols: Set<string>;
  charset: number | undefined;
  model: string | undefined;
}

/** The context of an answer that was read in full. */
export function snmpContext(answer: SnmpAnswer, mapping: MappingTables, reading: Reading): SnmpContext {
  const device = printerIndex(answer);
  const onlyRow = (entry: string) => {
    const rows = answer.rows(entry);
    return rows.has(device) || rows.size !== 1 ? device : (rows.keys().next().value ?? device);
  };
  return {
    device,
    general: onlyRow(OID.prtGeneral),
    marker: tableDevice(answer.rows(OID.prtMarker), device),
    tables: mapping.select(identify(answer, mapping).identity),
    symbols: new Set(reading.structure.units.map((unit) => unit.symbol)),
    charset: charsetOf(answer, device),
    model: reading.identity.model,
  };
}

/** Counters, supplies and trays of a read that left the structure out. */
export function readMeasured(answer: SnmpAnswer, context: SnmpContext): FoundReadings {
  const conditions = readConditions(answer, context);
  return snmpReadings(answer, {
    ...context,
    conditions,
    conditionsWhole: alertsWhole(answer, context.device),
  });
}

/** Conditions of a read: the alert table, and error bits without a matching alert. */
export function readConditions(
  answer: SnmpAnswer,
  { device, tables, symbols, charset }: Pick<SnmpContext, 'device' | 'tables' | 'symbols' | 'charset'>,
): Condition[] {
  const conditions: Condition[] = [];
  for (const [index, row] of rowsOf(answer.rows(OID.prtAlert), device)) {
    const alert = alertOfRow(String(index), row, charset);
    // A row without code and description was cut off: it says nothing yet.
    if (alert.code === undefined && !alert.description) continue;
    const condition = conditionOf(alert, tables, symbols);
    if (condition) conditions.push(condition);
  }
  const bits = octetsOf(deviceRow(answer.rows(OID.hrPrinter), device)?.get(2)) ?? new Uint8Array();
  const said = conditions.map((condition) => condition.keyword ?? '');
  DETECTED_ERRORS.forEach(([keyword, severity], bit) => {
    if (!(((bits[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1)) return;
    if (said.some((word) => saysTheSame(keyword, word))) return;
    const condition = conditionOf({ keyword, severity }, tables, symbols);
    if (condition) conditions.push({ ...condition, detail: { ...condition.detail, from: FROM_BITS } });
  });
  return conditions;
}

/** One row of prtAlertTable (or the variables of a printerV2Alert trap) as an alert. */
export function alertOfRow(index: string, row: Map<number, SnmpValue>, charset?: number): RawAlert {
  const severity = intOf(row.get(2));
  const training = intOf(row.get(3));
  const group = intOf(row.get(4));
  const alert: RawAlert = { index };
  const code = intOf(row.get(7));
  if (code !== undefined) alert.code = code;
  if (severity !== undefined) alert.severity = ALERT_SEVERITIES[severity] ?? 'other';
  if (training !== undefined) alert.training = ALERT_TRAINING[training] ?? 'other';
  if (group !== undefined) alert.group = ALERT_GROUPS[group] ?? `group-${group}`;
  const groupIndex = intOf(row.get(5));
  if (groupIndex !== undefined) alert.groupIndex = groupIndex;
  const location = intOf(row.get(6));
  if (location !== undefined) alert.location = location;
  const description = textOf(row.get(8), charset);
  if (description) alert.description = description;
  const ticks = intOf(row.get(9));
  if (ticks !== undefined && ticks > 0) alert.ticks = ticks;
  return alert;
}

/** prtMarkerCounterUnit values that count paper: impressions, sheets. */
const PAGE_UNITS = new Set([7, 8]);

export function readCounters(answer: SnmpAnswer, device: string, tables: Tables): ReadCounters {
  const counters: ReadCounters = {};
  const status = intOf(deviceRow(answer.rows(OID.hrPrinter), device)?.get(1));
  if (status !== undefined) counters.printing = status === 4;
  for (const row of rowsOf(answer.rows(OID.prtMarker), device).values()) {
    const unit = intOf(row.get(3));
    const life = intOf(row.get(4));
    // A Counter64 may be more than a report can carry.
    if (life === undefined || life < 0 || !Number.isSafeInteger(life)) continue;
    if (unit !== undefined && !PAGE_UNITS.has(unit)) continue;
    // Several markers each count their own passes; the first one is always the same one.
    counters.pages = life;
    counters.pagesBits = row.get(4)?.type === 'counter64' ? 64 : 32;
    break;
  }
  if (counters.pages === undefined) {
    const own = Number(privateText(answer, tables, 'pages'));
    if (Number.isSafeInteger(own) && own >= 0) counters.pages = own;
  }
  return counters;
}

const PRINT_SERVER =
  /ETHERNET MULTI-ENVIRONMENT|JETDIRECT|^\s*(?:ROM|EEPROM|JD\d|CIDATE|SN:|FN:|PID:|SVCID:)/i;

/** Maps an answer within bounded time, whatever its texts. */
export function snmpReading(answer: SnmpAnswer, mapping: MappingTables): Reading {
  return boundedReading(() => readingOf(answer, mapping));
}

function readingOf(answer: SnmpAnswer, mapping: MappingTables): Reading {
  const device = printerIndex(answer);
  const { identity, deviceId } = identify(answer, mapping);
  const tables = mapping.select(identity);
  const charset = charsetOf(answer, device);
  const general = deviceRow(answer.rows(OID.prtGeneral), device);
  const hrDescription = meaningful(textOf(answer.rows(OID.hrDevice).get(device)?.get(3), charset));
  const systemText = meaningful(answer.text(OID.sysDescr, charset), 1024);
  const make = deviceId?.make ?? makeIn([hrDescription, systemText], tables);
  const idModel = meaningful(deviceId?.model);
  const rawModel =
    (namesFamily(idModel) ? hrDescription : undefined) ??
    idModel ??
    privateText(answer, tables, 'model') ??
    hrDescription ??
    meaningful(textOf(general?.get(16), charset)) ??
    // Parts that name the print server don't name the printer.
    systemText?.split(/[;,]/).find((part) => !PRINT_SERVER.test(part));
  const model = rawModel === undefined ? undefined : modelName(rawModel, tables, make);
  const serial =
    meaningful(textOf(general?.get(17), charset)) ??
    privateText(answer, tables, 'serial') ??
    meaningful(deviceId?.serial);
  const hardware = privateText(answer, tables, 'hardware');
  const builder = new StructureBuilder('snmp', tables, {
    ...(make === undefined ? {} : { make }),
    ...(model === undefined ? {} : { model }),
    ...(serial === undefined ? {} : { serial }),
    ...(hardware === undefined ? {} : { hardware }),
  });
  addPaperUnits(answer, device, charset, builder);
  addFinishers(answer, device, charset, tables, builder);
  addSoftware(answer, charset, tables, builder, deviceId, systemText);
  const structure = builder.structure();
  for (const [table, count] of leftOut(answer, device)) {
    builder.missing.push({
      field: table,
      because: `${count} rows stand under another device than the printer's (${device}) and are not read.`,
    });
  }
  for (const entry of answer.brokenOff) {
    const [table = entry] = Object.entries(OID).find(([, oid]) => oid === entry) ?? [];
    builder.missing.push({ field: table, because: 'The printer broke off in the middle of this table.' });
  }
  const ofPrinterMib = [OID.prtGeneral, OID.prtMarker, OID.prtMarkerSupplies, OID.prtInput, OID.prtAlert];
  if (ofPrinterMib.every((entry) => answer.rows(entry).size === 0 && !answer.brokenOff.has(entry))) {
    builder.missing.push({
      field: 'Printer MIB',
      because: 'The printer offers no Printer MIB (or the community may not read it).',
    });
  }
  const upTimeTicks = answer.int(OID.sysUpTime);
  const conditions = readConditions(answer, { device, tables, symbols: builder.symbols, charset });
  const conditionsWhole = alertsWhole(answer, device);
  const measured = snmpReadings(answer, {
    ...{ device, tables, charset, conditions, conditionsWhole },
    model: rawModel,
  });
  return {
    source: 'snmp',
    structure,
    sources: builder.sources,
    conditions,
    conditionsWhole,
    counters: readCounters(answer, device, tables),
    measured,
    ...(upTimeTicks === undefined ? {} : { upTimeTicks }),
    identity: {
      ...(make === undefined ? {} : { make }),
      ...(model === undefined ? {} : { model }),
      tables: tables.names,
      ...(serial === undefined ? {} : { serials: { snmp: serial } }),
    },
    missing: [...builder.missing, ...measured.missing],
  };
}

/** The make whose name begins one of the texts. */
function makeIn(texts: (string | undefined)[], tables: Tables): string | undefined {
  return tables.makeNames.find((name) =>
    texts.some((text) => text?.toLowerCase().startsWith(name.toLowerCase())),
  );
}

/** Trays and bins, whose tables have the same fields in different columns. */
function addPaperUnits(
  answer: SnmpAnswer,
  device: string,
  charset: number | undefined,
  builder: StructureBuilder,
): void {
  const tables = [
    {
      entry: OID.prtInput,
      symbol: 'input',
      name: 13,
      vendor: 14,
      model: 15,
      version: 16,
      serial: 17,
      description: 18,
    },
    {
      entry: OID.prtOutput,
      symbol: 'output',
      name: 7,
      vendor: 8,
      model: 9,
      version: 10,
      serial: 11,
      description: 12,
    },
  ];
  for (const table of tables) {
    for (const [number, row] of rowsOf(answer.rows(table.entry), device)) {
      const text = (column: number) => meaningful(textOf(row.get(column), charset));
      const model = text(table.model);
      const name = text(table.name) ?? text(table.description) ?? `${table.symbol} ${number}`;
      if (model === undefined && isChoiceOfTrays(name)) continue;
      const serial = text(table.serial);
      const unit = builder.addUnit({
        symbol: `${table.symbol}.${number}`,
        kind: table.symbol === 'input' ? 'tray' : 'output',
        ...(model === undefined ? {} : { model }),
        name,
        ...(serial === undefined ? {} : { serial }),
      });
      const version = text(table.version);
      if (unit && version !== undefined) builder.addUnitVersion(unit, version, text(table.vendor));
    }
  }
}

function addFinishers(
  answer: SnmpAnswer,
  device: string,
  charset: number | undefined,
  tables: Tables,
  builder: StructureBuilder,
): void {
  const outputs = rowsOf(answer.rows(OID.prtOutput), device);
  const seen = new Set<string>();
  for (const [number, row] of rowsOf(answer.rows(OID.finDevice), device)) {
    if (intOf(row.get(3)) === 5) continue; // finDevicePresentOnOff notPresent
    const description = meaningful(textOf(row.get(10), charset));
    const kind = FINISHER_KINDS[intOf(row.get(2)) ?? 2] ?? 'finisher';
    // The Finisher MIB has neither model nor serial: the output that the device works on has them.
    const output = associatedOutputs(row.get(8))
      .map((index) => outputs.get(index))
      .find((candidate) => meaningful(textOf(candidate?.get(9), charset)) !== undefined);
    const model = modelIn(description, tables) ?? meaningful(textOf(output?.get(9), charset));
    const serial = meaningful(textOf(output?.get(11), charset));
    // Stapler, puncher and folder of one finisher are functions of one unit.
    const same = model === undefined ? undefined : `${model}\0${serial ?? ''}`;
    if (same !== undefined && seen.has(same)) continue;
    if (same !== undefined) seen.add(same);
    builder.addUnit({
      symbol: `finisher.${number}`,
      kind,
      ...(model === undefined ? {} : { model }),
      ...(description === undefined ? {} : { name: description }),
      ...(serial === undefined ? {} : { serial }),
    });
  }
}

function addSoftware(
  answer: SnmpAnswer,
  charset: number | undefined,
  tables: Tables,
  builder: StructureBuilder,
  deviceId: DeviceId | undefined,
  systemText: string | undefined,
): void {
  for (const row of answer.rows(OID.hrSWInstalled).values()) {
    const text = meaningful(textOf(row.get(2), charset), 512);
    if (text === undefined) continue;
    const { name, version } = splitNameAndVersion(text, builder.models);
    builder.addSoftware(name, version);
  }
  for (const row of answer.rows(OID.entPhysical).values()) {
    const version = meaningful(textOf(row.get(9), charset)) ?? meaningful(textOf(row.get(10), charset));
    const name = meaningful(textOf(row.get(7), charset)) ?? meaningful(textOf(row.get(2), charset));
    if (version !== undefined && name !== undefined) builder.addSoftware(name, version);
  }
  let descriptionIsKnown = false;
  for (const rule of tables.objects) {
    if (rule.is === 'versions' && rule.names !== undefined)
      addVersionTable(answer, rule.oid, rule.names, charset, builder);
    if (rule.is === 'version-pairs') addVersionPairs(answer, rule.oid, charset, builder);
    if (rule.is !== 'version') continue;
    const whole = meaningful(textOf(privateValue(answer, rule.oid), charset), 512);
    if (whole === undefined) continue;
    const version = rule.fits.pattern ? expand(rule.fits.pattern, whole, '$1') : whole;
    if (!version) continue;
    builder.addSoftware(rule.name ?? 'Firmware', version);
    if (rule.oid === OID.sysDescr) descriptionIsKnown = true;
  }
  // sysDescr is the last resort: network cards put their own versions there. A mapping table that parses it takes precedence.
  const described = systemText === undefined || descriptionIsKnown ? [] : versionsInDescription(systemText);
  for (const { name, version } of described) {
    if (described.length > 1 || !builder.hasApparatusSoftware) builder.addSoftware(name, version);
  }
  const firmware = meaningful(deviceId?.firmware);
  if (firmware !== undefined && !builder.hasApparatusSoftware) builder.addSoftware('Firmware', firmware);
}

/** A private table of firmware: one column of names, one of versions, the same index. */
function addVersionTable(
  answer: SnmpAnswer,
  versionColumn: string,
  nameColumn: string,
  charset: number | undefined,
  builder: StructureBuilder,
): void {
  for (const [index, value] of columnOf(answer, nameColumn)) {
    const name = meaningful(textOf(value, charset), 512)?.replace(/\s+version$/i, '');
    const version = meaningful(textOf(answer.values.get(`${versionColumn}.${index}`), charset));
    if (name !== undefined && version !== undefined && version.toLowerCase() !== 'registered') {
      builder.addSoftware(name, version);
    }
  }
}

/** A private column of lines `FIRMID="MAIN"` and `FIRMVER="1.15"`: each version belongs to the name before it. */
function addVersionPairs(
  answer: SnmpAnswer,
  column: string,
  charset: number | undefined,
  builder: StructureBuilder,
): void {
  let name: string | undefined;
  for (const [, value] of columnOf(answer, column)) {
    const pair = /^([A-Z_]+)\s*=\s*"?(.*?)"?\s*$/i.exec(textOf(value, charset) ?? '');
    if (pair?.[1] === undefined) continue;
    const key = pair[1].toUpperCase();
    if (key.endsWith('ID')) name = meaningful(pair[2]);
    else if (key.endsWith('VER') && name !== undefined) {
      builder.addSoftware(name, meaningful(pair[2]));
      name = undefined;
    }
  }
}
