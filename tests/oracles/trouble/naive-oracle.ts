/**
 * A naive implementation of the rules: keeps every entry, walks through time minute by minute, and re-evaluates
 * everything at each step. Slow, and written independently of the engine's data structures: it defines the intended
 * behaviour. All times are whole minutes; "just after" a minute is a little more.
 */

export interface OracleEntry {
  printer: string;
  seq: number;
  minute: number;
  code: string;
  unit: string | undefined;
  pages: number | undefined;
}

/** Codes that a condition counts; default: every entry that passes the rule's `where`. */
interface Own {
  codes?: string[];
}

export type OracleLeaf =
  | { count: { ge: number; over: number } & Own }
  | { distinct: { ge: number; over: number } & Own }
  | { rate: { n: number; ge: number; min: number; over: number } & Own }
  | {
      bucket: {
        ge: number;
        add: number;
        drain?: { amount: number; pages?: number; every?: number };
        reset?: number;
      } & Own;
    }
  | { seq: { of: string[]; within: number } }
  | { cooccur: { of: string[]; within: number } }
  | { absent: { after: string; of: string; within: number } }
  | { flap: { of: [string, string]; ge: number; over: number } }
  | { silence: { over: number } & Own };

export type OracleCondition =
  | OracleLeaf
  | { all: OracleCondition[] }
  | { any: OracleCondition[] }
  | { not: OracleCondition };

export type OracleBy = 'printer' | 'unit' | 'code';

export interface OracleRule {
  id: string;
  /** Codes that pass the rule's `where`. */
  codes: string[];
  /** Empty: one state for the whole fleet. */
  by: OracleBy[];
  when: OracleCondition;
  clear: { quiet: number } | { lt: number; over: number } | undefined;
  dedup: number | undefined;
  /** Severity levels as [name, lowest measure], ascending. */
  severity: [string, number][];
  suppressedBy: string[];
}

export interface OracleTrouble {
  rule: string;
  printer: string | undefined;
  unit: string | undefined;
  code: string | undefined;
  openedMinute: number;
  closedMinute: number | undefined;
  reopened: number;
  severity: string;
  /** All entries counted towards it. */
  evidence: number[];
}

interface Trouble extends OracleTrouble {
  measure: number;
  /** When it last opened: quiet begins then at the earliest. */
  since: number;
}

interface Key {
  rule: OracleRule;
  scope: Partial<Record<OracleBy, string>>;
  seen: OracleEntry[];
  lastSign: number;
  signs: number[];
  trouble: Trouble | undefined;
  /** The last minute whose entries have all been seen. */
  passed: number;
  /** State before the key's trouble last opened, for rules with a `not`. */
  opened: { minute: number; before: Trouble | undefined; old: Trouble | undefined } | undefined;
}

const AFTER = 1e-6;

/** The leaves, and whether each is under an odd number of `not`s. */
function leaves(condition: OracleCondition, odd = false): { leaf: OracleLeaf; odd: boolean }[] {
  if ('all' in condition) return condition.all.flatMap((part) => leaves(part, odd));
  if ('any' in condition) return condition.any.flatMap((part) => leaves(part, odd));
  if ('not' in condition) return leaves(condition.not, !odd);
  return [{ leaf: condition, odd }];
}

const wanted = (leaf: OracleLeaf): string[] | undefined => (Object.values(leaf)[0] as Own).codes;

/** The entries that a leaf counts. */
function counted(leaf: OracleLeaf, seen: OracleEntry[]): OracleEntry[] {
  const codes = wanted(leaf);
  return codes ? seen.filter(({ code }) => codes.includes(code)) : seen;
}

/** Whether the entry is a sign of the trouble for this leaf. */
function takes(leaf: OracleLeaf, { code }: OracleEntry): boolean {
  if ('seq' in leaf) return leaf.seq.of.includes(code);
  if ('cooccur' in leaf) return leaf.cooccur.of.includes(code);
  if ('flap' in leaf) return leaf.flap.of.includes(code);
  if ('absent' in leaf || 'silence' in leaf) return false;
  return wanted(leaf)?.includes(code) ?? true;
}

/** Whether an entry that passed the rule's `where` affects it. */
function concerns(rule: OracleRule, { code }: OracleEntry): boolean {
  return leaves(rule.when).some(({ leaf }) => {
    if ('seq' in leaf) return leaf.seq.of.includes(code);
    if ('cooccur' in leaf) return leaf.cooccur.of.includes(code);
    if ('flap' in leaf) return leaf.flap.of.includes(code);
    if ('absent' in leaf) return leaf.absent.after === code || leaf.absent.of === code;
    return wanted(leaf)?.includes(code) ?? true;
  });
}

/** The latest chain of the codes within the window, or undefined: tries every combination. */
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
  const first = seen.findIndex((entry) => entry.minute >= from);
  extend(first < 0 ? seen.length : first, []);
  return best;
}

// The chain that began later; among equals, the one whose last, then last but one … entry came later.
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

function bucketFill(seen: OracleEntry[], leaf: Extract<OracleLeaf, { bucket: object }>, now: number) {
  const { add, drain, reset } = leaf.bucket;
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
  for (const entry of counted(leaf, seen)) {
    if (last) {
      const clean =
        counter !== undefined && entry.pages !== undefined ? Math.max(0, entry.pages - counter) : 0;
      level = drained(entry.minute - last.minute, clean);
    }
    if (level === 0) filled = [];
    level += add;
    filled.push(entry);
    if (entry.pages !== undefined) counter = entry.pages;
    last = entry;
  }
  if (last && drain?.every !== undefined) level = drained(Math.max(0, now - last.minute), 0);
  return { level, filled };
}

interface Look {
  /** The entries that make it hold: the newest of those counted, as many as needed. */
  evidence: OracleEntry[];
}

/** Whether a leaf holds at `now`, given that all entries so far have been seen. */
function look(leaf: OracleLeaf, key: Key, now: number, all: OracleEntry[], keep: number): Look | undefined {
  const seen = counted(leaf, key.seen);
  const newest = (list: OracleEntry[], ge: number, most = Math.max(ge, keep)): Look | undefined =>
    list.length >= ge ? { evidence: list.slice(-most) } : undefined;
  if ('count' in leaf) {
    return newest(
      seen.filter((entry) => entry.minute >= now - leaf.count.over),
      leaf.count.ge,
    );
  }
  if ('distinct' in leaf) {
    const { ge, over } = leaf.distinct;
    return newest(distinctSeen(seen, now - over), ge);
  }
  if ('rate' in leaf) {
    const { n, ge, min, over } = leaf.rate;
    const last = seen.at(-1);
    if (!last || last.minute < now - over) return undefined;
    const rate = rateAt(key, seen, last, leaf.rate, all);
    const holds = rate !== undefined && n > 0 && min >= 0 && rate >= ge;
    return holds ? { evidence: seen.filter((entry) => entry.minute >= now - over) } : undefined;
  }
  if ('bucket' in leaf) {
    const { level, filled } = bucketFill(key.seen, leaf, now);
    return level >= leaf.bucket.ge
      ? { evidence: filled.slice(-Math.max(1, Math.ceil(leaf.bucket.ge / leaf.bucket.add))) }
      : undefined;
  }
  if ('seq' in leaf) {
    const found = chain(seen, leaf.seq.of, now - leaf.seq.within);
    return found && { evidence: found };
  }
  if ('cooccur' in leaf) {
    const found = leaf.cooccur.of.map((code) =>
      seen.findLast((entry) => entry.code === code && entry.minute >= now - leaf.cooccur.within),
    );
    const whole = found.every((entry) => entry !== undefined);
    return whole ? { evidence: [...new Set(found as OracleEntry[])] } : undefined;
  }
  if ('absent' in leaf) {
    const due = seen.filter(
      (entry, index) =>
        entry.code === leaf.absent.after &&
        // In the minute in which it falls due, it fires only after that minute's entries have been seen.
        passedBy(key, entry.minute + leaf.absent.within, now) &&
        !seen.slice(index + 1).some((next) => next.code === leaf.absent.of),
    );
    return due.length > 0 ? { evidence: due.slice(-1) } : undefined;
  }
  if ('flap' in leaf) return newest(changesSeen(seen, leaf.flap.of, now - leaf.flap.over), leaf.flap.ge);
  const last = seen.at(-1);
  if (!last || !passedBy(key, last.minute + leaf.silence.over, now)) return undefined;
  return { evidence: [last] };
}

function passedBy(key: Key, due: number, now: number): boolean {
  return due < now || (due === now && key.passed >= now);
}

function distinctSeen(seen: OracleEntry[], from: number): OracleEntry[] {
  const newest = new Map<string, OracleEntry>();
  for (const entry of seen) if (entry.minute >= from) newest.set(entry.code, entry);
  return [...newest.values()].sort((a, b) => place(seen, a) - place(seen, b));
}

function changesSeen(seen: OracleEntry[], of: [string, string], from: number): OracleEntry[] {
  const sides = seen.filter((entry) => of.includes(entry.code));
  return sides.filter(
    (entry, index) => index > 0 && entry.code !== sides[index - 1]?.code && entry.minute >= from,
  );
}

/** Events per n pages as of the last event; undefined when too few pages were printed. */
function rateAt(
  key: Key,
  seen: OracleEntry[],
  last: OracleEntry,
  { n, min, over }: { n: number; min: number; over: number },
  all: OracleEntry[],
): number | undefined {
  const counters = all.filter(
    (entry) =>
      entry.printer === key.scope.printer &&
      entry.pages !== undefined &&
      entry.minute >= last.minute - over &&
      (entry.minute < last.minute || (entry.minute === last.minute && entry.seq <= last.seq)),
  );
  let pages = 0;
  counters.forEach((entry, index) => {
    const before = counters[index - 1];
    if (before) pages += Math.max(0, (entry.pages ?? 0) - (before.pages ?? 0));
  });
  if (pages === 0 || pages < min) return undefined;
  return (seen.filter((entry) => entry.minute >= last.minute - over).length * n) / pages;
}

/** The number compared with `ge`, for escalation. */
function measured(leaf: OracleLeaf, key: Key, now: number, all: OracleEntry[], keep: number): number {
  const seen = counted(leaf, key.seen);
  const at = (list: OracleEntry[], ge: number) => Math.min(Math.max(ge, keep), list.length);
  if ('count' in leaf) {
    return at(
      seen.filter((entry) => entry.minute >= now - leaf.count.over),
      leaf.count.ge,
    );
  }
  if ('distinct' in leaf) return at(distinctSeen(seen, now - leaf.distinct.over), leaf.distinct.ge);
  if ('flap' in leaf) {
    return at(changesSeen(seen, leaf.flap.of, now - leaf.flap.over), leaf.flap.ge);
  }
  if ('bucket' in leaf) return bucketFill(key.seen, leaf, now).level;
  const last = seen.at(-1);
  if ('rate' in leaf && last) return rateAt(key, seen, last, leaf.rate, all) ?? 0;
  return 0;
}

/** The troubles of a log as of minute `end`. `entries` in any order. */
export function oracle(rules: OracleRule[], entries: OracleEntry[], end: number): OracleTrouble[] {
  const log = [...entries].sort(
    (a, b) => a.minute - b.minute || (a.printer < b.printer ? -1 : a.printer > b.printer ? 1 : a.seq - b.seq),
  );
  const keys = new Map<string, Key>();
  const ended: Trouble[] = [];
  const keepOf = (rule: OracleRule) => Math.max(0, ...rule.severity.map(([, from]) => from));
  const sees = (leaf: OracleLeaf, key: Key, now: number) => look(leaf, key, now, log, keepOf(key.rule));
  const holds = (condition: OracleCondition, key: Key, now: number): boolean => {
    if ('all' in condition) return condition.all.every((part) => holds(part, key, now));
    if ('any' in condition) return condition.any.some((part) => holds(part, key, now));
    if ('not' in condition) return !holds(condition.not, key, now);
    return sees(condition, key, now) !== undefined;
  };
  const silenced = (key: Key) =>
    [...keys.values()].some(
      (other) =>
        other.scope.printer === key.scope.printer &&
        key.rule.suppressedBy.includes(other.rule.id) &&
        other.trouble !== undefined &&
        other.trouble.closedMinute === undefined,
    );
  const escalate = (key: Key, trouble: Trouble, now: number) => {
    const numbers = leaves(key.rule.when)
      .filter(({ odd }) => !odd)
      .map(({ leaf }) => measured(leaf, key, now, log, keepOf(key.rule)));
    const most = Math.max(0, ...numbers);
    trouble.measure = Math.max(trouble.measure, most > 0 ? most : trouble.evidence.length);
    for (const [name, from] of key.rule.severity) if (trouble.measure >= from) trouble.severity = name;
  };

  const consider = (key: Key, at: number, sign: OracleEntry | undefined, now = at) => {
    const { rule, trouble, scope } = key;
    if (trouble && trouble.closedMinute === undefined) {
      if (sign) trouble.evidence.push(sign.seq);
      escalate(key, trouble, at);
      return;
    }
    if (!holds(rule.when, key, now) || silenced(key)) return;
    const forbidden = leaves(rule.when).some(({ odd }) => odd);
    const found = leaves(rule.when).flatMap(({ leaf, odd }) =>
      odd ? [] : (sees(leaf, key, now)?.evidence ?? []),
    );
    const evidence = [...new Set(found)]
      .sort((a, b) => log.indexOf(a) - log.indexOf(b))
      .map(({ seq }) => seq);
    if (
      trouble?.closedMinute !== undefined &&
      rule.dedup !== undefined &&
      at - trouble.closedMinute <= rule.dedup
    ) {
      if (forbidden) key.opened = { minute: at, before: structuredClone(trouble), old: undefined };
      trouble.closedMinute = undefined;
      trouble.since = at;
      trouble.reopened += 1;
      for (const seq of evidence) if (!trouble.evidence.includes(seq)) trouble.evidence.push(seq);
      escalate(key, trouble, at);
      return;
    }
    if (trouble) ended.push(trouble);
    if (forbidden) key.opened = { minute: at, before: trouble, old: trouble };
    key.trouble = {
      rule: rule.id,
      printer: scope.printer,
      unit: scope.unit,
      code: scope.code,
      openedMinute: at,
      since: at,
      closedMinute: undefined,
      reopened: 0,
      severity: 'minor',
      measure: 0,
      evidence,
    };
    escalate(key, key.trouble, at);
  };

  const see = (rule: OracleRule, entry: OracleEntry) => {
    const scope: Key['scope'] = {};
    for (const name of rule.by) if (entry[name] !== undefined) scope[name] = entry[name] as string;
    const name = JSON.stringify([rule.id, scope.printer, scope.unit, scope.code]);
    const key: Key = keys.get(name) ?? {
      rule,
      scope,
      seen: [],
      lastSign: Number.NEGATIVE_INFINITY,
      signs: [],
      trouble: undefined,
      passed: Number.NEGATIVE_INFINITY,
      opened: undefined,
    };
    keys.set(name, key);
    const now = entry.minute;
    const all = leaves(rule.when);
    const silent = ({ leaf, odd }: { leaf: OracleLeaf; odd: boolean }) =>
      !odd && 'silence' in leaf && sees(leaf, key, now) !== undefined;
    const forbids = ({ leaf, odd }: { leaf: OracleLeaf; odd: boolean }) =>
      odd && sees(leaf, key, now) !== undefined;
    const wasSilent = all.filter(silent);
    const forbade = all.filter(forbids);
    key.seen.push(entry);
    const sign = all.some(({ leaf, odd }) => !odd && takes(leaf, entry));
    if (sign || wasSilent.some((one) => !silent(one))) {
      key.lastSign = now;
      key.signs.push(now);
    }
    // When an entry of the same minute makes a `not` fail, a trouble opened in that minute is undone, as if that entry
    // had been seen first.
    if (key.opened?.minute === now && !holds(rule.when, key, now)) {
      const { before, old } = key.opened;
      key.trouble = before;
      if (old) ended.splice(ended.indexOf(old), 1);
      key.opened = undefined;
    }
    if (sign) consider(key, now, entry);
    else if (forbade.some((one) => !forbids(one))) consider(key, now, undefined);
  };

  for (let now = 0; now <= end; now += 1) {
    for (const entry of log.filter(({ minute }) => minute === now)) {
      for (const rule of rules)
        if (rule.codes.includes(entry.code) && concerns(rule, entry)) see(rule, entry);
    }
    for (const rule of rules) {
      for (const key of keys.values()) if (key.rule === rule) passMinute(key, now, sees, consider);
    }
  }
  const open = [...keys.values()].flatMap(({ trouble }) => trouble ?? []);
  return [...ended, ...open];
}

function passMinute(
  key: Key,
  now: number,
  sees: (leaf: OracleLeaf, key: Key, now: number) => Look | undefined,
  consider: (key: Key, at: number, sign: OracleEntry | undefined, now?: number) => void,
): void {
  const { rule } = key;
  const all = leaves(rule.when);
  key.passed = now;
  // Everything that falls due at this minute, before anything is concluded from it.
  let changed = false;
  const fired: OracleEntry[] = [];
  for (const { leaf, odd } of all) {
    const seen = counted(leaf, key.seen);
    let due: OracleEntry[] = [];
    if ('absent' in leaf) {
      const { after, of, within } = leaf.absent;
      due = seen.filter(
        (entry, index) =>
          entry.code === after &&
          entry.minute + within === now &&
          !seen.slice(index + 1).some((next) => next.code === of),
      );
    } else if ('silence' in leaf) {
      const last = seen.at(-1);
      if (last && last.minute + leaf.silence.over === now) due = [last];
    }
    if (due.length === 0) continue;
    changed = true;
    if (odd) continue;
    fired.push(...due);
    key.lastSign = now;
    for (const _ of due) key.signs.push(now);
  }
  const wasOpen = key.trouble !== undefined && key.trouble.closedMinute === undefined;
  const eased =
    !wasOpen &&
    all.some(
      ({ leaf, odd }) =>
        odd &&
        (sees(leaf, key, now - AFTER) ?? sees(leaf, key, now)) !== undefined &&
        sees(leaf, key, now + AFTER) === undefined,
    );
  if (eased || changed) consider(key, now, undefined, eased ? now + AFTER : now);
  if (eased && key.trouble && key.trouble.closedMinute === undefined) key.lastSign = now;
  const { trouble } = key;
  if (!trouble || trouble.closedMinute !== undefined) return;
  for (const entry of fired) if (!trouble.evidence.includes(entry.seq)) trouble.evidence.push(entry.seq);
  if (fired.length > 0) consider(key, now, undefined);
  if (!rule.clear) return;
  if (all.some(({ leaf, odd }) => !odd && 'silence' in leaf && sees(leaf, key, now))) return;
  if ('quiet' in rule.clear) {
    if (now >= Math.max(key.lastSign, trouble.since) + rule.clear.quiet) trouble.closedMinute = now;
    return;
  }
  // Counted just after this minute: an entry exactly `over` old is about to leave the window.
  const { lt, over } = rule.clear;
  if (key.signs.filter((sign) => sign > now - over).length < lt) trouble.closedMinute = now;
}
