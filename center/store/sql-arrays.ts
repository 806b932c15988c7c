/**
 * Arrays as Postgres reads them in text. `pg` can do it too, but looks at every element in several ways; on the way in
 * that is most of what a statement costs this process.
 */

/** What an element may hold without quotes: then it can't be taken for NULL, a separator or an escape. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9.:_-]*$/;

/** An element of an array, as text. */
export type ArrayElement = string | number;

/** What stands for NULL. */
export const NULL_ELEMENT = 'NULL';

/** A text as an element. */
export function textElement(text: string): string {
  const plain = PLAIN.test(text) && (text.length !== 4 || text.toUpperCase() !== NULL_ELEMENT);
  return plain ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** An array of elements. */
export function arrayOf(elements: readonly ArrayElement[]): string {
  return `{${elements.join(',')}}`;
}

/** An array of numbers. */
export function numberArray(values: readonly (number | null)[]): string {
  return arrayOf(values.map((value) => value ?? NULL_ELEMENT));
}

/** An array of texts. */
export function textArray(values: readonly (string | null)[]): string {
  return arrayOf(values.map((value) => (value === null ? NULL_ELEMENT : textElement(value))));
}

/** Types of Postgres. */
const JSON_OID = 114;
const JSONB_OID = 3802;
/** What begins a `jsonb` in binary: its version. */
const JSONB_PREFIX = Buffer.from([1]);
const NOTHING = Buffer.alloc(0);

/** An array of JSON documents in UTF-8, as Postgres reads it in binary: nothing in it has to be escaped. */
export function jsonArray(documents: readonly (Buffer | null)[]): Buffer {
  return binaryArray(JSON_OID, NOTHING, documents);
}

/** The same for `jsonb`, which Postgres keeps parsed. */
export function jsonbArray(documents: readonly (Buffer | null)[]): Buffer {
  return binaryArray(JSONB_OID, JSONB_PREFIX, documents);
}

/** An array of one dimension (array_recv): each element is `prefix` and its bytes. */
function binaryArray(oid: number, prefix: Buffer, elements: readonly (Buffer | null)[]): Buffer {
  const { length } = elements;
  if (length === 0) {
    const empty = Buffer.alloc(12);
    empty.writeInt32BE(oid, 8);
    return empty;
  }
  let bytes = 20 + (4 + prefix.length) * length;
  for (const element of elements) bytes += element?.length ?? 0;
  const array = Buffer.allocUnsafe(bytes);
  // Dimensions, whether there are NULLs, type of the elements, how many, and the index of the first.
  array.writeInt32BE(1, 0);
  array.writeInt32BE(elements.includes(null) ? 1 : 0, 4);
  array.writeInt32BE(oid, 8);
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16);
  let at = 20;
  for (const element of elements) {
    array.writeInt32BE(element ? prefix.length + element.length : -1, at);
    at += 4;
    if (!element) continue;
    at += prefix.copy(array, at);
    at += element.copy(array, at);
  }
  return array.subarray(0, at);
}
