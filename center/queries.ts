/** The queries that request methods use, and the shapes of their results. */
import type { ImpactResult } from '../compatibility/index.ts';
import type { Role } from '../schemas/roles.ts';
import type {
  Catalog,
  FirmwareItem,
  PagesItem,
  Policy,
  PrinterFilter,
  PrinterOrder,
  PrintersWhatifParams,
  PrintersWhatifReply,
  ReadingFacts,
  ReadingInput,
  ReadingSupply,
  Readings,
  Structure,
  StructureHistoryItem,
  SupplyItem,
  TimelineItem,
  Trouble,
  TroubleGroup,
  Verdict,
} from '../schemas/types.ts';
import type { PrinterConditions } from './fleet/filter-sql.ts';

/** Whether the caller has disconnected, so that nobody reads the answer; an `AbortSignal` is one. */
export interface Gone {
  readonly aborted: boolean;
}

/** A page of a list: `next` is the cursor of the following page, absent on the last one. */
export interface Page<Item> {
  items: Item[];
  next?: string;
}

/** A page that a request asks for. */
export interface PageRequest {
  limit: number;
  cursor: string | undefined;
  /** Whether the answer includes the total number of items. */
  counted?: boolean;
}

/** A filter as an object, as a text, or both, which must then both match. */
export interface FleetFilter extends PrinterFilter {
  where?: string;
}

/** The orders of a list of printers; missing values come last in either direction. */
export const PRINTER_SORTS = ['id', 'model', 'site', 'seen', 'verdict', 'troubles'] as const;
export type PrinterSortKey = (typeof PRINTER_SORTS)[number];
/** A leading `-` means descending. */
export type PrinterSort = PrinterSortKey | `-${PrinterSortKey}`;

/** The number of matching printers. */
export interface Total {
  total: number;
  /** Whether it was counted; otherwise it is the database's estimate. */
  exact: boolean;
}

/** The most frequent values of one field. */
export interface Facet {
  field: string;
  /** `where`: the term that matches them. */
  values: { value?: string; printers: number; where: string }[];
  /** Number of further values. */
  more: number;
}

/** Printers of the same configuration. */
export interface ConfigurationItem {
  configuration: string;
  printers: number;
  model?: string;
  example: string;
  verdict: Record<string, number>;
}

export interface PrinterPage extends Page<PrinterItem> {
  total?: number;
  /** Whether it was counted; otherwise it is an estimate. */
  exact?: boolean;
}

/** One printer in a list. */
export interface PrinterItem {
  printer: string;
  model?: string;
  serial?: string;
  site?: string;
  labels?: Record<string, string>;
  presence: 'online' | 'offline';
  /** RFC 3339: when it was last heard of. */
  lastSeen?: string;
  /** The agent's report on the device: an agent may be online while its device is off. */
  device?: 'reachable' | 'unreachable';
  deviceSince?: string;
  /** Why it takes part in nothing and is not counted; absent for active printers. */
  standing?: 'retired' | 'revoked';
  standingAt?: string;
  standingReason?: string;
  verdict: Verdict['status'] | 'none';
  openTroubles: number;
}

/** A printer's latest counters, supplies and inputs. */
export interface LatestReadings {
  session: string;
  number: number;
  /** When it was read by the printer's clock, and when the center received it. */
  at: string;
  received: string;
  state?: Readings['state'];
  reasons?: string[];
  counters: Record<string, number>;
  /** `left`: the share of the capacity, if known; `since`: when this cartridge was first seen. */
  supplies: (ReadingSupply & {
    left?: number;
    since: string;
    /** When it will be empty: the estimate and its 80 % interval. */
    ends?: string;
    endsEarliest?: string;
    endsLatest?: string;
  })[];
  inputs?: ReadingInput[];
  facts?: ReadingFacts;
}

/** The details of one printer. */
export interface PrinterDetails extends PrinterItem {
  structure?: Structure;
  verdictDocument?: Verdict;
  policy?: Policy;
  readings?: LatestReadings;
  /** Changes between structures, newest first. */
  changes: Record<string, unknown>[];
  /** Log memories with their cursors and known gaps. */
  logs: { log: string; upTo: number; lost: number }[];
}

/** One stored log entry. */
export interface StoredEntry {
  log: string;
  seq: number;
  at: string;
  code: string;
  severity: string;
  unit?: string;
  pages?: number;
  detail?: Record<string, unknown>;
}

/** Queries about the fleet. */
export interface FleetQueries {
  /** @throws PlatenError request/where, request/filter-too-slow, request/invalid for a cursor of another list */
  list(filter: FleetFilter, page: PageRequest, sort?: PrinterSort): Promise<PrinterPage>;
  /** The number of matching printers. */
  count(filter: FleetFilter): Promise<number>;
  /** The same, counted up to a bound and estimated beyond it. */
  total(filter: FleetFilter): Promise<Total>;
  /** The ids of all matching printers. */
  ids(filter: FleetFilter): Promise<string[]>;
  /** A filter as part of a statement. */
  conditions(filter: FleetFilter): Promise<PrinterConditions>;
  facets(filter: FleetFilter, fields: readonly string[], limit: number): Promise<Facet[]>;
  configurations(filter: FleetFilter, page: PageRequest): Promise<Page<ConfigurationItem>>;
  /** Those of the ids that no printer has. */
  missing(printers: readonly string[]): Promise<string[]>;
  get(printer: string): Promise<PrinterDetails | undefined>;
  errors(
    printer: string,
    query: { code?: string; since?: string; until?: string },
    page: PageRequest,
  ): Promise<Page<StoredEntry>>;
}

/** A query of a timeline; `since` is inclusive, `until` exclusive. */
export interface TimelineQuery {
  kinds?: readonly TimelineItem['kind'][] | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

/** Judges a printer as if it had other parts. */
export interface WhatIfQueries {
  /** @throws PlatenError request/invalid, request/conflict without a structure or a catalog */
  ask(
    printer: string,
    exchange: Pick<PrintersWhatifParams, 'units' | 'software'>,
  ): Promise<PrintersWhatifReply>;
}

/** Queries about the history of one printer. Lists are newest first. */
export interface PrinterPast {
  timeline(printer: string, query: TimelineQuery, page: PageRequest): Promise<Page<TimelineItem>>;
  orders(printer: string, page: PageRequest): Promise<Page<PrinterOrder>>;
  /** @param query whole structures, or only the changes */
  structures(
    printer: string,
    query: { documents: boolean },
    page: PageRequest,
  ): Promise<Page<StructureHistoryItem>>;
}

/** How an operator's account is created or changed. */
export interface PutUser {
  /** Chosen by the caller. */
  password?: string | undefined;
  /** Generates a new password even if the account exists. */
  newPassword?: boolean | undefined;
  /** Defers ending the account's connections. */
  later?: ((end: () => void) => void) | undefined;
}

/** Printers' and operators' credentials. */
export interface Accounts {
  /**
   * Enrols printers. Returns their new passwords, in the given order.
   * @param again includes enrolled printers, whose old passwords are then revoked
   * @throws PlatenError request/enrolled, request/conflict
   */
  enroll(printers: string[], again?: boolean): Promise<{ printer: string; password: string }[]>;
  /** Revokes a printer's or an operator's credentials and ends its connections; false when there were none. */
  revoke(name: string): Promise<boolean>;
  putUser(name: string, role: Exclude<Role, 'printer'>, how?: PutUser): Promise<string | undefined>;
  listUsers(): Promise<{ name: string; role: Role }[]>;
  roleOf(name: string): Promise<Role | undefined>;
  /** The value that this printer's certificates are bound to; undefined when it is not enrolled. */
  enrolmentOf(printer: string): Promise<string | undefined>;
}

/** A stored revision of a document. */
export interface DocumentRevision<Document> {
  /** Grows with every put. */
  revision: number;
  at: string;
  by: string;
  document: Document;
}

/** The catalog and the rules: validated, stored as revisions, active immediately. */
export interface DocumentService<Document> {
  /** The latest revision, or the one with this name. */
  get(name?: string): Promise<DocumentRevision<Document> | undefined>;
  /** @throws PlatenError catalog/invalid, rules/invalid, request/conflict when the name is taken */
  put(document: unknown, by: string): Promise<{ revision: number; diagnostics: unknown[] }>;
}

/** The names in a catalog. */
export interface CatalogNames {
  software: string[];
  /** Models of the apparatus. */
  models: string[];
  releases(software: string): readonly { version: string; status: 'released' | 'staged' | 'withdrawn' }[];
}

/** The result of putting a catalog. */
export interface CatalogPut {
  revision: number;
  diagnostics: unknown[];
  /** Printers that become misfits; absent when counting takes too long. */
  misfits?: number;
  /** Whether their corrections wait for approval. */
  corrections: 'automatic' | 'propose';
}

/** The changes that a catalog revision would cause, before it is put. */
export interface CatalogService extends DocumentService<Catalog> {
  impact(document: unknown, signal?: Gone): Promise<ImpactResult>;
  put(document: unknown, by: string, expect?: { printers: number }): Promise<CatalogPut>;
  /** The names in the active catalog. */
  names(): CatalogNames;
  /**
   * Checks a range of versions, in the catalog's order for a software.
   * @throws PlatenError request/invalid when it is not a range
   */
  checkRange(software: string, range: string): void;
  /** The age of a version by the active catalog. */
  firmwareAge(software: string, version: string): FirmwareAge;
}

/** A filter of troubles: every given member must match. */
export interface TroubleFilter {
  printer?: string;
  rule?: string;
  state?: Trouble['state'];
  open?: boolean;
  owner?: string;
  acknowledged?: boolean;
  snoozed?: boolean;
  /** Only these printers. */
  printers?: PrinterConditions | undefined;
}

export interface TroubleQueries {
  list(filter: TroubleFilter, page: PageRequest): Promise<Page<Trouble>>;
  /** Counts by rule, by site, or by both: a page of groups, ordered by name. */
  groups(
    filter: TroubleFilter,
    by: readonly ('rule' | 'site')[],
    page: PageRequest,
  ): Promise<{ groups: TroubleGroup[]; next?: string }>;
  get(id: string): Promise<Trouble | undefined>;
  /** @throws PlatenError request/not-found, request/conflict */
  close(id: string, note: string, by: string): Promise<Trouble>;
  /** Operators' actions on open troubles. Each throws PlatenError request/not-found, request/conflict. */
  handling: TroubleHandling;
}

/** Who acts on a trouble, and why. */
export interface Handled {
  by: string;
  reason?: string | undefined;
}

export interface TroubleHandling {
  acknowledge(id: string, how: Handled): Promise<Trouble>;
  unacknowledge(id: string, how: Handled): Promise<Trouble>;
  /** @param owner undefined clears it */
  assign(id: string, owner: string | undefined, how: Handled): Promise<Trouble>;
  snooze(id: string, until: Date, how: Handled): Promise<Trouble>;
  /** Ends the snooze immediately. */
  wake(id: string, how: Handled): Promise<Trouble>;
}

/** A query of printed pages; days are those of each printer's time zone. */
export interface PagesQuery {
  /** Only these printers. */
  printers?: PrinterConditions | undefined;
  /** First and last day, both included, as YYYY-MM-DD. */
  from: string;
  to: string;
  /** The current time: a day that has not begun in a printer's zone doesn't count as silent. */
  now_ms: number;
  by: 'printer' | 'site' | 'model' | 'label';
  label?: string | undefined;
  counter: string;
  site?: string | undefined;
  model?: string | undefined;
  sort: '-pages' | 'pages' | 'name';
}

export interface SuppliesQuery {
  /** Only these printers. */
  printers?: PrinterConditions | undefined;
  now_ms: number;
  sort: 'ends' | 'left' | 'printer';
  endsWithinDays?: number | undefined;
  site?: string | undefined;
  kind?: string | undefined;
  color?: string | undefined;
  printer?: string | undefined;
}

/** The catalog's information on an installed version. */
export type FirmwareAge = Pick<FirmwareItem, 'behind' | 'newest' | 'allowed'> &
  Required<Pick<FirmwareItem, 'status'>>;

export interface FirmwareQuery {
  /** Only these printers. */
  printers?: PrinterConditions | undefined;
  by: 'software' | 'model' | 'site';
  software?: string | undefined;
  model?: string | undefined;
  site?: string | undefined;
  sort: '-printers' | 'printers' | 'name' | '-behind';
}

export interface ReportQueries {
  firmware(
    query: FirmwareQuery,
    page: PageRequest,
    ageOf: (software: string, version: string) => FirmwareAge,
  ): Promise<Page<FirmwareItem>>;
  pages(query: PagesQuery, page: PageRequest): Promise<Page<PagesItem>>;
  supplies(query: SuppliesQuery, page: PageRequest): Promise<Page<SupplyItem>>;
}

export interface AuditQueries {
  list(
    filter: { actor?: string; method?: string },
    page: PageRequest,
  ): Promise<Page<Record<string, unknown>>>;
}
