interface ErrorEntry {
  message: string;
  hint: string;
  /** The HTTP status of the error; default 500. */
  http?: number;
}

/**
 * The catalogue of all errors. A code is stable and never reused: other programs match on it, and people search for it.
 * `message` and `hint` are templates whose `{name}` placeholders are filled from the arguments.
 */
export const ERRORS = {
  // Reasons to refuse a payload (answered on `platen/v1/printers/{printer}/refused`).
  'payload/not-json': {
    message: 'The payload is not a JSON object: {reason}',
    hint: 'Send UTF-8 JSON.',
    http: 400,
  },
  'payload/schema': {
    message: 'The payload breaks its schema: {reason}',
    hint: 'See schemas/{schema}.json.',
    http: 400,
  },
  'payload/too-large': {
    message: 'The payload has {bytes} bytes, the limit is {limit}',
    hint: 'Send smaller batches.',
    http: 413,
  },
  'payload/wrong-printer': { message: 'The topic belongs to another printer', hint: 'Use your own id.' },
  'payload/removed': {
    message: 'The printer {printer} was removed',
    hint: 'Enrol it again (platen enroll {printer}) if it is to be heard; with a broker of your own, end its access there.',
  },
  'payload/duplicate-symbol': {
    message: 'The symbol "{symbol}" names more than one unit',
    hint: 'Every unit of a printer needs a symbol of its own; "apparatus" is reserved.',
  },
  'payload/seq-backwards': {
    message: 'Entry {seq} follows entry {previous}: seq must grow within a message',
    hint: 'Send entries in the order of their seq.',
  },
  'payload/duplicate-name': {
    message: 'The name "{name}" is there twice among the {what}',
    hint: 'Name every counter, supply and input once.',
  },
  'payload/level-beyond-capacity': {
    message: 'The level {level} of {symbol} is above its capacity {capacity}: it counts as full',
    hint: 'Send level and capacity in the same measure; leave out a level that means nothing.',
  },
  'payload/too-many-names': {
    message: 'The printer has named more than {limit} {what}: "{name}" is not followed',
    hint: 'Let a name keep naming the same thing in every reading.',
  },
  'payload/too-many-exchanges': {
    message:
      'More than {limit} supplies were exchanged on one day: {symbol} counts as the one that was there',
    hint: 'Send the serial number of the supply itself, the same in every reading, or none.',
  },
  'payload/revision-backwards': {
    message: 'Revision {revision} of session {session} is older than revision {known}',
    hint: 'Let revision grow within a session.',
  },
  'payload/not-storable': {
    message: 'The database refuses what the payload says: {reason}',
    hint: 'Leave out what it names, and report it: a schema should have refused it.',
    http: 400,
  },
  'certificate/not-enrolled': {
    message: 'There is no printer "{printer}" enrolled, so a certificate would prove nothing',
    hint: 'First: platen enroll {printer} (with a broker by itself: platen broker add {printer}).',
  },
  'payload/too-many-logs': {
    message: 'More than {limit} log memories were begun within an hour',
    hint: 'Keep the id of the log memory until the memory itself is reset.',
  },
  'payload/set-aside': {
    message: 'The center failed to take the payload {tries} times: {reason}',
    hint: 'Look at the center log, and report it: it is a fault of the center.',
  },
  'topic/invalid': {
    message: '{level} cannot be a level of a topic',
    hint: 'Use letters, digits, dot, underscore and hyphen: no wildcard, slash or control character.',
    http: 400,
  },
  // Requests.
  'request/unknown-method': {
    message: 'There is no method "{method}"{nearest}',
    hint: 'See docs/reference/operators.md.',
    http: 404,
  },
  'request/invalid': {
    message: 'The parameters are wrong: {reason}',
    hint: 'See docs/reference/operators.md.',
    http: 400,
  },
  'request/where': {
    message: 'The filter is wrong at column {column}: {reason}',
    hint: 'See docs/reference/where.md.',
    http: 400,
  },
  'request/filter-too-slow': {
    message: 'The filter takes longer than {seconds} s: it has to look at every printer',
    hint: 'Name something that is indexed beside it, such as model, site, a label or the beginning of an id.',
    http: 503,
  },
  'request/not-allowed': {
    message: 'The role {role} may not call {method}: it needs the role {needed}',
    hint: 'Ask an administrator.',
    http: 403,
  },
  'request/not-found': { message: 'There is no {kind} "{id}"', hint: 'List them first.', http: 404 },
  'request/enrolled': {
    message: 'Enrolled already: {printers}. A new password would end the old one, and the connection with it',
    hint: 'To give new passwords all the same: "again": true (platen enroll --again).',
    http: 409,
  },
  'request/set-aside': {
    message:
      'The trouble {id} says that {printer} was set aside: closing it would not let it have orders again',
    hint: 'printers.readmit with a reason does, and closes the trouble.',
    http: 409,
  },
  'request/conflict': { message: '{reason}', hint: 'Read the current state, then try again.', http: 409 },
  // Unknown names in requests.
  'request/unknown-software': {
    message: 'Nothing knows the software "{id}"{nearest}',
    hint: 'catalog.get and releases.list tell what there is.',
    http: 404,
  },
  'request/unknown-release': {
    message: 'Nothing knows the release "{id}"{nearest}',
    hint: 'catalog.get and releases.list tell what there is.',
    http: 404,
  },
  'request/unknown-model': {
    message: 'Neither the catalog nor a printer has the model "{id}"{nearest}',
    hint: 'catalog.get and fleet.summary tell what there is.',
    http: 404,
  },
  'request/unknown-rule': {
    message: 'There is no rule "{id}"{nearest}',
    hint: 'rules.get tells what there is.',
    http: 404,
  },
  'request/unknown-trouble': {
    message: 'There is no trouble "{id}"',
    hint: 'List them with troubles.list.',
    http: 404,
  },
  'request/unknown-user': {
    message: 'There is no operator "{id}"',
    hint: 'An administrator lists them with users.list.',
    http: 404,
  },
  'request/unknown-printer': {
    message: 'There is no printer "{id}"{nearest}',
    hint: 'List them with printers.list.',
    http: 404,
  },
  'request/busy': { message: 'Too many requests are under way', hint: 'Try again in a moment.', http: 429 },
  'request/too-heavy': {
    message: 'The question takes longer than {seconds} s to answer',
    hint: 'Ask for less: a smaller document, shorter ranges, fewer printers.',
    http: 503,
  },
  'request/abandoned': {
    message: 'Whoever asked has gone before the answer was there',
    hint: 'Ask again.',
    http: 503,
  },
  'request/internal': { message: 'The center failed: {reason}', hint: 'Look at the center log.' },
  // Authentication over HTTP.
  'session/none': {
    message: 'Nobody is signed in',
    hint: 'Sign in with POST /api/v1/session, or send Authorization: Bearer with a token of tokens.create.',
    http: 401,
  },
  'session/ended': {
    message: 'The session has ended',
    hint: 'Sign in again.',
    http: 401,
  },
  'session/wrong-password': {
    message: 'The user name or the password is wrong',
    hint: 'An administrator gives a new password with users.put.',
    http: 401,
  },
  'session/too-many-tries': {
    message: 'Too many wrong passwords came for this account from this address',
    hint: 'Wait a minute.',
    http: 429,
  },
  'session/foreign-origin': {
    message: 'The request was made by a page of {origin}, not by one of this server',
    hint: 'Changes with a session come from this server: set PLATEN_PUBLIC_URL to the address that people use.',
    http: 403,
  },
  'oidc/refused': {
    message: 'The OpenID provider did not sign anybody in: {reason}',
    hint: 'Begin again with /api/v1/oidc/login; the log of the provider may tell more.',
    http: 401,
  },
  'oidc/unavailable': {
    message: 'The OpenID provider cannot be asked: {reason}',
    hint: 'Try again in a moment; look whether PLATEN_OIDC_ISSUER is right and can be reached from here.',
    http: 503,
  },
  'oidc/no-role': {
    message: 'The OpenID provider gives no role here: nothing in the claim "{claim}" is in PLATEN_OIDC_ROLES',
    hint: 'Somebody who administrates the provider puts the person into a group that is.',
    http: 403,
  },
  'oidc/removed': {
    message: 'The account "{name}" was removed',
    hint: 'An administrator makes it again with users.put.',
    http: 403,
  },
  'oidc/name-taken': {
    message: 'The name "{name}" belongs to another account here',
    hint: 'An administrator removes that account or gives the person another name at the OpenID provider.',
    http: 409,
  },
  'token/refused': {
    message: 'The token is unknown, expired or revoked',
    hint: 'Make another one with tokens.create.',
    http: 401,
  },
  'token/own-role': {
    message: 'A token may have at most your own role, {role}',
    hint: 'Ask for that role or a lower one.',
    http: 403,
  },
  'token/by-token': {
    message: 'A token makes no tokens',
    hint: 'Sign in with a password: a token that leaked must not outlive its revocation.',
    http: 403,
  },
  'token/too-many': {
    message: 'There are {limit} tokens of yours already',
    hint: 'Revoke some: tokens.list, tokens.revoke.',
    http: 409,
  },
  'http/not-found': {
    message: 'There is no {method} {path}',
    hint: 'See docs/reference/http.md.',
    http: 404,
  },
  'http/media-type': {
    message: 'The body is {type}, JSON is expected',
    hint: 'Send Content-Type: application/json.',
    http: 415,
  },
  'http/not-acceptable': {
    message: '{method} answers no list, so it cannot be told as {type}',
    hint: 'Ask for application/json.',
    http: 406,
  },
  'http/unavailable': {
    message: 'The center is not ready: {reason}',
    hint: 'Try again in a moment; /readyz tells more.',
    http: 503,
  },
  'http/too-many': {
    message: 'Too many requests came from this address',
    hint: 'Wait a minute.',
    http: 429,
  },
  'events/too-many': {
    message: 'There are {limit} streams of events already',
    hint: 'Close some of them.',
    http: 429,
  },
  // Documents that operators write.
  'catalog/invalid': {
    message: 'The catalog has {count} errors, the first: {reason}',
    hint: 'platen catalog check',
    http: 400,
  },
  'rules/invalid': {
    message: 'The rules have {count} errors, the first: {reason}',
    hint: 'platen rules test',
    http: 400,
  },
  // The printer's side.
  'agent/printer-id': {
    message: 'The printer id "{printer}" cannot be used',
    hint: 'Letters, digits, dot, underscore and hyphen, at most 64, beginning with a letter or digit.',
  },
  'agent/ask-timeout': {
    message: 'The center did not answer {method} within {seconds} s',
    hint: 'Look whether the center runs.',
  },
  'agent/ask-refused': {
    message: 'The center refused {method}: {code}, {reason}',
    hint: 'See docs/reference/agent.md.',
  },
  'agent/ask-too-many': {
    message: 'More than {limit} questions wait for their answer',
    hint: 'Wait for some of them first.',
  },
  'agent/stopped': { message: 'The agent of {printer} is stopped', hint: 'Start it first.' },
  // Simulations.
  'scenario/invalid': {
    message: 'The scenario is wrong: {reason}',
    hint: 'See schemas/documents/scenario.json and docs/guides/simulating.md.',
  },
  // Start and settings.
  'setting/invalid': { message: 'The setting {name} is wrong: {reason}', hint: '{hint}' },
  'setting/unknown': {
    message: 'There is no setting "{name}"{nearest}',
    hint: 'Mend or unset it; the README lists what there is.',
  },
  'setting/open-access': {
    message: 'PLATEN_ACCESS=open is refused: the listener {listener} is not on loopback',
    hint: 'Bind every listener to 127.0.0.1 or ::1, or use credentials.',
  },
  'start/in-use': {
    message: 'The data in {folder} are in use by {program} (process {pid}){where}',
    hint: 'It runs already: use it, stop it, or give this one a folder of its own (--data, PLATEN_DATA).',
  },
  'start/owner': { message: 'The data in {folder} cannot be used by {user}: {reason}', hint: '{hint}' },
  'start/stopped': { message: 'The start was stopped', hint: 'Start again: nothing is half done.' },
  'start/database': { message: 'The database cannot be used: {reason}', hint: '{hint}' },
  'start/broker': {
    message: 'The broker {broker} cannot be used: {reason}',
    hint: 'Check --broker (PLATEN_BROKER), its credentials and that it lets the center subscribe.',
  },
  'start/redis': {
    message: 'The Redis at {redis} cannot be used: {reason}',
    hint: 'Start it, or check PLATEN_REDIS_URL; without that setting the queue is on Postgres.',
  },
  'start/address': {
    message: 'The address {host} is none of this machine: {reason}',
    hint: 'Set PLATEN_HOST to one of {addresses}, or to 0.0.0.0 for all of them.',
  },
  'start/port': {
    message: 'Port {port} on {host} cannot be used: {reason}',
    hint: '{hint}',
  },
  // Small files of ours, see files/whole-file.ts.
  'file/damaged': { message: 'The file {file} is damaged: {reason}', hint: '{hint}' },
  'file/denied': {
    message: 'The file {file} belongs to {owner}; {user} may not use it',
    hint: 'Run Platen as the user that ran it before, or give the files to this one: sudo chown -R {user} {folder}',
  },
  'file/busy': {
    message: 'The file {file} is being changed by process {process}',
    hint: 'Try again. When no such process runs any more, remove {lock}.',
  },
  // The agent for real printers.
  'agent/mapping': {
    message: 'The mapping table {file} is wrong: {reason}',
    hint: 'See schemas/documents/mapping.json and docs/guides/real-printers.md.',
  },
  'agent/config': {
    message: 'The agent configuration {file} is wrong: {reason}',
    hint: 'See docs/reference/agent-config.md.',
  },
  'agent/recording': {
    message: 'The recorded answer {file} cannot be read: {reason}',
    hint: 'snmpwalk -On output, snmprec, JSON, IPP attributes as JSON, ipptool output and messages of a Bambu printer are understood.',
  },
  'agent/no-answer': {
    message: '{url} does not answer: {reason}',
    hint: 'Is the printer on, is the address right, is the protocol enabled? Try: platen agent doctor {url}',
  },
  'agent/read-only': {
    message: '{subject} is not possible: the driver {kind} only reads the printer',
    hint: "Use the maker's own tool, or a command driver that can install.",
  },
  'agent/other-printer': {
    message: '{url} is another printer: serial number {found} instead of {expected}',
    hint: 'Has the address changed? platen agent discover finds printers. Does this one replace the old one? Then write its serial number into "serial" of agents.json.',
  },
  'agent/printer-exists': {
    message: 'The printer {printer} is in {file} already',
    hint: 'Choose another id with --printer, or edit the file.',
  },
  'agent/driver': { message: 'The driver of {url} failed: {reason}', hint: '{hint}' },
  // Releases.
  'release/bad-key': {
    message: '{name} holds no usable signing key: {reason}',
    hint: 'Give an Ed25519 private key as PKCS#8 PEM: openssl genpkey -algorithm ed25519',
  },
  'release/wrong-key': {
    message: 'The key {key} may not sign {role}',
    hint: 'Sign with a key that root (or the delegation) names for that role.',
  },
  'release/ceremony': {
    message: 'The keys cannot be arranged so: {reason}',
    hint: 'See docs/guides/releasing.md.',
  },
  'release/no-repository': {
    message: 'There is no release repository in {dir}',
    hint: 'Run platen release init first.',
  },
  'release/unreadable': {
    message: 'The release metadata in {dir} cannot be read: {reason}',
    hint: 'Restore the folder from a copy; versioned files never change.',
  },
  'release/invalid': { message: 'The release is refused: {reason}', hint: 'See docs/guides/releasing.md.' },
  'release/exists': {
    message: '{software} {version} was released already, with other bytes',
    hint: 'A release never changes: give the new bytes a new version.',
  },
  'release/nothing-staged': {
    message: 'Nothing is staged for {role}',
    hint: 'platen release status shows what is staged.',
  },
  'release/unsigned': {
    message: 'Not enough signatures: {reason}',
    hint: 'Have the missing keys sign with platen release sign, then publish again.',
  },
  // Reasons for which a printer refuses or fails an order (`error.code` of an update report).
  'update/wrong-printer': {
    message: 'The order was made for another printer: {reason}',
    hint: 'Nothing was installed; look at who can publish orders.',
  },
  'update/replayed': {
    message: 'The order {execution} was carried out or ended before',
    hint: 'Nothing was installed; look at who can publish orders.',
  },
  'update/structure-changed': {
    message: '{subject} has {actual}, the order expects {expected}',
    hint: 'The center judges the printer anew.',
  },
  'update/unknown-subject': {
    message: 'There is no {subject} in this printer',
    hint: 'The center judges the printer anew.',
  },
  'update/cannot-install': { message: '{subject} cannot be updated: {reason}', hint: 'Update it by hand.' },
  'update/bad-order': { message: 'The order makes no sense: {reason}', hint: 'Report it with its document.' },
  'update/unreachable': {
    message: '{target} could not be downloaded: {reason}',
    hint: 'Is the repository reachable from the printer? It is tried again.',
  },
  'update/too-long': {
    message: '{target} is longer than the {length} bytes that were signed',
    hint: 'The repository does not serve what was signed.',
  },
  'update/too-short': {
    message: '{target} ends after {bytes} of {length} bytes',
    hint: 'The repository does not serve what was signed.',
  },
  'update/bad-hash': {
    message: '{target} has the SHA-256 {actual}, not {expected}',
    hint: 'The repository does not serve what was signed.',
  },
  'update/no-space': {
    message: 'No room for {target}: {reason}',
    hint: 'Free some storage; it is tried again.',
  },
  'update/install-failed': {
    message: '{subject} could not be installed: {reason}',
    hint: 'It was rolled back.',
  },
  'update/self-test-failed': { message: 'The self-test failed: {reason}', hint: 'It was rolled back.' },
  'update/rollback-failed': {
    message: 'The order failed ({cause}) and could not be taken back: {reason}',
    hint: 'Send a technician: the printer may not start.',
  },
  'update/no-root': {
    message: 'The agent was given no root metadata, so it cannot tell whose software this is',
    hint: 'Give it the repository root: "root" in the agent configuration.',
  },
  'update/trust-unsigned': {
    message: 'The release metadata is not signed by enough trusted keys: {reason}',
    hint: 'Nothing was installed; somebody may have changed the repository.',
  },
  'update/trust-rollback': {
    message: 'The repository offers older metadata than was seen before: {reason}',
    hint: 'Nothing was installed; somebody may have put back an old repository.',
  },
  'update/trust-expired': {
    message: 'The release metadata has expired: {reason}',
    hint: 'Sign it anew (platen release publish); if that was done, the repository is being held back.',
  },
  'update/trust-mixed': {
    message: 'The release metadata does not belong together: {reason}',
    hint: 'Nothing was installed; the repository is half copied or was tampered with.',
  },
  'update/trust-endless': {
    message: 'The release metadata is longer than allowed: {reason}',
    hint: 'Nothing was installed; the repository does not serve what was signed.',
  },
  'update/trust-unreadable': {
    message: 'The release metadata cannot be read: {reason}',
    hint: 'Nothing was installed; look at the repository.',
  },
  'update/untrusted-target': {
    message: '{target} is not in the signed metadata',
    hint: 'Nothing was installed; publish the release, or look at who can publish orders.',
  },
  'update/target-differs': {
    message: 'The order says something else of {target} than its signature: {reason}',
    hint: 'Nothing was installed; look at who can publish orders.',
  },
  'update/wrong-software': {
    message: '{target} is {actual}, the order wants to install it as {expected}',
    hint: 'Nothing was installed; look at who can publish orders.',
  },
  'update/revoked': { message: '{target} was revoked: {reason}', hint: 'Plan another release.' },
  'update/no-way': {
    message: '{software} may not go from {from} to {to}: {reason}',
    hint: 'Its vendor signed from which versions one may step to it.',
  },
  'update/incompatible': {
    message: 'The order would break what the vendor requires: {reason}',
    hint: 'The center judges the printer anew.',
  },
  'update/expired': { message: 'The order held until {deadline}', hint: 'Nothing was installed.' },
} as const satisfies Record<string, ErrorEntry>;

/** A stable error code. */
export type ErrorCode = keyof typeof ERRORS;

/** An error on the wire. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  hint: string;
}

/** The HTTP status of an answer with this error. */
export function httpStatusOf(code: ErrorCode): number {
  const { http }: ErrorEntry = ERRORS[code];
  return http ?? 500;
}

function fill(template: string, values: Record<string, string | number>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? `{${name}}`));
}

/** An error from the catalogue. `body` is its form on the wire. */
export class PlatenError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly #values: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, values: Record<string, string | number> = {}, options?: { cause?: unknown }) {
    super(fill(ERRORS[code].message, values), options);
    this.name = 'PlatenError';
    this.code = code;
    this.#values = values;
    this.hint = fill(ERRORS[code].hint, values);
  }

  /** The arguments of message and hint, to recreate the error in another thread or process. */
  get values(): Readonly<Record<string, string | number>> {
    return this.#values;
  }

  get body(): ErrorBody {
    return { code: this.code, message: this.message, hint: this.hint };
  }
}

/** The operating system's error codes in words, said of a path. */
const FILE_REASONS: Record<string, (path: string) => string> = {
  ENOENT: (path) => `there is no ${path}`,
  ENOTDIR: (path) => `${path} lies below a file`,
  EISDIR: (path) => `${path} is a folder`,
  EACCES: (path) => `this user may not open ${path}`,
  EPERM: (path) => `this user may not change ${path}`,
  EEXIST: (path) => `${path} is there already`,
  EROFS: (path) => `${path} is on a read-only file system`,
  ENOSPC: (path) => `there is no room left for ${path}`,
};

/** A file system error in words; undefined for other errors. No `instanceof`: the error may come from another realm. */
function fileReason(error: Partial<NodeJS.ErrnoException>): string | undefined {
  const { code, path, syscall } = error;
  // EISDIR comes without a path, and only on read.
  if (code === 'EISDIR' && path === undefined) return 'it is a folder';
  if (code === undefined || path === undefined || syscall === 'connect') return undefined;
  if (syscall?.startsWith('spawn')) return code === 'ENOENT' ? `there is no program ${path}` : undefined;
  return Object.hasOwn(FILE_REASONS, code) ? FILE_REASONS[code]?.(path) : undefined;
}

/** The reason in anything that was thrown, in words: never the raw text of a failed system call on a file. */
export function reasonOf(thrown: unknown): string {
  const file = typeof thrown === 'object' && thrown !== null ? fileReason(thrown) : undefined;
  if (file !== undefined) return file;
  return thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
}
