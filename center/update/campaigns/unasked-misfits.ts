/**
 * Misfits for which no campaign was asked. A verdict is stored first and its question is asked after that. A kill between
 * the two would lose the correction, because the same verdict for the same structure asks nothing again.
 */
import type { Structure, Verdict } from '../../../schemas/types.ts';
import type { UpdateDatabase } from '../orders/execution-store.ts';
import { misfitOf } from './misfit.ts';
import { PASSING } from './targets.ts';

/** A printer whose verdict asks for a correction. */
export interface UnaskedMisfit {
  printer: string;
  structure: Structure;
  verdict: Verdict;
}

/** The question that identifies the campaign of a misfit. */
export function misfitQuestion(key: string): string {
  return `misfit ${key}`;
}

/**
 * Reads one page of misfits, in order of printers.
 * @param limit misfits read
 * @returns those that no campaign was asked about since their verdict, and the key of the next page if there is one
 */
export async function unaskedMisfits(
  database: UpdateDatabase,
  after: string,
  limit: number,
): Promise<{ unasked: UnaskedMisfit[]; next?: string }> {
  const page = await database.query<UnaskedMisfit & { at: Date }>(
    `SELECT v.printer, v.at, v.document AS verdict, s.document AS structure
     FROM verdicts v JOIN printers p ON p.id = v.printer
     JOIN structures s ON s.printer = v.printer AND s.session = v.session AND s.revision = v.revision
     WHERE v.status = 'incompatible' AND p.standing = 'active' AND v.printer > $1 ORDER BY v.printer LIMIT $2`,
    [after, limit],
  );
  const misfits = page.flatMap((each) => {
    const misfit = misfitOf(each.verdict);
    return misfit === undefined ? [] : [{ ...each, question: misfitQuestion(misfit.key) }];
  });
  const asked = await database.query<{ printer: string }>(
    `SELECT t.printer FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS n(printer, question, at)
     JOIN campaigns c ON c.question = n.question
     JOIN campaign_targets t ON t.campaign = c.id AND t.printer = n.printer
     LEFT JOIN executions e ON e.id = t.execution
     WHERE t.state IN ('waiting', 'dispatched') OR (t.state = 'excluded' AND t.reason <> ALL($4))
        OR (t.state = 'ended' AND e.ended_at >= n.at)`,
    [
      misfits.map(({ printer }) => printer),
      misfits.map(({ question }) => question),
      misfits.map(({ at }) => at),
      PASSING,
    ],
  );
  const known = new Set(asked.map(({ printer }) => printer));
  const last = page.at(-1);
  return {
    unasked: misfits
      .filter(({ printer }) => !known.has(printer))
      .map(({ printer, structure, verdict }) => ({ printer, structure, verdict })),
    ...(last === undefined || page.length < limit ? {} : { next: last.printer }),
  };
}
