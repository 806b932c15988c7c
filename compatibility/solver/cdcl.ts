/**
 * A small conflict-driven clause-learning solver: two watched literals with blockers, first-unique-implication-point
 * learning with recursive minimization, activity order, saved phases, Luby restarts, learned clauses kept by their
 * number of decision levels, assumptions with a core of those that failed. Deterministic.
 *
 * A literal is `variable * 2`, its negation `variable * 2 + 1`.
 */
import { VariableOrder } from './variable-order.ts';

export type Literal = number;
export type SolveResult = 'sat' | 'unsat' | 'gave-up';

/** Words before a clause's literals: its size, and 0 (given), else 1 + decision levels (learned), or -1 (dropped). */
const HEADER = 2;
const RESTART_CONFLICTS = 64;
const LEARNED_KEPT_MIN = 2_000;
const ACTIVITY_DECAY = 1 / 0.95;
const BUDGET_CHECK_CONFLICTS = 8;
const BUDGET_CHECK_DECISIONS = 256;
/** 512 MiB of clauses: beyond it a search counts as given up. */
const ARENA_WORDS_MAX = 1 << 27;

/** The Luby sequence 1 1 2 1 1 2 4 …, from index 0. */
function luby(index: number): number {
  let size = 1;
  let power = 0;
  while (size < index + 1) {
    size = 2 * size + 1;
    power++;
  }
  let rest = index;
  while (size - 1 !== rest) {
    size = (size - 1) >> 1;
    power--;
    rest %= size;
  }
  return 2 ** power;
}

export class Solver {
  /** Assumptions that cannot hold together, after `unsat`. Empty: unsatisfiable without any. */
  core: Literal[] = [];
  conflicts = 0;
  private arena = new Int32Array(1 << 14);
  private arenaTop = HEADER;
  /** Per literal: what to look at once it is true, as pairs of blocker and clause (negative: a binary clause). */
  private readonly watches: number[][] = [];
  /** Per literal: 1 true, -1 false, 0 open. */
  private values = new Int8Array(256);
  private levels = new Int32Array(128);
  private reasons = new Int32Array(128);
  private seen = new Uint8Array(128);
  private phases = new Uint8Array(128);
  private trail = new Int32Array(128);
  private model = new Uint8Array(0);
  private trailTop = 0;
  private head = 0;
  private readonly levelStarts: number[] = [];
  private readonly order = new VariableOrder();
  private variables = 0;
  private consistent = true;
  private learned: number[] = [];
  private learnedMax = LEARNED_KEPT_MIN;
  private readonly exhausted: () => boolean;

  constructor(exhausted: () => boolean = () => false) {
    this.exhausted = exhausted;
  }

  /** A new variable's positive literal. `phase` is what it is tried with first. */
  newLiteral(phase: boolean): Literal {
    const variable = this.variables++;
    if (variable >= this.levels.length) this.grow();
    this.phases[variable] = phase ? 1 : 0;
    this.watches.push([], []);
    this.order.add(variable);
    return variable * 2;
  }

  get variableCount(): number {
    return this.variables;
  }

  setPhase(literal: Literal): void {
    this.phases[literal >> 1] = (literal & 1) ^ 1;
  }

  /** Whether the literal is false whatever is assumed. */
  isFixedFalse(literal: Literal): boolean {
    return this.values[literal] === -1;
  }

  /** Whether the literal is true in the last model. */
  isTrue(literal: Literal): boolean {
    return this.model[literal >> 1] === ((literal & 1) ^ 1);
  }

  /** Adds a clause for good. The list is not kept. */
  addClause(literals: readonly Literal[]): void {
    if (!this.consistent) return;
    const kept: Literal[] = [];
    for (const literal of literals) {
      const value = this.values[literal];
      if (value === 1 || kept.includes(literal ^ 1)) return;
      if (value === 0 && !kept.includes(literal)) kept.push(literal);
    }
    if (kept.length === 0) this.consistent = false;
    else if (kept.length === 1) {
      this.enqueue(kept[0]!, 0);
      this.consistent = this.propagate() === 0;
    } else this.attach(kept, 0);
  }

  /** Looks for a model in which all assumptions hold. */
  solve(assumptions: readonly Literal[] = []): SolveResult {
    this.core = [];
    if (!this.consistent) return 'unsat';
    let result: SolveResult | undefined;
    for (let restart = 0; result === undefined; restart++) {
      if (this.exhausted() || this.arenaTop > ARENA_WORDS_MAX) result = 'gave-up';
      else result = this.search(RESTART_CONFLICTS * luby(restart), assumptions);
    }
    this.backtrack(0);
    return result;
  }

  private grow(): void {
    const size = this.levels.length * 2;
    const copy = <T extends Int32Array | Uint8Array | Int8Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.values = copy(this.values, new Int8Array(size * 2));
    this.levels = copy(this.levels, new Int32Array(size));
    this.reasons = copy(this.reasons, new Int32Array(size));
    this.seen = copy(this.seen, new Uint8Array(size));
    this.phases = copy(this.phases, new Uint8Array(size));
    this.trail = copy(this.trail, new Int32Array(size));
  }

  private attach(literals: readonly Literal[], mark: number): number {
    const clause = this.arenaTop;
    const end = clause + HEADER + literals.length;
    if (end > this.arena.length) {
      const larger = new Int32Array(Math.max(end, this.arena.length * 2));
      larger.set(this.arena);
      this.arena = larger;
    }
    this.arena[clause] = literals.length;
    this.arena[clause + 1] = mark;
    this.arena.set(literals, clause + HEADER);
    this.arenaTop = end;
    const watched = literals.length === 2 ? -clause : clause;
    this.watches[literals[0]! ^ 1]!.push(literals[1]!, watched);
    this.watches[literals[1]! ^ 1]!.push(literals[0]!, watched);
    return clause;
  }

  private enqueue(literal: Literal, reason: number): void {
    this.values[literal] = 1;
    this.values[literal ^ 1] = -1;
    const variable = literal >> 1;
    this.levels[variable] = this.levelStarts.length;
    this.reasons[variable] = reason;
    this.trail[this.trailTop++] = literal;
  }

  /** Follows what is implied. Gives the clause that broke, or 0. */
  private propagate(): number {
    const { values, trail } = this;
    while (this.head < this.trailTop) {
      const literal = trail[this.head++]!;
      const falsified = literal ^ 1;
      const watching = this.watches[literal]!;
      const arena = this.arena;
      const length = watching.length;
      let kept = 0;
      for (let i = 0; i < length; i += 2) {
        const blocker = watching[i]!;
        const clause = watching[i + 1]!;
        const blocked = values[blocker];
        watching[kept] = blocker;
        watching[kept + 1] = clause;
        kept += 2;
        if (blocked === 1) continue;
        if (clause < 0) {
          if (blocked === 0) this.enqueue(blocker, -clause);
          else return this.keepWatches(watching, i + 2, kept, -clause);
          continue;
        }
        const base = clause + HEADER;
        if (arena[base] === falsified) {
          arena[base] = arena[base + 1]!;
          arena[base + 1] = falsified;
        }
        const first = arena[base]!;
        watching[kept - 2] = first;
        if (values[first] === 1) continue;
        if (this.rewatch(clause, first, falsified)) kept -= 2;
        else if (values[first] === 0) this.enqueue(first, clause);
        else return this.keepWatches(watching, i + 2, kept, clause);
      }
      watching.length = kept;
    }
    return 0;
  }

  /** Finds another literal for the clause to watch. */
  private rewatch(clause: number, first: Literal, falsified: Literal): boolean {
    const { arena, values } = this;
    const base = clause + HEADER;
    const end = base + arena[clause]!;
    for (let k = base + 2; k < end; k++) {
      const candidate = arena[k]!;
      if (values[candidate] === -1) continue;
      arena[base + 1] = candidate;
      arena[k] = falsified;
      this.watches[candidate ^ 1]!.push(first, clause);
      return true;
    }
    return false;
  }

  private keepWatches(watching: number[], from: number, kept: number, conflict: number): number {
    let to = kept;
    for (let i = from; i < watching.length; i++) watching[to++] = watching[i]!;
    watching.length = to;
    this.head = this.trailTop;
    return conflict;
  }

  private backtrack(level: number): void {
    if (this.levelStarts.length <= level) return;
    const start = this.levelStarts[level]!;
    for (let i = this.trailTop - 1; i >= start; i--) {
      const literal = this.trail[i]!;
      const variable = literal >> 1;
      this.values[literal] = 0;
      this.values[literal ^ 1] = 0;
      this.phases[variable] = (literal & 1) ^ 1;
      this.order.reinsert(variable);
    }
    this.trailTop = start;
    this.head = start;
    this.levelStarts.length = level;
  }

  private search(conflictsMax: number, assumptions: readonly Literal[]): SolveResult | undefined {
    let conflicts = 0;
    let decisions = 0;
    for (;;) {
      const conflict = this.propagate();
      if (conflict !== 0) {
        if (this.levelStarts.length === 0) {
          this.consistent = false;
          return 'unsat';
        }
        this.learn(conflict);
        conflicts++;
        this.conflicts++;
        if (this.conflicts % BUDGET_CHECK_CONFLICTS === 0 && this.exhausted()) return 'gave-up';
        continue;
      }
      if (conflicts >= conflictsMax) {
        this.backtrack(0);
        if (this.learned.length > this.learnedMax) this.dropLearned();
        return undefined;
      }
      if (++decisions % BUDGET_CHECK_DECISIONS === 0 && this.exhausted()) return 'gave-up';
      const next = this.decide(assumptions);
      if (next === -2) return 'unsat';
      if (next === -1) {
        this.saveModel();
        return 'sat';
      }
      this.levelStarts.push(this.trailTop);
      this.enqueue(next, 0);
    }
  }

  /** The next literal to try: assumptions first. -1 when everything is set, -2 when an assumption is false. */
  private decide(assumptions: readonly Literal[]): Literal {
    while (this.levelStarts.length < assumptions.length) {
      const assumption = assumptions[this.levelStarts.length]!;
      const value = this.values[assumption];
      if (value === 0) return assumption;
      if (value === -1) {
        this.findCore(assumption);
        return -2;
      }
      this.levelStarts.push(this.trailTop);
    }
    for (;;) {
      const variable = this.order.takeBest();
      if (variable < 0) return -1;
      if (this.values[variable * 2] === 0) return variable * 2 + (this.phases[variable] === 1 ? 0 : 1);
    }
  }

  private saveModel(): void {
    if (this.model.length < this.variables) this.model = new Uint8Array(this.levels.length);
    for (let variable = 0; variable < this.variables; variable++) {
      this.model[variable] = this.values[variable * 2] === 1 ? 1 : 0;
    }
  }

  /** Learns a clause from a conflict, backtracks, and asserts it. */
  private learn(conflict: number): void {
    const { arena, seen, levels, trail } = this;
    const clause: Literal[] = [0];
    const level = this.levelStarts.length;
    let open = 0;
    let index = this.trailTop - 1;
    let literal = -1;
    let reason = conflict;
    do {
      const end = reason + HEADER + arena[reason]!;
      for (let k = reason + HEADER; k < end; k++) {
        const other = arena[k]!;
        const variable = other >> 1;
        if (other === literal || seen[variable] === 1 || levels[variable] === 0) continue;
        seen[variable] = 1;
        this.order.bump(variable);
        if (levels[variable]! >= level) open++;
        else clause.push(other);
      }
      while (seen[trail[index]! >> 1] === 0) index--;
      literal = trail[index]!;
      reason = this.reasons[literal >> 1]!;
      seen[literal >> 1] = 0;
      index--;
      open--;
    } while (open > 0);
    clause[0] = literal ^ 1;
    const marked = clause.slice();
    const short = clause.filter((each, i) => i === 0 || !this.isImplied(each, marked));
    for (const each of marked) seen[each >> 1] = 0;
    this.order.decay(ACTIVITY_DECAY);
    this.assertLearned(short);
  }

  /** Whether a learned literal follows from the others of the clause; what was looked at is added to `marked`. */
  private isImplied(literal: Literal, marked: Literal[]): boolean {
    if (this.reasons[literal >> 1] === 0) return false;
    const { arena, seen, levels } = this;
    const first = marked.length;
    const open: Literal[] = [literal];
    while (open.length > 0) {
      const reason = this.reasons[open.pop()! >> 1]!;
      const end = reason + HEADER + arena[reason]!;
      for (let k = reason + HEADER; k < end; k++) {
        const other = arena[k]!;
        const variable = other >> 1;
        if (seen[variable] === 1 || levels[variable] === 0 || variable === literal >> 1) continue;
        if (this.reasons[variable] === 0) {
          for (let i = first; i < marked.length; i++) seen[marked[i]! >> 1] = 0;
          marked.length = first;
          return false;
        }
        seen[variable] = 1;
        marked.push(other);
        open.push(other);
      }
    }
    return true;
  }

  private assertLearned(clause: Literal[]): void {
    if (clause.length === 1) {
      this.backtrack(0);
      this.enqueue(clause[0]!, 0);
      return;
    }
    let deepest = 1;
    const levels = new Set<number>();
    for (let i = 1; i < clause.length; i++) {
      const level = this.levels[clause[i]! >> 1]!;
      levels.add(level);
      if (level > this.levels[clause[deepest]! >> 1]!) deepest = i;
    }
    const second = clause[deepest]!;
    clause[deepest] = clause[1]!;
    clause[1] = second;
    this.backtrack(this.levels[second >> 1]!);
    const reason = this.attach(clause, 2 + levels.size);
    this.learned.push(reason);
    this.enqueue(clause[0]!, reason);
  }

  /** Which assumptions make this one false. */
  private findCore(failed: Literal): void {
    const { arena, seen, levels } = this;
    const core = [failed];
    seen[failed >> 1] = 1;
    for (let i = this.trailTop - 1; i >= (this.levelStarts[0] ?? this.trailTop); i--) {
      const literal = this.trail[i]!;
      const variable = literal >> 1;
      if (seen[variable] === 0) continue;
      const reason = this.reasons[variable]!;
      if (reason === 0) {
        if (literal !== failed) core.push(literal);
      } else {
        const end = reason + HEADER + arena[reason]!;
        for (let k = reason + HEADER; k < end; k++) {
          if (levels[arena[k]! >> 1]! > 0) seen[arena[k]! >> 1] = 1;
        }
      }
      seen[variable] = 0;
    }
    seen[failed >> 1] = 0;
    this.core = core.filter((literal, i) => core.indexOf(literal) === i);
  }

  /** Drops the half of the learned clauses that joins the most decision levels. Called at level 0. */
  private dropLearned(): void {
    const { arena } = this;
    const inUse = new Set<number>();
    for (let i = 0; i < this.trailTop; i++) inUse.add(this.reasons[this.trail[i]! >> 1]!);
    const sorted = this.learned
      .slice()
      .sort((a, b) => arena[a + 1]! - arena[b + 1]! || arena[a]! - arena[b]! || b - a);
    const kept: number[] = [];
    for (const [i, clause] of sorted.entries()) {
      if (i < sorted.length / 2 || arena[clause + 1]! <= 3 || arena[clause] === 2 || inUse.has(clause)) {
        kept.push(clause);
      } else arena[clause + 1] = -1;
    }
    for (const watching of this.watches) {
      let to = 0;
      for (let i = 0; i < watching.length; i += 2) {
        const clause = watching[i + 1]!;
        if (arena[Math.abs(clause) + 1] === -1) continue;
        watching[to++] = watching[i]!;
        watching[to++] = clause;
      }
      watching.length = to;
    }
    this.learned = kept;
    this.learnedMax = Math.max(this.learnedMax, kept.length + LEARNED_KEPT_MIN / 2);
  }
}
