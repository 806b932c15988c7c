/**
 * A naive implementation of the conditions on readings, from `docs/reference/trouble-rules.md` alone: every step goes
 * through all earlier readings. All times are whole minutes.
 */
export interface OracleReading {
  printer: string;
  number: number;
  minute: number;
  /** Undefined: not in this reading. */
  pages?: number | undefined;
  reasons?: string[] | undefined;
  supplies: { symbol: string; kind: string; left: number | undefined; exchanged: boolean }[];
}

export type ReadingLeaf =
  | { supply: { kind: string | undefined; lt: number } }
  | { ge: number }
  | { every: number }
  | { reason: { is: string; for: number } };

export type ReadingCondition =
  | ReadingLeaf
  | { all: ReadingCondition[] }
  | { any: ReadingCondition[] }
  | { not: ReadingCondition };

export interface ReadingRule {
  id: string;
  by: ['printer'] | ['printer', 'unit'];
  when: ReadingCondition;
  /** Minutes of quiet; undefined: not in the rule. */
  quiet: number | undefined;
  dedup: number | undefined;
}

export interface ReadingTrouble {
  rule: string;
  printer: string;
  unit: string | undefined;
  openedMinute: number;
  closedMinute: number | undefined;
  reopened: number;
  count: number;
}

/** A reading gives one step for the printer as a whole and one for each of its supplies. */
interface Step {
  minute: number;
  order: number;
  reading: OracleReading;
  /** Undefined: the printer as a whole. */
  supply: OracleReading['supplies'][number] | undefined;
}

function stepsOf(readings: OracleReading[]): Step[] {
  const steps: Omit<Step, 'order'>[] = [];
  for (const reading of readings) {
    steps.push({ minute: reading.minute, reading, supply: undefined });
    const sorted = [...reading.supplies].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
    for (const supply of sorted) steps.push({ minute: reading.minute, reading, supply });
  }
  return steps.map((step, order) => ({ ...step, order }));
}

function leaves(condition: ReadingCondition, odd = false): { leaf: ReadingLeaf; odd: boolean }[] {
  if ('all' in condition) return condition.all.flatMap((part) => leaves(part, odd));
  if ('any' in condition) return condition.any.flatMap((part) => leaves(part, odd));
  if ('not' in condition) return leaves(condition.not, !odd);
  return [{ leaf: condition, odd }];
}

const named = (reasons: string[], is: string) =>
  reasons.some((one) => one === is || one === `${is}-warning` || one === `${is}-error`);

/**
 * The steps that began the current state, and whether the leaf holds: a reason with `for` holds only that long after it
 * began.
 */
function look(
  leaf: ReadingLeaf,
  seen: Step[],
  now: number,
  passed: boolean,
): { begun: Step[]; holds: boolean } {
  const begun = new Map<string, Step>();
  let before: number | undefined;
  let crossed: Step | undefined;
  for (const step of seen) {
    const { supply, reading } = step;
    if ('supply' in leaf) {
      if (!supply || (leaf.supply.kind !== undefined && leaf.supply.kind !== supply.kind)) continue;
      if (supply.exchanged) begun.delete(supply.symbol);
      const low = supply.left !== undefined && supply.left < leaf.supply.lt;
      if (low && !begun.has(supply.symbol)) begun.set(supply.symbol, step);
      continue;
    }
    if (supply) continue;
    if ('ge' in leaf) {
      if (reading.pages === undefined) continue;
      if (reading.pages < leaf.ge) begun.clear();
      else if (!begun.has('')) begun.set('', step);
    } else if ('every' in leaf) {
      const { pages } = reading;
      if (pages === undefined) continue;
      const passes = before !== undefined && Math.floor(pages / leaf.every) > Math.floor(before / leaf.every);
      crossed = passes ? step : crossed;
      before = pages;
    } else if (reading.reasons) {
      if (!named(reading.reasons, leaf.reason.is)) begun.clear();
      else if (!begun.has('')) begun.set('', step);
    }
  }
  if ('every' in leaf) {
    const holds = crossed?.minute === now;
    return { begun: holds && crossed ? [crossed] : [], holds };
  }
  const all = [...begun.values()];
  if (!('reason' in leaf) || leaf.reason.for === 0) return { begun: all, holds: all.length > 0 };
  const due = (all[0]?.minute ?? Number.POSITIVE_INFINITY) + leaf.reason.for;
  return { begun: all, holds: due < now || (due === now && passed) };
}

/** The troubles of readings, given in order, as of minute `end`. */
export function readingOracle(
  rules: ReadingRule[],
  readings: OracleReading[],
  end: number,
): ReadingTrouble[] {
  const troubles: ReadingTrouble[] = [];
  for (const rule of rules) {
    for (const printer of new Set(readings.map((one) => one.printer))) {
      const steps = stepsOf(readings.filter((one) => one.printer === printer));
      const units =
        rule.by.length === 1
          ? [undefined]
          : ['', ...new Set(steps.flatMap(({ supply }) => supply?.symbol ?? []))];
      for (const unit of units) {
        const mine =
          unit === undefined ? steps : steps.filter(({ supply }) => (supply?.symbol ?? '') === unit);
        troubles.push(
          ...keyTroubles(rule, mine, end).map((one) => ({ ...one, printer, unit: unit || undefined })),
        );
      }
    }
  }
  return troubles;
}

function keyTroubles(rule: ReadingRule, steps: Step[], end: number) {
  type Trouble = Omit<ReadingTrouble, 'printer' | 'unit' | 'count'> & {
    evidence: Set<number>;
    since: number;
    count: number;
  };
  const all = leaves(rule.when);
  const states = all.filter(({ leaf, odd }) => !odd && !('every' in leaf));
  const positive = all.filter(({ odd }) => !odd);
  // Without `clear` a trouble closes on its own only when all of its signs are states.
  const onlyStates = positive.length > 0 && positive.every(({ leaf }) => !('every' in leaf));
  const quiet = rule.quiet ?? (onlyStates ? 0 : undefined);
  const troubles: Trouble[] = [];
  const seen: Step[] = [];
  let opened: { minute: number; before: Trouble[] } | undefined;
  let lastSign = Number.NEGATIVE_INFINITY;
  let passed = false;
  let now = 0;
  const holds = (condition: ReadingCondition): boolean => {
    if ('all' in condition) return condition.all.every(holds);
    if ('any' in condition) return condition.any.some(holds);
    if ('not' in condition) return !holds(condition.not);
    return look(condition, seen, now, passed).holds;
  };
  const openOne = () => {
    const last = troubles.at(-1);
    return last && last.closedMinute === undefined ? last : undefined;
  };
  const consider = (sign: Step | undefined) => {
    const open = openOne();
    if (open) {
      if (sign) open.evidence.add(sign.order);
      return;
    }
    if (!holds(rule.when)) return;
    if (all.some(({ odd }) => odd)) opened = { minute: now, before: structuredClone(troubles) };
    const evidence = positive
      .map(({ leaf }) => look(leaf, seen, now, passed))
      .flatMap((one) => (one.holds ? one.begun : []))
      .map(({ order }) => order);
    const last = troubles.at(-1);
    if (
      last?.closedMinute !== undefined &&
      rule.dedup !== undefined &&
      now - last.closedMinute <= rule.dedup
    ) {
      last.closedMinute = undefined;
      last.since = now;
      last.reopened += 1;
      for (const one of evidence) last.evidence.add(one);
      return;
    }
    troubles.push({
      rule: rule.id,
      openedMinute: now,
      closedMinute: undefined,
      reopened: 0,
      since: now,
      count: 0,
      evidence: new Set(evidence),
    });
  };
  for (now = 0; now <= end; now += 1) {
    passed = false;
    for (const step of steps.filter(({ minute }) => minute === now)) {
      const then = all.map(({ leaf }) => look(leaf, seen, now, passed));
      seen.push(step);
      let sign = false;
      let ended = false;
      let eased = false;
      for (const [index, { leaf, odd }] of all.entries()) {
        const after = look(leaf, seen, now, passed);
        const before = then[index];
        const begins = after.begun.some((one) => one === step);
        const waits = 'reason' in leaf && leaf.reason.for > 0;
        if (odd) eased ||= before?.holds === true && !after.holds;
        else {
          sign ||= begins && !waits;
          ended ||= !('every' in leaf) && before?.holds === true && !after.holds;
        }
      }
      const open = openOne();
      if (ended && open) open.since = now;
      // All of a minute is seen first: a trouble that one part of it opens and another forbids never existed.
      if (opened?.minute === now && !holds(rule.when)) {
        troubles.splice(0, troubles.length, ...opened.before);
        opened = undefined;
      }
      if (sign || ended) lastSign = now;
      if (sign) consider(step);
      else if (eased) consider(undefined);
    }
    const due = all.filter(
      ({ leaf }) =>
        'reason' in leaf &&
        leaf.reason.for > 0 &&
        look(leaf, seen, now, false).begun[0]?.minute === now - leaf.reason.for,
    );
    passed = true;
    if (due.length > 0) {
      for (const { leaf, odd } of due) {
        if (odd) continue;
        lastSign = now;
        for (const one of look(leaf, seen, now, passed).begun) openOne()?.evidence.add(one.order);
      }
      consider(undefined);
    }
    const open = openOne();
    const lasts = states.some(({ leaf }) => look(leaf, seen, now, passed).holds);
    if (open && quiet !== undefined && !lasts && now >= Math.max(lastSign, open.since) + quiet)
      open.closedMinute = now;
  }
  return troubles.map(({ evidence, since: _since, ...trouble }) => ({ ...trouble, count: evidence.size }));
}
