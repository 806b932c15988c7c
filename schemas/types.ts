// Generated from the JSON Schemas beside it by `npm run schemas`. Do not edit.
/**
 * The answer to an ask.
 */
export interface Answer {
  /**
   * The ask's id.
   */
  id: string;
  status: 'ok' | 'error';
  data?: {};
  error?: {
    /**
     * Stable code.
     */
    code: string;
    /**
     * What went wrong, in a sentence.
     */
    message: string;
    /**
     * What to do about it.
     */
    hint?: string;
  };
}
/**
 * A printer asks for what the center has accumulated.
 */
export interface Ask {
  /**
   * Names the answer's topic.
   */
  id: string;
  params?: {};
}
/**
 * An update over many printers.
 */
export interface Campaign {
  /**
   * Campaign id.
   */
  id: string;
  title?: string;
  state: 'draft' | 'proposed' | 'running' | 'paused' | 'halted' | 'finished' | 'aborted';
  /**
   * Why it is in this state.
   */
  reason?: string;
  /**
   * The trouble it cures.
   */
  trouble?: string;
  software?: {
    id: string;
    range?: string;
  };
  targets?: number;
  counts: {
    [k: string]: number;
  };
  excluded?: {
    [k: string]: number;
  };
  /**
   * Creation.
   */
  createdAt: string;
  /**
   * Last change.
   */
  updatedAt?: string;
  guard?: {};
  /**
   * Who created it.
   */
  by?: string;
  cause?: OrderCause;
  /**
   * Why printers wait although the campaign goes on: reason to number.
   */
  waits?: {
    [k: string]: number;
  };
  /**
   * The stop that holds since it was halted or aborted.
   */
  stopped?: {
    /**
     * @maxItems 1000
     */
    releases: string[];
    by: string;
    at: string;
    reason: string;
  };
}
/**
 * Why it is: a person, a rule with the trouble that it found, or a verdict with the broken rules and what mends them.
 */
export interface OrderCause {
  kind: 'person' | 'rule' | 'verdict';
  by?: string;
  rule?: string;
  trouble?: string;
  catalog?: string;
  /**
   * @maxItems 200
   */
  wrong?: string[];
  /**
   * @maxItems 512
   */
  mends?: string[];
}
/**
 * Every entry up to `upTo` is stored or known lost.
 */
export interface ErrorsAck {
  /**
   * Log memory.
   */
  log: string;
  upTo: number;
}
/**
 * A batch of entries from a printer's log memory.
 */
export interface ErrorBatch {
  /**
   * Id of this log memory; a new one means that the memory was reset.
   */
  log: string;
  /**
   * The oldest entry still in memory.
   */
  first: number;
  reason: 'event' | 'periodic' | 'request' | 'accumulated';
  /**
   * The request it answers.
   */
  request?: string;
  /**
   * @maxItems 500
   */
  entries: LogEntry[];
}
export interface LogEntry {
  seq: number;
  /**
   * When it happened.
   */
  at: string;
  /**
   * The error code.
   */
  code: string;
  severity: 'info' | 'warning' | 'error' | 'fatal';
  /**
   * Names one unit or function of this printer, unique in it.
   */
  unit?: string;
  /**
   * Life counter in pages at that moment.
   */
  pages?: number;
  detail?: {};
}
/**
 * Something that happened in the fleet.
 */
export interface FleetEvent {
  /**
   * When.
   */
  at: string;
  kind: string;
  printer?: string;
  /**
   * A word for what happened.
   */
  what: string;
  data?: {};
}
/**
 * Counts over the fleet, refreshed at most once a second.
 */
export interface FleetSummary {
  /**
   * When it was counted.
   */
  at: string;
  /**
   * Printers that take part; presence, verdict and model count them alone.
   */
  printers: number;
  /**
   * Printers that take no part any more.
   */
  left?: {
    retired: number;
    revoked: number;
  };
  presence: {
    [k: string]: number;
  };
  /**
   * Printers that are online and whose agent can't reach the device.
   */
  unreachable?: number;
  verdict: {
    [k: string]: number;
  };
  model: {
    [k: string]: number;
  };
  troubles: {
    open: number;
  };
  campaigns: {
    running: number;
  };
}
/**
 * The one reply to a request.
 */
export interface OperatorReply {
  /**
   * The request's id.
   */
  id: string;
  status: 'ok' | 'accepted' | 'error';
  data?: {};
  error?: {
    /**
     * Stable code.
     */
    code: string;
    /**
     * What went wrong, in a sentence.
     */
    message: string;
    /**
     * What to do about it.
     */
    hint?: string;
  };
}
/**
 * A request of an operator.
 */
export interface OperatorRequest {
  /**
   * Names the reply's topic.
   */
  id: string;
  params?: {
    [k: string]: unknown;
  };
}
/**
 * The software a printer is to install now.
 */
export interface Order {
  /**
   * Id of this execution.
   */
  execution: string;
  attempt: number;
  /**
   * Whom it is for: an order that is replayed to another printer is refused.
   */
  printer?: string;
  /**
   * The campaign it belongs to.
   */
  campaign?: string;
  /**
   * Silent past it: failed.
   */
  deadline?: string;
  /**
   * Base address of the repository.
   */
  repository: string;
  structure?: {
    /**
     * Session of the structure that was judged.
     */
    session: string;
    revision: number;
  };
  /**
   * Start no earlier: downloads are spread.
   */
  notBefore?: string;
  window?: MaintenanceWindow;
  /**
   * Withdraws the order; honoured until installing.
   */
  cancel?: boolean;
  /**
   * @minItems 1
   * @maxItems 256
   */
  steps: OrderStep[];
  cause?: OrderCause;
}
export interface MaintenanceWindow {
  /**
   * Local time HH:MM in the printer's zone.
   */
  from: string;
  /**
   * Local time HH:MM.
   */
  to: string;
  /**
   * ISO weekdays, 1 Monday.
   *
   * @maxItems 7
   */
  days?: number[];
}
export interface OrderStep {
  /**
   * `symbol:softwareId` for software that is installed; `symbol` for a unit that is switched to the spare whose symbol is `to`, without an image.
   */
  subject: string;
  from?: string;
  to: string;
  /**
   * TUF target path.
   */
  target?: string;
  /**
   * Bytes.
   */
  length?: number;
  sha256?: string;
  /**
   * Steps with the same number are installed as one transaction.
   */
  together?: number;
}
/**
 * How a printer reports.
 */
export interface Policy {
  structure?: {
    /**
     * Period of structure reports.
     */
    every?: string;
  };
  errors?: {
    mode?: 'stream' | 'periodic' | 'accumulate';
    /**
     * Period in periodic mode.
     */
    every?: string;
    /**
     * Send when so many entries wait.
     */
    atEntries?: number;
  };
  readings?: {
    /**
     * Period of readings.
     */
    every?: string;
    /**
     * Also when a state, a reason, a supply's state or a level by five per cent changes.
     */
    onChange?: boolean;
  };
}
/**
 * Whether a printer's agent is connected; also its will.
 */
export interface Presence {
  state: 'online' | 'offline';
  /**
   * Id of this agent start.
   */
  session: string;
  /**
   * Whether the agent reaches the printer; missing where both are one, and before it is known.
   */
  device?: 'reachable' | 'unreachable';
  /**
   * When it was said.
   */
  at?: string;
}
/**
 * What a printer counts and what is left in it. What is missing says nothing.
 */
export interface Readings {
  /**
   * Id of the agent start that wrote it.
   */
  session: string;
  /**
   * Grows with every reading of a session.
   */
  number: number;
  /**
   * When the printer was read.
   */
  at: string;
  reason?: 'periodic' | 'change' | 'request' | 'connect';
  /**
   * The request it answers.
   */
  request?: string;
  state?: 'idle' | 'processing' | 'stopped';
  /**
   * Why it is in that state, such as `media-low`.
   *
   * @maxItems 64
   */
  reasons?: string[];
  counters?: ReadingCounters;
  /**
   * @maxItems 256
   */
  supplies?: ReadingSupply[];
  /**
   * @maxItems 64
   */
  inputs?: ReadingInput[];
  facts?: ReadingFacts;
}
/**
 * Whole numbers that only grow; a lower one is a new count. `impressions`, `impressions-color`, `impressions-two-sided`, `sheets`, `copies`, `scans`, `faxes`, and any other name.
 */
export interface ReadingCounters {
  [k: string]: number;
}
export interface ReadingSupply {
  /**
   * Names one place for a supply in this printer, unique among its supplies.
   */
  symbol: string;
  /**
   * `toner`, `ink`, `drum`, `fuser`, `transfer`, `waste`, `staples`, `filament`, `other`, or another word.
   */
  kind: string;
  color?: string;
  /**
   * Symbol of the unit that holds it.
   */
  unit?: string;
  model?: string;
  /**
   * Another serial number tells an exchange.
   */
  serial?: string;
  /**
   * What is left, in `measure` (of waste: the room that is left); only where it means something.
   */
  level?: number;
  /**
   * What a full one holds, in `measure`.
   */
  capacity?: number;
  measure?: 'percent' | 'impressions' | 'grams' | 'millilitres' | 'metres' | 'hours' | 'items' | 'unknown';
  /**
   * What the level is worth: measured, one of a few steps, there is some, nobody knows. Default unknown when there is no level, else exact.
   */
  known?: 'exact' | 'steps' | 'some' | 'unknown';
  state?: 'ok' | 'low' | 'empty' | 'missing' | 'full';
}
export interface ReadingInput {
  /**
   * Names one tray or other input, unique among the inputs.
   */
  symbol: string;
  /**
   * Sheets in it.
   */
  level?: number;
  /**
   * Sheets that it takes.
   */
  capacity?: number;
  /**
   * What the level is worth: measured, one of a few steps, there is some, nobody knows. Default unknown when there is no level, else exact.
   */
  known?: 'exact' | 'steps' | 'some' | 'unknown';
  /**
   * Such as `iso_a4_210x297mm`.
   */
  media?: string;
}
export interface ReadingFacts {
  /**
   * Network address.
   */
  address?: string;
  /**
   * Host name.
   */
  hostname?: string;
  /**
   * Hardware address of the network interface.
   */
  mac?: string;
  /**
   * Where somebody wrote that it stands.
   */
  location?: string;
  /**
   * Whom somebody wrote down for it.
   */
  contact?: string;
  /**
   * Number in an inventory.
   */
  assetTag?: string;
}
/**
 * Told to a printer whose payload was refused as a whole.
 */
export interface Refused {
  topic: string;
  code: string;
  message: string;
}
/**
 * The center asks a printer to report now.
 */
export interface DownlinkRequest {
  /**
   * Comes back as `request`.
   */
  id: string;
  since?: {
    /**
     * Log memory.
     */
    log: string;
    /**
     * Send what follows this entry.
     */
    seq: number;
  };
}
/**
 * What a printer is made of.
 */
export interface Structure {
  /**
   * Id of the agent start that wrote it.
   */
  session: string;
  /**
   * Grows with every structure of a session.
   */
  revision: number;
  /**
   * When the structure was read.
   */
  at: string;
  reason: 'connect' | 'change' | 'periodic' | 'request';
  /**
   * The request it answers.
   */
  request?: string;
  apparatus: Apparatus;
  /**
   * @maxItems 4096
   */
  units: Unit[];
  site?: string;
  labels?: {
    [k: string]: string;
  };
  /**
   * IANA time zone.
   */
  timezone?: string;
}
export interface Apparatus {
  model: string;
  serial?: string;
  hardware?: string;
  /**
   * @maxItems 4096
   */
  software?: InstalledSoftware[];
}
export interface InstalledSoftware {
  /**
   * Software id.
   */
  id: string;
  /**
   * The preparer of the software.
   */
  vendor?: string;
  /**
   * Missing: unknown.
   */
  version?: string;
}
export interface Unit {
  /**
   * Names one unit or function of this printer, unique in it.
   */
  symbol: string;
  kind: string;
  model: string;
  serial?: string;
  hardware?: string;
  /**
   * A spare is in the printer but not in use; default active.
   */
  state?: 'active' | 'spare';
  /**
   * @maxItems 4096
   */
  software?: InstalledSoftware[];
}
/**
 * What was concluded from the error logs.
 */
export interface Trouble {
  /**
   * Trouble id.
   */
  id: string;
  rule: string;
  title?: string;
  /**
   * Missing for troubles of the fleet.
   */
  printer?: string;
  unit?: string;
  /**
   * What it was kept by.
   */
  scope?: string;
  state: 'open' | 'escalated' | 'cured' | 'cleared' | 'closed';
  severity: string;
  count?: number;
  /**
   * Event time of the entry that opened it.
   */
  openedAt: string;
  /**
   * Last change.
   */
  updatedAt?: string;
  /**
   * When it ended.
   */
  closedAt?: string;
  /**
   * Entries that led to it.
   *
   * @maxItems 100
   */
  evidence: {
    /**
     * Log memory.
     */
    log: string;
    seq: number;
    printer?: string;
  }[];
  remedy?: {};
  /**
   * What the remedy comes to: campaign, counts, exclusions.
   */
  proposal?: {};
  note?: string;
  explanation?: string;
  /**
   * User name of the operator who looks after it.
   */
  owner?: string;
  acknowledged?: TroubleAcknowledgement;
  snoozed?: TroubleSnooze;
}
/**
 * Who has seen it.
 */
export interface TroubleAcknowledgement {
  by: string;
  at: string;
  reason?: string;
}
/**
 * Nobody is to be notified of it until then; missing once that is over.
 */
export interface TroubleSnooze {
  by: string;
  at: string;
  until: string;
  reason?: string;
}
/**
 * Progress of an order, told by the printer.
 */
export interface UpdateReport {
  /**
   * The order's execution.
   */
  execution: string;
  attempt: number;
  /**
   * Grows with every report of an attempt.
   */
  seq: number;
  state:
    | 'accepted'
    | 'deferred'
    | 'rejected'
    | 'downloading'
    | 'verified'
    | 'installing'
    | 'self-testing'
    | 'claimed'
    | 'rolled-back'
    | 'failed'
    | 'cancelled';
  step?: number;
  progress?: number;
  error?: ErrorReport;
}
export interface ErrorReport {
  /**
   * Stable code.
   */
  code: string;
  /**
   * What went wrong, in a sentence.
   */
  message: string;
  /**
   * What to do about it.
   */
  hint?: string;
}
/**
 * Whether a printer's parts fit together, and what would make them fit.
 */
export interface Verdict {
  structure: {
    /**
     * Session of the judged structure.
     */
    session: string;
    revision: number;
  };
  /**
   * The catalog's name, or '' when there is none.
   */
  catalog: string;
  status: 'compatible' | 'incompatible' | 'unknown';
  /**
   * @maxItems 1000
   */
  findings: Finding[];
  /**
   * What could not be judged and why.
   *
   * @maxItems 1000
   */
  unknown?: Finding[];
  remedy?: Remedy;
  /**
   * When there is no remedy: the smallest set of rules that cannot hold together.
   */
  explanation?: string;
  /**
   * When it was judged.
   */
  at?: string;
}
export interface Finding {
  /**
   * The rule, as a sentence that names it.
   */
  rule: string;
  /**
   * @maxItems 256
   *
   * Items: `symbol:softwareId` for software, `symbol` for a unit.
   */
  subjects: string[];
  severity: 'boot' | 'function';
  message: string;
}
export interface Remedy {
  /**
   * @maxItems 512
   */
  software: {
    /**
     * `symbol:softwareId` for software, `symbol` for a unit.
     */
    subject: string;
    from?: string;
    to: string;
  }[];
  /**
   * @maxItems 128
   */
  structure: {
    /**
     * Names one unit or function of this printer, unique in it.
     */
    symbol: string;
    /**
     * Model that is there.
     */
    replace?: string;
    /**
     * Model that fits.
     */
    with?: string;
    /**
     * Symbol of a spare unit to switch to.
     */
    switchTo?: string;
    /**
     * What the new unit has to come with.
     *
     * @maxItems 1024
     */
    software?: {
      id: string;
      version: string;
    }[];
    /**
     * How many of the steps come before it; missing: it comes first.
     */
    afterSteps?: number;
  }[];
  /**
   * @maxItems 2048
   */
  steps: string[][];
}
/**
 * What the first start writes to admin.json.
 */
export interface AdminCredentials {
  username: string;
  password: string;
  /**
   * The database that the password belongs to.
   */
  database?: string;
}
/**
 * What `platen agent` speaks for: the broker, and the real printers with how they are read.
 */
export interface AgentsConfig {
  broker: {
    /**
     * mqtt://, mqtts://, ws:// or wss://.
     */
    url: string;
    /**
     * PEM file of the authority, for mqtts:// and wss://.
     */
    ca?: string;
  };
  /**
   * Folder for log memories and what is remembered; default beside this file.
   */
  data?: string;
  /**
   * File with the release repository's root metadata (1.root.json): without it nothing is installed.
   */
  root?: string;
  /**
   * Your own mapping tables; they go before the built-in ones.
   *
   * @maxItems 100
   */
  mappings?: string[];
  /**
   * Receives SNMP traps and informs; without it printers are only asked.
   */
  traps?: {
    host?: string;
    port: number;
  };
  /**
   * How a printer that is not at its address any more is looked for.
   */
  mdns?: {
    /**
     * The network to listen in, by this machine's address in it.
     */
    interface?: string;
    /**
     * Don't look; a printer stays at the address that the configuration has.
     */
    off?: boolean;
  };
  /**
   * Between two looks at errors and counters; default PT30S.
   */
  poll?: string;
  /**
   * Between two reads of the whole structure; default PT15M.
   */
  full?: string;
  /**
   * A printer silent for so long gets an entry; default PT15M.
   */
  silent?: string;
  /**
   * @maxItems 1000
   */
  printers: AgentPrinter[];
  /**
   * For editors; means nothing here.
   */
  $schema?: string;
}
export interface AgentPrinter {
  /**
   * Its id on the broker.
   */
  printer: string;
  /**
   * Its MQTT password, from `platen enroll`.
   */
  password?: string;
  /**
   * How it is read; ipp and snmp together are merged.
   *
   * @minItems 1
   * @maxItems 2
   */
  urls: string[];
  site?: string;
  labels?: {
    [k: string]: string;
  };
  /**
   * IANA time zone.
   */
  timezone?: string;
  /**
   * Only a printer with this serial number is spoken for; another one at the address is left alone and reported.
   */
  serial?: string;
  poll?: string;
  full?: string;
  silent?: string;
  snmp?: {
    version?: '1' | '2c' | '3';
    community?: string;
    user?: string;
    level?: 'noAuthNoPriv' | 'authNoPriv' | 'authPriv';
    authProtocol?: 'md5' | 'sha' | 'sha224' | 'sha256' | 'sha384' | 'sha512';
    authKey?: string;
    privProtocol?: 'des' | 'aes' | 'aes256b' | 'aes256r';
    privKey?: string;
    context?: string;
    timeoutMs?: number;
    retries?: number;
  };
  ipp?: {
    user?: string;
    password?: string;
    /**
     * Take only a certificate that this machine trusts.
     */
    verify?: boolean;
    /**
     * SHA-256 of the one certificate that is taken.
     */
    fingerprint?: string;
    /**
     * Install by IPP Firmware Update (PWG working draft) on printers that offer it. Without it IPP only reads.
     */
    firmwareUpdate?: {
      /**
       * Firmware repositories that the printer may be configured with; another one is refused.
       *
       * @minItems 1
       * @maxItems 16
       */
      repositories: string[];
      /**
       * Between two looks at a printer that installs; default 2000.
       */
      pollMs?: number;
    };
    timeoutMs?: number;
  };
  bambu?: {
    accessCode: string;
    fingerprint?: string;
  };
  command?: {
    /**
     * Program and arguments.
     *
     * @minItems 1
     * @maxItems 64
     */
    run: string[];
    /**
     * Passed on to the program.
     */
    settings?: {
      [k: string]: unknown;
    };
  };
}
/**
 * What goes together: apparatus, units and software.
 */
export interface Catalog {
  /**
   * Name of this revision.
   */
  catalog: string;
  /**
   * @maxItems 10000
   */
  apparatus?: ApparatusModel[];
  /**
   * @maxItems 100000
   */
  units?: UnitModel[];
  /**
   * @maxItems 100000
   */
  software?: SoftwareProduct[];
  /**
   * For editors; means nothing here.
   */
  $schema?: string;
}
export interface ApparatusModel {
  model: string;
  transactional?: boolean;
  /**
   * @maxItems 128
   */
  slots?: Slot[];
  /**
   * @maxItems 1000
   */
  requires?: Constraint[];
  /**
   * @maxItems 1000
   */
  conflicts?: Constraint[];
}
export interface Slot {
  kind: string;
  /**
   * @maxItems 1000
   */
  models: string[];
  min?: number;
  max?: number;
}
export interface Constraint {
  software?: string;
  vendor?: string;
  range?: string;
  kind?: string;
  model?: string;
  hardware?: string;
  /**
   * @maxItems 1000
   */
  apparatus?: string[];
  of?: 'every' | 'some';
  optional?: boolean;
  severity?: 'function' | 'boot';
  because?: string;
}
export interface UnitModel {
  model: string;
  kind?: string;
  /**
   * @maxItems 1000
   */
  requires?: Constraint[];
  /**
   * @maxItems 1000
   */
  conflicts?: Constraint[];
}
export interface SoftwareProduct {
  id: string;
  vendor?: string;
  /**
   * How versions are ordered; `listed`: as the releases stand here, oldest first.
   */
  scheme?: 'semver' | 'dotted' | 'text' | 'listed';
  on?: RunsOn;
  /**
   * @maxItems 100000
   */
  releases: Release[];
}
export interface RunsOn {
  kind?: string;
  /**
   * @maxItems 1000
   */
  models?: string[];
  hardware?: string;
}
export interface Release {
  version: string;
  status?: 'released' | 'staged' | 'withdrawn';
  from?: string;
  downgradeFrom?: string;
  /**
   * @maxItems 1000
   */
  fixes?: string[];
  /**
   * @maxItems 1000
   */
  requires?: Constraint[];
  /**
   * @maxItems 1000
   */
  conflicts?: Constraint[];
}
/**
 * How one make's words become ours: alert codes, vendor codes, firmware names, units, private objects. Regular expressions are JavaScript's, without regard to case, without back references and lookbehind (they could take any time); the first entry that fits wins; what no entry fits is passed on under its own name.
 */
export interface Mapping {
  /**
   * Name of this table.
   */
  mapping: string;
  /**
   * Which printers it is for; a table without it is for all of them.
   */
  match?: {
    /**
     * The make's names as printers write them. They are also taken off the front of model names.
     *
     * @maxItems 32
     */
    make?: string[];
    /**
     * Models as globs (* and ?).
     *
     * @maxItems 256
     */
    model?: string[];
    /**
     * Numbers below 1.3.6.1.4.1 in sysObjectID.
     *
     * @maxItems 16
     */
    enterprise?: number[];
  };
  /**
   * The preparer of the software, and the first part of its ids.
   */
  vendor?: string;
  /**
   * Rewrites a model name.
   *
   * @maxItems 1000
   */
  models?: ModelRule[];
  /**
   * What a row of prtAlertTable or of printer-alert means.
   *
   * @maxItems 10000
   */
  alerts?: AlertRule[];
  /**
   * What a condition is worth, by its IPP keyword.
   *
   * @maxItems 10000
   */
  keywords?: KeywordRule[];
  /**
   * Finds the vendor's own code in what the printer says.
   *
   * @maxItems 1000
   */
  vendorCodes?: VendorCodeRule[];
  /**
   * Where a firmware component belongs, by its name.
   *
   * @maxItems 1000
   */
  software?: SoftwareRule[];
  /**
   * Kind of a unit, by its model.
   *
   * @maxItems 1000
   */
  units?: UnitRule[];
  /**
   * Private SNMP objects that hold what the standard ones lack.
   *
   * @maxItems 200
   */
  objects?: ObjectRule[];
  /**
   * What the counters of a private table are called in readings, by their own names.
   *
   * @maxItems 200
   */
  counters?: CounterRule[];
  /**
   * For editors; means nothing here.
   */
  $schema?: string;
}
export interface ModelRule {
  pattern: string;
  /**
   * May use $1 …
   */
  model: string;
}
export interface AlertRule {
  /**
   * PrtAlertCodeTC or the vendor's own number.
   */
  code?: number;
  /**
   * Its name, as printer-alert writes it.
   */
  label?: string;
  /**
   * PrtAlertGroupTC by name.
   */
  group?: string;
  /**
   * Pattern that the description must fit.
   */
  description?: string;
  /**
   * IPP keyword; {group} is the group's word.
   */
  keyword?: string;
  /**
   * Stands above what the printer says.
   */
  severity?: 'info' | 'warning' | 'error' | 'fatal';
  /**
   * Our code; default the vendor's code, else the keyword.
   */
  as?: string;
  /**
   * An ordinary state, no entry. By a description alone it does not silence what the printer calls critical.
   */
  ignore?: boolean;
}
export interface KeywordRule {
  /**
   * Fits the whole keyword.
   */
  pattern: string;
  /**
   * Stands above what the printer says.
   */
  severity?: 'info' | 'warning' | 'error' | 'fatal';
  /**
   * Where the printer says nothing.
   */
  usual?: 'info' | 'warning' | 'error' | 'fatal';
  /**
   * Our code.
   */
  as?: string;
  /**
   * Another word for the same condition.
   */
  keyword?: string;
  ignore?: boolean;
}
export interface VendorCodeRule {
  /**
   * Default description.
   */
  from?: 'description' | 'location' | 'code';
  pattern: string;
  /**
   * May use $1 …
   */
  code: string;
  /**
   * Only for conditions whose keyword fits.
   */
  keyword?: string;
  severity?: 'info' | 'warning' | 'error' | 'fatal';
}
export interface SoftwareRule {
  name: string;
  /**
   * apparatus, or the kind of unit.
   */
  on: string;
  /**
   * Second part of the software id.
   */
  id?: string;
  /**
   * Model of the unit; may use $1 …
   */
  model?: string;
  /**
   * Another preparer.
   */
  vendor?: string;
  /**
   * A printer may have several: the symbol gets a number.
   */
  several?: boolean;
}
export interface UnitRule {
  model: string;
  kind: string;
}
export interface ObjectRule {
  oid: string;
  /**
   * counter: a part of the counter `name`, parts are added up; counters: a table of them, named by the list of counters; version-pairs: a column of lines in which a name and its version take turns, FIRMID="MAIN" and FIRMVER="1.15".
   */
  is:
    | 'device-id'
    | 'model'
    | 'serial'
    | 'version'
    | 'versions'
    | 'version-pairs'
    | 'pages'
    | 'hardware'
    | 'counter'
    | 'counters'
    | 'asset-tag';
  /**
   * Firmware component that a version belongs to; of a counter, its name in readings.
   */
  name?: string;
  /**
   * For versions and counters: the column with the names; oid is the column with the values.
   */
  names?: string;
  /**
   * Takes the first group out of the value.
   */
  pattern?: string;
}
export interface CounterRule {
  pattern: string;
  name: string;
}
/**
 * What the error logs mean. The full grammar of `where` and `when` is checked by the compiler, which names the JSON path.
 */
export interface TroubleRules {
  /**
   * Name of this revision.
   */
  rules: string;
  /**
   * @maxItems 10000
   */
  list: TroubleRule[];
  /**
   * Expectations that are run before the rules are taken.
   *
   * @maxItems 10000
   */
  tests?: RuleTest[];
  /**
   * For editors; means nothing here.
   */
  $schema?: string;
}
export interface TroubleRule {
  id: string;
  title?: string;
  scope?: {
    /**
     * @maxItems 1000
     */
    models?: string[];
    kind?: string;
    software?: {
      id: string;
      range?: string;
    };
  };
  where?: {
    [k: string]: unknown;
  };
  /**
   * @maxItems 8
   */
  by?: string[];
  when: {
    [k: string]: unknown;
  };
  clear?: {
    [k: string]: unknown;
  };
  /**
   * A trouble that reopens within it is the same one.
   */
  dedup?: string;
  /**
   * How far behind an entry may be.
   */
  late?: string;
  /**
   * @maxItems 16
   */
  severity?: unknown[][];
  /**
   * @maxItems 100
   */
  suppressedBy?: string[];
  remedy?: {
    [k: string]: unknown;
  };
  fleet?: boolean;
  auto?: boolean;
}
export interface RuleTest {
  name?: string;
  /**
   * Lines as `platen rules test --log` takes them.
   */
  log?: {
    [k: string]: unknown;
  };
  /**
   * How far time goes, RFC 3339.
   */
  at?: {
    [k: string]: unknown;
  };
  /**
   * Ids of the rules that are looked at; default all.
   */
  rules?: {
    [k: string]: unknown;
  };
  /**
   * The troubles that must open, each with the members that matter.
   */
  expect?: {
    [k: string]: unknown;
  };
}
export type Chance = number;

/**
 * A fleet of simulated printers and what happens to it.
 */
export interface Scenario {
  /**
   * Name of the scenario.
   */
  scenario: string;
  title?: string;
  /**
   * Same seed, same fleet and same chances.
   */
  seed?: number;
  /**
   * @minItems 1
   * @maxItems 1000
   */
  populations: Population[];
  /**
   * @maxItems 10000
   */
  timeline?: TimelineEvent[];
  /**
   * For editors; means nothing here.
   */
  $schema?: string;
}
/**
 * Printers of one kind.
 */
export interface Population {
  /**
   * Printer ids begin with it unless `id` says otherwise.
   */
  name: string;
  /**
   * Printers; also its share when the fleet is scaled.
   */
  count: number;
  /**
   * Printer id, {n} is the number within the population; default name-{n}.
   */
  id?: string;
  apparatus: {
    model: string;
    /**
     * Made up when missing.
     */
    serial?: string;
    hardware?: string;
    /**
     * @maxItems 1024
     */
    software?: ScenarioSoftware[];
  };
  /**
   * @maxItems 1024
   */
  units?: ScenarioUnit[];
  /**
   * Versions that differ within the population, drawn by share.
   *
   * @maxItems 100
   */
  variants?: {
    share: number;
    versions: {
      [k: string]: string;
    };
  }[];
  /**
   * @maxItems 1000
   */
  sites?: string[];
  timezone?: string;
  labels?: {
    [k: string]: string;
  };
  pages?: number;
  pagesPerHour?: number;
  /**
   * When it prints: as much at any time (default), or by the hours of an office.
   */
  hours?: 'any' | 'office';
  /**
   * Share of the pages that are printed in color.
   */
  color?: number;
  /**
   * What it uses up and is exchanged; without any it tells no readings.
   *
   * @maxItems 64
   */
  supplies?: ScenarioSupply[];
  /**
   * Share of the time in which it prints.
   */
  busy?: number;
  connectAfter?: string;
  /**
   * Size of the log memory.
   */
  memory?: {
    entries?: number;
    bytes?: number;
    freeAcknowledged?: boolean;
  };
  /**
   * As in policy.json: holds until the center sets one.
   */
  policy?: {
    [k: string]: unknown;
  };
  /**
   * @maxItems 100
   */
  errors?: ScenarioErrors[];
  /**
   * How installations go; chances between 0 and 1.
   */
  install?: {
    takes?: string;
    restart?: string;
    selfTest?: string;
    fails?: Chance;
    selfTestFails?: Chance;
    bricks?: Chance;
    rollbackFails?: Chance;
    lies?: Chance;
    /**
     * @maxItems 1000
     */
    refuses?: string[];
  };
}
export interface ScenarioSoftware {
  id: string;
  vendor?: string;
  version?: string;
}
export interface ScenarioUnit {
  symbol: string;
  kind: string;
  model: string;
  /**
   * Made up when missing.
   */
  serial?: string;
  hardware?: string;
  state?: 'active' | 'spare';
  /**
   * @maxItems 1024
   */
  software?: ScenarioSoftware[];
}
export interface ScenarioSupply {
  symbol: string;
  kind: string;
  color?: string;
  unit?: string;
  model?: string;
  /**
   * Pages that a full one lasts.
   */
  pages: number;
  /**
   * Share that is left at the start; drawn for each printer where it is missing.
   */
  level?: number;
  /**
   * Share at which somebody exchanges it; default 0.02.
   */
  exchangeAt?: number;
}
export interface ScenarioErrors {
  code: string;
  severity: 'info' | 'warning' | 'error' | 'fatal';
  unit?: string;
  /**
   * Mean time between two of them on one printer.
   */
  every: string;
  spread?: 'regular' | 'random';
  /**
   * Share of the printers that suffer it; default all.
   */
  share?: number;
  /**
   * Only while this software is installed.
   */
  while?: {
    id: string;
    range?: string;
    /**
     * @minItems 1
     * @maxItems 1000
     */
    versions?: string[];
  };
  detail?: {
    [k: string]: unknown;
  };
}
export interface TimelineEvent {
  /**
   * After the start of the simulation.
   */
  at: string;
  /**
   * Again after each such time.
   */
  every?: string;
  /**
   * To whom it happens; every printer when nothing is said.
   */
  printers?: {
    /**
     * @minItems 1
     * @maxItems 1000
     */
    ids?: string[];
    population?: string;
    share?: number;
    count?: number;
  };
  do:
    | 'remove-unit'
    | 'add-unit'
    | 'swap-unit'
    | 'set-version'
    | 'emit-errors'
    | 'cut-connection'
    | 'power-off'
    | 'restart'
    | 'overflow-log';
  /**
   * remove-unit, swap-unit.
   */
  symbol?: string;
  unit?: ScenarioUnit;
  /**
   * swap-unit: what differs; a new serial is made up when none is given.
   */
  change?: {
    model?: string;
    serial?: string;
    hardware?: string;
  };
  /**
   * set-version: symbol:softwareId.
   */
  subject?: string;
  version?: string;
  /**
   * emit-errors, overflow-log.
   */
  code?: string;
  severity?: 'info' | 'warning' | 'error' | 'fatal';
  /**
   * How many errors; overflow-log: twice the memory unless it is said.
   */
  entries?: number;
  /**
   * power-off: how long; for ever when missing.
   */
  for?: string;
}
/**
 * Parameters of `audit.list`.
 */
export interface AuditListParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  actor?: string;
  method?: string;
}
/**
 * Parameters of `campaigns.abort`.
 */
export interface CampaignsAbortParams {
  id: string;
}
/**
 * Parameters of `campaigns.create`.
 */
export interface CampaignsCreateParams {
  title?: string;
  software?: {
    id: string;
    range?: string;
  };
  /**
   * One release, id@version; a staged one is named by it.
   */
  release?: string;
  /**
   * Whatever makes each printer compatible.
   */
  remedy?: 'each';
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
  /**
   * Named printers instead of a filter.
   *
   * @minItems 1
   * @maxItems 10000
   */
  printers?: string[];
  /**
   * The whole fleet, said in so many words.
   */
  fleet?: true;
  /**
   * The trouble that it cures; without software it is what the trouble's remedy proposes.
   */
  trouble?: string;
  options?: CampaignOptions;
  /**
   * Refuse when another number of printers would take part.
   */
  expect?: {
    /**
     * How many printers are to take part.
     */
    targets: number;
    /**
     * By what share of it the number may differ; default 0.
     */
    tolerance?: number;
  };
}
/**
 * Which printers: everything that is named must hold.
 */
export interface PrinterFilter {
  idPrefix?: string;
  model?: string;
  site?: string;
  /**
   * Every label named must have this value.
   */
  label?: {
    [k: string]: string;
  };
  verdict?: 'compatible' | 'incompatible' | 'unknown' | 'none';
  presence?: 'online' | 'offline';
  /**
   * Whether it takes part; those that were retired or revoked are listed, and neither counted nor updated.
   */
  standing?: 'active' | 'retired' | 'revoked';
  software?: {
    id: string;
    range?: string;
  };
  /**
   * Only printers with (or without) an open trouble.
   */
  trouble?: boolean;
  /**
   * Only printers with an open trouble of this rule.
   */
  rule?: string;
}
/**
 * How a campaign goes forward; every option has a default.
 */
export interface CampaignOptions {
  /**
   * Printers that get it first; default: as many as the promotion needs.
   */
  canaries?: number;
  /**
   * Canaries under way at the same time; default 4.
   */
  canariesAtOnce?: number;
  /**
   * Size of the first wave; default 50.
   */
  wave?: number;
  /**
   * By how much each wave is larger than the one before; 1 is constant, default 2.
   */
  growth?: number;
  /**
   * Orders under way at the same time; default 500.
   */
  atOnce?: number;
  /**
   * Orders given out a minute; default no bound.
   */
  perMinute?: number;
  window?: CampaignWindow;
  /**
   * Errors that a printer logs so soon after a start or its update are not compared; default PT10M.
   */
  settle?: string;
  /**
   * Downloads start at random within it; default PT0S.
   */
  spread?: string;
  /**
   * How long each order stands; default P7D.
   */
  deadline?: string;
  /**
   * Printers not heard of for so long are left out; default P30D.
   */
  silentAfter?: string;
  /**
   * Failure rate that is tolerated; default 0.02.
   */
  tolerated?: number;
  /**
   * Canaries are promoted when their failure rate is shown to be below it; default 0.1.
   */
  promoteBelow?: number;
  /**
   * Printers that match later take part; default true.
   */
  join?: boolean;
  /**
   * Default true.
   */
  allowDowngrade?: boolean;
  /**
   * Staged releases that may be chosen: software ids, or id@version.
   *
   * @maxItems 100
   */
  staged?: string[];
  /**
   * Wait for an operator's approval (campaigns.resume); default false.
   */
  propose?: boolean;
  /**
   * Of the draw; default random.
   */
  seed?: number;
}
export interface CampaignWindow {
  /**
   * Local time HH:MM in the printer's zone.
   */
  from: string;
  /**
   * Local time HH:MM; equal to `from`: the whole day.
   */
  to: string;
  /**
   * ISO weekdays, 1 Monday.
   *
   * @minItems 1
   * @maxItems 7
   */
  days?: number[];
}
/**
 * Parameters of `campaigns.excluded`.
 */
export interface CampaignsExcludedParams {
  software?: {
    id: string;
    range?: string;
  };
  /**
   * One release, id@version; a staged one is named by it.
   */
  release?: string;
  /**
   * Whatever makes each printer compatible.
   */
  remedy?: 'each';
  filter?: PrinterFilter;
  /**
   * Named printers instead of a filter.
   *
   * @minItems 1
   * @maxItems 10000
   */
  printers?: string[];
  /**
   * The whole fleet, said in so many words.
   */
  fleet?: true;
  /**
   * The trouble that it cures; without software it is what the trouble's remedy proposes.
   */
  trouble?: string;
  options?: CampaignOptions;
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  /**
   * A campaign that is there, instead of what one would be.
   */
  id?: string;
  /**
   * Only these.
   */
  reason?:
    | 'no-plan'
    | 'pinned'
    | 'busy'
    | 'no-report'
    | 'quarantined'
    | 'unavailable'
    | 'withdrawn'
    | 'stopped'
    | 'no-structure'
    | 'revoked'
    | 'retired'
    | 'unreachable'
    | 'set-aside'
    | 'removed';
}
/**
 * Parameters of `campaigns.get`.
 */
export interface CampaignsGetParams {
  id: string;
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
}
/**
 * Parameters of `campaigns.list`.
 */
export interface CampaignsListParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  state?: 'draft' | 'proposed' | 'running' | 'paused' | 'halted' | 'finished' | 'aborted';
}
/**
 * Parameters of `campaigns.pause`.
 */
export interface CampaignsPauseParams {
  id: string;
}
/**
 * Parameters of `campaigns.preview`.
 */
export interface CampaignsPreviewParams {
  title?: string;
  software?: {
    id: string;
    range?: string;
  };
  /**
   * One release, id@version; a staged one is named by it.
   */
  release?: string;
  /**
   * Whatever makes each printer compatible.
   */
  remedy?: 'each';
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
  /**
   * Named printers instead of a filter.
   *
   * @minItems 1
   * @maxItems 10000
   */
  printers?: string[];
  /**
   * The whole fleet, said in so many words.
   */
  fleet?: true;
  /**
   * The trouble that it cures; without software it is what the trouble's remedy proposes.
   */
  trouble?: string;
  options?: CampaignOptions;
  /**
   * Refuse when another number of printers would take part.
   */
  expect?: {
    /**
     * How many printers are to take part.
     */
    targets: number;
    /**
     * By what share of it the number may differ; default 0.
     */
    tolerance?: number;
  };
}
/**
 * Parameters of `campaigns.resume`.
 */
export interface CampaignsResumeParams {
  id: string;
  /**
   * Give those that failed another order, their quarantine lifted.
   */
  retry?: boolean;
  /**
   * Why what was halted or aborted may go on: lifts the stop, and the campaign begins again with canaries. Needed for those.
   */
  reason?: string;
}
/**
 * Parameters of `campaigns.retry`.
 */
export interface CampaignsRetryParams {
  id: string;
  /**
   * Only these; missing: every printer that failed.
   *
   * @minItems 1
   * @maxItems 1000
   */
  printers?: string[];
}
/**
 * Parameters of `campaigns.series`.
 */
export interface CampaignsSeriesParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  id: string;
}
/**
 * Parameters of `campaigns.targets`.
 */
export interface CampaignsTargetsParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  id: string;
  /**
   * Only those.
   */
  state?: 'waiting' | 'dispatched' | 'ended' | 'excluded';
}
/**
 * Parameters of `catalog.get`.
 */
export interface CatalogGetParams {
  /**
   * The name of a revision; the latest when it is missing.
   */
  catalog?: string;
}
/**
 * Parameters of `catalog.impact`.
 */
export interface CatalogImpactParams {
  document: {
    [k: string]: unknown;
  };
}
/**
 * Parameters of `catalog.put`.
 */
export interface CatalogPutParams {
  document: {
    [k: string]: unknown;
  };
  /**
   * How many printers the catalog makes misfits of, as `catalog.impact` told it: their corrections then need no agreement. Another number is a conflict.
   */
  expect?: {
    printers: number;
  };
}
/**
 * Parameters of `configurations.list`.
 */
export interface ConfigurationsListParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
}
/**
 * Parameters of `errors.request`.
 */
export interface ErrorsRequestParams {
  printer?: string;
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
  /**
   * The whole fleet, said in so many words.
   */
  fleet?: true;
  since?: {
    log: string;
    seq: number;
  };
}
/**
 * Parameters of `fleet.summary`.
 */
export interface FleetSummaryParams {}
/**
 * Parameters of `policy.set`.
 */
export interface PolicySetParams {
  printer?: string;
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
  /**
   * The whole fleet, said in so many words.
   */
  fleet?: true;
  /**
   * Set the fleet's default.
   */
  default?: boolean;
  policy: PolicyDocument;
}
export interface PolicyDocument {
  structure?: {
    /**
     * Period of structure reports.
     */
    every?: string;
  };
  errors?: {
    mode?: 'stream' | 'periodic' | 'accumulate';
    /**
     * Period in periodic mode.
     */
    every?: string;
    /**
     * Send when so many entries wait.
     */
    atEntries?: number;
  };
  readings?: {
    /**
     * Period of readings; default PT1H.
     */
    every?: string;
    /**
     * Also when a state, a reason, a supply's state or a level by five per cent changes; default true.
     */
    onChange?: boolean;
  };
}
/**
 * Parameters of `printers.enroll`.
 */
export interface PrintersEnrollParams {
  printer?: string;
  /**
   * @minItems 1
   * @maxItems 1000
   */
  printers?: string[];
  /**
   * Also printers that are enrolled: they get a new password, and the old one ends with their connection.
   */
  again?: boolean;
}
/**
 * Parameters of `printers.errors`.
 */
export interface PrintersErrorsParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  printer: string;
  code?: string;
  since?: string;
  until?: string;
}
/**
 * Parameters of `printers.facets`.
 */
export interface PrintersFacetsParams {
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
  /**
   * What is counted: `model`, `site`, `verdict`, `presence`, `standing`, `trouble` (rules), `severity`, `owner` (of open troubles), `unit` (models), `label.NAME`, `software:ID` (versions). Default `model`, `site`, `verdict`, `presence`, `trouble`.
   *
   * @minItems 1
   * @maxItems 16
   */
  fields?: string[];
  /**
   * How many values of each at most, the most frequent first; default 20.
   */
  limit?: number;
}
/**
 * Parameters of `printers.get`.
 */
export interface PrintersGetParams {
  printer: string;
}
/**
 * Parameters of `printers.label`.
 */
export interface PrintersLabelParams {
  printer?: string;
  /**
   * Named printers.
   *
   * @minItems 1
   * @maxItems 10000
   */
  printers?: string[];
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
  /**
   * The whole fleet, said in so many words.
   */
  fleet?: true;
  /**
   * Labels with their values; they stand over those that printers report.
   */
  set?: {
    [k: string]: string;
  };
  /**
   * Names of labels that were set; what a printer itself reports shows again.
   *
   * @minItems 1
   * @maxItems 32
   */
  remove?: string[];
  /**
   * Refuse when another number of printers would be labelled.
   */
  expect?: {
    printers: number;
  };
}
/**
 * Parameters of `printers.list`.
 */
export interface PrintersListParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
  /**
   * Order; `-` before it: descending. Default `id`. Printers without a value stand at the end. `seen` is up to a minute old.
   */
  sort?:
    | 'id'
    | '-id'
    | 'model'
    | '-model'
    | 'site'
    | '-site'
    | 'seen'
    | '-seen'
    | 'verdict'
    | '-verdict'
    | 'troubles'
    | '-troubles';
  /**
   * Only these members of each item, in this order in CSV; `printer` is always there.
   *
   * @minItems 1
   * @maxItems 14
   */
  columns?: (
    | 'printer'
    | 'presence'
    | 'verdict'
    | 'openTroubles'
    | 'labels'
    | 'model'
    | 'serial'
    | 'site'
    | 'lastSeen'
    | 'device'
    | 'deviceSince'
    | 'standing'
    | 'standingAt'
    | 'standingReason'
  )[];
}
/**
 * Parameters of `printers.orders`.
 */
export interface PrintersOrdersParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  printer: string;
}
/**
 * Parameters of `printers.readmit`.
 */
export interface PrintersReadmitParams {
  /**
   * A printer that was set aside because it spent a budget; its budgets begin anew.
   */
  printer: string;
  /**
   * Why it may have orders again; kept in the audit log and with the trouble.
   */
  reason: string;
}
/**
 * Parameters of `printers.remove`.
 */
export interface PrintersRemoveParams {
  printer?: string;
  /**
   * @minItems 1
   * @maxItems 100
   */
  printers?: string[];
  /**
   * How many printers this removes; needed for more than one. Another number is a conflict.
   */
  expect?: {
    printers: number;
  };
}
/**
 * Parameters of `printers.retire`.
 */
export interface PrintersRetireParams {
  printer: string;
  /**
   * Shown with the printer.
   */
  reason?: string;
  /**
   * `false` takes it back; default `true`.
   */
  retired?: boolean;
}
/**
 * Parameters of `printers.revoke`.
 */
export interface PrintersRevokeParams {
  printer: string;
}
/**
 * Parameters of `printers.structures`.
 */
export interface PrintersStructuresParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  printer: string;
  /**
   * With the whole of each structure; default false.
   */
  documents?: boolean;
}
/**
 * Parameters of `printers.timeline`.
 */
export interface PrintersTimelineParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  printer: string;
  /**
   * Only these; everything when it is missing.
   *
   * @minItems 1
   * @maxItems 8
   */
  kinds?: ('structure' | 'verdict' | 'entry' | 'trouble' | 'order' | 'presence' | 'reading' | 'act')[];
  since?: string;
  /**
   * Not included.
   */
  until?: string;
}
/**
 * Parameters of `printers.whatif`.
 */
export interface PrintersWhatifParams {
  printer: string;
  /**
   * Units that are exchanged, added or taken out.
   *
   * @minItems 1
   * @maxItems 64
   */
  units?: {
    /**
     * Of a unit of the printer, of a new one, or `apparatus`.
     */
    symbol: string;
    model?: string;
    /**
     * Needed for a unit that is added.
     */
    kind?: string;
    hardware?: string;
    /**
     * What it comes with; missing: the best that fits, where the model is another one.
     *
     * @maxItems 64
     */
    software?: {
      id: string;
      vendor?: string;
      version?: string;
    }[];
    /**
     * It is taken out.
     */
    remove?: boolean;
  }[];
  /**
   * Software in other versions.
   *
   * @minItems 1
   * @maxItems 64
   */
  software?: {
    /**
     * `symbol:softwareId`.
     */
    subject: string;
    version: string;
  }[];
}
/**
 * Parameters of `readings.request`.
 */
export interface ReadingsRequestParams {
  printer?: string;
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
  /**
   * The whole fleet, said in so many words.
   */
  fleet?: true;
}
/**
 * Parameters of `releases.list`.
 */
export interface ReleasesListParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  software?: string;
}
/**
 * Parameters of `releases.release`: lifts every stop of a release.
 */
export interface ReleasesReleaseParams {
  software: string;
  version: string;
  /**
   * Why it may go to printers again.
   */
  reason: string;
}
/**
 * Parameters of `reports.firmware`.
 */
export interface ReportsFirmwareParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  /**
   * What versions are counted by; default `software`: over the whole fleet.
   */
  by?: 'software' | 'model' | 'site';
  /**
   * Only this software.
   */
  software?: string;
  /**
   * Only printers of this site.
   */
  site?: string;
  /**
   * Only printers of this model.
   */
  model?: string;
  /**
   * Default `-printers`: on most printers first. `-behind`: the oldest first.
   */
  sort?: '-printers' | 'printers' | 'name' | '-behind';
  filter?: PrinterFilter;
  /**
   * Only of these printers: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
}
/**
 * Parameters of `reports.inventory`.
 */
export interface ReportsInventoryParams {
  /**
   * How many items at most; default 100, and never more than 20 a page.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  /**
   * `glpi`: GLPI's inventory format. `cyclonedx`: a bill of materials, CycloneDX 1.6.
   */
  form: 'glpi' | 'cyclonedx';
  /**
   * This printer alone.
   */
  printer?: string;
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
}
/**
 * Parameters of `reports.pages`.
 */
export interface ReportsPagesParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  /**
   * First day, in each printer's zone; default 30 days with `to`.
   */
  from?: string;
  /**
   * Last day, included; default today.
   */
  to?: string;
  /**
   * What is added up; default `printer`.
   */
  by?: 'printer' | 'site' | 'model' | 'label';
  /**
   * Name of the label, with `by: label`.
   */
  label?: string;
  /**
   * Which counter; default `impressions`.
   */
  counter?: string;
  /**
   * Only printers of this site.
   */
  site?: string;
  /**
   * Only printers of this model.
   */
  model?: string;
  /**
   * Default `-pages`: most pages first.
   */
  sort?: '-pages' | 'pages' | 'name';
  filter?: PrinterFilter;
  /**
   * Only of these printers: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
}
/**
 * Parameters of `reports.supplies`.
 */
export interface ReportsSuppliesParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  /**
   * Only supplies that will be empty within so many days.
   */
  endsWithinDays?: number;
  /**
   * Only printers of this site.
   */
  site?: string;
  /**
   * Such as `toner`.
   */
  kind?: string;
  color?: string;
  printer?: string;
  /**
   * Default `ends`: those first that end first.
   */
  sort?: 'ends' | 'left' | 'printer';
  filter?: PrinterFilter;
  /**
   * Only of these printers: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
}
/**
 * Parameters of `rollout.get`.
 */
export interface RolloutGetParams {}
/**
 * Parameters of `rollout.set`: how far things may go by themselves. Members that are missing stay as they are.
 */
export interface RolloutSetParams {
  /**
   * What a verdict's correction does by itself: begin, wait for campaigns.resume, or nothing. Default automatic.
   */
  corrections?: 'automatic' | 'propose' | 'off';
  /**
   * Printers or rules for which something else holds; the first that matches counts. What is named has to match in all.
   *
   * @maxItems 1000
   */
  exceptions?: RolloutException[];
  /**
   * A catalog that makes misfits of more printers than both of these waits for a person; default 50 and 0.01.
   */
  confirmAbove?: {
    printers?: number;
    share?: number;
  };
  /**
   * Bounds on orders, whatever campaigns, rules and corrections want together.
   */
  dispatch?: {
    /**
     * Orders offered a minute over the fleet; default 6000.
     */
    perMinute?: number;
    /**
     * Share of a site, or of the printers with one label `pool`, under way at once; one always may. Default 0.5.
     */
    siteShare?: number;
    /**
     * The last working printer of a site or pool with more than one gets no order. Default true.
     */
    keepLast?: boolean;
  };
  /**
   * How often one printer may be given the same before it is set aside. It holds from the next order on; who is set aside stays so.
   */
  budget?: {
    /**
     * Orders that installed a release, whatever came of them; default 3.
     */
    installations?: number;
    /**
     * Downloads of a release; default 10.
     */
    downloads?: number;
    /**
     * Orders for a release that ended without being withdrawn; default 30.
     */
    orders?: number;
    /**
     * Steps installed, each of which restarts the printer; default 30.
     */
    restarts?: number;
    /**
     * Days within which all of this counts; default 30.
     */
    days?: number;
  };
}
export interface RolloutException {
  mode: 'automatic' | 'propose' | 'off';
  /**
   * A rule of the catalog as findings name it, or a trouble rule.
   */
  rule?: string;
  idPrefix?: string;
  model?: string;
  site?: string;
  label?: {
    [k: string]: string;
  };
}
/**
 * Parameters of `rules.get`.
 */
export interface RulesGetParams {
  /**
   * The name of a revision; the latest when it is missing.
   */
  rules?: string;
}
/**
 * Parameters of `rules.put`.
 */
export interface RulesPutParams {
  document: {
    [k: string]: unknown;
  };
}
/**
 * Parameters of `structure.request`.
 */
export interface StructureRequestParams {
  printer?: string;
  filter?: PrinterFilter;
  /**
   * The same as a text, instead of `filter`: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
  /**
   * The whole fleet, said in so many words.
   */
  fleet?: true;
}
/**
 * Parameters of `tokens.create`.
 */
export interface TokensCreateParams {
  /**
   * What it is for, for people.
   */
  name: string;
  /**
   * At most one's own; default `viewer`.
   */
  role?: 'viewer' | 'operator' | 'admin';
  /**
   * How long it holds, as a duration such as `P90D` (the default); at most 366 days.
   */
  expires?: string;
}
/**
 * Parameters of `tokens.list`.
 */
export interface TokensListParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
}
/**
 * Parameters of `tokens.revoke`.
 */
export interface TokensRevokeParams {
  id: string;
}
/**
 * Parameters of `troubles.ack`.
 */
export interface TroublesAckParams {
  id: string;
  /**
   * What is known of it, or what is being done.
   */
  reason?: string;
  /**
   * Takes the acknowledgement back.
   */
  undo?: true;
}
/**
 * Parameters of `troubles.assign`.
 */
export interface TroublesAssignParams {
  id: string;
  /**
   * User name of the operator who looks after it.
   */
  owner?: string;
  /**
   * Why; kept in the audit log.
   */
  reason?: string;
  /**
   * Nobody looks after it any more.
   */
  undo?: true;
}
/**
 * Parameters of `troubles.close`.
 */
export interface TroublesCloseParams {
  id: string;
  note?: string;
}
/**
 * Parameters of `troubles.list`.
 */
export interface TroublesListParams {
  /**
   * How many items at most; default 100.
   */
  limit?: number;
  /**
   * `data.next` of the reply before.
   */
  cursor?: string;
  printer?: string;
  rule?: string;
  state?: 'open' | 'escalated' | 'cured' | 'cleared' | 'closed';
  /**
   * Only those that are open or escalated.
   */
  open?: boolean;
  /**
   * Only those that this operator looks after.
   */
  owner?: string;
  /**
   * Only those that somebody has (or nobody has) acknowledged.
   */
  acknowledged?: boolean;
  /**
   * Only those that are (or are not) snoozed.
   */
  snoozed?: boolean;
  /**
   * Counts instead of troubles: `groups`, one for each rule, each site, or each pair of them.
   *
   * @minItems 1
   * @maxItems 2
   */
  groupBy?: ('rule' | 'site')[];
  filter?: PrinterFilter;
  /**
   * Only of these printers: `model=C360 verdict!=compatible`; see where.md.
   */
  where?: string;
}
/**
 * Parameters of `troubles.snooze`.
 */
export interface TroublesSnoozeParams {
  id: string;
  /**
   * A time as 2026-11-30T07:00:00Z, or how long from now, as PT4H or P3D; at most a year.
   */
  until?: string;
  /**
   * Why it can wait.
   */
  reason?: string;
  /**
   * Ends the snooze now.
   */
  undo?: true;
}
/**
 * Parameters of `users.list`.
 */
export interface UsersListParams {}
/**
 * Parameters of `users.put`.
 */
export interface UsersPutParams {
  name: string;
  role: 'viewer' | 'operator' | 'admin';
  /**
   * Without it a new account gets one that the center makes, and an account that is there keeps its own.
   */
  password?: string;
  /**
   * Makes a new password for an account that is there.
   */
  newPassword?: boolean;
}
/**
 * Parameters of `users.remove`.
 */
export interface UsersRemoveParams {
  name: string;
}
/**
 * Who changed what, newest first.
 */
export interface AuditListReply {
  items: AuditRecord[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface AuditRecord {
  id: number;
  at: string;
  actor: string;
  role: string;
  method: string;
  /**
   * Without secrets.
   */
  params: {};
  outcome: string;
}
/**
 * Ends a campaign; orders that can still be taken back are.
 */
export type CampaignsAbortReply = Campaign;
/**
 * Creates a campaign over the printers that match now.
 */
export interface CampaignsCreateReply {
  /**
   * Campaign id.
   */
  id: string;
  title?: string;
  state: 'draft' | 'proposed' | 'running' | 'paused' | 'halted' | 'finished' | 'aborted';
  /**
   * Why it is in this state.
   */
  reason?: string;
  /**
   * The trouble it cures.
   */
  trouble?: string;
  software?: {
    id: string;
    range?: string;
  };
  targets?: number;
  counts: {
    [k: string]: number;
  };
  excluded?: {
    [k: string]: number;
  };
  /**
   * Creation.
   */
  createdAt: string;
  /**
   * Last change.
   */
  updatedAt?: string;
  guard?: {};
  /**
   * Who created it.
   */
  by?: string;
  cause?: OrderCause;
  /**
   * Why printers wait although the campaign goes on: reason to number.
   */
  waits?: {
    [k: string]: number;
  };
  /**
   * The stop that holds since it was halted or aborted.
   */
  stopped?: {
    /**
     * @maxItems 1000
     */
    releases: string[];
    by: string;
    at: string;
    reason: string;
  };
  /**
   * What is worth knowing of whom the request concerned.
   */
  warnings?: string[];
}
/**
 * The printers that a campaign leaves out, or would leave out, each with the reason.
 */
export interface CampaignsExcludedReply {
  items: ExcludedPrinter[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
  /**
   * What is worth knowing of whom the request concerned.
   */
  warnings?: string[];
}
export interface ExcludedPrinter {
  printer: string;
  reason: string;
  /**
   * The reason in words.
   */
  why: string;
}
/**
 * One campaign, with a page of its printers and what became of each.
 */
export interface CampaignsGetReply {
  /**
   * Campaign id.
   */
  id: string;
  title?: string;
  state: 'draft' | 'proposed' | 'running' | 'paused' | 'halted' | 'finished' | 'aborted';
  /**
   * Why it is in this state.
   */
  reason?: string;
  /**
   * The trouble it cures.
   */
  trouble?: string;
  software?: {
    id: string;
    range?: string;
  };
  targets?: number;
  counts: {
    [k: string]: number;
  };
  excluded?: {
    [k: string]: number;
  };
  /**
   * Creation.
   */
  createdAt: string;
  /**
   * Last change.
   */
  updatedAt?: string;
  guard?: {};
  /**
   * Who created it.
   */
  by?: string;
  cause?: OrderCause;
  /**
   * Why printers wait although the campaign goes on: reason to number.
   */
  waits?: {
    [k: string]: number;
  };
  /**
   * The stop that holds since it was halted or aborted.
   */
  stopped?: {
    /**
     * @maxItems 1000
     */
    releases: string[];
    by: string;
    at: string;
    reason: string;
  };
  printers: CampaignPrinter[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface CampaignPrinter {
  printer: string;
  state: string;
  /**
   * What became of it, in a word.
   */
  is: string;
  execution: string | null;
  /**
   * Code and message of the order that failed.
   */
  error: {} | null;
  /**
   * Why it is left out, or waits for another order.
   */
  why: string | null;
}
/**
 * Campaigns, newest first.
 */
export interface CampaignsListReply {
  items: Campaign[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
/**
 * Pauses a campaign.
 */
export type CampaignsPauseReply = Campaign;
/**
 * What a campaign would do, by count and example; nothing is done.
 */
export interface CampaignsPreviewReply {
  targets: number;
  /**
   * Have nothing to do.
   */
  fine: number;
  configurations: {
    stratum: string;
    printers: number;
    example: string;
  }[];
  /**
   * Reason to number.
   */
  excluded: {
    [k: string]: number;
  };
  examples: {
    printer: string;
    reason: string;
    why: string;
  }[];
  /**
   * What is worth knowing of whom the request concerned.
   */
  warnings?: string[];
}
/**
 * Lets a campaign go on.
 */
export type CampaignsResumeReply = Campaign;
/**
 * Gives printers that failed another order. None of them counts as evidence twice; budgets and stops hold.
 */
export interface CampaignsRetryReply {
  id: string;
  /**
   * Of the campaign.
   */
  state: string;
  /**
   * How many.
   */
  retried: number;
  /**
   * The first 1,000 of them.
   */
  printers: string[];
}
/**
 * The outcomes of a campaign in the order in which its printers began to install, and the guard's evidence for harm after each.
 */
export interface CampaignsSeriesReply {
  items: CampaignPoint[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
  /**
   * Evidence for harm now.
   */
  evidence: number;
  /**
   * The line: the campaign halts when the evidence reaches it.
   */
  haltAt: number;
  /**
   * The failure rate that is tolerated.
   */
  tolerated: number;
}
export interface CampaignPoint {
  /**
   * Place in the order, from 0.
   */
  exposure: number;
  printer: string;
  /**
   * `neither` says nothing of the release.
   */
  outcome: 'good' | 'bad' | 'neither' | 'pending';
  /**
   * Evidence for harm after it.
   */
  evidence: number;
  /**
   * How its order ended last.
   */
  ended?: string;
}
/**
 * The printers of a campaign by id: where each one stands, and why nothing more happens to it.
 */
export interface CampaignsTargetsReply {
  items: CampaignTarget[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
  /**
   * Of the campaign.
   */
  state: string;
  stage: 'canaries' | 'waves';
  /**
   * Why the campaign as a whole gives no further orders.
   */
  why?: string;
}
export interface CampaignTarget {
  printer: string;
  state: 'waiting' | 'dispatched' | 'ended' | 'excluded';
  /**
   * The state of its order, how that ended, or the reason why it is left out.
   */
  is: string;
  /**
   * Why nothing more happens to it, or what happens now, in words.
   */
  why: string;
  online: boolean;
  /**
   * Its order.
   */
  execution?: string;
  error?: ErrorReport;
  /**
   * The place in which it began to install, from 0.
   */
  exposure?: number;
}
/**
 * The catalog in force, or an older revision.
 */
export interface CatalogGetReply {
  /**
   * Grows with every put.
   */
  revision: number;
  at: string;
  by: string;
  document: Catalog;
}
/**
 * What a catalog would change in the fleet, by count and example; nothing is put.
 */
export interface CatalogImpactReply {
  from: string;
  to: string;
  printers: number;
  changed: number;
  misfits: number;
  transitions: {
    from: 'compatible' | 'incompatible' | 'unknown';
    to: 'compatible' | 'incompatible' | 'unknown';
    printers: number;
    examples: string[];
  }[];
  rules: {
    rule: string;
    change: 'broken' | 'mended';
    printers: number;
    examples: string[];
  }[];
}
/**
 * Puts a catalog in force; the fleet is judged again in the background.
 */
export interface CatalogPutReply {
  revision: number;
  diagnostics: Diagnostic[];
  /**
   * Printers that it makes misfits of; missing where that takes too long to find out.
   */
  misfits?: number;
  /**
   * Whether their corrections wait for a person.
   */
  corrections: 'automatic' | 'propose';
}
export interface Diagnostic {
  /**
   * Place in the document.
   */
  path: string;
  severity: 'error' | 'warning';
  message: string;
}
/**
 * What printers are made of: distinct configurations, those of most printers first.
 */
export interface ConfigurationsListReply {
  items: ConfigurationItem[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface ConfigurationItem {
  /**
   * Its short name; strata of campaigns are named alike.
   */
  configuration: string;
  printers: number;
  model?: string;
  /**
   * A printer that has it.
   */
  example: string;
  /**
   * Verdict to number of printers.
   */
  verdict: {
    [k: string]: number;
  };
}
/**
 * Asks printers to report their log now.
 */
export interface ErrorsRequestReply {
  /**
   * Id of the request, for one printer.
   */
  request?: string;
  /**
   * How many were asked.
   */
  printers?: number;
  /**
   * What is worth knowing of whom the request concerned.
   */
  warnings?: string[];
}
/**
 * Counts by presence, verdict and model; open troubles; running campaigns.
 */
export type FleetSummaryReply = FleetSummary;
/**
 * Sets how one printer, the printers of a filter, or the fleet report.
 */
export interface PolicySetReply {
  /**
   * How many it concerned.
   */
  printers: number;
  /**
   * What is worth knowing of whom the request concerned.
   */
  warnings?: string[];
}
/**
 * Gives printers credentials; the passwords are in this reply and nowhere else.
 */
export interface PrintersEnrollReply {
  items: {
    printer: string;
    /**
     * Shown once.
     */
    password: string;
  }[];
  printer?: string;
  /**
   * Shown once.
   */
  password?: string;
}
/**
 * Stored log entries of one printer, newest first.
 */
export interface PrintersErrorsReply {
  items: StoredEntry[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface StoredEntry {
  log: string;
  seq: number;
  /**
   * By the printer's clock.
   */
  at: string;
  received: string;
  code: string;
  severity: string;
  unit?: string;
  pages?: number;
  /**
   * The printer's own words.
   */
  detail?: {};
}
/**
 * Values with how many of a filter's printers have them.
 */
export interface PrintersFacetsReply {
  /**
   * Printers of the filter: up to 10,000 exactly, beyond that the estimate of the database.
   */
  total: number;
  /**
   * Whether `total` was counted.
   */
  exact: boolean;
  facets: Facet[];
}
export interface Facet {
  field: string;
  values: {
    /**
     * Missing: of printers without one.
     */
    value?: string;
    printers: number;
    /**
     * The term that finds them.
     */
    where: string;
  }[];
  /**
   * Further values that are not shown.
   */
  more: number;
}
/**
 * Everything that is known of one printer.
 */
export interface PrintersGetReply {
  /**
   * Its id.
   */
  printer: string;
  presence: 'online' | 'offline';
  verdict: 'compatible' | 'incompatible' | 'unknown' | 'none';
  openTroubles: number;
  labels?: {
    [k: string]: string;
  };
  model?: string;
  serial?: string;
  site?: string;
  /**
   * When anything was last heard of it.
   */
  lastSeen?: string;
  /**
   * What its agent says of the device.
   */
  device?: 'reachable' | 'unreachable';
  deviceSince?: string;
  /**
   * Why it takes part in nothing; missing for everybody else.
   */
  standing?: 'retired' | 'revoked';
  standingAt?: string;
  standingReason?: string;
  structure?: Structure;
  verdictDocument?: Verdict;
  policy?: Policy;
  /**
   * Changes between structures, newest first.
   */
  changes: {
    /**
     * By the printer's clock.
     */
    at: string;
    received: string;
    changes: StructureChange[];
  }[];
  logs: {
    log: string;
    /**
     * Stored or known lost up to here.
     */
    upTo: number;
    first: number;
    /**
     * Entries that were overwritten before they came.
     */
    lost: number;
  }[];
  /**
   * Mark of the present enrolment; without one it may not connect.
   */
  enrolment?: string;
  /**
   * Software it gets no orders for until somebody readmits it.
   */
  setAside?: {
    software: string;
    release: string;
    reason: string;
    at: string;
    trouble?: string;
  }[];
  readings?: LatestReadings;
}
export interface StructureChange {
  kind: string;
  subject: string;
  from?: string;
  to?: string;
}
/**
 * The latest that it said of everything that it counts and holds.
 */
export interface LatestReadings {
  session: string;
  number: number;
  at: string;
  received: string;
  state?: 'idle' | 'processing' | 'stopped';
  reasons?: string[];
  counters: {
    [k: string]: number;
  };
  supplies: SupplyNow[];
  /**
   * @maxItems 64
   */
  inputs?: ReadingInput[];
  facts?: ReadingFacts;
}
export interface SupplyNow {
  /**
   * Names one place for a supply in this printer, unique among its supplies.
   */
  symbol: string;
  /**
   * `toner`, `ink`, `drum`, `fuser`, `transfer`, `waste`, `staples`, `filament`, `other`, or another word.
   */
  kind: string;
  color?: string;
  /**
   * Symbol of the unit that holds it.
   */
  unit?: string;
  model?: string;
  /**
   * Another serial number tells an exchange.
   */
  serial?: string;
  /**
   * What is left, in `measure` (of waste: the room that is left); only where it means something.
   */
  level?: number;
  /**
   * What a full one holds, in `measure`.
   */
  capacity?: number;
  measure?: 'percent' | 'impressions' | 'grams' | 'millilitres' | 'metres' | 'hours' | 'items' | 'unknown';
  /**
   * What the level is worth: measured, one of a few steps, there is some, nobody knows. Default unknown when there is no level, else exact.
   */
  known?: 'exact' | 'steps' | 'some' | 'unknown';
  state?: 'ok' | 'low' | 'empty' | 'missing' | 'full';
  /**
   * Share of the capacity, where it is known.
   */
  left?: number;
  /**
   * When this one was first seen.
   */
  since: string;
  /**
   * When it will be empty, by estimate.
   */
  ends?: string;
  endsEarliest?: string;
  endsLatest?: string;
}
/**
 * Sets labels of printers, and removes labels that were set.
 */
export interface PrintersLabelReply {
  printers: number;
  /**
   * What is worth knowing of whom the request concerned.
   */
  warnings?: string[];
}
/**
 * Printers of a filter, in an order.
 */
export interface PrintersListReply {
  items: PrinterItem[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
  /**
   * How many match, when the first page was asked for: up to 10,000 exactly, beyond that the estimate of the database.
   */
  total: number;
  /**
   * Whether `total` was counted.
   */
  exact: boolean;
}
export interface PrinterItem {
  /**
   * Its id.
   */
  printer: string;
  presence?: 'online' | 'offline';
  verdict?: 'compatible' | 'incompatible' | 'unknown' | 'none';
  openTroubles?: number;
  labels?: {
    [k: string]: string;
  };
  model?: string;
  serial?: string;
  site?: string;
  /**
   * When anything was last heard of it.
   */
  lastSeen?: string;
  /**
   * What its agent says of the device.
   */
  device?: 'reachable' | 'unreachable';
  deviceSince?: string;
  /**
   * Why it takes part in nothing; missing for everybody else.
   */
  standing?: 'retired' | 'revoked';
  standingAt?: string;
  standingReason?: string;
}
/**
 * The orders that one printer has had, newest first, each with its steps and cause, and what the printer claimed apart from what it proved.
 */
export interface PrintersOrdersReply {
  items: PrinterOrder[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface PrinterOrder {
  /**
   * Id of the order.
   */
  execution: string;
  state:
    | 'planned'
    | 'offered'
    | 'accepted'
    | 'deferred'
    | 'downloading'
    | 'verified'
    | 'installing'
    | 'self-testing'
    | 'claimed'
    | 'proven'
    | 'partial'
    | 'rejected'
    | 'rolled-back'
    | 'failed'
    | 'silent'
    | 'cancelled';
  attempt: number;
  createdAt: string;
  updatedAt: string;
  endedAt?: string;
  deadline: string;
  campaign?: string;
  /**
   * The trouble that it cures.
   */
  trouble?: string;
  cause?: OrderCause;
  window?: MaintenanceWindow;
  /**
   * It is offered, and downloads begin no earlier.
   */
  notBefore?: string;
  steps: PrinterOrderStep[];
  /**
   * When the printer said that it was done.
   */
  claimedAt?: string;
  /**
   * When a structure of a later session showed it.
   */
  provenAt?: string;
  error?: ErrorReport;
  /**
   * Why it was cancelled.
   */
  cancel?: string;
  /**
   * It fell silent while it installed.
   */
  suspectedBrick?: boolean;
}
export interface PrinterOrderStep {
  subject: string;
  from?: string;
  to: string;
  /**
   * Steps with the same number are installed as one.
   */
  together?: number;
  /**
   * `claimed`: the printer says so; `proven`: a later structure shows it.
   */
  state: 'not-begun' | 'installing' | 'claimed' | 'proven' | 'failed';
}
/**
 * Lets a printer that was set aside have orders again.
 */
export interface PrintersReadmitReply {
  printer: string;
  /**
   * What it had been set aside for; software and release are empty where it was everything.
   */
  readmitted: {
    software: string;
    release: string;
    reason: string;
    at: string;
  }[];
}
/**
 * Forgets printers: they are in no list and no count any more, and their ids can be enrolled anew.
 */
export interface PrintersRemoveReply {
  printers: string[];
}
/**
 * Takes a printer out of updates and counts, or back in.
 */
export interface PrintersRetireReply {
  printer: string;
  retired: boolean;
}
/**
 * Takes a printer's credentials away: its connection and its order end at once.
 */
export interface PrintersRevokeReply {
  printer: string;
}
/**
 * The structures that one printer has had, newest first, each with what differs from the one before.
 */
export interface PrintersStructuresReply {
  items: StructureHistoryItem[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface StructureHistoryItem {
  session: string;
  revision: number;
  /**
   * By the printer's clock.
   */
  at: string;
  received: string;
  changes: StructureChange[];
  structure?: Structure;
}
/**
 * What happened to one printer, newest first: its structures, verdicts, log entries, troubles, orders, presence, readings, and what operators did to it.
 */
export interface PrintersTimelineReply {
  items: TimelineItem[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface TimelineItem {
  /**
   * By the center's clock; of entries and troubles by the printer's.
   */
  at: string;
  kind: 'structure' | 'verdict' | 'entry' | 'trouble' | 'order' | 'presence' | 'reading' | 'act';
  /**
   * `first`, `changed` (structure, reading), a verdict, a code (entry), `opened` or how it ended (trouble), `given`, what the printer reported of a step (`accepted`, `downloading` and so on, with `attempt` and that step), or how it ended (order), `online`, `offline`, `exchanged` (supply), a method (act).
   */
  what: string;
  /**
   * Of a structure: what differs from the one before.
   */
  changes?: StructureChange[];
  session?: string;
  revision?: number;
  /**
   * Of a reading.
   */
  number?: number;
  /**
   * By the printer's clock, of structures and readings.
   */
  told?: string;
  /**
   * The verdict before.
   */
  was?: string;
  catalog?: string;
  log?: string;
  seq?: number;
  /**
   * When the center got the entry.
   */
  received?: string;
  severity?: string;
  unit?: string;
  pages?: number;
  /**
   * The printer's own words.
   */
  detail?: {};
  trouble?: string;
  rule?: string;
  title?: string;
  /**
   * Of an end: the reason.
   */
  why?: string;
  /**
   * Of an order.
   */
  execution?: string;
  campaign?: string;
  attempt?: number;
  cause?: OrderCause;
  steps?: {
    subject: string;
    from?: string;
    to: string;
  }[];
  /**
   * Of a reading.
   */
  state?: string;
  reasons?: string[];
  /**
   * Symbol of the supply that was exchanged.
   */
  supply?: string;
  supplyKind?: string;
  color?: string;
  model?: string;
  serial?: string;
  /**
   * Share of the new one's capacity.
   */
  left?: number;
  knownBy?: 'serial' | 'level';
  /**
   * Who did it.
   */
  by?: string;
  role?: string;
  /**
   * Without secrets.
   */
  params?: {};
  outcome?: string;
}
/**
 * What would be if a printer had other units or versions: the verdict, and the steps that lead there. Nothing is changed.
 */
export interface PrintersWhatifReply {
  printer: string;
  /**
   * The status as the printer is now.
   */
  before: 'compatible' | 'incompatible' | 'unknown';
  verdict: Verdict;
  structure: Structure;
  /**
   * Whether software leads there, once the units are exchanged: nothing needs doing, these steps, no order of steps, proven that nothing fits, out of time.
   */
  outcome: 'compatible' | 'chosen' | 'blocked' | 'impossible' | 'gave-up';
  remedy?: Remedy;
  /**
   * Units replaced, downgrades, software changes.
   */
  cost?: number[];
  /**
   * Why there are no steps, or what would help.
   */
  explanation?: string;
}
/**
 * Asks printers for a reading now.
 */
export interface ReadingsRequestReply {
  /**
   * Id of the request, for one printer.
   */
  request?: string;
  /**
   * How many were asked.
   */
  printers?: number;
  /**
   * What is worth knowing of whom the request concerned.
   */
  warnings?: string[];
}
/**
 * Releases of the signed repository, in the order of their paths.
 */
export interface ReleasesListReply {
  items: SignedRelease[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface SignedRelease {
  /**
   * TUF target path.
   */
  target: string;
  /**
   * Bytes.
   */
  length: number;
  sha256: string;
  /**
   * What is signed of it.
   */
  custom: {};
  /**
   * Stops that hold.
   */
  stopped?: ReleaseStop[];
}
export interface ReleaseStop {
  id: string;
  kind: 'guard' | 'person';
  releases: string[];
  strata?: string[];
  campaign?: string;
  reason: string;
  by: string;
  at: string;
  /**
   * Why the campaign was.
   */
  cause?: {};
}
/**
 * Lifts what the guard or a person stopped of a release.
 */
export interface ReleasesReleaseReply {
  lifted: ReleaseStop[];
}
/**
 * Installed versions, how many printers have each, and how old each is by the catalog in force.
 */
export interface ReportsFirmwareReply {
  items: FirmwareItem[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface FirmwareItem {
  /**
   * Of the model or site; empty for printers without one; missing with `by: software`.
   */
  name?: string;
  software: string;
  /**
   * Missing where printers don't say it.
   */
  version?: string;
  printers: number;
  /**
   * Parts that it is on: a printer can have several.
   */
  installed: number;
  /**
   * Of the release; `unlisted`: the catalog has none of this version.
   */
  status?: 'released' | 'staged' | 'withdrawn' | 'unlisted';
  /**
   * How many released ones are newer; missing where the versions have no order.
   */
  behind?: number;
  /**
   * The newest released one.
   */
  newest?: string;
  /**
   * The newest to which steps (`from`) lead from here. Whether it fits the other parts of a printer, `campaigns.preview` says.
   */
  allowed?: string;
}
/**
 * Printers as documents for other programs, in the order of their ids.
 */
export interface ReportsInventoryReply {
  items: InventoryItem[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface InventoryItem {
  printer: string;
  /**
   * In the format that was asked for.
   */
  document: {};
}
/**
 * Pages that were printed between two days.
 */
export interface ReportsPagesReply {
  /**
   * The first day.
   */
  from: string;
  /**
   * The last day, included.
   */
  to: string;
  items: PagesItem[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface PagesItem {
  /**
   * Of the printer, site, model or label; empty for printers without one.
   */
  name: string;
  pages: number;
  printers: number;
  readings: number;
  /**
   * The first reading in the time.
   */
  first?: string;
  /**
   * The last one.
   */
  last?: string;
  /**
   * Counters that began anew.
   */
  resets: number;
  /**
   * Days that stand for others without a reading before them.
   */
  gaps: number;
  /**
   * Days of printers without a reading.
   */
  silentDays: number;
}
/**
 * Supplies that are in their printers.
 */
export interface ReportsSuppliesReply {
  items: SupplyItem[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface SupplyItem {
  printer: string;
  printerModel?: string;
  site?: string;
  symbol: string;
  kind: string;
  color?: string;
  unit?: string;
  model?: string;
  serial?: string;
  /**
   * In `measure`.
   */
  level?: number;
  capacity?: number;
  measure?: string;
  /**
   * What the level is worth.
   */
  known: string;
  state?: string;
  /**
   * Share of the capacity that is left, where it is known.
   */
  left?: number;
  /**
   * When this one was first seen.
   */
  since: string;
  /**
   * Share that was left then.
   */
  sinceLeft?: number;
  /**
   * Why it is taken for another one than before.
   */
  exchange?: 'serial' | 'level';
  /**
   * When it will be empty.
   */
  ends?: string;
  /**
   * In how many days it will be empty; the interval should hold the truth in four of five cases.
   */
  daysLeft?: {
    days: number;
    low?: number;
    /**
     * Missing where it may last for ever.
     */
    high?: number;
  };
}
/**
 * How far things may go by themselves.
 */
export interface RolloutGetReply {
  corrections: 'automatic' | 'propose' | 'off';
  /**
   * Printers or rules for which something else holds; the first that matches counts. What is named has to match in all.
   *
   * @maxItems 1000
   */
  exceptions: RolloutException[];
  confirmAbove: {
    printers: number;
    share: number;
  };
  dispatch: {
    perMinute: number;
    siteShare: number;
    keepLast: boolean;
  };
  budget: {
    installations: number;
    downloads: number;
    orders: number;
    restarts: number;
    days: number;
  };
}
/**
 * Changes how far things may go by themselves; answers what holds now.
 */
export interface RolloutSetReply {
  corrections: 'automatic' | 'propose' | 'off';
  /**
   * Printers or rules for which something else holds; the first that matches counts. What is named has to match in all.
   *
   * @maxItems 1000
   */
  exceptions: RolloutException[];
  confirmAbove: {
    printers: number;
    share: number;
  };
  dispatch: {
    perMinute: number;
    siteShare: number;
    keepLast: boolean;
  };
  budget: {
    installations: number;
    downloads: number;
    orders: number;
    restarts: number;
    days: number;
  };
}
/**
 * The trouble rules in force, or an older revision.
 */
export interface RulesGetReply {
  /**
   * Grows with every put.
   */
  revision: number;
  at: string;
  by: string;
  document: TroubleRules;
}
/**
 * Puts trouble rules in force.
 */
export interface RulesPutReply {
  revision: number;
  diagnostics: Diagnostic[];
}
/**
 * Asks printers to report their structure now.
 */
export interface StructureRequestReply {
  /**
   * Id of the request, for one printer.
   */
  request?: string;
  /**
   * How many were asked.
   */
  printers?: number;
  /**
   * What is worth knowing of whom the request concerned.
   */
  warnings?: string[];
}
/**
 * Makes a token for a program; it is in this reply and nowhere else.
 */
export interface TokensCreateReply {
  id: string;
  name: string;
  /**
   * Who made it, and whose account it ends with.
   */
  owner: string;
  role: 'viewer' | 'operator' | 'admin';
  created: string;
  expires: string;
  /**
   * Shown once. Send it as `Authorization: Bearer`.
   */
  token: string;
}
/**
 * One's own tokens, the latest first; an administrator's list holds everybody's.
 */
export interface TokensListReply {
  items: TokenItem[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
}
export interface TokenItem {
  id: string;
  name: string;
  /**
   * Who made it, and whose account it ends with.
   */
  owner: string;
  role: 'viewer' | 'operator' | 'admin';
  created: string;
  expires: string;
  /**
   * To about a minute.
   */
  lastUsed?: string;
  revoked?: string;
}
/**
 * Ends a token at once: one's own, or as an administrator anybody's.
 */
export interface TokensRevokeReply {
  id: string;
}
/**
 * Says that somebody has seen an open trouble.
 */
export type TroublesAckReply = Trouble;
/**
 * Gives an open trouble an owner, or takes the owner away.
 */
export type TroublesAssignReply = Trouble;
/**
 * Closes a trouble by hand, with a note.
 */
export type TroublesCloseReply = Trouble;
/**
 * Troubles, newest first; or how many there are by rule and site.
 */
export interface TroublesListReply {
  items: Trouble[];
  /**
   * Cursor of the following page; missing on the last one.
   */
  next?: string;
  /**
   * With `groupBy`, by name; `items` is empty then.
   */
  groups?: TroubleGroup[];
}
export interface TroubleGroup {
  rule?: string;
  /**
   * Of the rule; missing where there are several.
   */
  title?: string;
  /**
   * Empty for troubles of printers without one, and of the fleet.
   */
  site?: string;
  troubles: number;
  printers: number;
  severities: string[];
  /**
   * When the first of them was opened.
   */
  oldest: string;
  /**
   * When the last of them was opened.
   */
  newest: string;
  /**
   * Id of the newest.
   */
  example: string;
}
/**
 * Keeps an open trouble quiet until a time: its events and its document say `snoozed`, and nobody is to be notified. It ends by itself.
 */
export type TroublesSnoozeReply = Trouble;
/**
 * Operators' accounts and their roles.
 */
export interface UsersListReply {
  items: User[];
}
export interface User {
  name: string;
  role: 'viewer' | 'operator' | 'admin';
}
/**
 * Creates an operator's account, or changes its role or password.
 */
export interface UsersPutReply {
  name: string;
  role: 'viewer' | 'operator' | 'admin';
  /**
   * Shown once, where the center made it.
   */
  password?: string;
}
/**
 * Removes an operator's account; its sessions, tokens and connections end at once.
 */
export interface UsersRemoveReply {
  name: string;
}
/**
 * Request method to the type of its parameters.
 */
export interface MethodParams {
  'audit.list': AuditListParams;
  'campaigns.abort': CampaignsAbortParams;
  'campaigns.create': CampaignsCreateParams;
  'campaigns.excluded': CampaignsExcludedParams;
  'campaigns.get': CampaignsGetParams;
  'campaigns.list': CampaignsListParams;
  'campaigns.pause': CampaignsPauseParams;
  'campaigns.preview': CampaignsPreviewParams;
  'campaigns.resume': CampaignsResumeParams;
  'campaigns.retry': CampaignsRetryParams;
  'campaigns.series': CampaignsSeriesParams;
  'campaigns.targets': CampaignsTargetsParams;
  'catalog.get': CatalogGetParams;
  'catalog.impact': CatalogImpactParams;
  'catalog.put': CatalogPutParams;
  'configurations.list': ConfigurationsListParams;
  'errors.request': ErrorsRequestParams;
  'fleet.summary': FleetSummaryParams;
  'policy.set': PolicySetParams;
  'printers.enroll': PrintersEnrollParams;
  'printers.errors': PrintersErrorsParams;
  'printers.facets': PrintersFacetsParams;
  'printers.get': PrintersGetParams;
  'printers.label': PrintersLabelParams;
  'printers.list': PrintersListParams;
  'printers.orders': PrintersOrdersParams;
  'printers.readmit': PrintersReadmitParams;
  'printers.remove': PrintersRemoveParams;
  'printers.retire': PrintersRetireParams;
  'printers.revoke': PrintersRevokeParams;
  'printers.structures': PrintersStructuresParams;
  'printers.timeline': PrintersTimelineParams;
  'printers.whatif': PrintersWhatifParams;
  'readings.request': ReadingsRequestParams;
  'releases.list': ReleasesListParams;
  'releases.release': ReleasesReleaseParams;
  'reports.firmware': ReportsFirmwareParams;
  'reports.inventory': ReportsInventoryParams;
  'reports.pages': ReportsPagesParams;
  'reports.supplies': ReportsSuppliesParams;
  'rollout.get': RolloutGetParams;
  'rollout.set': RolloutSetParams;
  'rules.get': RulesGetParams;
  'rules.put': RulesPutParams;
  'structure.request': StructureRequestParams;
  'tokens.create': TokensCreateParams;
  'tokens.list': TokensListParams;
  'tokens.revoke': TokensRevokeParams;
  'troubles.ack': TroublesAckParams;
  'troubles.assign': TroublesAssignParams;
  'troubles.close': TroublesCloseParams;
  'troubles.list': TroublesListParams;
  'troubles.snooze': TroublesSnoozeParams;
  'users.list': UsersListParams;
  'users.put': UsersPutParams;
  'users.remove': UsersRemoveParams;
}
/**
 * Request method to the type of the data of its reply.
 */
export interface MethodReplies {
  'audit.list': AuditListReply;
  'campaigns.abort': CampaignsAbortReply;
  'campaigns.create': CampaignsCreateReply;
  'campaigns.excluded': CampaignsExcludedReply;
  'campaigns.get': CampaignsGetReply;
  'campaigns.list': CampaignsListReply;
  'campaigns.pause': CampaignsPauseReply;
  'campaigns.preview': CampaignsPreviewReply;
  'campaigns.resume': CampaignsResumeReply;
  'campaigns.retry': CampaignsRetryReply;
  'campaigns.series': CampaignsSeriesReply;
  'campaigns.targets': CampaignsTargetsReply;
  'catalog.get': CatalogGetReply;
  'catalog.impact': CatalogImpactReply;
  'catalog.put': CatalogPutReply;
  'configurations.list': ConfigurationsListReply;
  'errors.request': ErrorsRequestReply;
  'fleet.summary': FleetSummaryReply;
  'policy.set': PolicySetReply;
  'printers.enroll': PrintersEnrollReply;
  'printers.errors': PrintersErrorsReply;
  'printers.facets': PrintersFacetsReply;
  'printers.get': PrintersGetReply;
  'printers.label': PrintersLabelReply;
  'printers.list': PrintersListReply;
  'printers.orders': PrintersOrdersReply;
  'printers.readmit': PrintersReadmitReply;
  'printers.remove': PrintersRemoveReply;
  'printers.retire': PrintersRetireReply;
  'printers.revoke': PrintersRevokeReply;
  'printers.structures': PrintersStructuresReply;
  'printers.timeline': PrintersTimelineReply;
  'printers.whatif': PrintersWhatifReply;
  'readings.request': ReadingsRequestReply;
  'releases.list': ReleasesListReply;
  'releases.release': ReleasesReleaseReply;
  'reports.firmware': ReportsFirmwareReply;
  'reports.inventory': ReportsInventoryReply;
  'reports.pages': ReportsPagesReply;
  'reports.supplies': ReportsSuppliesReply;
  'rollout.get': RolloutGetReply;
  'rollout.set': RolloutSetReply;
  'rules.get': RulesGetReply;
  'rules.put': RulesPutReply;
  'structure.request': StructureRequestReply;
  'tokens.create': TokensCreateReply;
  'tokens.list': TokensListReply;
  'tokens.revoke': TokensRevokeReply;
  'troubles.ack': TroublesAckReply;
  'troubles.assign': TroublesAssignReply;
  'troubles.close': TroublesCloseReply;
  'troubles.list': TroublesListReply;
  'troubles.snooze': TroublesSnoozeReply;
  'users.list': UsersListReply;
  'users.put': UsersPutReply;
  'users.remove': UsersRemoveReply;
}
