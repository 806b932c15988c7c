/**
 * Writes presence, structures and verdicts of many printers in one transaction, each printer's rows once. In a
 * reconnect storm a printer connects, sends its structure and is judged within a moment; otherwise its row, with seven
 * indexes, would be written three times.
 */
import type { Presence, Structure, Verdict } from '../../schemas/types.ts';
import type { Client, Database } from '../database/database.ts';
import { textArray } from '../database/sql-arrays.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { type Committed, GroupCommit } from './group-commit.ts';
import { WRITE_PRINTERS, writeValues } from './printer-rows.ts';
import {
  type Device,
  type ItemResult,
  type KnownPrinter,
  type PresenceResult,
  type PrinterItem,
  PrinterStates,
  type StructureResult,
  type VerdictResult,
} from './printer-states.ts';
import { storableJson } from './storable.ts';
import { refusalOf } from './store-refusal.ts';
import { structureSignature } from './structure-changes.ts';

/** How long a connection waits for the printer's structure, so that both are one write. */
const CONNECTION_PATIENCE_MS = 200;
/** How long the next write is collected in a storm: a hundred printers then share its five round trips. */
const GATHER_MS = 25;
/** Deadlock or serialization failure: the statement did nothing and may be sent again. */
const AGAIN = new Set(['40P01', '40001']);
const TRIES_MAX = 5;
/** This many bytes of JSON weigh as much as one more item. */
const BYTES_PER_WEIGHT = 4_096;
/** Key of a Postgres advisory lock: centers on one database write one after the other. The number is arbitrary. */
const LOCK = 7_041_227;

const READ_KNOWN = {
  name: 'platen-known-printers',
  text: `SELECT g.id, p.id IS NOT NULL AS there, p.online, p.session AS heard, p.device, s.session, s.previous_session,
      s.revision, s.signature, CASE WHEN s.signature IS DISTINCT FROM g.signature THEN s.document END AS document,
      v.document AS verdict
    FROM unnest($1::text[], $2::text[], $3::boolean[]) AS g (id, signature, shown)
    LEFT JOIN printers p ON p.id = g.id
    LEFT JOIN structures s ON g.shown AND s.printer = g.id
    LEFT JOIN verdicts v ON g.shown AND v.printer = g.id`,
};

interface KnownRow {
  id: string;
  there: boolean;
  online: boolean | null;
  heard: string | null;
  device: Device | null;
  session: string | null;
  previous_session: string | null;
  revision: number | null;
  signature: string | null;
  document: Structure | null;
  verdict: Verdict | null;
}

function knownOf(row: KnownRow): KnownPrinter {
  return {
    presence: row.there ? { online: row.online === true, session: row.heard, device: row.device } : undefined,
    ...(row.session === null || row.revision === null || row.signature === null
      ? {}
      : {
          structure: {
            session: row.session,
            previousSession: row.previous_session,
            revision: row.revision,
            signature: row.signature,
            ...(row.document ? { document: row.document } : {}),
          },
        }),
    ...(row.verdict ? { verdict: row.verdict } : {}),
  };
}

/** First byte of the mark that some editors put before UTF-8. */
const BYTE_ORDER_MARK = 0xef;

/** Whether the database accepts JSON as received: it can only refuse escaped characters and a byte order mark. */
function fitsAsItIs(payload: Buffer): boolean {
  return payload[0] !== BYTE_ORDER_MARK && !payload.includes('\\u');
}

/** A connection that waits for the printer's next message. */
interface Held {
  connected: boolean;
  since_ms: number;
  resolve(result: Promise<PresenceResult>): void;
}

export class PrinterWriter {
  onCommitted: Committed = () => {};
  readonly #now: () => number;
  readonly #commit: GroupCommit<PrinterItem, ItemResult>;
  /** In order of arrival. */
  readonly #held = new Map<string, Held>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param now the center's clock, in milliseconds since the epoch */
  constructor(database: Database, now: () => number) {
    this.#now = now;
    this.#commit = new GroupCommit({
      write: (items) => this.#write(database, items),
      committed: (duration_s, items) => this.onCommitted(duration_s, items),
      weigh: (item) => 1 + (item.kind === 'structure' ? item.json.length / BYTES_PER_WEIGHT : 0),
      batchWeight_max: CENTER_LIMITS.ingest_batch_documents_max,
      gather_ms: GATHER_MS,
      waiting_max: CENTER_LIMITS.ingest_waiting_max,
      bytesOf: (item) => (item.kind === 'structure' ? item.json.length : 0),
      waitingBytes_max: CENTER_LIMITS.ingest_waiting_bytes_max,
      whenReady: () => database.whenReady(),
      unable: (reason) => database.unable(reason),
      refusal: refusalOf,
    });
  }

  presence(printer: string, presence: Presence): Promise<PresenceResult> {
    return this.#submit<PresenceResult>({ printer, kind: 'presence', presence });
  }

  /** The broker saw a connection begin or end. No caller needs it at once, so it waits for the printer's next message. */
  connection(printer: string, connected: boolean): Promise<PresenceResult> {
    this.#release(printer);
    if (this.#closed) return this.#submit<PresenceResult>({ printer, kind: 'connection', connected });
    return new Promise((resolve) => {
      this.#held.set(printer, { connected, since_ms: performance.now(), resolve });
      this.#timer ??= setTimeout(() => this.#releaseDue(), CONNECTION_PATIENCE_MS);
    });
  }

  /**
   * @param payload the document as received, if at hand: it is stored unchanged
   * @param verdict the verdict on the document, if known without judging
   */
  structure(
    printer: string,
    document: Structure,
    payload?: Buffer,
    verdict?: Verdict,
  ): Promise<StructureResult> {
    return this.#submit<StructureResult>({
      printer,
      kind: 'structure',
      document,
      json: payload && fitsAsItIs(payload) ? payload : Buffer.from(storableJson(document)),
      signature: structureSignature(document),
      ...(verdict ? { verdict } : {}),
    });
  }

  verdict(printer: string, verdict: Verdict): Promise<VerdictResult> {
    return this.#submit<VerdictResult>({ printer, kind: 'verdict', verdict });
  }

  /** Resolves when everything given so far is settled. */
  async settled(): Promise<void> {
    for (const printer of [...this.#held.keys()]) this.#release(printer);
    await this.#commit.settled();
  }

  /** Refuses further items, and resolves when all others are settled. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const printer of [...this.#held.keys()]) this.#release(printer);
    await this.#commit.close();
  }

  #submit<R extends ItemResult>(item: PrinterItem): Promise<R> {
    this.#release(item.printer);
    return this.#commit.submit(item) as Promise<R>;
  }

  /** Submits the held connection of a printer, before anything else of it. */
  #release(printer: string): void {
    const held = this.#held.get(printer);
    if (!held) return;
    this.#held.delete(printer);
    const { connected } = held;
    held.resolve(this.#commit.submit({ printer, kind: 'connection', connected }) as Promise<PresenceResult>);
  }

  #releaseDue(): void {
    this.#timer = undefined;
    const due_ms = performance.now() - CONNECTION_PATIENCE_MS;
    for (const [printer, { since_ms }] of this.#held) {
      if (since_ms > due_ms) {
        this.#timer = setTimeout(() => this.#releaseDue(), Math.max(since_ms - due_ms, 20));
        return;
      }
      this.#release(printer);
    }
  }

  async #write(database: Database, items: PrinterItem[]): Promise<ItemResult[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await database.transaction((client) => this.#writeOnce(client, items));
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === undefined || !AGAIN.has(code) || attempt >= TRIES_MAX) throw error;
      }
    }
  }

  async #writeOnce(client: Client, items: PrinterItem[]): Promise<ItemResult[]> {
    // Lock before reading the rows: what is decided from them must still hold when they are written.
    await client.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
    const states = new PrinterStates(await this.#known(client, items));
    const results = items.map((item) => states.take(item));
    const { changes } = states;
    if (changes.length > 0) {
      await client.query({ ...WRITE_PRINTERS, values: writeValues(changes, new Date(this.#now())) });
    }
    return results;
  }

  async #known(client: Client, items: PrinterItem[]): Promise<Map<string, KnownPrinter>> {
    /** Signature of a printer's only structure; '' when everything known is needed, null when nothing is. */
    const asked = new Map<string, string | null>();
    for (const item of items) {
      const before = asked.get(item.printer);
      if (item.kind === 'structure') asked.set(item.printer, before == null ? item.signature : '');
      else if (item.kind === 'verdict') asked.set(item.printer, before ?? '');
      else asked.set(item.printer, before ?? null);
    }
    const wanted = [...asked.values()];
    const { rows } = await client.query<KnownRow>({
      ...READ_KNOWN,
      values: [
        textArray([...asked.keys()]),
        textArray(wanted),
        textArray(wanted.map((signature) => (signature === null ? 'f' : 't'))),
      ],
    });
    return new Map(rows.map((row) => [row.id, knownOf(row)]));
  }
}
