/**
 * Postgres arrays, in text and in binary. `pg` can encode them too, but inspects every element several times, which on
 * the ingest path is most of a statement's cost in this process.
 */

/** Elements that need no quotes: they can't be mistaken for NULL, a separator or an escape. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9.:_-]*$/;

/** An element of an array, as text. */
type ArrayElement = string | number;

export const NULL_ELEMENT = 'NULL';

/** Whether a text is an element without quoting. */
export function isElement(text: string): boolean {
  return PLAIN.test(text) && (text.length !== 4 || text.toUpperCase() !== NULL_ELEMENT);
}

/** A text as an element. */
export function textElement(text: string): string {
  return isElement(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
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
const INT8_OID = 20;
const INT4_OID = 23;
const JSON_OID = 114;
const JSONB_OID = 3802;
/** First byte of a binary `jsonb`: its version. */
const JSONB_PREFIX = Buffer.from([1]);
const NOTHING = Buffer.alloc(0);
const HIGH = 2 ** 32;

/** Writes the head of a binary array: dimensions, whether there are NULLs, element type, length, first index. */
function writeHead(view: DataView, nulls: boolean, oid: number, length: number): void {
  view.setInt32(0, 1);
  view.setInt32(4, nulls ? 1 : 0);
  view.setInt32(8, oid);
  view.setInt32(12, length);
  view.setInt32(16, 1);
}

/** A binary array of `int4`: for very many numbers a quarter of the work on both sides. */
export function int4Array(values: readonly number[]): Buffer {
  const array = Buffer.allocUnsafe(20 + 8 * values.length);
  const view = new DataView(array.buffer, array.byteOffset, array.length);
  writeHead(view, false, INT4_OID, values.length);
  let at = 20;
  for (const value of values) {
    view.setInt32(at, 4);
    view.setInt32(at + 4, value);
    at += 8;
  }
  return array;
}

/** A binary array of `int8`, for integers that a number holds exactly. */
export function int8Array(values: readonly (number | null)[]): Buffer {
  const array = Buffer.allocUnsafe(20 + 12 * values.length);
  const view = new DataView(array.buffer, array.byteOffset, array.length);
  let at = 20;
  let nulls = false;
  for (const value of values) {
    if (value === null) {
      nulls = true;
      view.setInt32(at, -1);
      at += 4;
      continue;
    }
    const high = Math.floor(value / HIGH);
    view.setInt32(at, 8);
    view.setInt32(at + 4, high);
    view.setUint32(at + 8, value - high * HIGH);
    at += 12;
  }
  writeHead(view, nulls, INT8_OID, values.length);
  return array.subarray(0, at);
}

/** A binary array of JSON documents in UTF-8: nothing has to be escaped. */
export function jsonArray(documents: readonly (Buffer | null)[]): Buffer {
  return binaryArray(JSON_OID, NOTHING, documents);
}

/** A binary array of `jsonb`, which Postgres stores parsed. */
export function jsonbArray(documents: readonly (Buffer | null)[]): Buffer {
  return binaryArray(JSONB_OID, JSONB_PREFIX, documents);
}

/** A binary array of one dimension (array_recv): each element is `prefix` and its bytes. */
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
  writeHead(new DataView(array.buffer, array.byteOffset, array.length), elements.includes(null), oid, length);
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
