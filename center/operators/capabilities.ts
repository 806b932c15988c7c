/** The capabilities of the center that a request method may use. */
import type { Logger } from 'pino';
import type { Repository } from '../../releases/repository.ts';
import type { TroubleRules } from '../../schemas/types.ts';
import type { Tokens } from '../accounts/tokens.ts';
import type { Attendance } from '../fleet/attendance.ts';
import type { FleetEvents } from '../fleet/events.ts';
import type { LabelRows } from '../fleet/label-store.ts';
import type { Policies } from '../fleet/policies.ts';
import type { Removals } from '../fleet/removals.ts';
import type { PrinterRequests } from '../fleet/requests.ts';
import type { Summary } from '../fleet/summary.ts';
import type { Link } from '../link/link.ts';
import type {
  Accounts,
  AuditQueries,
  CatalogService,
  DocumentService,
  FleetQueries,
  PrinterPast,
  ReportQueries,
  TroubleQueries,
  WhatIfQueries,
} from '../queries.ts';
import type { Campaigns } from '../update/campaigns/campaigns.ts';

export interface Capabilities {
  link: Link;
  log: Logger;
  /** The time in milliseconds since the epoch; passed in, so that tests can set it. */
  now(): number;
  events: FleetEvents;
  summary: Summary;
  fleet: FleetQueries;
  past: PrinterPast;
  whatIf: WhatIfQueries;
  attendance: Attendance;
  removals: Removals;
  accounts: Accounts;
  tokens: Tokens;
  labels: LabelRows;
  policies: Policies;
  requests: PrinterRequests;
  catalog: CatalogService;
  rules: DocumentService<TroubleRules>;
  troubles: TroubleQueries;
  campaigns: Campaigns;
  /** The releases of the signed repository. */
  releases: Repository;
  reports: ReportQueries;
  audit: AuditQueries;
}
