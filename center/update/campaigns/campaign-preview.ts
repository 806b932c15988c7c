/** What a campaign would do. */
import { PlatenError } from '../../../schemas/errors.ts';
import type { Gone } from '../../queries.ts';
import { PREVIEW_PAGE } from '../limits.ts';
import { type CampaignRequest, type Exclusion, SharedJudging, type Targets } from './targets.ts';

export interface Preview {
  targets: number;
  /** Printers with nothing to do: they run the wanted version, or don't have the software. */
  fine: number;
  configurations: { stratum: string; printers: number; example: string }[];
  excluded: Record<string, number>;
  /** A few printers for each reason, with the reason in words. */
  examples: { printer: string; reason: Exclusion; why: string }[];
}

const EXAMPLES_MAX = 5;
const CONFIGURATIONS_MAX = 100;

/**
 * Considers every printer that matches a request. Between pages others have their turn.
 * @param signal aborted when the caller has gone: no further page is considered
 */
export async function previewOf(
  targets: Pick<Targets, 'candidates' | 'consider'>,
  request: CampaignRequest,
  signal?: Gone,
): Promise<Preview> {
  const shared = new SharedJudging();
  const preview: Preview = { targets: 0, fine: 0, configurations: [], excluded: {}, examples: [] };
  const strata = new Map<string, { stratum: string; printers: number; example: string }>();
  for await (const page of targets.candidates(request, { size: PREVIEW_PAGE, shared })) {
    if (signal?.aborted) throw new PlatenError('request/abandoned');
    for (const each of await targets.consider(page, request, undefined, shared)) {
      if (each.kind === 'fine') preview.fine++;
      else if (each.kind === 'target') {
        preview.targets++;
        const known = strata.get(each.stratum);
        if (known) known.printers++;
        else strata.set(each.stratum, { stratum: each.stratum, printers: 1, example: each.printer });
      } else {
        preview.excluded[each.reason] = (preview.excluded[each.reason] ?? 0) + 1;
        const { printer, reason, why } = each;
        if (preview.examples.filter((other) => other.reason === reason).length < EXAMPLES_MAX) {
          preview.examples.push({ printer, reason, why });
        }
      }
    }
  }
  preview.configurations = [...strata.values()]
    .sort((a, b) => b.printers - a.printers)
    .slice(0, CONFIGURATIONS_MAX);
  return preview;
}
