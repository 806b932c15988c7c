/**
 * Builds the structure of one printer: first the hardware (places with models), then the firmware components, each of
 * which finds its unit by name. Nothing is dropped: a component that no table knows stays on the apparatus under its own
 * name.
 */
import type { InstalledSoftware } from '../../schemas/types.ts';
import type { PrinterStructure } from '../driver.ts';
import type { FoundUnit, Missing, Source } from './reading.ts';
import { TEXT_MAX } from './reading.ts';
import { expand, isMake, modelIn, type Tables, unitKind, vendorOf } from './tables.ts';
import { clip, meaningful, slug, tidy } from './text.ts';

/** Units a printer may have here; more are a fault of the printer (the wire contract takes 1,024). */
export const UNITS_MAX = 512;
/** Firmware components of one printer. */
export const SOFTWARE_MAX = 512;

/** Whether a row is a choice among trays instead of a tray: `Auto Select`. */
export function isChoiceOfTrays(name: string | undefined): boolean {
  return /^(?:auto(?:matic)?(?:[\s_-]*(?:select(?:ion)?|tray(?:[\s_-]*select)?|switch(?:ing)?))?|any(?:[\s_-]*tray)?)$/i.test(
    name?.trim() ?? '',
  );
}

/**
 * Whether a device id names a family of printers, `M998-M1003`. Then the model comes from elsewhere.
 */
export function namesFamily(model: string | undefined): boolean {
  return /\b([A-Z]{1,3})\d{2,}[a-z]{0,3}-\1\d{2,}/.test(model ?? '');
}

export interface UnitFacts {
  /** Symbol, unique in the printer: the place, not the model, so that an exchange keeps it. */
  symbol: string;
  /** Kind where no table knows the model. */
  kind: string;
  model?: string;
  /** What to call it where there is no model. */
  name?: string;
  serial?: string;
  hardware?: string;
}

export class StructureBuilder {
  readonly sources: Record<string, Source> = {};
  readonly missing: Missing[] = [];
  private readonly units: FoundUnit[] = [];
  /** Units whose model is only a description such as `Tray 1`: software may name the real one. */
  private readonly unnamed = new Set<FoundUnit>();
  private readonly apparatus: {
    model: string;
    serial?: string;
    hardware?: string;
    software: InstalledSoftware[];
  };
  private readonly tables: Tables;
  private readonly vendor: string | undefined;
  private readonly source: Source;
  private softwareCount = 0;

  constructor(
    source: Source,
    tables: Tables,
    apparatus: { make?: string; model?: string; serial?: string; hardware?: string },
  ) {
    this.source = source;
    this.tables = tables;
    this.vendor = vendorOf(tables, apparatus.make);
    const model = meaningful(apparatus.model, TEXT_MAX.model);
    const serial = meaningful(apparatus.serial, TEXT_MAX.serial);
    const hardware = meaningful(apparatus.hardware, TEXT_MAX.hardware);
    this.apparatus = {
      model: model ?? 'unknown',
      ...(serial === undefined ? {} : { serial }),
      ...(hardware === undefined ? {} : { hardware }),
      software: [],
    };
    if (model === undefined)
      this.missing.push({
        field: 'apparatus.model',
        because: 'Without a model the catalog has no entry for it.',
      });
    else this.note('apparatus.model');
    if (serial === undefined)
      this.missing.push({
        field: 'apparatus.serial',
        because: 'An exchanged printer cannot be told from the old one.',
      });
    else this.note('apparatus.serial');
    if (hardware !== undefined) this.note('apparatus.hardware');
  }

  private note(path: string): void {
    this.sources[path] = this.source;
  }

  unitAt(symbol: string): FoundUnit | undefined {
    return this.units.find((unit) => unit.symbol === symbol);
  }

  addUnit(facts: UnitFacts): FoundUnit | undefined {
    if (this.units.length >= UNITS_MAX) return undefined;
    const model = meaningful(facts.model, TEXT_MAX.model);
    const name = meaningful(facts.name, TEXT_MAX.model);
    const serial = meaningful(facts.serial, TEXT_MAX.serial);
    const hardware = meaningful(facts.hardware, TEXT_MAX.hardware);
    const unit: FoundUnit = {
      symbol: this.freeSymbol(facts.symbol),
      kind: clip(unitKind(model, this.tables, facts.kind), TEXT_MAX.kind),
      model: model ?? name ?? facts.kind,
      ...(serial === undefined ? {} : { serial }),
      ...(hardware === undefined ? {} : { hardware }),
      software: [],
    };
    if (model === undefined) this.unnamed.add(unit);
    this.note(`${unit.symbol}.model`);
    if (serial !== undefined) this.note(`${unit.symbol}.serial`);
    if (hardware !== undefined) this.note(`${unit.symbol}.hardware`);
    this.units.push(unit);
    return unit;
  }

  private freeSymbol(wanted: string): string {
    // `:` parts a subject from its software in the wire contract and controls are not allowed.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: taken out here
    const base = clip(wanted.replace(/[\u0000-\u001f:]+/g, '-'), TEXT_MAX.symbol - 8);
    if (base !== 'apparatus' && !this.unitAt(base)) return base;
    for (let n = 2; ; n++) {
      if (!this.unitAt(`${base}-${n}`)) return `${base}-${n}`;
    }
  }

  /** Models of the units so far. */
  get models(): Set<string> {
    return new Set(this.units.map((unit) => unit.model));
  }

  get hasApparatusSoftware(): boolean {
    return this.apparatus.software.length > 0;
  }

  /** The version that a unit's own row tells, under the unit's vendor where that is another than the printer's. */
  addUnitVersion(unit: FoundUnit, version: string, vendorName: string | undefined): void {
    if (this.softwareCount >= SOFTWARE_MAX) return;
    this.softwareCount++;
    const own = vendorName === undefined || isMake(vendorName, this.tables) ? undefined : slug(vendorName);
    this.install(
      unit.symbol,
      unit.software,
      slug(this.unnamed.has(unit) ? unit.kind : unit.model),
      unit.model,
      version,
      own,
    );
  }

  /**
   * Adds a firmware component. `version` may be missing: then anything that depends on it is unknown, never compatible.
   */
  addSoftware(name: string, version: string | undefined): void {
    if (this.softwareCount >= SOFTWARE_MAX) return;
    this.softwareCount++;
    const text = tidy(name);
    const rule = this.tables.software.find((candidate) => candidate.fits.name?.test(text));
    const named = this.unitNamedIn(text);
    if (named) {
      this.install(named.symbol, named.software, slug(named.model), text, version, rule?.vendor);
      return;
    }
    const known = modelIn(text, this.tables);
    if (known !== undefined) {
      const unit = this.unitFor(
        unitKind(known, this.tables, rule?.on ?? 'unit'),
        rule === undefined || rule.several === true,
        known,
        text,
      );
      if (unit) this.install(unit.symbol, unit.software, slug(known), text, version, rule?.vendor);
      return;
    }
    if (!rule || rule.on === 'apparatus') {
      this.install('apparatus', this.apparatus.software, rule?.id ?? slug(text), text, version, rule?.vendor);
      return;
    }
    const pattern = rule.fits.name;
    const model =
      rule.model && pattern ? meaningful(expand(pattern, text, rule.model), TEXT_MAX.model) : undefined;
    const unit = this.unitFor(rule.on, rule.several === true, model, text);
    if (!unit) return;
    this.install(unit.symbol, unit.software, rule.id ?? slug(model ?? rule.on), text, version, rule.vendor);
  }

  /** The unit whose model appears in the component's name as a separate word. */
  private unitNamedIn(text: string): FoundUnit | undefined {
    const haystack = ` ${text.toLowerCase()} `;
    return this.units.find((unit) => {
      if (this.unnamed.has(unit) || unit.model.length < 3) return false;
      const at = haystack.indexOf(unit.model.toLowerCase());
      if (at < 0) return false;
      const before = haystack[at - 1] ?? ' ';
      const after = haystack[at + unit.model.length] ?? ' ';
      return !/[\p{L}\p{N}]/u.test(before) && !/[\p{L}\p{N}]/u.test(after);
    });
  }

  private unitFor(
    kind: string,
    several: boolean,
    model: string | undefined,
    name: string,
  ): FoundUnit | undefined {
    const ofKind = this.units.filter((unit) => unit.kind === kind);
    // One unit of that kind whose model is only a description: this is its model.
    const unnamed = ofKind.filter((unit) => this.unnamed.has(unit));
    if (model !== undefined && unnamed.length === 1 && unnamed[0]) {
      unnamed[0].model = clip(model, TEXT_MAX.model);
      this.unnamed.delete(unnamed[0]);
      return unnamed[0];
    }
    if (model === undefined && ofKind.length === 1) return ofKind[0];
    if (model === undefined && ofKind.length > 1) {
      const bare = ofKind.find((unit) => unit.software.length === 0);
      if (bare) return bare;
    }
    const symbol = several ? `${kind}.${this.nextNumber(kind)}` : kind;
    return this.addUnit({ symbol, kind, ...(model === undefined ? {} : { model }), name });
  }

  private nextNumber(kind: string): number {
    let n = 1;
    while (this.unitAt(`${kind}.${n}`)) n++;
    return n;
  }

  private install(
    symbol: string,
    list: InstalledSoftware[],
    idTail: string,
    name: string,
    version: string | undefined,
    ruleVendor: string | undefined,
  ): void {
    const vendor = ruleVendor ?? this.vendor;
    const idOf = (tail: string) =>
      clip(vendor === undefined ? tail : `${vendor}.${tail}`, TEXT_MAX.softwareId);
    const shown = meaningful(version, TEXT_MAX.version);
    let id = idOf(idTail);
    const same = list.find((software) => software.id === id);
    if (same) {
      if (same.version === undefined && shown !== undefined) {
        same.version = shown;
        this.note(`${symbol}:${id}.version`);
        return;
      }
      if (same.version === shown || shown === undefined) return;
      // Two components that a table puts under one id: the second keeps its own name.
      id = idOf(slug(name));
      for (let n = 2; list.some((software) => software.id === id); n++) id = idOf(`${slug(name)}-${n}`);
    }
    list.push({
      id,
      ...(vendor === undefined ? {} : { vendor: clip(vendor, 128) }),
      ...(shown === undefined ? {} : { version: shown }),
    });
    this.note(`${symbol}:${id}`);
    if (shown === undefined) {
      this.missing.push({
        field: `${symbol}:${id}.version`,
        because: 'What depends on this version is unknown, never compatible.',
      });
    } else this.note(`${symbol}:${id}.version`);
  }

  structure(): PrinterStructure {
    const software =
      this.apparatus.software.length + this.units.reduce((sum, unit) => sum + unit.software.length, 0);
    if (software === 0) {
      this.missing.push({
        field: 'software',
        because: 'Without a firmware version compatibility stays unknown; add the other protocol.',
      });
    }
    return { apparatus: this.apparatus, units: this.units };
  }

  get symbols(): Set<string> {
    return new Set(this.units.map((unit) => unit.symbol));
  }

  get counted(): { units: number; software: number } {
    return { units: this.units.length, software: this.softwareCount };
  }
}
