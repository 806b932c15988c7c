/**
 * The trouble engine: entries in, changes of troubles out. Pure: no I/O and no clock. Times are event times; the
 * caller passes `now`.
 *
 * An entry is accepted when it is at most `late` behind the newest entry of its printer. The troubles depend on the set
 * of accepted entries and on `now`, not on how entries were batched, ordered or repeated.
 */
import type { LogEntry } from '../../../schemas/types.ts';
import type { ReadingSigns } from '../../readings/signs.ts';
import { CohortRules } from './cohort-rules.ts';
import type { CompiledRules } from './compile.ts';
import { type InRange, type Match, maskOf, type PrinterContext, semverInRange } from './context.ts';
import { ContextClasses } from './context-classes.ts';
import { keyOf } from './keys.ts';
import type { Lane } from './lane.ts';
import { LaneTable } from './lane-table.ts';
import { ENGINE_LIMITS, type EngineLimits } from './limits.ts';
import type { Odometer } from './odometer.ts';
import type { UnitLanes } from './printer-lanes.ts';
import type { PrinterRecord } from './printer-record.ts';
import {
  isNews,
  newReadingMemory,
  type ReadingMemory,
  type ReadingSighting,
  readingMatches,
  sightingsOf,
} from './reading-rules.ts';
import { Settlement } from './settlement.ts';
import type { Sighting } from './sighting.ts';
import {
  exportLane,
  groupsByFingerprint,
  importLane,
  isReadable,
  type PrinterState,
  readingsOf,
  STATE_FORM,
} from './state-codec.ts';
import { packReadings } from './state-columns.ts';
import { Teller } from './teller.ts';
import { parseMoment, parseTime } from './time.ts';
import { inOrder, type TroubleChange, type TroubleView, viewOf } from './views.ts';
import type { Facts } from './where.ts';

export type { TroubleChange, TroubleView } from './views.ts';

export interface EngineOptions extends Partial<EngineLimits> {
  /** False: troubles are reported by `finish` only (replaying a file). Default true. */
  prompt?: boolean;
  /** Whether a version of some software lies in a range. */
  inRange?: InRange;
  /** Called with each trouble that became final, in no order. Without it (and without `prompt`) `finish` returns them. */
  onEnded?(trouble: TroubleView): void;
  /** Called once when a printer reaches the maximum of keys for a rule: sightings of further keys are only counted. */
  onCrowded?(rule: string, printer: string): void;
  /** Whether a backward jump within a log means that the printer's clock was set back (`SET_BACK_MIN_MS`). Default false. */
  mendsClocks?: boolean;
}

const NO_VALUES: readonly (string | undefined)[] = [];

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export class TroubleEngine {
  readonly rules: CompiledRules;
  /** Entries that came too late for a rule, counted once per rule. */
  late = 0;
  /** How often a printer's clock was found to be set back. */
  setBack = 0;
  /** While set, only these groups of rules judge; the state of the others is imported. */
  only: Set<number> | undefined;
  /** Final troubles not yet taken by the caller (without `prompt`). */
  private endedTroubles: TroubleView[] = [];
  private readonly mendsClocks: boolean;
  private readonly prompt: boolean;
  private readonly contextsMax: number;
  private readonly table: LaneTable;
  private readonly contexts: ContextClasses;
  private readonly settlement: Settlement;
  private readonly teller = new Teller();
  private readonly cohorts: CohortRules;
  private readonly reading: ReturnType<typeof readingMatches>;
  private readonly facts: Facts = {
    printer: '',
    code: '',
    severity: 'info',
    unit: undefined,
    kind: undefined,
    model: undefined,
    site: undefined,
    detail: undefined,
  };

  constructor(rules: CompiledRules, options: EngineOptions = {}) {
    const {
      prompt = true,
      inRange = semverInRange,
      mendsClocks = false,
      onEnded = (trouble: TroubleView) => void this.endedTroubles.push(trouble),
      onCrowded = () => undefined,
      ...given
    } = options;
    const limits = { ...ENGINE_LIMITS, ...given };
    this.rules = rules;
    this.prompt = prompt;
    this.mendsClocks = mendsClocks;
    this.contextsMax = limits.contextsMax;
    this.settlement = new Settlement(rules, limits, prompt ? this.teller : undefined, onEnded);
    const { settlement } = this;
    this.table = new LaneTable({ rules, limits, prompt, settlement, onCrowded });
    this.contexts = new ContextClasses(rules.index, inRange);
    this.cohorts = new CohortRules(rules, inRange);
    this.reading = readingMatches(rules);
  }

  /** Sightings dropped because a maximum of keys was reached. */
  get crowded(): number {
    return this.table.crowded;
  }

  /** Sightings settled early because too many were pending. */
  get hastened(): number {
    return this.settlement.hastened;
  }

  /**
   * Sets a printer's structure from event time `from` on (default: from its newest entry on). Entries before the first
   * structure are judged by the first.
   */
  context(printer: string, context: PrinterContext, from?: number): void {
    const record = this.table.printer(printer);
    const start = from ?? record.watermark;
    this.cohorts.member(printer, context, start);
    this.setContext(record, context, start);
  }

  private setContext(record: PrinterRecord, context: PrinterContext, start: number): void {
    const shared = this.contexts.of(context, this.table.printers.values());
    record.addContext(shared, start, this.contextsMax);
  }

  /**
   * Judges entries of one log of one printer. Entries judged before change nothing.
   * @returns the changes, in the order in which lanes were touched; empty without `prompt`
   */
  apply(printer: string, log: string, entries: LogEntry[]): TroubleChange[] {
    const record = this.table.printer(printer);
    for (const entry of entries) this.judge(record, log, entry, parseTime(entry.at));
    return this.prompt ? this.teller.tell() : [];
  }

  /** Judges one entry whose time is already parsed; the next `apply` or `advance` reports the changes. */
  judge(printer: PrinterRecord | string, log: string, entry: Omit<LogEntry, 'at'>, at: number): void {
    const record = typeof printer === 'string' ? this.table.printer(printer) : printer;
    if (Number.isNaN(at)) return;
    if (this.mendsClocks && record.showsSetBack(log, entry.seq, at)) this.mendClock(record, at);
    const pages = entry.pages ?? -1;
    if (pages >= 0 && record.odometer && at >= record.watermark - this.rules.lateMaxMs) {
      this.read(record, record.odometer, log, entry.seq, at, pages);
    }
    record.see(at, log, entry.seq);
    const known = record.contextAt(at) ?? this.contexts.unknown;
    const first = known.match(entry.code, entry.severity);
    if (!first) return;
    const { facts } = this;
    this.describe(record.id, entry, known.context);
    let unitLanes: UnitLanes | undefined;
    for (let match: Match | undefined = first; match; match = match.next) {
      if (this.only && !this.only.has(match.group)) continue;
      if (match.test && !match.test(facts)) continue;
      if (match.software && !known.hasSoftware(match.rule, entry.unit)) continue;
      if (match.cohort) {
        this.cohorts.sight(match.rule, record.id, log, entry.seq, entry.code, at);
        continue;
      }
      let { mask } = match;
      if (mask < 0) {
        mask = maskOf(match.rule, facts);
        if (mask === 0 && match.innerOnly) continue;
      }
      // For rules that look at both, readings advance the time too.
      if (at < (match.reads ? record.newest(match.reads) : record.watermark) - match.lateMs) {
        this.late += 1;
        continue;
      }
      let lane: Lane | undefined;
      if (match.sort === 'unit') {
        unitLanes ??= record.lanes.units.get(entry.unit ?? '');
        lane = unitLanes?.lanes.get(match.group);
      } else if (match.sort === 'one') {
        lane = record.lanes.one(match.group);
      } else {
        lane = this.table.keyed(record, match, facts);
      }
      lane ??= this.table.begin(record, match, facts);
      if (!lane) continue;
      const { fields } = match;
      this.sight(record, match, lane, {
        at,
        printer: record.id,
        log: log === record.newestLog ? record.newestLog : log,
        seq: entry.seq,
        code: match.code,
        rule: match.place,
        // The lane's own string, so that equal keys are not held twice.
        key: lane.key ?? keyOf(match.rule, facts),
        mask,
        pages,
        values: fields.length > 0 ? fields.map((read) => textOf(read(facts))) : NO_VALUES,
      });
    }
  }

  /**
   * Judges a reading. Readings come in order; one judged before changes nothing.
   * @returns the changes, in the order in which lanes were touched; empty without `prompt`
   */
  applyReading(printer: string, signs: ReadingSigns): TroubleChange[] {
    if (this.reading.matches.length === 0) return [];
    const record = this.table.printer(printer);
    record.readings ??= newReadingMemory();
    const memory = record.readings;
    if (!isNews(memory, signs)) return [];
    memory.time = signs.time_ms;
    memory.session = signs.session;
    memory.number = signs.number;
    const known = record.contextAt(signs.time_ms) ?? this.contexts.unknown;
    for (const match of this.reading.matches) {
      if (this.only && !this.only.has(match.group)) continue;
      const { rule } = match;
      if (!known.fits(rule)) continue;
      for (const sighting of sightingsOf(rule.reads, signs, memory)) {
        const unit = sighting.supply?.unit;
        const { kind } = rule.scope;
        if (kind !== undefined && (unit === undefined || kindOf(known.context, unit) !== kind)) continue;
        if (match.software && !known.hasSoftware(rule, unit)) continue;
        this.sightReading(record, match, signs, sighting, known.context);
      }
    }
    for (const name of this.reading.counters) {
      if (Object.hasOwn(signs.counters, name)) memory.counters[name] = signs.counters[name] as number;
    }
    return this.prompt ? this.teller.tell() : [];
  }

  private sightReading(
    record: PrinterRecord,
    match: Match,
    { time_ms, session, number }: ReadingSigns,
    { supply, mask, begins, code }: ReadingSighting,
    context: PrinterContext,
  ): void {
    const { facts } = this;
    const symbol = supply?.symbol;
    this.describe(record.id, { seq: number, code, severity: 'info', unit: symbol }, context);
    let lane: Lane | undefined;
    if (match.sort === 'unit') lane = record.lanes.units.get(symbol ?? '')?.lanes.get(match.group);
    else if (match.sort === 'one') lane = record.lanes.one(match.group);
    else lane = this.table.keyed(record, match, facts);
    if (!lane && !begins) return;
    const key = keyOf(match.rule, facts);
    if (!begins && lane?.scopes && !lane.scopes.has(`${match.place} ${key}`)) return;
    lane ??= this.table.begin(record, match, facts);
    if (!lane) return;
    this.sight(record, match, lane, {
      at: time_ms,
      printer: record.id,
      // A reading of several supplies makes a sighting for each.
      log: `${session}\u001f${symbol ?? ''}`,
      seq: number,
      code,
      rule: match.place,
      key: lane.key ?? key,
      mask,
      pages: -1,
      values: [symbol ?? '', session],
    });
  }

  /** Whether some rule looks at readings. */
  get looksAtReadings(): boolean {
    return this.reading.matches.length > 0;
  }

  /** Lets readings judged so far be judged again, before the state of the rules in force is imported. */
  restartReadings(): void {
    for (const { readings } of this.table.printers.values()) {
      if (readings) Object.assign(readings, { time: Number.NEGATIVE_INFINITY, session: '', number: 0 });
    }
  }

  /** A printer's clock was set back to `at`: entries with a later time are discarded. */
  private mendClock(record: PrinterRecord, at: number): void {
    this.setBack += 1;
    record.watermark = at;
    record.odometer?.forgetAfter(at);
    for (const lane of record.lanes.values()) {
      // Where the printer's clock can't be right, a reading has its time of arrival instead.
      if (lane.group.time === 'readings') continue;
      if (lane.forgetAfter(at) && this.prompt) this.teller.touch(lane);
    }
  }

  /** The newest accepted event time of all printers, ms. */
  get newestTime(): number {
    let newest = Number.NEGATIVE_INFINITY;
    for (const { watermark, readings } of this.table.printers.values()) {
      newest = Math.max(newest, watermark, readings?.time ?? Number.NEGATIVE_INFINITY);
    }
    return newest;
  }

  private describe(printer: string, entry: Omit<LogEntry, 'at'>, context: PrinterContext): void {
    const { facts } = this;
    facts.printer = printer;
    facts.code = entry.code;
    facts.severity = entry.severity;
    facts.unit = entry.unit;
    facts.kind = entry.unit === undefined ? undefined : kindOf(context, entry.unit);
    facts.model = context.model;
    facts.site = context.site;
    facts.detail = entry.detail as Record<string, unknown> | undefined;
  }

  /** A reading of the page counter. */
  private read(
    record: PrinterRecord,
    odometer: Odometer,
    log: string,
    seq: number,
    at: number,
    pages: number,
  ): void {
    odometer.add(at, log, seq, pages);
    if (this.prompt && record.behind(at, log, seq)) {
      // Rates were computed without this reading and may be wrong.
      for (const lane of record.lanes.values()) if (lane.odometer) this.teller.touch(lane).upset();
    }
    if (!odometer.full) return;
    // Pending sightings may be much older than the window and need their readings until they are settled. A lane with too
    // few of them to open a trouble needs none.
    for (const lane of record.lanes.values()) {
      if (lane.odometer && lane.pending.length > 0 && !lane.innocent) {
        this.settlement.settle(lane, record.watermark - lane.group.lateMs);
      }
    }
    odometer.forget(record.watermark - this.rules.lateMaxMs - this.rules.pagesMaxMs);
  }

  private sight(printer: PrinterRecord, match: Match, lane: Lane, sighting: Sighting): void {
    if (lane.scopes && !this.table.addScope(lane, match, `${sighting.rule} ${sighting.key}`, this.facts))
      return;
    // Settle before adding the newest: then the pending ones are often old enough to make the live state the settled one.
    if (lane.pending.length >= lane.settleAt) {
      const newest = match.perPrinter ? printer.newest(lane.group) - lane.group.lateMs : undefined;
      this.settlement.settle(lane, newest);
    }
    if (!lane.add(sighting)) {
      this.late += 1;
      return;
    }
    if (this.prompt) this.teller.touch(lane);
    if (!match.perPrinter) this.table.fleet.sighted(sighting.at);
  }

  /** Advances event time to `now` (ms), which never goes back. @returns what changed by that */
  advance(now: number): TroubleChange[] {
    this.teller.advance(now);
    for (const alarm of this.cohorts.advance(this.teller.now)) this.teller.opened(alarm);
    return this.teller.tell();
  }

  /**
   * Discards what a key has seen up to event time `at`: an operator closed its trouble, or a cure was proven.
   */
  cut(rule: string, printer: string | undefined, key: string, at: number): void {
    if (this.cohorts.close(rule, key)) return;
    const found = this.table.laneFor(rule, printer, key);
    if (!found) return;
    const { lane, place } = found;
    lane.cut(place, key, at);
    for (const [id, { view }] of lane.told ?? []) {
      if (view.rule === rule && view.key === key) lane.told?.delete(id);
    }
    this.teller.touch(lane);
  }

  /**
   * Forgets a printer, also as a member of cohorts. Its sightings in rules kept across printers expire with their
   * windows.
   */
  forget(printer: string): void {
    for (const lane of this.table.forget(printer)) this.teller.forget(lane);
    this.cohorts.forget(printer);
  }

  /**
   * Restores troubles announced after the imported state was exported, before anything is judged again. A trouble that
   * turns out differently is announced again or withdrawn; one that was already settled stays as announced.
   */
  recall(troubles: TroubleView[]): void {
    for (const view of troubles) {
      const openedAt = parseMoment(view.openedAt);
      const found = this.table.laneFor(view.rule, view.scope.printer, view.key);
      if (!found) continue;
      const { lane, place, record } = found;
      const horizon = record ? record.newest(lane.group) - lane.group.lateMs : Number.NEGATIVE_INFINITY;
      const known = lane.told?.has(view.id) === true;
      if (!known && (openedAt < horizon || lane.final(place, view.key, openedAt))) continue;
      lane.told ??= new Map();
      const closedAt = view.closedAt === undefined ? undefined : parseMoment(view.closedAt);
      // No trouble has this count, so it is always compared with the stored row.
      lane.told.set(view.id, {
        view,
        severity: -1,
        count: -1,
        reopened: view.reopened,
        closedAt,
        telling: 0,
      });
      this.teller.touch(lane);
    }
  }

  /** How many printers, distinct structures, keys and pending sightings are held. */
  size(): { printers: number; sorts: number; keys: number; pending: number } {
    let keys = 0;
    let pending = 0;
    for (const lane of this.table.lanes()) {
      keys += lane.scopes ? lane.scopes.size : 1;
      pending += lane.pending.length;
    }
    return { printers: this.table.printers.size, sorts: this.contexts.size, keys, pending };
  }

  /** Ids of the troubles that were reported as open. */
  openIds(): Set<string> {
    const ids = new Set<string>();
    for (const lane of this.table.lanes()) {
      for (const [id, { closedAt }] of lane.told ?? []) if (closedAt === undefined) ids.add(id);
    }
    for (const id of this.cohorts.openIds()) ids.add(id);
    return ids;
  }

  /** Drops cached ranges: another catalog may order versions differently. */
  forgetRanges(): void {
    this.contexts.forgetRanges();
  }

  /** Ids of the printers of which anything is held. */
  printerIds(): IterableIterator<string> {
    return this.table.printers.keys();
  }

  /** Whether only one structure is held of a printer, which can be restored without an exported state. */
  knowsOnlyStructure(printer: string): boolean {
    const record = this.table.printers.get(printer);
    return (
      record !== undefined &&
      record.watermark === Number.NEGATIVE_INFINITY &&
      record.readings === undefined &&
      record.contexts.length <= 1 &&
      record.lanes.size === 0
    );
  }

  /**
   * The state of a printer, or of the rules kept across printers (''), as JSON. Settles its lanes first and drops those
   * that no longer matter.
   */
  exportState(printer: string): PrinterState | undefined {
    const record = printer === '' ? undefined : this.table.printers.get(printer);
    if (printer !== '' && !record) return undefined;
    if (record) this.table.sweep(record);
    const lanes = record ? record.lanes.values() : this.table.fleet.values();
    return {
      form: STATE_FORM,
      now: Number.isFinite(this.teller.now) ? this.teller.now : null,
      watermark: record && Number.isFinite(record.watermark) ? record.watermark : null,
      ...(record && record.newestLog !== '' ? { newest: [record.newestLog, record.newestSeq] as const } : {}),
      contexts: (record?.contexts ?? []).map(({ from, shared }) => ({
        from: Number.isFinite(from) ? from : null,
        context: shared.context,
      })),
      readings: record?.odometer && packReadings(record.odometer.readings),
      ...(record?.readings ? { reads: readsOf(record.readings) } : {}),
      lanes: [...lanes].map((lane) => exportLane(lane)),
      ...(record || this.cohorts.size === 0 ? {} : { cohorts: this.cohorts.export() }),
    };
  }

  /**
   * Restores an exported state of a printer, without the state of rules that have changed since.
   * @returns false when something was left out and must be rebuilt from the log
   */
  importState(printer: string, state: PrinterState): boolean {
    if (!isReadable(state)) return false;
    // Troubles opened by time alone were reported up to this time and must not be reported again.
    if (state.now !== null && state.now > this.teller.now) this.teller.now = state.now;
    const groups = groupsByFingerprint(this.rules);
    const record = printer === '' ? undefined : this.table.printer(printer);
    if (record) {
      record.watermark = Math.max(record.watermark, state.watermark ?? Number.NEGATIVE_INFINITY);
      if (state.newest && record.watermark === state.watermark) {
        [record.newestLog, record.newestSeq] = state.newest;
      }
      for (const { from, context } of state.contexts) {
        this.setContext(record, context, from ?? Number.NEGATIVE_INFINITY);
      }
      if (state.reads && this.reading.matches.length > 0) {
        const [time, session, number, counters] = state.reads;
        record.readings = {
          time,
          session,
          number,
          counters: { ...record.readings?.counters, ...counters },
        };
      }
      if (record.odometer) {
        for (const [at, log, seq, pages] of readingsOf(state)) record.odometer.add(at, log, seq, pages);
      }
    }
    this.cohorts.import(state.cohorts);
    let whole = true;
    for (const json of state.lanes) {
      const index = groups.get(json.f);
      const group = index === undefined ? undefined : this.rules.groups[index];
      if (!group) {
        whole = false;
        continue;
      }
      const odometer = group.usesPages ? record?.odometer : undefined;
      const lane = importLane(json, group, odometer, this.prompt);
      // All of it was reported before the export: only changes from here on are news.
      this.teller.adopt(this.table.add(record, index as number, lane));
      const owner = record ? undefined : lane.firstPrinter;
      if (owner !== undefined) this.table.printer(owner).begin(index as number);
    }
    if (record) this.table.recount(record);
    else this.table.fleet.restored(this.table.fleet.values());
    return whole;
  }

  /**
   * Without `prompt`: all troubles at event time `now` that `onEnded` was not given, by opening time. The engine can't
   * be used afterwards.
   */
  finish(now: number): TroubleView[] {
    const all = this.endedTroubles;
    this.endedTroubles = [];
    for (const lane of this.table.lanes()) for (const trouble of lane.finish(now)) all.push(viewOf(trouble));
    all.push(...this.cohorts.finish());
    return inOrder(this.rules, all, (trouble) => trouble);
  }
}

function readsOf({ time, session, number, counters }: ReadingMemory): NonNullable<PrinterState['reads']> {
  return [Number.isFinite(time) ? time : 0, session, number, counters];
}

function kindOf({ units }: PrinterContext, unit: string): string | undefined {
  return Object.hasOwn(units, unit) ? units[unit]?.kind : undefined;
}
