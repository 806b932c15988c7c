/**
 * Maps an IPP response: firmware arrays (PWG 5110.1), device id, finishers and trays (PWG 5100.13, 5100.9), alerts
 * and state reasons (PWG 5100.9, RFC 8011), System Service (PWG 5100.22). Pure; every attribute may be missing or short.
 */
import { ALERT_GROUPS, conditionOf, type RawAlert } from './alert.ts';
import { type IppAnswer, octetTextOf, textOfIpp } from './ipp-answer.ts';
import { indexOf, parseDeviceId, parseKeyedText, withoutOwnName } from './keyed-text.ts';
import { boundedReading, type Condition, type ReadCounters, type Reading } from './reading.ts';
import { ippReadings } from './readings/ipp-readings.ts';
import { splitNameAndVersion } from './software-names.ts';
import { isChoiceOfTrays, namesFamily, StructureBuilder } from './structure-builder.ts';
import { type Identity, type MappingTables, modelIn, modelName, type Tables } from './tables.ts';
import { clip, meaningful } from './text.ts';

/** Requested attributes. Old printers fail on `all`, and `media-col-database` alone may have 200 kB. */
export const PRINTER_ATTRIBUTES = [
  'printer-make-and-model',
  'printer-device-id',
  'printer-name',
  'printer-info',
  'printer-location',
  'printer-uuid',
  'printer-dns-sd-name',
  'printer-serial-number',
  'printer-firmware-name',
  'printer-firmware-string-version',
  'printer-firmware-patches',
  'printer-firmware-version',
  'printer-finisher',
  'printer-finisher-description',
  'printer-input-tray',
  'printer-output-tray',
  'printer-alert',
  'printer-alert-description',
  'printer-state',
  'printer-state-reasons',
  'printer-state-message',
  'printer-is-accepting-jobs',
  'printer-up-time',
  'printer-config-change-time',
  'printer-impressions-completed',
  'printer-pages-completed',
  'printer-media-sheets-completed',
  'printer-supply',
  'printer-supply-description',
  'printer-impressions-completed-col',
  'printer-uri-supported',
  'printer-more-info',
  'printer-contact-col',
  'printer-asset-tag',
  'marker-names',
  'marker-types',
  'marker-colors',
  'marker-levels',
  'marker-low-levels',
  'marker-high-levels',
];

export const SYSTEM_ATTRIBUTES = [
  'system-make-and-model',
  'system-device-id',
  'system-serial-number',
  'system-firmware-name',
  'system-firmware-string-version',
  'system-firmware-patches',
  'system-firmware-version',
  'system-state-reasons',
  'system-up-time',
  'system-impressions-completed',
  'system-media-sheets-completed',
  'system-pages-completed',
  'system-location',
  'system-contact-col',
  'system-asset-tag',
  'system-uuid',
];

/** One component of the parallel firmware arrays. */
interface Firmware {
  name: string;
  version?: string;
  patches?: string;
}

/** Protocols and formats whose versions some printers list among their firmware. */
const PROTOCOL =
  /^(?:ipp|urf|pdf|pwg(?:[ -]?raster)?|airprint|mopria|https?|snmp|tls|pcl|postscript)(?: versions?)?$/i;

const PROTOCOL_VERSIONS = /^[1-9]\.\d(?:\s*,\s*\d\.\d)*$/;

/** Joins the parallel arrays. They should have one length; a missing value only affects its component. */
function firmwareOf(answer: IppAnswer, prefix: 'printer' | 'system'): Firmware[] {
  const names = answer.texts(`${prefix}-firmware-name`);
  const versions = answer.texts(`${prefix}-firmware-string-version`);
  const patches = answer.texts(`${prefix}-firmware-patches`);
  const octets = answer.values(`${prefix}-firmware-version`).map(octetTextOf);
  const count = Math.max(names.length, versions.length, octets.length);
  const found: Firmware[] = [];
  for (let i = 0; i < count; i++) {
    const said = meaningful(names[i]);
    const version = meaningful(versions[i]) ?? meaningful(octets[i]);
    const patch = meaningful(patches[i]);
    if (said === undefined && version === undefined) continue;
    if (said !== undefined && PROTOCOL.test(said) && PROTOCOL_VERSIONS.test(version ?? '')) continue;
    // A name may carry the version when the version arrays are missing.
    // HP names its only component by its version; the next update would make it another component.
    const name = said === version ? undefined : said;
    const split =
      name !== undefined && version === undefined
        ? splitNameAndVersion(name)
        : { name: name ?? (count === 1 ? 'Firmware' : `Firmware ${i + 1}`) };
    const shown = version ?? split.version;
    found.push({
      name: split.name,
      ...(shown === undefined ? {} : { version: shown }),
      ...(patch === undefined ? {} : { patches: patch }),
    });
  }
  return found;
}

/** `type=` of printer-finisher (the names of FinDeviceTypeTC) to our kinds. */
const FINISHER_KINDS = new Map<string, string>(
  Object.entries({
    puncher: 'puncher',
    punch: 'puncher',
    folder: 'folder',
    fold: 'folder',
    binder: 'binder',
    bind: 'binder',
    trimmer: 'trimmer',
    trim: 'trimmer',
    diecutter: 'die-cutter',
    perforator: 'perforator',
    slitter: 'slitter',
    separationcutter: 'separation-cutter',
    imprinter: 'imprinter',
    wrapper: 'wrapper',
    bander: 'bander',
    makeenvelope: 'envelope-maker',
    stacker: 'stacker',
    sheetrotator: 'sheet-rotator',
    inserter: 'inserter',
  }),
);

function addFinishers(answer: IppAnswer, tables: Tables, builder: StructureBuilder): void {
  const descriptions = answer.texts('printer-finisher-description');
  const seen = new Set<string>();
  answer.values('printer-finisher').forEach((value, i) => {
    const keys = parseKeyedText(textOfIpp(value));
    if (keys.size === 0 || /^notpresent$|^5$/i.test(keys.get('presentonoff') ?? '')) return;
    const description =
      meaningful(descriptions[i]) ?? meaningful(keys.get('description')) ?? meaningful(keys.get('name'));
    const type = (keys.get('type') ?? '').toLowerCase().replace(/[^a-z]/g, '');
    const model = meaningful(keys.get('model')) ?? modelIn(description, tables);
    if (model !== undefined && seen.has(model)) return;
    if (model !== undefined) seen.add(model);
    builder.addUnit({
      symbol: `finisher.${indexOf(keys, i)}`,
      kind: FINISHER_KINDS.get(type) ?? 'finisher',
      ...(model === undefined ? {} : { model }),
      name: description ?? keys.get('type') ?? 'finisher',
      ...optional('serial', meaningful(keys.get('serial') ?? keys.get('serialnumber'))),
    });
  });
}

function optional<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, string>);
}

function addTrays(answer: IppAnswer, builder: StructureBuilder): void {
  for (const [attribute, symbol, kind] of [
    ['printer-input-tray', 'input', 'tray'],
    ['printer-output-tray', 'output', 'output'],
  ] as const) {
    answer.values(attribute).forEach((value, i) => {
      const keys = parseKeyedText(textOfIpp(value));
      // `auto` is a choice of trays, not one of them.
      if (keys.size === 0 || isChoiceOfTrays(keys.get('name'))) return;
      const unit = builder.addUnit({
        symbol: `${symbol}.${indexOf(keys, i)}`,
        kind,
        ...optional('model', meaningful(keys.get('model'))),
        name: meaningful(keys.get('name')) ?? `${symbol} ${indexOf(keys, i)}`,
        ...optional('serial', meaningful(keys.get('serialnumber') ?? keys.get('serial'))),
      });
      const version = meaningful(keys.get('version'));
      if (unit && version !== undefined)
        builder.addUnitVersion(unit, version, meaningful(keys.get('vendorname')));
    });
  }
}

/** PrtAlertSeverityLevelTC by number. */
const LEVELS = new Map([
  ['1', 'other'],
  ['3', 'critical'],
  ['4', 'warning'],
  ['5', 'warning'],
]);

/** One value of printer-alert: `code=jam;severity=critical;group=mediaPath;groupindex=1;…`, words or numbers. */
export function alertOfText(text: string, description: string | undefined): RawAlert | undefined {
  const keys = parseKeyedText(text);
  const code = keys.get('code');
  const severity = keys.get('severity') ?? keys.get('severitylevel');
  if (
    (code === undefined || /^(unknown|none|other)$/i.test(code)) &&
    (severity === undefined || description === undefined)
  )
    return undefined;
  const number = (name: string) => {
    const value = Number(keys.get(name));
    return keys.has(name) && Number.isInteger(value) ? value : undefined;
  };
  const alert: RawAlert = {};
  if (code !== undefined && /^-?\d+$/.test(code)) alert.code = Number(code);
  else if (code !== undefined) alert.label = code;
  if (severity !== undefined) alert.severity = LEVELS.get(severity) ?? severity;
  const training = keys.get('training') ?? keys.get('traininglevel');
  if (training !== undefined) alert.training = training;
  const group = keys.get('group');
  if (group !== undefined)
    alert.group = /^\d+$/.test(group) ? (ALERT_GROUPS[Number(group)] ?? `group-${group}`) : group;
  const groupIndex = number('groupindex');
  if (groupIndex !== undefined) alert.groupIndex = groupIndex;
  const location = number('location');
  if (location !== undefined) alert.location = location;
  const index = keys.get('index');
  if (index !== undefined) alert.index = index;
  const ticks = number('time');
  if (ticks !== undefined && ticks > 0) alert.ticks = ticks;
  if (description !== undefined) alert.description = description;
  return alert;
}

/**
 * The keywords in state reasons. Some values hold several, with commas, capitals or underscores. When a driver's log line
 * got into them, only words that end like a reason count.
 */
function keywordsIn(reasons: string[]): string[] {
  const words = reasons.flatMap((reason) => reason.split(',')).map((word) => word.trim());
  const prose = words.some((word) => /:$|\.$|\s/.test(word));
  return words
    .filter((word) => word !== '' && (!prose || /^[a-z0-9.-]+-(?:report|warning|error)$/.test(word)))
    .map((word) => word.toLowerCase().replaceAll('_', '-'));
}

/** Splits a state reason into its keyword and its optional severity. */
function stateReason(reason: string): { keyword: string; severity?: string } {
  const text = clip(reason.trim().toLowerCase(), 255);
  const severity = ['report', 'warning', 'error'].find((word) => text.endsWith(`-${word}`));
  return severity === undefined
    ? { keyword: text }
    : { keyword: text.slice(0, -severity.length - 1), severity };
}

/** The state reasons as keywords without severity; undefined when not all of them are known. */
function reasonsOf(answer: IppAnswer): string[] | undefined {
  const told = answer.texts('printer-state-reasons');
  if (told.length === 0 || answer.cut) return undefined;
  return keywordsIn([...told, ...answer.texts('system-state-reasons')])
    .map((reason) => stateReason(reason).keyword)
    .filter((keyword) => keyword !== '' && keyword !== 'none');
}

function ippConditions(answer: IppAnswer, tables: Tables, symbols: Set<string>): Condition[] {
  const conditions: Condition[] = [];
  const descriptions = answer.texts('printer-alert-description');
  answer.values('printer-alert').forEach((value, i) => {
    const alert = alertOfText(textOfIpp(value), meaningful(withoutOwnName(descriptions[i] ?? ''), 512));
    const condition = alert && conditionOf(alert, tables, symbols);
    if (condition) conditions.push(condition);
  });
  const said = new Set(conditions.map((condition) => condition.keyword));
  const reasons = [...answer.texts('printer-state-reasons'), ...answer.texts('system-state-reasons')];
  for (const reason of keywordsIn(reasons)) {
    const { keyword, severity } = stateReason(reason);
    if (keyword === '' || keyword === 'none') continue;
    const condition = conditionOf(
      { keyword, ...(severity === undefined ? {} : { severity }) },
      tables,
      symbols,
    );
    if (!condition || said.has(condition.keyword)) continue;
    said.add(condition.keyword);
    conditions.push({ ...condition, detail: { ...condition.detail, reason: clip(reason, 255) } });
  }
  return conditions;
}

function ippCounters(answer: IppAnswer): ReadCounters {
  const counters: ReadCounters = {};
  const state = answer.text('printer-state');
  if (state !== undefined) counters.printing = state === '4' || state === 'processing';
  for (const name of [
    'printer-impressions-completed',
    'printer-pages-completed',
    'printer-media-sheets-completed',
  ]) {
    const pages = answer.int(name);
    if (pages === undefined || pages < 0) continue;
    counters.pages = pages;
    counters.pagesBits = 31; // IPP integers are signed.
    break;
  }
  return counters;
}

/** Maps a response within bounded time, whatever its texts. */
export function ippReading(answer: IppAnswer, mapping: MappingTables): Reading {
  return boundedReading(() => readingOf(answer, mapping));
}

function readingOf(answer: IppAnswer, mapping: MappingTables): Reading {
  const deviceId = parseDeviceId(answer.text('printer-device-id') ?? answer.text('system-device-id') ?? '');
  const makeAndModel = meaningful(
    answer.text('printer-make-and-model') ?? answer.text('system-make-and-model'),
  );
  const identity: Identity = {
    ...optional('make', deviceId.make),
    ...optional('model', deviceId.model ?? makeAndModel),
    ...optional('text', makeAndModel),
  };
  const tables = mapping.select(identity);
  const make =
    deviceId.make ??
    tables.makeNames.find((name) => makeAndModel?.toLowerCase().startsWith(name.toLowerCase()));
  const idModel = meaningful(deviceId.model);
  const rawModel =
    (namesFamily(idModel) ? makeAndModel : undefined) ??
    idModel ??
    makeAndModel ??
    meaningful(answer.text('printer-info'));
  const model = rawModel === undefined ? undefined : modelName(rawModel, tables, make);
  const serial =
    meaningful(answer.text('system-serial-number')) ??
    meaningful(deviceId.serial) ??
    meaningful(answer.text('printer-serial-number'));
  const builder = new StructureBuilder('ipp', tables, {
    ...optional('make', make),
    ...optional('model', model),
    ...optional('serial', serial),
  });
  addFinishers(answer, tables, builder);
  addTrays(answer, builder);
  const firmware = firmwareOf(answer, 'printer');
  const own = new Set(firmware.map(({ name }) => name));
  // The system adds components that the printer doesn't list; for common ones the printer's version is taken.
  const ofSystem = firmwareOf(answer, 'system').filter(({ name }) => !own.has(name));
  for (const component of [...firmware, ...ofSystem]) {
    builder.addSoftware(component.name, component.version);
    if (component.patches !== undefined) builder.addSoftware(`${component.name} patches`, component.patches);
  }
  const idVersion = meaningful(deviceId.firmware);
  if (idVersion !== undefined && !builder.hasApparatusSoftware) builder.addSoftware('Firmware', idVersion);
  const upTime = answer.int('printer-up-time') ?? answer.int('system-up-time');
  const conditions = ippConditions(answer, tables, builder.symbols);
  const reasonsTold = answer.values('printer-state-reasons').length > 0;
  if (!reasonsTold)
    builder.missing.push({
      field: 'printer-state-reasons',
      because: 'No errors can be told from this printer over IPP.',
    });
  const measured = ippReadings(answer, { model: rawModel, conditions, reasons: reasonsOf(answer) });
  const structure = builder.structure();
  return {
    source: 'ipp',
    structure,
    sources: builder.sources,
    conditions,
    conditionsWhole: reasonsTold && !answer.cut,
    counters: ippCounters(answer),
    measured,
    ...(upTime === undefined || upTime < 0 ? {} : { upTimeTicks: upTime * 100 }),
    identity: {
      ...optional('make', make),
      ...optional('model', model),
      tables: tables.names,
      ...(serial === undefined ? {} : { serials: { ipp: serial } }),
      ...optional('uuid', meaningful(answer.text('printer-uuid')?.replace(/^urn:uuid:/i, ''))),
      ...optional('announced', meaningful(answer.text('printer-dns-sd-name'))),
    },
    missing: [...builder.missing, ...measured.missing],
  };
}
