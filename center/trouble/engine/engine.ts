/**
 * The trouble engine: entries in, changes of troubles out. Pure: no I/O and no clock; time is event time, and `now`
 * is passed in.
 *
 * An entry is taken when it is at most `late` behind the newest entry of its printer. The troubles depend on the set
 * of entries taken and on `now`, not on how the entries were cut, ordered or repeated.
 */
import type { LogEntry } from '../../../schemas/types.ts';
import { CohortWatch } from './cohort.ts';
import type { CompiledRules, RuleGroup } from './compile.ts';
import {
  ContextClass,
  type InRange,
  type Match,
  maskOf,
  type PrinterContext,
  semverInRange,
} from './context.ts';
import type { KeyScope } from './key-state.ts';
import { keyOf, scopeOf, scopeOfKey, unitOfKey } from './keys.ts';
import { Lane } from './lane.ts';
import { ENGINE_LIMITS, type EngineLimits, SORTS_SWEEP_MIN } from './limits.ts';
import type { Odometer } from './odometer.ts';
import type { UnitLanes } from './printer-lanes.ts';
import { PrinterRecord } from './printer-record.ts';
import type { CompiledRule } from './rule.ts';
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
import { alarmsOf, type LaneTrouble, type TroubleChange, type TroubleView, viewOf } from './views.ts';
import type { Facts } from './where.ts';

export type { TroubleChange, TroubleView } from './views.ts';

export interface EngineOptions extends Partial<EngineLimits> {
  /** False: troubles are told by `finish` only (replaying a file). Default true. */
  prompt?: boolean;
  /** Tells whether a version of some software lies in a range. */
  inRange?: InRange;
  /** Takes troubles that nothing can change any more, in no order; without it (and `prompt`) `finish` gives them. */
  onEnded?(trouble: TroubleView): void;
  /** Is told once that a printer began too many keys of a rule: further ones are only counted. */
  onCrowded?(rule: string, printer: string): void;
  /** Whether the order of a log shows that a printer's clock was set back (see `SET_BACK_MIN_MS`). Default false. */
  mendsClocks?: boolean;
}

/** A printer that began too many keys is looked through for old ones once for so many that were not taken. */
const CROWDED_SWEEP_EVERY = 64;
const NO_VALUES: readonly (string | undefined)[] = [];

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export class TroubleEngine {
  readonly rules: CompiledRules;
  /** Entries that came too late for a rule, by rule. */
  late = 0;
  /** Sightings that were not taken because their key was one too many. */
  crowded = 0;
  /** How often a printer's clock was seen to be set back. */
  setBack = 0;
  /** Sightings that no late one can come before any more, though it might be in time: too many waited. */
  hastened = 0;
  /** While set, only these groups of rules judge: the others are taken over from elsewhere. */
  only: Set<number> | undefined;
  /** Ended troubles that were settled and not yet taken (without `prompt`). */
  private settledTroubles: TroubleView[] = [];
  private readonly onEnded: (trouble: TroubleView) => void;
  private readonly mendsClocks: boolean;
  private readonly onCrowded: (rule: string, printer: string) => void;
  /** Rules and printers of which `onCrowded` was told. */
  private readonly crowds = new Set<string>();
  private readonly prompt: boolean;
  private readonly inRange: InRange;
  private readonly limits: EngineLimits;
  private readonly printers = new Map<string, PrinterRecord>();
  private readonly shared = new Map<string, ContextClass>();
  private sharedSweepAt = SORTS_SWEEP_MIN;
  private readonly nothingKnown: ContextClass;
  private readonly groupIndex: ReadonlyMap<RuleGroup, number>;
  /** Lanes of rules that are not kept by printer, by group and key. */
  private readonly fleetLanes = new Map<string, Lane>();
  /** Sightings that wait in them, counted when they were looked through last and added to since. */
  private fleetPending = 0;
  private fleetNewest = Number.NEGATIVE_INFINITY;
  private readonly teller = new Teller();
  private readonly usesPages: boolean;
  /** What cohort rules watch, and the alarms that stand, by rule. */
  private readonly cohorts = new Map<CompiledRule, { watch: CohortWatch; alarms: TroubleView[] }>();
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
      onEnded,
      onCrowded,
      ...limits
    } = options;
    this.rules = rules;
    this.prompt = prompt;
    this.mendsClocks = mendsClocks;
    this.inRange = inRange;
    this.onEnded = onEnded ?? ((trouble) => this.settledTroubles.push(trouble));
    this.onCrowded = onCrowded ?? (() => undefined);
    this.limits = { ...ENGINE_LIMITS, ...limits };
    this.usesPages = rules.pagesMaxMs > 0;
    this.groupIndex = new Map(rules.groups.map((group, index) => [group, index]));
    for (const rule of rules.rules) {
      if (rule.cohort)
        this.cohorts.set(rule, { watch: new CohortWatch(rule.cohort, this.inRange), alarms: [] });
    }
    this.nothingKnown = new ContextClass({ units: {}, software: [] }, rules.index, this.inRange);
  }

  /**
   * Tells what a printer is made of from event time `from` on (default: from its newest entry on). Entries before
   * the first structure are judged by the first.
   */
  context(printer: string, context: PrinterContext, from?: number): void {
    const record = this.printer(printer);
    const start = from ?? record.watermark;
    for (const { watch } of this.cohorts.values()) watch.member(printer, context, start);
    this.setContext(record, context, start);
  }

  private setContext(record: PrinterRecord, context: PrinterContext, start: number): void {
    const signature = JSON.stringify(context);
    let shared = this.shared.get(signature);
    if (!shared) {
      if (this.shared.size >= this.sharedSweepAt) this.sweepShared();
      shared = new ContextClass(context, this.rules.index, this.inRange);
      this.shared.set(signature, shared);
    }
    record.addContext(shared, start, this.limits.contextsMax);
  }

  /** A structure is the printer's own words: one that shows another each time must not fill the memory with them. */
  private sweepShared(): void {
    const used = new Set<ContextClass>();
    for (const { contexts } of this.printers.values()) for (const { shared } of contexts) used.add(shared);
    for (const [signature, shared] of this.shared) if (!used.has(shared)) this.shared.delete(signature);
    this.sharedSweepAt = Math.max(SORTS_SWEEP_MIN, this.shared.size * 2);
  }

  private printer(id: string): PrinterRecord {
    let printer = this.printers.get(id);
    if (!printer) {
      printer = new PrinterRecord(id, this.usesPages, this.limits.readingsMax);
      this.printers.set(id, printer);
    }
    return printer;
  }

  /**
   * Judges entries of one log of one printer. Entries seen before change nothing.
   * @returns what changed, in the order of the lanes touched; nothing without `prompt`
   */
  apply(printer: string, log: string, entries: LogEntry[]): TroubleChange[] {
    const record = this.printer(printer);
    for (const entry of entries) this.judge(record, log, entry, parseTime(entry.at));
    return this.prompt ? this.teller.tell() : [];
  }

  /** Judges one entry whose time is already parsed; without `prompt` nothing need be called after it. */
  judge(printer: PrinterRecord | string, log: string, entry: Omit<LogEntry, 'at'>, at: number): void {
    const record = typeof printer === 'string' ? this.printer(printer) : printer;
    if (Number.isNaN(at)) return;
    if (this.mendsClocks && record.showsSetBack(log, entry.seq, at)) this.mendClock(record, at);
    const pages = entry.pages ?? -1;
    if (pages >= 0 && record.odometer && at >= record.watermark - this.rules.lateMaxMs) {
      this.read(record, record.odometer, log, entry.seq, at, pages);
    }
    record.see(at, log, entry.seq);
    const known = record.contextAt(at) ?? this.nothingKnown;
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
        this.cohorts.get(match.rule)?.watch.sight(record.id, log, entry.seq, entry.code, at);
        continue;
      }
      let { mask } = match;
      if (mask < 0) {
        mask = maskOf(match.rule, facts);
        if (mask === 0 && match.innerOnly) continue;
      }
      if (at < record.watermark - match.lateMs) {
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
        lane = this.keyedLane(record, match);
      }
      lane ??= this.newLane(record, match);
      if (!lane) continue;
      const { fields } = match;
      this.sight(record, match, lane, {
        at,
        printer: record.id,
        log: log === record.newestLog ? record.newestLog : log,
        seq: entry.seq,
        code: match.code,
        rule: match.place,
        // The lane's own text instead of one more of the same.
        key: lane.key ?? keyOf(match.rule, facts),
        mask,
        pages,
        values: fields.length > 0 ? fields.map((read) => textOf(read(facts))) : NO_VALUES,
      });
    }
  }

  /** A printer's clock was set back to `at`: what lies after it is not believed any more. */
  private mendClock(record: PrinterRecord, at: number): void {
    this.setBack += 1;
    record.watermark = at;
    record.odometer?.forgetAfter(at);
    for (const lane of record.lanes.values()) {
      if (lane.forgetAfter(at) && this.prompt) this.teller.touch(lane);
    }
  }

  /** The newest event time of all printers, as far as it is believed, ms. */
  get newestTime(): number {
    let newest = Number.NEGATIVE_INFINITY;
    for (const { watermark } of this.printers.values()) newest = Math.max(newest, watermark);
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
      // Rates that were worked out without this reading may be wrong.
      for (const lane of record.lanes.values()) if (lane.odometer) this.teller.touch(lane).upset();
    }
    if (!odometer.full) return;
    // Sightings that wait may be much older than the window, and need the readings of theirs until they are settled. Too
    // few of them can open nothing, whatever was printed: those that come will ask for readings that are kept.
    for (const lane of record.lanes.values()) {
      if (lane.odometer && lane.pending.length > 0 && !lane.innocent) {
        this.settle(lane, record.watermark - lane.group.lateMs);
      }
    }
    odometer.forget(record.watermark - this.rules.lateMaxMs - this.rules.pagesMaxMs);
  }

  private keyedLane(record: PrinterRecord, match: Match): Lane | undefined {
    const key = keyOf(match.rule, this.facts);
    return match.perPrinter
      ? record.lanes.keyed(match.group, key)
      : this.fleetLanes.get(`${match.group} ${key}`);
  }

  /** A lane for the entry of `facts`; undefined when it would be one too many. */
  private newLane(record: PrinterRecord, match: Match): Lane | undefined {
    const { rule } = match;
    // Units and codes are the printer's own words: it must not fill the memory with them.
    if (match.perPrinter) {
      if (record.lanes.size >= record.sweepAt) this.sweep(record);
      if (record.lanes.size >= this.limits.keysMax) return this.crowd(rule, record);
    } else if (this.fleetLanes.size >= this.limits.keysFleetMax) {
      return this.crowd(rule, record);
    }
    if (record.begunFor(match.group) >= this.limits.keysPerRuleMax) {
      // What was let go makes room; that is not looked for at every entry of a printer that floods.
      if (match.perPrinter && this.crowded % CROWDED_SWEEP_EVERY === 0) this.sweep(record);
      if (record.begunFor(match.group) >= this.limits.keysPerRuleMax) return this.crowd(rule, record);
    }
    record.begin(match.group);
    const group = this.rules.groups[match.group] as RuleGroup;
    // Many rules are kept by printer and unit: the texts and the scope stand once for all of them.
    const there = match.sharesUnit ? record.lanes.units.get(this.facts.unit ?? '') : undefined;
    const key = there?.key ?? keyOf(rule, this.facts);
    const scope = there?.scope ?? scopeOf(rule, this.facts);
    const lane = this.makeLane(record, group, key, scope);
    if (!there) return this.addLane(match.perPrinter ? record : undefined, match.group, lane);
    record.lanes.addTo(there, match.group, lane);
    return lane;
  }

  /** A key is not taken because it is one too many. */
  private crowd(rule: CompiledRule, { id }: PrinterRecord): undefined {
    this.crowded += 1;
    const crowd = `${rule.id}\u001f${id}`;
    if (this.crowds.has(crowd)) return;
    this.crowds.add(crowd);
    this.onCrowded(rule.id, id);
  }

  private makeLane(record: PrinterRecord | undefined, group: RuleGroup, key: string, scope: KeyScope): Lane {
    const lane = new Lane(group, key, scope, group.usesPages ? record?.odometer : undefined, this.prompt);
    lane.settleAt = this.limits.settleMin;
    return lane;
  }

  /** @param record undefined: a lane of a rule that is not kept by printer */
  private addLane(record: PrinterRecord | undefined, index: number, lane: Lane): Lane {
    const { sort, rules } = this.rules.groups[index] as RuleGroup;
    const { scope, key = '' } = lane;
    if (!record) {
      this.fleetLanes.set(`${index} ${key}`, lane);
    } else if (sort === 'one') {
      record.lanes.addOne(index, lane);
    } else if (sort === 'unit') {
      const by = rules[0]?.by ?? [];
      const unit = unitOfKey(by, key, record.id);
      record.lanes.addToUnit(index, unit, lane, () => ({
        key: `${record.id}\u001f${unit}\u001f`,
        scope,
      }));
    } else {
      record.lanes.addKeyed(index, key, lane);
    }
    return lane;
  }

  private findLane(record: PrinterRecord | undefined, index: number, key: string): Lane | undefined {
    if (!record) return this.fleetLanes.get(`${index} ${key}`);
    const { sort, rules } = this.rules.groups[index] as RuleGroup;
    if (sort === 'one') return record.lanes.one(index);
    if (sort === 'key') return record.lanes.keyed(index, key);
    return record.lanes.units.get(unitOfKey(rules[0]?.by ?? [], key, record.id))?.lanes.get(index);
  }

  private sight(printer: PrinterRecord, match: Match, lane: Lane, sighting: Sighting): void {
    if (lane.scopes) {
      const slot = `${sighting.rule} ${sighting.key}`;
      if (!lane.scopes.has(slot)) {
        if (lane.scopes.size >= this.limits.keysJointMax) {
          this.crowded += 1;
          return;
        }
        lane.scopes.set(slot, scopeOf(match.rule, this.facts));
      }
    }
    // Settled before the newest comes: then all that waits is often old enough, and what is live is what is settled.
    if (lane.pending.length >= lane.settleAt) {
      this.settle(lane, match.perPrinter ? printer.watermark - lane.group.lateMs : undefined);
    }
    if (!lane.add(sighting)) {
      this.late += 1;
      return;
    }
    if (this.prompt) this.teller.touch(lane);
    if (match.perPrinter) return;
    if (sighting.at > this.fleetNewest) this.fleetNewest = sighting.at;
    this.fleetPending += 1;
    if (this.fleetPending > this.limits.fleetPendingMax) this.settleFleet();
  }

  /** @param horizon before it nothing can change any more; undefined: nobody can tell */
  private settle(lane: Lane, horizon: number | undefined): void {
    let ended = horizon === undefined ? [] : lane.settle(horizon);
    if (lane.pending.length >= this.limits.pendingMax) ended = ended.concat(this.hasten(lane));
    lane.settleAt = Math.max(this.limits.settleMin, lane.pending.length * 2);
    this.over(lane, ended);
  }

  private hasten(lane: Lane): LaneTrouble[] {
    const before = lane.pending.length;
    const ended = lane.settleOlderHalf();
    this.hastened += before - lane.pending.length;
    return ended;
  }

  // Too many sightings wait for other printers' late ones: what lies `late` behind the newest of all is settled, and
  // when that is not enough the older half of the rest. What was concluded stays as it is: it follows from what was
  // taken, and what comes for the settled time is late and counted as that.
  private settleFleet(): void {
    const enough = this.limits.fleetPendingMax / 2;
    const before = this.countFleetPending();
    for (const lane of this.fleetLanes.values()) {
      this.over(lane, lane.settle(this.fleetNewest - lane.group.lateMs));
    }
    this.fleetPending = this.countFleetPending();
    this.hastened += before - this.fleetPending;
    if (this.fleetPending <= enough) return;
    for (const lane of this.fleetLanes.values())
      if (lane.pending.length > 0) this.over(lane, this.hasten(lane));
    this.fleetPending = this.countFleetPending();
  }

  private countFleetPending(): number {
    let pending = 0;
    for (const lane of this.fleetLanes.values()) pending += lane.pending.length;
    return pending;
  }

  /** Troubles of a lane have ended for good. */
  private over(lane: Lane, ended: LaneTrouble[]): void {
    if (ended.length === 0) return;
    // They are told before they are forgotten.
    if (this.prompt) this.teller.tellLane(lane, ended);
    else for (const trouble of ended) this.onEnded(viewOf(trouble));
  }

  /** Tells what has become of the troubles when event time has come to `now` (ms). Never goes back. */
  advance(now: number): TroubleChange[] {
    this.teller.advance(now);
    for (const [rule, cohort] of this.cohorts) {
      // Across printers nothing tells how far each has come: the fleet's clock less `late` does.
      for (const view of alarmsOf(rule, cohort.watch.advance(this.teller.now - rule.lateMs))) {
        cohort.alarms.push(view);
        this.teller.opened(view);
      }
    }
    return this.teller.tell();
  }

  /**
   * Has done with a key up to event time `at`: an operator closed its trouble, or a cure was proven. What was seen
   * until then counts no more.
   */
  cut(rule: string, printer: string | undefined, key: string, at: number): void {
    for (const [cohortRule, { watch, alarms }] of this.cohorts) {
      if (cohortRule.id !== rule) continue;
      const [release = '', code = ''] = key.split('\u001f');
      watch.close(release, code);
      alarms.splice(0, alarms.length, ...alarms.filter((alarm) => alarm.key !== key));
      return;
    }
    const found = this.laneFor(rule, printer, key);
    if (!found) return;
    const { lane, place } = found;
    lane.cut(place, key, at);
    for (const [id, { view }] of lane.told ?? []) {
      if (view.rule === rule && view.key === key) lane.told?.delete(id);
    }
    this.teller.touch(lane);
  }

  /**
   * Lets go what is held of a printer by itself and as a member of cohorts. What it was seen to do in rules across
   * printers lapses with their windows.
   */
  forget(printer: string): void {
    for (const lane of this.printers.get(printer)?.lanes.values() ?? []) this.teller.forget(lane);
    this.printers.delete(printer);
    for (const { watch } of this.cohorts.values()) watch.forget(printer);
    for (const { id } of this.rules.rules) this.crowds.delete(`${id}\u001f${printer}`);
  }

  /** The lane of a key of a rule, made when it is not there; undefined when the rule is not. */
  private laneFor(
    rule: string,
    printer: string | undefined,
    key: string,
  ): { lane: Lane; place: number; record: PrinterRecord | undefined } | undefined {
    const index = this.rules.groups.findIndex((group) => group.rules.some(({ id }) => id === rule));
    const group = this.rules.groups[index];
    if (!group) return undefined;
    const place = group.rules.findIndex(({ id }) => id === rule);
    const mine = group.rules[place] as CompiledRule;
    if (mine.perPrinter && printer === undefined) return undefined;
    const record = mine.perPrinter && printer !== undefined ? this.printer(printer) : undefined;
    const scope = scopeOfKey(mine, key);
    const lane =
      this.findLane(record, index, key) ??
      this.addLane(record, index, this.makeLane(record, group, key, scope));
    return { lane, place, record };
  }

  /**
   * Takes up what was told of troubles after the states were kept that were imported, before anything is judged again:
   * what comes out otherwise than it was told is told anew, or withdrawn. What was settled by then stays as it was told.
   */
  recall(troubles: TroubleView[]): void {
    for (const view of troubles) {
      const openedAt = parseMoment(view.openedAt);
      const found = this.laneFor(view.rule, view.scope.printer, view.key);
      if (!found) continue;
      const { lane, place, record } = found;
      const horizon = record ? record.watermark - lane.group.lateMs : Number.NEGATIVE_INFINITY;
      const known = lane.told?.has(view.id) === true;
      if (!known && (openedAt < horizon || lane.final(place, view.key, openedAt))) continue;
      lane.told ??= new Map();
      const closedAt = view.closedAt === undefined ? undefined : parseMoment(view.closedAt);
      // No count is as low: it is compared with what was written in any case.
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

  /** How much is held. */
  size(): { printers: number; sorts: number; keys: number; pending: number } {
    let keys = 0;
    let pending = 0;
    for (const lane of this.lanes()) {
      keys += lane.scopes ? lane.scopes.size : 1;
      pending += lane.pending.length;
    }
    return { printers: this.printers.size, sorts: this.shared.size, keys, pending };
  }

  private *lanes(): Generator<Lane> {
    for (const printer of this.printers.values()) yield* printer.lanes.values();
    yield* this.fleetLanes.values();
  }

  /** Ids of the troubles that are open as far as was told. */
  openIds(): Set<string> {
    const ids = new Set<string>();
    for (const lane of this.lanes()) {
      for (const [id, { closedAt }] of lane.told ?? []) if (closedAt === undefined) ids.add(id);
    }
    for (const { alarms } of this.cohorts.values()) for (const { id } of alarms) ids.add(id);
    return ids;
  }

  /** Versions and ranges compare otherwise now (another catalog): what was worked out is forgotten. */
  forgetRanges(): void {
    for (const shared of this.shared.values()) shared.forgetRanges();
  }

  /** Ids of the printers of which something is held. */
  printerIds(): IterableIterator<string> {
    return this.printers.keys();
  }

  /** Whether all that is held of a printer is one structure: that is known without its exported state. */
  knowsOnlyStructure(printer: string): boolean {
    const record = this.printers.get(printer);
    return (
      record !== undefined &&
      record.watermark === Number.NEGATIVE_INFINITY &&
      record.contexts.length <= 1 &&
      record.lanes.size === 0
    );
  }

  /**
   * The state of a printer, or of the rules that are not kept by printer ('' ), as JSON. Before that it is tidied:
   * what no late entry can change is settled, keys that cannot matter any more are let go.
   */
  exportState(printer: string): PrinterState | undefined {
    const record = printer === '' ? undefined : this.printers.get(printer);
    if (printer !== '' && !record) return undefined;
    if (record) this.sweep(record);
    const lanes = record ? record.lanes.values() : this.fleetLanes.values();
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
      lanes: [...lanes].map((lane) => exportLane(lane)),
      ...(record || this.cohorts.size === 0 ? {} : { cohorts: this.exportCohorts() }),
    };
  }

  private exportCohorts(): PrinterState['cohorts'] {
    return [...this.cohorts].map(([rule, { watch, alarms }]) => ({
      fingerprint: `${rule.id}:${rule.fingerprint}`,
      state: watch.export(),
      alarms,
    }));
  }

  /** Settles what no late entry can change any more and lets go what cannot matter any more. */
  private sweep(printer: PrinterRecord): void {
    printer.lanes.sweep((lane) => {
      const horizon = printer.watermark - lane.group.lateMs;
      if (lane.pending.length > 0) this.settle(lane, horizon);
      const { passed } = lane;
      this.over(lane, lane.rest(horizon));
      // The printer's time may be ahead of the one that was told: what is settled must be told with it.
      if (this.prompt && lane.passed > passed) this.teller.tellLane(lane);
      return lane.idle(horizon) && !lane.touched;
    });
    printer.swept();
    this.countBegun(printer);
    printer.odometer?.forget(printer.watermark - this.rules.lateMaxMs - this.rules.pagesMaxMs);
  }

  /** Counts the keys of rules that are kept by printer anew: some were let go, or taken over. */
  private countBegun(record: PrinterRecord): void {
    const { groups } = this.rules;
    const kept = [...record.lanes.values()].map(({ group }) => this.groupIndex.get(group) ?? -1);
    record.recountBegun((index) => groups[index]?.rules[0]?.perPrinter === true, kept);
  }

  /**
   * Takes up the state of a printer that was exported. State of rules that have changed since is left out.
   * @returns false when something was left out, so that it has to be rebuilt from the log
   */
  importState(printer: string, state: PrinterState): boolean {
    if (!isReadable(state)) return false;
    // What time alone had opened by then was told: it must be known as told here too.
    if (state.now !== null && state.now > this.teller.now) this.teller.now = state.now;
    const groups = groupsByFingerprint(this.rules);
    const record = printer === '' ? undefined : this.printer(printer);
    if (record) {
      record.watermark = Math.max(record.watermark, state.watermark ?? Number.NEGATIVE_INFINITY);
      if (state.newest && record.watermark === state.watermark) {
        [record.newestLog, record.newestSeq] = state.newest;
      }
      for (const { from, context } of state.contexts) {
        this.setContext(record, context, from ?? Number.NEGATIVE_INFINITY);
      }
      if (record.odometer) {
        for (const [at, log, seq, pages] of readingsOf(state)) record.odometer.add(at, log, seq, pages);
      }
    }
    for (const { fingerprint, state: kept, alarms } of state.cohorts ?? []) {
      for (const [rule, cohort] of this.cohorts) {
        if (`${rule.id}:${rule.fingerprint}` !== fingerprint) continue;
        cohort.watch.import(kept);
        cohort.alarms = alarms;
      }
    }
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
      // Told before it was kept: only what changes from here on is news.
      this.teller.adopt(this.addLane(record, index as number, lane));
      const newest = record ? undefined : lane.newest;
      const owner = record ? undefined : lane.firstPrinter;
      if (owner !== undefined) this.printer(owner).begin(index as number);
      if (newest !== undefined && newest > this.fleetNewest) this.fleetNewest = newest;
    }
    if (record) this.countBegun(record);
    else this.fleetPending = this.countFleetPending();
    return whole;
  }

  /**
   * Without `prompt`: all troubles as of event time `now`, or those that `onEnded` did not take, by opening. The engine
   * is used up.
   */
  finish(now: number): TroubleView[] {
    const all = this.settledTroubles;
    this.settledTroubles = [];
    for (const lane of this.lanes()) for (const trouble of lane.finish(now)) all.push(viewOf(trouble));
    for (const [rule, { watch }] of this.cohorts) {
      for (const alarm of alarmsOf(rule, watch.advance(Number.POSITIVE_INFINITY))) all.push(alarm);
    }
    return inOrder(this.rules, all, (trouble) => trouble);
  }
}

/** Sorts by opening, then by the order of the rules in their document, then by key. */
export function inOrder<T>(
  { rules }: CompiledRules,
  list: T[],
  read: (one: T) => Pick<TroubleView, 'openedAt' | 'rule' | 'key'>,
): T[] {
  const rank = new Map(rules.map(({ id }, index) => [id, index]));
  const sortable = list.map((one) => {
    const { openedAt, rule, key } = read(one);
    return { one, at: parseMoment(openedAt), rank: rank.get(rule) ?? 0, key };
  });
  sortable.sort((a, b) => a.at - b.at || a.rank - b.rank || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return sortable.map(({ one }) => one);
}

function kindOf({ units }: PrinterContext, unit: string): string | undefined {
  return Object.hasOwn(units, unit) ? units[unit]?.kind : undefined;
}
