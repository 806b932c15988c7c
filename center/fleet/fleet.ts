/** Assembles the fleet part: asks, requests, policies and the times at which printers were last heard of. */
import type { CenterContext } from '../context.ts';
import type { PrinterPast } from '../queries.ts';
import { StoredFleet } from './fleet-queries.ts';
import { LastSeen } from './last-seen.ts';
import { Policies } from './policies.ts';
import { printerPast } from './printer-past.ts';
import { PrinterRequests } from './requests.ts';

export interface Fleet {
  readonly printers: StoredFleet;
  readonly past: PrinterPast;
  readonly requests: PrinterRequests;
  readonly policies: Policies;
  readonly lastSeen: LastSeen;
  /** Forgets a printer that was removed. */
  forget(printer: string): void;
}

/** @param matcher tells whether a version of a software is in a range */
export function createFleet(
  { store, link, log, now }: CenterContext,
  matcher: ConstructorParameters<typeof StoredFleet>[1],
): Fleet {
  const lastSeen = new LastSeen(store.printers, now, log);
  const printers = new StoredFleet(
    store,
    matcher,
    now,
    (printer) => lastSeen.of(printer),
    (printer) => store.readings.latest(printer),
  );
  const policies = new Policies(store.policies, link);
  return {
    printers,
    past: printerPast(store.database),
    requests: new PrinterRequests(link, printers),
    policies,
    lastSeen,
    forget(printer) {
      lastSeen.forget(printer);
      policies.forget(printer);
    },
  };
}
