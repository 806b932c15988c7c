/**
 * Assembles the update part: orders for single printers, campaigns, and the corrections that verdicts ask for.
 */
import type { Repository } from '../../releases/repository.ts';
import type { CenterContext } from '../context.ts';
import type { PrinterRequests } from '../fleet/requests.ts';
import type { FleetQueries } from '../queries.ts';
import { compileStoredRules } from '../trouble/engine/index.ts';
import { ruleQuestion } from '../trouble/remedies.ts';
import { SET_ASIDE_RULE } from '../trouble/rows.ts';
import type { Troubles } from '../trouble/troubles.ts';
import type { Catalogs } from '../verdicts/catalogs.ts';
import type { Verdicts } from '../verdicts/verdicts.ts';
import { type Campaigns, createCampaigns } from './campaigns/campaigns.ts';
import { mayRestart, type RolloutSettingsStore } from './campaigns/rollout-settings.ts';
import { unaskedMisfits } from './campaigns/unasked-misfits.ts';
import { Corrections } from './corrections.ts';
import type { SetAside } from './orders/admission.ts';
import { budgetOf } from './orders/budget.ts';
import { OrderService } from './orders/order-service.ts';

export interface UpdateSources {
  repository: Repository;
  /** Base URL of the repository for printers, with a trailing slash. */
  repositoryUrl: string;
  /** Redis for the queue; undefined: the queue is on the store's Postgres. */
  redisUrl: string | undefined;
  rollout: RolloutSettingsStore;
  printers: Pick<FleetQueries, 'list'>;
  catalogs: Pick<Catalogs, 'assessor'>;
  requests: Pick<PrinterRequests, 'ask'>;
  verdicts: Pick<Verdicts, 'judge'>;
  troubles: Pick<Troubles, 'found'>;
}

export interface Update {
  readonly orders: OrderService;
  readonly campaigns: Campaigns;
  readonly corrections: Corrections;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Opens the queue of orders; nothing runs before `start`. */
export function createUpdate(context: CenterContext, sources: UpdateSources): Update {
  const { store, link, events, conclude, log, now } = context;
  const { repository, repositoryUrl, redisUrl, rollout, printers, catalogs, requests, verdicts, troubles } =
    sources;
  const { database } = store;
  const shared = {
    database,
    repository,
    publish: link.publish.bind(link),
    conclude,
    log,
    now,
  };
  const orders = new OrderService({
    ...shared,
    queue: redisUrl === undefined ? { postgres: database.url } : { redis: redisUrl },
    tell: (kind, what, details) => events.tell(kind, what, details),
    repositoryUrl,
    requestStructure: async (printer) => void (await requests.ask(printer, 'structure')),
    rejudge: (printer) => Promise.resolve(verdicts.judge(printer)),
    budget: async () => budgetOf((await rollout.get()).budget),
    setAside: (aside) => troubles.found(findingOf(aside)),
  });
  const campaigns = createCampaigns({
    ...shared,
    orders,
    fleet: printers,
    choose: (structure, wish) => catalogs.assessor.choose(structure, wish),
    isWithdrawn: (software, version) => catalogs.assessor.isWithdrawn(software, version),
    mayRestart: async (cause) =>
      mayRestart(
        await rollout.get(),
        cause,
        cause?.kind === 'rule' ? await ruleInForce(store.documents, cause.rule) : undefined,
      ),
    onLifted: () => corrections.askUnasked(),
    rollout,
    tell: (what, data) => events.tell('campaign', what, { data }),
    audit: (actor, method, params) =>
      store.audit.add({ actor, role: 'center', method, params, outcome: 'accepted' }),
  });
  const corrections = new Corrections(
    orders,
    {
      settings: () => rollout.get(),
      isHeld: (catalog) => store.verdicts.isCatalogHeld(catalog),
      ask: (question) => campaigns.ask(question),
      unasked: (after, limit) => unaskedMisfits(database, after, limit),
      tell: (what, data) => events.tell('campaign', what, { data }),
    },
    log,
  );
  // What was refused before may be right now.
  repository.onReloaded(() => corrections.askUnasked());
  rollout.onChanged(() => corrections.askUnasked());
  return {
    orders,
    campaigns,
    corrections,
    async start() {
      await orders.start();
      await campaigns.start();
      corrections.start();
    },
    async stop() {
      await campaigns.stop();
      await corrections.stop();
      await orders.stop();
    },
  };
}

/** What a trouble rule that is in force means; undefined when none of that name is. */
async function ruleInForce(
  documents: CenterContext['store']['documents'],
  id: string,
): Promise<{ question: string; auto: boolean } | undefined> {
  const found = await documents.get('rules');
  const rule = found && compileStoredRules(found.document).rules.rules.find((each) => each.id === id);
  return rule && { question: ruleQuestion(rule), auto: rule.auto };
}

/** The trouble that reports that a printer was set aside. */
function findingOf({ printer, software, release, reason, at }: SetAside): Parameters<Troubles['found']>[0] {
  return {
    rule: SET_ASIDE_RULE,
    title: 'Set aside: it gets no further orders for this until somebody readmits it',
    printer,
    key: `${software}@${release}`,
    severity: 'major',
    at,
    explanation: reason,
  };
}
