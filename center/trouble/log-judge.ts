/**
 * Judges stored entries by the rules in force, in memory. Entries wait while rules and their state are loaded; when too
 * many wait, they are read from the store instead.
 */
import type { Logger } from 'pino';
import type { LogEntry, Structure } from '../../schemas/types.ts';
import type { ReadingSigns } from '../readings/signs.ts';
import { type CompiledRules, compileRules } from './engine/compile.ts';
import { contextOf, type InRange } from './engine/context.ts';
import { type TroubleChange, TroubleEngine } from './engine/engine.ts';
import { EARLY_MAX_MS, JUDGED_TOGETHER_MAX, WAITING_ENTRIES_MAX } from './engine/limits.ts';
import type { CompiledRule } from './engine/rule.ts';
import { groupFingerprint, type PrinterState } from './engine/state-codec.ts';
import { parseTime } from './engine/time.ts';
import { viewOfRow } from './rows.ts';
import type { StoredBatch, TroubleStore } from './store.ts';
import { Unjudged } from './unjudged.ts';

export interface LogJudgeSettings {
  store: TroubleStore;
  inRange: InRange;
  /** Called once when a printer reaches the maximum of keys for a rule. */
  onCrowded(rule: string, printer: string): void;
  /** Called with what was concluded. */
  onChanges(changes: TroubleChange[]): void;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** State of one printer, or of the rules across printers (''), as stored. */
export interface StateRow {
  printer: string;
  state: string;
}

/** The stored state that the rules in force start from. */
export interface KeptMemory {
  /** Fingerprints of the groups of rules whose state is in `states`. */
  known: Set<string>;
  states: [printer: string, state: PrinterState][];
  /** Entries received from this time on may be missing in `states`. */
  since: Date;
}

/** What arrives while state is loaded. */
interface Arrivals {
  batches: StoredBatch[];
  entries: number;
  structures: Map<string, Structure>;
  readings: { printer: string; signs: ReadingSigns }[];
  /** Too many entries arrived: they are read from the store. */
  overflowed: boolean;
}

/** Longest time for which judging blocks the event loop. */
const JUDGE_MS_MAX = 5;
/** State written per transaction: printers, and characters of JSON. */
const CHECKPOINT_PRINTERS = 200;
const CHECKPOINT_CHARACTERS = 500_000;
/** Shortest time between two warnings that entries were settled early. */
const HASTE_LOGGED_EVERY_MS = 60_000;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class LogJudge {
  readonly #settings: LogJudgeSettings;
  #rules: CompiledRules = compileRules({ rules: 'none', list: [] }).rules;
  #byId = new Map<string, CompiledRule>();
  #engine = new TroubleEngine(this.#rules);
  readonly #unjudged = new Unjudged();
  #arrivals: Arrivals | undefined = newArrivals();
  /** Printers whose state changed since it was last stored. */
  readonly #dirty = new Set<string>();
  /** Printers with state in the store. */
  readonly #stored = new Set<string>();
  readonly #counts = { judged: 0, early: 0 };
  #haste = { logged: 0, at: Number.NEGATIVE_INFINITY };

  constructor(settings: LogJudgeSettings) {
    this.#settings = settings;
  }

  /**
   * What happened to entries since the start or the last change of rules: judged, refused as too far ahead (`early`),
   * and, counted per rule, too late, above the maximum of keys (`crowded`), or settled early (`hastened`).
   */
  get counts(): Record<'judged' | 'early' | 'late' | 'crowded' | 'hastened' | 'clocks_set_back', number> {
    const { late, crowded, hastened, setBack } = this.#engine;
    return { ...this.#counts, late, crowded, hastened, clocks_set_back: setBack };
  }

  get loading(): boolean {
    return this.#arrivals !== undefined;
  }

  rule(id: string): CompiledRule | undefined {
    return this.#byId.get(id);
  }

  /** Ids of the rules whose group has one of these fingerprints. */
  rulesOf(fingerprints: Set<string>): Set<string> {
    const groups = this.#rules.groups.filter((group) => fingerprints.has(groupFingerprint(group)));
    return new Set(groups.flatMap(({ rules }) => rules.map(({ id }) => id)));
  }

  fingerprints(): string[] {
    return this.#rules.groups.map(groupFingerprint);
  }

  openIds(): Set<string> {
    return this.#engine.openIds();
  }

  /** Takes entries that were stored for the first time. @returns whether there is something to judge soon */
  onEntries(printer: string, log: string, entries: readonly LogEntry[]): boolean {
    const arrivals = this.#arrivals;
    if (arrivals) {
      if (arrivals.entries + entries.length > WAITING_ENTRIES_MAX) {
        arrivals.overflowed = true;
      } else {
        arrivals.entries += entries.length;
        arrivals.batches.push({ printer, log, entries: [...entries] });
      }
      return false;
    }
    if (this.#rules.rules.length === 0) return false;
    this.#unjudged.add(printer, log, entries);
    if (this.#unjudged.size >= JUDGED_TOGETHER_MAX) this.#judgeAll();
    return true;
  }

  /** Takes a reading that was stored for the first time. */
  onReading(printer: string, signs: ReadingSigns): void {
    const arrivals = this.#arrivals;
    if (!arrivals) {
      if (!this.#engine.looksAtReadings) return;
      this.#dirty.add(printer);
      this.#conclude(this.#engine.applyReading(printer, signs));
    } else if (arrivals.entries >= WAITING_ENTRIES_MAX) {
      arrivals.overflowed = true;
    } else {
      arrivals.entries += 1;
      arrivals.readings.push({ printer, signs });
    }
  }

  onStructure(printer: string, structure: Structure): void {
    if (this.#arrivals) this.#arrivals.structures.set(printer, structure);
    else this.#judge(printer);
    const at = parseTime(structure.at);
    this.#engine.context(printer, contextOf(structure), Number.isNaN(at) ? undefined : at);
    this.#dirty.add(printer);
  }

  /** Drops cached ranges: another catalog may order versions differently. */
  forgetRanges(): void {
    this.#engine.forgetRanges();
  }

  /** Judges all waiting entries. */
  #judgeAll(): void {
    for (const printer of this.#unjudged.printers()) this.#judge(printer);
  }

  /** Like `judgeAll`, but yields to other work in between. */
  async judgeInTurns(): Promise<void> {
    let began = performance.now();
    // Printers whose entries arrive meanwhile get their turn later.
    for (const printer of [...this.#unjudged.printers()]) {
      this.#judge(printer);
      if (performance.now() - began < JUDGE_MS_MAX) continue;
      await nextTurn();
      began = performance.now();
    }
  }

  #judge(printer: string): void {
    const stretches = this.#unjudged.take(printer);
    if (stretches.length === 0) return;
    this.#dirty.add(printer);
    const limit_ms = this.#settings.now() + EARLY_MAX_MS;
    const limit = new Date(limit_ms).toISOString();
    // In the form that nearly all clocks write, comparing texts compares times, and costs less than parsing.
    const early = ({ at }: LogEntry) => !(at.endsWith('Z') && at < limit) && !(parseTime(at) <= limit_ms);
    for (const { log, entries } of stretches) {
      const believable = entries.some(early) ? entries.filter((entry) => !early(entry)) : entries;
      this.#counts.judged += believable.length;
      this.#counts.early += entries.length - believable.length;
      const { setBack } = this.#engine;
      this.#conclude(this.#engine.apply(printer, log, believable));
      if (this.#engine.setBack > setBack) {
        this.#settings.log.warn(
          { printer, log },
          'the clock of a printer was set back: its entries with later times are discarded',
        );
      }
    }
  }

  #conclude(changes: TroubleChange[]): void {
    for (const { trouble } of changes) this.#dirty.add(trouble.scope.printer ?? '');
    this.#settings.onChanges(changes);
  }

  /** Advances event time to `now` (ms). */
  advance(now: number): void {
    this.#conclude(this.#engine.advance(now));
  }

  /** Warns once in a while that entries were settled early. */
  warnOfHaste(now: number): void {
    const { hastened } = this.#engine;
    const { logged, at } = this.#haste;
    if (hastened < logged) this.#haste.logged = 0;
    if (hastened <= logged || now - at < HASTE_LOGGED_EVERY_MS) return;
    this.#haste = { logged: hastened, at: now };
    this.#settings.log.warn(
      { count: hastened - logged },
      'too many entries are waiting for late ones: older ones were settled early',
    );
  }

  /** Discards what a key has seen up to `at` (ms): an operator or a cure ended its trouble. */
  cut(rule: string, printer: string | undefined, key: string, at: number): void {
    this.#engine.cut(rule, printer, key, at);
  }

  /** The printer was removed. */
  forget(printer: string): void {
    this.#unjudged.take(printer);
    this.#arrivals?.structures.delete(printer);
    this.#engine.forget(printer);
    this.#dirty.delete(printer);
    this.#stored.delete(printer);
  }

  /** Printers whose state must be stored; '' stands for the rules across printers. */
  dirty(): string[] {
    if (this.#rules.rules.some((rule) => rule.cohort)) this.#dirty.add('');
    return [...this.#dirty];
  }

  /** Marks states that could not be stored. */
  markDirty(states: readonly StateRow[]): void {
    for (const { printer } of states) this.#dirty.add(printer);
  }

  /** Takes printers from the end of the list until their state fills one transaction. */
  export(printers: string[]): StateRow[] {
    const states: StateRow[] = [];
    let characters = 0;
    while (characters < CHECKPOINT_CHARACTERS && states.length < CHECKPOINT_PRINTERS) {
      const printer = printers.pop();
      if (printer === undefined) break;
      this.#dirty.delete(printer);
      // Its structure is in the store already: a fleet that connects for the first time needs no second write.
      if (!this.#stored.has(printer) && this.#engine.knowsOnlyStructure(printer)) continue;
      const state = this.#engine.exportState(printer);
      if (!state) continue;
      this.#stored.add(printer);
      const text = JSON.stringify(state);
      states.push({ printer, state: text });
      characters += text.length;
    }
    return states;
  }

  /** Exports all state, to continue under other rules. */
  exportAll(since: Date): KeptMemory {
    const known = new Set(this.fingerprints());
    const states = [...this.#engine.printerIds(), ''].flatMap((printer): [string, PrinterState][] => {
      const state = this.#engine.exportState(printer);
      return state ? [[printer, JSON.parse(JSON.stringify(state)) as PrinterState]] : [];
    });
    // Exporting settles, and troubles that became final are not in the states: this engine reports them.
    this.advance(this.#settings.now());
    return { known, states, since };
  }

  /** Notes that state of this printer is in the store. */
  markStored(printer: string): void {
    this.#stored.add(printer);
  }

  /** Puts rules in force: imports the state of unchanged rules, and rebuilds that of others from the log. */
  async load(rules: CompiledRules, { known, states, since }: KeptMemory): Promise<void> {
    const { store, now, inRange, log, onCrowded } = this.#settings;
    this.#arrivals ??= newArrivals();
    const arrivals = this.#arrivals;
    const engine = new TroubleEngine(rules, { inRange, mendsClocks: true, onCrowded });
    const changes: TroubleChange[] = [];
    const fresh = new Set(
      rules.groups.flatMap((group, index) => (known.has(groupFingerprint(group)) ? [] : [index])),
    );
    const rebuilt = new Set(
      [...fresh].flatMap((index) => rules.groups[index]?.rules.map(({ id }) => id) ?? []),
    );
    const back = new Date(now() - rules.horizonMaxMs - rules.lateMaxMs - EARLY_MAX_MS);
    const readStructures = () =>
      store.eachStructure(back, (printer, structure) => {
        engine.context(printer, contextOf(structure), parseTime(structure.at));
      });
    await readStructures();
    const judge = ({ printer, log: memory, entries }: StoredBatch) => {
      for (const change of engine.apply(printer, memory, entries)) changes.push(change);
    };
    const judgeReading = (printer: string, signs: ReadingSigns) => {
      for (const change of engine.applyReading(printer, signs)) changes.push(change);
    };
    const judgeSince = async () => {
      await store.eachBatch(since, judge);
      if (engine.looksAtReadings) await store.eachReading(since, judgeReading);
    };
    if (fresh.size > 0) {
      engine.only = fresh;
      for (const { rule, printer, key, at } of await store.cuts()) engine.cut(rule, printer, key, at);
      await store.eachBatch(back, judge);
      const readsNew = [...fresh].some((index) => rules.groups[index]?.time !== 'entries');
      if (readsNew) await store.eachReading(new Date(now() - rules.readsBackMs), judgeReading);
      engine.only = undefined;
      engine.restartReadings();
    }
    for (const [printer, state] of states) engine.importState(printer, state);
    // Imported cohorts may lack structures reported since.
    if (rules.rules.some((rule) => rule.cohort)) await readStructures();
    const announced = (await store.changedSince(since)).filter(({ rule }) => !rebuilt.has(rule));
    engine.recall(announced.map(viewOfRow));
    await judgeSince();
    while (arrivals.overflowed) {
      arrivals.overflowed = false;
      arrivals.batches = [];
      arrivals.readings = [];
      arrivals.entries = 0;
      await judgeSince();
    }
    this.#rules = rules;
    this.#byId = new Map(rules.rules.map((rule) => [rule.id, rule]));
    this.#engine = engine;
    this.#arrivals = undefined;
    // Before the changes that follow from arrivals: for each trouble the newest view wins.
    this.#conclude(changes);
    for (const [printer, structure] of arrivals.structures) this.onStructure(printer, structure);
    for (const { printer, log: memory, entries } of arrivals.batches) {
      this.#unjudged.add(printer, memory, entries);
    }
    this.#judgeAll();
    for (const { printer, signs } of arrivals.readings) this.onReading(printer, signs);
    for (const printer of engine.printerIds()) this.#dirty.add(printer);
    for (const [printer] of states) this.#dirty.add(printer);
    this.#dirty.add('');
    this.advance(now());
    log.info(
      { rules: rules.revision, count: rules.rules.length, rebuilt: fresh.size },
      'the trouble rules are in force',
    );
  }
}

function newArrivals(): Arrivals {
  return { batches: [], entries: 0, structures: new Map(), readings: [], overflowed: false };
}
