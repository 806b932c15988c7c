/**
 * Releases that are withdrawn while campaigns install them: revoked in the signed repository, or withdrawn in the catalog.
 * Orders that have not started to install are cancelled. Waiting printers are planned again, or left out. A campaign with no
 * printer left is halted by its next look, with the reason.
 */
import { reasonOf } from '../../../schemas/errors.ts';
import { WITHDRAWN_RETRY_MS } from '../limits.ts';
import { type Query, queryOf, type UpdateDatabase } from '../orders/execution-store.ts';
import type { CampaignSettings } from './campaign-dispatch.ts';
import { CAMPAIGN_COLUMNS } from './campaign-lists.ts';
import { type CampaignRecord, campaignTransition } from './campaign-state.ts';
import type { CampaignRow } from './campaign-view.ts';
import { reviseTargets, waitingFor } from './target-rows.ts';
import { withdrawReleases } from './withdrawals.ts';

/** Release (`software@version`) to why it was withdrawn. */
type Withdrawn = Readonly<Record<string, string>>;

/** Why a release was withdrawn; undefined if it wasn't. */
type WhyWithdrawn = (release: string) => string | undefined;

/** `why` for names as campaigns use them: `software@version`. A switched unit is no release. */
function byName(why: (software: string, version: string) => string | undefined): WhyWithdrawn {
  return (release) => {
    const at = release.lastIndexOf('@');
    return at <= 0 || release.includes('>', at)
      ? undefined
      : why(release.slice(0, at), release.slice(at + 1));
  };
}

/** Campaigns with a withdrawn release, and its printers waiting or under way. */
async function withdrawnInCampaigns(
  database: UpdateDatabase,
  why: WhyWithdrawn,
): Promise<Map<string, Withdrawn>> {
  const rows = await database.query<{ campaign: string; release: string }>(
    `SELECT DISTINCT t.campaign, r AS release
     FROM campaign_targets t JOIN campaigns c ON c.id = t.campaign, unnest(t.releases) r
     WHERE (t.state IN ('waiting', 'dispatched') OR t.reason = 'withdrawn')
       AND c.state IN ('proposed', 'running', 'paused', 'halted')`,
  );
  const found = new Map<string, Record<string, string>>();
  for (const { campaign, release } of rows) {
    const reason = why(release);
    if (reason === undefined) continue;
    const known = found.get(campaign);
    if (known) known[release] = reason;
    else found.set(campaign, { [release]: reason });
  }
  return found;
}

/** What it needs from the campaigns. */
export interface WithdrawnHost {
  save(query: Query, id: string, record: CampaignRecord): Promise<void>;
  /** Looks at a campaign soon. */
  soon(id: string): void;
}

export class WithdrawnReleases {
  readonly #settings: CampaignSettings;
  readonly #host: WithdrawnHost;
  readonly #why: WhyWithdrawn;
  #started = false;
  /** The scan in progress; scans run one after the other. */
  #work: Promise<void> = Promise.resolve();

  constructor(settings: CampaignSettings, host: WithdrawnHost) {
    const { repository, isWithdrawn } = settings;
    this.#settings = settings;
    this.#host = host;
    this.#why = byName((software, version) => {
      const revoked = repository.target(software, version)?.custom.revoked;
      if (revoked !== undefined) return revoked;
      return isWithdrawn?.(software, version) ? 'the catalog says so' : undefined;
    });
  }

  /** Starts with releases that were withdrawn while the center was down. */
  start(): void {
    this.#started = true;
    this.look();
  }

  async stop(): Promise<void> {
    this.#started = false;
    await this.#work;
  }

  /** Finds campaigns with withdrawn releases, and takes those back. */
  look(): void {
    if (!this.#started) return;
    this.#work = this.#work.then(async () => {
      try {
        await this.#takeBack();
      } catch (error) {
        this.#settings.log.warn(
          { reason: reasonOf(error) },
          'taking back withdrawn releases failed; trying again',
        );
        setTimeout(() => this.look(), WITHDRAWN_RETRY_MS).unref();
      }
    });
  }

  async #takeBack(): Promise<void> {
    const { log, tell, database } = this.#settings;
    for (const [id, releases] of await withdrawnInCampaigns(database, this.#why)) {
      const names = Object.keys(releases);
      const reason = names.map((name) => `${name} was withdrawn: ${releases[name]}`).join('; ');
      const printers = await this.#leaveOut(id, releases);
      const { orders } = await withdrawReleases(this.#settings, names, reason, id);
      // Orders that install already are left to end.
      if (printers + orders === 0) continue;
      log.warn({ campaign: id, printers, orders }, reason);
      tell('release-withdrawn', { campaign: id, releases: names, reason, printers, orders });
      this.#host.soon(id);
    }
  }

  /**
   * Judges the printers again that wait for withdrawn releases, and records what was withdrawn.
   * @returns how many printers are left out
   */
  #leaveOut(id: string, withdrawn: Withdrawn): Promise<number> {
    const { database, targets } = this.#settings;
    return database.transaction(async (client) => {
      const query = queryOf(client);
      const [row] = await query<CampaignRow>(
        `SELECT ${CAMPAIGN_COLUMNS} FROM campaigns WHERE id = $1 FOR UPDATE`,
        [id],
      );
      if (!row) return 0;
      let leftOut = 0;
      for (let after = ''; ; ) {
        const page = await waitingFor(query, id, Object.keys(withdrawn), after);
        const last = page.at(-1);
        if (!last) break;
        after = last.printer;
        const candidates = await targets.named(page.map(({ printer }) => printer));
        const considered = new Map(
          (await targets.consider(candidates, row.request, id)).map((each) => [each.printer, each]),
        );
        leftOut += page.filter(({ printer }) => considered.get(printer)?.kind !== 'target').length;
        await reviseTargets(query, id, page, considered, (release) => withdrawn[release]);
      }
      const event = { type: 'release-withdrawn', releases: withdrawn } as const;
      await this.#host.save(query, id, campaignTransition(row.record, event).campaign);
      return leftOut;
    });
  }
}
