/**
 * Reads recorded messages of a Bambu printer: one JSON document or one a line, as they came over MQTT or wrapped by whatever
 * recorded them (diagnostics of home automation keep `get_version` and the last report in one document).
 */
import { type BambuState, mergeReport } from './bambu-reading.ts';

/** How deep the messages may be wrapped. */
const DEPTH_MAX = 6;

function parse(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    // Not one document: perhaps one a line.
  }
  const documents: unknown[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') continue;
    try {
      documents.push(JSON.parse(line));
    } catch {
      return []; // Not JSON lines either; the other forms are tried.
    }
  }
  return documents;
}

function take(value: unknown, state: BambuState, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return;
  if (Array.isArray(value)) {
    for (const item of value) take(item, state, depth + 1);
    return;
  }
  const fields = value as Record<string, unknown>;
  if (Array.isArray(fields['module']) && fields['command'] === 'get_version') {
    state.modules = fields['module'].slice(0, 256);
    return;
  }
  // A report tells what changed; every field keeps its last value.
  if (Array.isArray(fields['hms']) || 'gcode_state' in fields || fields['command'] === 'push_status') {
    mergeReport(state.print, fields);
    return;
  }
  for (const inner of Object.values(fields)) take(inner, state, depth + 1);
}

/** The state in a recording; undefined when it is not of a Bambu printer. */
export function parseRecordedBambu(bytes: Uint8Array): BambuState | undefined {
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  if (!/^\s*[{[]/.test(text)) return undefined;
  const state: BambuState = { serial: 'unknown', modules: [], print: {} };
  for (const document of parse(text)) take(document, state, 0);
  return state.modules.length === 0 && Object.keys(state.print).length === 0 ? undefined : state;
}
