/** Subjects: `symbol` names a unit of a printer, `symbol:software` software on it; `apparatus` is the printer itself. */
import type { Structure } from './types.ts';

/** The parts of a structure that subjects refer to. */
type Parts = Pick<Structure, 'apparatus' | 'units'>;

/** A parsed subject; `software` is undefined for a unit. */
export interface Subject {
  symbol: string;
  software: string | undefined;
}

/** Splits at the first colon: a symbol has none, a software id may. */
export function parseSubject(subject: string): Subject {
  const colon = subject.indexOf(':');
  return colon < 0
    ? { symbol: subject, software: undefined }
    : { symbol: subject.slice(0, colon), software: subject.slice(colon + 1) };
}

/** The software of a subject; the whole text for a unit. */
export function softwareOf(subject: string): string {
  return subject.slice(subject.indexOf(':') + 1);
}

/** The apparatus or the unit with this symbol. */
function partOf(structure: Parts, symbol: string): Parts['apparatus'] | Parts['units'][number] | undefined {
  return symbol === 'apparatus'
    ? structure.apparatus
    : structure.units.find((unit) => unit.symbol === symbol);
}

/** The installed version of `symbol:software`; null if it has none, undefined if it is not installed. */
export function installedVersion(structure: Parts, subject: string): string | null | undefined {
  const { symbol, software } = parseSubject(subject);
  const installed = partOf(structure, symbol)?.software?.find(({ id }) => id === software);
  return installed && (installed.version ?? null);
}
