/**
 * The result of a filter over printers in memory: written from docs/reference/where.md and not from the SQL that it
 * checks. Texts are compared by their bytes, as in the database.
 */
import semver from 'semver';
import type { Term } from '../../../schemas/where.ts';

export interface OraclePrinter {
  id: string;
  model?: string;
  site?: string;
  serial?: string;
  labels: Record<string, string>;
  online: boolean;
  verdict: 'compatible' | 'incompatible' | 'unknown' | 'none';
  standing: 'active' | 'retired';
  seenMs?: number;
  units: { model: string; serial?: string }[];
  software: { id: string; version?: string }[];
  /** Open troubles. */
  troubles: { rule: string; severity: string; owner?: string }[];
  supplies: { kind: string; percent?: number; endsMs?: number }[];
  campaigns: string[];
  host?: string;
  address?: string;
}

const DAY_MS = 86_400_000;
const DURATIONS: Record<string, number> = { D: DAY_MS, H: 3_600_000, M: 60_000 };

/** The durations that the test writes: a single unit each. */
function duration(text: string): number | undefined {
  const [, days, hours] = /^P(?:(\d+)D|T(\d+)H)$/.exec(text) ?? [];
  if (days !== undefined) return Number(days) * (DURATIONS['D'] ?? 0);
  return hours === undefined ? undefined : Number(hours) * (DURATIONS['H'] ?? 0);
}

const lower = (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

function compares(operator: string, left: number, right: number): boolean {
  switch (operator) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    default:
      return left === right;
  }
}

/** Whether any of the printer's values for a field matches one of the term's values. */
function textFits({ operator, values }: Term, has: readonly (string | undefined)[]): boolean {
  return has.some(
    (one) =>
      one !== undefined &&
      values.some(({ text, prefix }) => {
        if (operator === '~') return lower(one).includes(lower(text));
        return prefix ? one.startsWith(text) : one === text;
      }),
  );
}

function numberFits({ operator, values }: Term, has: readonly (number | undefined)[]): boolean {
  return has.some(
    (one) =>
      one !== undefined && values.some(({ text, prefix }) => prefix || compares(operator, one, Number(text))),
  );
}

function seenFits({ operator, values: [value] }: Term, { seenMs }: OraclePrinter, nowMs: number): boolean {
  if (!value) return false;
  if (operator === '=' || operator === '!=') return value.prefix === (seenMs !== undefined);
  const ago = duration(value.text);
  const at = seenMs ?? Number.NEGATIVE_INFINITY;
  return ago === undefined
    ? compares(operator, at, Date.parse(value.text))
    : compares(operator, nowMs - at, ago);
}

function softwareFits({ name, operator, values }: Term, { software }: OraclePrinter): boolean {
  const ordering = operator === '=' || operator === '!=' ? '' : operator;
  return software.some(
    ({ id, version }) =>
      id === name &&
      values.some(
        ({ text, prefix }) =>
          prefix || (version !== undefined && semver.satisfies(version, `${ordering}${text}`)),
      ),
  );
}

/** Whether a printer matches a term, before `!=` negates it. */
function fits(term: Term, printer: OraclePrinter, nowMs: number): boolean {
  switch (term.field) {
    case 'id':
      return textFits(term, [printer.id]);
    case 'model':
      return textFits(term, [printer.model]);
    case 'site':
      return textFits(term, [printer.site]);
    case 'serial':
      return textFits(term, [printer.serial, ...printer.units.map(({ serial }) => serial)]);
    case 'label':
      return textFits(term, [printer.labels[term.name ?? '']]);
    case 'presence':
      return textFits(term, [printer.online ? 'online' : 'offline']);
    case 'verdict': {
      const any = term.values.some(({ prefix }) => prefix);
      return any ? printer.verdict !== 'none' : textFits(term, [printer.verdict]);
    }
    case 'standing':
      return textFits(term, [printer.standing]);
    case 'seen':
      return seenFits(term, printer, nowMs);
    case 'software':
      return softwareFits(term, printer);
    case 'unit':
      return textFits(
        term,
        printer.units.map(({ model }) => model),
      );
    case 'trouble':
      return (
        (printer.troubles.length > 0 &&
          term.values.some(({ text, prefix }) => text === 'any' || (prefix && text === ''))) ||
        textFits(
          term,
          printer.troubles.map(({ rule }) => rule),
        )
      );
    case 'troubles':
      return numberFits(term, [printer.troubles.length]);
    case 'severity':
      return textFits(
        term,
        printer.troubles.map(({ severity }) => severity),
      );
    case 'owner':
      return textFits(
        term,
        printer.troubles.flatMap(({ owner }) => owner ?? []),
      );
    case 'campaign':
      return textFits(term, printer.campaigns);
    case 'supply': {
      const kind = printer.supplies.filter((supply) => supply.kind === term.name);
      if (term.values.some(({ prefix }) => prefix)) return kind.length > 0;
      return numberFits(
        term,
        kind.map(({ percent }) => percent),
      );
    }
    case 'daysLeft':
      return numberFits(
        term,
        printer.supplies.map(({ endsMs }) => (endsMs === undefined ? undefined : (endsMs - nowMs) / DAY_MS)),
      );
    case 'text': {
      const { id, serial, units, host, address } = printer;
      return textFits(term, [id, serial, ...units.map((unit) => unit.serial), host, address]);
    }
  }
}

/** Whether a printer matches a filter. */
export function finds(terms: readonly Term[], printer: OraclePrinter, nowMs: number): boolean {
  return terms.every((term) => fits(term, printer, nowMs) !== (term.operator === '!='));
}
