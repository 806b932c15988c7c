/**
 * Which printers take part in a campaign. Each candidate is judged and planned for its current structure; those left out
 * get a reason.
 */

import type { Choice, ChooseOptions } from '../../../compatibility/index.ts';
import { attainable, configurationOf } from '../../../compatibility/index.ts';
import type { Repository } from '../../../releases/repository.ts';
import { durationMs } from '../../../schemas/duration.ts';
import { softwareOf } from '../../../schemas/subject.ts';
import type { CampaignOptions, Remedy, Structure, Verdict } from '../../../schemas/types.ts';
import type { FleetFilter, FleetQueries } from '../../queries.ts';
import { type Cause, releasesOf } from '../cause.ts';
import { CANDIDATES_PAGE } from '../limits.ts';
import { type AttendanceRow, absenceOf, type Refusal } from '../orders/admission.ts';
import type { ExecutionStore, UpdateDatabase } from '../orders/execution-store.ts';
import { orderSteps, type PlanOutcome } from '../orders/order-plan.ts';
import { misfitOf } from './misfit.ts';
import type { StopStore } from './stop-store.ts';
import { type Stop, stopFor } from './stops.ts';

const DAY_MS = 24 * 3_600_000;

/** The request for a campaign. */
export interface CampaignRequest {
  title?: string;
  /** What to install; absent: whatever makes each printer compatible. */
  software?: { id: string; range?: string };
  filter?: FleetFilter;
  /** The trouble it cures. */
  trouble?: string;
  options?: CampaignOptions;
  /** The expected number of targets; with another number nothing is created. */
  expect?: { targets: number; tolerance?: number };
  /** Named printers instead of a filter. */
  printers?: string[];
  /** The cause; absent: a person asked. */
  cause?: Cause;
  /** Key of a misfit: use the remedies of current verdicts instead of the resolver. */
  misfit?: string;
}

/** Why a printer is left out. */
export type Exclusion =
  | 'no-plan'
  | 'pinned'
  | 'busy'
  | 'no-report'
  | 'quarantined'
  | 'unavailable'
  | 'withdrawn'
  | 'stopped'
  | 'no-structure'
  | Refusal['why'];

/** Reasons that may pass without a change to the campaign. */
export const PASSING: readonly Exclusion[] = [
  'busy',
  'no-report',
  'no-structure',
  'unavailable',
  'withdrawn',
  'no-plan',
  'stopped',
  'revoked',
  'retired',
  'unreachable',
  'set-aside',
];

export interface Candidate {
  printer: string;
  online: boolean;
  lastSeenMs: number | undefined;
  labels: Record<string, string>;
  site: string | undefined;
  structure: Structure | undefined;
  /** Why it takes part in no campaign. */
  absence?: Refusal;
}

export type Considered =
  /** It takes part. Its stratum is its configuration. */
  | {
      kind: 'target';
      printer: string;
      stratum: string;
      structure: Structure;
      remedy: Remedy;
      /** The releases it gets, as stops name them. */
      releases: string[];
    }
  /** Nothing to do: it doesn't have the software, or runs the wanted version. */
  | { kind: 'fine'; printer: string }
  | { kind: 'excluded'; printer: string; reason: Exclusion; why: string; stratum: string };

export type ChooseFunction = (structure: Structure, options: ChooseOptions) => Choice | Promise<Choice>;

type Plan = Extract<PlanOutcome, { ok: true }>;

/** What is found out about one structure, whichever printers have it. */
interface Judged {
  stratum: string;
  wanted: { remedy: Remedy } | { why: string } | undefined;
  /** Missing where nothing is to be installed. */
  plan?: PlanOutcome;
}

/**
 * What a preview keeps from page to page: printers of one configuration share a structure, which is read and judged
 * once. Not for requests with a misfit: their remedies belong to each printer's own verdict.
 */
export class SharedJudging {
  readonly structures = new Map<string, Structure>();
  readonly judged = new Map<Structure, Promise<Judged>>();
}

/** How candidates are read. */
interface PageOptions {
  size?: number;
  shared?: SharedJudging;
}

export interface TargetSources {
  database: UpdateDatabase;
  fleet: Pick<FleetQueries, 'list'>;
  executions: ExecutionStore;
  repository: Repository;
  stops: StopStore;
  choose: ChooseFunction;
  now(): number;
}

/** The resolver's options for a request. */
export function choiceFor(request: CampaignRequest): ChooseOptions {
  const { software, options } = request;
  return {
    allowUnitReplacement: false,
    ...(software ? { require: { [software.id]: software.range ?? '*' } } : {}),
    ...(software && software.range === undefined ? { objective: 'upgrade' as const } : {}),
    ...(options?.allowDowngrade === undefined ? {} : { allowDowngrade: options.allowDowngrade }),
    ...(options?.staged === undefined ? {} : { staged: options.staged }),
  };
}

/** A duration in ms; the schema has checked its form. */
export function durationOr(text: string | undefined, ms: number): number {
  return (text === undefined ? undefined : durationMs(text)) ?? ms;
}

function runs(structure: Structure, software: string): boolean {
  return [structure.apparatus, ...structure.units].some((part) =>
    part.software?.some((installed) => installed.id === software),
  );
}

export class Targets {
  readonly #sources: TargetSources;

  constructor(sources: TargetSources) {
    this.#sources = sources;
  }

  /** The printers that match a request, page by page. */
  async *candidates(request: CampaignRequest, how: PageOptions = {}): AsyncGenerator<Candidate[]> {
    for (let from: string | undefined; ; ) {
      const page = await this.candidatePage(request, from, how);
      yield page.candidates;
      if (page.next === undefined) return;
      from = page.next;
    }
  }

  /** One page of the printers that match a request, and from where the next one goes on. */
  async candidatePage(
    request: CampaignRequest,
    from: string | undefined,
    { size = CANDIDATES_PAGE, shared }: PageOptions = {},
  ): Promise<{ candidates: Candidate[]; next?: string }> {
    if (request.printers) {
      const begin = Number(from ?? 0);
      const end = begin + size;
      const candidates = await this.named(request.printers.slice(begin, end), shared);
      return { candidates, ...(end < request.printers.length ? { next: String(end) } : {}) };
    }
    const page = await this.#sources.fleet.list(request.filter ?? {}, {
      limit: size,
      cursor: from,
    });
    const candidates = await this.named(
      page.items.map((item) => item.printer),
      shared,
    );
    return { candidates, ...(page.next === undefined ? {} : { next: page.next }) };
  }

  /**
   * The known ones of these printers.
   * @param shared gives printers of one configuration the same structure: its session, serials, site and labels are those
   *   of any of them
   */
  async named(printers: string[], shared?: SharedJudging): Promise<Candidate[]> {
    const rows = await this.#sources.database.query<
      {
        id: string;
        configuration: string | null;
        online: boolean;
        last_seen: Date | null;
        labels: Record<string, string>;
        site: string | null;
        document: Structure | null;
      } & AttendanceRow
    >(
      `SELECT p.id, p.online, p.last_seen, p.labels, p.site, p.standing, p.standing_reason, p.device, p.device_at,
              p.configuration, ${shared ? 'NULL::json AS document' : 's.document'}
       FROM printers p
       LEFT JOIN structures s ON s.printer = p.id WHERE p.id = ANY($1) ORDER BY p.id`,
      [printers],
    );
    if (shared) await this.#share(rows, shared.structures);
    return rows.map((row) => ({
      printer: row.id,
      online: row.online,
      lastSeenMs: row.last_seen?.getTime(),
      labels: row.labels,
      site: row.site ?? undefined,
      structure: row.document ?? undefined,
      absence: absenceOf(row),
    }));
  }

  /** Reads one structure of each configuration that is not known yet, and those that have no name for theirs. */
  async #share(
    rows: { id: string; configuration: string | null; document: Structure | null }[],
    structures: Map<string, Structure>,
  ): Promise<void> {
    const examples = new Map<string, string>();
    for (const { id, configuration } of rows) {
      if (configuration === null) examples.set(id, id);
      else if (!structures.has(configuration) && !examples.has(configuration))
        examples.set(configuration, id);
    }
    const read = await this.#sources.database.query<{ printer: string; document: Structure }>(
      'SELECT printer, document FROM structures WHERE printer = ANY($1)',
      [[...examples.values()]],
    );
    const documents = new Map(read.map(({ printer, document }) => [printer, document]));
    for (const [configuration, printer] of examples) {
      const document = documents.get(printer);
      if (document && configuration !== printer) structures.set(configuration, document);
    }
    for (const row of rows) {
      const { id, configuration } = row;
      row.document = (configuration === null ? documents.get(id) : structures.get(configuration)) ?? null;
    }
  }

  /**
   * Judges candidates for a campaign.
   * @param campaign its id, so that its own orders don't count as busy; undefined for a preview
   * @param shared what is known already of structures that printers share
   */
  async consider(
    candidates: readonly Candidate[],
    request: CampaignRequest,
    campaign: string | undefined,
    { judged } = new SharedJudging(),
  ): Promise<Considered[]> {
    const printers = candidates.map((each) => each.printer);
    const { database, executions } = this.#sources;
    const [active, barred, held] = [
      new Map((await executions.active(printers)).map((row) => [row.printer, row])),
      await executions.quarantined(printers),
      new Map(
        (
          await database.query<{ printer: string; campaign: string }>(
            `SELECT t.printer, t.campaign FROM campaign_targets t JOIN campaigns c ON c.id = t.campaign
             WHERE t.printer = ANY($1) AND t.state IN ('waiting', 'dispatched')
               AND c.state IN ('running', 'paused') AND c.id <> $2
               -- Of two campaigns created at once the first has it; otherwise each would leave it to the other.
               AND NOT EXISTS (SELECT 1 FROM campaigns mine
                               WHERE mine.id = $2 AND (mine.created_at, mine.id) < (c.created_at, c.id))
               AND c.request->>'misfit' IS NULL AND $3::text IS NULL`,
            [printers, campaign ?? '', request.misfit ?? null],
          )
        ).map((row) => [row.printer, row.campaign]),
      ),
    ];
    const { cause = { kind: 'person', by: '' } } = request;
    const stops: readonly Stop[] = await this.#sources.stops.held();
    const ruleSince = stops.length > 0 ? await this.#sources.stops.sinceOf(cause) : undefined;
    const remedyOf = await this.#remedies(request, printers);
    const silentMs = durationOr(request.options?.silentAfter, 30 * DAY_MS);
    const judge = async (printer: string, structure: Structure): Promise<Judged> => {
      const stratum = configurationOf(structure);
      const wanted = await remedyOf(printer, structure);
      if (wanted === undefined || 'why' in wanted) return { stratum, wanted };
      const plan = orderSteps(structure, wanted.remedy, (software, version) =>
        this.#sources.repository.target(software, version),
      );
      return { stratum, wanted, plan };
    };
    const plans = new Map<string, Plan>();
    const consider = async (candidate: Candidate): Promise<Considered> => {
      const { printer, structure } = candidate;
      const out = (reason: Exclusion, why: string, stratum = ''): Considered => ({
        kind: 'excluded',
        printer,
        reason,
        why,
        stratum,
      });
      if (candidate.absence) {
        const { why, reason } = candidate.absence;
        return out(why, reason, structure ? configurationOf(structure) : '');
      }
      if (!structure) return out('no-structure', 'it has never sent its structure');
      if (request.software && !runs(structure, request.software.id)) return { kind: 'fine', printer };
      const known = judged.get(structure) ?? judge(printer, structure);
      judged.set(structure, known);
      const { stratum, wanted, plan } = await known;
      if (wanted === undefined) return { kind: 'fine', printer };
      if ('why' in wanted) return out('no-plan', wanted.why, stratum);
      const { remedy } = wanted;
      if (candidate.labels['update'] === 'pinned') {
        return out('pinned', 'its label "update" says "pinned"', stratum);
      }
      const silent =
        candidate.lastSeenMs === undefined || this.#sources.now() - candidate.lastSeenMs > silentMs;
      if (silent && !candidate.online) {
        const seen =
          candidate.lastSeenMs === undefined ? 'never' : new Date(candidate.lastSeenMs).toISOString();
        return out('no-report', `last heard of: ${seen}`, stratum);
      }
      if (!plan?.ok) {
        return out(
          plan?.withdrawn ? 'withdrawn' : 'unavailable',
          plan?.reason ?? 'nothing is to be installed',
          stratum,
        );
      }
      const releases = releasesOf(plan.steps);
      const stop = stopFor(stops, { releases, stratum, cause, ruleSince });
      if (stop) {
        const reason = `${stop.releases.join(', ')} was stopped by ${stop.by}: ${stop.reason}`;
        return out('stopped', reason, stratum);
      }
      const bars = barred.get(printer);
      const bar = bars?.find((each) =>
        plan.steps.some(({ subject, to }) => each.software === softwareOf(subject) && each.release === to),
      );
      if (bar)
        return out('quarantined', `${bar.software} ${bar.release} failed on it: ${bar.reason}`, stratum);
      const order = active.get(printer);
      if (order && order.campaign !== campaign) {
        const of = order.campaign === undefined ? '' : ` of the campaign ${order.campaign}`;
        return out('busy', `it has the order ${order.id}${of} already`, stratum);
      }
      const other = held.get(printer);
      if (other !== undefined) return out('busy', `the campaign ${other} has it`, stratum);
      plans.set(printer, plan);
      return { kind: 'target', printer, stratum, structure, remedy, releases };
    };
    const considered = await Promise.all(candidates.map(consider));
    return this.#admitted(considered, plans, campaign === undefined);
  }

  /**
   * Leaves out printers that are not admitted to an order.
   * @param asking a preview: sets nobody aside
   */
  async #admitted(
    considered: Considered[],
    plans: ReadonlyMap<string, Plan>,
    asking: boolean,
  ): Promise<Considered[]> {
    const { executions, now } = this.#sources;
    const wishes = [...plans].map(([printer, plan]) => ({ printer, plan }));
    const { admission } = executions;
    const refused = asking ? await admission.refusals(wishes, now()) : await admission.admit(wishes, now());
    return considered.map((each): Considered => {
      const refusal = refused.get(each.printer);
      if (!refusal || each.kind !== 'target') return each;
      const { printer, stratum } = each;
      return { kind: 'excluded', printer, reason: refusal.why, why: refusal.reason, stratum };
    });
  }

  /**
   * A function that finds the remedy of a printer, from its verdict or from the resolver; undefined when the printer has
   * nothing to do.
   */
  async #remedies(
    request: CampaignRequest,
    printers: string[],
  ): Promise<
    (printer: string, structure: Structure) => Promise<{ remedy: Remedy } | { why: string } | undefined>
  > {
    if (request.misfit === undefined) {
      const options = choiceFor(request);
      return async (_printer, structure) => {
        const choice = await this.#sources.choose(structure, options);
        const doable = attainable(choice);
        const idle = doable?.remedy.software.length === 0 && doable.remedy.steps.length === 0;
        if (!doable || (idle && choice.outcome === 'blocked')) {
          return { why: choice.explanation ?? `the resolver says: ${choice.outcome}` };
        }
        return idle ? undefined : { remedy: doable.remedy };
      };
    }
    const rows = await this.#sources.database.query<{ printer: string; document: Verdict }>(
      'SELECT printer, document FROM verdicts WHERE printer = ANY($1)',
      [printers],
    );
    const verdicts = new Map(rows.map((row) => [row.printer, row.document]));
    return async (printer, structure) => {
      const verdict = verdicts.get(printer);
      const judged = verdict?.structure;
      if (!verdict || judged?.session !== structure.session || judged.revision !== structure.revision) {
        return { why: 'its present structure has not been judged yet' };
      }
      const misfit = misfitOf(verdict);
      // It fits by now, or has another misfit, which has its own campaign.
      return misfit !== undefined && misfit.key === request.misfit ? { remedy: misfit.remedy } : undefined;
    };
  }
}
