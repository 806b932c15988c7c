/**
 * The state of one rule for one key: its conditions and the life of its trouble. It is fed in event order only. What
 * changes by time alone is applied when the caller advances the time.
 */
import { type Condition, type ConditionState, newState } from './conditions.ts';
import { EVIDENCE_MAX } from './limits.ts';
import type { Odometer } from './odometer.ts';
import type { CompiledRule, Formula } from './rule.ts';
import { compareSightings, grown, type Sighting } from './sighting.ts';

/** What a key identifies; only the names in the rule's `by` are set. */
export interface KeyScope {
  printer?: string;
  unit?: string;
  code?: string;
  model?: string;
  site?: string;
}

/** A trouble as the rules see it. Times are event times, ms. */
export interface TroubleLife {
  /** Computed when the trouble is first reported. */
  id: string | undefined;
  openedAt: number;
  /** It cannot clear before this: when it last opened, or when a lasting condition (silence) ended. */
  since: number;
  /** When it cleared; undefined while it is open. */
  closedAt: number | undefined;
  /** Index into the rule's severities; -1 before the first threshold. */
  severity: number;
  /** `severity` when it opened; the trouble has escalated when `severity` is higher. */
  firstSeverity: number;
  /** The highest number compared with `ge` so far. */
  measure: number;
  /** The entries that led to it, at most `EVIDENCE_MAX`; `count` has the total. */
  evidence: Sighting[];
  count: number;
  /** The newest entry that was counted. */
  newest: Sighting | undefined;
  /** How often it reopened within `dedup`. */
  reopened: number;
}

export interface KeyState {
  key: string;
  scope: KeyScope;
  conditions: ConditionState[];
  /** The open trouble, or the last one while it may still reopen. */
  trouble: TroubleLife | undefined;
  /** Event time of the last sign of the trouble. */
  lastSign: number;
  /** The newest signs, for `clear: {lt, over}`; at most `lt` of them. */
  signs: number[];
  /** What opened last, for rules with a `not`: an entry of the same instant may still forbid it. Never exported. */
  opening?: Opening;
}

/** How to undo an opening. */
interface Opening {
  at: number;
  /** The trouble before; undefined when there was none. */
  before: TroubleLife | undefined;
  /** Whether the previous trouble was shed to make room. */
  shed: boolean;
}

/** What a key state needs from its lane. */
export interface KeySurroundings {
  odometer: Odometer | undefined;
  /** Whether an open trouble of another rule suppresses this one at `at`. */
  silenced(rule: CompiledRule, at: number): boolean;
  /** Hands over a trouble that is final. */
  shed(rule: CompiledRule, state: KeyState, trouble: TroubleLife): void;
  /** Takes back a trouble that was shed within the same instant. */
  unshed(trouble: TroubleLife): void;
}

// Lists are copied when they grow, so all keys can share the empty one.
const NO_SIGNS: number[] = [];
const NO_EVIDENCE: Sighting[] = [];

export function newKeyState(rule: CompiledRule, key: string, scope: KeyScope): KeyState {
  return {
    key,
    scope,
    conditions: rule.conditions.map(newState),
    trouble: undefined,
    lastSign: Number.NEGATIVE_INFINITY,
    signs: NO_SIGNS,
  };
}

export function cloneKeyState(state: KeyState): KeyState {
  return {
    key: state.key,
    scope: state.scope,
    conditions: state.conditions.map(({ marks, level }) => ({ marks: marks.slice(), level })),
    trouble: state.trouble && { ...state.trouble, evidence: state.trouble.evidence.slice() },
    lastSign: state.lastSign,
    signs: state.signs.length === 0 ? NO_SIGNS : state.signs.slice(),
  };
}

function evaluate(rule: CompiledRule, state: KeyState, formula: Formula, at: number): boolean {
  if (typeof formula === 'number') {
    const condition = rule.conditions[formula];
    const own = state.conditions[formula];
    return condition !== undefined && own !== undefined && condition.holds(own, at);
  }
  if ('all' in formula) {
    return formula.all.length > 0 && formula.all.every((part) => evaluate(rule, state, part, at));
  }
  if ('any' in formula) return formula.any.some((part) => evaluate(rule, state, part, at));
  return !evaluate(rule, state, formula.not, at);
}

/** Feeds one sighting; everything before it in event order has been fed. */
export function feed(rule: CompiledRule, state: KeyState, sighting: Sighting, around: KeySurroundings): void {
  let sign = false;
  let ended = false;
  let eased = false;
  const { conditions, negated } = rule;
  for (let index = 0; index < conditions.length; index += 1) {
    const condition = conditions[index];
    const own = state.conditions[index];
    if (!condition || !own) continue;
    if (negated[index]) {
      const held = condition.holds(own, sighting.at);
      condition.take(own, sighting, around.odometer);
      if (held && !condition.holds(own, sighting.at)) eased = true;
      continue;
    }
    const wentOn = condition.lasting === true && own.level > 0;
    const mine = condition.take(own, sighting, around.odometer);
    if (mine) sign = true;
    // A lasting condition ends with this sighting: the quiet time begins here.
    if (wentOn && own.level === 0) {
      ended = true;
      if (state.trouble) state.trouble.since = sighting.at;
    }
  }
  const { opening } = state;
  // All entries of an instant count before anything is concluded, whatever their order.
  if (opening && (opening.at !== sighting.at || !evaluate(rule, state, rule.formula, sighting.at))) {
    if (opening.at === sighting.at) undo(state, opening, around);
    state.opening = undefined;
  }
  if (sign || ended) note(rule, state, sighting.at);
  if (sign) consider(rule, state, sighting.at, sighting, around);
  // The sighting is no sign itself, but it ended a condition under `not`.
  else if (eased) consider(rule, state, sighting.at, undefined, around);
}

function note(rule: CompiledRule, state: KeyState, at: number): void {
  state.lastSign = at;
  const { clear } = rule;
  if (clear && 'lt' in clear) {
    state.signs = grown(state.signs, at);
    if (state.signs.length > clear.lt) state.signs.shift();
  }
}

/** Undoes what opened at this instant. */
function undo(state: KeyState, { before, shed }: Opening, around: KeySurroundings): void {
  state.trouble = before;
  if (before && shed) around.unshed(before);
}

/** Just after an instant: a fraction of a millisecond that a double holds exactly for any time of this century. */
const AFTER_MS = 1 / 1024;

/**
 * Opens, reopens or escalates the trouble at `at` when the formula holds.
 * @param seen the instant at which it is evaluated: `at`, or just after it
 */
function consider(
  rule: CompiledRule,
  state: KeyState,
  at: number,
  sighting: Sighting | undefined,
  around: KeySurroundings,
  seen = at,
): void {
  const { trouble } = state;
  if (trouble && trouble.closedAt === undefined) {
    if (sighting) addEvidence(trouble, [sighting]);
    escalate(rule, state, trouble, at);
    return;
  }
  const only = rule.formula === 0 ? rule.conditions[0] : undefined;
  const holds =
    only !== undefined
      ? only.holds(state.conditions[0] as ConditionState, seen)
      : evaluate(rule, state, rule.formula, seen);
  if (!holds || (rule.suppressedBy.length > 0 && around.silenced(rule, at))) return;
  const evidence = collect(rule, state, seen);
  const undoable = seen === at && rule.negated.includes(true);
  if (trouble && trouble.closedAt !== undefined) {
    if (at - trouble.closedAt <= rule.dedupMs) {
      if (undoable) {
        state.opening = { at, before: { ...trouble, evidence: trouble.evidence.slice() }, shed: false };
      }
      trouble.closedAt = undefined;
      trouble.since = at;
      trouble.reopened += 1;
      addEvidence(trouble, evidence);
      escalate(rule, state, trouble, at);
      return;
    }
    around.shed(rule, state, trouble);
  }
  if (undoable) state.opening = { at, before: trouble, shed: trouble !== undefined };
  const fresh: TroubleLife = {
    id: undefined,
    openedAt: at,
    since: at,
    closedAt: undefined,
    severity: -1,
    firstSeverity: -1,
    measure: 0,
    evidence: NO_EVIDENCE,
    count: 0,
    newest: undefined,
    reopened: 0,
  };
  addEvidence(fresh, evidence);
  escalate(rule, state, fresh, at);
  fresh.firstSeverity = fresh.severity;
  state.trouble = fresh;
}

function collect(rule: CompiledRule, state: KeyState, at: number): Sighting[] {
  // Most rules have one condition, whose sightings are already in order.
  if (rule.formula === 0) {
    const marks = (rule.conditions[0] as Condition).evidence(state.conditions[0] as ConditionState, at);
    return isOrdered(marks) ? marks : marks.sort(compareSightings);
  }
  const found = new Set<Sighting>();
  for (let index = 0; index < rule.conditions.length; index += 1) {
    const condition = rule.conditions[index];
    const own = state.conditions[index];
    if (!condition || !own || rule.negated[index] || !condition.holds(own, at)) continue;
    for (const mark of condition.evidence(own, at)) found.add(mark);
  }
  return [...found].sort(compareSightings);
}

/** Whether the sightings are in ascending event order. */
function isOrdered(marks: Sighting[]): boolean {
  for (let index = 1; index < marks.length; index += 1) {
    if (compareSightings(marks[index - 1] as Sighting, marks[index] as Sighting) >= 0) return false;
  }
  return true;
}

function addEvidence(trouble: TroubleLife, sightings: Sighting[]): void {
  for (const sighting of sightings) {
    const { evidence, newest } = trouble;
    if (newest && compareSightings(newest, sighting) >= 0) {
      // A duplicate, or beyond the limit assumed to be one: a window that reopens a trouble overlaps its evidence.
      if (evidence.length >= EVIDENCE_MAX) continue;
      if (evidence.some((known) => compareSightings(known, sighting) === 0)) continue;
    } else {
      trouble.newest = sighting;
    }
    trouble.count += 1;
    if (evidence.length < EVIDENCE_MAX) trouble.evidence = grown(evidence, sighting);
  }
}

function escalate(rule: CompiledRule, state: KeyState, trouble: TroubleLife, at: number): void {
  let measure = 0;
  let measured = false;
  for (let index = 0; index < rule.conditions.length; index += 1) {
    const condition = rule.conditions[index];
    const own = state.conditions[index];
    if (!condition || !own || rule.negated[index]) continue;
    const mine = condition.measure(own, at);
    if (mine > 0) measured = true;
    measure = Math.max(measure, mine);
  }
  if (!measured) measure = trouble.count;
  trouble.measure = Math.max(trouble.measure, measure);
  const { severity } = rule;
  while (trouble.severity + 1 < severity.length) {
    const next = severity[trouble.severity + 1];
    if (!next || trouble.measure < next.from) break;
    trouble.severity += 1;
  }
}

function clearsAt(rule: CompiledRule, state: KeyState): number {
  const { trouble } = state;
  const { clear } = rule;
  if (!clear || !trouble || trouble.closedAt !== undefined) return Number.POSITIVE_INFINITY;
  for (let index = 0; index < rule.conditions.length; index += 1) {
    const own = state.conditions[index];
    if (rule.conditions[index]?.lasting && !rule.negated[index] && own && own.level > 0) {
      return Number.POSITIVE_INFINITY;
    }
  }
  if ('quietMs' in clear) return Math.max(state.lastSign, trouble.since) + clear.quietMs;
  // Fewer than `lt` signs remain in the window the moment the lt-th newest leaves it.
  const [oldest] = state.signs;
  if (state.signs.length < clear.lt || oldest === undefined) return trouble.since;
  return Math.max(trouble.since, oldest + clear.overMs);
}

/**
 * When a condition under `not` ends by time alone; Infinity where that can't matter: nothing depends on it while the
 * trouble is open, and what ended before the last sign or the last clearing was evaluated then.
 */
function easesAt(condition: Condition, own: ConditionState, { trouble, lastSign }: KeyState): number {
  if (trouble && trouble.closedAt === undefined) return Number.POSITIVE_INFINITY;
  const ends = condition.ends(own);
  const looked = ends < lastSign || (trouble?.closedAt !== undefined && ends <= trouble.closedAt);
  return looked ? Number.POSITIVE_INFINITY : ends;
}

/** The next event time at which time alone changes something; Infinity for never. */
export function nextDeadline(rule: CompiledRule, state: KeyState): number {
  let next = clearsAt(rule, state);
  for (let index = 0; index < rule.conditions.length; index += 1) {
    const condition = rule.conditions[index];
    const own = state.conditions[index];
    if (!condition || !own) continue;
    if (condition.deadline) next = Math.min(next, condition.deadline(own));
    if (rule.negated[index]) next = Math.min(next, easesAt(condition, own, state));
  }
  return next;
}

/** Applies what is due at `at`, the time that `nextDeadline` returned. */
export function pass(rule: CompiledRule, state: KeyState, at: number, around: KeySurroundings): void {
  let changed = false;
  let eased = false;
  let more = false;
  for (let index = 0; index < rule.conditions.length; index += 1) {
    const condition = rule.conditions[index];
    const own = state.conditions[index];
    if (!condition || !own) continue;
    if (condition.deadline && condition.fire && condition.deadline(own) <= at) {
      const [fired] = condition.evidence(own, at);
      condition.fire(own);
      changed = true;
      if (condition.deadline(own) <= at) more = true;
      if (!rule.negated[index]) {
        note(rule, state, at);
        const { trouble } = state;
        const mark = own.marks[0] ?? fired;
        if (trouble && trouble.closedAt === undefined && mark) addEvidence(trouble, [mark]);
      }
    }
    if (rule.negated[index] && easesAt(condition, own, state) <= at) eased = true;
  }
  if (eased) {
    consider(rule, state, at, undefined, around, at + AFTER_MS);
    // Without a trouble `lastSign` only says up to when conditions were evaluated.
    const { trouble } = state;
    state.lastSign = trouble && trouble.closedAt === undefined ? at : at + AFTER_MS;
  } else if (changed) {
    consider(rule, state, at, undefined, around);
  }
  // The trouble clears after everything else of this instant.
  if (!more && clearsAt(rule, state) <= at && state.trouble) state.trouble.closedAt = at;
}
