/**
 * The trouble engine: entries in, changes of troubles out. Pure: no I/O and no clock; time is event time, and `now`
 * is passed in.
 *
 * An entry is taken when it is at most `late` behind the newest entry of its printer. The troubles depend on the set
 * of entries taken and on `now`, not on how the entries were cut, ordered or repeated.
 */
import { hash as digest } from 'node:crypto';
import type { LogEntry } from '../../schemas/types.ts';
import { type CohortAlarm, CohortWatch } from './cohort.ts';
import type { CompiledRules, RuleGroup, RulePlace } from './compile.ts';
import { ContextClass, type InRange, type PrinterContext, semverInRange } from './context.ts';
import { DeadlineQueue } from './deadlines.ts';
import type { KeyScope } from './key-state.ts';
import { Lane, type LaneTrouble, SETTLE_MIN, type Told } from './lane.ts';
import type { LaneNaming } from './lane-naming.ts';
import {
  CONTEXTS_MAX,
  KEYS_FLEET_MAX,
  KEYS_JOINT_MAX,
  KEYS_PER_PRINTER_MAX,
  PENDING_MAX,
  UNITS_NAMED_MAX,
} from './limits.ts';
import { Odometer } from './rate.ts';
import type { CohortOptions, CompiledRule } from './rule.ts';
import type { Sighting } from './sighting.ts';
import { exportLane, groupsByFingerprint, importLane, type PrinterState, STATE_FORM } from './state-codec.ts';
import { formatTime, parseTime } from './time.ts';
import type { Facts } from './where.ts';

/** A trouble as it is told. */
export interface TroubleView {
  /** The same for the same rule, key and opening, wherever it is worked out. */
  id: string;
  rule: string;
  title: string | undefined;
  /** Which printer, unit, code, model and site it is kept for, as far as the rule's `by` names them. */
  scope: KeyScope;
  key: string;
  openedAt: string;
  closedAt: string | undefined;
  severity: string;
  /** Its severity has risen since it opened. */
  escalated: boolean;
  /** Entries counted to it. */
  count: number;
  /** The highest number that was compared with `ge`. */
  measure: number;
  evidence: { printer: string; log: string; seq: number }[];
  /** The different codes of the evidence. */
  codes: string[];
  /** Event time of the newest entry counted to it, ms. */
  lastAt: number;
  reopened: number;
  /** What a cohort rule has to say. */
  explanation?: string;
}

export interface TroubleChange {
  /** `withdrawn`: entries that came late show that there never was such a trouble. */
  kind: 'opened' | 'evidence' | 'escalated' | 'reopened' | 'cleared' | 'withdrawn';
  trouble: TroubleView;
}

export interface EngineOptions {
  /** False: troubles are told by `finish` only (replaying a file). Default true. */
  prompt?: boolean;
  /** Tells whether a version of some software lies in a range. */
  inRange?: InRange;
  /** Sightings of one key that may wait for late ones; default `PENDING_MAX`. */
  pendingMax?: number;
  /** Sightings of one key at which it is worth settling; default `SETTLE_MIN`. */
  settleMin?: number;
}

interface Printer {
  id: string;
  /** Newest event time seen, ms. */
  watermark: number;
  newestLog: string;
  newestSeq: number;
  contexts: { from: number; shared: ContextClass }[];
  odometer: Odometer | undefined;
  lanes: Map<string, Lane>;
  /** Key and scope of each unit, shared by the rules that are kept by printer and unit; made when needed. */
  units: Map<string, { key: string; scope: KeyScope }> | undefined;
}

export const SEVERITY_DEFAULT = 'minor';

export class TroubleEngine {
  readonly rules: CompiledRules;
  /** Entries that came too late for a rule, by rule. */
  late = 0;
  /** Sightings that were not taken because their key was one too many. */
  crowded = 0;
  /** While set, only these groups of rules judge: the others are taken over from elsewhere. */
  only: Set<number> | undefined;
  /** Ended troubles that were settled and not yet taken (without `prompt`). */
  private settledTroubles: LaneTrouble[] = [];
  private readonly prompt: boolean;
  private readonly inRange: InRange;
  private readonly pendingMax: number;
  private readonly settleMin: number;
  private readonly printers = new Map<string, Printer>();
  private readonly shared = new Map<string, ContextClass>();
  private readonly nothingKnown: ContextClass;
  /** Lanes of rules that are not kept by printer. */
  private readonly fleetLanes = new Map<string, Lane>();
  private readonly deadlines = new DeadlineQueue<Lane>();
  private touched: Lane[] = [];
  private now = Number.NEGATIVE_INFINITY;
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
    this.rules = rules;
    this.prompt = options.prompt ?? true;
    this.inRange = options.inRange ?? semverInRange;
    this.pendingMax = options.pendingMax ?? PENDING_MAX;
    this.settleMin = options.settleMin ?? SETTLE_MIN;
    this.usesPages = rules.rules.some((rule) => rule.usesPages);
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

  private setContext(record: Printer, context: PrinterContext, start: number): void {
    const signature = JSON.stringify(context);
    let shared = this.shared.get(signature);
    if (!shared) {
      shared = new ContextClass(context, this.rules.index, this.inRange);
      this.shared.set(signature, shared);
    }
    const { contexts } = record;
    const last = contexts.at(-1);
    if (last?.shared === shared && start >= last.from) return;
    let place = contexts.length;
    while (place > 0 && (contexts[place - 1]?.from ?? 0) > start) place -= 1;
    contexts.splice(place, 0, { from: start, shared });
    if (contexts.length > CONTEXTS_MAX) contexts.shift();
  }

  private printer(id: string): Printer {
    let printer = this.printers.get(id);
    if (!printer) {
      printer = {
        id,
        watermark: Number.NEGATIVE_INFINITY,
        newestLog: '',
        newestSeq: 0,
        contexts: [],
        odometer: this.usesPages ? new Odometer() : undefined,
        lanes: new Map(),
        units: undefined,
      };
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
    return this.prompt ? this.tell() : [];
  }

  /** Judges one entry whose time is already parsed; without `prompt` nothing need be called after it. */
  judge(printer: Printer | string, log: string, entry: Omit<LogEntry, 'at'>, at: number): void {
    const record = typeof printer === 'string' ? this.printer(printer) : printer;
    if (Number.isNaN(at)) return;
    const pages = entry.pages ?? -1;
    if (pages >= 0 && record.odometer && at >= record.watermark - this.rules.lateMaxMs) {
      record.odometer.add(at, log, entry.seq, pages);
      const behind =
        at < record.watermark ||
        (at === record.watermark && (log !== record.newestLog || entry.seq < record.newestSeq));
      if (behind) {
        // Rates that were worked out without this reading may be wrong.
        for (const lane of record.lanes.values()) if (lane.odometer) this.touch(lane).upset();
      }
    }
    if (at > record.watermark || (at === record.watermark && entry.seq > record.newestSeq)) {
      record.watermark = at;
      record.newestLog = log;
      record.newestSeq = entry.seq;
    }
    const known = contextAt(record, at) ?? this.nothingKnown;
    const { code, places: candidates } = known.candidates(entry.code);
    if (candidates.length === 0) return;
    const memory = log === record.newestLog ? record.newestLog : log;
    const { context } = known;
    const { facts } = this;
    facts.printer = record.id;
    facts.code = entry.code;
    facts.severity = entry.severity;
    facts.unit = entry.unit;
    facts.kind = entry.unit === undefined ? undefined : context.units[entry.unit]?.kind;
    facts.model = context.model;
    facts.site = context.site;
    facts.detail = entry.detail as Record<string, unknown> | undefined;
    for (const place of candidates) {
      if (this.only && !this.only.has(place.group)) continue;
      const { rule } = place;
      if (rule.scope.kind !== undefined && facts.kind !== rule.scope.kind) continue;
      if (!rule.test(facts) || !known.hasSoftware(rule, entry.unit)) continue;
      if (rule.cohort) {
        this.cohorts.get(rule)?.watch.sight(record.id, log, entry.seq, entry.code, at);
        continue;
      }
      let mask = 0;
      for (let bit = 0; bit < rule.inner.length; bit += 1) if (rule.inner[bit]?.(facts)) mask |= 1 << bit;
      if (rule.inner.length > 0 && mask === 0 && rule.innerOnly) continue;
      if (at < record.watermark - rule.lateMs) {
        this.late += 1;
        continue;
      }
      const lane = this.laneOf(record, place);
      if (!lane) continue;
      const sighting: Sighting = {
        at,
        printer: record.id,
        log: memory,
        seq: entry.seq,
        code,
        rule: place.place,
        // The lane's own text instead of one more of the same.
        key: lane.key ?? keyOf(rule, facts),
        mask,
        pages,
        values: rule.fields.length === 0 ? NO_VALUES : rule.fields.map((read) => textOf(read(facts))),
      };
      this.sight(record, rule, lane, sighting);
    }
  }

  /** The lane that judges the entry of `facts` by a rule; a new one where there is none, but for one too many. */
  private laneOf(printer: Printer, { rule, group: index, naming }: RulePlace): Lane | undefined {
    const { facts } = this;
    const name =
      naming.sort === 'key' ? naming.ofKey(keyOf(rule, facts), printer.id) : naming.ofUnit(facts.unit ?? '');
    const lanes = rule.perPrinter ? printer.lanes : this.fleetLanes;
    let lane = lanes.get(name);
    if (!lane) {
      // Units and codes are the printer's own words: it must not fill the memory with them.
      if (lanes.size >= (rule.perPrinter ? KEYS_PER_PRINTER_MAX : KEYS_FLEET_MAX)) {
        this.crowded += 1;
        return undefined;
      }
      const group = this.rules.groups[index] as RuleGroup;
      const odometer = group.usesPages ? printer.odometer : undefined;
      const { key, scope } =
        naming.sort === 'unit' && rule.by[0] === 'printer'
          ? this.unitOf(printer, rule)
          : { key: keyOf(rule, facts), scope: scopeOf(rule, facts) };
      lane = new Lane(group, key, scope, odometer, this.prompt);
      lane.settleAt = this.settleMin;
      lanes.set(name, lane);
    }
    return lane;
  }

  // Many rules are kept by printer and unit: the texts and the scope stand once for all of them.
  private unitOf(printer: Printer, rule: CompiledRule): { key: string; scope: KeyScope } {
    printer.units ??= new Map();
    const unit = this.facts.unit ?? '';
    let found = printer.units.get(unit);
    if (!found || found.scope.unit !== this.facts.unit) {
      found = { key: keyOf(rule, this.facts), scope: scopeOf(rule, this.facts) };
      if (printer.units.size >= UNITS_NAMED_MAX) printer.units.clear();
      printer.units.set(unit, found);
    }
    return found;
  }

  private sight(printer: Printer, rule: CompiledRule, lane: Lane, sighting: Sighting): void {
    if (lane.scopes) {
      const slot = `${sighting.rule} ${sighting.key}`;
      if (!lane.scopes.has(slot)) {
        if (lane.scopes.size >= KEYS_JOINT_MAX) {
          this.crowded += 1;
          return;
        }
        lane.scopes.set(slot, scopeOf(rule, this.facts));
      }
    }
    // Settled before the newest comes: then all that waits is often old enough, and what is live is what is settled.
    if (lane.pending.length >= lane.settleAt) this.settle(lane, printer.watermark, rule.perPrinter);
    if (!lane.add(sighting)) {
      this.late += 1;
      return;
    }
    if (this.prompt) this.touch(lane);
  }

  private touch(lane: Lane): Lane {
    if (!lane.touched) {
      lane.touched = true;
      this.touched.push(lane);
    }
    return lane;
  }

  private settle(lane: Lane, watermark: number, perPrinter: boolean): void {
    let ended: LaneTrouble[] = [];
    if (perPrinter) ended = lane.settle(watermark - lane.group.lateMs);
    if (lane.pending.length >= this.pendingMax) {
      // Too many wait: the oldest half is settled before its time, and late entries among them are lost.
      const middle = lane.pending[lane.pending.length >> 1] as Sighting;
      const first = lane.pending[0] as Sighting;
      ended = ended.concat(lane.settle(middle.at > first.at ? middle.at : middle.at + 1));
    }
    lane.settleAt = Math.max(this.settleMin, lane.pending.length * 2);
    if (this.prompt) {
      // What has ended for good is told before it is forgotten.
      if (ended.length > 0) this.tellLane(lane, ended);
    } else {
      for (const trouble of ended) this.settledTroubles.push(trouble);
    }
  }

  private pendingChanges: TroubleChange[] = [];

  private tell(): TroubleChange[] {
    const { touched } = this;
    this.touched = [];
    for (const lane of touched) {
      lane.touched = false;
      this.tellLane(lane, []);
    }
    const changes = this.pendingChanges;
    this.pendingChanges = [];
    return changes;
  }

  private tellLane(lane: Lane, ended: LaneTrouble[]): void {
    const known = lane.told;
    if (!known && ended.length === 0 && lane.innocent) return;
    if (known || ended.length > 0 || lane.troubled(this.now)) {
      const current = ended.concat(lane.troubles(this.now));
      const told = known ?? new Map<string, Told>();
      lane.told = told;
      const seen = new Set<string>();
      for (const trouble of current) {
        const { life } = trouble;
        const id = idOf(trouble);
        if (seen.has(id)) continue;
        seen.add(id);
        const kinds = changeOf(told.get(id), trouble);
        if (!kinds) continue;
        const view = viewOf(trouble);
        const { severity, count, reopened, closedAt } = life;
        told.set(id, { view, severity, count, reopened, closedAt });
        for (const kind of kinds) this.pendingChanges.push({ kind, trouble: view });
      }
      for (const [id, { view }] of told) {
        if (seen.has(id)) continue;
        this.pendingChanges.push({ kind: 'withdrawn', trouble: view });
        told.delete(id);
      }
      for (const trouble of ended) told.delete(idOf(trouble));
      if (told.size === 0) lane.told = undefined;
    }
    const deadline = lane.deadline();
    if (deadline < lane.queued) {
      lane.queued = deadline;
      this.deadlines.push(deadline, lane);
    }
  }

  /** Tells what has become of the troubles when event time has come to `now` (ms). Never goes back. */
  advance(now: number): TroubleChange[] {
    if (now > this.now) this.now = now;
    for (const [deadline, lane] of this.deadlines.until(this.now)) {
      if (lane.queued !== deadline) continue;
      lane.queued = Number.POSITIVE_INFINITY;
      this.touch(lane);
    }
    for (const [rule, cohort] of this.cohorts) {
      // Across printers nothing tells how far each has come: the fleet's clock less `late` does.
      for (const view of alarmsOf(rule, cohort.watch.advance(this.now - rule.lateMs))) {
        cohort.alarms.push(view);
        this.pendingChanges.push({ kind: 'opened', trouble: view });
      }
    }
    return this.tell();
  }

  /**
   * Has done with a key up to event time `at`: an operator closed its trouble, or a cure was proven. What was seen
   * until then counts no more.
   */
  cut(rule: string, printer: string | undefined, key: string, at: number): void {
    const groupIndex = this.rules.groups.findIndex((group) => group.rules.some(({ id }) => id === rule));
    const group = this.rules.groups[groupIndex];
    if (!group) return;
    for (const [cohortRule, { watch, alarms }] of this.cohorts) {
      if (cohortRule.id !== rule) continue;
      const [release = '', code = ''] = key.split('\u001f');
      watch.close(release, code);
      alarms.splice(0, alarms.length, ...alarms.filter((alarm) => alarm.key !== key));
      return;
    }
    const place = group.rules.findIndex(({ id }) => id === rule);
    const mine = group.rules[place] as CompiledRule;
    let lanes = this.fleetLanes;
    let odometer: Odometer | undefined;
    if (mine.perPrinter) {
      if (printer === undefined) return;
      const record = this.printer(printer);
      lanes = record.lanes;
      odometer = group.usesPages ? record.odometer : undefined;
    }
    const name = (this.rules.namings[groupIndex] as LaneNaming).ofKey(key, printer ?? '');
    let lane = lanes.get(name);
    if (!lane) {
      lane = new Lane(group, key, mine.perPrinter ? { printer } : {}, odometer, this.prompt);
      lanes.set(name, lane);
    }
    lane.cut(place, key, at);
    for (const [id, { view }] of lane.told ?? []) {
      if (view.rule === rule && view.key === key) lane.told?.delete(id);
    }
    this.touch(lane);
  }

  /** How much is held. */
  size(): { printers: number; keys: number; pending: number } {
    let keys = 0;
    let pending = 0;
    for (const lane of this.lanes()) {
      keys += lane.scopes ? lane.scopes.size : 1;
      pending += lane.pending.length;
    }
    return { printers: this.printers.size, keys, pending };
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

  /**
   * The state of a printer, or of the rules that are not kept by printer ('' ), as JSON. Before that it is tidied:
   * what no late entry can change is settled, keys that cannot matter any more are let go.
   */
  exportState(printer: string): PrinterState | undefined {
    const record = printer === '' ? undefined : this.printers.get(printer);
    if (printer !== '' && !record) return undefined;
    const lanes = record ? record.lanes : this.fleetLanes;
    if (record) this.tidy(record);
    return {
      form: STATE_FORM,
      now: Number.isFinite(this.now) ? this.now : null,
      watermark: record && Number.isFinite(record.watermark) ? record.watermark : null,
      contexts: (record?.contexts ?? []).map(({ from, shared }) => ({
        from: Number.isFinite(from) ? from : null,
        context: shared.context,
      })),
      readings: record?.odometer?.readings.map(({ at, log, seq, pages }) => [at, log, seq, pages]),
      lanes: [...lanes.values()].map((lane) => exportLane(lane)),
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

  private tidy(printer: Printer): void {
    const horizon = (lane: Lane) => printer.watermark - lane.group.lateMs;
    for (const [name, lane] of printer.lanes) {
      if (lane.pending.length > 0) this.settle(lane, printer.watermark, true);
      if (lane.idle(horizon(lane)) && !lane.touched) {
        printer.lanes.delete(name);
      }
    }
    const { pagesMaxMs } = this.rules;
    printer.odometer?.forget(printer.watermark - this.rules.lateMaxMs - pagesMaxMs);
  }

  /**
   * Takes up the state of a printer that was exported. State of rules that have changed since is left out.
   * @returns false when something was left out, so that it has to be rebuilt from the log
   */
  importState(printer: string, state: PrinterState): boolean {
    if (state.form !== STATE_FORM) return false;
    // What time alone had opened by then was told: it must be known as told here too.
    if (state.now !== null && state.now > this.now) this.now = state.now;
    const groups = groupsByFingerprint(this.rules);
    const record = printer === '' ? undefined : this.printer(printer);
    if (record) {
      record.watermark = Math.max(record.watermark, state.watermark ?? Number.NEGATIVE_INFINITY);
      for (const { from, context } of state.contexts) {
        this.setContext(record, context, from ?? Number.NEGATIVE_INFINITY);
      }
      if (record.odometer) {
        for (const [at, log, seq, pages] of state.readings ?? []) record.odometer.add(at, log, seq, pages);
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
      const name = (this.rules.namings[index as number] as LaneNaming).ofKey(lane.key ?? '', printer);
      (record ? record.lanes : this.fleetLanes).set(name, lane);
      // Told before it was kept: only what changes from here on is news.
      const news = this.pendingChanges;
      this.pendingChanges = [];
      this.tellLane(lane, []);
      this.pendingChanges = news;
    }
    return whole;
  }

  /** All troubles as of event time `now`, by opening; for an engine without `prompt`. */
  finish(now: number): TroubleView[] {
    const all = this.settledTroubles;
    this.settledTroubles = [];
    for (const lane of this.lanes()) for (const trouble of lane.finish(now)) all.push(trouble);
    const rank = new Map(this.rules.rules.map((rule, index) => [rule, index]));
    all.sort(
      (left, right) =>
        left.life.openedAt - right.life.openedAt ||
        (rank.get(left.rule) ?? 0) - (rank.get(right.rule) ?? 0) ||
        (left.key < right.key ? -1 : left.key > right.key ? 1 : 0),
    );
    const views = all.map(viewOf);
    if (this.cohorts.size === 0) return views;
    for (const [rule, { watch }] of this.cohorts)
      views.push(...alarmsOf(rule, watch.advance(Number.POSITIVE_INFINITY)));
    return views.sort((a, b) => Date.parse(a.openedAt) - Date.parse(b.openedAt));
  }
}

function alarmsOf(rule: CompiledRule, alarms: CohortAlarm[]): TroubleView[] {
  return alarms.map((alarm) => {
    const key = `${alarm.release}\u001f${alarm.code}`;
    const { software } = rule.cohort as CohortOptions;
    const opened = formatTime(alarm.at);
    return {
      id: hash([rule.id, key, alarm.at]),
      rule: rule.id,
      title: rule.title,
      scope: { code: alarm.code },
      key,
      openedAt: opened,
      closedAt: undefined,
      severity: rule.severity.findLast(({ from }) => alarm.exposed >= from)?.name ?? SEVERITY_DEFAULT,
      escalated: false,
      count: alarm.exposed + alarm.others,
      measure: alarm.e,
      evidence: alarm.evidence.map(({ printer, log, seq }) => ({ printer, log, seq })),
      codes: [alarm.code],
      lastAt: alarm.at,
      reopened: 0,
      explanation:
        `${software} ${alarm.release} makes ${alarm.code} more frequent: first events of ${alarm.exposed} printers with it ` +
        `and ${alarm.others} without; evidence E ${alarm.e.toPrecision(3)} against ${alarm.threshold.toPrecision(3)}; ` +
        `E over time: ${alarm.history.map(([at, e]) => `${formatTime(at)} ${e}`).join(', ')}.`,
    };
  });
}

function hash(parts: unknown[]): string {
  return digest('sha256', JSON.stringify(parts), 'base64url').slice(0, 22);
}

const NO_VALUES: readonly (string | undefined)[] = [];

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function contextAt(printer: Printer, at: number): ContextClass | undefined {
  const { contexts } = printer;
  for (let index = contexts.length - 1; index > 0; index -= 1) {
    const context = contexts[index];
    if (context && context.from <= at) return context.shared;
  }
  return contexts[0]?.shared;
}

// The parts of a key are joined by a character that no id may hold.
function keyOf(rule: CompiledRule, facts: Facts): string {
  if (rule.by.length === 1) {
    const [only] = rule.by;
    return only === undefined || only === 'fleet' ? '' : (facts[only] ?? '');
  }
  // Joined and not added up: sums of texts keep all their parts.
  const parts: string[] = [];
  for (const name of rule.by) if (name !== 'fleet') parts.push(facts[name] ?? '');
  parts.push('');
  return parts.join('\u001f');
}

function scopeOf(rule: CompiledRule, facts: Facts): KeyScope {
  const scope: KeyScope = {};
  for (const name of rule.by) {
    if (name === 'fleet') continue;
    const value = facts[name];
    if (value !== undefined) scope[name] = value;
  }
  return scope;
}

function idOf({ rule, key, life }: LaneTrouble): string {
  life.id ??= hash([rule.id, key, life.openedAt]);
  return life.id;
}

function changeOf(told: Told | undefined, { life }: LaneTrouble): TroubleChange['kind'][] | undefined {
  const kinds: TroubleChange['kind'][] = [];
  if (!told) {
    kinds.push('opened');
  } else {
    if (life.reopened > told.reopened || (told.closedAt !== undefined && life.closedAt === undefined)) {
      kinds.push('reopened');
    }
    if (life.severity > told.severity) kinds.push('escalated');
    else if (life.severity !== told.severity || life.count !== told.count || !sameEvidence(told.view, life)) {
      kinds.push('evidence');
    }
  }
  if (life.closedAt !== undefined && told?.closedAt !== life.closedAt) kinds.push('cleared');
  return kinds.length > 0 ? kinds : undefined;
}

// As many entries, yet other ones: a late entry took a place.
function sameEvidence({ evidence }: TroubleView, life: LaneTrouble['life']): boolean {
  return evidence.every((one, index) => {
    const other = life.evidence[index];
    return one.seq === other?.seq && one.log === other.log && one.printer === other.printer;
  });
}

function viewOf(trouble: LaneTrouble): TroubleView {
  const { rule, key, scope, life } = trouble;
  return {
    id: idOf(trouble),
    rule: rule.id,
    title: rule.title,
    scope,
    key,
    openedAt: formatTime(life.openedAt),
    closedAt: life.closedAt === undefined ? undefined : formatTime(life.closedAt),
    severity: rule.severity[life.severity]?.name ?? SEVERITY_DEFAULT,
    escalated: life.severity > life.firstSeverity,
    count: life.count,
    measure: life.measure,
    evidence: life.evidence.map(({ printer, log, seq }) => ({ printer, log, seq })),
    codes: [...new Set(life.evidence.map(({ code }) => code))],
    lastAt: life.newest?.at ?? life.openedAt,
    reopened: life.reopened,
  };
}
