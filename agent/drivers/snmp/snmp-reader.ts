/** Reads a printer over SNMP: occasionally everything, and in between one packet with the values that change often. */

import type { ObjectRule } from '../../../schemas/types.ts';
import { withinSteps } from '../../mapping/pattern.ts';
import { READING_STEPS_MAX, type Reading } from '../../mapping/reading.ts';
import { type FoundReadings, withoutReasons } from '../../mapping/readings/found-readings.ts';
import { OID, SnmpAnswer, type SnmpValue } from '../../mapping/snmp-answer.ts';
import {
  alertsWhole,
  identify,
  readConditions,
  readCounters,
  readMeasured,
  type SnmpContext,
  snmpContext,
  snmpReading,
} from '../../mapping/snmp-reading.ts';
import { tableDevice } from '../../mapping/snmp-rows.ts';
import type { MappingTables, Tables } from '../../mapping/tables.ts';
import { PRINTER_PORTS, takesConnections } from '../alive.ts';
import { DRIVER_LIMITS } from '../limits.ts';
import { ErrorAnswer, type QuickReading, type Reader } from '../reader.ts';
import { type SnmpAccess, SnmpSession } from './session.ts';
import { NoAnswer, type SnmpRequests, walkColumns } from './walk.ts';

const columns = (entry: string, numbers: number[]) => numbers.map((number) => `${entry}.${number}`);

/** Columns that are walked together, table by table. */
const GROUPS: string[][] = [
  [...columns(OID.hrDevice, [2, 3, 4, 5]), ...columns(OID.hrPrinter, [1, 2])],
  [...columns(OID.prtGeneral, [1, 2, 16, 17]), ...columns(OID.prtLocalization, [4])],
  columns(OID.prtAlert, [2, 3, 4, 5, 6, 7, 8, 9]),
  columns(OID.prtInput, [8, 9, 10, 12, 13, 14, 15, 16, 17, 18]),
  columns(OID.prtOutput, [4, 5, 7, 8, 9, 10, 11, 12]),
  [
    ...columns(OID.prtMarker, [2, 3, 4]),
    ...columns(OID.prtCover, [3]),
    ...columns(OID.prtMarkerColorant, [4]),
  ],
  columns(OID.prtMarkerSupplies, [3, 5, 6, 7, 8, 9]),
  [...columns(OID.ifEntry, [3, 6]), ...columns(OID.ipAddress, [1])],
  columns(OID.finDevice, [2, 3, 8, 10]),
  columns(OID.hrSWInstalled, [2]),
  columns(OID.entPhysical, [2, 7, 9, 10]),
];

const SYSTEM = [OID.sysDescr, OID.sysObjectId, OID.sysUpTime, OID.sysContact, OID.sysName, OID.sysLocation];

/** The columns that readings need: without names and versions of units. */
const MEASURED_GROUPS: string[][] = [
  [
    ...columns(OID.hrDevice, [5]),
    ...columns(OID.hrPrinter, [1, 2]),
    ...columns(OID.prtOutput, [4, 5]),
    ...columns(OID.prtCover, [3]),
    ...columns(OID.prtMarkerColorant, [4]),
  ],
  columns(OID.prtAlert, [2, 3, 4, 5, 6, 7, 8, 9]),
  [...columns(OID.prtInput, [8, 9, 10, 12, 13, 15, 18]), ...columns(OID.prtMarker, [2, 3, 4])],
  columns(OID.prtMarkerSupplies, [3, 5, 6, 7, 8, 9]),
];

const ALERT_COLUMNS = columns(OID.prtAlert, [2, 3, 4, 5, 6, 7, 8, 9]);

/** Objects asked for in one GET. */
const GET_MAX = 12;

/** Rules that name columns of tables; the others name single objects. */
const COLUMNS_OF_RULES = new Set<ObjectRule['is']>(['versions', 'version-pairs', 'counters']);

/** Reads objects by GET, a few at a time. When time runs out, the private objects count as broken off. */
async function getInto(
  requests: SnmpRequests,
  oids: string[],
  answer: SnmpAnswer,
  timeIsUp: () => boolean,
): Promise<void> {
  for (let i = 0; i < oids.length; i += GET_MAX) {
    if (timeIsUp()) {
      answer.brokenOff.add(OID.enterprises);
      return;
    }
    for (const [oid, value] of await requests.get(oids.slice(i, i + GET_MAX))) answer.set(oid, value);
  }
}

/** Reads counters and supplies of a printer whose structure is known. */
export async function readSnmpMeasured(
  requests: SnmpRequests,
  { objects }: Tables,
  now: () => number = Date.now,
): Promise<SnmpAnswer> {
  const answer = new SnmpAnswer();
  const endMs = now() + DRIVER_LIMITS.snmpReadMs;
  const timeIsUp = () => now() >= endMs;
  await getInto(requests, SYSTEM, answer, timeIsUp);
  for (const group of MEASURED_GROUPS) await walkColumns(requests, group, answer, timeIsUp);
  try {
    const counted = objects.filter(({ is }) => is === 'pages' || is === 'counter' || is === 'asset-tag');
    await getInto(requests, [...new Set(counted.map(({ oid }) => oid))], answer, timeIsUp);
    for (const { is, names, oid } of objects) {
      if (is === 'counters' && names !== undefined)
        await walkColumns(requests, [names, oid], answer, timeIsUp);
    }
  } catch (error) {
    // As in a full read, private objects are optional.
    answer.brokenOff.add(OID.enterprises);
    if (error instanceof NoAnswer && answer.size === 0) throw error;
  }
  return answer;
}

/** Reads everything. Rejects with NoAnswer when nothing comes. */
export async function readSnmp(
  requests: SnmpRequests,
  mapping: MappingTables,
  now: () => number = Date.now,
): Promise<SnmpAnswer> {
  const answer = new SnmpAnswer();
  const endMs = now() + DRIVER_LIMITS.snmpReadMs;
  // Bounds the read of a printer that is slow with every packet.
  const timeIsUp = () => now() >= endMs;
  const get = (oids: string[]) => getInto(requests, oids, answer, timeIsUp);
  await get(SYSTEM);
  for (const group of GROUPS) await walkColumns(requests, group, answer, timeIsUp);
  // Private objects are optional: a printer may refuse them.
  try {
    await get(mapping.deviceIdObjects());
    const { objects } = mapping.select(identify(answer, mapping).identity);
    const scalars = objects.filter((rule) => !COLUMNS_OF_RULES.has(rule.is));
    await get([...new Set(scalars.map((rule) => rule.oid))].filter((oid) => !answer.values.has(oid)));
    for (const rule of objects) {
      if ((rule.is === 'versions' || rule.is === 'counters') && rule.names !== undefined)
        await walkColumns(requests, [rule.names, rule.oid], answer, timeIsUp);
      else if (rule.is === 'version-pairs') await walkColumns(requests, [rule.oid], answer, timeIsUp);
    }
  } catch (error) {
    answer.brokenOff.add(OID.enterprises);
    if (error instanceof NoAnswer && answer.size === 0) throw error;
  }
  if (answer.size === 0)
    throw new ErrorAnswer('the printer answers, but shows nothing to this community or user');
  return answer;
}

export class SnmpReader implements Reader {
  readonly kind = 'snmp';
  readonly url: string;
  private readonly host: string;
  private readonly ports: number[];
  private readonly session: SnmpSession;
  private readonly mapping: MappingTables;
  private context: SnmpContext | undefined;
  /** The last prtGeneralConfigChanges: another number means another configuration. */
  private configChanges: number | undefined;
  /** The last prtGeneralSerialNumber: another one means another printer at this address. */
  private serial: string | undefined;
  /** Alert rows that arrived as traps since the last read, by index. */
  private readonly trapped = new Map<string, Map<number, SnmpValue>>();
  private nudge: (() => void) | undefined;

  /** `ports` are open while the printer's SNMP sleeps. */
  constructor(access: SnmpAccess, mapping: MappingTables, ports: number[] = PRINTER_PORTS) {
    this.host = access.host;
    this.ports = ports;
    this.url = `snmp://${access.host}:${access.port}`;
    this.session = new SnmpSession(access);
    this.mapping = mapping;
  }

  async knock(): Promise<void> {
    await this.session.get([OID.sysUpTime]);
  }

  alive(): Promise<boolean> {
    return takesConnections(this.host, this.ports);
  }

  async read(): Promise<Reading> {
    const answer = await readSnmp(this.session, this.mapping);
    this.addTrapped(answer);
    const reading = snmpReading(answer, this.mapping);
    this.context = snmpContext(answer, this.mapping, reading);
    this.configChanges = answer.int(`${OID.prtGeneral}.1.${this.context.general}`);
    this.serial = answer.text(`${OID.prtGeneral}.17.${this.context.general}`);
    for (const because of this.session.habits) reading.missing.push({ field: 'SNMP', because });
    return reading;
  }

  /**
   * One GETBULK: up-time, configuration count, state, life counter, and eight alerts; more only when there are more.
   */
  async readQuick(): Promise<QuickReading> {
    const { context } = this;
    if (!context) return { ...(await this.read()), structureMayDiffer: true };
    const { device, general, marker } = context;
    // GETNEXT of the OID just before the row.
    const before = (column: string, index: string) =>
      Number(index) > 0 ? `${column}.${Number(index) - 1}` : column;
    const single = [
      OID.sysUpTime.slice(0, -2),
      before(`${OID.prtGeneral}.1`, general),
      before(`${OID.prtGeneral}.17`, general),
      before(`${OID.hrPrinter}.1`, device),
      before(`${OID.hrPrinter}.2`, device),
      `${OID.prtMarker}.3.${marker}`,
      `${OID.prtMarker}.4.${marker}`,
    ];
    const entries = [OID.prtGeneral, OID.hrPrinter, OID.prtMarker];
    const answer = new SnmpAnswer();
    const lists = await this.session.bulk([...single, ...ALERT_COLUMNS], single.length, 8);
    single.forEach((oid, i) => {
      const item = lists[i]?.[0];
      if (!item || item[1].type === 'null') return;
      // Markers are requested below their device, the others below their column.
      const entry = entries.find((each) => oid.startsWith(`${each}.`));
      const column = entry && `${entry}.${oid.slice(entry.length + 1).split('.')[0]}`;
      if (item[0].startsWith(oid.startsWith(OID.prtMarker) || !column ? `${oid}.` : `${column}.`)) {
        answer.set(...item);
      }
    });
    let more = false;
    ALERT_COLUMNS.forEach((column, i) => {
      const list = lists[single.length + i] ?? [];
      for (const item of list) {
        if (item?.[0].startsWith(`${column}.`) && item[1].type !== 'null') answer.set(...item);
      }
      // Whether the column ended within the response; an empty list was cut off.
      const last = list[list.length - 1];
      if (list.length === 0 || last?.[0].startsWith(`${column}.`)) more = true;
    });
    if (more) await walkColumns(this.session, ALERT_COLUMNS, answer);
    this.addTrapped(answer);
    const changes = answer.int(`${OID.prtGeneral}.1.${general}`);
    const serial = answer.text(`${OID.prtGeneral}.17.${general}`);
    const structureMayDiffer =
      (changes !== undefined && changes !== this.configChanges) ||
      (serial !== undefined && serial !== this.serial);
    const upTimeTicks = answer.int(OID.sysUpTime);
    const { result: conditions, enough } = withinSteps(READING_STEPS_MAX, () =>
      readConditions(answer, context),
    );
    return {
      conditions,
      conditionsWhole: enough && alertsWhole(answer, device),
      counters: readCounters(answer, device, context.tables),
      ...(upTimeTicks === undefined ? {} : { upTimeTicks }),
      structureMayDiffer,
    };
  }

  async readReadings(): Promise<FoundReadings | undefined> {
    const { context } = this;
    if (!context) return (await this.read()).measured;
    const answer = await readSnmpMeasured(this.session, context.tables);
    const { result, enough } = withinSteps(READING_STEPS_MAX, () => readMeasured(answer, context));
    return enough ? result : withoutReasons(result);
  }

  /** An alert announced by a trap did happen, even if it has left the table again. */
  private addTrapped(answer: SnmpAnswer): void {
    // Next to existing rows, so that both are read.
    const device = tableDevice(answer.rows(OID.prtAlert), this.context?.device ?? '1');
    for (const [index, row] of this.trapped) {
      if (answer.values.has(`${OID.prtAlert}.7.${device}.${index}`)) continue;
      for (const [column, value] of row) answer.set(`${OID.prtAlert}.${column}.${device}.${index}`, value);
    }
    this.trapped.clear();
  }

  /** Takes a trap's variables; called by the process's trap receiver. */
  trap(variables: [string, SnmpValue][]): void {
    for (const [oid, value] of variables) {
      const match = /^1\.3\.6\.1\.2\.1\.43\.18\.1\.1\.(\d+)\.\d+\.(\d+)$/.exec(oid);
      if (!match?.[1] || !match[2]) continue;
      if (this.trapped.size >= DRIVER_LIMITS.conditionsMax && !this.trapped.has(match[2])) continue;
      const row = this.trapped.get(match[2]) ?? new Map<number, SnmpValue>();
      row.set(Number(match[1]), value);
      this.trapped.set(match[2], row);
    }
    this.nudge?.();
  }

  onNudge(nudge: () => void): void {
    this.nudge = nudge;
  }

  close(): Promise<void> {
    this.session.close();
    return Promise.resolve();
  }
}
