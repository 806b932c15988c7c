/** How the lanes of one group of rules are named within a printer (or within the fleet). */
import type { RuleGroup } from './compile.ts';
import { UNITS_NAMED_MAX } from './limits.ts';
import type { By } from './rule.ts';

/**
 * A lane is looked up for every entry. Where keys are kept by printer and unit the name is remembered for each unit,
 * so that no text is put together: units are called alike all over the fleet, and the printer has its lanes to itself.
 */
export class LaneNaming {
  /** What the name is made of besides the group. */
  readonly sort: 'nothing' | 'unit' | 'key';
  private readonly prefix: string;
  private readonly by: By[];
  private readonly byUnit = new Map<string, string>();

  constructor(group: RuleGroup, index: number) {
    this.prefix = `${index}`;
    this.by = group.rules[0]?.by ?? [];
    const { by } = this;
    const byUnit = by.length === 2 && by.includes('printer') && by.includes('unit');
    if (group.joint || (by.length === 1 && by[0] === 'printer')) this.sort = 'nothing';
    else this.sort = byUnit ? 'unit' : 'key';
  }

  /** The name where it is made of nothing but the group, or of the unit too. */
  ofUnit(unit: string): string {
    if (this.sort === 'nothing') return this.prefix;
    let name = this.byUnit.get(unit);
    if (name === undefined) {
      name = `${this.prefix} ${unit}`;
      if (this.byUnit.size >= UNITS_NAMED_MAX) this.byUnit.clear();
      this.byUnit.set(unit, name);
    }
    return name;
  }

  /** The name of the lane of a key of `printer`. */
  ofKey(key: string, printer: string): string {
    if (this.sort === 'nothing') return this.prefix;
    if (this.sort === 'key') return `${this.prefix} ${key}`;
    const unit =
      this.by[0] === 'printer' ? key.slice(printer.length + 1, -1) : key.slice(0, -(printer.length + 2));
    return this.ofUnit(unit);
  }
}
