/**
 * Whether a release makes an error code more frequent, over all codes at once. Pure, and valid although one looks all
 * the time: each comparison is an e-process (docs/reference/updates.md, "Guards").
 *
 * A campaign is halted only when both comparisons say so: printers with the release beside those without it, and
 * printers with their own past. Each has causes that fool it and not the other one, so an innocent release is halted
 * with a chance of at most α as long as one of the two holds. Where only one speaks, that is told and halts nothing.
 */
import type { Observation } from '../../statistics/code-watch.ts';
import { evidenceNeeded, evidenceOf } from '../../statistics/e-process.ts';
import { afterFirstEvent, newFirstEventLogs } from '../../statistics/first-event.ts';

export interface CohortGuard {
  alpha: number;
  codes: Record<string, CodeEvidence>;
  /** Printers that have the release, and how many of them have a past to be compared with. */
  changed: number;
  paired: number;
  /** Whether the busy printers came first, or last: a draw does neither. */
  draw: { early: number[]; late: number[] };
}

export interface CodeEvidence {
  /** The code is the nth that was seen: its share of α is α/(n(n+1)), so that all of them together have α. */
  rank: number;
  /** First events beside each other. */
  events: { with: number; without: number };
  logs: number[];
  /** Printers whose first event came sooner after the update than in the week before, and the others. */
  own: { after: number; before: number; logs: number[] };
  /** Where the events of printers with the release were. */
  sites: Record<string, number>;
}

/** What the evidence says of a code, or of the draw. */
export interface Finding {
  /**
   * `worse`: both comparisons say that the release makes it more frequent. `since`: more frequent than in the week
   * before; too few printers are without the release to compare with, or they log it more often as well. `differs`:
   * printers with the release log it more often, but no more often than before. `draw`: busy printers came first, or
   * last.
   */
  kind: 'worse' | 'since' | 'differs' | 'draw';
  code?: string;
  says: string;
}

export function newCohortGuard(alpha: number): CohortGuard {
  return {
    alpha,
    codes: {},
    changed: 0,
    paired: 0,
    draw: { early: newFirstEventLogs(), late: newFirstEventLogs() },
  };
}

/** A printer has the release from now on; `paired` when it has a past to be compared with. */
export function printerChanged(guard: CohortGuard, paired: boolean): CohortGuard {
  return { ...guard, changed: guard.changed + 1, paired: guard.paired + (paired ? 1 : 0) };
}

/** What the guard knows after one more observation. */
export function observe(guard: CohortGuard, seen: Observation): CohortGuard {
  if (seen.kind === 'draw') {
    return {
      ...guard,
      draw: {
        early: afterFirstEvent(guard.draw.early, seen.busy, seen.share),
        late: afterFirstEvent(guard.draw.late, !seen.busy, 1 - seen.share),
      },
    };
  }
  const evidence: CodeEvidence = guard.codes[seen.code] ?? {
    rank: Object.keys(guard.codes).length + 1,
    events: { with: 0, without: 0 },
    logs: newFirstEventLogs(),
    own: { after: 0, before: 0, logs: newFirstEventLogs() },
    sites: {},
  };
  const { events, own } = evidence;
  let next: CodeEvidence;
  if (seen.kind === 'beside') {
    const share = seen.withIt / (seen.withIt + seen.without);
    next = {
      ...evidence,
      events: {
        with: events.with + (seen.runsIt ? 1 : 0),
        without: events.without + (seen.runsIt ? 0 : 1),
      },
      logs: afterFirstEvent(evidence.logs, seen.runsIt, share),
      sites: seen.runsIt ? counted(evidence.sites, seen.site) : evidence.sites,
    };
  } else {
    next = {
      ...evidence,
      own: {
        after: own.after + (seen.after ? 1 : 0),
        before: own.before + (seen.after ? 0 : 1),
        // Under the hypothesis the first event is as likely in the week after as in the week before.
        logs: afterFirstEvent(own.logs, seen.after, 0.5),
      },
    };
  }
  return { ...guard, codes: { ...guard.codes, [seen.code]: next } };
}

function counted(sites: Record<string, number>, site: string | undefined): Record<string, number> {
  return site === undefined ? sites : { ...sites, [site]: (sites[site] ?? 0) + 1 };
}

/** Evidence for each code, and what it must reach. */
export function cohortEvidence(guard: CohortGuard): {
  code: string;
  evidence: number;
  needed: number;
  with: number;
  without: number;
  own: { evidence: number; after: number; before: number };
}[] {
  return Object.entries(guard.codes).map(([code, { rank, events, logs, own }]) => ({
    code,
    evidence: evidenceOf(logs),
    needed: evidenceNeeded(guard.alpha, rank),
    ...events,
    own: { evidence: evidenceOf(own.logs), after: own.after, before: own.before },
  }));
}

/** Evidence that the draw was none: that busy printers came first, or last. */
export function drawEvidence(guard: CohortGuard): number {
  return (evidenceOf(guard.draw.early) + evidenceOf(guard.draw.late)) / 2;
}

/** Most printers with the release can be compared with their own past. */
function hasPast(guard: CohortGuard): boolean {
  return guard.paired > 0 && guard.paired * 2 >= guard.changed;
}

/** Everything that the evidence shows now. */
export function findings(guard: CohortGuard): Finding[] {
  const found: Finding[] = [];
  const drawn = drawEvidence(guard) < 1 / guard.alpha;
  if (!drawn) {
    const when = evidenceOf(guard.draw.early) > evidenceOf(guard.draw.late) ? 'first' : 'last';
    found.push({
      kind: 'draw',
      says: `the draw is not random: printers that logged much before came ${when}; comparing printers with each other shows nothing by itself`,
    });
  }
  for (const { code, evidence, needed, own, ...events } of cohortEvidence(guard)) {
    const beside = evidence >= needed;
    const since = own.evidence >= needed;
    const numbers = `first events of ${events.with} printers with it and ${events.without} without`;
    const past = `${own.after} of ${own.after + own.before} printers logged it sooner than in the week before`;
    if (beside && (since || (!hasPast(guard) && drawn))) {
      found.push({
        kind: 'worse',
        code,
        says:
          `the release makes ${code} more frequent than it is on printers without it ` +
          `(${[numbers, ...(own.after + own.before > 0 ? [past] : []), ...place(guard.codes[code])].join('; ')})`,
      });
    } else if (since) {
      found.push({
        kind: 'since',
        code,
        says: `${code} has become more frequent on printers with the release (${past}); printers without it don't show whether the release is why (${numbers})`,
      });
    } else if (beside) {
      found.push({
        kind: 'differs',
        code,
        says: `printers with the release log ${code} more often than others (${numbers}), but not more often than they did before`,
      });
    }
  }
  return found;
}

/** The site where most of it was, if there is one. */
function place(evidence: CodeEvidence | undefined): string[] {
  const [most] = Object.entries(evidence?.sites ?? {}).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  if (!evidence || !most || most[1] * 2 <= evidence.events.with) return [];
  return [`${most[1]} of them at the site ${most[0]}`];
}

/** What halts a campaign. */
export function worseCode(guard: CohortGuard): Finding | undefined {
  return findings(guard).find(({ kind }) => kind === 'worse');
}
