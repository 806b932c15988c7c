/**
 * Whole lists for programs and spreadsheets: all pages in one response, as JSON lines or CSV. Nothing is buffered: the
 * next page is fetched when the client has read the previous one.
 */
import { Readable } from 'node:stream';
import { csvCell } from '../../schemas/harmless.ts';
import { CENTER_LIMITS } from '../limits.ts';

type Item = Record<string, unknown>;

export interface ListPage {
  items: Item[];
  next?: string;
}

export type ListForm = 'json' | 'ndjson' | 'csv';

export const LIST_TYPES: Record<ListForm, string> = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
};

/** The format that an Accept header prefers; JSON when it names none of them. */
export function wantedForm(accept = ''): ListForm {
  const wanted = accept
    .toLowerCase()
    .split(',')
    .map((part) => {
      const [type = '', ...parameters] = part.split(';').map((text) => text.trim());
      const quality = parameters.find((text) => text.startsWith('q='))?.slice(2);
      return { type, quality: quality === undefined ? 1 : Number(quality) || 0 };
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality);
  const forms = Object.keys(LIST_TYPES) as ListForm[];
  for (const { type } of wanted) {
    const form = forms.find((each) => LIST_TYPES[each] === type);
    if (form) return form;
  }
  return 'json';
}

function cellOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return csvCell(value);
  }
  return csvCell(JSON.stringify(value));
}

/** One row of CSV. */
export function csvRow(item: Item, columns: readonly string[]): string {
  return `${columns.map((column) => cellOf(item[column])).join(',')}\r\n`;
}

/** The first page and all that follow. @throws Error when there are more items than one response may have */
async function* pagesFrom(
  first: ListPage,
  ask: (cursor: string) => Promise<ListPage>,
): AsyncGenerator<Item[]> {
  let sent = 0;
  for (let page = first; ; ) {
    sent += page.items.length;
    if (sent > CENTER_LIMITS.http_list_items_max) {
      throw new Error(`the list has more than ${CENTER_LIMITS.http_list_items_max} items: use a filter`);
    }
    yield page.items;
    if (page.next === undefined) return;
    page = await ask(page.next);
  }
}

async function* textOf(
  pages: AsyncGenerator<Item[]>,
  form: Exclude<ListForm, 'json'>,
  columns: readonly string[],
): AsyncGenerator<string> {
  if (form === 'csv') yield `${columns.map(csvCell).join(',')}\r\n`;
  for await (const items of pages) {
    const lines = items.map((item) => (form === 'csv' ? csvRow(item, columns) : `${JSON.stringify(item)}\n`));
    if (lines.length > 0) yield lines.join('');
  }
}

/**
 * A whole list as text. When a later page fails the stream fails: the connection breaks in the middle of the response,
 * so that nobody takes a part for the whole.
 */
export function listStream(
  first: ListPage,
  ask: (cursor: string) => Promise<ListPage>,
  form: Exclude<ListForm, 'json'>,
  columns: readonly string[],
): Readable {
  return Readable.from(textOf(pagesFrom(first, ask), form, columns));
}
