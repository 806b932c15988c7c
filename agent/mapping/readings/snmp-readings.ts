/**
 * Counters, supplies, trays and facts in an SNMP answer: Printer MIB (RFC 3805), Host Resources (RFC 2790), IF-MIB, and
 * the makers' own counters known to the tables. Pure. What could not be read is left out and reported as missing: a missing
 * value says nothing, but an empty list would say that the printer has none.
 */
import type { Condition } from '../reading.ts';
import {
  intOf,
  OID,
  octetsOf,
  type SnmpAnswer,
  type SnmpRows,
  type SnmpValue,
  textOf,
} from '../snmp-answer.ts';
import { columnOf, deviceRow, privateValue, rowsOf, tableDevice } from '../snmp-rows.ts';
import { isChoiceOfTrays } from '../structure-builder.ts';
import type { Tables } from '../tables.ts';
import { clip, meaningful } from '../text.ts';
import {
  type FoundReadings,
  type Level,
  levelOf,
  ReadingsBuilder,
  SUPPLIES_MAX,
  type SupplyState,
  stateOfLevel,
} from './found-readings.ts';
import { colorOf, kindOfCartridge, kindOfType, kindOfWords, measureOf, numbersIn } from './supply-words.ts';

export interface SnmpReadingsContext {
  device: string;
  tables: Tables;
  charset: number | undefined;
  /** Texts that name the printer, for supplies that say no more than "cartridge". */
  model: string | undefined;
  conditions: Condition[];
  /** Whether the conditions are all that hold. */
  conditionsWhole: boolean;
}

type Row = Map<number, SnmpValue>;

/** A table of the printer with where its rows stand. */
interface Place {
  rows: Map<number, Row>;
  oid(column: number, index: number): string;
  broken: boolean;
}

function placeOf(answer: SnmpAnswer, entry: string, device: string): Place {
  const all: SnmpRows = answer.rows(entry);
  const at = tableDevice(all, device);
  return {
    rows: rowsOf(all, device),
    oid: (column, index) =>
      `${entry}.${column}.${all.has(`${at}.${index}`) ? `${at}.${index}` : String(index)}`,
    broken: answer.brokenOff.has(entry),
  };
}

const MARKER_SUPPLIES_GROUP = 11;

/** State of a supply by PrtAlertCodeTC of an alert in the group markerSupplies. */
const STATE_BY_ALERT = new Map<number, SupplyState>([
  [9, 'missing'], // subunitMissing
  [10, 'low'], // subunitLifeAlmostOver
  [11, 'empty'], // subunitLifeOver
  [12, 'low'], // subunitAlmostEmpty
  [13, 'empty'], // subunitEmpty
  [14, 'low'], // subunitAlmostFull
  [15, 'full'], // subunitFull
  [1101, 'empty'], // markerTonerEmpty
  [1102, 'empty'], // markerInkEmpty
  [1103, 'empty'], // markerPrintRibbonEmpty
  [1104, 'low'], // markerTonerAlmostEmpty
  [1105, 'low'], // markerInkAlmostEmpty
  [1106, 'low'], // markerPrintRibbonAlmostEmpty
  [1107, 'low'], // markerWasteTonerReceptacleAlmostFull
  [1108, 'low'], // markerWasteInkReceptacleAlmostFull
  [1109, 'full'], // markerWasteTonerReceptacleFull
  [1110, 'full'], // markerWasteInkReceptacleFull
  [1111, 'low'], // markerOpcLifeAlmostOver
  [1112, 'empty'], // markerOpcLifeOver
  [1113, 'low'], // markerDeveloperAlmostEmpty
  [1114, 'empty'], // markerDeveloperEmpty
  [1115, 'missing'], // markerTonerCartridgeMissing
]);
/** States from the best to the worst. */
const WORSE: SupplyState[] = ['ok', 'low', 'full', 'empty', 'missing'];

function saidOfSupplies(answer: SnmpAnswer, device: string): Map<number, SupplyState> {
  const said = new Map<number, SupplyState>();
  for (const row of rowsOf(answer.rows(OID.prtAlert), device).values()) {
    if (intOf(row.get(4)) !== MARKER_SUPPLIES_GROUP) continue;
    const supply = intOf(row.get(5));
    const state = STATE_BY_ALERT.get(intOf(row.get(7)) ?? 0);
    if (supply === undefined || state === undefined) continue;
    const before = said.get(supply);
    if (before === undefined || WORSE.indexOf(state) > WORSE.indexOf(before)) said.set(supply, state);
  }
  return said;
}

/** State of the toner by the detected-error bits; only unambiguous when the printer has one toner. */
function bitsOfToner(answer: SnmpAnswer, device: string): SupplyState | undefined {
  const bits = octetsOf(deviceRow(answer.rows(OID.hrPrinter), device)?.get(2))?.[0] ?? 0;
  if (bits & 0x10) return 'empty';
  return bits & 0x20 ? 'low' : undefined;
}

/** prtMarkerMarkTech: electrophotographic (3 to 5) is toner, inkjet and pen (12 to 15) ink. */
function kindByTechnology(answer: SnmpAnswer, device: string): string | undefined {
  for (const row of rowsOf(answer.rows(OID.prtMarker), device).values()) {
    const technology = intOf(row.get(2)) ?? 0;
    if (technology >= 3 && technology <= 5) return 'toner';
    if (technology >= 12 && technology <= 15) return 'ink';
  }
  return undefined;
}

function addSupplies(answer: SnmpAnswer, context: SnmpReadingsContext, builder: ReadingsBuilder): void {
  const { device, charset, model, conditionsWhole } = context;
  const table = placeOf(answer, OID.prtMarkerSupplies, device);
  if (table.broken) builder.miss('supplies', 'The printer broke off in the middle of its supplies.');
  const colorants = placeOf(answer, OID.prtMarkerColorant, device);
  const said = saidOfSupplies(answer, device);
  const found: { index: number; row: Row; description: string | undefined; kind: string }[] = [];
  const technology = kindByTechnology(answer, device);
  // One more than are kept, so that the surplus is reported.
  for (const [index, row] of [...table.rows].slice(0, SUPPLIES_MAX + 1)) {
    // The table broke off before its level: "unknown" would be the printer's word, so leave the supply out.
    if (table.broken && row.get(9) === undefined) continue;
    const description = meaningful(textOf(row.get(6), charset));
    const words = kindOfWords(description);
    const told = kindOfType(intOf(row.get(5)));
    // "Waste" in its name outweighs a type that says toner; a type outweighs all other words.
    const kind = (words === 'waste' ? words : undefined) ?? told ?? words ?? 'other';
    found.push({
      index,
      row,
      description,
      kind: kind === 'cartridge' ? (technology ?? kindOfCartridge(model)) : kind,
    });
  }
  const toners = found.filter(({ kind }) => kind === 'toner').length;
  for (const { index, row, description, kind } of found) {
    const { measure, factor } = measureOf(intOf(row.get(7)));
    const rawCapacity = intOf(row.get(8));
    const level = levelOf(intOf(row.get(9)), rawCapacity, factor);
    const rawLevel = intOf(row.get(9)) ?? -2;
    if (rawLevel >= 0 && level.level === undefined) {
      builder.miss(`supply.${index}.level`, `A level of ${rawLevel} of ${rawCapacity} means nothing.`);
    }
    const numbers = description === undefined ? {} : numbersIn(description);
    const colored = kind === 'toner' || kind === 'ink' || kind === 'drum' || kind === 'developer';
    const colorant = intOf(row.get(3)) ?? 0;
    const colorantText = colored ? textOf(colorants.rows.get(colorant)?.get(4), charset) : undefined;
    const color = colorOf(description, colored) ?? colorOf(colorantText, true);
    const bits = kind === 'toner' && toners === 1 ? bitsOfToner(answer, device) : undefined;
    const oid = (column: number) => (row.has(column) ? table.oid(column, index) : undefined);
    const described = colorOf(description, colored) !== undefined;
    builder.supply(
      {
        symbol: `supply.${index}`,
        kind,
        color,
        model: numbers.part ?? description,
        serial: numbers.serial,
        measure,
        ...level,
        state: stateOfLevel(level, kind, said.get(index) ?? bits, conditionsWhole),
      },
      {
        kind: kindOfType(intOf(row.get(5))) === undefined ? oid(6) : oid(5),
        color: color === undefined ? undefined : described ? oid(6) : colorants.oid(4, colorant),
        model: oid(6),
        serial: numbers.serial === undefined ? undefined : oid(6),
        level: oid(9),
        capacity: oid(8),
        measure: oid(7),
      },
    );
  }
}

const UNIT_SHEETS = 8;

/** Content of a tray in sheets; other units only show whether there is something. */
function sheetsOf(row: Row): Level {
  const unit = intOf(row.get(8));
  const level = intOf(row.get(10));
  if (unit === undefined || unit === UNIT_SHEETS || unit <= 2) return levelOf(level, intOf(row.get(9)));
  if (level === 0) return { level: 0, known: 'exact' };
  return { known: (level ?? -2) > 0 || level === -3 ? 'some' : 'unknown' };
}

function addInputs(
  answer: SnmpAnswer,
  { device, charset }: SnmpReadingsContext,
  builder: ReadingsBuilder,
): void {
  const table = placeOf(answer, OID.prtInput, device);
  if (table.broken) builder.miss('inputs', 'The printer broke off in the middle of its trays.');
  for (const [index, row] of table.rows) {
    if (!row.has(9) && !row.has(10)) continue;
    if (table.broken && !row.has(10)) continue;
    const text = (column: number) => meaningful(textOf(row.get(column), charset));
    if (text(15) === undefined && isChoiceOfTrays(text(13) ?? text(18))) continue;
    const oid = (column: number) => (row.has(column) ? table.oid(column, index) : undefined);
    builder.input(
      { symbol: `input.${index}`, ...sheetsOf(row), media: text(12) },
      { level: oid(10), capacity: oid(9), media: oid(12) },
    );
  }
}

const UNIT_IMPRESSIONS = 7;

function addCounters(
  answer: SnmpAnswer,
  { device, tables }: SnmpReadingsContext,
  builder: ReadingsBuilder,
): void {
  const table = placeOf(answer, OID.prtMarker, device);
  if (table.broken) builder.miss('counters', 'The printer broke off in the middle of its markers.');
  for (const [index, row] of table.broken ? [] : table.rows) {
    const unit = intOf(row.get(3));
    const life = intOf(row.get(4));
    if (life === undefined || (unit !== undefined && unit !== UNIT_IMPRESSIONS && unit !== UNIT_SHEETS))
      continue;
    // Several markers each count their own passes; the first one is always the same one.
    builder.counter(unit === UNIT_SHEETS ? 'sheets' : 'impressions', life, table.oid(4, index));
    break;
  }
  // A sum without one of its parts would look like a reset.
  const whole = !answer.brokenOff.has(OID.enterprises);
  const sums = new Map<string, { value: number; from: string[] }>();
  for (const rule of tables.objects) {
    if (rule.is === 'counters' && rule.names !== undefined) {
      addCounterTable(answer, rule.oid, rule.names, tables, builder);
    }
    const name = rule.is === 'pages' ? 'impressions' : rule.is === 'counter' ? rule.name : undefined;
    if (name === undefined) continue;
    const value = intOf(privateValue(answer, rule.oid));
    if (value === undefined) continue;
    if (rule.is === 'pages') {
      builder.counter(name, value, rule.oid);
      continue;
    }
    if (value < 0) continue;
    const sum = sums.get(name) ?? { value: 0, from: [] };
    sums.set(name, { value: sum.value + value, from: [...sum.from, rule.oid] });
  }
  for (const [name, { value, from }] of sums) {
    if (whole || from.length === 1) builder.counter(name, value, from.join(' + '));
    else builder.miss(`counters.${name}`, 'The printer did not answer for all parts of this sum.');
  }
}

/** A private table of counters: one column of names, one of values, the same index. */
function addCounterTable(
  answer: SnmpAnswer,
  values: string,
  names: string,
  tables: Tables,
  builder: ReadingsBuilder,
): void {
  for (const [index, value] of columnOf(answer, names)) {
    const text = meaningful(textOf(value), 128);
    if (text === undefined) continue;
    const rule = tables.counters.find(({ fits }) => fits.pattern?.test(text));
    if (rule)
      builder.counter(rule.name, intOf(answer.values.get(`${values}.${index}`)), `${values}.${index}`);
  }
}

const STATE_BY_STATUS = new Map<number, 'idle' | 'processing'>([
  [3, 'idle'],
  [4, 'processing'],
  [5, 'idle'], // warmup: it does nothing yet
]);
const DEVICE_DOWN = 5;
/** Detected errors that stop a printer: no paper, no toner, door open, jam, offline, service. */
const STOPPING_BITS = 0x5f;

function addState(answer: SnmpAnswer, context: SnmpReadingsContext, builder: ReadingsBuilder): void {
  const { device, charset, conditions, conditionsWhole } = context;
  const printer = deviceRow(answer.rows(OID.hrPrinter), device);
  const status = intOf(printer?.get(1));
  const down = intOf(answer.rows(OID.hrDevice).get(device)?.get(5)) === DEVICE_DOWN;
  const bits = octetsOf(printer?.get(2))?.[0] ?? 0;
  const from = `${OID.hrPrinter}.1.${device}`;
  if (down || (status === 1 && bits & STOPPING_BITS)) builder.is('stopped', from);
  else builder.is(STATE_BY_STATUS.get(status ?? 0), from);
  if (!conditionsWhole) {
    builder.miss('reasons', 'Not all alerts could be read, so that nothing is said about why.');
    return;
  }
  const reasons = conditions
    .filter(({ severity }) => severity !== 'info')
    .map(({ keyword, code }) => keyword ?? code);
  const covers = placeOf(answer, OID.prtCover, device);
  for (const [, row] of covers.rows) {
    const cover = intOf(row.get(3));
    if (reasons.some((reason) => /(?:cover|door|interlock)-open$/.test(reason))) break;
    // coverOpen and interlockOpen; a text says so where the number is the maker's own.
    if (cover === 3 || (cover === undefined && /\bopen\b/i.test(textOf(row.get(3), charset) ?? '')))
      reasons.push('cover-open');
    else if (cover === 5) reasons.push('interlock-open');
  }
  for (const [, row] of placeOf(answer, OID.prtOutput, device).rows) {
    if (intOf(row.get(5)) === 0 && (intOf(row.get(4)) ?? 0) > 0) reasons.push('output-area-full');
  }
  builder.because(reasons, `${OID.prtAlert} ${OID.hrPrinter}.2 ${OID.prtCover}.3 ${OID.prtOutput}.5`);
}

/** A hardware address as `00:1b:a9:…`; from six octets, or from a text of six pairs. */
function macOf(value: SnmpValue | undefined): string | undefined {
  const octets = octetsOf(value);
  if (!octets) return undefined;
  const text = octets.length > 6 ? clip(Buffer.from(octets).toString('latin1').trim(), 32) : '';
  const pairs = /^[0-9a-f]{1,2}(?:[:\s-][0-9a-f]{1,2}){5}$/i.test(text)
    ? text.split(/[:\s-]/).map((pair) => pair.toLowerCase().padStart(2, '0'))
    : octets.length === 6
      ? [...octets].map((octet) => octet.toString(16).padStart(2, '0'))
      : undefined;
  return pairs?.some((pair) => pair !== '00' && pair !== 'ff') ? pairs.join(':') : undefined;
}

const WIRED = 6;
const WIRELESS = 71;

function addFacts(answer: SnmpAnswer, context: SnmpReadingsContext, builder: ReadingsBuilder): void {
  const { charset, tables } = context;
  builder.fact('hostname', answer.text(OID.sysName, charset), OID.sysName);
  builder.fact('location', answer.text(OID.sysLocation, charset), OID.sysLocation);
  builder.fact('contact', answer.text(OID.sysContact, charset), OID.sysContact);
  for (const rule of tables.objects) {
    if (rule.is === 'asset-tag')
      builder.fact('assetTag', textOf(privateValue(answer, rule.oid), charset), rule.oid);
  }
  const interfaces = [...answer.rows(OID.ifEntry)];
  for (const type of [WIRED, WIRELESS, undefined]) {
    for (const [index, row] of interfaces) {
      if (intOf(row.get(3)) === type) builder.fact('mac', macOf(row.get(6)), `${OID.ifEntry}.6.${index}`);
    }
  }
  for (const [address] of answer.rows(OID.ipAddress)) {
    if (!/^(?:127|0|169\.254)\./.test(address))
      builder.fact('address', address, `${OID.ipAddress}.1.${address}`);
  }
}

export function snmpReadings(answer: SnmpAnswer, context: SnmpReadingsContext): FoundReadings {
  const builder = new ReadingsBuilder();
  addState(answer, context, builder);
  addCounters(answer, context, builder);
  addSupplies(answer, context, builder);
  addInputs(answer, context, builder);
  addFacts(answer, context, builder);
  return builder.build();
}
