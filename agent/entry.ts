/**
 * Makes a driver's events fit the wire contract. One entry that breaks the schema would make the center refuse its
 * whole batch again and again, so entries are corrected here.
 */
import type { PrinterEvent } from './driver.ts';
import { ENTRY_DETAIL_BYTES_MAX } from './limits.ts';

const SEVERITIES = new Set(['info', 'warning', 'error', 'fatal']);
const CODE_LENGTH_MAX = 64;
// A symbol has no colon and no control characters (schemas/wire/errors.json).
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it excludes
const SYMBOL = /^[^\u0000-\u001f:]{1,64}$/;
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** `at` as RFC 3339 in UTC; `now` when `at` is not a time. */
function instant(at: string, now: number): string {
  const ms = Date.parse(at);
  if (Number.isNaN(ms)) return new Date(now).toISOString();
  return UTC.test(at) ? at : new Date(ms).toISOString();
}

function detailOf(detail: object): object | undefined {
  if (Array.isArray(detail)) return { value: 'a list was reported where an object belongs' };
  let text: string;
  try {
    text = JSON.stringify(detail);
  } catch {
    return { value: 'what was reported cannot be written as JSON' };
  }
  const bytes = Buffer.byteLength(text);
  return bytes > ENTRY_DETAIL_BYTES_MAX ? { truncated: true, bytes } : detail;
}

/** `event` within the contract: length of the code, form of time, symbol and counters, size of the detail. */
export function cleanEvent(event: PrinterEvent, now: number): PrinterEvent {
  const clean: PrinterEvent = {
    at: instant(event.at, now),
    code: event.code.slice(0, CODE_LENGTH_MAX) || 'unknown',
    severity: SEVERITIES.has(event.severity) ? event.severity : 'error',
  };
  if (event.unit !== undefined && SYMBOL.test(event.unit)) clean.unit = event.unit;
  if (event.pages !== undefined && Number.isSafeInteger(Math.round(event.pages)) && event.pages >= 0) {
    clean.pages = Math.round(event.pages);
  }
  if (event.detail !== undefined) clean.detail = detailOf(event.detail);
  return clean;
}
