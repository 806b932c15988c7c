/** Recorded answers for tests, built from the values that matter, and the expected readings. */
export const PRT = '1.3.6.1.2.1.43';
export const HR = '1.3.6.1.2.1.25.3';

/** A supplies row: type (RFC 3805), description, unit, capacity, level; null: the printer doesn't report it. */
export type SupplyRow = [
  type: number | null,
  description: string,
  unit: number | null,
  capacity: number,
  level: number,
];

export interface Printer {
  enterprise: string;
  model: string;
  sysDescr?: string;
  /** By index; 1, 2, 3 … when it is a list. */
  supplies?: SupplyRow[] | Record<number, SupplyRow>;
  colorants?: Record<number, [supply: number, value: string]>;
  /** Unit and life count of the first marker. */
  life?: [unit: number | null, count: number];
  trays?: [name: string, capacity: number, level: number][];
  status?: number;
  errors?: string;
  more?: string[];
}

export function snmp(printer: Printer): string {
  const { enterprise, model, sysDescr = model, supplies = [], colorants = {}, life, trays = [] } = printer;
  const rows = [
    `1.3.6.1.2.1.1.1.0|4|${sysDescr}`,
    `1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.${enterprise}`,
    `${HR}.2.1.2.1|6|1.3.6.1.2.1.25.3.1.5`,
    `${HR}.2.1.3.1|4|${model}`,
    ...(printer.status === undefined ? [] : [`${HR}.5.1.1.1|2|${printer.status}`]),
    ...(printer.errors === undefined ? [] : [`${HR}.5.1.2.1|4x|${printer.errors}`]),
  ];
  const numbered: [string, SupplyRow][] = Array.isArray(supplies)
    ? supplies.map((row, i) => [String(i + 1), row])
    : Object.entries(supplies);
  for (const [index, [type, description, unit, capacity, level]] of numbered) {
    const cell = (column: number, tag: string, value: number | string | null) =>
      value === null ? [] : [`${PRT}.11.1.1.${column}.1.${index}|${tag}|${value}`];
    rows.push(...cell(5, '2', type), ...cell(6, '4x', Buffer.from(description).toString('hex')));
    rows.push(...cell(7, '2', unit), ...cell(8, '2', capacity), ...cell(9, '2', level));
  }
  for (const [index, [supply, value]] of Object.entries(colorants)) {
    rows.push(`${PRT}.11.1.1.3.1.${supply}|2|${index}`, `${PRT}.12.1.1.4.1.${index}|4|${value}`);
  }
  if (life) {
    const [unit, count] = life;
    if (unit !== null) rows.push(`${PRT}.10.2.1.3.1.1|2|${unit}`);
    rows.push(`${PRT}.10.2.1.4.1.1|65|${count}`);
  }
  trays.forEach(([name, capacity, level], i) => {
    rows.push(`${PRT}.8.2.1.9.1.${i + 1}|2|${capacity}`, `${PRT}.8.2.1.10.1.${i + 1}|2|${level}`);
    rows.push(`${PRT}.8.2.1.13.1.${i + 1}|4|${name}`);
  });
  return [...rows, ...(printer.more ?? [])].join('\n');
}

export const ipp = (attributes: object) =>
  JSON.stringify({ 'printer-state': 3, 'printer-state-reasons': ['none'], ...attributes });
export const counter = (oid: string, value: number) => `1.3.6.1.4.1.${oid}|65|${value}`;
export const name = (oid: string, value: string) => `1.3.6.1.4.1.${oid}|4|${value}`;
export const TONER = 3;
export const PERCENT = 19;
export const IMPRESSIONS = 7;

export interface ExpectedReadings {
  counters?: Record<string, number>;
  /** `symbol kind [color] level/capacity measure known state [serial]`, `-` for a missing value. */
  supplies?: string[];
  /** `symbol level/capacity known`. */
  inputs?: string[];
  state?: string;
  reasons?: string[];
}

export type TestedPrinter = [
  title: string,
  source: 'field' | 'own',
  recording: string,
  expected: ExpectedReadings,
];
