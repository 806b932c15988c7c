/** What differs between two documents whose parts have names: a catalog's software and models, the rules. Pure. */
import type { Row } from '../remote/door.ts';

export interface PartChange {
  what: 'added' | 'removed' | 'changed';
  /** The list that it stands in, such as `software`. */
  part: string;
  name: string;
  /** Members that differ, and releases that came or went. */
  detail?: string;
}

function byName(document: Row, part: string, key: string): Map<string, Row> {
  const list = Array.isArray(document[part]) ? (document[part] as unknown[]) : [];
  return new Map(
    list.flatMap((each, at) => {
      if (typeof each !== 'object' || each === null) return [];
      const row = each as Row;
      return [[String(row[key] ?? `#${at + 1}`), row] as const];
    }),
  );
}

/** JSON with its members in order, so that the same content is the same text. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_name, each: unknown) =>
      typeof each === 'object' && each !== null && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
        : each,
    ) ?? ''
  );
}

function detailOf(before: Row, after: Row): string {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => canonical(before[name]) !== canonical(after[name]),
  );
  return names
    .map((name) => {
      if (name !== 'releases') return name;
      const old = byName(before, name, 'version');
      const now = byName(after, name, 'version');
      const come = [...now.keys()].filter((version) => !old.has(version)).map((version) => `+${version}`);
      const gone = [...old.keys()].filter((version) => !now.has(version)).map((version) => `-${version}`);
      const other = [...now]
        .filter(([version, row]) => old.has(version) && canonical(old.get(version)) !== canonical(row))
        .map(([version]) => `~${version}`);
      return `releases ${[...come, ...gone, ...other].join(' ')}`;
    })
    .join(', ');
}

/** @param parts lists of the documents, with the member that names each item */
export function changesBetween(
  before: Row,
  after: Row,
  parts: readonly (readonly [string, string])[],
): PartChange[] {
  const changes: PartChange[] = [];
  for (const [part, key] of parts) {
    const old = byName(before, part, key);
    const now = byName(after, part, key);
    for (const [name, row] of now) {
      const was = old.get(name);
      if (was === undefined) changes.push({ what: 'added', part, name });
      else if (canonical(was) !== canonical(row))
        changes.push({ what: 'changed', part, name, detail: detailOf(was, row) });
    }
    for (const name of old.keys()) if (!now.has(name)) changes.push({ what: 'removed', part, name });
  }
  return changes;
}
