/**
 * The composition root of the center. It declares the parts in order of dependency, and lists who listens to
 * conclusions. Data flows one way: what the link delivers is made durable, then judged, and conclusions go out over
 * the link.
 */
import { Closers } from '../base/closers.ts';
import { reasonOf } from '../schemas/errors.ts';
import type { Center, CenterOptions } from './center.ts';
import { Conclusions } from './conclusions.ts';
import type { CenterContext } from './context.ts';
import { Attendance } from './fleet/attendance.ts';
import { EventRecord } from './fleet/event-record.ts';
import { FleetEvents } from './fleet/events.ts';
import { createFleet } from './fleet/fleet.ts';
import { Removals, RemovedPrinters } from './fleet/removals.ts';
import { Summary } from './fleet/summary.ts';
import { barringLink } from './link/barring-link.ts';
import { showCenter } from './metrics.ts';
import type { Capabilities } from './operators/capabilities.ts';
import { createReception } from './reception.ts';
import { Remedies } from './trouble/remedies.ts';
import { Rules } from './trouble/rules-in-force.ts';
import { TroubleStore } from './trouble/store.ts';
import { Troubles } from './trouble/troubles.ts';
import { confirmLimit, RolloutSettingsStore } from './update/campaigns/rollout-settings.ts';
import { createUpdate } from './update/update.ts';
import { openJudging } from './verdicts/judging.ts';
import { WhatIfService } from './verdicts/what-if-service.ts';

/** Puts the center together; it receives nothing before `start`. */
export function createCenter(options: CenterOptions): Promise<Center> {
  const closers = new Closers((error) =>
    options.log.error({ reason: reasonOf(error) }, 'cannot close a part of the center'),
  );
  return closers.orClose(() => compose(options, closers));
}

async function compose(options: CenterOptions, closers: Closers): Promise<Center> {
  const { store, accounts, tokens, registry, repository, log, now } = options;
  const conclusions = new Conclusions(log);
  const { conclude } = conclusions;
  const removed = new RemovedPrinters();
  const record = new EventRecord(store.database, log, now);
  closers.add(() => record.stop());
  const link = barringLink(record.over(options.link), (printer) => removed.has(printer));
  const events = new FleetEvents(link, log, now);
  const context: CenterContext = { store, link, events, conclude, log, now };

  const rollout = new RolloutSettingsStore(store.database);
  const judging = await openJudging(context, repository, async () =>
    confirmLimit(await rollout.get(), (await store.printers.counts()).printers),
  );
  const { catalogs, verdicts } = judging;
  const fleet = createFleet(context, catalogs.rangeMatcher);
  const { printers, requests, policies, lastSeen } = fleet;
  const rows = new TroubleStore(store.database);
  const { inRange } = catalogs;
  const troubles = new Troubles({ ...context, store: rows, printers: store.printers, inRange });
  closers.add(() => troubles.stop());
  closers.add(() => conclusions.idle());
  const update = createUpdate(context, { ...options, ...judging, rollout, printers, requests, troubles });
  closers.add(() => update.stop());
  const { orders, campaigns, corrections } = update;
  const remedies = new Remedies({ ...context, rows, troubles, catalogs, campaigns, requests, policies });
  closers.add(() => remedies.stop());
  closers.add(() => judging.stop());
  const rules = new Rules({ documents: store.documents, check: judging.checkRules, campaigns, troubles });

  const attendance = new Attendance({ ...context, printers, orders, campaigns, troubles, corrections });
  const removals = new Removals({ ...context, removed, accounts, orders, campaigns, troubles, fleet });
  const summary = new Summary({ ...context, troubles, campaigns });
  closers.add(() => summary.stop());
  conclusions.listen([verdicts, troubles, corrections, campaigns, remedies, policies, attendance, removed]);
  accounts.onEnrolled((enrolled) => conclude({ kind: 'enrolled', printers: enrolled }));

  const capabilities: Capabilities = {
    ...context,
    ...fleet,
    fleet: printers,
    labels: store.labels,
    whatIf: new WhatIfService(catalogs, judging.questions, printers, now),
    attendance,
    removals,
    summary,
    accounts,
    tokens,
    catalog: catalogs,
    rules,
    troubles,
    campaigns,
    releases: repository,
    reports: store.reports,
    audit: store.audit,
  };
  const reception = createReception(context, { ...judging, capabilities, accounts, lastSeen, removed });
  showCenter(registry, { ...context, ...judging, ...reception, record, summary, troubles });

  return {
    capabilities,
    door: { answer: (asked) => reception.dispatcher.answer(asked), events: record },
    queueFault: () => orders.queue.fault(),
    connection: (printer, connected) => reception.uplinks.connection(printer, connected),
    start: () =>
      closers.orClose(async () => {
        record.start(events);
        await policies.load();
        await removals.load();
        lastSeen.start();
        closers.add(() => lastSeen.stop());
        await troubles.start((await rules.get())?.document);
        await update.start();
        closers.add(() => link.stop());
        await link.start(reception.handle);
        await removals.resume();
        verdicts.judgeFleet();
        summary.touch();
      }),
    stop: () => closers.close(),
  };
}
