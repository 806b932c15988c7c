/**
 * The state of one printer (or of the rules not kept by printer) as JSON for the store. A lane's sightings stand once
 * in a table, pending ones first, and are referred to by their index.
 */
import type { CohortState } from './cohort.ts';
import type { CompiledRules, RuleGroup } from './compile.ts';
import type { PrinterContext } from './context.ts';
import type { KeyScope, KeyState, TroubleLife } from './key-state.ts';
import { Lane, LaneState } from './lane.ts';
import type { Odometer } from './odometer.ts';
import type { CompiledRule } from './rule.ts';
import type { Sighting } from './sighting.ts';
import {
  Names,
  packSightings,
  type ReadingColumns,
  type SightingColumns,
  unpackReadings,
  unpackSightings,
} from './state-columns.ts';
import type { TroubleView } from './views.ts';

/** Version of the form: state in an unknown form is dropped and rebuilt from the log. */
export const STATE_FORM = 3;
/** The previous form, with sightings and readings row by row. It can still be read. */
const ROWS_FORM = 2;

/** A sighting in a row: at, printer, log, seq, code, rule, key, mask, pages, values; names are indices into `names`. */
type SightingJson = [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  (string | null)[]?,
];

interface TroubleJson {
  o: number;
  i: number;
  c: number | null;
  s: number;
  f: number;
  m: number;
  e: number[];
  n: number;
  w: number | null;
  r: number;
}

interface SlotJson {
  r: number;
  k: string;
  p: KeyScope;
  c: [number, ...number[]][];
  t?: TroubleJson;
  l: number | null;
  g: number[];
}

interface LaneJson {
  /** Fingerprints of the group's rules. */
  f: string;
  /** The key, in a lane that has only one. */
  key: string;
  scope: KeyScope;
  scopes?: [string, KeyScope][];
  cuts?: [string, number][];
  floor: number | null;
  passed: number | null;
  names: string[];
  table: SightingColumns | SightingJson[];
  /** Number of pending sightings at the beginning of the table; in the form with rows, their indices. */
  pending: number | number[];
  slots: SlotJson[];
}

export interface PrinterState {
  form: number;
  /** Event time at the export. */
  now: number | null;
  watermark: number | null;
  /** Log and seq of the entry that set the watermark. */
  newest?: readonly [string, number];
  contexts: { from: number | null; context: PrinterContext }[];
  readings?: ReadingColumns | [number, string, number, number][];
  /** Progress of the readings that rules looked at: time, session, number, counters. */
  reads?: readonly [number, string, number, Record<string, number>];
  lanes: LaneJson[];
  /** The cohort rules; only in the state of the rules across printers. */
  cohorts?: { fingerprint: string; state: CohortState; alarms: TroubleView[] }[];
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
const orMinus = (value: number | null): number => value ?? Number.NEGATIVE_INFINITY;

export function groupFingerprint(group: RuleGroup): string {
  return group.rules.map((rule) => `${rule.id}:${rule.fingerprint}`).join(' ');
}

export function exportLane(lane: Lane): LaneJson {
  const table = lane.pending.slice();
  let places: Map<Sighting, number> | undefined;
  const row = (sighting: Sighting): number => {
    // Built on first use: most lanes have settled nothing.
    places ??= new Map(table.map((one, place) => [one, place]));
    let place = places.get(sighting);
    if (place === undefined) {
      place = table.push(sighting) - 1;
      places.set(sighting, place);
    }
    return place;
  };
  const slots = lane.slots.map(({ rule, state }): SlotJson => {
    const { trouble } = state;
    const slot: SlotJson = {
      r: lane.group.rules.indexOf(rule),
      k: state.key,
      p: state.scope,
      c: state.conditions.map(({ level, marks }) => [level, ...marks.map(row)]),
      l: finite(state.lastSign),
      g: state.signs,
    };
    if (trouble) {
      slot.t = {
        o: trouble.openedAt,
        i: trouble.since,
        c: trouble.closedAt ?? null,
        s: trouble.severity,
        f: trouble.firstSeverity,
        m: trouble.measure,
        e: trouble.evidence.map(row),
        n: trouble.count,
        w: trouble.newest ? row(trouble.newest) : null,
        r: trouble.reopened,
      };
    }
    return slot;
  });
  const names = new Names();
  const columns = packSightings(table, names);
  const json: LaneJson = {
    f: groupFingerprint(lane.group),
    key: lane.key ?? '',
    scope: lane.scope,
    floor: finite(lane.floor),
    passed: finite(lane.passed),
    pending: lane.pending.length,
    slots,
    names: names.list,
    table: columns,
  };
  if (lane.scopes) json.scopes = [...lane.scopes];
  if (lane.cuts) json.cuts = [...lane.cuts];
  return json;
}

/** The groups of rules by fingerprint, to find the one a stored lane belongs to. */
export function groupsByFingerprint(rules: CompiledRules): Map<string, number> {
  return new Map(rules.groups.map((group, index) => [groupFingerprint(group), index]));
}

/** Whether a state can be restored; otherwise it is rebuilt from the log. */
export function isReadable({ form }: PrinterState): boolean {
  return form === STATE_FORM || form === ROWS_FORM;
}

/** The page readings of a state: at, log, seq, pages. */
export function readingsOf({ readings }: PrinterState): [number, string, number, number][] {
  if (readings === undefined || Array.isArray(readings)) return readings ?? [];
  return unpackReadings(readings).map(({ at, log, seq, pages }) => [at, log, seq, pages]);
}

function sightingsOfRows(rows: SightingJson[], names: string[]): Sighting[] {
  const name = (place: number) => names[place] as string;
  return rows.map(([at, printer, log, seq, code, rule, key, mask, pages, values]) => ({
    at,
    printer: name(printer),
    log: name(log),
    seq,
    code: name(code),
    rule,
    key: name(key),
    mask,
    pages,
    values: (values ?? []).map((value) => value ?? undefined),
  }));
}

export function importLane(
  json: LaneJson,
  group: RuleGroup,
  odometer: Odometer | undefined,
  prompt: boolean,
): Lane {
  const lane = new Lane(group, json.key, json.scope, odometer, prompt);
  const table = Array.isArray(json.table)
    ? sightingsOfRows(json.table, json.names)
    : unpackSightings(json.table, json.names);
  const sighting = (place: number) => table[place] as Sighting;
  const settled = new LaneState(group.joint, odometer);
  settled.passed = orMinus(json.passed);
  for (const slot of json.slots) {
    const state: KeyState = {
      key: slot.k,
      scope: slot.p,
      conditions: slot.c.map(([level, ...marks]) => ({ level, marks: marks.map(sighting) })),
      trouble: slot.t && importTrouble(slot.t, sighting),
      lastSign: orMinus(slot.l),
      signs: slot.g,
    };
    settled.add({ rule: group.rules[slot.r] as CompiledRule, state }, `${slot.r} ${slot.k}`);
  }
  const pending =
    typeof json.pending === 'number' ? table.slice(0, json.pending) : json.pending.map(sighting);
  const begun = json.slots.length > 0 || json.passed !== null;
  lane.restore(begun ? settled : undefined, pending, orMinus(json.floor));
  for (const [key, scope] of json.scopes ?? []) lane.scopes?.set(key, scope);
  if (json.cuts) lane.cuts = new Map(json.cuts);
  return lane;
}

function importTrouble(json: TroubleJson, sighting: (place: number) => Sighting): TroubleLife {
  return {
    id: undefined,
    openedAt: json.o,
    since: json.i,
    closedAt: json.c ?? undefined,
    severity: json.s,
    firstSeverity: json.f,
    measure: json.m,
    evidence: json.e.map(sighting),
    count: json.n,
    newest: json.w === null ? undefined : sighting(json.w),
    reopened: json.r,
  };
}
