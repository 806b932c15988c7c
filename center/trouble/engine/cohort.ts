/**
 * Tests whether a release makes a code more frequent than on printers without it, valid at every moment of looking
 * (an e-process). Only the first event of each printer counts, against printers of the same model without an event so
 * far; see ../statistics/first-event.ts. This assumes that printers get the release by a random draw.
 */
import { evidenceNeeded, evidenceOf } from '../../statistics/e-process.ts';
import { afterFirstEvent, newFirstEventLogs } from '../../statistics/first-event.ts';
import type { InRange, PrinterContext } from './context.ts';
import { COHORT_CODES_MAX, COHORT_PRUNE_MIN, COHORT_VERSIONS_MAX, EVIDENCE_MAX } from './limits.ts';
import type { CohortOptions } from './rule.ts';

/** A first event, or a printer's release, to be processed in order of time. */
interface CohortEvent {
  at: number;
  printer: string;
  log: string;
  seq: number;
  /** The code of an event; undefined: from now on the printer has `version`. */
  code: string | undefined;
  model: string;
  version: string | undefined;
}

interface Test {
  release: string;
  code: string;
  /** Rank of the test by its start: the k-th may use α / (k·(k+1)), which sums to α over any number of tests. */
  number: number;
  logs: number[];
  exposed: number;
  others: number;
  evidence: { printer: string; log: string; seq: number; at: number }[];
  /** E at each doubling: [at, E]. */
  history: [number, number][];
  alarmAt: number | undefined;
  /** An operator has closed it. */
  closed: boolean;
}

export interface CohortAlarm {
  release: string;
  code: string;
  at: number;
  e: number;
  threshold: number;
  /** First events of printers with the release, and of the others. */
  exposed: number;
  others: number;
  evidence: Test['evidence'];
  history: [number, number][];
}

interface Member {
  model: string;
  version: string | undefined;
}

export interface CohortState {
  /** Printer, model, version, time of its newest structure. */
  members: [string, string, string | null, number | null][];
  seen: [string, string[]][];
  tests: (Omit<Test, 'alarmAt'> & { alarmAt: number | null })[];
  pending: CohortEvent[];
  floor: number | null;
}

/** Watches one rule's software over the fleet. */
export class CohortWatch {
  readonly options: CohortOptions;
  readonly #inRange: InRange;
  readonly #members = new Map<string, Member>();
  /** Time of the newest structure of each printer. */
  readonly #latest = new Map<string, number>();
  /** Printers by model and version. */
  readonly #counts = new Map<string, number>();
  /** By code: the printers that have shown it, and their number by model and version. */
  readonly #seen = new Map<string, { printers: Set<string>; counts: Map<string, number> }>();
  readonly #tests = new Map<string, Test>();
  readonly #roles = new Map<string, string>();
  #pending: CohortEvent[] = [];
  #pruneAt = COHORT_PRUNE_MIN;
  #floor = Number.NEGATIVE_INFINITY;
  /** Events that came too late to be sorted in. */
  late = 0;

  constructor(options: CohortOptions, inRange: InRange) {
    this.options = options;
    this.#inRange = inRange;
  }

  /** A printer has this structure from `at` on. */
  member(printer: string, context: PrinterContext, at: number): void {
    const version = context.software.find(({ id }) => id === this.options.software)?.version;
    const model = context.model ?? '';
    const known = this.#latest.get(printer);
    // Repeated or outdated: a later structure is known already.
    if (known !== undefined && at <= known) return;
    this.#latest.set(printer, at);
    // The first structure stands for the time before it too.
    const from = known === undefined ? Number.NEGATIVE_INFINITY : Math.max(at, this.#floor);
    const event: CohortEvent = { at: from, printer, log: '', seq: 0, code: undefined, model, version };
    if (known === undefined) this.#take(event);
    else this.#pending.push(event);
  }

  /** An entry that passed the rule's `where`. */
  sight(printer: string, log: string, seq: number, code: string, at: number): void {
    if (at <= this.#floor) {
      this.late += 1;
      return;
    }
    if (this.#seen.get(code)?.printers.has(printer)) return;
    this.#pending.push({ at, printer, log, seq, code, model: '', version: undefined });
    if (this.#pending.length >= this.#pruneAt) this.#prune();
  }

  /** Drops events that cannot count: of one code, only a printer's first between two of its structures can. */
  #prune(): void {
    this.#sort();
    const shown = new Map<string, Set<string>>();
    this.#pending = this.#pending.filter(({ printer, code }) => {
      if (code === undefined) {
        shown.delete(printer);
        return true;
      }
      const codes = shown.get(printer) ?? new Set();
      shown.set(printer, codes);
      const first = !codes.has(code);
      codes.add(code);
      return first;
    });
    this.#pruneAt = Math.max(COHORT_PRUNE_MIN, this.#pending.length * 2);
  }

  #sort(): void {
    this.#pending.sort(
      (a, b) =>
        a.at - b.at ||
        (a.printer < b.printer ? -1 : a.printer > b.printer ? 1 : 0) ||
        (a.log < b.log ? -1 : a.log > b.log ? 1 : 0) ||
        a.seq - b.seq,
    );
  }

  /** Processes everything before `until` in order of time. @returns new alarms */
  advance(until: number): CohortAlarm[] {
    if (this.#pending.length === 0) return [];
    this.#sort();
    const alarms: CohortAlarm[] = [];
    let taken = 0;
    for (const event of this.#pending) {
      if (event.at >= until) break;
      taken += 1;
      this.#floor = Math.max(this.#floor, event.at);
      alarms.push(...this.#take(event));
    }
    this.#pending.splice(0, taken);
    return alarms;
  }

  /** The role of a version in the test of a release: on trial, control, or neither. */
  #role(release: string, version: string | undefined): 'trial' | 'control' | 'neither' {
    if (version === undefined) return 'neither';
    const key = `${release}\u001f${version}`;
    let role = this.#roles.get(key);
    if (role === undefined) {
      const { software, range, against } = this.options;
      const trial =
        range === undefined ? version === release : this.#inRange(software, version, range) === true;
      const compared = against === undefined || this.#inRange(software, version, against) === true;
      role = trial ? 'trial' : compared ? 'control' : 'neither';
      this.#roles.set(key, role);
    }
    return role as 'trial' | 'control' | 'neither';
  }

  /** The releases on trial: the rule's range as one, otherwise every version seen. */
  #releases(): string[] {
    if (this.options.range !== undefined) return [this.options.range];
    const versions = new Set<string>();
    for (const [key, count] of this.#counts) {
      const version = key.slice(key.indexOf('\u001f') + 1);
      if (count > 0 && version !== '') versions.add(version);
    }
    return [...versions].sort().slice(0, COHORT_VERSIONS_MAX);
  }

  #take(event: CohortEvent): CohortAlarm[] {
    return event.code === undefined ? this.#move(event) : this.#first(event, event.code);
  }

  #move({ printer, model, version }: CohortEvent): CohortAlarm[] {
    const before = this.#members.get(printer);
    const after: Member = { model, version };
    for (const { printers, counts } of this.#seen.values()) {
      if (!printers.has(printer)) continue;
      if (before) add(counts, before, -1);
      add(counts, after, 1);
    }
    if (before) add(this.#counts, before, -1);
    add(this.#counts, after, 1);
    this.#members.set(printer, after);
    return [];
  }

  #first(event: CohortEvent, code: string): CohortAlarm[] {
    const { printer } = event;
    const member = this.#members.get(printer);
    if (!member || member.version === undefined) return [];
    let seen = this.#seen.get(code);
    if (!seen) {
      if (this.#seen.size >= COHORT_CODES_MAX) return [];
      seen = { printers: new Set(), counts: new Map() };
      this.#seen.set(code, seen);
    }
    if (seen.printers.has(printer)) return [];
    const alarms: CohortAlarm[] = [];
    for (const release of this.#releases()) {
      const role = this.#role(release, member.version);
      if (role === 'neither') continue;
      const alarm = this.#step(
        release,
        code,
        event,
        role === 'trial',
        this.#atRisk(release, member.model, seen.counts),
      );
      if (alarm) alarms.push(alarm);
    }
    seen.printers.add(printer);
    add(seen.counts, member, 1);
    return alarms;
  }

  /** Printers of a model at risk: with the release, and the control group. */
  #atRisk(release: string, model: string, seen: Map<string, number>): { trial: number; control: number } {
    const risk = { trial: 0, control: 0, neither: 0 };
    for (const [key, count] of this.#counts) {
      const split = key.indexOf('\u001f');
      if (key.slice(0, split) !== model) continue;
      risk[this.#role(release, key.slice(split + 1) || undefined)] += count - (seen.get(key) ?? 0);
    }
    return risk;
  }

  #step(
    release: string,
    code: string,
    event: CohortEvent,
    exposed: boolean,
    risk: { trial: number; control: number },
  ): CohortAlarm | undefined {
    if (risk.trial <= 0 || risk.control <= 0) return undefined;
    const key = `${release}\u001f${code}`;
    let test = this.#tests.get(key);
    if (!test) {
      test = {
        release,
        code,
        number: this.#tests.size + 1,
        logs: newFirstEventLogs(),
        exposed: 0,
        others: 0,
        evidence: [],
        history: [],
        alarmAt: undefined,
        closed: false,
      };
      this.#tests.set(key, test);
    }
    const share = risk.trial / (risk.trial + risk.control);
    test.logs = afterFirstEvent(test.logs, exposed, share, this.options.ratio);
    if (exposed) {
      test.exposed += 1;
      const { printer, log, seq, at } = event;
      if (test.evidence.length < EVIDENCE_MAX) test.evidence.push({ printer, log, seq, at });
    } else {
      test.others += 1;
    }
    const e = evidenceOf(test.logs);
    const last = test.history.at(-1);
    if (e >= 2 * (last?.[1] ?? 1)) test.history.push([event.at, Number(e.toPrecision(4))]);
    const threshold = evidenceNeeded(this.options.alpha, test.number);
    if (e < threshold || test.alarmAt !== undefined || test.closed) return undefined;
    test.alarmAt = event.at;
    return {
      release,
      code,
      at: event.at,
      e,
      threshold,
      exposed: test.exposed,
      others: test.others,
      evidence: test.evidence.slice(),
      history: test.history.slice(),
    };
  }

  /** Removes the printer. What was concluded with it stays. */
  forget(printer: string): void {
    const member = this.#members.get(printer);
    for (const { printers, counts } of this.#seen.values()) {
      if (printers.delete(printer) && member) add(counts, member, -1);
    }
    if (member) add(this.#counts, member, -1);
    this.#members.delete(printer);
    this.#latest.delete(printer);
    this.#pending = this.#pending.filter((event) => event.printer !== printer);
  }

  /** Closes an alarm. */
  close(release: string, code: string): void {
    const test = this.#tests.get(`${release}\u001f${code}`);
    if (test) test.closed = true;
  }

  export(): CohortState {
    return {
      members: [...this.#members].map(([printer, { model, version }]) => [
        printer,
        model,
        version ?? null,
        finite(this.#latest.get(printer)),
      ]),
      seen: [...this.#seen].map(([code, { printers }]) => [code, [...printers]]),
      tests: [...this.#tests.values()].map((test) => ({ ...test, alarmAt: test.alarmAt ?? null })),
      pending: this.#pending.slice(),
      floor: Number.isFinite(this.#floor) ? this.#floor : null,
    };
  }

  import(state: CohortState): void {
    this.#members.clear();
    this.#counts.clear();
    this.#seen.clear();
    this.#tests.clear();
    this.#latest.clear();
    for (const [printer, model, version, latest] of state.members) {
      this.#latest.set(printer, latest ?? Number.NEGATIVE_INFINITY);
      const member = { model, version: version ?? undefined };
      this.#members.set(printer, member);
      add(this.#counts, member, 1);
    }
    for (const [code, printers] of state.seen) {
      const counts = new Map<string, number>();
      for (const printer of printers) {
        const member = this.#members.get(printer);
        if (member) add(counts, member, 1);
      }
      this.#seen.set(code, { printers: new Set(printers), counts });
    }
    for (const test of state.tests) {
      this.#tests.set(`${test.release}\u001f${test.code}`, { ...test, alarmAt: test.alarmAt ?? undefined });
    }
    this.#pending = state.pending.map((event) => ({
      ...event,
      at: event.at ?? Number.NEGATIVE_INFINITY,
    }));
    this.#floor = state.floor ?? Number.NEGATIVE_INFINITY;
  }
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

function add(counts: Map<string, number>, { model, version }: Member, by: number): void {
  const key = `${model}\u001f${version ?? ''}`;
  counts.set(key, (counts.get(key) ?? 0) + by);
}
