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
