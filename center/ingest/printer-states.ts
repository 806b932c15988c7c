/**
 * Decides what a printer's messages change: presence, structure and verdict in order of arrival, combined into one
 * change of its rows. Pure.
 */
import type { Presence, Structure, Verdict } from '../../schemas/types.ts';
import { storableText } from './storable.ts';
import { type StructureChange, structureChanges } from './structure-changes.ts';

/** What an agent says of its device. */
export type Device = 'reachable' | 'unreachable';

/** `changed`: something new was stored. `flipped`: the printer came or went. */
export interface PresenceResult {
  changed: boolean;
  flipped: boolean;
  /** Set when the device became unreachable or reachable. */
  device?: Device;
}

export interface StructureResult {
  /** `new`: it differs from the last one; `same`: it does not; `stale`: it is older than what is known. */
  outcome: 'new' | 'same' | 'stale';
  /** The structure before this one, if any. */
  previous?: { session: string; revision: number };
  /** What differs; empty for the first structure of a printer. */
  changes: StructureChange[];
  /** Set when the verdict that came with the structure was stored with it; `previous` is the one it replaced. */
  judged?: { previous?: Verdict };
}

export interface VerdictResult {
  /** False when the printer has another structure by now. */
  stored: boolean;
  /** The verdict that was replaced. */
  previous?: Verdict;
}

/** One thing to store. */
export type PrinterItem = { printer: string } & (
  | { kind: 'presence'; presence: Presence }
  /** What the broker saw. */
  | { kind: 'connection'; connected: boolean }
  | {
      kind: 'structure';
      document: Structure;
      /** The document as JSON in UTF-8, accepted by the database. */
      json: Buffer;
      signature: string;
      /** Its verdict, if it was known without judging. */
      verdict?: Verdict;
    }
  | { kind: 'verdict'; verdict: Verdict }
);
export type ItemResult = PresenceResult | StructureResult | VerdictResult;

type StructureItem = Extract<PrinterItem, { kind: 'structure' }>;

interface KnownPresence {
  online: boolean;
  session: string | null;
  /** Known only while the printer is online. */
  device: Device | null;
}

/** What the database knows of a printer. */
export interface KnownPrinter {
  /** Undefined when it has no row. */
  presence: KnownPresence | undefined;
  structure?: {
    session: string;
    previousSession: string | null;
    revision: number;
    signature: string;
    /** May be missing when the incoming structure has the same signature. */
    document?: Structure;
  };
  verdict?: Verdict;
}

/** A structure to be stored. */
export interface StoredStructure {
  printer: string;
  document: Structure;
  json: Buffer;
  signature: string;
  previousSession: string | null;
}

/** A structure that differs from the one before, for the history. */
export interface HistoryEntry {
  structure: StoredStructure;
  changes: StructureChange[];
  /** The document of the current structure stands in another table; the history gets it when the next one comes. */
  current: boolean;
}

/** All changes of one printer. */
export interface PrinterChange {
  printer: string;
  /** It has no row yet. */
  fresh: boolean;
  /** It had a structure before, whose entry in the history gets its document when another one comes. */
  known: boolean;
  /** It was heard of. */
  seen: boolean;
  presence?: KnownPresence & { at: string | undefined };
  structure?: StoredStructure;
  history: HistoryEntry[];
  verdict?: Verdict;
  /** The status of the verdict changed, which printers are filtered by. */
  restated: boolean;
}

/** The presence after a message; undefined for the will of a session that isn't the current one. */
function told(before: KnownPresence, presence: Presence): KnownPresence | undefined {
  const online = presence.state === 'online';
  const session = storableText(presence.session);
  // A will may arrive after the printer's next session has begun.
  if (!online && before.session !== null && before.session !== session) return undefined;
  return { online, session, device: online ? (presence.device ?? null) : null };
}

/** Whether `document` is older than what is known: a repeated message, or one overtaken on its way. */
function isStale(known: NonNullable<KnownPrinter['structure']>, session: string, revision: number): boolean {
  if (session === known.session) return revision < known.revision;
  return session === known.previousSession;
}

/** Decides the items of a group in order: each one's result, and what to write. */
export class PrinterStates {
  readonly #known: Map<string, KnownPrinter>;
  readonly #changes = new Map<string, PrinterChange>();

  /** @param known what the database knows of every printer of the group; it is updated in place */
  constructor(known: Map<string, KnownPrinter>) {
    this.#known = known;
  }

  get changes(): PrinterChange[] {
    return [...this.#changes.values()];
  }

  take(item: PrinterItem): ItemResult {
    switch (item.kind) {
      case 'presence':
        return this.#presence(item.printer, (before) => told(before, item.presence), item.presence.at);
      case 'connection':
        return this.#presence(
          item.printer,
          (before) => ({
            ...before,
            online: item.connected,
            device: item.connected ? before.device : null,
          }),
          undefined,
        );
      case 'structure':
        return this.#structure(item);
      case 'verdict':
        return this.#verdict(item.printer, item.verdict);
    }
  }

  #of(printer: string): KnownPrinter {
    let known = this.#known.get(printer);
    if (!known) {
      known = { presence: undefined };
      this.#known.set(printer, known);
    }
    return known;
  }

  #change(printer: string, known: KnownPrinter): PrinterChange {
    let change = this.#changes.get(printer);
    if (!change) {
      change = {
        printer,
        fresh: known.presence === undefined,
        known: known.structure !== undefined,
        seen: false,
        history: [],
        restated: false,
      };
      this.#changes.set(printer, change);
    }
    return change;
  }

  #presence(
    printer: string,
    become: (before: KnownPresence) => KnownPresence | undefined,
    at: string | undefined,
  ): PresenceResult {
    const known = this.#of(printer);
    const before = known.presence ?? { online: false, session: null, device: null };
    const after = become(before);
    const moved = after !== undefined && after.device !== before.device;
    const repeated =
      known.presence && !moved && after?.online === before.online && after.session === before.session;
    if (!after || repeated) return { changed: false, flipped: false };
    const change = this.#change(printer, known);
    change.presence = { ...after, at };
    change.seen ||= after.online;
    known.presence = after;
    const flipped = after.online !== before.online;
    const news = moved && (after.device === 'unreachable' || before.device === 'unreachable');
    return { changed: true, flipped, ...(news && after.device !== null ? { device: after.device } : {}) };
  }

  #structure({ printer, document, json, signature, verdict }: StructureItem): StructureResult {
    const known = this.#of(printer);
    const before = known.structure;
    const session = storableText(document.session);
    const { revision } = document;
    const previous = before && { previous: { session: before.session, revision: before.revision } };
    if (before && isStale(before, session, revision)) return { outcome: 'stale', changes: [], ...previous };
    const differs = signature !== before?.signature;
    const changes = before?.document && differs ? structureChanges(before.document, document) : [];
    const change = this.#change(printer, known);
    const stored: StoredStructure = {
      printer,
      document,
      json,
      signature,
      previousSession: before?.session === session ? before.previousSession : (before?.session ?? null),
    };
    change.structure = stored;
    change.seen = true;
    if (differs) {
      for (const entry of change.history) entry.current = false;
      change.history.push({ structure: stored, changes, current: true });
    }
    known.structure = { session, previousSession: stored.previousSession, revision, signature, document };
    known.presence ??= { online: false, session: null, device: null };
    // A repeated message adds nothing to its verdict.
    const again = !differs && before.session === session && before.revision === revision;
    return {
      outcome: differs ? 'new' : 'same',
      changes,
      ...previous,
      ...(verdict && !again ? { judged: this.#judged(change, known, verdict) } : {}),
    };
  }

  #verdict(printer: string, verdict: Verdict): VerdictResult {
    const known = this.#of(printer);
    const { structure } = known;
    const current =
      structure !== undefined &&
      structure.session === storableText(verdict.structure.session) &&
      structure.revision === verdict.structure.revision;
    if (!current) return { stored: false, ...(known.verdict ? { previous: known.verdict } : {}) };
    return { stored: true, ...this.#judged(this.#change(printer, known), known, verdict) };
  }

  #judged(change: PrinterChange, known: KnownPrinter, verdict: Verdict): { previous?: Verdict } {
    const { verdict: previous } = known;
    change.verdict = verdict;
    change.restated ||= previous?.status !== verdict.status;
    known.verdict = verdict;
    return previous ? { previous } : {};
  }
}
