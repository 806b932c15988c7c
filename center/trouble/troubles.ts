/**
 * The troubles of the running center: stored entries are judged in memory; what changes is written and announced.
 *
 * Exactly once: the id of a trouble follows from its rule, key and opening, and judging an entry again changes nothing.
 * So it is enough to write the rules' state now and then, with the time up to which it covers everything received.
 * After a restart everything received since (and a little before) is judged again and matched with the stored rows.
 */
import type { Logger } from 'pino';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { softwareOf } from '../../schemas/subject.ts';
import type { LogEntry, Structure, Trouble, TroubleGroup, TroubleRules } from '../../schemas/types.ts';
import type { Conclusion } from '../conclusions.ts';
import type { Client } from '../database/database.ts';
import type { Page, PageRequest, TroubleFilter, TroubleQueries } from '../queries.ts';
import type { ReadingSigns } from '../readings/signs.ts';
import { type CompiledRules, compileStoredRules } from './engine/compile.ts';
import type { InRange } from './engine/context.ts';
import { KEYS_PER_RULE_AND_PRINTER_MAX } from './engine/limits.ts';
import { isReadable, type PrinterState } from './engine/state-codec.ts';
import { type Finding, Findings } from './findings.ts';
import { Handling } from './handling.ts';
import { LogJudge } from './log-judge.ts';
import { PendingChanges } from './pending-changes.ts';
import { CROWDED_RULE, isFinding, isOpen, type TroubleRow, troubleOf, type WantedSoftware } from './rows.ts';
import { type SaverTimes, TroubleSaver } from './saver.ts';
import { type Amendment, TroubleWriter, type TroubleWriterSettings } from './writer.ts';

export interface TroubleSettings extends TroubleWriterSettings {
  inRange: InRange;
  times?: Partial<SaverTimes>;
}

const DAY_MS = 86_400_000;
const CURES_EVERY_MS = 60_000;
/** After a proven update, a trouble whose rule doesn't clear counts as cured when the log was quiet this long. */
const CURE_QUIET_MS = 86_400_000;
/** Additional time judged again after a restart: clocks are set back a little, commits take a while. */
const OVERLAP_MS = 60_000;

export class Troubles implements TroubleQueries {
  readonly #settings: TroubleSettings;
  readonly #log: Logger;
  readonly #pending = new PendingChanges();
  readonly #judge: LogJudge;
  readonly #writer: TroubleWriter;
  readonly #saver: TroubleSaver;
  readonly #findings: Findings;
  /** What operators do about troubles. */
  readonly handling: Handling;
  #cures: NodeJS.Timeout | undefined;

  constructor(settings: TroubleSettings) {
    this.#settings = settings;
    const { store, inRange, log, now, times } = settings;
    this.#log = log;
    this.#findings = new Findings(settings);
    this.#judge = new LogJudge({
      store,
      inRange,
      log,
      now,
      onCrowded: (rule, printer) => this.#openCrowded(rule, printer),
      onChanges: (changes) => {
        if (this.#pending.add(changes)) this.#saver.flushSoon();
      },
    });
    this.#writer = new TroubleWriter(settings, (id) => this.#judge.rule(id));
    this.#saver = new TroubleSaver({
      store,
      log,
      now,
      times,
      judge: this.#judge,
      pending: this.#pending,
      writer: this.#writer,
    });
    this.handling = new Handling({ store, saver: this.#saver, writer: this.#writer, log, now });
  }

  /** What happened to entries since the start or the last change of rules; see `LogJudge.counts`. */
  get counts(): LogJudge['counts'] {
    return this.#judge.counts;
  }

  /** Restores the rules in force and their state, and judges what was received since it was stored. */
  async start(document: TroubleRules | undefined): Promise<void> {
    const { store, now, conclude } = this.#settings;
    const withoutRemedy = await store.withoutRemedy();
    const { rules } = compileStoredRules(document ?? { rules: 'none', list: [] });
    const kept = await this.#readMemory();
    await this.#judge.load(rules, kept);
    await this.#endRuleless(kept.known);
    await this.#writer.publishDue();
    this.#saver.start();
    await this.checkpoint();
    await this.handling.start();
    // An earlier process of the center opened them and was killed before it started their remedies.
    for (const row of (await store.byId(withoutRemedy.map(({ id }) => id))).values()) {
      if (isOpen(row)) conclude({ kind: 'trouble', news: 'opened', row, rule: this.#judge.rule(row.rule) });
    }
    this.#cures = setInterval(() => {
      this.settleCures(now()).catch((error: unknown) =>
        this.#log.error({ reason: reasonOf(error) }, 'cannot settle cures'),
      );
    }, CURES_EVERY_MS);
    this.#cures.unref();
  }

  async #readMemory(): Promise<{ known: Set<string>; states: [string, PrinterState][]; since: Date }> {
    const { store, now } = this.#settings;
    const cursor = await store.cursor();
    const known = new Set(cursor === undefined ? [] : (JSON.parse(cursor.rules) as string[]));
    const states: [string, PrinterState][] = [];
    await store.eachState((printer, state) => {
      this.#judge.markStored(printer);
      if (known.size > 0) states.push([printer, JSON.parse(state) as PrinterState]);
    });
    // Every checkpoint writes the state of the rules across printers, even when it is empty.
    const whole =
      states.some(([printer]) => printer === '') && states.every(([, state]) => isReadable(state));
    if (known.size > 0 && !whole) {
      this.#log.warn(
        { states: states.length },
        "the rules' state is missing or of another version: rebuilding it from the log",
      );
      known.clear();
      states.length = 0;
    }
    return { known, states, since: new Date((cursor?.received.getTime() ?? now()) - OVERLAP_MS) };
  }

  /** Writes what is left to write. May be called again for what was added since. */
  async stop(): Promise<void> {
    clearInterval(this.#cures);
    this.handling.stop();
    await this.#saver.stop();
  }

  /** Resolves when everything judged so far is in the store. */
  checkpoint(): Promise<void> {
    return this.#saver.checkpoint();
  }

  /** Advances event time to `now` (ms). */
  tick(now: number): void {
    this.#saver.tick(now);
  }

  /** Acts on what other parts concluded. */
  hear(conclusion: Conclusion): void | Promise<void> {
    switch (conclusion.kind) {
      case 'entries':
        this.onEntries(conclusion.printer, conclusion.log, conclusion.entries);
        break;
      case 'reading':
        this.onReading(conclusion.printer, conclusion.signs);
        break;
      case 'structure':
        this.onStructure(conclusion.printer, conclusion.structure);
        break;
      case 'catalog':
        this.#judge.forgetRanges();
        break;
      case 'order': {
        const { printer, plan, trouble, execution } = conclusion.row;
        if (execution.state === 'proven' && conclusion.before !== 'proven')
          return this.onProven(printer, plan.steps, trouble);
      }
    }
  }

  /** Takes entries that were stored for the first time. */
  onEntries(printer: string, log: string, entries: readonly LogEntry[]): void {
    if (this.#judge.onEntries(printer, log, entries)) this.#saver.flushSoon();
  }

  /** Takes a reading that was stored for the first time. */
  onReading(printer: string, signs: ReadingSigns): void {
    this.#judge.onReading(printer, signs);
  }

  onStructure(printer: string, structure: Structure): void {
    this.#judge.onStructure(printer, structure);
  }

  /**
   * An order was proven on a printer: the troubles that it should cure now wait for a quiet log.
   * @param trouble the trouble the order was made for, if any
   */
  async onProven(
    printer: string,
    steps: readonly { subject: string; to: string }[],
    trouble: string | null | undefined,
  ): Promise<void> {
    const { store, now, inRange } = this.#settings;
    const installed = steps.map(({ subject, to }) => ({ id: softwareOf(subject), to }));
    const cures = ({ id: row, proposal }: TroubleRow): boolean => {
      if (row === trouble) return true;
      const wanted = proposal?.['software'] as WantedSoftware | null | undefined;
      return installed.some(({ id, to }) => wanted?.id === id && inRange(id, to, wanted.range) === true);
    };
    const rows = (await store.open([printer])).filter(cures);
    const at = new Date(now()).toISOString();
    const explanation = 'An update was proven; cured when the log stays quiet.';
    await Promise.all(rows.map(({ id }) => this.amend(id, () => ({ proven_at: at, explanation }))));
  }

  /** Ends cured troubles whose rules never clear. */
  async settleCures(now: number): Promise<void> {
    for (const row of await this.#settings.store.open()) {
      if (row.proven_at === null || Date.parse(row.proven_at) > now - CURE_QUIET_MS) continue;
      if (this.#judge.rule(row.rule)?.clear !== undefined) continue;
      await this.#end(row.id, (one) => ({
        ...one,
        state: 'cured',
        explanation: 'An update was proven and the log has been quiet since.',
      }));
    }
  }

  /** Changes what operators and remedies have added to a trouble, if it exists; resolves when that is written. */
  async amend(id: string, change: Amendment['change']): Promise<void> {
    const written = new Promise<void>((done) => this.#pending.amend({ id, change, done }));
    this.#saver.amendedSoon();
    await written;
  }

  /** Opens a trouble that the center itself found. @returns its id */
  found(finding: Finding): Promise<string> {
    return this.#findings.open(finding);
  }

  /** One trouble a day per rule instead of thousands. */
  #openCrowded(rule: string, printer: string): void {
    const day = new Date(Math.floor(this.#settings.now() / DAY_MS) * DAY_MS).toISOString();
    this.#log.warn({ printer, rule }, 'a printer names more units, codes or sites than a rule is kept for');
    this.found({
      rule: CROWDED_RULE,
      title: `Too many troubles of ${rule}`,
      printer,
      key: rule,
      severity: 'major',
      at: day,
      explanation:
        `Its log names more different units, codes or sites than the rule ${rule} is kept for (${KEYS_PER_RULE_AND_PRINTER_MAX}). ` +
        'Further ones are counted but open no troubles. Look at what it reports, or keep the rule by fewer things.',
    }).catch((error: unknown) =>
      this.#log.error({ printer, rule, reason: reasonOf(error) }, 'cannot open a trouble'),
    );
  }

  list(filter: TroubleFilter, page: PageRequest): Promise<Page<Trouble>> {
    return this.#settings.store.list(filter, page);
  }

  groups(
    filter: TroubleFilter,
    by: readonly ('rule' | 'site')[],
    page: PageRequest,
  ): Promise<{ groups: TroubleGroup[]; next?: string }> {
    return this.#settings.store.groups(filter, by, page);
  }

  countOpen(): Promise<number> {
    return this.#settings.store.countOpen();
  }

  async get(id: string): Promise<Trouble | undefined> {
    const row = (await this.#settings.store.byId([id])).get(id);
    return row && troubleOf(row);
  }

  /**
   * Closes a trouble by hand: what was seen so far no longer counts.
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
    return this.#saver.inTurn(async () => {
      await this.#judge.judgeInTurns();
      await this.#saver.commit([], true);
      const row = (await store.byId([id])).get(id);
      if (!row) throw new PlatenError('request/not-found', { kind: 'trouble', id });
      if (!isOpen(row))
        throw new PlatenError('request/conflict', { reason: `The trouble is ${row.state} already` });
      const at_ms = now();
      const at = new Date(at_ms).toISOString();
      const ended = change({ ...row, closed_at: at, updated_at: at });
      this.#judge.cut(row.rule, row.printer ?? undefined, row.key, at_ms);
      // After a restart stored state counts as announced, so everything to be announced is written with it.
      await this.#saver.commit(this.#judge.export([row.printer ?? '']), true, { ended });
      return troubleOf(ended);
    });
  }

  /**
   * A printer is removed: nothing of it is judged or written any more. None of its uplinks may still be processed.
   * @param write closes its troubles, and deletes what is stored of it
   */
  forget(printer: string, write: (client: Client) => Promise<void>): Promise<void> {
    return this.#saver.inTurn(async () => {
      await this.#settings.store.transaction(write);
      this.#pending.forget(printer);
      this.#judge.forget(printer);
      await this.#writer.publishDue();
    });
  }

  /**
   * Puts rules in force. Unchanged rules keep their state; that of others is rebuilt from the log. The document must
   * have been checked.
   */
  async use(rules: CompiledRules): Promise<void> {
    await this.#saver.inTurn(async () => {
      await this.#saver.checkpointNow();
      const kept = this.#judge.exportAll(new Date(this.#settings.now() - OVERLAP_MS));
      await this.#judge.load(rules, kept);
      await this.#saver.commit([], true);
      await this.#endRuleless(kept.known);
      await this.#saver.checkpointNow();
    });
  }

  /** Ends open troubles whose rules are gone, or have changed and no longer see them. */
  async #endRuleless(known: Set<string>): Promise<void> {
    const { store, now } = this.#settings;
    const unchanged = this.#judge.rulesOf(known);
    const open = this.#judge.openIds();
    const at = new Date(now()).toISOString();
    const ended = (await store.open())
      .filter((row) => !isFinding(row) && !unchanged.has(row.rule) && !open.has(row.id))
      .map(
        (row): TroubleRow => ({
          ...row,
          state: 'closed',
          closed_at: at,
          updated_at: at,
          explanation: this.#judge.rule(row.rule)
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
    await this.#saver.announce(ended.map((row) => ({ news: ['closed'], row })));
  }
}
