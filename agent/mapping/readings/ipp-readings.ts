/**
 * Counters, supplies, trays and facts in an IPP answer: `printer-supply` and `printer-input-tray` (PWG 5100.13),
 * `marker-*` (CUPS), `printer-impressions-completed` and its kin (PWG 5100.7), System Service (PWG 5100.22). Pure; an
 * attribute that is missing, cut or of the wrong length costs only itself.
 */
import { type IppAnswer, type IppValue, intOfIpp, textOfIpp } from '../ipp-answer.ts';
import { indexOf, parseKeyedText } from '../keyed-text.ts';
import type { Condition } from '../reading.ts';
import { isChoiceOfTrays } from '../structure-builder.ts';
import { clip, meaningful } from '../text.ts';
import {
  type FoundReadings,
  levelOf,
  ReadingsBuilder,
  SUPPLIES_MAX,
  type SupplyState,
  stateOfLevel,
} from './found-readings.ts';
import {
  colorOf,
  colorOfHex,
  kindOfCartridge,
  kindOfType,
  kindOfWords,
  measureOf,
  numbersIn,
} from './supply-words.ts';

export interface IppReadingsContext {
  /** Texts that name the printer, for supplies that say no more than "cartridge". */
  model: string | undefined;
  conditions: Condition[];
  /** `printer-state-reasons` as keywords without their severity; undefined when they could not be read whole. */
  reasons: string[] | undefined;
}

const STATES = new Map<string, 'idle' | 'processing' | 'stopped'>([
  ['3', 'idle'],
  ['idle', 'idle'],
  ['4', 'processing'],
  ['processing', 'processing'],
  ['5', 'stopped'],
  ['stopped', 'stopped'],
]);

/** A whole number in a keyed text; makers write `level=-3` and ` level = 40 `. */
function numberOf(keys: Map<string, string>, name: string): number | undefined {
  const value = keys.get(name);
  return value !== undefined && /^-?\d{1,15}$/.test(value.trim()) ? Number(value) : undefined;
}

/** State of a supply by the end of a state reason: `toner-low`, `marker-supply-empty`, `waste-toner-full`. */
const REASON_STATES: [pattern: RegExp, state: SupplyState][] = [
  [/missing$/, 'missing'],
  [/(?:almost-full|near-full|low|near-empty|almost-empty|near-eol)$/, 'low'],
  [/(?:empty|life-over)$/, 'empty'],
  [/full$/, 'full'],
];

/** The state by the reasons, for the only supply of its kind; with several it is unknown which one is meant. */
function saidOfKind(kind: string, alone: boolean, reasons: string[]): SupplyState | undefined {
  if (!alone) return undefined;
  const words = kind === 'waste' ? ['marker-waste', 'waste'] : kind === 'drum' ? ['opc'] : [kind];
  const reason = reasons.find((each) => words.some((word) => each.startsWith(`${word}-`)));
  return reason === undefined ? undefined : REASON_STATES.find(([pattern]) => pattern.test(reason))?.[1];
}

interface FoundSupply {
  symbol: string;
  kind: string;
  color: string | undefined;
  description: string | undefined;
  level: number | undefined;
  capacity: number | undefined;
  unit: string | undefined;
  low: number | undefined;
  from: string;
  at: string;
}

/** `printer-supply` rows, each with its description in the parallel array. */
function suppliesOf(answer: IppAnswer): FoundSupply[] {
  const descriptions = answer.texts('printer-supply-description');
  return answer
    .values('printer-supply')
    .slice(0, SUPPLIES_MAX + 1)
    .flatMap((value, i) => {
      const keys = parseKeyedText(textOfIpp(value));
      if (keys.size === 0) return [];
      const description =
        meaningful(descriptions[i]) ?? meaningful(keys.get('description') ?? keys.get('name'));
      const filled = /filled|^4$/i.test(keys.get('class') ?? '');
      const told = kindOfType(keys.get('type')) ?? kindOfWords(description);
      const colorant = keys.get('colorantname');
      const kind = told ?? (filled ? 'waste' : 'other');
      const colored = kind !== 'waste' && kind !== 'fuser';
      return [
        {
          symbol: `supply.${indexOf(keys, i)}`,
          kind,
          color: colored ? (colorOf(colorant, true) ?? colorOf(description)) : undefined,
          description,
          // RFC 3805 counts the room left; ippeveprinter and others count how full it is. They can't be told apart.
          level: kind === 'waste' ? undefined : numberOf(keys, 'level'),
          capacity: numberOf(keys, 'maxcapacity'),
          unit: keys.get('unit'),
          low: undefined,
          from: 'printer-supply',
          at: `printer-supply[${i}]`,
        },
      ];
    });
}

/** `marker-*`, parallel arrays of which any may be shorter than the others. */
function markersOf(answer: IppAnswer): FoundSupply[] {
  const names = answer.texts('marker-names');
  const types = answer.texts('marker-types');
  const colors = answer.texts('marker-colors');
  const levels = answer.values('marker-levels');
  const lows = answer.values('marker-low-levels');
  const highs = answer.values('marker-high-levels');
  const found: FoundSupply[] = [];
  const count = Math.min(Math.max(names.length, levels.length, types.length), SUPPLIES_MAX + 1);
  for (let i = 0; i < count; i++) {
    const description = meaningful(names[i]);
    const words = kindOfWords(description);
    const kind = (words === 'waste' ? words : undefined) ?? kindOfType(types[i]) ?? words ?? 'other';
    const level = intOfIpp(levels[i]);
    // A waste box counts how full it is if it has a high limit; otherwise the direction is unknown.
    const high = intOfIpp(highs[i]) ?? 100;
    const filling = kind === 'waste' && high > 0 && high < 100;
    const room = level === undefined || level < 0 || !filling ? level : Math.max(0, 100 - level);
    const low = filling ? 100 - high : intOfIpp(lows[i]);
    found.push({
      symbol: `supply.${i + 1}`,
      kind,
      color:
        kind === 'waste' || kind === 'fuser' ? undefined : (colorOfHex(colors[i]) ?? colorOf(description)),
      description,
      level: kind === 'waste' && !filling && level !== undefined && level >= 0 ? undefined : room,
      capacity: level !== undefined && level > 100 ? undefined : 100,
      unit: 'percent',
      low: low !== undefined && low > 0 ? low : undefined,
      from: 'marker',
      at: `marker-levels[${i}]`,
    });
  }
  return found;
}

/** Rows of `printer-supply` with what only the markers at the same place know. */
function joined(supplies: FoundSupply[], markers: FoundSupply[]): FoundSupply[] {
  if (supplies.length === 0) return markers;
  if (supplies.length !== markers.length) return supplies;
  return supplies.map((supply, i) => {
    const marker = markers[i];
    // Different kinds at one position: the two lists are ordered differently.
    if (!marker || (marker.kind !== supply.kind && marker.kind !== 'other' && supply.kind !== 'other'))
      return supply;
    const unknown = supply.level === undefined || supply.level < 0;
    return {
      ...supply,
      kind: supply.kind === 'other' ? marker.kind : supply.kind,
      color: supply.color ?? marker.color,
      description: supply.description ?? marker.description,
      low: marker.low,
      ...(unknown && marker.level !== undefined && marker.level >= 0
        ? { level: marker.level, capacity: marker.capacity, unit: marker.unit, at: marker.at }
        : {}),
    };
  });
}

function addSupplies(answer: IppAnswer, context: IppReadingsContext, builder: ReadingsBuilder): void {
  const found = joined(suppliesOf(answer), markersOf(answer)).map((supply) =>
    supply.kind === 'cartridge' ? { ...supply, kind: kindOfCartridge(context.model) } : supply,
  );
  const { reasons } = context;
  for (const { symbol, kind, color, description, level: raw, capacity, unit, low, from, at } of found) {
    const { measure, factor } = measureOf(unit);
    const level = levelOf(raw, capacity, factor);
    if (raw !== undefined && raw >= 0 && level.level === undefined)
      builder.miss(`${symbol}.level`, `A level of ${raw} of ${capacity} means nothing.`);
    const alone = found.filter((other) => other.kind === kind).length === 1;
    const scarce = low !== undefined && raw !== undefined && raw > 0 && raw <= low;
    const said = saidOfKind(kind, alone, reasons ?? []) ?? (scarce ? 'low' : undefined);
    const numbers = description === undefined ? {} : numbersIn(description);
    const source = from === 'marker' ? 'marker-names' : 'printer-supply-description';
    builder.supply(
      {
        symbol,
        kind,
        color,
        model: numbers.part ?? description,
        serial: numbers.serial,
        measure,
        ...level,
        state: stateOfLevel(level, kind, said, reasons !== undefined),
      },
      {
        kind: at,
        color: color === undefined ? undefined : at,
        model: source,
        level: at,
        capacity: at,
        measure: at,
      },
    );
  }
}

function addInputs(answer: IppAnswer, builder: ReadingsBuilder): void {
  answer.values('printer-input-tray').forEach((value, i) => {
    const keys = parseKeyedText(textOfIpp(value));
    if (keys.size === 0 || isChoiceOfTrays(keys.get('name'))) return;
    const raw = numberOf(keys, 'level');
    const capacity = numberOf(keys, 'maxcapacity');
    if (raw === undefined && capacity === undefined) return;
    const unit = (keys.get('unit') ?? 'sheets').toLowerCase();
    const sheets = unit === 'sheets' || unit === '8' || unit === 'other' || unit === 'unknown';
    const level = sheets
      ? levelOf(raw, capacity)
      : raw === 0
        ? { level: 0, known: 'exact' as const }
        : { known: (raw ?? -2) > 0 || raw === -3 ? ('some' as const) : ('unknown' as const) };
    const at = `printer-input-tray[${i}]`;
    builder.input(
      { symbol: `input.${indexOf(keys, i)}`, ...level, media: keys.get('medianame') ?? keys.get('media') },
      { level: at, capacity: at },
    );
  });
}

/** Members of printer-impressions-completed-col that are in color. */
const IN_COLOR = ['full-color', 'highlight-color'];
const SIDES = ['', '-two-sided'];
const MEMBERS = ['monochrome', 'blank', ...IN_COLOR];

/**
 * Counts by color and sides. Makers disagree whether `full-color` includes `full-color-two-sided`; the total says which,
 * and where it says neither the members stand under their own names.
 */
function addByColor(
  collection: IppValue | undefined,
  total: number | undefined,
  builder: ReadingsBuilder,
): void {
  if (!(collection instanceof Map)) return;
  const at = 'printer-impressions-completed-col';
  const member = (name: string) => intOfIpp(collection.get(name)?.[0]);
  const sum = (names: string[], sides: string[]) =>
    names.flatMap((name) => sides.map((side) => member(`${name}${side}`) ?? 0)).reduce((a, b) => a + b, 0);
  const has = (names: string[]) =>
    names.some((name) => SIDES.some((side) => member(`${name}${side}`) !== undefined));
  const twoSided = sum(MEMBERS, ['-two-sided']);
  const apart = total === undefined ? twoSided === 0 : sum(MEMBERS, SIDES) === total;
  const within = total !== undefined && sum(MEMBERS, ['']) === total;
  if (apart || within) {
    const sides = apart ? SIDES : [''];
    if (has(IN_COLOR)) builder.counter('impressions-color', sum(IN_COLOR, sides), at);
    if (has(['monochrome'])) builder.counter('impressions-mono', sum(['monochrome'], sides), at);
    if (MEMBERS.some((name) => member(`${name}-two-sided`) !== undefined))
      builder.counter('impressions-two-sided', twoSided, at);
    return;
  }
  for (const name of MEMBERS.flatMap((each) => SIDES.map((side) => `${each}${side}`))) {
    builder.counter(`impressions-${name}`, member(name), `${at}.${name}`);
  }
}

function addCounters(answer: IppAnswer, builder: ReadingsBuilder): void {
  for (const [name, counter] of [
    ['printer-impressions-completed', 'impressions'],
    ['printer-media-sheets-completed', 'sheets'],
    ['printer-pages-completed', 'pages'],
    ['system-impressions-completed', 'impressions'],
    ['system-media-sheets-completed', 'sheets'],
    ['system-pages-completed', 'pages'],
  ] as const) {
    builder.counter(counter, answer.int(name), name);
  }
  const total = answer.int('printer-impressions-completed');
  addByColor(answer.values('printer-impressions-completed-col')[0], total, builder);
}

/** Host of a URI; names of this machine say nothing of the printer. */
function hostOf(uri: string | undefined): string | undefined {
  if (uri === undefined || !URL.canParse(clip(uri, 1_024))) return undefined;
  const host = new URL(clip(uri, 1_024)).hostname.replace(/^\[|\]$/g, '');
  return /^(?:localhost|127\.|::1$|0\.)/.test(host) || host === '' ? undefined : host;
}

const isAddress = (host: string) => /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host) || host.includes(':');

/** `contact-name`, else the first text of a contact collection. */
function contactOf(value: IppValue | undefined): string | undefined {
  if (!(value instanceof Map)) return value === undefined ? undefined : textOfIpp(value);
  const first = value.get('contact-name')?.[0] ?? value.get('contact-uri')?.[0];
  return first === undefined ? undefined : textOfIpp(first).replace(/^mailto:/i, '');
}

function addFacts(answer: IppAnswer, builder: ReadingsBuilder): void {
  for (const name of ['printer-uri-supported', 'printer-more-info', 'printer-supply-info-uri']) {
    for (const uri of answer.texts(name)) {
      const host = hostOf(uri);
      if (host !== undefined) builder.fact(isAddress(host) ? 'address' : 'hostname', host, name);
    }
  }
  for (const name of ['printer-location', 'system-location'])
    builder.fact('location', answer.text(name), name);
  for (const name of ['printer-contact-col', 'system-contact-col']) {
    builder.fact('contact', contactOf(answer.values(name)[0]), name);
  }
  for (const name of ['printer-asset-tag', 'system-asset-tag'])
    builder.fact('assetTag', answer.text(name), name);
}

export function ippReadings(answer: IppAnswer, context: IppReadingsContext): FoundReadings {
  const builder = new ReadingsBuilder();
  builder.is(STATES.get(answer.text('printer-state') ?? ''), 'printer-state');
  if (context.reasons === undefined)
    builder.miss('reasons', 'The state reasons could not be read whole, so that nothing is said about why.');
  else {
    const alerts = context.conditions
      .filter(({ severity }) => severity !== 'info')
      .map(({ keyword, code }) => keyword ?? code);
    builder.because([...context.reasons, ...alerts], 'printer-state-reasons printer-alert');
  }
  addCounters(answer, builder);
  addSupplies(answer, context, builder);
  addInputs(answer, builder);
  addFacts(answer, builder);
  return builder.build();
}
