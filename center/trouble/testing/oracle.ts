/**
 * A naive reading of the rules: keeps every entry, walks through time minute by minute, looks at everything anew at
 * each step. Slow, and written without a look at the engine's data structures: what it says is what is meant. All
 * times are whole minutes.
 */

export interface OracleEntry {
  printer: string;
  seq: number;
  minute: number;
  code: string;
  unit: string | undefined;
  pages: number | undefined;
}

export type OracleCondition =
  | { count: { ge: number; over: number } }
  | { distinct: { ge: number; over: number } }
  | { rate: { n: number; ge: number; min: number; over: number } }
  | { bucket: { ge: number; drain?: { amount: number; pages?: number; every?: number }; reset?: number } }
  | { seq: { of: string[]; within: number } }
  | { cooccur: { of: string[]; within: number } }
  | { absent: { after: string; of: string; within: number } }
  | { flap: { of: [string, string]; ge: number; over: number } }
  | { silence: { over: number } }
  | { all: OracleCondition[] }
  | { any: OracleCondition[] };

export interface OracleRule {
  id: string;
  /** Codes that pass the rule's `where`. */
  codes: string[];
  byUnit: boolean;
  when: OracleCondition;
  clear: { quiet: number } | { lt: number; over: number } | undefined;
  dedup: number | undefined;
  suppressedBy: string[];
}

export interface OracleTrouble {
  rule: string;
  printer: string;
  unit: string | undefined;
  openedMinute: number;
  closedMinute: number | undefined;
  reopened: number;
  /** All entries counted to it. */
  evidence: number[];
}

interface Key {
  rule: OracleRule;
  printer: string;
  unit: string | undefined;
  seen: OracleEntry[];
  lastSign: number;
  signs: number[];
  trouble: OracleTrouble | undefined;
}

type Leaf = Exclude<OracleCondition, { all: OracleCondition[] } | { any: OracleCondition[] }>;

function leaves(condition: OracleCondition): Leaf[] {
  if ('all' in condition) return condition.all.flatMap(leaves);
  if ('any' in condition) return condition.any.flatMap(leaves);
  return [condition];
}

function isSign(condition: OracleCondition, entry: OracleEntry): boolean {
  return leaves(condition).some((leaf) => {
    if ('seq' in leaf) return leaf.seq.of.includes(entry.code);
    if ('cooccur' in leaf) return leaf.cooccur.of.includes(entry.code);
    if ('flap' in leaf) return leaf.flap.of.includes(entry.code);
    return !('absent' in leaf) && !('silence' in leaf);
  });
}

/** The latest chain of the patterns within the window, or undefined: tries every way. */
function chain(seen: OracleEntry[], of: string[], from: number): OracleEntry[] | undefined {
  let best: OracleEntry[] | undefined;
  const extend = (start: number, got: OracleEntry[]): void => {
    if (got.length === of.length) {
      const better = !best || later(seen, got, best);
      if (better) best = got.slice();
      return;
    }
    for (let index = start; index < seen.length; index += 1) {
      const entry = seen[index] as OracleEntry;
      if (entry.code === of[got.length]) extend(index + 1, [...got, entry]);
    }
  };
  extend(
    seen.findIndex((entry) => entry.minute >= from) < 0
      ? seen.length
      : seen.findIndex((entry) => entry.minute >= from),
    [],
  );
  return best;
}

// The one that began later; of those the one whose last, then last but one … came later.
function later(seen: OracleEntry[], one: OracleEntry[], other: OracleEntry[]): boolean {
  for (let index = one.length; index > 0; index -= 1) {
    const at = index === one.length ? 0 : index;
    const difference = place(seen, one[at]) - place(seen, other[at]);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function place(seen: OracleEntry[], entry: OracleEntry | undefined): number {
  return entry ? seen.indexOf(entry) : -1;
}

function bucketFill(seen: OracleEntry[], leaf: Extract<Leaf, { bucket: object }>, now: number) {
  const { drain, reset } = leaf.bucket;
  let level = 0;
  let filled: OracleEntry[] = [];
  let counter: number | undefined;
  const drained = (elapsed: number, clean: number) => {
    if (reset !== undefined && clean >= reset) return 0;
    if (!drain) return level;
    const steps =
      drain.every === undefined ? Math.floor(clean / (drain.pages ?? 1)) : Math.floor(elapsed / drain.every);
    return Math.max(0, level - steps * drain.amount);
  };
  let last: OracleEntry | undefined;
  for (const entry of seen) {
    if (last) {
      const clean =
        counter !== undefined && entry.pages !== undefined ? Math.max(0, entry.pages - counter) : 0;
      level = drained(entry.minute - last.minute, clean);
    }
    if (level === 0) filled = [];
    level += 1;
    filled.push(entry);
    if (entry.pages !== undefined) counter = entry.pages;
    last = entry;
  }
  if (last && drain?.every !== undefined) level = drained(now - last.minute, 0);
  return { level, filled };
}

/**
 * Whether a leaf holds at the end of minute `now`'s entries so far, and by which entries: of those that
 * are counted, the newest as many as are needed.
 */
function look(leaf: Leaf, key: Key, now: number, all: OracleEntry[]): OracleEntry[] | undefined {
  const { seen } = key;
  if ('count' in leaf) {
    const found = seen.filter((entry) => entry.minute >= now - leaf.count.over);
    return found.length >= leaf.count.ge ? found.slice(-leaf.count.ge) : undefined;
  }
  if ('distinct' in leaf) {
    const newest = new Map<string, OracleEntry>();
    for (const entry of seen) if (entry.minute >= now - leaf.distinct.over) newest.set(entry.code, entry);
    const latest = [...newest.values()].sort((a, b) => place(seen, a) - place(seen, b));
    return latest.length >= leaf.distinct.ge ? latest.slice(-leaf.distinct.ge) : undefined;
  }
  if ('rate' in leaf) {
    const { n, ge, min, over } = leaf.rate;
    const last = seen.at(-1);
    if (!last || last.minute < now - over) return undefined;
    const counters = all.filter(
      (entry) =>
        entry.printer === key.printer &&
        entry.pages !== undefined &&
        entry.minute >= last.minute - over &&
        (entry.minute < last.minute || (entry.minute === last.minute && entry.seq <= last.seq)),
    );
    let pages = 0;
    counters.forEach((entry, index) => {
      const before = counters[index - 1];
      if (before) pages += Math.max(0, (entry.pages ?? 0) - (before.pages ?? 0));
    });
    const found = seen.filter((entry) => entry.minute >= last.minute - over);
    const holds = pages > 0 && pages >= min && (found.length * n) / pages >= ge;
    return holds ? seen.filter((entry) => entry.minute >= now - over) : undefined;
  }
  if ('bucket' in leaf) {
    const { level, filled } = bucketFill(seen, leaf, now);
    return level >= leaf.bucket.ge ? filled.slice(-leaf.bucket.ge) : undefined;
  }
  if ('seq' in leaf) return chain(seen, leaf.seq.of, now - leaf.seq.within);
  if ('cooccur' in leaf) {
    const found = leaf.cooccur.of.map((code) =>
      seen.findLast((entry) => entry.code === code && entry.minute >= now - leaf.cooccur.within),
    );
    return found.every((entry) => entry !== undefined) ? [...new Set(found as OracleEntry[])] : undefined;
  }
  if ('absent' in leaf) {
    const { after, of, within } = leaf.absent;
    const fired = seen.filter(
      (entry, index) =>
        entry.code === after &&
        entry.minute + within <= now &&
        !seen.slice(index + 1).some((later) => later.code === of),
    );
    // Within the minute in which it falls due it has not fired before the minute's entries were seen.
    const due = fired.filter((entry) => entry.minute + within < now || key.passed >= now);
    return due.length > 0 ? due.slice(-1) : undefined;
  }
  if ('flap' in leaf) {
    const sides = seen.filter((entry) => leaf.flap.of.includes(entry.code));
    const changes = sides.filter(
      (entry, index) =>
        index > 0 && entry.code !== sides[index - 1]?.code && entry.minute >= now - leaf.flap.over,
    );
    return changes.length >= leaf.flap.ge ? changes.slice(-leaf.flap.ge) : undefined;
  }
  const last = seen.at(-1);
  if (!last) return undefined;
  const silent =
    last.minute + leaf.silence.over < now || (last.minute + leaf.silence.over === now && key.passed >= now);
  return silent ? [last] : undefined;
}

interface Key {
  /** The last minute whose entries were all seen. */
  passed: number;
}

function holds(condition: OracleCondition, key: Key, now: number, all: OracleEntry[]): boolean {
  if ('all' in condition) return condition.all.every((part) => holds(part, key, now, all));
  if ('any' in condition) return condition.any.some((part) => holds(part, key, now, all));
  return look(condition, key, now, all) !== undefined;
}

/** The troubles of a log as of minute `end`, by opening. `entries` in any order. */
export function oracle(rules: OracleRule[], entries: OracleEntry[], end: number): OracleTrouble[] {
  const log = [...entries].sort(
    (a, b) => a.minute - b.minute || (a.printer < b.printer ? -1 : a.printer > b.printer ? 1 : a.seq - b.seq),
  );
  const keys = new Map<string, Key>();
  const ended: OracleTrouble[] = [];
  const silenced = (key: Key) =>
    [...keys.values()].some(
      (other) =>
        other.printer === key.printer &&
        key.rule.suppressedBy.includes(other.rule.id) &&
        other.trouble !== undefined &&
        other.trouble.closedMinute === undefined,
    );

  const consider = (key: Key, now: number, sign: OracleEntry | undefined) => {
    const { rule, trouble } = key;
    if (trouble && trouble.closedMinute === undefined) {
      if (sign) trouble.evidence.push(sign.seq);
      return;
    }
    if (!holds(rule.when, key, now, log) || silenced(key)) return;
    const found = leaves(rule.when).flatMap((leaf) => look(leaf, key, now, log) ?? []);
    const evidence = [...new Set(found)]
      .sort((a, b) => a.minute - b.minute || a.seq - b.seq)
      .map(({ seq }) => seq);
    if (
      trouble?.closedMinute !== undefined &&
      rule.dedup !== undefined &&
      now - trouble.closedMinute <= rule.dedup
    ) {
      trouble.closedMinute = undefined;
      trouble.reopened += 1;
      for (const seq of evidence) if (!trouble.evidence.includes(seq)) trouble.evidence.push(seq);
      return;
    }
    if (trouble) ended.push(trouble);
    key.trouble = {
      rule: rule.id,
      printer: key.printer,
      unit: key.unit,
      openedMinute: now,
      closedMinute: undefined,
      reopened: 0,
      evidence,
    };
  };

  for (let now = 0; now <= end; now += 1) {
    for (const entry of log.filter(({ minute }) => minute === now)) {
      for (const rule of rules) {
        if (!rule.codes.includes(entry.code)) continue;
        const unit = rule.byUnit ? entry.unit : undefined;
        const name = JSON.stringify([rule.id, entry.printer, unit]);
        const key = keys.get(name) ?? {
          rule,
          printer: entry.printer,
          unit,
          seen: [],
          lastSign: Number.NEGATIVE_INFINITY,
          signs: [],
          trouble: undefined,
          passed: Number.NEGATIVE_INFINITY,
        };
        keys.set(name, key);
        const wasSilent = leaves(rule.when).some((leaf) => 'silence' in leaf && look(leaf, key, now, log));
        key.seen.push(entry);
        const sign = isSign(rule.when, entry);
        if (sign || wasSilent) {
          key.lastSign = now;
          key.signs.push(now);
        }
        if (sign) consider(key, now, entry);
      }
    }
    for (const rule of rules) {
      for (const key of keys.values()) {
        if (key.rule === rule) passMinute(key, now, log, consider);
      }
    }
  }
  const open = [...keys.values()].flatMap(({ trouble }) => trouble ?? []);
  return [...ended, ...open];
}

function passMinute(
  key: Key,
  now: number,
  log: OracleEntry[],
  consider: (key: Key, now: number, sign: OracleEntry | undefined) => void,
): void {
  key.passed = now;
  const { rule, seen } = key;
  for (const leaf of leaves(rule.when)) {
    if ('absent' in leaf) {
      const { after, of, within } = leaf.absent;
      seen.forEach((entry, index) => {
        if (entry.code !== after || entry.minute + within !== now) return;
        if (seen.slice(index + 1).some((later) => later.code === of)) return;
        fire(key, now, entry);
      });
    } else if ('silence' in leaf) {
      const last = seen.at(-1);
      if (last && last.minute + leaf.silence.over === now) fire(key, now, last);
    }
  }
  const { trouble } = key;
  if (!trouble || trouble.closedMinute !== undefined || !rule.clear) return;
  if (leaves(rule.when).some((leaf) => 'silence' in leaf && look(leaf, key, now, log))) return;
  if ('quiet' in rule.clear) {
    if (now >= key.lastSign + rule.clear.quiet) trouble.closedMinute = now;
    return;
  }
  // Counted just after this minute: what is exactly `over` old is about to leave.
  const { lt, over } = rule.clear;
  if (key.signs.filter((sign) => sign > now - over).length < lt) trouble.closedMinute = now;

  function fire(mine: Key, at: number, entry: OracleEntry): void {
    mine.lastSign = at;
    mine.signs.push(at);
    consider(mine, at, undefined);
    const { trouble: open } = mine;
    if (open && open.closedMinute === undefined && !open.evidence.includes(entry.seq)) {
      open.evidence.push(entry.seq);
    }
  }
}
