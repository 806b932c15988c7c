/**
 * Troubles that the center itself found, not a rule in a log. They stand in the same lists, events and retained
 * documents as all others, under rule ids of their own.
 */
import { createHash } from 'node:crypto';
import type { CompiledRule } from './engine/rule.ts';
import type { TroubleRow } from './rows.ts';
import { TroubleWriter, type TroubleWriterSettings } from './writer.ts';

export interface Finding {
  rule: string;
  title: string;
  printer: string;
  /** What it is about, besides the printer. */
  key: string;
  severity: string;
  /** RFC 3339: when it was found. Finding the same again opens no second trouble. */
  at: string;
  explanation: string;
}

function rowOfFinding(finding: Finding): TroubleRow {
  const { rule, title, printer, key, severity, at, explanation } = finding;
  const id = createHash('sha256')
    .update(JSON.stringify([rule, printer, key, at]))
    .digest('base64url')
    .slice(0, 22);
  return {
    id,
    rule,
    title,
    key: `${printer}\u001f${key}`,
    printer,
    unit: null,
    scope: { printer },
    state: 'open',
    severity,
    count: 1,
    opened_at: at,
    updated_at: at,
    closed_at: null,
    last_at: at,
    evidence: [],
    codes: [],
    remedy: null,
    proposal: null,
    note: null,
    explanation,
    proven_at: null,
    owner: null,
    acknowledged: null,
    snoozed: null,
  };
}

export class Findings {
  readonly #settings: TroubleWriterSettings;
  readonly #writer: TroubleWriter;

  constructor(settings: TroubleWriterSettings) {
    this.#settings = settings;
    this.#writer = new TroubleWriter(settings, (): CompiledRule | undefined => undefined);
  }

  /** Opens a trouble, unless the same was found before. @returns its id */
  async open(finding: Finding): Promise<string> {
    const { store } = this.#settings;
    const row = rowOfFinding(finding);
    const fresh = await store.transaction(async (client) => {
      if ((await store.byId([row.id], client)).size > 0) return false;
      await store.put(client, [row]);
      await this.#writer.setOpen(client, [finding.printer]);
      return true;
    });
    // A document that could not be published stays due in the store and follows at the next start.
    if (fresh) await this.#writer.tell([{ news: ['opened'], row }]);
    return row.id;
  }
}
