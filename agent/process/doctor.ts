/**
 * Diagnoses a printer that "doesn't work": what it answers, how that is mapped, and what is missing.
 */
import { reasonOf } from '../../schemas/errors.ts';
import type { PrinterEvent } from '../driver.ts';
import { DRIVER_LIMITS } from '../drivers/limits.ts';
import { compareReading, EMPTY_MEMORY } from '../mapping/conditions.ts';
import { type IppAnswer, textOfIpp } from '../mapping/ipp-answer.ts';
import type { Reading } from '../mapping/reading.ts';
import { compareOids, type SnmpAnswer, showValue } from '../mapping/snmp-answer.ts';

/** A reading with the log entries that its conditions would become when first seen. */
export interface Diagnosis extends Reading {
  entries: PrinterEvent[];
}

export function diagnose(reading: Reading, nowMs: number): Diagnosis {
  const { events } = compareReading(EMPTY_MEMORY, reading, nowMs, DRIVER_LIMITS);
  return { ...reading, entries: events };
}

/** Counters, supplies, trays and facts as lines, each with the OID, attribute or JSON path that it came from. */
function measuredLines({ measured }: Diagnosis): string[] {
  if (!measured) return [];
  const { state, reasons, counters = {}, supplies = [], inputs = [], facts = {} } = measured.readings;
  const from = (path: string) => (measured.from[path] === undefined ? '' : `  [${measured.from[path]}]`);
  const lines = ['', 'readings', `  state      ${state ?? 'unknown'}${from('state')}`];
  lines.push(
    `  reasons    ${reasons === undefined ? 'unknown' : reasons.join(', ') || 'none'}${from('reasons')}`,
  );
  for (const [name, count] of Object.entries(counters)) {
    lines.push(`  ${name.padEnd(26)} ${count}${from(`counters.${name}`)}`);
  }
  for (const { symbol, kind, color, model, level, capacity, measure, known, state: is } of supplies) {
    const left = level === undefined ? (known ?? 'unknown') : `${level}${known === 'steps' ? ' steps' : ''}`;
    const of = capacity === undefined ? '' : ` of ${capacity}`;
    const unit = measure === undefined || measure === 'unknown' ? '' : ` ${measure}`;
    const what = [color, kind].filter((word) => word !== undefined).join(' ');
    lines.push(`  ${symbol.padEnd(12)} ${what}  ${left}${of}${unit}  ${is ?? ''}${from(`${symbol}.level`)}`);
    if (model !== undefined) lines.push(`      ${model}${from(`${symbol}.model`)}`);
  }
  for (const { symbol, level, capacity, known, media } of inputs) {
    const of = capacity === undefined ? '' : ` of ${capacity}`;
    const left = level ?? known ?? 'unknown';
    lines.push(`  ${symbol.padEnd(12)} ${left}${of} sheets  ${media ?? ''}${from(`${symbol}.level`)}`);
  }
  for (const [name, text] of Object.entries(facts)) {
    lines.push(`  ${name.padEnd(10)} ${text}${from(`facts.${name}`)}`);
  }
  return lines;
}

/** Everything as lines for a person. */
export function diagnosisText(found: Diagnosis): string {
  const { structure, sources, identity } = found;
  const lines: string[] = [];
  const from = (path: string) => (sources[path] === undefined ? '' : `  [${sources[path]}]`);
  const component = (symbol: string, software: { id: string; version?: string }) =>
    `      ${software.id.padEnd(36)} ${software.version ?? 'version unknown'}${from(`${symbol}:${software.id}.version`)}`;
  lines.push(
    `make     ${identity.make ?? 'unknown'}`,
    `tables   ${identity.tables.join(', ')}`,
    '',
    'structure',
  );
  const { apparatus } = structure;
  lines.push(`  apparatus  ${apparatus.model}${from('apparatus.model')}`);
  lines.push(`      serial ${apparatus.serial ?? 'unknown'}${from('apparatus.serial')}`);
  for (const software of apparatus.software ?? []) lines.push(component('apparatus', software));
  for (const unit of structure.units) {
    lines.push(
      `  ${unit.symbol.padEnd(12)} ${unit.kind.padEnd(12)} ${unit.model}${from(`${unit.symbol}.model`)}`,
    );
    if (unit.serial !== undefined) lines.push(`      serial ${unit.serial}${from(`${unit.symbol}.serial`)}`);
    for (const software of unit.software ?? []) lines.push(component(unit.symbol, software));
  }
  lines.push('', found.entries.length === 0 ? 'nothing is wrong with it now' : 'holds now');
  for (const entry of found.entries) {
    const detail = entry.detail as { description?: string; keyword?: string } | undefined;
    const on = entry.unit === undefined ? '' : ` on ${entry.unit}`;
    lines.push(
      `  ${entry.severity.padEnd(8)} ${entry.code}${on}  ${detail?.description ?? detail?.keyword ?? ''}  (${entry.at})`,
    );
  }
  const { pages, printing } = found.counters;
  lines.push(
    '',
    `pages    ${pages ?? 'unknown'}`,
    `printing ${printing === undefined ? 'unknown' : printing ? 'yes' : 'no'}`,
  );
  lines.push(...measuredLines(found));
  if (found.missing.length > 0) lines.push('', 'missing');
  for (const missing of found.missing) lines.push(`  ${missing.field.padEnd(28)} ${missing.because}`);
  return `${lines.join('\n')}\n`;
}

/** The raw answer as lines, in order. */
export function rawText(raw: { snmp?: SnmpAnswer; ipp?: IppAnswer }): string {
  const lines: string[] = [];
  if (raw.snmp) {
    const values = [...raw.snmp.values].sort((a, b) => compareOids(a[0], b[0]));
    for (const [oid, value] of values) lines.push(`${oid} = ${value.type}: ${showValue(value)}`);
    for (const entry of raw.snmp.brokenOff) lines.push(`${entry} broke off`);
  }
  if (raw.ipp) {
    for (const [name, values] of raw.ipp.attributes)
      lines.push(`${name} = ${values.map(textOfIpp).join(', ')}`);
    if (raw.ipp.cut) lines.push('the answer was cut off');
  }
  return `${lines.join('\n')}\n`;
}

/** What to do about a printer that doesn't answer, by the kind of error. */
export function adviceFor(url: string, error: unknown): string[] {
  const reason = reasonOf(error);
  const protocol = url.slice(0, url.indexOf(':'));
  const advice: string[] = [];
  if (/ENOTFOUND|EAI_AGAIN/.test(reason)) {
    advice.push(
      'The name is not known here. Try its IP address: its menu or platen agent discover shows it (names in .local are known by mDNS only).',
    );
  }
  if (/ECONNREFUSED/.test(reason)) {
    advice.push(
      `Something is at that address but does not offer ${protocol}. Enable it in the printer's web page, or try another port.`,
    );
  }
  if (/EHOSTUNREACH|ENETUNREACH/.test(reason))
    advice.push('There is no way to that address. Is the printer on, is it in another network?');
  if (/no answer|took longer|timed out/i.test(reason)) {
    advice.push(
      'Nothing came back. Is it on and awake, is the address right, does a firewall stand between?',
    );
    if (protocol === 'snmp') {
      advice.push(
        'SNMP says nothing when the community is wrong, when SNMP is off, or when only version 3 is allowed: look in its web page.',
      );
    }
  }
  if (/credentials/.test(reason))
    advice.push('Give user and password: ipp.user and ipp.password in the configuration.');
  if (/community or user/.test(reason))
    advice.push('This community or user may read nothing: allow it the Printer MIB (1.3.6.1.2.1.43).');
  if (/HTTP 4|IPP status/.test(reason))
    advice.push('Try another path, for example /ipp/print, /ipp/printer or /ipp/port1.');
  if (/certificate/.test(reason)) advice.push('Compare the fingerprint with the one in its web page.');
  if (advice.length === 0)
    advice.push('Try the other protocol (ipp or snmp), and look whether its web page opens.');
  return advice;
}
