/**
 * Replays a log of JSON lines: entries of the wire contract with `printer` and `log`, readings, and structures. Lines
 * are taken one at a time; only what the rules need is held.
 */
import type { LogEntry, Readings } from '../../../schemas/types.ts';
import { findSchemaFault } from '../../../schemas/validate.ts';
import { foldReading, type ReadingState } from '../../readings/fold.ts';
import { signsOf } from '../../readings/signs.ts';
import type { CompiledRules } from './compile.ts';
import { contextOf, type InRange, type StructureLike } from './context.ts';
import { TroubleEngine } from './engine.ts';
import { REPLAY_LIMITS } from './limits.ts';
import { parseMoment } from './time.ts';
import { inOrder, type TroubleView } from './views.ts';

/** A line of `platen rules test`'s output. */
export interface TroubleLine {
  rule: string;
  printer: string | null;
  unit: string | null;
  openedAt: string;
  closedAt: string | null;
  severity: string;
  evidence: number[];
  /** The other parts of the key, as named by `by`. */
  code?: string;
  model?: string;
  site?: string;
  /** Number of entries, where there are more than in `evidence`. */
  count?: number;
  /** Printers of the evidence, in its order, for troubles not kept by printer. */
  printers?: string[];
  reopened?: number;
  explanation?: string;
}

const SEVERITIES: readonly unknown[] = ['info', 'warning', 'error', 'fatal'];
const TEXT_MAX = 256;

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= TEXT_MAX;
}

/** Why a line is refused. */
export class ReplayError extends Error {}

function refuse(reason: string): never {
  throw new ReplayError(reason);
}

export class Replay {
  readonly engine: TroubleEngine;
  entries = 0;
  structures = 0;
  readings = 0;
  private readonly folded = new Map<string, ReadingState>();
  private readonly zones = new Map<string, string>();
  private readonly rules: CompiledRules;
  /** Final troubles as the text of their lines: a trouble with its evidence takes many times the memory. */
  private readonly ended: FinishedLine[] = [];

  constructor(rules: CompiledRules, inRange?: InRange) {
    this.rules = rules;
    this.engine = new TroubleEngine(rules, {
      ...REPLAY_LIMITS,
      prompt: false,
      mendsClocks: true,
      inRange,
      onEnded: (trouble) => this.ended.push(finishedLine(trouble)),
    });
  }

  /**
   * Takes one parsed line.
   * @throws ReplayError when it is neither an entry nor a reading nor a structure
   */
  take(line: unknown): void {
    if (typeof line !== 'object' || line === null || Array.isArray(line)) refuse('a JSON object is expected');
    const value = line as Record<string, unknown>;
    const { printer } = value;
    if (!isText(printer)) refuse('"printer" is missing or not a name');
    if (value['structure'] !== undefined) {
      this.structure(printer, value['structure']);
      return;
    }
    if (value['readings'] !== undefined) {
      this.reading(printer, value['readings']);
      return;
    }
    const { log, seq, code, severity, unit, pages, detail } = value;
    if (!isText(log)) refuse('"log" is missing or not a name');
    if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1) {
      refuse('"seq" is missing or not a whole number from 1');
    }
    if (!isText(code)) refuse('"code" is missing or not a text');
    if (!SEVERITIES.includes(severity)) refuse(`"severity" must be one of ${SEVERITIES.join(', ')}`);
    if (unit !== undefined && unit !== null && !isText(unit)) refuse('"unit" is not a name');
    if (pages !== undefined && pages !== null && !(Number.isSafeInteger(pages) && (pages as number) >= 0)) {
      refuse('"pages" is not a whole number from 0');
    }
    if (detail !== undefined && detail !== null && (typeof detail !== 'object' || Array.isArray(detail))) {
      refuse('"detail" is not an object');
    }
    const at = parseMoment(value['at']);
    if (Number.isNaN(at)) refuse('"at" is missing or not an RFC 3339 time');
    this.entries += 1;
    const entry: Omit<LogEntry, 'at'> = {
      seq,
      code,
      severity: severity as LogEntry['severity'],
      unit: (unit as string | null | undefined) ?? undefined,
      pages: (pages as number | null | undefined) ?? undefined,
      detail: (detail as Record<string, unknown> | null | undefined) ?? undefined,
    };
    this.engine.judge(printer, log, entry, at);
  }

  /** A reading as on the wire; `session` and `number` may be left out. Its time is the one it names. */
  private reading(printer: string, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      refuse('"readings" is not an object');
    }
    const before = this.folded.get(printer);
    const number = (before?.sessions.at(-1)?.[1] ?? 0) + 1;
    const reading = { session: 'replay', number, ...value } as Readings;
    const fault = findSchemaFault('readings', reading);
    if (fault) refuse(`"readings"${fault.path === '/' ? '' : ` ${fault.path}`}: ${fault.message}`);
    this.readings += 1;
    const at = parseMoment(reading.at);
    const { state, derived } = foldReading(before, reading, at, this.zones.get(printer));
    this.folded.set(printer, state);
    if (derived) this.engine.applyReading(printer, signsOf(reading, derived));
  }

  private structure(printer: string, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      refuse('"structure" is not an object');
    }
    const structure = value as StructureLike;
    const units = structure.units ?? [];
    if (!Array.isArray(units) || units.some((unit) => !isText(unit?.symbol) || !isText(unit?.kind))) {
      refuse('"structure.units" is not a list of units with symbol and kind');
    }
    const software = [structure.apparatus?.software, ...units.map((unit) => unit.software)];
    for (const list of software) {
      if (list !== undefined && (!Array.isArray(list) || list.some((item) => !isText(item?.id)))) {
        refuse('"software" is not a list of software with id');
      }
    }
    let from: number | undefined;
    if (structure.at !== undefined) {
      from = parseMoment(structure.at);
      if (Number.isNaN(from)) refuse('"structure.at" is not an RFC 3339 time');
    }
    this.structures += 1;
    if (isText(structure.timezone)) this.zones.set(printer, structure.timezone);
    this.engine.context(printer, contextOf(structure), from);
  }

  /** The troubles at `now` (ms), or at the newest entry of the log, by opening. The replay can't be used afterwards. */
  finish(now?: number): FinishedLine[] {
    for (const trouble of this.engine.finish(now ?? this.engine.newestTime))
      this.ended.push(finishedLine(trouble));
    return inOrder(this.rules, this.ended, (line) => line);
  }
}

/** A final trouble: its line as JSON, and what lines are sorted by. */
export interface FinishedLine {
  openedAt: string;
  rule: string;
  key: string;
  text: string;
}

function finishedLine(view: TroubleView): FinishedLine {
  const { openedAt, rule, key } = view;
  return { openedAt, rule, key, text: JSON.stringify(troubleLine(view)) };
}

/** A trouble as `platen rules test` prints it. */
export function troubleLine(view: TroubleView): TroubleLine {
  const { scope, evidence } = view;
  const line: TroubleLine = {
    rule: view.rule,
    printer: scope.printer ?? null,
    unit: scope.unit ?? null,
    openedAt: view.openedAt,
    closedAt: view.closedAt ?? null,
    severity: view.severity,
    evidence: evidence.map(({ seq }) => seq),
  };
  if (scope.code !== undefined) line.code = scope.code;
  if (scope.model !== undefined) line.model = scope.model;
  if (scope.site !== undefined) line.site = scope.site;
  if (view.count !== evidence.length) line.count = view.count;
  if (scope.printer === undefined) line.printers = evidence.map(({ printer }) => printer);
  if (view.reopened > 0) line.reopened = view.reopened;
  if (view.explanation !== undefined) line.explanation = view.explanation;
  return line;
}
