/**
 * What a printer's messages make of what is known of it: presence, structure and verdict decided one after the other,
 * as they came, and put together into one change of its rows. Pure.
 */
import type { Presence, Structure, Verdict } from '../../schemas/types.ts';
import { storableText } from './storable.ts';
import { type StructureChange, structureChanges } from './structure-changes.ts';

/** What an agent says of the device that it speaks for. */
export type Device = 'reachable' | 'unreachable';

/** `changed`: something new was stored. `flipped`: the printer came or went. */
export interface PresenceResult {
  changed: boolean;
  flipped: boolean;
  /** Set when the device can't be reached any more, or can again. */
  device?: Device;
}

export interface StructureResult {
  /** `new`: something differs from the last one; `same`: nothing does; `stale`: older than what is known. */
  outcome: 'new' | 'same' | 'stale';
  /** Which structure was there before this one, if there was one. */
  previous?: { session: string; revision: number };
  /** What differs; empty for the first structure of a printer. */
  changes: StructureChange[];
  /** The verdict that came with the structure was stored with it, in the place of this one. */
  judged?: { previous?: Verdict };
}

export interface VerdictResult {
  /** False when the printer has another structure by now. */
  stored: boolean;
  /** The verdict that stood there before. */
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
      /** The document as JSON in UTF-8, fit for the database. */
      json: Buffer;
      signature: string;
      /** The verdict on it, where it was known without judging. */
      verdict?: Verdict;
    }
  | { kind: 'verdict'; verdict: Verdict }
);
export type ItemResult = PresenceResult | StructureResult | VerdictResult;

type StructureItem = Extract<PrinterItem, { kind: 'structure' }>;

interface KnownPresence {
  online: boolean;
  session: string | null;
  /** Known of those that are online alone. */
  device: Device | null;
}

/** What the database knows of a printer. */
export interface KnownPrinter {
  /** Undefined: there is no row of it. */
  presence: KnownPresence | undefined;
  structure?: {
    session: string;
    previousSession: string | null;
    revision: number;
    signature: string;
    /** May be missing when the structure that comes has the same signature. */
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

/** A structure that differs from the one before it, for the history. */
export interface HistoryEntry {
  structure: StoredStructure;
  changes: StructureChange[];
  /** The current structure stands in a table of its own; its entry in the history gets it when another comes. */
  current: boolean;
}

/** Everything that changes for one printer. */
export interface PrinterChange {
  printer: string;
  /** There is no row of it yet. */
  fresh: boolean;
  /** A structure was known before: its entry in the history gets its document when another one comes. */
  known: boolean;
  /** Something was heard of it. */
  seen: boolean;
  presence?: KnownPresence & { at: string | undefined };
  structure?: StoredStructure;
  history: HistoryEntry[];
  verdict?: Verdict;
  /** The verdict's status is another than the one that printers are looked for by. */
  restated: boolean;
}

/** What a presence makes of what is known; undefined for the will of a session that isn't the current one. */
function told(before: KnownPresence, presence: Presence): KnownPresence | undefined {
  const online = presence.state === 'online';
  const session = storableText(presence.session);
  // A will may arrive after the printer's next session has begun.
  if (!online && before.session !== null && before.session !== session) return undefined;
  return { online, session, device: online ? (presence.device ?? null) : null };
}

/** Whether `document` is older than what is known: another try of an old message, or one overtaken on its way. */
function isStale(known: NonNullable<KnownPrinter['structure']>, session: string, revision: number): boolean {
  if (session === known.session) return revision < known.revision;
  return session === known.previousSession;
}

/** Decides the items of a group in their order; gives each one's result and what is to be written. */
export class PrinterStates {
  readonly #known: Map<string, KnownPrinter>;
  readonly #changes = new Map<string, PrinterChange>();

  /** @param known what the database knows of every printer of the group; it is changed along */
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
    // The same message once more says nothing that its verdict doesn't say already.
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
