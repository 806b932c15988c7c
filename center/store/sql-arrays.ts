/**
 * Arrays as Postgres reads them in text. `pg` can do it too, but looks at every element in several ways; on the way in
 * that is most of what a statement costs this process.
 */

/** What an element may hold without quotes: then it can't be taken for NULL, a separator or an escape. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9.:_-]*$/;

/** An array of numbers. */
export function numberArray(values: readonly (number | null)[]): string {
  let text = '{';
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    text += index === 0 ? '' : ',';
    text += value === null ? 'NULL' : value;
  }
  return `${text}}`;
}

/** An array of texts. */
export function textArray(values: readonly (string | null)[]): string {
  let text = '{';
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as string | null;
    if (index > 0) text += ',';
    if (value === null) text += 'NULL';
    else if (PLAIN.test(value) && !/^null$/i.test(value)) text += value;
    else text += `"${value.replace(/["\\]/g, '\\$&')}"`;
  }
  return `${text}}`;
}

/** `json` as a type of Postgres. */
const JSON_OID = 114;

/** An array of JSON documents in UTF-8, as Postgres reads it in binary: nothing in it has to be escaped. */
export function jsonArray(documents: readonly (Buffer | null)[]): Buffer {
  const { length } = documents;
  if (length === 0) {
    const empty = Buffer.alloc(12);
    empty.writeInt32BE(JSON_OID, 8);
    return empty;
  }
  let bytes = 20 + 4 * length;
  for (const document of documents) bytes += document?.length ?? 0;
  const array = Buffer.allocUnsafe(bytes);
  // Dimensions, whether there are NULLs, type of the elements, how many, and the index of the first.
  array.writeInt32BE(1, 0);
  array.writeInt32BE(documents.includes(null) ? 1 : 0, 4);
  array.writeInt32BE(JSON_OID, 8);
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16);
  let at = 20;
  for (const document of documents) {
    array.writeInt32BE(document?.length ?? -1, at);
    at += 4;
    if (document) at += document.copy(array, at);
  }
  return array;
}
