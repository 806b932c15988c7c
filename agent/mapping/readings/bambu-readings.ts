/**
 * Filament, nozzles and state of a Bambu printer from its reports. Pure. Every field is checked individually: the messages
 * have no schema and change with the firmware.
 */
import type { Condition } from '../reading.ts';
import { clip, meaningful } from '../text.ts';
import { type FoundReadings, levelOf, ReadingsBuilder } from './found-readings.ts';

export interface BambuReadingsContext {
  conditions: Condition[];
  conditionsWhole: boolean;
  /** Symbols of the units that the structure has. */
  symbols: Set<string>;
}

/** Units and slots of one printer that are kept; it has at most a dozen. */
const ITEMS_MAX = 64;

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, ITEMS_MAX) : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? meaningful(String(value)) : undefined;
}

/** A number, also as text; ids may be 0, which `meaningful` takes for nothing. */
function number(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  return typeof value === 'string' && /^-?\d{1,15}$/.test(value.trim()) ? Number(value) : undefined;
}

/** A tag of zeros means a spool without a tag, whose `remain` is not measured. */
function tagOf(value: unknown): string | undefined {
  const tag = text(value);
  return tag === undefined || /^0+$/.test(tag) ? undefined : tag;
}

const STATES = new Map<string, 'idle' | 'processing' | 'stopped'>([
  ['IDLE', 'idle'],
  ['FINISH', 'idle'],
  ['FAILED', 'idle'],
  ['RUNNING', 'processing'],
  ['PREPARE', 'processing'],
  ['SLICING', 'processing'],
  ['PAUSE', 'stopped'],
]);

/** `FF6A13FF` (the last pair is opacity) as `#ff6a13`. */
function colorOfTray(value: unknown): string | undefined {
  const color = /^([0-9A-Fa-f]{6})(?:[0-9A-Fa-f]{2})?$/.exec(text(value) ?? '')?.[1];
  return color === undefined ? undefined : `#${color.toLowerCase()}`;
}

/** Merges lists of items with an `id`: items in the delta are replaced, others are kept. */
function mergeById(
  before: unknown,
  changed: unknown,
  merge: (before: unknown, item: unknown) => unknown,
): unknown[] {
  const byId = new Map<string, unknown>();
  for (const item of list(before)) byId.set(String(record(item)['id']), item);
  for (const item of list(changed)) {
    const id = String(record(item)['id']);
    if (byId.has(id) || byId.size < ITEMS_MAX) byId.set(id, merge(byId.get(id), item));
  }
  return [...byId.values()];
}

/**
 * `print.ams` with a delta in it. A unit that a report leaves out is still there; a slot comes whole, so that one without
 * a type is empty.
 */
export function mergeAms(before: unknown, changed: unknown): Record<string, unknown> {
  const units = record(changed)['ams'];
  const merged = { ...record(before), ...record(changed) };
  if (!Array.isArray(units)) return merged;
  const ams = mergeById(record(before)['ams'], units, (known, unit) => {
    const slots = record(unit)['tray'];
    const both = { ...record(known), ...record(unit) };
    return Array.isArray(slots)
      ? { ...both, tray: mergeById(record(known)['tray'], slots, (_, slot) => slot) }
      : both;
  });
  return { ...merged, ams };
}

function addSlot(
  slot: Record<string, unknown>,
  symbol: string,
  unit: string | undefined,
  path: string,
  builder: ReadingsBuilder,
): void {
  const type = text(slot['tray_type']);
  const serial = tagOf(slot['tray_uuid']) ?? tagOf(slot['tag_uid']);
  const level = levelOf(serial === undefined ? undefined : number(slot['remain']), 100);
  builder.supply(
    {
      symbol,
      kind: 'filament',
      unit,
      color: type === undefined ? undefined : colorOfTray(slot['tray_color']),
      model: type === undefined ? undefined : (text(slot['tray_sub_brands']) ?? type),
      serial: type === undefined ? undefined : serial,
      measure: 'percent',
      ...(type === undefined ? { known: 'unknown' as const } : level),
      state: type === undefined ? 'missing' : level.level === 0 ? 'empty' : 'ok',
    },
    {
      kind: path,
      color: `${path}.tray_color`,
      model: `${path}.tray_type`,
      serial: serial === undefined ? undefined : `${path}.tray_uuid`,
      level: `${path}.remain`,
    },
  );
}

function addFilament(print: Record<string, unknown>, symbols: Set<string>, builder: ReadingsBuilder): void {
  list(record(print['ams'])['ams']).forEach((item, at) => {
    const unit = record(item);
    const id = number(unit['id']) ?? at;
    const holder = [`ams.${id}`, `n3f.${id}`, `n3s.${id}`].find((symbol) => symbols.has(symbol));
    list(unit['tray']).forEach((tray, position) => {
      const slot = record(tray);
      const path = `print.ams.ams[${at}].tray[${position}]`;
      addSlot(slot, `filament.${id}.${number(slot['id']) ?? position}`, holder, path, builder);
    });
  });
  const outside = Array.isArray(print['vir_slot']) ? list(print['vir_slot']) : [print['vt_tray']];
  outside.forEach((item, at) => {
    const slot = record(item);
    // An empty external spool holder is not a slot with missing filament.
    if (text(slot['tray_type']) === undefined) return;
    const path = Array.isArray(print['vir_slot']) ? `print.vir_slot[${at}]` : 'print.vt_tray';
    addSlot(slot, `filament.external.${number(slot['id']) ?? at}`, undefined, path, builder);
  });
}

function addNozzles(print: Record<string, unknown>, builder: ReadingsBuilder): void {
  const told = list(record(record(print['device'])['nozzle'])['info']).map(record);
  const single = { id: 0, type: print['nozzle_type'], diameter: print['nozzle_diameter'] };
  const known = text(single.type) !== undefined || text(single.diameter) !== undefined;
  const nozzles = told.length > 0 ? told : known ? [single] : [];
  nozzles.forEach((nozzle: Record<string, unknown>, at) => {
    const id = number(nozzle['id']) ?? at;
    const path = told.length > 0 ? `print.device.nozzle.info[${at}]` : 'print.nozzle_type';
    const model = [text(nozzle['type']), text(nozzle['diameter'])]
      .filter((part) => part !== undefined)
      .join(' ');
    if (model === '' || id < 0) return;
    builder.supply(
      { symbol: `nozzle.${id}`, kind: 'nozzle', model: clip(model, 128), known: 'unknown' },
      { kind: path, model: path },
    );
    const wear = number(nozzle['wear']);
    if (wear !== undefined && Number.isInteger(wear))
      builder.counter(`nozzle-${id}-wear`, wear, `${path}.wear`);
  });
}

/** `print.net.info[].ip`: an address as a number, its first byte lowest. */
function addFacts(print: Record<string, unknown>, builder: ReadingsBuilder): void {
  list(record(print['net'])['info']).forEach((item, at) => {
    const ip = number(record(item)['ip']);
    if (ip === undefined || ip <= 0 || ip > 0xffffffff) return;
    const bytes = [ip & 0xff, (ip >>> 8) & 0xff, (ip >>> 16) & 0xff, (ip >>> 24) & 0xff];
    builder.fact('address', bytes.join('.'), `print.net.info[${at}].ip`);
  });
}

export function bambuReadings(print: Record<string, unknown>, context: BambuReadingsContext): FoundReadings {
  const builder = new ReadingsBuilder();
  builder.is(STATES.get(text(print['gcode_state'])?.toUpperCase() ?? ''), 'print.gcode_state');
  if (context.conditionsWhole) {
    const reasons = context.conditions.filter(({ severity }) => severity !== 'info').map(({ code }) => code);
    builder.because(reasons, 'print.hms print.print_error');
  } else builder.miss('reasons', 'No report has told the HMS codes yet.');
  addFilament(print, context.symbols, builder);
  addNozzles(print, builder);
  addFacts(print, builder);
  return builder.build();
}
