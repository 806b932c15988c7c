/**
 * Cursors of lists, opaque for clients. A cursor contains the last key of the page before, and its list, so that the
 * cursor of another list is refused instead of misread.
 */
import { PlatenError } from '../../schemas/errors.ts';

/** Type of a key's part, as the database needs it. */
export type KeyPart = 'text' | 'time' | 'number';

const FITS: Record<KeyPart, (part: string) => boolean> = {
  text: (part) => !part.includes('\0'),
  time: (part) => /^\d{4}-\d{2}-\d{2}T/.test(part) && !Number.isNaN(Date.parse(part)),
  number: (part) => /^-?\d{1,16}$/.test(part) && Number.isSafeInteger(Number(part)),
};

/** The cursor of the page after `key`. */
export function cursorOf(list: string, key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([list, ...key.map(String)])).toString('base64url');
}

/**
 * The key that `cursorOf` was given.
 * @throws PlatenError request/invalid for anything but a cursor of this list
 */
export function keyOf(list: string, cursor: string, parts: readonly KeyPart[]): string[] {
  try {
    const [of, ...key] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    const fits =
      of === list &&
      key.length === parts.length &&
      parts.every((part, at) => typeof key[at] === 'string' && FITS[part](key[at]));
    if (fits) return key as string[];
  } catch {
    // No JSON, or no array: refused below.
  }
  throw new PlatenError('request/invalid', { reason: '/cursor is not one that a reply of this list gave' });
}
