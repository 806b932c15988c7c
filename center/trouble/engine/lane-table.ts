/** All lanes of the engine, by printer and across printers: finds them and creates new ones within the limits. */
import type { CompiledRules, RuleGroup } from './compile.ts';
import type { Match } from './context.ts';
import { FleetLanes } from './fleet-lanes.ts';
import type { KeyScope } from './key-state.ts';
import { keyOf, scopeOf, scopeOfKey, unitOfKey } from './keys.ts';
import { Lane } from './lane.ts';
import type { EngineLimits } from './limits.ts';
import { PrinterRecord } from './printer-record.ts';
import type { CompiledRule } from './rule.ts';
import type { Settlement } from './settlement.ts';
import type { Facts } from './where.ts';

/** A printer with too many keys is swept once per this many refused sightings. */
const CROWDED_SWEEP_EVERY = 64;

export interface LaneTableOptions {
  rules: CompiledRules;
  limits: EngineLimits;
  /** Report troubles as they change, not at the end of a replay. */
  prompt: boolean;
  settlement: Settlement;
  /** Called once when a printer reaches the maximum of keys for a rule: sightings of further keys are only counted. */
  onCrowded: (rule: string, printer: string) => void;
}

export class LaneTable {
  readonly printers = new Map<string, PrinterRecord>();
  readonly fleet: FleetLanes;
  /** Sightings refused because a maximum of keys was reached. */
  crowded = 0;
  readonly #options: LaneTableOptions;
  readonly #usesPages: boolean;
  readonly #groupIndex: ReadonlyMap<RuleGroup, number>;
  /** Rules and printers for which `onCrowded` was called. */
  readonly #crowds = new Set<string>();

  constructor(options: LaneTableOptions) {
    this.#options = options;
    const { rules, limits, settlement } = options;
    this.#usesPages = rules.pagesMaxMs > 0;
    this.#groupIndex = new Map(rules.groups.map((group, index) => [group, index]));
    this.fleet = new FleetLanes(settlement, limits.fleetPendingMax);
  }

  /** A printer's record, made when there is none. */
  printer(id: string): PrinterRecord {
    let printer = this.printers.get(id);
    if (!printer) {
      printer = new PrinterRecord(id, this.#usesPages, this.#options.limits.readingsMax);
      this.printers.set(id, printer);
    }
    return printer;
  }

  *lanes(): Generator<Lane> {
    for (const printer of this.printers.values()) yield* printer.lanes.values();
    yield* this.fleet.values();
  }

  /** The lane of a rule, found by its whole key. */
  keyed(record: PrinterRecord, match: Match, facts: Facts): Lane | undefined {
    const key = keyOf(match.rule, facts);
    return match.perPrinter ? record.lanes.keyed(match.group, key) : this.fleet.find(match.group, key);
  }

  /** Creates the lane for the entry described by `facts`; undefined when a limit is reached. */
  begin(record: PrinterRecord, match: Match, facts: Facts): Lane | undefined {
    const { limits, rules } = this.#options;
    const { rule } = match;
    // Printers choose their units and codes; one printer must not fill the memory with them.
    if (match.perPrinter) {
      if (record.lanes.size >= record.sweepAt) this.sweep(record);
      if (record.lanes.size >= limits.keysMax) return this.#refuse(rule, record);
    } else if (this.fleet.size >= limits.keysFleetMax) {
      return this.#refuse(rule, record);
    }
    if (record.begunFor(match.group) >= limits.keysPerRuleMax) {
      // Dropped lanes make room. A printer that floods is not swept at every entry.
      if (match.perPrinter && this.crowded % CROWDED_SWEEP_EVERY === 0) this.sweep(record);
      if (record.begunFor(match.group) >= limits.keysPerRuleMax) return this.#refuse(rule, record);
    }
    record.begin(match.group);
    const group = rules.groups[match.group] as RuleGroup;
    // Many rules are kept by printer and unit: they share the text of the key and its scope.
    const there = match.sharesUnit ? record.lanes.units.get(facts.unit ?? '') : undefined;
    const key = there?.key ?? keyOf(rule, facts);
    const scope = there?.scope ?? scopeOf(rule, facts);
    const lane = this.#make(record, group, key, scope);
    if (!there) return this.add(match.perPrinter ? record : undefined, match.group, lane);
    record.lanes.addTo(there, match.group, lane);
    return lane;
  }

  /** Adds a key to a joint lane, unless it has too many. */
  addScope(lane: Lane, match: Match, slot: string, facts: Facts): boolean {
    const { scopes } = lane;
    if (!scopes || scopes.has(slot)) return true;
    if (scopes.size >= this.#options.limits.keysJointMax) {
      this.crowded += 1;
      return false;
    }
    scopes.set(slot, scopeOf(match.rule, facts));
    return true;
  }

  #refuse(rule: CompiledRule, { id }: PrinterRecord): undefined {
    this.crowded += 1;
    const crowd = `${rule.id}\u001f${id}`;
    if (this.#crowds.has(crowd)) return;
    this.#crowds.add(crowd);
    this.#options.onCrowded(rule.id, id);
  }

  #make(record: PrinterRecord | undefined, group: RuleGroup, key: string, scope: KeyScope): Lane {
    const odometer = group.usesPages ? record?.odometer : undefined;
    const lane = new Lane(group, key, scope, odometer, this.#options.prompt);
    lane.settleAt = this.#options.limits.settleMin;
    return lane;
  }

  /** @param record undefined for a rule kept across printers */
  add(record: PrinterRecord | undefined, index: number, lane: Lane): Lane {
    const { sort, rules } = this.#options.rules.groups[index] as RuleGroup;
    const { scope, key = '' } = lane;
    if (!record) {
      this.fleet.add(index, key, lane);
    } else if (sort === 'one') {
      record.lanes.addOne(index, lane);
    } else if (sort === 'unit') {
      const by = rules[0]?.by ?? [];
      const unit = unitOfKey(by, key, record.id);
      record.lanes.addToUnit(index, unit, lane, () => ({
        key: `${record.id}\u001f${unit}\u001f`,
        scope,
      }));
    } else {
      record.lanes.addKeyed(index, key, lane);
    }
    return lane;
  }

  #find(record: PrinterRecord | undefined, index: number, key: string): Lane | undefined {
    if (!record) return this.fleet.find(index, key);
    const { sort, rules } = this.#options.rules.groups[index] as RuleGroup;
    if (sort === 'one') return record.lanes.one(index);
    if (sort === 'key') return record.lanes.keyed(index, key);
    return record.lanes.units.get(unitOfKey(rules[0]?.by ?? [], key, record.id))?.lanes.get(index);
  }

  /** The lane of a rule's key, created when missing; undefined when the rule is not in force. */
  laneFor(
    rule: string,
    printer: string | undefined,
    key: string,
  ): { lane: Lane; place: number; record: PrinterRecord | undefined } | undefined {
    const { groups } = this.#options.rules;
    const index = groups.findIndex(({ rules }) => rules.some(({ id }) => id === rule));
    const group = groups[index];
    if (!group) return undefined;
    const place = group.rules.findIndex(({ id }) => id === rule);
    const compiled = group.rules[place] as CompiledRule;
    if (compiled.perPrinter && printer === undefined) return undefined;
    const record = compiled.perPrinter && printer !== undefined ? this.printer(printer) : undefined;
    const lane =
      this.#find(record, index, key) ??
      this.add(record, index, this.#make(record, group, key, scopeOfKey(compiled, key)));
    return { lane, place, record };
  }

  /** Settles a printer's lanes and drops those that no longer matter. */
  sweep(record: PrinterRecord): void {
    this.#options.settlement.sweep(record);
    this.recount(record);
  }

  /** Recounts the keys of rules kept by printer, after lanes were dropped or restored. */
  recount(record: PrinterRecord): void {
    const { groups } = this.#options.rules;
    const kept = [...record.lanes.values()].map(({ group }) => this.#groupIndex.get(group) ?? -1);
    record.recountBegun((index) => groups[index]?.rules[0]?.perPrinter === true, kept);
  }

  /** Drops a printer's record. @returns its lanes */
  forget(printer: string): Lane[] {
    const lanes = [...(this.printers.get(printer)?.lanes.values() ?? [])];
    this.printers.delete(printer);
    for (const { id } of this.#options.rules.rules) this.#crowds.delete(`${id}\u001f${printer}`);
    return lanes;
  }
}
