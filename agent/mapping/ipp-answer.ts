/**
 * An IPP response: attributes by name, with typed values. Recorded responses (JSON, ipptool) have no type tags, so the
 * accessors convert what they get.
 */
import { clip, decodeText, hexOf, TEXT_OCTETS_MAX } from './text.ts';

export type IppCollection = Map<string, IppValue[]>;

export type IppValue =
  | string
  | number
  | boolean
  | Date
  | Uint8Array
  | IppCollection
  | { from: number; to: number }
  | null;

export class IppAnswer {
  readonly attributes = new Map<string, IppValue[]>();
  /** Status code of the response; 0 for recordings without one. */
  status = 0;
  /** The message was truncated: attributes after that point are missing. */
  cut = false;

  values(name: string): IppValue[] {
    return this.attributes.get(name) ?? [];
  }

  /** Values as text; a missing value of a parallel array is an empty text. */
  texts(name: string): string[] {
    return this.values(name).map(textOfIpp);
  }

  text(name: string): string | undefined {
    const text = this.texts(name)[0];
    return text === undefined || text === '' ? undefined : text;
  }

  int(name: string): number | undefined {
    return intOfIpp(this.values(name)[0]);
  }
}

export function textOfIpp(value: IppValue | undefined): string {
  if (value === undefined || value === null) return '';
  if (value instanceof Uint8Array) return decodeText(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString();
  if (value instanceof Map)
    return [...value].map(([key, member]) => `${key}=${member.map(textOfIpp).join(',')}`).join(' ');
  if (typeof value === 'object') return `${value.from}-${value.to}`;
  return clip(String(value), TEXT_OCTETS_MAX);
}

export function intOfIpp(value: IppValue | undefined): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) : undefined;
  const text = textOfIpp(value);
  return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** An octet string as text where it is text, else as hex: `printer-firmware-version` comes both ways. */
export function octetTextOf(value: IppValue | undefined): string {
  if (!(value instanceof Uint8Array)) return textOfIpp(value);
  if (value.length > TEXT_OCTETS_MAX) return octetTextOf(value.subarray(0, TEXT_OCTETS_MAX));
  const printable = value.every((byte) => byte === 0 || (byte >= 0x20 && byte < 0x7f));
  return printable ? decodeText(value) : hexOf(value);
}
