/**
 * What a supply is and which color it has, from the words and numbers of a printer: types and units of RFC 3805
 * (prtMarkerSuppliesType, PrtMarkerSuppliesSupplyUnitTC), their names in IPP (PWG 5100.13), and free descriptions in the
 * printer's language. Every lookup is a Map: a printer may use any word, `constructor` too.
 */
import type { ReadingSupply } from '../../../schemas/types.ts';
import { clip } from '../text.ts';

export type Measure = NonNullable<ReadingSupply['measure']>;

/** Words of a description that are looked at; a real one has a few. */
const DESCRIPTION_LENGTH_MAX = 256;

/** prtMarkerSuppliesType by number, with its name in IPP and our word for it. */
const TYPES: [name: string, kind: string | undefined][] = [
  ['', undefined],
  ['other', undefined],
  ['unknown', undefined],
  ['toner', 'toner'],
  ['wasteToner', 'waste'],
  ['ink', 'ink'],
  ['inkCartridge', 'ink'],
  ['inkRibbon', 'ribbon'],
  ['wasteInk', 'waste'],
  ['opc', 'drum'],
  ['developer', 'developer'],
  ['fuserOil', 'fuser-oil'],
  ['solidWax', 'ink'],
  ['ribbonWax', 'ribbon'],
  ['wasteWax', 'waste'],
  ['fuser', 'fuser'],
  ['coronaWire', 'corona-wire'],
  ['fuserOilWick', 'fuser-oil'],
  ['cleanerUnit', 'cleaner'],
  ['fuserCleaningPad', 'cleaner'],
  ['transferUnit', 'transfer'],
  ['tonerCartridge', 'toner'],
  ['fuserOiler', 'fuser-oil'],
  ['water', 'water'],
  ['wasteWater', 'waste'],
  ['glueWaterAdditive', 'glue'],
  ['wastePaper', 'waste'],
  ['bindingSupply', 'binding'],
  ['bandingSupply', 'banding'],
  ['stitchingWire', 'staples'],
  ['shrinkWrap', 'wrap'],
  ['paperWrap', 'wrap'],
  ['staples', 'staples'],
  ['inserts', 'inserts'],
  ['covers', 'covers'],
];

/** PrtMarkerSuppliesSupplyUnitTC by number: its name in IPP, our measure, and what one of it is in that measure. */
const UNITS = new Map<number, [name: string, measure: Measure, factor: number]>([
  [3, ['tenThousandthsOfInches', 'metres', 0.00000254]],
  [4, ['micrometers', 'metres', 0.000001]],
  [7, ['impressions', 'impressions', 1]],
  // A sheet may carry two impressions: it is counted as a thing.
  [8, ['sheets', 'items', 1]],
  [11, ['hours', 'hours', 1]],
  [12, ['thousandthsOfOunces', 'grams', 0.028349523125]],
  [13, ['tenthsOfGrams', 'grams', 0.1]],
  [14, ['hundrethsOfFluidOunces', 'millilitres', 0.295735295625]],
  [15, ['tenthsOfMilliliters', 'millilitres', 0.1]],
  [16, ['feet', 'metres', 0.3048]],
  [17, ['meters', 'metres', 1]],
  [18, ['items', 'items', 1]],
  [19, ['percent', 'percent', 1]],
]);

const squash = (name: string) =>
  clip(name, 64)
    .toLowerCase()
    .replace(/[^a-z]/g, '');
const TYPES_BY_NAME = new Map(TYPES.map(([name, kind]) => [squash(name), kind]));
const UNITS_BY_NAME = new Map([...UNITS.values()].map((unit) => [squash(unit[0]), unit]));

/** Our kind for a type of RFC 3805, a number or a name (`wasteToner`, `waste-toner`); undefined for `other` and strangers. */
export function kindOfType(type: number | string | undefined): string | undefined {
  if (type === undefined) return undefined;
  if (typeof type === 'number') return TYPES[type]?.[1];
  return /^\d{1,3}$/.test(type) ? TYPES[Number(type)]?.[1] : TYPES_BY_NAME.get(squash(type));
}

/** Measure and factor of a unit, a number or a name. */
export function measureOf(unit: number | string | undefined): { measure: Measure; factor: number } {
  const number = typeof unit === 'string' && /^\d{1,3}$/.test(unit) ? Number(unit) : unit;
  const found =
    typeof number === 'number'
      ? UNITS.get(number)
      : number === undefined
        ? undefined
        : UNITS_BY_NAME.get(squash(number));
  return found ? { measure: found[1], factor: found[2] } : { measure: 'unknown', factor: 1 };
}

/** Words that name a kind, the more particular first: a "waste toner box" is no toner. */
const KIND_WORDS: [kind: string, words: string[], parts: string[]][] = [
  [
    'waste',
    [
      'waste',
      'maintenance',
      'resttoner',
      'resttonerbehälter',
      'alttoner',
      'récupérateur',
      'residual',
      'spillo',
    ],
    ['廢棄', '废粉', '廢粉', '廃トナー', '廃棄', 'メンテナンスボックス', 'отработ', 'waste'],
  ],
  [
    'developer',
    ['developer', 'developing', 'entwickler', 'développeur', 'revelador'],
    ['現像', '顯影', '显影', 'проявит'],
  ],
  [
    'fuser',
    ['fuser', 'fusing', 'fixing', 'fixiereinheit', 'fixierer', 'fuseur', 'fusor', 'fusore', 'four'],
    ['定着', '定影', 'термозакреп', 'фьюзер'],
  ],
  [
    'transfer',
    ['transfer', 'transferband', 'itb', 'btr', 'belt', 'transfert', 'transferencia'],
    ['転写', '轉印', '转印', 'перенос'],
  ],
  ['roller', ['roller', 'rollers', 'pickup', 'rolle', 'rouleau', 'rodillo'], ['給紙ローラ', '搓紙輪']],
  ['filter', ['filter', 'ozone', 'ozonfilter'], ['フィルタ']],
  [
    'staples',
    ['staple', 'staples', 'stapler', 'heftklammern', 'heftklammer', 'agrafes', 'grapas', 'punti'],
    ['ステープル', 'staple', '訂書針', '订书钉'],
  ],
  [
    'drum',
    [
      'drum',
      'opc',
      'photoconductor',
      'imaging',
      'trommel',
      'bildtrommel',
      'tambour',
      'tambor',
      'tamburo',
      'pcu',
      'xerographic',
    ],
    ['ドラム', '感光', '成像', 'барабан', 'фотобарабан'],
  ],
  [
    'ink',
    ['ink', 'tinte', 'tintenpatrone', 'encre', 'tinta', 'inchiostro', 'inkt'],
    ['インク', '墨水', '墨盒', 'чернил'],
  ],
  [
    'toner',
    ['toner', 'tonerkartusche', 'tonerkassette', 'тонер'],
    ['トナー', '碳粉', '墨粉', '토너', 'тонер'],
  ],
  ['printhead', ['printhead', 'druckkopf'], ['プリントヘッド']],
  ['ribbon', ['ribbon', 'farbband'], ['リボン', '色带']],
  [
    'cartridge',
    ['cartridge', 'cartucho', 'cartouche', 'patrone', 'kartusche', 'cartuccia'],
    ['カートリッジ', 'картридж'],
  ],
];

const wordsOf = (text: string): string[] =>
  clip(text, DESCRIPTION_LENGTH_MAX)
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');

/** Kind by the words of a description; `cartridge` where it says no more than that. */
export function kindOfWords(description: string | undefined): string | undefined {
  if (description === undefined) return undefined;
  const text = clip(description, DESCRIPTION_LENGTH_MAX).toLowerCase();
  const words = new Set(wordsOf(description));
  return KIND_WORDS.find(
    ([, whole, parts]) => whole.some((word) => words.has(word)) || parts.some((part) => text.includes(part)),
  )?.[0];
}

const COLOR_WORDS: [color: string, words: string[], parts: string[]][] = [
  ['photo-black', [], ['photo black', 'photo-black', 'フォトブラック']],
  ['matte-black', [], ['matte black', 'matt black', 'matte-black', 'マットブラック']],
  ['light-cyan', [], ['light cyan', 'light-cyan', 'photo cyan', 'ライトシアン']],
  ['light-magenta', [], ['light magenta', 'light-magenta', 'photo magenta', 'ライトマゼンタ']],
  ['light-gray', [], ['light gray', 'light grey', 'light-gray', 'ライトグレー']],
  ['tri-color', ['tricolor', 'dreifarbig'], ['tri-color', 'tri-colour', 'tri color', 'three color', '3色']],
  ['magenta', ['magenta', 'magentafarben'], ['マゼンタ', '洋紅', '洋红', '品红', '品紅', 'пурпур']],
  ['cyan', ['cyan', 'zyan', 'ciano', 'cian', 'cyaan'], ['シアン', '青色', '青', 'голуб']],
  [
    'yellow',
    ['yellow', 'gelb', 'jaune', 'amarillo', 'giallo', 'amarelo', 'geel', 'gul', 'keltainen'],
    ['イエロー', '黃', '黄', 'жёлт', 'желт'],
  ],
  [
    'black',
    [
      'black',
      'schwarz',
      'noir',
      'noire',
      'negro',
      'negra',
      'nero',
      'preto',
      'zwart',
      'svart',
      'sort',
      'musta',
    ],
    ['ブラック', '黑', '黒', 'чёрн', 'черн', '검정'],
  ],
  ['gray', ['gray', 'grey', 'grau', 'gris'], ['グレー', '灰']],
  ['white', ['white', 'weiß', 'weiss', 'blanc'], ['ホワイト', '白色']],
  ['clear', ['clear', 'transparent', 'klar'], ['クリア', '透明']],
  ['red', ['red', 'rot', 'rouge'], ['レッド', '紅色']],
  ['blue', ['blue', 'blau', 'bleu'], ['ブルー', '藍色']],
  ['green', ['green', 'grün', 'vert'], ['グリーン', '綠色']],
  ['orange', ['orange'], ['オレンジ']],
];

/** Letters that stand for colors of supplies of ink and toner: `Toner (K)`. */
const COLOR_LETTERS = new Map([
  ['k', 'black'],
  ['bk', 'black'],
  ['c', 'cyan'],
  ['m', 'magenta'],
  ['y', 'yellow'],
]);

/** The color that a text names; `letters`: a single letter counts as one too. */
export function colorOf(text: string | undefined, letters = false): string | undefined {
  if (text === undefined) return undefined;
  const whole = clip(text, DESCRIPTION_LENGTH_MAX).toLowerCase();
  const words = wordsOf(text);
  const known = COLOR_WORDS.find(
    ([, own, parts]) =>
      own.some((word) => words.includes(word)) || parts.some((part) => whole.includes(part)),
  );
  if (known) return known[0];
  if (!letters) return undefined;
  const named = words.flatMap((word) => COLOR_LETTERS.get(word) ?? []);
  return named.length === 1 ? named[0] : undefined;
}

const COLORS_BY_HEX = new Map([
  ['000000', 'black'],
  ['00ffff', 'cyan'],
  ['ff00ff', 'magenta'],
  ['ffff00', 'yellow'],
  ['ffffff', 'white'],
  ['808080', 'gray'],
  ['ff0000', 'red'],
  ['00ff00', 'green'],
  ['0000ff', 'blue'],
]);

/**
 * The color of a `marker-colors` value: `#00FFFF`, several in one (`#00FFFF#FF00FF#FFFF00` is `cyan+magenta+yellow`), or a
 * word. Shades that have no name stay as `#d3d3d3`.
 */
export function colorOfHex(text: string | undefined): string | undefined {
  const value = clip(text?.trim() ?? '', 64).toLowerCase();
  if (/^(?:#[0-9a-f]{6})+$/.test(value)) {
    return value
      .slice(1)
      .split('#')
      .map((hex) => COLORS_BY_HEX.get(hex) ?? `#${hex}`)
      .join('+');
  }
  return colorOf(value, true);
}

/** Part and serial number in a description: `Black Toner, PN 006R01509;SN48178080E0000481`, `… S/N:CRUM-17`. */
export function numbersIn(description: string): { part?: string; serial?: string } {
  const text = clip(description, DESCRIPTION_LENGTH_MAX);
  const serial = /(?:^|[\s,;(])S\/?N[:\s]?\s?([A-Z0-9-]{4,64})/i.exec(text)?.[1];
  const part =
    /(?:^|[\s,;(])P\/?N[:\s]\s?([A-Z0-9-]{4,64})/i.exec(text)?.[1] ??
    /\bHP ([A-Z]{1,2}\d{3,4}[A-Z]{0,2})\b/.exec(text)?.[1];
  return {
    ...(part !== undefined && /\d/.test(part) ? { part } : {}),
    ...(serial !== undefined && /\d/.test(serial) ? { serial } : {}),
  };
}

/** Kind of a cartridge whose description says no more than that, by the printer's name. */
export function kindOfCartridge(model: string | undefined): string {
  const name = clip(model ?? '', 256);
  if (/laser|\bLBP|\bLED\b/i.test(name)) return 'toner';
  return /ink|officejet|deskjet|designjet|pagewide|workforce|stylus|pixma|envy/i.test(name)
    ? 'ink'
    : 'cartridge';
}
