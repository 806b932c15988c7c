/**
 * Whether a release makes any error code more frequent. Pure. Each comparison is an e-process, so it stays valid under
 * continuous monitoring (docs/reference/updates.md, "Guards").
 *
 * A campaign is halted only if two comparisons agree: printers with the release against those without it, and printers
 * against their own past. Different causes mislead the two, so an innocent release is halted with a chance of at most α as
 * long as one of them is valid. A finding of one comparison alone is announced and halts nothing.
 */
import type { Observation } from '../../statistics/code-watch.ts';
import { evidenceNeeded, evidenceOf } from '../../statistics/e-process.ts';
import { afterFirstEvent, newFirstEventLogs } from '../../statistics/first-event.ts';

export interface CohortGuard {
  alpha: number;
  codes: Record<string, CodeEvidence>;
  /** Printers that have the release, and how many of them have a past to compare with. */
  changed: number;
  paired: number;
  /** Whether busy printers came first, or last: a random draw does neither. */
  draw: { early: number[]; late: number[] };
}

export interface CodeEvidence {
  /** This code was the nth seen. It gets α/(n(n+1)), so that all codes together get α. */
  rank: number;
  /** First events with and without the release. */
  events: { with: number; without: number };
  logs: number[];
  /** Printers whose first event came sooner after the update than in the week before, and the rest. */
  own: { after: number; before: number; logs: number[] };
  /** Sites of the events of printers with the release. */
  sites: Record<string, number>;
}

/** What the evidence shows about a code, or about the draw. */
export interface Finding {
  /**
   * `worse`: both comparisons show that the release makes the code more frequent. `since`: it is more frequent than in the
   * week before, but printers without the release are too few or log it more often too. `differs`: printers with the
   * release log it more often than others, but not more than before. `draw`: busy printers came first, or last.
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

/** A printer has the release from now on; `paired` if it has a past to compare with. */
export function printerChanged(guard: CohortGuard, paired: boolean): CohortGuard {
  return { ...guard, changed: guard.changed + 1, paired: guard.paired + (paired ? 1 : 0) };
}

/** The guard after one more observation. */
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

/** Evidence for each code, and its threshold. */
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

/** Evidence that the draw was not random: busy printers came first, or last. */
export function drawEvidence(guard: CohortGuard): number {
  return (evidenceOf(guard.draw.early) + evidenceOf(guard.draw.late)) / 2;
}

/** Whether most printers with the release have a past to compare with. */
function hasPast(guard: CohortGuard): boolean {
  return guard.paired > 0 && guard.paired * 2 >= guard.changed;
}

/** All findings that the evidence shows now. */
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

/** The site with most of the events, if there is one. */
function place(evidence: CodeEvidence | undefined): string[] {
  const [most] = Object.entries(evidence?.sites ?? {}).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  if (!evidence || !most || most[1] * 2 <= evidence.events.with) return [];
  return [`${most[1]} of them at the site ${most[0]}`];
}

/** The findings that halt a campaign. */
export function worseCode(guard: CohortGuard): Finding | undefined {
  return findings(guard).find(({ kind }) => kind === 'worse');
}
