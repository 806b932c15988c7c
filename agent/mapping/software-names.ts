/** Splits texts in which printers combine names and versions. */
import { Pattern } from './pattern.ts';
import { tidy } from './text.ts';

export interface NamedVersion {
  name: string;
  version?: string;
}

const NAME_AND_VERSION = new Pattern(
  '^(.*\\S)(?:[\\s,;:=_\\/]+|\\s+-\\s+)\\(?(?:(?:v|ver|version|rev|revision|release)\\b[.:\\s]*|v(?=\\d))?\\(?([\\w.+\\-]*\\d[\\w.+()\\/\\-]*?)\\)?$',
);
const VERSION_WORD_BEHIND = new Pattern('[\\s,;:=(\\-]+$|\\s+(?:v|ver|version|rev|revision|release)[.:]?$');

/** Without trailing punctuation or a trailing word for "version". */
function withoutTail(text: string): string {
  const tail = VERSION_WORD_BEHIND.exec(text)?.[0];
  return tail === undefined ? text : text.slice(0, -tail.length);
}

/**
 * `MFP controller G00-K4` → name and version. `models` are models of units: a text that ends in one (`Finisher FS-539`)
 * has no version.
 */
export function splitNameAndVersion(text: string, models: Set<string> = new Set()): NamedVersion {
  const tidied = tidy(text);
  const match = NAME_AND_VERSION.exec(tidied);
  const [, front, version] = match ?? [];
  if (front === undefined || version === undefined || models.has(version)) return { name: tidied };
  const name = withoutTail(front).trim();
  return name === '' ? { name: tidied } : { name, version };
}

/**
 * One component of a list: a name, then a version, then perhaps a date or the model in brackets. A version has dots or
 * colons; one without has six digits or more and stands apart. A `V` before it is no part of it.
 */
const LISTED = new Pattern(
  '^(?:(?!V\\d)([A-Za-z][A-Za-z \\/\\-]{0,40}?)\\s*)?(?:\\bV)?((?:\\b[A-Z](?=\\d))?\\d+(?:[.:][0-9A-Za-z]+)+)(?:[\\s_(].*)?$|^([A-Za-z][A-Za-z \\/\\-]{0,40}?)\\s+(\\d{6,})(?:[\\s_(].*)?$',
  { anyCase: false },
);

/** `… OS 1.03.00.16 …` in the first part, which names the model. */
const IN_FIRST_PART = new Pattern('\\sOS\\s+V?(\\d+(?:\\.\\d+)+)', { anyCase: false });

const SINGLE = new Pattern(
  '\\b(?:firmware(?:\\s+version)?|f\\/w|fw|version|ver)[\\s.:=]*(?:ver(?:sion)?[\\s.:=]*)?v?([\\w.\\-]*\\d[\\w.\\-]*)',
);

/**
 * Firmware that stands in sysDescr: `…; System 1.3.8.P, OS 9.79, Eng 23.P1` (a list of components) or
 * `… Firmware Ver.1.14 …` (one). Empty when there is none.
 */
export function versionsInDescription(text: string): Required<NamedVersion>[] {
  const [first = '', ...parts] = text.split(/[;,]/).map((part) => part.trim());
  const listed: Required<NamedVersion>[] = [];
  const ofFirst = IN_FIRST_PART.exec(first)?.[1];
  if (ofFirst !== undefined) listed.push({ name: 'Firmware', version: ofFirst });
  for (const part of parts) {
    const match = LISTED.exec(part);
    const version = match?.[2] ?? match?.[4];
    if (version !== undefined) {
      listed.push({ name: (match?.[1] ?? match?.[3] ?? 'Firmware').trim(), version });
    }
  }
  if (listed.length > 0) return listed;
  const single = SINGLE.exec(text);
  return single?.[1] ? [{ name: 'Firmware', version: single[1].replace(/[.,-]+$/, '') }] : [];
}
