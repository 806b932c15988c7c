/**
 * What comes in over the link: uplinks of printers go to ingest, requests of operators to the dispatcher, by their
 * topic.
 */
import { parseTopic } from '../schemas/topics.ts';
import type { StoredAccounts } from './accounts/accounts.ts';
import type { CenterContext } from './context.ts';
import { Asks } from './fleet/asks.ts';
import type { LastSeen } from './fleet/last-seen.ts';
import type { RemovedPrinters } from './fleet/removals.ts';
import { Refusals } from './ingest/refusals.ts';
import { Uplinks } from './ingest/uplinks.ts';
import type { LinkHandler } from './link/link.ts';
import type { Capabilities } from './operators/capabilities.ts';
import { Dispatcher } from './operators/dispatch.ts';
import { METHODS } from './operators/methods.ts';
import type { Catalogs } from './verdicts/catalogs.ts';
import { optionsOf } from './verdicts/options.ts';
import type { Verdicts } from './verdicts/verdicts.ts';

export interface ReceptionSources {
  capabilities: Capabilities;
  accounts: Pick<StoredAccounts, 'roleOf'>;
  catalogs: Catalogs;
  verdicts: Verdicts;
  lastSeen: LastSeen;
  removed: RemovedPrinters;
}

export interface Reception {
  readonly uplinks: Uplinks;
  readonly dispatcher: Dispatcher;
  readonly refusals: Refusals;
  readonly handle: LinkHandler;
}

export function createReception(context: CenterContext, sources: ReceptionSources): Reception {
  const { store, link, events, conclude, log, now } = context;
  const { capabilities, accounts, catalogs, verdicts, lastSeen, removed } = sources;
  const asks = new Asks(capabilities, (structure) => optionsOf(catalogs.assessor, structure));
  const refusals = new Refusals(link, log);
  const uplinks = new Uplinks({
    ingest: store.ingest,
    knownVerdict: (structure) => verdicts.known(structure),
    ask: (printer, method, payload) => asks.handle(printer, method, payload),
    hear: (printer) => lastSeen.hear(printer),
    isRemoved: (printer) => removed.has(printer),
    refusals,
    events,
    conclude,
    link,
    log,
    now,
  });
  const dispatcher = new Dispatcher({
    capabilities,
    methods: METHODS,
    audit: store.audit,
    roleOf: (name) => accounts.roleOf(name),
    log,
  });
  return {
    uplinks,
    dispatcher,
    refusals,
    handle(message) {
      const parsed = parseTopic(message.topic);
      if (!parsed) return Promise.resolve('refused');
      return parsed.from === 'printer'
        ? uplinks.handle(message, parsed)
        : dispatcher.handle(message, parsed.operator, parsed.method);
    },
  };
}
