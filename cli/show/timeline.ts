/** What happened to a printer, in a sentence. Pure. */
import type { Row } from '../remote/door.ts';

function change({ kind, subject, from, to }: Row): string {
  if (from === undefined) return `${subject} ${to ?? ''} ${to === undefined ? kind : 'is new'}`.trim();
  if (to === undefined) return `${subject} ${from} is gone`;
  return `${subject} ${from} → ${to}`;
}

/** A timeline item (reply of `printers.timeline`) in a sentence. */
export function sentenceOf(item: Row): string {
  const { kind, what } = item;
  switch (kind) {
    case 'structure': {
      const changes = ((item['changes'] ?? []) as Row[]).map(change);
      return changes.length > 0
        ? changes.join(', ')
        : what === 'first'
          ? 'first structure'
          : 'structure as before';
    }
    case 'verdict':
      return `${what}${item['was'] === undefined ? '' : `, was ${item['was']}`} (catalog ${item['catalog']})`;
    case 'entry':
      return [what, item['severity'], item['unit'] && `on ${item['unit']}`].filter(Boolean).join(' ');
    case 'trouble':
      return `${item['title'] ?? item['rule']}: ${what}${item['why'] === undefined ? '' : ` (${item['why']})`}`;
    case 'order': {
      const steps = ((item['steps'] ?? []) as Row[])
        .map(({ subject, to }) => `${subject} → ${to}`)
        .join(', ');
      return [`order ${what}`, steps && `for ${steps}`, item['why'] && `(${item['why']})`]
        .filter(Boolean)
        .join(' ');
    }
    case 'reading':
      return [what, item['supply'], item['state'], ((item['reasons'] ?? []) as string[]).join(', ')]
        .filter(Boolean)
        .join(' ');
    case 'act':
      return `${item['by'] ?? 'somebody'}: ${what} (${item['outcome'] ?? 'done'})`;
    default:
      return String(what ?? '');
  }
}
