/**
 * Maps a Bambu printer's messages: modules of `get_version`, HMS codes, offered updates. Pure. Every field is checked
 * individually, because the messages have no schema and change with the firmware.
 */

import type { Condition, FoundUnit, Reading, Severity, Source } from './reading.ts';
import { TEXT_MAX } from './reading.ts';
import { bambuReadings, mergeAms } from './readings/bambu-readings.ts';
import { clip, meaningful, slug } from './text.ts';

/** The state received so far; P1 printers push only changes. */
export interface BambuState {
  serial: string;
  /** `info.module` of the last get_version. */
  modules: unknown[];
  /** `print` of all reports, the newest value of every field. */
  print: Record<string, unknown>;
}

const VENDOR = 'bambu';
const SOURCE: Source = 'bambu';

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? meaningful(String(value)) : undefined;
}

/** `0300_0100_0001_0007` of 32-bit numbers. */
export function hexGroups(...words: number[]): string {
  return words
    .flatMap((word) => [word >>> 16, word & 0xffff])
    .map((group) => group.toString(16).toUpperCase().padStart(4, '0'))
    .join('_');
}

/** An unsigned 32-bit number, also from a text or a negative number. */
function word(value: unknown): number | undefined {
  const groups = typeof value === 'string' && /^[0-9A-Fa-f]{4}_[0-9A-Fa-f]{4}$/.test(value.trim());
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && value !== ''
        ? groups
          ? Number.parseInt(value.trim().replace('_', ''), 16)
          : Number(value)
        : Number.NaN;
  return Number.isFinite(number) ? number >>> 0 : undefined;
}

/** Severities of HMS codes (code >> 16). */
const HMS_SEVERITIES: Record<number, Severity> = { 1: 'fatal', 2: 'error', 3: 'warning', 4: 'info' };

/** Names of modules by attr >> 24: 7 is an AMS or an AMS 2, 18 the AMS lite, 24 the AMS HT, whose units count from 128. */
const HMS_MODULES: Record<number, string> = {
  3: 'mc',
  5: 'ota',
  7: 'ams',
  8: 'th',
  12: 'xcam',
  18: 'ams-f1',
  24: 'n3s',
};

/** Kinds of modules whose names say only which board it is. */
const KINDS = new Map([
  ['n3f', 'ams'],
  ['n3s', 'ams'],
  ['ams-f1', 'ams'],
]);

/** Models by `project_name`, for firmware without `product_name`. */
const PROJECTS = new Map([
  ['C11', 'Bambu Lab P1P'],
  ['C12', 'Bambu Lab P1S'],
  ['N1', 'Bambu Lab A1 mini'],
  ['N2S', 'Bambu Lab A1'],
]);
/** Models by main processor board, for firmware with neither. */
const BOARDS = new Map([
  ['rv1126 AP05', 'Bambu Lab X1 Carbon'],
  ['ap AP02', 'Bambu Lab X1E'],
]);

function modelOf(modules: Record<string, unknown>[]): string | undefined {
  const products = modules.map((module) => text(module['product_name']));
  const whole = products.find((product) => product?.startsWith('Bambu Lab'));
  const projects = modules.map((module) => text(module['project_name']));
  const boards = modules.map((module) =>
    BOARDS.get(`${text(module['name']) ?? ''} ${text(module['hw_ver']) ?? ''}`),
  );
  return (
    whole ??
    text(modules.find((module) => module['name'] === 'ota')?.['product_name']) ??
    projects.map((project) => PROJECTS.get(project ?? '')).find(Boolean) ??
    boards.find(Boolean) ??
    projects.find(Boolean)
  );
}

/** Undefined for a version of zeros, which is padding. */
function versionOf(module: Record<string, unknown>): string | undefined {
  const version = text(module['sw_ver']);
  return version !== undefined && /^[0.]+$/.test(version) ? undefined : version;
}

/** Symbol of a module: `ams/0` is `ams.0`. */
function symbolOf(name: string): string {
  return slug(name.replaceAll('/', '.'));
}

function unitOfHms(attr: number, symbols: Set<string>): string | undefined {
  const name = HMS_MODULES[attr >>> 24];
  if (name === undefined) return undefined;
  const number = (attr >>> 16) & 0xff;
  const candidates =
    name === 'ams'
      ? [`ams.${number}`, `n3f.${number}`]
      : [name, `${name}.${number}`, ...(number < 128 ? [`${name}.${number + 128}`] : [])];
  return candidates.find((symbol) => symbols.has(symbol));
}

function bambuConditions(state: BambuState, symbols: Set<string>): Condition[] {
  const conditions: Condition[] = [];
  const told = new Set<string>();
  for (const item of list(state.print['hms'])) {
    const { attr: rawAttr, code: rawCode } = record(item);
    const attr = word(rawAttr);
    const code = word(rawCode);
    if (attr === undefined || code === undefined) continue;
    const unit = unitOfHms(attr, symbols);
    if (told.has(hexGroups(attr, code))) continue;
    told.add(hexGroups(attr, code));
    conditions.push({
      code: hexGroups(attr, code),
      severity: HMS_SEVERITIES[code >>> 16] ?? 'warning',
      ...(unit === undefined ? {} : { unit }),
      detail: {
        from: 'hms',
        module: HMS_MODULES[attr >>> 24] ?? `0x${(attr >>> 24).toString(16)}`,
        attr,
        code,
      },
    });
  }
  const error = word(state.print['print_error']);
  if (error !== undefined && error !== 0) {
    conditions.push({
      code: hexGroups(error),
      // Somebody cancelled the job: not a printer fault.
      severity: CANCELLED.has(error) ? 'info' : 'error',
      detail: { from: 'print_error', code: error },
    });
  }
  for (const { name, from, to } of offersOf(state)) {
    const symbol = symbolOf(name);
    conditions.push({
      code: 'update-offered',
      severity: 'info',
      ...(symbols.has(symbol) ? { unit: symbol } : {}),
      detail: { software: clip(name, 64), from: from ?? 'unknown', to, location: name },
    });
  }
  return conditions;
}

/** Print errors of a job that was cancelled at the printer or remotely. */
const CANCELLED = new Set([0x0300400c, 0x0500400e]);

/**
 * Offered updates: as a list, or (X1) as one version for the printer, one for its AMS units and one in the module itself.
 * Boards of the printer are part of its own update and not listed separately.
 */
function offersOf(state: BambuState): { name: string; from: string | undefined; to: string }[] {
  const upgrade = record(state.print['upgrade_state']);
  const modules = state.modules.map(record);
  const found = new Map<string, { name: string; from: string | undefined; to: string }>();
  const add = (name: string | undefined, from: string | undefined, to: string | undefined) => {
    if (name === undefined || to === undefined || to === from || found.has(name)) return;
    found.set(name, { name, from, to });
  };
  for (const item of list(upgrade['new_ver_list'])) {
    const offer = record(item);
    add(text(offer['name']), text(offer['cur_ver']), text(offer['new_ver']));
  }
  for (const module of modules) {
    const name = text(module['name']);
    const own =
      name === 'ota' ? (text(module['new_ver']) ?? text(upgrade['ota_new_version_number'])) : undefined;
    const ams = name?.startsWith('ams/') ? text(upgrade['ams_new_version_number']) : undefined;
    const hub = name === 'ahb' ? text(upgrade['ahb_new_version_number']) : undefined;
    add(name, text(module['sw_ver']), own ?? ams ?? hub);
  }
  return [...found.values()];
}

/** Merges a report, which has only changes, also within objects: omitted fields keep their values. */
export function mergeReport(print: Record<string, unknown>, changed: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(changed)) {
    const before = print[name];
    const both = [before, value].every(
      (each) => typeof each === 'object' && each !== null && !Array.isArray(each),
    );
    if (name === 'ams') print[name] = mergeAms(before, value);
    else print[name] = both ? { ...record(before), ...record(value) } : value;
  }
}

export function bambuReading(state: BambuState): Reading {
  const modules = state.modules.map(record).filter((module) => text(module['name']) !== undefined);
  const ota = modules.find((module) => module['name'] === 'ota') ?? {};
  const model = modelOf(modules);
  const version = versionOf(ota);
  const serial = text(ota['sn']) ?? text(state.serial);
  // `OTA` names the module itself, no hardware.
  const hardware = text(ota['hw_ver']) === 'OTA' ? undefined : text(ota['hw_ver']);
  const sources: Record<string, Source> = {
    'apparatus.model': SOURCE,
    ...(serial === undefined ? {} : { 'apparatus.serial': SOURCE }),
  };
  const missing: Reading['missing'] = [];
  const units: FoundUnit[] = [];
  for (const module of modules) {
    const name = text(module['name']);
    if (name === undefined || name === 'ota') continue;
    // `ams/0`, `n3f/0`; the digits of `esp32` and `rv1126` belong to their names.
    const board = slug(name.replace(/\/\d+$/, ''));
    const kind = KINDS.get(board) ?? board;
    const symbol = symbolOf(name);
    const base = clip(symbol, TEXT_MAX.symbol - 8);
    const unitSerial = text(module['sn']);
    const unitHardware = text(module['hw_ver']);
    const software = versionOf(module);
    const taken = (candidate: string) => units.some((unit) => unit.symbol === candidate);
    let free = base;
    for (let n = 2; taken(free); n++) free = `${base}-${n}`;
    units.push({
      symbol: free,
      kind: clip(kind, TEXT_MAX.kind),
      model: clip(text(module['product_name']) ?? name, TEXT_MAX.model),
      ...(unitSerial === undefined ? {} : { serial: clip(unitSerial, TEXT_MAX.serial) }),
      ...(unitHardware === undefined ? {} : { hardware: clip(unitHardware, TEXT_MAX.hardware) }),
      software: [
        {
          id: clip(`${VENDOR}.${board}`, TEXT_MAX.softwareId),
          vendor: VENDOR,
          ...(software === undefined ? {} : { version: clip(software, TEXT_MAX.version) }),
        },
      ],
    });
    for (const field of ['model', ...(unitSerial ? ['serial'] : [])]) sources[`${free}.${field}`] = SOURCE;
    if (software !== undefined) sources[`${free}:${VENDOR}.${board}.version`] = SOURCE;
  }
  if (model === undefined)
    missing.push({ field: 'apparatus.model', because: 'Without a model the catalog has no entry for it.' });
  if (modules.length === 0)
    missing.push({ field: 'info.module', because: 'The printer did not answer get_version.' });
  const gcodeState = text(state.print['gcode_state']);
  if (version !== undefined) sources[`apparatus:${VENDOR}.ota.version`] = SOURCE;
  const symbols = new Set(units.map((unit) => unit.symbol));
  const conditions = bambuConditions(state, symbols);
  // Until the first report the conditions are unknown.
  const conditionsWhole = Array.isArray(state.print['hms']);
  const measured = bambuReadings(state.print, { conditions, conditionsWhole, symbols });
  return {
    source: SOURCE,
    structure: {
      apparatus: {
        model: clip(model ?? 'unknown', TEXT_MAX.model),
        ...(serial === undefined ? {} : { serial: clip(serial, TEXT_MAX.serial) }),
        ...(hardware === undefined ? {} : { hardware: clip(hardware, TEXT_MAX.hardware) }),
        software:
          version === undefined
            ? []
            : [{ id: `${VENDOR}.ota`, vendor: VENDOR, version: clip(version, TEXT_MAX.version) }],
      },
      units,
    },
    sources,
    conditions,
    conditionsWhole,
    measured,
    counters:
      gcodeState === undefined ? {} : { printing: /^(RUNNING|PREPARE|SLICING|PAUSE)$/i.test(gcodeState) },
    identity: { make: 'Bambu Lab', ...(model === undefined ? {} : { model }), tables: ['bambu'] },
    missing,
  };
}
