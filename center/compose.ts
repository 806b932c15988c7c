/**
 * The center: the capabilities put together around one store and one link. Data flows one way: a link's message is
 * made durable, then judged; what was concluded goes back out over the link.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Repository } from '../releases/repository.ts';
import { reasonOf } from '../schemas/errors.ts';
import { parseTopic } from '../schemas/topics.ts';
import type { Structure } from '../schemas/types.ts';
import type { StoredAccounts } from './accounts/accounts.ts';
import type { Tokens } from './accounts/tokens.ts';
import type { Store } from './database/store.ts';
import { Asks } from './fleet/asks.ts';
import { Attendance } from './fleet/attendance.ts';
import { EventRecord } from './fleet/event-record.ts';
import { FleetEvents } from './fleet/events.ts';
import { StoredFleet } from './fleet/fleet-queries.ts';
import { FleetGauges } from './fleet/gauges.ts';
import { LastSeen } from './fleet/last-seen.ts';
import { Policies } from './fleet/policies.ts';
import { Removals } from './fleet/removals.ts';
import { PrinterRequests } from './fleet/requests.ts';
import { structurePage } from './fleet/structure-pages.ts';
import { Summary } from './fleet/summary.ts';
import { timelinePage } from './fleet/timeline-store.ts';
import { Refusals } from './ingest/refusals.ts';
import { type Conclusions, Uplinks } from './ingest/uplinks.ts';
import { barringLink } from './link/barring-link.ts';
import type { Link, LinkHandler } from './link/link.ts';
import { show, showCommits } from './metrics.ts';
import { type Answered, type Asked, Dispatcher } from './operators/dispatch.ts';
import { METHODS } from './operators/methods.ts';
import type { Services } from './operators/services.ts';
import type { InRange } from './trouble/engine/index.ts';
import { Remedies, ruleQuestion } from './trouble/remedies.ts';
import { SET_ASIDE_RULE } from './trouble/rows.ts';
import { Rules } from './trouble/rules-in-force.ts';
import { TroubleStore } from './trouble/store.ts';
import { Troubles } from './trouble/troubles.ts';
import { createCampaigns } from './update/campaigns/campaigns.ts';
import { confirmLimit } from './update/campaigns/rollout-settings.ts';
import { Corrections } from './update/corrections.ts';
import { budgetOf } from './update/orders/budget.ts';
import { OrderService } from './update/orders/order-service.ts';
import { printerOrders } from './update/orders/printer-orders.ts';
import { Catalogs } from './verdicts/catalogs.ts';
import { Choosing } from './verdicts/choosing.ts';
import { optionsOf } from './verdicts/options.ts';
import { Questions } from './verdicts/questions.ts';
import { Verdicts } from './verdicts/verdicts.ts';
import { WhatIfService } from './verdicts/what-if-service.ts';

export interface CenterOptions {
  store: Store;
  link: Link;
  accounts: StoredAccounts;
  tokens: Tokens;
  registry: Registry;
  /** The release repository, and its address as printers reach it, with a slash at its end. */
  repository: Repository;
  repositoryUrl: string;
  /** Redis for the queue; undefined: the queue is on the store's Postgres. */
  redisUrl: string | undefined;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Something that concludes from what printers send; all of it optional but stopping. */
export interface Capability extends Partial<Omit<Conclusions, 'knownVerdict'>> {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface Center {
  readonly services: Services;
  /** What is served another way than over the link. */
  readonly door: { answer(asked: Asked): Promise<Answered>; readonly events: EventRecord };
  readonly verdicts: Verdicts;
  /** Why the queue of orders can't be used at the moment. */
  queueFault(): string | undefined;
  /** The broker in this process saw a printer's connection begin or end. */
  connection(printer: string, connected: boolean): void;
  /** Begins to hear; what a stop or a kill left undone is taken up again. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Puts the center together; nothing happens before `start`. */
export async function createCenter(options: CenterOptions): Promise<Center> {
  const { store, accounts, registry, redisUrl, log, now } = options;
  const record = new EventRecord(store.database, log, now);
  const link = barringLink(record.over(options.link), (printer) => removals.isRemoved(printer));
  const events = new FleetEvents(link, log, now);
  const refusals = new Refusals(link, log);
  const choosing = new Choosing(log);
  const questions = new Questions();
  const catalogs = new Catalogs(
    store.documents,
    () => options.repository.list(),
    {
      check: (document) => questions.checkCatalog(document),
      impact: (document, current) => questions.impact(document, current, store.verdicts),
    },
    choosing,
    {
      limit: async () => confirmLimit(await campaigns.rollout.get(), (await fleet.counts()).printers),
      hold: (catalog, printers, most) => store.verdicts.holdCatalog(catalog, printers, most, new Date(now())),
    },
  );
  await catalogs.load();
  const lastSeen = new LastSeen(store.printers, now, log);
  const fleet = new StoredFleet(
    store.printers,
    (software, range) => catalogs.assessor.rangeMatcher(software, range),
    (printer) => lastSeen.of(printer),
    (printer) => store.readings.latest(printer),
  );
  const requests = new PrinterRequests(link, () => fleet);
  const policies = new Policies(store.policies, link);
  const summary = new Summary({
    count: async () => ({
      ...(await fleet.counts()),
      troubles: { open: await troubles.countOpen() },
      campaigns: { running: await campaigns.running() },
    }),
    link,
    log,
    now,
  });
  const verdicts = new Verdicts({
    store: store.verdicts,
    assessor: () => catalogs.assessor,
    link,
    events,
    log,
    now,
  });
  catalogs.onChanged(() => {
    verdicts.judgeFleet();
    troubles.onCatalog();
  });
  const orders = new OrderService({
    database: store.database,
    queue: redisUrl === undefined ? { postgres: store.database.url } : { redis: redisUrl },
    publish: (topic, payload, how) => link.publish(topic, payload, how),
    tell: (kind, what, details) => events.tell(kind, what, details),
    repository: options.repository,
    repositoryUrl: options.repositoryUrl,
    log,
    now,
    requestStructure: async (printer) => void (await requests.ask(printer, 'structure')),
    rejudge: (printer) => Promise.resolve(verdicts.judge(printer)),
    budget: async () => budgetOf((await campaigns.rollout.get()).budget),
    setAside: ({ printer, software, release, reason, at }) =>
      troubles.found({
        rule: SET_ASIDE_RULE,
        title: 'Set aside: it gets no further orders for this until somebody readmits it',
        printer,
        key: `${software}@${release}`,
        severity: 'major',
        at,
        explanation: reason,
      }),
  });
  const campaigns = createCampaigns({
    orders,
    database: store.database,
    fleet,
    repository: options.repository,
    choose: (structure, wish) => catalogs.assessor.choose(structure, wish),
    publish: (topic, payload, how) => link.publish(topic, payload, how),
    tell: (what, data) => events.tell('campaign', what, { data }),
    audit: (actor, method, params) =>
      store.audit.add({ actor, role: 'center', method, params, outcome: 'accepted' }),
    log,
    now,
  });
  const troubleStore = new TroubleStore(store.database);
  const inRange: InRange = (software, version, range) => catalogs.assessor.inRange(software, version, range);
  const troubles = new Troubles({
    store: troubleStore,
    setOpenTroubles: (list, client) => store.printers.setOpenTroubles(list, client),
    publish: (topic, payload, how) => link.publish(topic, payload, how),
    tell: (what, details) => events.tell('trouble', what, details),
    onNews: (news, row, rule) => remedies.onNews(news, row, rule),
    inRange,
    log,
    now,
  });
  const remedies = new Remedies({
    catalog: () => catalogs.assessor.compiled,
    inRange,
    printersWith: (software, after, limit) => troubleStore.printersWith(software, after, limit),
    structureOf: async (printer) => (await troubleStore.structuresOf([printer])).get(printer),
    campaigns,
    request: (printer, what) => requests.ask(printer, what),
    setPolicy: (printer, policy) => policies.set(printer, policy),
    tell: (what, details) => events.tell('trouble', what, details),
    amend: (trouble, proposal) =>
      troubles.amend(trouble, (row) => ({ proposal: { ...row.proposal, ...proposal } })),
    log,
  });
  orders.onChange(async ({ printer, plan, trouble, execution }, before) => {
    if (execution.state === 'proven' && before !== 'proven')
      await troubles.onProven(printer, plan.steps, trouble);
  });
  const rules = new Rules(
    store.documents,
    async (compiled) => {
      await campaigns.noteRules(
        compiled.rules.map((rule) => ({ rule: rule.id, question: ruleQuestion(rule) })),
      );
      await troubles.use(compiled);
    },
    (document) => questions.checkRules(document, catalogs.current),
  );
  const attendance = new Attendance({
    orders,
    printers: store.printers,
    campaigns,
    tell: (what, printer) => events.tell('presence', what, { printer }),
    troubles,
    reconsider: async (printer) => {
      const { structure, verdictDocument } = (await fleet.get(printer)) ?? {};
      if (structure && verdictDocument) corrections.onVerdict(printer, structure, verdictDocument);
    },
    now,
  });
  const removals = new Removals({
    store: store.removals,
    accounts,
    async withdraw(printer) {
      await orders.onLeft(printer, 'it was removed', false);
      await campaigns.onLeft(printer, 'removed');
    },
    ingest: store.ingest,
    troubles,
    forget(printer) {
      lastSeen.forget(printer);
      policies.forget(printer);
      campaigns.onRemoved(printer);
    },
    settle: (name) => campaigns.settleRemoved(name),
    link,
    tell: (printer) => events.tell('presence', 'removed', { printer }),
    log,
    now,
  });
  accounts.onEnrolled((printers) => removals.enrolled(printers));
  const services: Services = {
    link,
    log,
    now,
    events,
    summary,
    fleet,
    past: {
      timeline: (printer, query, page) => timelinePage(store.database, printer, query, page),
      orders: (printer, page) => printerOrders(store.database, printer, page),
      structures: (printer, query, page) => structurePage(store.database, printer, query, page),
    },
    whatIf: new WhatIfService(catalogs, questions, fleet, now),
    attendance,
    removals,
    accounts,
    tokens: options.tokens,
    policies,
    requests,
    catalog: catalogs,
    rules,
    troubles,
    campaigns,
    releases: options.repository,
    reports: store.reports,
    audit: store.audit,
  };
  const asks = new Asks(services, (structure: Structure) => optionsOf(catalogs.assessor, structure), log);
  const corrections = new Corrections(
    orders,
    {
      settings: () => campaigns.rollout.get(),
      isHeld: (catalog) => store.verdicts.isCatalogHeld(catalog),
      ask: (question) => campaigns.ask(question),
    },
    log,
  );
  verdicts.onVerdict((printer, structure, verdict) => corrections.onVerdict(printer, structure, verdict));
  const capabilities: Capability[] = [corrections, campaigns];
  const conclusions: Conclusions = {
    knownVerdict: (structure) => verdicts.known(structure),
    onStructure(printer, structure, judged) {
      // A verdict names the revision that it judges, so that one that shows nothing new gets another verdict too.
      if (judged) verdicts.concluded(printer, structure, judged.verdict, judged.previous);
      else verdicts.judge(printer, structure);
      troubles.onStructure(printer, structure);
      for (const capability of capabilities) capability.onStructure?.(printer, structure, judged);
    },
    onEntries(printer, memory, entries) {
      troubles.onEntries(printer, memory, entries);
      for (const capability of capabilities) capability.onEntries?.(printer, memory, entries);
    },
    onUpdateReport(printer, report) {
      for (const capability of capabilities) capability.onUpdateReport?.(printer, report);
    },
    onPresence(printer, online) {
      if (online) {
        policies
          .greet(printer)
          .catch((error: unknown) => log.warn({ printer, reason: reasonOf(error) }, 'a policy was not told'));
      }
      for (const capability of capabilities) capability.onPresence?.(printer, online);
    },
    onReachable(printer) {
      attendance
        .reconsider(printer)
        .catch((error: unknown) =>
          log.warn({ printer, reason: reasonOf(error) }, 'it was not looked at again'),
        );
    },
    onAsk: (printer, method, payload) => asks.handle(printer, method, payload),
  };
  const uplinks = new Uplinks({
    ingest: store.ingest,
    conclusions,
    refusals,
    events,
    link,
    log,
    now,
    hear: (printer) => lastSeen.hear(printer),
    isRemoved: (printer) => removals.isRemoved(printer),
  });
  const dispatcher = new Dispatcher({
    services,
    methods: METHODS,
    audit: {
      record: ({ actor, role, method, params, outcome }) =>
        store.audit.add({ actor, role, method, params, outcome }),
    },
    roleOf: (name) => accounts.roleOf(name),
    log,
  });
  const handle: LinkHandler = (message) => {
    const parsed = parseTopic(message.topic);
    if (!parsed) return Promise.resolve('refused');
    return parsed.from === 'printer'
      ? uplinks.handle(message, parsed)
      : dispatcher.handle(message, parsed.operator, parsed.method);
  };
  events.touch(() => summary.touch());
  show(registry, {
    name: 'platen_events_lost_total',
    help: 'Events that found no place in the record since the start; readers are told to begin anew.',
    read: () => record.lost,
  });
  new FleetGauges({ registry, database: store.database, summary: () => summary.current(), log, now });
  showCommits(registry, store.ingest);
  show(registry, {
    name: 'platen_uplinks_total',
    help: 'Uplinks taken in, by kind.',
    label: 'kind',
    read: () => {
      const { entries: _entries, entries_lost: _lost, ...kinds } = uplinks.counts;
      return kinds;
    },
  });
  show(registry, {
    name: 'platen_entries_total',
    help: 'Log entries stored since the start.',
    read: () => uplinks.counts.entries,
  });
  show(registry, {
    name: 'platen_entries_lost_total',
    help: 'Log entries that printers overwrote before they could send them, since the start.',
    read: () => uplinks.counts.entries_lost,
  });
  show(registry, {
    name: 'platen_requests_busy_total',
    help: 'Requests of operators answered request/busy since the start, by which limit.',
    label: 'limit',
    read: () => dispatcher.admission.refused,
  });
  show(registry, {
    name: 'platen_questions_waiting',
    help: 'Heavy questions (impact, checks of documents) without an answer yet.',
    read: () => questions.waiting,
  });
  show(registry, {
    name: 'platen_choices_waiting',
    help: 'Remedies that the thread that chooses has not found yet.',
    read: () => choosing.waiting,
  });
  show(registry, {
    name: 'platen_trouble_entries_total',
    help: 'Entries judged since the start, and what of them the rules could not take as it came, by reason.',
    label: 'outcome',
    read: () => troubles.counts,
  });
  show(registry, {
    name: 'platen_refused_total',
    help: 'Payloads refused since the start, by error code.',
    label: 'code',
    read: () => Object.fromEntries(refusals.counts),
  });
  return {
    services,
    door: { answer: (asked) => dispatcher.answer(asked), events: record },
    verdicts,
    queueFault: () => orders.queue.fault(),
    connection(printer, connected) {
      uplinks
        .connection(printer, connected)
        .catch((error: unknown) =>
          log.warn({ printer, reason: reasonOf(error) }, 'a presence was not stored'),
        );
    },
    async start() {
      record.start(events);
      await policies.load();
      await removals.load();
      lastSeen.start();
      await troubles.start((await rules.get())?.document);
      for (const capability of capabilities) await capability.start();
      await link.start(handle);
      await removals.resume();
      verdicts.judgeFleet();
      summary.touch();
    },
    async stop() {
      await link.stop();
      await lastSeen.stop();
      // Verdicts first, so that what is given up now is not taken for an answer.
      const judged = verdicts.stop();
      await choosing.stop();
      await questions.stop();
      await judged;
      await troubles.stop();
      await remedies.idle();
      // What they noted beside troubles is written too.
      await troubles.stop();
      for (const capability of [...capabilities].reverse()) await capability.stop();
      summary.stop();
      await record.stop();
    },
  };
}
