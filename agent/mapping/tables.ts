/**
 * The mapping tables: data, chosen by make and model. Built-in tables are the JSON files in `tables/`; a user's own come
 * before them, so that any entry can be overridden without touching the product.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type {
  AlertRule,
  CounterRule,
  KeywordRule,
  Mapping,
  ModelRule,
  ObjectRule,
  SoftwareRule,
  UnitRule,
  VendorCodeRule,
} from '../../schemas/types.ts';
import { schemaFault } from '../../schemas/validate.ts';
import { Pattern } from './pattern.ts';
import { slug, tidy } from './text.ts';

type Compiled<R, K extends keyof R> = R & { fits: Record<K, Pattern | undefined> };

/** What is known of a printer before its tables are chosen. */
export interface Identity {
  make?: string;
  model?: string;
  /** Any other text that may name the make (sysDescr). */
  text?: string;
  /** Number below 1.3.6.1.4.1 in sysObjectID. */
  enterprise?: number;
}

/** The entries that apply to one printer, the most specific first. */
export interface Tables {
  names: string[];
  vendor?: string;
  makeNames: string[];
  models: Compiled<ModelRule, 'pattern'>[];
  alerts: Compiled<AlertRule, 'description'>[];
  keywords: Compiled<KeywordRule, 'pattern'>[];
  vendorCodes: Compiled<VendorCodeRule, 'pattern' | 'keyword'>[];
  software: Compiled<SoftwareRule, 'name'>[];
  units: Compiled<UnitRule, 'model'>[];
  objects: Compiled<ObjectRule, 'pattern'>[];
  counters: Compiled<CounterRule, 'pattern'>[];
}

/** Compiles `keys` of a rule. `whole` anchors the pattern at both ends. */
function compile<R extends object, K extends keyof R>(
  rules: R[] | undefined,
  keys: K[],
  whole: boolean,
): Compiled<R, K>[] {
  return (rules ?? []).map((rule) => {
    const fits = {} as Record<K, Pattern | undefined>;
    for (const key of keys) {
      const source = rule[key];
      fits[key] = typeof source === 'string' ? new Pattern(source, { whole }) : undefined;
    }
    return { ...rule, fits };
  });
}

function globToPattern(glob: string): Pattern {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new Pattern(source, { whole: true });
}

/** Letters and digits only, so that `KONICA MINOLTA`, `KonicaMinolta` and `konica-minolta` are the same name. */
function squash(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');
}

interface Loaded {
  mapping: Mapping;
  models: Pattern[];
  makes: string[];
  compiled: Omit<Tables, 'names' | 'vendor' | 'makeNames'>;
}

function load(document: unknown, where: string): Loaded {
  const fault = schemaFault('mapping', document);
  if (fault !== undefined) throw new PlatenError('agent/mapping', { file: where, reason: fault });
  const mapping = document as Mapping;
  try {
    return {
      mapping,
      models: (mapping.match?.model ?? []).map(globToPattern),
      makes: (mapping.match?.make ?? []).map(squash),
      compiled: {
        models: compile(mapping.models, ['pattern'], false),
        alerts: compile(mapping.alerts, ['description'], false),
        keywords: compile(mapping.keywords, ['pattern'], true),
        vendorCodes: compile(mapping.vendorCodes, ['pattern', 'keyword'], false),
        software: compile(mapping.software, ['name'], false),
        units: compile(mapping.units, ['model'], false),
        objects: compile(mapping.objects, ['pattern'], false),
        counters: compile(mapping.counters, ['pattern'], false),
      },
    };
  } catch (error) {
    throw new PlatenError('agent/mapping', { file: where, reason: reasonOf(error) }, { cause: error });
  }
}

function fits(table: Loaded, identity: Identity): boolean {
  const { match } = table.mapping;
  if (!match) return true;
  const model = identity.model ?? '';
  const texts = [identity.make, identity.model, identity.text].map((text) => squash(text ?? ''));
  const byMake =
    table.makes.some((make) => texts.some((text) => text.startsWith(make))) ||
    // The make may be anywhere in sysDescr; short names would match within other words.
    table.makes.some((make) => make.length >= 5 && (texts[2] ?? '').includes(make)) ||
    (identity.enterprise !== undefined && (match.enterprise ?? []).includes(identity.enterprise));
  const makeAsked = match.make !== undefined || match.enterprise !== undefined;
  if (makeAsked && !byMake) return false;
  return table.models.length === 0 || table.models.some((glob) => glob.test(model));
}

/** Objects of all tables; parts of one counter are only added up within the first table that has it. */
function objectsOf(tables: Loaded[]): Tables['objects'] {
  const counted = new Set<string>();
  return tables.flatMap(({ compiled: { objects } }) => {
    const kept = objects.filter(
      ({ is, name }) => is !== 'counter' || name === undefined || !counted.has(name),
    );
    for (const { is, name } of objects) if (is === 'counter' && name !== undefined) counted.add(name);
    return kept;
  });
}

/** How specific a table is: for models, then for a make, then for all. */
function rank(table: Loaded): number {
  const { match } = table.mapping;
  if (match?.model) return 2;
  return match?.make || match?.enterprise ? 1 : 0;
}

/** All tables of an agent. Loading is done once; choosing is pure and remembered per identity. */
export class MappingTables {
  private readonly tables: Loaded[];
  private readonly chosen = new Map<string, Tables>();

  /** `own` are the user's tables, as parsed JSON with the name of their file; they go before the built-in ones. */
  constructor(own: { file: string; document: unknown }[] = []) {
    const folder = new URL('./tables/', import.meta.url);
    const builtIn = readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .sort()
      .map((file) => load(JSON.parse(readFileSync(new URL(file, folder), 'utf8')), file));
    const mine = own.map(({ file, document }) => load(document, file));
    const byRank = (a: Loaded, b: Loaded) => rank(b) - rank(a);
    this.tables = [...mine.sort(byRank), ...builtIn.sort(byRank)];
  }

  /** The entries for a printer: the user's own first, then by how particular they are. */
  select(identity: Identity): Tables {
    const key = JSON.stringify([identity.make, identity.model, identity.text, identity.enterprise]);
    const known = this.chosen.get(key);
    if (known) return known;
    const tables = this.tables.filter((table) => fits(table, identity));
    const join = <K extends keyof Loaded['compiled']>(name: K) =>
      tables.flatMap((table) => table.compiled[name] as unknown[]) as Loaded['compiled'][K];
    const vendor = tables.find((table) => table.mapping.vendor !== undefined)?.mapping.vendor;
    const selected: Tables = {
      names: tables.map((table) => table.mapping.mapping),
      ...(vendor === undefined ? {} : { vendor }),
      makeNames: tables.flatMap((table) => table.mapping.match?.make ?? []),
      models: join('models'),
      alerts: join('alerts'),
      keywords: join('keywords'),
      vendorCodes: join('vendorCodes'),
      software: join('software'),
      units: join('units'),
      objects: objectsOf(tables),
      counters: join('counters'),
    };
    if (this.chosen.size >= CHOSEN_MAX) this.chosen.clear();
    this.chosen.set(key, selected);
    return selected;
  }

  /** The device id objects of all tables, which a first read asks for before the make is known. */
  deviceIdObjects(): string[] {
    return [
      ...new Set(
        this.tables.flatMap((table) =>
          table.compiled.objects.filter((rule) => rule.is === 'device-id').map((r) => r.oid),
        ),
      ),
    ];
  }
}

/** Identities whose tables are remembered; a fleet has far fewer models than that. */
const CHOSEN_MAX = 5_000;

/** Puts what `pattern` found in `template` (`$1` …); undefined when nothing was found. */
export function expand(pattern: Pattern, text: string, template: string): string | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  return tidy(template.replace(/\$(\d)/g, (_, digit: string) => match[Number(digit)] ?? ''));
}

/** The model without the make in front, rewritten by the tables: `KONICA MINOLTA bizhub C360i` → `bizhub C360i`. */
export function modelName(text: string, tables: Tables, make?: string): string {
  let model = tidy(text);
  for (const rule of tables.models) {
    const rewritten = rule.fits.pattern && expand(rule.fits.pattern, model, rule.model);
    if (rewritten) {
      model = rewritten;
      break;
    }
  }
  const names = [...(make === undefined ? [] : [make]), ...tables.makeNames].sort(
    (a, b) => b.length - a.length,
  );
  const withoutMake = (from: string): string => {
    for (const name of names) {
      if (name.length >= from.length || !from.toLowerCase().startsWith(name.toLowerCase())) continue;
      const rest = from.slice(name.length);
      if (/^[\s_,-]+\S/.test(rest)) return rest.replace(/^[\s_,-]+/, '');
    }
    return from;
  };
  // Some say it twice: `Samsung Samsung M267x Series`, `Hewlett-Packard HP LaserJet`.
  return withoutMake(withoutMake(model));
}

/** First part of software ids: the table's vendor, else the make as a word. */
export function vendorOf(tables: Tables, make: string | undefined): string | undefined {
  return tables.vendor ?? (make === undefined || tidy(make) === '' ? undefined : slug(make));
}

/** Kind of a unit by its model; `usual` where no table knows it. */
export function unitKind(model: string | undefined, tables: Tables, usual: string): string {
  if (model === undefined) return usual;
  return tables.units.find((rule) => rule.fits.model?.test(model))?.kind ?? usual;
}

/** Whether a vendor's name is one of the printer's own make. */
export function isMake(name: string, tables: Tables): boolean {
  const squashed = squash(name);
  return (
    squashed === '' ||
    tables.makeNames.some((make) => squash(make) === squashed) ||
    squashed === squash(tables.vendor ?? '')
  );
}

/** Takes a model out of a description by the tables' patterns: `FS-539 staple` → `FS-539`. */
export function modelIn(description: string | undefined, tables: Tables): string | undefined {
  if (description === undefined) return undefined;
  for (const rule of tables.units) {
    const match = rule.fits.model?.exec(description);
    if (match?.[0]) return match[0];
  }
  return undefined;
}
