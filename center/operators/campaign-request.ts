/**
 * Turns the parameters of `campaigns.create` and `campaigns.preview` into a campaign request. A campaign must say what
 * to install and on which printers; nothing is guessed.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { CampaignsCreateParams } from '../../schemas/types.ts';
import type { CampaignRequest } from '../update/campaigns/targets.ts';
import { addresseesOf } from './addressees.ts';
import { checkSoftware, type NamedSoftware, type NameSources, namedRelease } from './known-names.ts';

const WHAT = 'say what: "software", "release", "trouble" or "remedy": "each"';

/** The software to install. */
interface Wanted {
  software?: NamedSoftware;
  /** The staged release that it names. */
  staged?: string;
}

/** The software that a trouble's remedy proposes. */
async function softwareOf(trouble: string, { troubles }: NameSources): Promise<NamedSoftware> {
  const proposal = (await troubles.get(trouble))?.proposal as { software?: NamedSoftware | null } | undefined;
  const proposed = proposal?.software;
  if (proposed)
    return { id: proposed.id, ...(proposed.range === undefined ? {} : { range: proposed.range }) };
  throw new PlatenError('request/conflict', {
    reason: 'The remedy of the trouble proposes no software: say "software" or "release" beside it',
  });
}

async function wantedOf(params: CampaignsCreateParams, sources: NameSources): Promise<Wanted> {
  const { software, release, remedy, trouble } = params;
  const said = [software, release, remedy].filter((each) => each !== undefined).length;
  if (said > 1) throw new PlatenError('request/invalid', { reason: `/ ${WHAT}, one of them only` });
  if (trouble !== undefined && !(await sources.troubles.get(trouble))) {
    throw new PlatenError('request/unknown-trouble', { id: trouble });
  }
  if (release !== undefined) {
    const { id, version, staged } = namedRelease(release, sources);
    const named = { id, range: `=${version}` };
    checkSoftware(named, sources);
    return { software: named, ...(staged ? { staged: release } : {}) };
  }
  if (remedy !== undefined) return {};
  if (software === undefined && trouble === undefined) {
    throw new PlatenError('request/invalid', {
      reason: `/ ${WHAT}; and whom: "filter", "where", "printers" or "fleet": true`,
    });
  }
  const wanted = software ?? (await softwareOf(trouble ?? '', sources));
  checkSoftware(wanted, sources);
  return { software: wanted };
}

/**
 * The requested campaign, with its names checked.
 * @throws PlatenError request/invalid, request/unknown-*, request/conflict when no printer matches
 */
export async function campaignRequest(
  params: CampaignsCreateParams,
  sources: NameSources,
): Promise<{ request: CampaignRequest; warnings: string[] }> {
  const { title, trouble, expect, options } = params;
  const { software, staged } = await wantedOf(params, sources);
  const { printers, filter, warnings } = await addresseesOf(
    params,
    ['"filter"', '"where"', '"printers"'],
    sources,
  );
  return {
    warnings,
    request: {
      ...(title === undefined ? {} : { title }),
      ...(trouble === undefined ? {} : { trouble }),
      ...(software === undefined ? {} : { software }),
      ...(printers === undefined ? { filter } : { printers }),
      ...(expect === undefined ? {} : { expect }),
      ...(options === undefined && staged === undefined
        ? {}
        : {
            options: {
              ...options,
              ...(staged === undefined ? {} : { staged: [...(options?.staged ?? []), staged] }),
            },
          }),
    },
  };
}
