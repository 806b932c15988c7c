/**
 * Maps one alert of a printer (a row of prtAlertTable, a value of printer-alert, a state reason) to a condition.
 */
import type { Condition, Severity } from './reading.ts';
import { TEXT_MAX } from './reading.ts';
import { expand, type Tables } from './tables.ts';
import { clip, slug, tidy } from './text.ts';

/** PrtAlertGroupTC (IANA-PRINTER-MIB) by number. */
export const ALERT_GROUPS: Record<number, string> = {
  1: 'other',
  2: 'unknown',
  3: 'hostResourcesMIBStorageTable',
  4: 'hostResourcesMIBDeviceTable',
  5: 'generalPrinter',
  6: 'cover',
  7: 'localization',
  8: 'input',
  9: 'output',
  10: 'marker',
  11: 'markerSupplies',
  12: 'markerColorant',
  13: 'mediaPath',
  14: 'channel',
  15: 'interpreter',
  16: 'consoleDisplayBuffer',
  17: 'consoleLights',
  18: 'alert',
  30: 'finDevice',
  31: 'finSupply',
  32: 'finSupplyMediaInput',
  33: 'finAttribute',
};

/** PrtAlertSeverityLevelTC by number. */
export const ALERT_SEVERITIES: Record<number, string> = {
  1: 'other',
  3: 'critical',
  4: 'warning',
  5: 'warningBinaryChangeEvent',
};

/** PrtAlertTrainingLevelTC by number. */
export const ALERT_TRAINING: Record<number, string> = {
  1: 'other',
  2: 'unknown',
  3: 'untrained',
  4: 'trained',
  5: 'fieldService',
  6: 'management',
  7: 'noInterventionRequired',
};

/** An alert as the printer reports it, with numbers replaced by names where they have any. */
export interface RawAlert {
  /** prtAlertCode; a number of its own where the vendor defined one. */
  code?: number;
  /** Its name as printer-alert writes it (`subunitEmpty`). */
  label?: string;
  /** IPP keyword, if the printer sends one (a state reason). */
  keyword?: string;
  /** `critical`, `warning`, … or the suffix of a state reason: `error`, `warning`, `report`. */
  severity?: string;
  training?: string;
  group?: string;
  groupIndex?: number;
  location?: number;
  description?: string;
  index?: string;
  ticks?: number;
}

/** Words of groups in keywords: `{group}-empty` on finDevice is `finisher-empty`. */
const GROUP_WORDS = new Map<string, string>(
  Object.entries({
    finDevice: 'finisher',
    finSupply: 'finisher-supply',
    finSupplyMediaInput: 'inserter',
    finAttribute: 'finisher',
    markerSupplies: 'marker-supply',
    markerColorant: 'marker',
    mediaPath: 'media-path',
    generalPrinter: 'printer',
  }),
);

function groupWord(group: string | undefined): string {
  if (group === undefined || group === 'other' || group === 'unknown') return 'subunit';
  return GROUP_WORDS.get(group) ?? slug(group.replace(/([a-z])([A-Z])/g, '$1-$2'));
}

const LEVELS = new Map<string, Severity>(
  Object.entries({
    critical: 'error',
    criticalbinarychangeevent: 'error',
    error: 'error',
    warning: 'warning',
    warningbinarychangeevent: 'warning',
    warningunarychangeevent: 'warning',
    report: 'info',
    other: 'info',
  }),
);

/** The severity from the printer's word. `criticalother` (a missing separator) is still critical. */
function levelOf(severity: string | undefined): Severity | undefined {
  const word = severity?.toLowerCase() ?? '';
  const known = LEVELS.get(word);
  if (known !== undefined) return known;
  for (const [name, level] of LEVELS) if (word.startsWith(name)) return level;
  return undefined;
}

/** Words of finishing devices in keywords, by FinDeviceTypeTC (RFC 3806); `perforater` is IANA's own spelling. */
const FINISHER_WORDS: Record<number, string> = {
  1: 'finisher',
  2: 'finisher',
  3: 'stitcher',
  4: 'folder',
  5: 'binder',
  6: 'trimmer',
  7: 'die-cutter',
  8: 'puncher',
  9: 'perforater',
  10: 'slitter',
  11: 'separation-cutter',
  12: 'imprinter',
  13: 'wrapper',
  14: 'bander',
  15: 'make-envelope',
  16: 'stacker',
  17: 'sheet-rotator',
  18: 'inserter',
};
/** Alert codes of finishing devices: 30000, then a hundred for each type of device, then the code of any subunit. */
const FINISHER_CODES = 30_000;

/** `separation-cutter-jam` is 31108: code 8 (jam) of device type 11. Undefined for any other code. */
function finisherKeyword(code: number | undefined, tables: Tables): string | undefined {
  if (code === undefined || code < FINISHER_CODES) return undefined;
  const word = FINISHER_WORDS[Math.floor((code - FINISHER_CODES) / 100)];
  if (word === undefined) return undefined;
  const plain = tables.alerts.find(
    (rule) => rule.code === code % 100 && rule.group === undefined && rule.fits.description === undefined,
  );
  if (plain?.keyword === undefined) return undefined;
  return `${word}-${plain.keyword.replace(/^(\{group\}|media)-/, '')}`;
}

/** A code from a description, without parts that change while it holds (a toner level) and without a trailing number. */
function codeOfDescription(description: string): string {
  const words = description.replace(/\s*\{\d+\}\s*$/, '').replace(/\d+\s*%/g, '');
  return slug(/\s/.test(words) ? words : words.replace(/([a-z])([A-Z])/g, '$1-$2'));
}

/** Maximum length of descriptions, and of keywords (RFC 8011 has at most 255). */
const WORDS_MAX = 512;
const KEYWORD_MAX = 255;

/** Symbol of the unit that the alert is on; undefined when it names no existing unit. */
export function unitOf(
  group: string | undefined,
  index: number | undefined,
  symbols: Set<string>,
): string | undefined {
  const at = (prefix: string) => {
    const symbol = `${prefix}.${index ?? 0}`;
    return symbols.has(symbol) ? symbol : undefined;
  };
  switch (group) {
    case 'input':
      return at('input');
    case 'output':
      return at('output');
    case 'finDevice':
    case 'finAttribute':
    case 'finSupply':
    case 'finSupplyMediaInput':
      return at('finisher') ?? (symbols.has('finisher.1') ? 'finisher.1' : undefined);
    case 'marker':
    case 'markerSupplies':
    case 'markerColorant':
    case 'mediaPath':
      return symbols.has('engine') ? 'engine' : undefined;
    default:
      return undefined;
  }
}

/** The vendor's own code in the printer's texts, and its severity by the tables. */
function vendorCode(
  alert: Pick<RawAlert, 'code' | 'location'> & { description: string | undefined },
  keyword: string,
  tables: Tables,
): { code: string; severity?: Severity } | undefined {
  for (const rule of tables.vendorCodes) {
    if (rule.fits.keyword && !rule.fits.keyword.test(keyword)) continue;
    const from = rule.from ?? 'description';
    const number = from === 'location' ? alert.location : alert.code;
    // Below 1 a location says "not applicable" (-1) or "none" (0).
    const text =
      from === 'description'
        ? alert.description
        : number === undefined || number < 1
          ? undefined
          : String(number);
    const code =
      text === undefined || !rule.fits.pattern ? undefined : expand(rule.fits.pattern, text, rule.code);
    if (code) return { code, ...(rule.severity === undefined ? {} : { severity: rule.severity }) };
  }
  return undefined;
}

/** Maps an alert to a condition; undefined for an ordinary state that the tables ignore. */
export function conditionOf(alert: RawAlert, tables: Tables, symbols: Set<string>): Condition | undefined {
  const description = alert.description === undefined ? undefined : clip(tidy(alert.description), WORDS_MAX);
  const rule = tables.alerts.find((candidate) => {
    if (
      candidate.code === undefined &&
      candidate.label === undefined &&
      candidate.fits.description === undefined
    )
      return false;
    const byCode = alert.code !== undefined && candidate.code === alert.code;
    const byLabel =
      alert.label !== undefined &&
      candidate.label !== undefined &&
      candidate.label.toLowerCase() === alert.label.toLowerCase();
    const asksCode = candidate.code !== undefined || candidate.label !== undefined;
    if (asksCode && !byCode && !byLabel) return false;
    if (candidate.group !== undefined && candidate.group !== alert.group) return false;
    return candidate.fits.description === undefined || candidate.fits.description.test(description ?? '');
  });
  const level = levelOf(alert.severity);
  // A description such as `Ready` is no alert, but a description never silences a critical alert.
  const byWordsOnly = rule?.code === undefined && rule?.label === undefined;
  if (rule?.ignore && !(byWordsOnly && level === 'error')) return undefined;
  // Unmapped codes keep their own name or number.
  const told = alert.keyword === undefined ? undefined : clip(alert.keyword, KEYWORD_MAX);
  const own =
    told ??
    (alert.label !== undefined && !/^(other|unknown)$/i.test(alert.label)
      ? slug(alert.label.replace(/([a-z])([A-Z])/g, '$1-$2'))
      : alert.code !== undefined && alert.code > 2
        ? (finisherKeyword(alert.code, tables) ?? `alert-${alert.code}`)
        : 'other');
  let keyword =
    (alert.keyword === undefined ? rule?.keyword : undefined)?.replace('{group}', groupWord(alert.group)) ??
    own;
  // A rule may rename the keyword once (old spellings); later rules give the severity of the new one.
  let worth = tables.keywords.find((candidate) => candidate.fits.pattern?.test(keyword));
  if (worth?.keyword !== undefined && worth.fits.pattern) {
    keyword = expand(worth.fits.pattern, keyword, worth.keyword) ?? keyword;
    worth =
      tables.keywords.find(
        (candidate) => candidate.keyword === undefined && candidate.fits.pattern?.test(keyword),
      ) ?? worth;
  }
  if (worth?.ignore) return undefined;
  const vendor = vendorCode({ ...alert, description }, keyword, tables);
  const unmapped = rule === undefined && alert.keyword === undefined;
  const serviceOnly =
    alert.training === 'fieldService' && level === 'error' && (unmapped || keyword === 'other');
  const severity: Severity =
    rule?.severity ??
    vendor?.severity ??
    worth?.severity ??
    (serviceOnly ? 'fatal' : (level ?? worth?.usual ?? 'error'));
  const unit = unitOf(alert.group, alert.groupIndex, symbols);
  const code =
    rule?.as ??
    vendor?.code ??
    worth?.as ??
    (keyword === 'other' && description ? codeOfDescription(description) : keyword);
  const detail: Condition['detail'] = { keyword };
  if (alert.code !== undefined) detail['alertCode'] = alert.code;
  if (alert.label !== undefined) detail['alert'] = clip(alert.label, 128);
  if (alert.group !== undefined) detail['group'] = clip(alert.group, 64);
  if (alert.groupIndex !== undefined && alert.groupIndex >= 0) detail['groupIndex'] = alert.groupIndex;
  if (alert.location !== undefined && alert.location >= 0) detail['location'] = alert.location;
  if (alert.training !== undefined) detail['training'] = clip(alert.training, 32);
  if (description) detail['description'] = description;
  return {
    code: clip(code, TEXT_MAX.code),
    severity,
    ...(unit === undefined ? {} : { unit }),
    keyword,
    ...(alert.index === undefined ? {} : { occurrence: alert.index }),
    ...(alert.ticks === undefined ? {} : { ticks: alert.ticks }),
    detail,
  };
}
