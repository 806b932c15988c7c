/**
 * Names and versions that printers write into one text.
 */
import { tidy } from './text.ts';

export interface NamedVersion {
  name: string;
  version?: string;
}

/**
 * `MFP controller G00-K4` → name and version. `models` are models of units: a text that ends in one (`Finisher FS-539`)
 * has no version.
 */
export function splitNameAndVersion(text: string, models: Set<string> = new Set()): NamedVersion {
  const tidied = tidy(text);
  const match =
    /^(.*\S)(?:[\s,;:=_/]+|\s+-\s+)\(?(?:(?:v|ver|version|rev|revision|release)\b[.:\s]*|v(?=\d))?\(?([\w.+-]*\d[\w.+()/-]*?)\)?$/iu.exec(
      tidied,
    );
  const [, front, version] = match ?? [];
  if (front === undefined || version === undefined || models.has(version)) return { name: tidied };
  const name = front.replace(/[\s,;:=(-]+$|\s+(v|ver|version|rev|revision|release)[.:]?$/iu, '').trim();
  return name === '' ? { name: tidied } : { name, version };
}

/**
 * Firmware that stands in sysDescr: `…; System 1.3.8.P, OS 9.79, Eng 23.P1` (a list of components) or
 * `… Firmware Ver.1.14 …` (one). Empty when there is none.
 */
export function versionsInDescription(text: string): Required<NamedVersion>[] {
  const parts = text.split(/[;,]/).map((part) => part.trim());
  const listed: Required<NamedVersion>[] = [];
  for (const part of parts.slice(1)) {
    const match =
      /^([A-Za-z][A-Za-z /-]{0,40}?)\s*(\d+(?:\.[0-9A-Za-z]+)+|[A-Z]?\d+(?:\.[0-9A-Za-z]+){2,})$/.exec(part);
    if (match?.[1] && match[2]) listed.push({ name: match[1].trim(), version: match[2] });
  }
  if (listed.length > 0) return listed;
  const single =
    /\b(?:firmware(?:\s+version)?|f\/w|fw|version|ver)[\s.:=]*(?:ver(?:sion)?[\s.:=]*)?v?([\w.-]*\d[\w.-]*)/i.exec(
      text,
    );
  return single?.[1] ? [{ name: 'Firmware', version: single[1].replace(/[.,-]+$/, '') }] : [];
}
