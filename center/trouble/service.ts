/**
 * Troubles of the running center: entries that were stored are judged in memory, what changes is written and told.
 *
 * Exactly once: a trouble's id follows from its rule, key and opening, and judging an entry again changes nothing. So
 * the rules' memory may be written now and then, together with the time up to which everything received is in it;
 * after a restart whatever was received since (and a little more) is judged again, and meets the rows that are there.
 */
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type { LogEntry, Structure, Trouble, TroubleRules } from '../../schemas/types.ts';
import type { Client } from '../database/database.ts';
import type { Page, PageRequest } from '../queries.ts';
import { type CompiledRules, compileRules, compileStoredRules } from './engine/compile.ts';
import { contextOf, type InRange } from './engine/context.ts';
import { type TroubleChange, TroubleEngine } from './engine/engine.ts';
import { EARLY_MAX_MS, JUDGED_TOGETHER_MAX, WAITING_ENTRIES_MAX } from './engine/limits.ts';
import type { CompiledRule } from './engine/rule.ts';
import { groupFingerprint, isReadable, type PrinterState } from './engine/state-codec.ts';
import { parseTime } from './engine/time.ts';
import { isFinding, isOpen, type TroubleRow, troubleOf, viewOfRow } from './rows.ts';
import type { TroubleFilter } from './store.ts';
import { Unjudged } from './unjudged.ts';
import { type Amendment, TroubleWriter, type TroubleWriterSettings, type WrittenTrouble } from './writer.ts';

export interface TroubleSettings extends TroubleWriterSettings {
  inRange: InRange;
  /** A printer began too many keys of a rule. */
  onCrowded?(rule: string, printer: string): void;
  times?: Partial<typeof TIMES>;
}

/** How often things are done, ms. */
const TIMES = {
  /** Openings and endings are written after at most this. */
  flush: 100,
  /** Further evidence of open troubles is written after at most this. */
  evidence: 5_000,
  /** The rules' memory is written after this, later when writing it takes long. */
  checkpoint: 10_000,
  tick: 1_000,
  /** What failed is tried again after this. */
  retry: 1_000,
};

/** A flush that took long is followed by a pause of so many times that, up to a bound. */
const FLUSH_PAUSE_SHARE = 4;
const FLUSH_PAUSE_MS_MAX = 1_000;
/** Judging holds the event loop for about so long at once. */
const JUDGE_MS_MAX = 5;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What is judged again after a restart beyond what is needed: clocks are set back a little, commits take a while. */
const OVERLAP_MS = 60_000;
/** Memory that one transaction writes: printers, and characters of JSON. */
const CHECKPOINT_PRINTERS = 200;
const CHECKPOINT_LENGTH = 500_000;
/** A checkpoint that took long is followed by a pause of so many times that, up to a bound. */
const CHECKPOINT_PAUSE_SHARE = 10;
const CHECKPOINT_PAUSE_MS_MAX = 300_000;
/** That entries are settled early is logged at most so often. */
const HASTE_LOGGED_EVERY_MS = 60_000;
/** A proven update has cured a trouble whose rule doesn't clear by itself, when it was quiet for so long. */
const CURE_QUIET_MS = 86_400_000;

interface Waiting {
  printer: string;
  log: string;
  entries: LogEntry[];
}

interface StateRow {
  printer: string;
  state: string;
}

/** What else a transaction writes. */
interface MoreToWrite {
  /** Everything received until then is in the rules' memory. */
  cursor?: Date;
  /** A trouble that was ended by hand or by a cure. */
  ended?: TroubleRow;
}

export class TroubleService {
  readonly #settings: TroubleSettings;
  readonly #times: typeof TIMES;
  readonly #writer: TroubleWriter;
  #rules: CompiledRules = compileRules({ rules: 'none', list: [] }).rules;
  #byId = new Map<string, CompiledRule>();
  #engine = new TroubleEngine(this.#rules);
  /** Changes to be written, by trouble: the newest view. */
  #urgent = new Map<string, TroubleChange>();
  #evidence = new Map<string, TroubleChange>();
  #dirty = new Set<string>();
  /** Printers of which some memory is in the store. */
  readonly #stored = new Set<string>();
  /** To be written with the changes. */
  #amendments: Amendment[] = [];
  /** Entries that wait while the rules' memory is loaded; undefined: they are judged at once. */
  #waiting: Waiting[] | undefined = [];
  #waitingEntries = 0;
  #waitingStructures = new Map<string, Structure>();
  #overflowed = false;
  #chain: Promise<void> = Promise.resolve();
  #timers: NodeJS.Timeout[] = [];
  #checkpointTimer: NodeJS.Timeout | undefined;
  #flushTimer: NodeJS.Timeout | undefined;
  /** Documents that could not be published are tried again then. */
  #dueTimer: NodeJS.Timeout | undefined;
  /** How long the next flush waits at least, ms. */
  #flushPause = 0;
  readonly #unjudged = new Unjudged();
  #stopped = false;
  readonly #counts = { judged: 0, early: 0 };
  #haste = { logged: 0, at: Number.NEGATIVE_INFINITY };

  constructor(settings: TroubleSettings) {
    this.#settings = settings;
    this.#writer = new TroubleWriter(settings, (id) => this.#byId.get(id));
    this.#times = { ...TIMES, ...settings.times };
  }

  /**
   * What became of entries since the start or the last change of rules: those judged and those not believed (`early`),
   * and for how many rules and entries one came too late, made a key too many, or was settled before its time.
   */
  get counts(): Record<'judged' | 'early' | 'late' | 'crowded' | 'hastened' | 'clocks_set_back', number> {
    const { late, crowded, hastened, setBack } = this.#engine;
    return { ...this.#counts, late, crowded, hastened, clocks_set_back: setBack };
  }

  get engine(): TroubleEngine {
    return this.#engine;
  }

  rule(id: string): CompiledRule | undefined {
    return this.#byId.get(id);
  }

  /** Takes up the rules in force and the memory that was kept, and judges what was received since. */
  async start(document: TroubleRules | undefined): Promise<void> {
    const { rules } = compileStoredRules(document ?? { rules: 'none', list: [] });
    const { store, now, log } = this.#settings;
    const cursor = await store.cursor();
    const known = new Set(cursor === undefined ? [] : (JSON.parse(cursor.rules) as string[]));
    const states: [string, PrinterState][] = [];
    await store.eachState((printer, state) => {
      this.#stored.add(printer);
      if (known.size > 0) states.push([printer, JSON.parse(state) as PrinterState]);
    });
    // Every checkpoint writes the memory of the rules across printers, whether there is something in it or not.
    const whole =
      states.some(([printer]) => printer === '') && states.every(([, state]) => isReadable(state));
    if (known.size > 0 && !whole) {
      log.warn(
        { states: states.length },
        "the rules' memory was lost, or is of another version: it is made from the log",
      );
      known.clear();
      states.length = 0;
    }
    const since = new Date((cursor?.received.getTime() ?? now()) - OVERLAP_MS);
    await this.#load(rules, known, states, since);
    await this.#settleRemoved(known);
    await this.#writer.publishDue();
    const { tick, checkpoint, evidence } = this.#times;
    this.#every(tick, () => this.tick(now()));
    this.#checkpointIn(checkpoint);
    this.#every(evidence, () => this.#then('evidence', () => this.#commit([], true)));
    await this.checkpoint();
  }

  #every(ms: number, work: () => void): void {
    const timer = setInterval(work, ms);
    timer.unref();
    this.#timers.push(timer);
  }

  #checkpointIn(ms: number): void {
    if (this.#stopped) return;
    this.#checkpointTimer = setTimeout(() => {
      this.#then('checkpoint', async () => {
        const began = performance.now();
        try {
          await this.#checkpoint();
        } finally {
          const pause_ms = (performance.now() - began) * CHECKPOINT_PAUSE_SHARE;
          this.#checkpointIn(Math.max(this.#times.checkpoint, Math.min(pause_ms, CHECKPOINT_PAUSE_MS_MAX)));
        }
      });
    }, ms);
    this.#checkpointTimer.unref();
  }

  /** Writes what is still to be written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#flushTimer);
    clearTimeout(this.#dueTimer);
    clearTimeout(this.#checkpointTimer);
    this.#then('checkpoint', () => this.#checkpoint());
    await this.#chain;
  }

  /** Resolves when everything judged so far is in the store. */
  async checkpoint(): Promise<void> {
    this.#then('checkpoint', () => this.#checkpoint());
    await this.#chain;
  }

  #then(what: string, work: () => Promise<unknown>): void {
    this.#chain = this.#chain.then(work).then(
      () => undefined,
      (error: unknown) => {
        this.#settings.log.error({ what, reason: reasonOf(error) }, 'troubles could not be written');
      },
    );
  }

  /** Does something after all that was begun before; whoever asked is told when it fails. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#chain.then(work);
    this.#chain = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Entries that were stored, new ones only. */
  onEntries(printer: string, log: string, entries: readonly LogEntry[]): void {
    if (this.#waiting) {
      if (this.#waitingEntries + entries.length > WAITING_ENTRIES_MAX) {
        // They are in the store: they are read from there.
        this.#overflowed = true;
        return;
      }
      this.#waitingEntries += entries.length;
      this.#waiting.push({ printer, log, entries: [...entries] });
      return;
    }
    if (this.#rules.rules.length === 0) return;
    this.#unjudged.add(printer, log, entries);
    if (this.#unjudged.size >= JUDGED_TOGETHER_MAX) this.#judgeAll();
    this.#flushSoon();
  }

  /** Judges what waits, all of it. */
  #judgeAll(): void {
    for (const printer of this.#unjudged.printers()) this.#judge(printer);
  }

  /** The same, letting others have their turn in between. */
  async #judgeInTurns(): Promise<void> {
    let began = performance.now();
    // Those who come meanwhile have their turn later.
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
    // In the form that nearly every clock writes, an earlier time is a smaller text: that is cheaper than parsing it.
    const early = ({ at }: LogEntry) => !(at.endsWith('Z') && at < limit) && !(parseTime(at) <= limit_ms);
    for (const { log, entries } of stretches) {
      const believable = entries.some(early) ? entries.filter((entry) => !early(entry)) : entries;
      this.#counts.judged += believable.length;
      this.#counts.early += entries.length - believable.length;
      const { setBack } = this.#engine;
      this.#take(this.#engine.apply(printer, log, believable));
      if (this.#engine.setBack > setBack) {
        this.#settings.log.warn(
          { printer, log },
          'the clock of a printer was set back: what it had dated later is not believed any more',
        );
      }
    }
  }

  onStructure(printer: string, structure: Structure): void {
    if (this.#waiting) this.#waitingStructures.set(printer, structure);
    else this.#judge(printer);
    const at = parseTime(structure.at);
    this.#engine.context(printer, contextOf(structure), Number.isNaN(at) ? undefined : at);
    this.#dirty.add(printer);
  }

  /** Another catalog is in force. */
  onCatalog(): void {
    this.#engine.forgetRanges();
  }

  /** Event time has come to `now`. */
  tick(now: number): void {
    if (this.#waiting) return;
    this.#then('tick', async () => {
      await this.#judgeInTurns();
      this.#take(this.#engine.advance(now));
      this.#warnOfHaste(now);
    });
  }

  #warnOfHaste(now: number): void {
    const { hastened } = this.#engine;
    const { logged, at } = this.#haste;
    if (hastened < logged) this.#haste.logged = 0;
    if (hastened <= logged || now - at < HASTE_LOGGED_EVERY_MS) return;
    this.#haste = { logged: hastened, at: now };
    this.#settings.log.warn(
      { count: hastened - logged },
      'more entries wait for late ones than memory is given to: older ones were settled before their time',
    );
  }

  #take(changes: TroubleChange[]): void {
    let urgent = false;
    for (const change of changes) {
      const { id, scope } = change.trouble;
      this.#dirty.add(scope.printer ?? '');
      if (change.kind === 'evidence' && !this.#urgent.has(id)) {
        this.#evidence.set(id, change);
        continue;
      }
      this.#evidence.delete(id);
      this.#urgent.set(id, change);
      urgent = true;
    }
    if (urgent) this.#flushSoon();
  }

  /**
   * Judges what waits and writes the news of it. Writing takes at most a share of the time: while it is slow, more
   * goes together.
   */
  #flushSoon(): void {
    if (this.#flushTimer || this.#stopped) return;
    const wait_ms = Math.max(this.#times.flush, this.#flushPause);
    this.#flushTimer = setTimeout(() => this.#then('flush', () => this.#flush()), wait_ms);
  }

  async #flush(): Promise<void> {
    try {
      await this.#judgeInTurns();
    } finally {
      this.#flushTimer = undefined;
    }
    const began = performance.now();
    await this.#commit([], false);
    this.#flushPause = Math.min((performance.now() - began) * FLUSH_PAUSE_SHARE, FLUSH_PAUSE_MS_MAX);
  }

  /** Writes changes, and with them the memory of some printers, in one transaction; then tells. */
  async #commit(states: StateRow[], evidence: boolean, more: MoreToWrite = {}): Promise<void> {
    const { store, now } = this.#settings;
    const { cursor, ended } = more;
    // What tidying has changed is told too.
    if (states.length > 0) this.#take(this.#engine.advance(now()));
    const changes = [...this.#urgent.values(), ...(evidence ? this.#evidence.values() : [])];
    const amendments = this.#amendments;
    if (changes.length + states.length + amendments.length === 0 && !cursor && !ended) return;
    this.#urgent = new Map();
    this.#amendments = [];
    if (evidence) this.#evidence = new Map();
    let told: WrittenTrouble[];
    try {
      told = await store.transaction(async (client) => {
        const written = changes.length > 0 ? await this.#writer.write(client, changes) : [];
        if (ended) written.push(await this.#writer.end(client, ended));
        const amended = await this.#writer.amend(client, amendments);
        if (states.length > 0) await store.putStates(client, states);
        if (cursor) await store.putCursor(client, cursor, JSON.stringify(this.#fingerprints()));
        return [...written, ...amended];
      });
    } catch (error) {
      // Nothing was written: it stays to be written, unless something newer is.
      for (const { printer } of states) this.#dirty.add(printer);
      for (const change of changes) {
        const { id } = change.trouble;
        if (!this.#urgent.has(id)) this.#urgent.set(id, change);
      }
      // Nobody waits for ever at the end: what a remedy did not come to is begun again at the next start.
      if (this.#stopped) for (const { done } of amendments) done();
      else this.#amendments = [...amendments, ...this.#amendments];
      if (!this.#stopped) setTimeout(() => this.#flushSoon(), this.#times.retry).unref();
      throw error;
    }
    // It is written, whatever becomes of telling it.
    for (const { done } of amendments) done();
    await this.#tell(told);
  }

  /** Tells what was written. Documents that could not be published are due in the store: they follow. */
  async #tell(told: WrittenTrouble[]): Promise<void> {
    if (!(await this.#writer.tell(told))) this.#publishDueSoon();
  }

  #publishDueSoon(): void {
    if (this.#dueTimer || this.#stopped) return;
    this.#dueTimer = setTimeout(() => {
      this.#dueTimer = undefined;
      this.#then('documents', () =>
        this.#writer.publishDue().catch((error: unknown) => {
          this.#publishDueSoon();
          throw error;
        }),
      );
    }, this.#times.retry);
    this.#dueTimer.unref();
  }

  /** Takes printers from the end of the list until their memory is enough for one transaction. */
  #export(printers: string[]): StateRow[] {
    const states: StateRow[] = [];
    let length = 0;
    while (length < CHECKPOINT_LENGTH && states.length < CHECKPOINT_PRINTERS) {
      const printer = printers.pop();
      if (printer === undefined) break;
      this.#dirty.delete(printer);
      // A fleet that connects for the first time would be written here once more.
      if (!this.#stored.has(printer) && this.#engine.knowsOnlyStructure(printer)) continue;
      const state = this.#engine.exportState(printer);
      if (!state) continue;
      this.#stored.add(printer);
      const text = JSON.stringify(state);
      states.push({ printer, state: text });
      length += text.length;
    }
    return states;
  }

  #fingerprints(): string[] {
    return this.#rules.groups.map(groupFingerprint);
  }

  async #checkpoint(): Promise<void> {
    if (this.#waiting) return;
    await this.#judgeInTurns();
    const cursor = new Date(this.#settings.now());
    if (this.#rules.rules.some((rule) => rule.cohort)) this.#dirty.add('');
    // Those that are judged meanwhile are for the next time.
    const printers = [...this.#dirty];
    while (printers.length > 0) await this.#commit(this.#export(printers), true);
    await this.#commit([], true, { cursor });
  }

  list(filter: TroubleFilter, page: PageRequest): Promise<Page<Trouble>> {
    return this.#settings.store.list(filter, page);
  }

  countOpen(): Promise<number> {
    return this.#settings.store.countOpen();
  }

  /**
   * Closes a trouble by hand: what was seen until now counts no more.
   * @throws PlatenError request/not-found, request/conflict
   */
  close(id: string, note: string, by: string): Promise<Trouble> {
    return this.#end(id, (row) => ({
      ...row,
      state: 'closed',
      note: note === '' ? row.note : note,
      explanation: `Closed by ${by}.`,
    }));
  }

  #end(id: string, change: (row: TroubleRow) => TroubleRow): Promise<Trouble> {
    const { store, now } = this.#settings;
    const work = async (): Promise<Trouble> => {
      await this.#judgeInTurns();
      await this.#commit([], true);
      const row = (await store.byId([id])).get(id);
      if (!row) throw new PlatenError('request/not-found', { kind: 'trouble', id });
      if (!isOpen(row))
        throw new PlatenError('request/conflict', { reason: `The trouble is ${row.state} already` });
      const at = now();
      const ended = change({
        ...row,
        closed_at: new Date(at).toISOString(),
        updated_at: new Date(at).toISOString(),
      });
      this.#engine.cut(row.rule, row.printer ?? undefined, row.key, at);
      // With the memory goes all that is to be told until then: after a restart it is taken for told.
      await this.#commit(this.#export([row.printer ?? '']), true, { ended });
      return troubleOf(ended);
    };
    return this.#inTurn(work);
  }

  /**
   * A printer is removed: nothing of it is judged or written any more. Nothing of it may be on its way.
   * @param write closes its troubles, and deletes what is kept of it
   */
  forget(printer: string, write: (client: Client) => Promise<void>): Promise<void> {
    return this.#inTurn(async () => {
      await this.#settings.store.transaction(write);
      this.#unjudged.take(printer);
      this.#waitingStructures.delete(printer);
      for (const changes of [this.#urgent, this.#evidence]) {
        for (const [id, { trouble }] of changes) if (trouble.scope.printer === printer) changes.delete(id);
      }
      this.#engine.forget(printer);
      this.#dirty.delete(printer);
      this.#stored.delete(printer);
      await this.#writer.publishDue();
    });
  }

  /** Changes what people and remedies have added to a trouble, if it is there; resolves when that is written. */
  async amend(id: string, change: Amendment['change']): Promise<void> {
    const written = new Promise<void>((done) => this.#amendments.push({ id, change, done }));
    // Many come at once, with troubles that open at once: they are written together.
    if (this.#stopped) this.#then('amend', () => this.#commit([], false));
    else this.#flushSoon();
    await written;
  }

  /** Releases were proven on a printer: troubles that they are to cure wait for quiet. */
  async onProven(printer: string, cures: (trouble: TroubleRow) => boolean): Promise<void> {
    const rows = (await this.#settings.store.open([printer])).filter(cures);
    const at = new Date(this.#settings.now()).toISOString();
    const explanation = 'An update was proven; cured when the log stays quiet.';
    await Promise.all(rows.map(({ id }) => this.amend(id, () => ({ proven_at: at, explanation }))));
  }

  /** Ends troubles that were cured though their rules never clear. To be called now and then. */
  async settleCures(): Promise<void> {
    const limit = this.#settings.now() - CURE_QUIET_MS;
    for (const row of await this.#settings.store.open()) {
      if (row.proven_at === null || Date.parse(row.proven_at) > limit) continue;
      if (this.#byId.get(row.rule)?.clear !== undefined) continue;
      await this.#end(row.id, (one) => ({
        ...one,
        state: 'cured',
        explanation: 'An update was proven and the log has been quiet since.',
      }));
    }
  }

  /**
   * Puts rules in force. The memory of rules that are the same stays; that of others is made from the log.
   * The document must have been checked.
   */
  async use(rules: CompiledRules): Promise<void> {
    const work = async (): Promise<void> => {
      await this.#checkpoint();
      const known = new Set(this.#fingerprints());
      const since = new Date(this.#settings.now() - OVERLAP_MS);
      const states = [...this.#engine.printerIds(), ''].flatMap((printer): [string, PrinterState][] => {
        const state = this.#engine.exportState(printer);
        return state ? [[printer, JSON.parse(JSON.stringify(state)) as PrinterState]] : [];
      });
      // What tidying has ended is not in the states any more: it is told by this engine.
      this.#take(this.#engine.advance(this.#settings.now()));
      await this.#load(rules, known, states, since);
      for (const [printer] of states) this.#dirty.add(printer);
      await this.#commit([], true);
      await this.#settleRemoved(known);
      await this.#checkpoint();
    };
    await this.#inTurn(work);
  }

  /**
   * @param known fingerprints of the groups whose memory is in `states`
   * @param since entries received from then on may be missing in `states`
   */
  async #load(
    rules: CompiledRules,
    known: Set<string>,
    states: [string, PrinterState][],
    since: Date,
  ): Promise<void> {
    const { store, now, inRange, log, onCrowded } = this.#settings;
    this.#waiting ??= [];
    this.#waitingEntries = 0;
    const engine = new TroubleEngine(rules, {
      inRange,
      mendsClocks: true,
      ...(onCrowded ? { onCrowded } : {}),
    });
    const changes: TroubleChange[] = [];
    const fresh = new Set(
      rules.groups.flatMap((group, index) => (known.has(groupFingerprint(group)) ? [] : [index])),
    );
    const rebuilt = new Set(
      [...fresh].flatMap((index) => rules.groups[index]?.rules.map(({ id }) => id) ?? []),
    );
    const structures = () =>
      store.eachStructure(back, (printer, structure) => {
        engine.context(printer, contextOf(structure), parseTime(structure.at));
      });
    const back = new Date(now() - rules.horizonMaxMs - rules.lateMaxMs - EARLY_MAX_MS);
    await structures();
    const judge = ({ printer, log: memory, entries }: Waiting) => {
      for (const change of engine.apply(printer, memory, entries)) changes.push(change);
    };
    if (fresh.size > 0) {
      engine.only = fresh;
      for (const { rule, printer, key, at } of await store.cuts()) engine.cut(rule, printer, key, at);
      await store.eachBatch(back, judge);
      engine.only = undefined;
    }
    for (const [printer, state] of states) engine.importState(printer, state);
    // Cohorts that were taken over may lack what was reported since.
    if (rules.rules.some((rule) => rule.cohort)) await structures();
    const told = (await store.changedSince(since)).filter(({ rule }) => !rebuilt.has(rule));
    engine.recall(told.map(viewOfRow));
    await store.eachBatch(since, judge);
    while (this.#overflowed) {
      this.#overflowed = false;
      this.#waiting = [];
      this.#waitingEntries = 0;
      await store.eachBatch(since, judge);
    }
    this.#rules = rules;
    this.#byId = new Map(rules.rules.map((rule) => [rule.id, rule]));
    this.#engine = engine;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    // Before those of what waits: of each trouble the newest word counts.
    this.#take(changes);
    for (const [printer, structure] of this.#waitingStructures) this.onStructure(printer, structure);
    this.#waitingStructures.clear();
    for (const { printer, log: memory, entries } of waiting) this.#unjudged.add(printer, memory, entries);
    this.#judgeAll();
    for (const printer of engine.printerIds()) this.#dirty.add(printer);
    this.#dirty.add('');
    this.#take(engine.advance(now()));
    log.info(
      { rules: rules.revision, count: rules.rules.length, rebuilt: fresh.size },
      'the trouble rules are in force',
    );
  }

  /** Ends open troubles whose rules are gone, or mean something else now and don't see them any more. */
  async #settleRemoved(known: Set<string>): Promise<void> {
    const kept = new Set(
      this.#rules.groups
        .filter((group) => known.has(groupFingerprint(group)))
        .flatMap((group) => group.rules.map(({ id }) => id)),
    );
    const open = this.#engine.openIds();
    const { store, now } = this.#settings;
    const at = new Date(now()).toISOString();
    const ended = (await store.open())
      .filter((row) => !isFinding(row) && !kept.has(row.rule) && !open.has(row.id))
      .map(
        (row): TroubleRow => ({
          ...row,
          state: 'closed',
          closed_at: at,
          updated_at: at,
          explanation: this.#byId.has(row.rule)
            ? 'The rule does not see this trouble in the log any more.'
            : 'The rule was removed.',
        }),
      );
    if (ended.length === 0) return;
    await store.transaction(async (client) => {
      await store.put(client, ended);
      await this.#writer.setOpen(
        client,
        ended.flatMap(({ printer }) => printer ?? []),
      );
    });
    await this.#tell(ended.map((row) => ({ news: ['closed'], row })));
  }
}
