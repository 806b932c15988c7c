/** What can be asked of the center: the questions of request methods, and the shapes of their answers. */
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

/** Whether whoever asked has gone, so that nobody reads the answer; an `AbortSignal` is one. */
export interface Gone {
  readonly aborted: boolean;
}

/** A page of a list: `next` is the cursor of the following page, absent on the last one. */
export interface Page<Item> {
  items: Item[];
  next?: string;
}

/** Paging as requests have it. */
export interface PageRequest {
  limit: number;
  cursor: string | undefined;
  /** Whether the answer says how many items the whole list has. */
  counted?: boolean;
}

/** A filter as an object, as a text, or both: then both hold. */
export interface FleetFilter extends PrinterFilter {
  where?: string;
}

/** What a list of printers can be sorted by; what has no value stands at the end, whatever the direction. */
export const PRINTER_SORTS = ['id', 'model', 'site', 'seen', 'verdict', 'troubles'] as const;
export type PrinterSortKey = (typeof PRINTER_SORTS)[number];
/** `-` before it: descending. */
export type PrinterSort = PrinterSortKey | `-${PrinterSortKey}`;

/** How many printers match. */
export interface Total {
  total: number;
  /** Whether it was counted; otherwise it is the estimate of the database. */
  exact: boolean;
}

/** The most frequent values of one field. */
export interface Facet {
  field: string;
  /** `where`: the term that finds them. */
  values: { value?: string; printers: number; where: string }[];
  /** Values beyond those. */
  more: number;
}

/** Printers that are made of the same. */
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
  /** RFC 3339: when anything was last heard of it. */
  lastSeen?: string;
  /** What its agent says of the device; an agent that is online can speak for one that is off. */
  device?: 'reachable' | 'unreachable';
  deviceSince?: string;
  /** Why it takes part in nothing and is counted nowhere; missing for everybody else. */
  standing?: 'retired' | 'revoked';
  standingAt?: string;
  standingReason?: string;
  verdict: Verdict['status'] | 'none';
  openTroubles: number;
}

/** The latest that a printer said of everything that it counts and holds. */
export interface LatestReadings {
  session: string;
  number: number;
  /** When the printer says that it was read last, and when that came. */
  at: string;
  received: string;
  state?: Readings['state'];
  reasons?: string[];
  counters: Record<string, number>;
  /** `left`: the share of the capacity, where it is known; `since`: when this one was first seen. */
  supplies: (ReadingSupply & {
    left?: number;
    since: string;
    /** When it will be empty: the estimate, and an interval that holds the truth in four of five cases. */
    ends?: string;
    endsEarliest?: string;
    endsLatest?: string;
  })[];
  inputs?: ReadingInput[];
  facts?: ReadingFacts;
}

/** Everything that is known of one printer. */
export interface PrinterDetails extends PrinterItem {
  structure?: Structure;
  verdictDocument?: Verdict;
  policy?: Policy;
  readings?: LatestReadings;
  /** Changes between structures, newest first. */
  changes: Record<string, unknown>[];
  /** Log memories with their cursors and known losses. */
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

/** Questions about the fleet, answered by the store. */
export interface FleetQueries {
  /** @throws PlatenError request/where, request/filter-too-slow, request/invalid for a cursor of another list */
  list(filter: FleetFilter, page: PageRequest, sort?: PrinterSort): Promise<PrinterPage>;
  /** How many printers match. */
  count(filter: FleetFilter): Promise<number>;
  /** The same, counted only up to a bound. */
  total(filter: FleetFilter): Promise<Total>;
  /** The ids of all that match. */
  ids(filter: FleetFilter): Promise<string[]>;
  /** A filter as part of a statement. */
  conditions(filter: FleetFilter): Promise<PrinterConditions>;
  facets(filter: FleetFilter, fields: readonly string[], limit: number): Promise<Facet[]>;
  configurations(filter: FleetFilter, page: PageRequest): Promise<Page<ConfigurationItem>>;
  /** Of these ids those that no printer has. */
  missing(printers: readonly string[]): Promise<string[]>;
  get(printer: string): Promise<PrinterDetails | undefined>;
  errors(
    printer: string,
    query: { code?: string; since?: string; until?: string },
    page: PageRequest,
  ): Promise<Page<StoredEntry>>;
}

/** What is asked of a timeline: `since` is included, `until` is not. */
export interface TimelineQuery {
  kinds?: readonly TimelineItem['kind'][] | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

/** What would be if a printer had other parts. */
export interface WhatIfQueries {
  /** @throws PlatenError request/invalid, request/conflict without a structure or a catalog */
  ask(
    printer: string,
    exchange: Pick<PrintersWhatifParams, 'units' | 'software'>,
  ): Promise<PrintersWhatifReply>;
}

/** Questions about what happened to one printer. Lists are newest first. */
export interface PrinterPast {
  timeline(printer: string, query: TimelineQuery, page: PageRequest): Promise<Page<TimelineItem>>;
  orders(printer: string, page: PageRequest): Promise<Page<PrinterOrder>>;
  /** @param query with the whole of each structure, or only with what changed */
  structures(
    printer: string,
    query: { documents: boolean },
    page: PageRequest,
  ): Promise<Page<StructureHistoryItem>>;
}

/** How an operator's account is put. */
export interface PutUser {
  /** Chosen by whoever asks. */
  password?: string | undefined;
  /** Makes a new one though the account is there. */
  newPassword?: boolean | undefined;
  /** Puts off what ends the account's connections. */
  later?: ((end: () => void) => void) | undefined;
}

/** Printers' and operators' credentials. */
export interface Accounts {
  /**
   * Enrols printers; gives each one's new password, in the order asked.
   * @param again also those that are enrolled: their old passwords end
   * @throws PlatenError request/enrolled, request/conflict
   */
  enroll(printers: string[], again?: boolean): Promise<{ printer: string; password: string }[]>;
  /** Takes a printer's or an operator's credentials away and ends its connections; false when there were none. */
  revoke(name: string): Promise<boolean>;
  putUser(name: string, role: Exclude<Role, 'printer'>, how?: PutUser): Promise<string | undefined>;
  listUsers(): Promise<{ name: string; role: Role }[]>;
  roleOf(name: string): Promise<Role | undefined>;
  /** What certificates of this printer are bound to; undefined when it is not enrolled. */
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

/** The catalog and the rules: checked, stored as revisions, in force at once. */
export interface DocumentService<Document> {
  /** The latest revision, or the one of this name. */
  get(name?: string): Promise<DocumentRevision<Document> | undefined>;
  /** @throws PlatenError catalog/invalid, rules/invalid, request/conflict when the name is taken */
  put(document: unknown, by: string): Promise<{ revision: number; diagnostics: unknown[] }>;
}

/** The names in a catalog. */
export interface CatalogNames {
  software: string[];
  /** Models of apparatus. */
  models: string[];
  releases(software: string): readonly { version: string; status: 'released' | 'staged' | 'withdrawn' }[];
}

/** What came of putting a catalog. */
export interface CatalogPut {
  revision: number;
  diagnostics: unknown[];
  /** Printers that it makes misfits of; missing where that takes too long to find out. */
  misfits?: number;
  /** Whether their corrections wait for a person. */
  corrections: 'automatic' | 'propose';
}

/** What a catalog revision would change, before it is put. */
export interface CatalogService extends DocumentService<Catalog> {
  impact(document: unknown, signal?: Gone): Promise<ImpactResult>;
  put(document: unknown, by: string, expect?: { printers: number }): Promise<CatalogPut>;
  /** What the catalog in force names. */
  names(): CatalogNames;
  /**
   * Whether a text is a range of versions, in the order that the catalog gives a software.
   * @throws PlatenError request/invalid
   */
  checkRange(software: string, range: string): void;
  /** How old a version is by the catalog in force. */
  firmwareAge(software: string, version: string): FirmwareAge;
}

/** Which troubles are meant: everything that is named must hold. */
export interface TroubleFilter {
  printer?: string;
  rule?: string;
  state?: Trouble['state'];
  open?: boolean;
  owner?: string;
  acknowledged?: boolean;
  snoozed?: boolean;
  /** Only of these. */
  printers?: PrinterConditions | undefined;
}

export interface TroubleQueries {
  list(filter: TroubleFilter, page: PageRequest): Promise<Page<Trouble>>;
  /** How many there are by rule, by site, or by both: a page of groups by name. */
  groups(
    filter: TroubleFilter,
    by: readonly ('rule' | 'site')[],
    page: PageRequest,
  ): Promise<{ groups: TroubleGroup[]; next?: string }>;
  get(id: string): Promise<Trouble | undefined>;
  /** @throws PlatenError request/not-found, request/conflict */
  close(id: string, note: string, by: string): Promise<Trouble>;
  /** What operators do about open troubles. Each throws PlatenError request/not-found, request/conflict. */
  handling: TroubleHandling;
}

/** Who does something about a trouble, and why. */
export interface Handled {
  by: string;
  reason?: string | undefined;
}

export interface TroubleHandling {
  acknowledge(id: string, how: Handled): Promise<Trouble>;
  unacknowledge(id: string, how: Handled): Promise<Trouble>;
  /** @param owner undefined: nobody */
  assign(id: string, owner: string | undefined, how: Handled): Promise<Trouble>;
  snooze(id: string, until: Date, how: Handled): Promise<Trouble>;
  /** Ends the snooze now. */
  wake(id: string, how: Handled): Promise<Trouble>;
}

/** What is asked of pages: days are those of each printer's zone. */
export interface PagesQuery {
  /** Only of these. */
  printers?: PrinterConditions | undefined;
  /** First and last day, both included, as YYYY-MM-DD. */
  from: string;
  to: string;
  /** A day that has not begun in a printer's zone is no silent day of it. */
  now_ms: number;
  by: 'printer' | 'site' | 'model' | 'label';
  label?: string | undefined;
  counter: string;
  site?: string | undefined;
  model?: string | undefined;
  sort: '-pages' | 'pages' | 'name';
}

export interface SuppliesQuery {
  /** Only of these. */
  printers?: PrinterConditions | undefined;
  now_ms: number;
  sort: 'ends' | 'left' | 'printer';
  endsWithinDays?: number | undefined;
  site?: string | undefined;
  kind?: string | undefined;
  color?: string | undefined;
  printer?: string | undefined;
}

/** What the catalog says of an installed version. */
export type FirmwareAge = Pick<FirmwareItem, 'behind' | 'newest' | 'allowed'> &
  Required<Pick<FirmwareItem, 'status'>>;

export interface FirmwareQuery {
  /** Only of these. */
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
