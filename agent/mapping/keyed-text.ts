/**
 * The `keyword=value;` strings of IPP and the device id of IEEE 1284, which is written with `:` instead.
 */

/** Keys in lower case to their values; a key that comes twice keeps its first value. Text without a key is ignored. */
function parsePairs(text: string, separator: '=' | ':'): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const part of text.split(';')) {
    const at = part.indexOf(separator);
    if (at < 1) continue;
    const key = part.slice(0, at).trim().toLowerCase();
    const value = part.slice(at + 1).trim();
    if (key !== '' && !pairs.has(key)) pairs.set(key, value);
  }
  return pairs;
}

/** `printer-alert`, `printer-finisher`, `printer-input-tray` … (PWG 5100.9, 5100.13): `type=stapler;index=1;`. */
export function parseKeyedText(text: string): Map<string, string> {
  return parsePairs(withoutOwnName(text), '=');
}

/** Removes an attribute name that some printers write into the value: `printer-alert[0] = code=jam;…`, `… = 'Paper jam'`. */
export function withoutOwnName(text: string): string {
  const rest = /^[a-z]+(?:-[a-z]+)+\[\d+\]\s*=\s*(.*)$/s.exec(text)?.[1];
  if (rest === undefined) return text;
  return /^'.*'$/s.test(rest) ? rest.slice(1, -1) : rest;
}

/** Content of an IEEE 1284 device id. */
export interface DeviceId {
  make?: string;
  model?: string;
  serial?: string;
  firmware?: string;
  /** Every key as it came (in lower case), unknown ones too. */
  all: Record<string, string>;
}

/** The value of the first of `keys` that is not empty. */
function pick(pairs: Map<string, string>, keys: string[]): string | undefined {
  for (const key of keys) {
    const value = pairs.get(key);
    if (value !== undefined && value !== '') return value;
  }
  return undefined;
}

/**
 * A device id, `MFG:HP;MDL:LaserJet;SN:…;`. Makers spell the keys in short or in full, and some leave the two length
 * bytes of the parallel port before the text.
 */
export function parseDeviceId(text: string): DeviceId {
  const start = text.search(/[A-Za-z0-9 _-]{2,40}:/);
  const pairs = parsePairs(start > 0 ? text.slice(start) : text, ':');
  const make = pick(pairs, ['mfg', 'manufacturer']);
  const model = pick(pairs, ['mdl', 'model']);
  const serial = pick(pairs, ['sn', 'sern', 'ser', 'serialnumber', 'serial', 'serial number']);
  const firmware = pick(pairs, ['fwver', 'fw', 'firmware', 'fwv', 'version']);
  return {
    ...(make === undefined ? {} : { make }),
    ...(model === undefined ? {} : { model }),
    ...(serial === undefined ? {} : { serial }),
    ...(firmware === undefined ? {} : { firmware }),
    all: Object.fromEntries(pairs),
  };
}

/** The row that a keyed text is for: its `index`, else its position in the list. */
export function indexOf(keys: Map<string, string>, position: number): number {
  const index = Number(keys.get('index'));
  return Number.isInteger(index) && index > 0 ? index : position + 1;
}
