/**
 * All request methods.
 */
import { auditList } from './audit-list.ts';
import { campaignsExcluded, campaignsRetry, campaignsSeries, campaignsTargets } from './campaign-printers.ts';
import {
  campaignsAbort,
  campaignsCreate,
  campaignsGet,
  campaignsList,
  campaignsPause,
  campaignsPreview,
  campaignsResume,
} from './campaigns.ts';
import { catalogGet, catalogImpact, catalogPut } from './catalog.ts';
import { fleetSummary } from './fleet-summary.ts';
import type { MethodDefinition } from './method.ts';
import { policySet } from './policy-set.ts';
import { printersEnroll } from './printers-enroll.ts';
import { printersErrors } from './printers-errors.ts';
import { configurationsList, printersFacets } from './printers-facets.ts';
import { printersGet } from './printers-get.ts';
import { printersLabel } from './printers-label.ts';
import { printersList } from './printers-list.ts';
import { printersOrders, printersStructures, printersTimeline } from './printers-past.ts';
import { printersReadmit } from './printers-readmit.ts';
import { printersRemove } from './printers-remove.ts';
import { printersRetire } from './printers-retire.ts';
import { printersRevoke } from './printers-revoke.ts';
import { printersWhatif } from './printers-whatif.ts';
import { releasesList, releasesRelease } from './releases.ts';
import { errorsRequest, readingsRequest, structureRequest } from './report-requests.ts';
import { reportsFirmware, reportsPages, reportsSupplies } from './reports.ts';
import { reportsInventory } from './reports-inventory.ts';
import { rolloutGet, rolloutSet } from './rollout.ts';
import { rulesGet, rulesPut } from './rules.ts';
import { tokensCreate, tokensList, tokensRevoke } from './tokens.ts';
import { troublesAck, troublesAssign, troublesClose, troublesList, troublesSnooze } from './troubles.ts';
import { usersList, usersPut, usersRemove } from './users.ts';

const ALL = [
  auditList,
  campaignsAbort,
  campaignsCreate,
  campaignsExcluded,
  campaignsGet,
  campaignsList,
  campaignsPause,
  campaignsPreview,
  campaignsResume,
  campaignsRetry,
  campaignsSeries,
  campaignsTargets,
  catalogGet,
  catalogImpact,
  catalogPut,
  configurationsList,
  errorsRequest,
  fleetSummary,
  policySet,
  printersEnroll,
  printersErrors,
  printersFacets,
  printersGet,
  printersLabel,
  printersList,
  printersOrders,
  printersReadmit,
  printersRemove,
  printersRetire,
  printersRevoke,
  printersStructures,
  printersTimeline,
  printersWhatif,
  readingsRequest,
  releasesList,
  releasesRelease,
  reportsFirmware,
  reportsInventory,
  reportsPages,
  reportsSupplies,
  rolloutGet,
  rolloutSet,
  rulesGet,
  rulesPut,
  structureRequest,
  tokensCreate,
  tokensList,
  tokensRevoke,
  troublesAck,
  troublesAssign,
  troublesClose,
  troublesList,
  troublesSnooze,
  usersList,
  usersPut,
  usersRemove,
];

/** Methods by name. */
export const METHODS: ReadonlyMap<string, MethodDefinition> = new Map(
  // Each handler takes the parameters of its own method; the dispatcher has checked them against that method's schema.
  ALL.map((definition) => [definition.method, definition as unknown as MethodDefinition]),
);
