/**
 * Version orders and ranges. A scheme parses a version into a key, compares keys, and reads ranges of its order.
 *
 * `semver` is node-semver itself (parsing, precedence, prerelease rule). `dotted` and `text` have an order of their own
 * and the comparators `<`, `<=`, `>`, `>=`, `=` (or none), space for "and", `||` for "or", `*` or nothing for "any".
 * `hardware` is the order of hardware versions: dotted numbers with missing places as zero (`1` = `1.0`), else natural.
 */
import semver, { type Comparator, type SemVer } from 'semver';

export type SchemeName = 'semver' | 'dotted' | 'text' | 'hardware';

/** A parsed version. What is inside belongs to its scheme. */
export type VersionKey = SemVer | readonly Run[];
type Run = string | DigitRun;
interface DigitRun {
  /** Digits without leading zeros, so that numbers of any length compare exactly. */
  readonly digits: string;
}

type Operator = '<' | '<=' | '>' | '>=' | '=';
interface Bound {
  operator: Operator;
  key: VersionKey;
}
/** Comparators that all have to hold. */
interface Alternative {
  bounds: Bound[];
  /** semver: `major.minor.patch` of the bounds that are prereleases; a prerelease version must share one of them. */
  prereleaseTuples: Set<string>;
}
/** A range: one of the alternatives has to hold. */
export interface VersionRange {
  text: string;
  alternatives: Alternative[];
}

export interface Scheme {
  readonly name: SchemeName;
  /** The version's key, undefined when the text is no version of this scheme. */
  parse(version: string): VersionKey | undefined;
  /** Below 0 when `a` is older. */
  compare(a: VersionKey, b: VersionKey): number;
  /** @throws Error with the reason when the text is no range */
  range(text: string): VersionRange;
}

const compareSemver = (a: VersionKey, b: VersionKey): number => (a as SemVer).compare(b as SemVer);
const tupleOf = (version: SemVer): string => `${version.major}.${version.minor}.${version.patch}`;

const OPERATORS: Record<string, Operator> = { '': '=', '=': '=', '<': '<', '<=': '<=', '>': '>', '>=': '>=' };

function semverAlternative(comparators: readonly Comparator[]): Alternative {
  const bounds: Bound[] = [];
  const prereleaseTuples = new Set<string>();
  for (const comparator of comparators) {
    // node-semver marks "any version" with a symbol in place of the version.
    if (typeof (comparator.semver as unknown) === 'symbol' || comparator.value === '') continue;
    bounds.push({ operator: OPERATORS[comparator.operator] ?? '=', key: comparator.semver });
    if (comparator.semver.prerelease.length > 0) prereleaseTuples.add(tupleOf(comparator.semver));
  }
  return { bounds, prereleaseTuples };
}

const SEMVER: Scheme = {
  name: 'semver',
  parse: (version) => semver.parse(version) ?? undefined,
  compare: compareSemver,
  range(text) {
    const range = new semver.Range(text);
    return { text, alternatives: range.set.map((set) => semverAlternative(set)) };
  },
};

const DOTTED = /^\d+(?:\.\d+)*$/;
const digitRun = (text: string): DigitRun => ({ digits: text.replace(/^0+(?=\d)/, '') });
const isZero = (run: Run | undefined): boolean => typeof run === 'object' && run.digits === '0';

/** Numbers between dots; trailing zeros don't count (`1.2` = `1.2.0`). */
function parseDotted(version: string): readonly Run[] | undefined {
  if (!DOTTED.test(version)) return undefined;
  const runs: Run[] = version.split('.').map(digitRun);
  while (runs.length > 1 && isZero(runs.at(-1))) runs.pop();
  return runs;
}

/** Runs of digits and of letters; every other character only separates them. */
function parseText(version: string): readonly Run[] | undefined {
  const runs: Run[] = [];
  for (const [run] of version.matchAll(/\p{Nd}+|\p{L}+/gu)) {
    runs.push(/^[0-9]/.test(run) ? digitRun(run) : run);
  }
  return runs.length > 0 ? runs : undefined;
}

function compareRun(a: Run, b: Run): number {
  if (typeof a === 'object') {
    if (typeof b !== 'object') return -1;
    if (a.digits.length !== b.digits.length) return a.digits.length - b.digits.length;
    return a.digits < b.digits ? -1 : a.digits > b.digits ? 1 : 0;
  }
  if (typeof b === 'object') return 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareRuns(a: VersionKey, b: VersionKey): number {
  const left = a as readonly Run[];
  const right = b as readonly Run[];
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    const order = compareRun(left[i]!, right[i]!);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function ownRange(text: string, name: SchemeName, parse: Scheme['parse']): VersionRange {
  const alternatives = text.split('||').map((part): Alternative => {
    const bounds: Bound[] = [];
    // An operator may stand apart from its version: ">= 1.2".
    const joined = part.trim().replace(/(<=|>=|<|>|=)\s+/g, '$1');
    for (const token of joined === '' ? [] : joined.split(/\s+/)) {
      if (token === '*') continue;
      const [, operator = '', version = ''] = /^(<=|>=|<|>|=)?(.*)$/s.exec(token) ?? [];
      const key = parse(version);
      if (key === undefined) throw new Error(`"${token}" is no comparator of ${name} versions`);
      bounds.push({ operator: OPERATORS[operator]!, key });
    }
    return { bounds, prereleaseTuples: NO_TUPLES };
  });
  return { text, alternatives };
}
const NO_TUPLES: Set<string> = new Set();

function ownScheme(name: SchemeName, parse: (version: string) => VersionKey | undefined): Scheme {
  return { name, parse, compare: compareRuns, range: (text) => ownRange(text, name, parse) };
}

export const SCHEMES: Record<SchemeName, Scheme> = {
  semver: SEMVER,
  dotted: ownScheme('dotted', parseDotted),
  text: ownScheme('text', parseText),
  hardware: ownScheme('hardware', (version) => parseDotted(version) ?? parseText(version)),
};

function boundHolds(order: number, operator: Operator): boolean {
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case '=':
      return order === 0;
  }
}

function prereleaseAllowed(scheme: Scheme, key: VersionKey, alternative: Alternative): boolean {
  if (scheme.name !== 'semver') return true;
  const version = key as SemVer;
  return version.prerelease.length === 0 || alternative.prereleaseTuples.has(tupleOf(version));
}

/** Whether the version is in the range. */
export function inRange(scheme: Scheme, range: VersionRange, key: VersionKey): boolean {
  return range.alternatives.some(
    (alternative) =>
      alternative.bounds.every((bound) => boundHolds(scheme.compare(key, bound.key), bound.operator)) &&
      prereleaseAllowed(scheme, key, alternative),
  );
}

/** First index whose key is not older than `key` (or newer, with `after`). `keys` ascend. */
function firstFrom(scheme: Scheme, keys: readonly VersionKey[], key: VersionKey, after: boolean): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = scheme.compare(keys[middle]!, key);
    if (after ? order <= 0 : order < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function markAlternative(
  scheme: Scheme,
  keys: readonly VersionKey[],
  alternative: Alternative,
  marks: Uint8Array,
): void {
  let low = 0;
  let high = keys.length;
  for (const { operator, key } of alternative.bounds) {
    if (operator === '>' || operator === '>=' || operator === '=') {
      low = Math.max(low, firstFrom(scheme, keys, key, operator === '>'));
    }
    if (operator === '<' || operator === '<=' || operator === '=') {
      high = Math.min(high, firstFrom(scheme, keys, key, operator !== '<'));
    }
  }
  for (let i = low; i < high; i++) {
    if (prereleaseAllowed(scheme, keys[i]!, alternative)) marks[i] = 1;
  }
}

/** From how many alternatives on a range is looked through for plain versions, which need no range parser. */
const PLAIN_LIST_ALTERNATIVES_MIN = 8;

/**
 * Which of the ascending `keys` are in the range: 1 where they are.
 * `indexOf` finds a version's index by its text: long lists of plain versions (upgrade graphs) are looked up in it.
 * @throws Error when the text is no range of the scheme
 */
export function markRange(
  scheme: Scheme,
  text: string,
  keys: readonly VersionKey[],
  indexOf: ReadonlyMap<string, number>,
): Uint8Array {
  const marks = new Uint8Array(keys.length);
  const parts = text.split('||');
  if (parts.length < PLAIN_LIST_ALTERNATIVES_MIN) {
    for (const alternative of scheme.range(text).alternatives) {
      markAlternative(scheme, keys, alternative, marks);
    }
    return marks;
  }
  const exact: number[] = [];
  const rest: string[] = [];
  for (const part of parts) {
    const index = indexOf.get(part.trim());
    if (index === undefined) rest.push(part);
    else exact.push(index);
  }
  if (rest.length > 0) {
    const { alternatives } = scheme.range(rest.join('||'));
    for (const alternative of alternatives) markAlternative(scheme, keys, alternative, marks);
    // node-semver: one alternative that is "any" makes the whole range "any", which leaves prereleases out.
    if (scheme.name === 'semver' && alternatives.length === 1 && alternatives[0]!.bounds.length === 0) {
      return marks;
    }
  }
  for (const index of exact) {
    marks[index] = 1;
    for (let i = index - 1; i >= 0 && scheme.compare(keys[i]!, keys[index]!) === 0; i--) marks[i] = 1;
    for (let i = index + 1; i < keys.length && scheme.compare(keys[i]!, keys[index]!) === 0; i++)
      marks[i] = 1;
  }
  return marks;
}

/** The scheme's order over version texts, equal ones told apart by their text, so that it is total. */
export function compareVersions(
  scheme: Scheme,
  a: { key: VersionKey; version: string },
  b: { key: VersionKey; version: string },
): number {
  const order =
    scheme.name === 'semver'
      ? (a.key as SemVer).compare(b.key as SemVer) || (a.key as SemVer).compareBuild(b.key as SemVer)
      : scheme.compare(a.key, b.key);
  return order || (a.version < b.version ? -1 : a.version > b.version ? 1 : 0);
}
