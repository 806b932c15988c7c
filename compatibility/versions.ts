/**
 * Version orders and ranges. A scheme parses a version into a key, compares keys, and reads ranges of its order.
 *
 * `semver` is node-semver itself (parsing, precedence, prerelease rule). `dotted`, `text` and `listed` have orders of
 * their own and the comparators `<`, `<=`, `>`, `>=`, `=` (or none), space for "and", `||` for "or", `*` or nothing for
 * "any", and `a - b`. For dotted numbers, `1.2.x`, `~1.2.3` and `^1.2.3` mean the same as in node-semver. `listed` is
 * the order in which a catalog lists a product's releases, for vendors whose versions follow no rule. `hardware` orders
 * hardware versions: dotted numbers with missing places as zero (`1` = `1.0`), else natural order.
 */
import semver, { type Comparator, type SemVer } from 'semver';
import { joinRuns, type Span } from './spans.ts';

export type SchemeName = 'semver' | 'dotted' | 'text' | 'listed' | 'hardware';

/** A parsed version; its content depends on the scheme. */
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
  /** The version as it is written. */
  version: string;
}
/** Comparators, all of which must hold. */
interface Alternative {
  bounds: Bound[];
  /** semver: `major.minor.patch` of the bounds that are prereleases; a prerelease version must share one of them. */
  prereleaseTuples: Set<string>;
}
/** A range: at least one alternative must hold. */
export interface VersionRange {
  text: string;
  alternatives: Alternative[];
}

export interface Scheme {
  readonly name: SchemeName;
  /** The version's key; undefined when the text is not a version of this scheme. */
  parse(version: string): VersionKey | undefined;
  /** Below 0 when `a` is older. */
  compare(a: VersionKey, b: VersionKey): number;
  /** @throws Error with the reason when the text is not a range */
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
    const { operator, semver: key } = comparator;
    bounds.push({ operator: OPERATORS[operator] ?? '=', key, version: key.version });
    if (key.prerelease.length > 0) prereleaseTuples.add(tupleOf(key));
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

/** Runs of digits and of letters; all other characters are separators. */
function parseText(version: string): readonly Run[] | undefined {
  const runs: Run[] = [];
  for (const [run] of version.matchAll(/\p{Nd}+|\p{L}+/gu)) {
    runs.push(/^[0-9]/.test(run) ? digitRun(run) : run);
  }
  return runs.length > 0 ? runs : undefined;
}

/** Words that mark a prerelease. */
const PRERELEASE_WORD = /^(?:alpha|beta|pre|rc)$/i;

/** Whether a version that continues with this run precedes one that ends here. */
const isPrerelease = (run: Run | undefined): boolean => typeof run === 'string' && PRERELEASE_WORD.test(run);

function compareRun(a: Run, b: Run): number {
  if (isPrerelease(a) !== isPrerelease(b)) return isPrerelease(a) ? -1 : 1;
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
  if (isPrerelease(left[shared])) return -1;
  if (isPrerelease(right[shared])) return 1;
  return left.length - right.length;
}

const ANYTHING = /^[xX*]$/;
/** Trailing wildcards of a dotted version: `1.2.x`, `1.*.*`. */
const OPEN_PLACES = /^(\d+(?:\.\d+)*?)((?:\.[xX*])+)$/;

/** The first version of the next series: `1.9` after `1.8`. */
function nextSeries(dotted: string): string {
  const places = dotted.split('.');
  places.push(String(BigInt(places.pop()!) + 1n));
  return places.join('.');
}

/** The places that `~` and `^` keep, as in node-semver: `~` up to the second, `^` up to the first that is not zero. */
function heldPlaces(operator: '~' | '^', dotted: string): string {
  const places = dotted.split('.');
  if (operator === '~') return places.slice(0, 2).join('.');
  const counting = places.findIndex((place) => /[1-9]/.test(place));
  return places.slice(0, counting < 0 ? places.length : counting + 1).join('.');
}

/** Expands a series, `~` or `^` to comparators of versions. */
function plainComparators(
  operator: string,
  version: string,
): [operator: Operator, version: string][] | undefined {
  const open = OPEN_PLACES.exec(version) ?? undefined;
  const dotted = open ? open[1]! : version;
  if (!DOTTED.test(dotted)) return undefined;
  switch (operator) {
    case '~':
    case '~>':
    case '^':
      return [
        ['>=', dotted],
        ['<', nextSeries(heldPlaces(operator === '^' ? '^' : '~', dotted))],
      ];
    case '>':
      return open && [['>=', nextSeries(dotted)]];
    case '<=':
      return open && [['<', nextSeries(dotted)]];
    case '<':
    case '>=':
      return open && [[operator, dotted]];
    default:
      return (
        open && [
          ['>=', dotted],
          ['<', nextSeries(dotted)],
        ]
      );
  }
}

/** Whether any text is a version of the scheme, so that series such as `1.2.x` have no meaning. */
const isFreeText = (name: SchemeName): boolean => name === 'text' || name === 'listed';

function ownBounds(token: string, name: SchemeName, parse: Scheme['parse']): Bound[] {
  const [, operator = '', version = ''] = /^(<=|>=|<|>|=|~>|~|\^)?(.*)$/s.exec(token)!;
  if (ANYTHING.test(version) && !['<', '>'].includes(operator) && (!isFreeText(name) || version === '*'))
    return [];
  const plain = (isFreeText(name) ? undefined : plainComparators(operator, version)) ?? [
    [OPERATORS[operator], version] as const,
  ];
  return plain.map(([compare, bound]): Bound => {
    // `text` treats other characters as separators, so a comparator of another scheme must be refused explicitly.
    const key = /[<>=^*|]|^[!~]/.test(bound) ? undefined : parse(bound);
    if (key === undefined || compare === undefined)
      throw new Error(`"${token}" is no comparator of ${name} versions`);
    return { operator: compare, key, version: bound };
  });
}

function ownAlternative(part: string, name: SchemeName, parse: Scheme['parse']): Alternative {
  // A space may follow an operator: ">= 1.2".
  const joined = part.trim().replace(/(<=|>=|<|>|=|~>|~|\^)\s+/g, '$1');
  const between = /^(\S+)\s+-\s+(\S+)$/.exec(joined);
  const tokens = between ? [`>=${between[1]}`, `<=${between[2]}`] : joined.split(/\s+/);
  const bounds = tokens.flatMap((token) => (token === '' ? [] : ownBounds(token, name, parse)));
  return { bounds, prereleaseTuples: NO_TUPLES };
}

function ownRange(text: string, name: SchemeName, parse: Scheme['parse']): VersionRange {
  return { text, alternatives: text.split('||').map((part) => ownAlternative(part, name, parse)) };
}
const NO_TUPLES: Set<string> = new Set();

function ownScheme(name: SchemeName, parse: (version: string) => VersionKey | undefined): Scheme {
  return { name, parse, compare: compareRuns, range: (text) => ownRange(text, name, parse) };
}

export const SCHEMES: Record<Exclude<SchemeName, 'listed'>, Scheme> = {
  semver: SEMVER,
  dotted: ownScheme('dotted', parseDotted),
  text: ownScheme('text', parseText),
  hardware: ownScheme('hardware', (version) => parseDotted(version) ?? parseText(version)),
};

/** The order of a list of versions, oldest first. Other texts are not versions of the scheme. */
function listedScheme(versions: readonly string[]): Scheme {
  const places = new Map(versions.map((version, place) => [version, [digitRun(String(place))]]));
  return ownScheme('listed', (version) => places.get(version));
}

/**
 * The scheme of a product.
 * @param listed its versions, oldest first; only used by `listed`
 */
export function schemeOf(name: SchemeName, listed: readonly string[]): Scheme {
  return name === 'listed' ? listedScheme(listed) : SCHEMES[name];
}

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

/** With at least this many alternatives, plain versions in a range are looked up instead of parsed. */
const PLAIN_LIST_ALTERNATIVES_MIN = 8;
/** A comparator of a full version. Faster than node-semver, with the same result. */
const PLAIN_COMPARATOR =
  /^(<=|>=|<|>|=)?((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?)$/;

/** The versions of a product in their order, and ranges over them. */
export class VersionTable {
  readonly scheme: Scheme;
  /** Ascending. */
  readonly keys: readonly VersionKey[];
  private readonly indexByText: ReadonlyMap<string, number>;
  /** Indices of semver prereleases. */
  private readonly prereleases: readonly number[];
  private readonly spans = new Map<string, Span>();

  constructor(scheme: Scheme, versions: readonly { version: string; key: VersionKey }[]) {
    this.scheme = scheme;
    this.keys = versions.map(({ key }) => key);
    this.indexByText = new Map(versions.map(({ version }, index) => [version, index]));
    this.prereleases =
      scheme.name === 'semver'
        ? [...this.keys.keys()].filter((i) => (this.keys[i] as SemVer).prerelease.length > 0)
        : [];
  }

  /** Index of a version: by its text, else by its order; -1 if it is not there. */
  find(version: string): number {
    const exact = this.indexByText.get(version);
    if (exact !== undefined) return exact;
    const key = this.scheme.parse(version);
    if (key === undefined) return -1;
    const first = this.firstFrom(key, false);
    return first < this.keys.length && this.scheme.compare(this.keys[first]!, key) === 0 ? first : -1;
  }

  /**
   * Index of the version that a text names including its build metadata; -1 if there is none. Semver's precedence
   * ignores build metadata (semver.org, 10), but a request for 1.0.0+build.2 does not mean 1.0.0+build.1.
   */
  buildNamed(text: string): number {
    const version = text.trim().replace(/^=\s*/, '');
    if (this.scheme.name !== 'semver' || !version.includes('+')) return -1;
    return this.indexByText.get(version) ?? -1;
  }

  /** The versions in the range. @throws Error when the text is not a range of the scheme */
  span(text: string): Span {
    let span = this.spans.get(text);
    if (span === undefined) {
      span = this.computeSpan(text);
      this.spans.set(text, span);
    }
    return span;
  }

  private computeSpan(text: string): Span {
    const parts = text.split('||');
    if (parts.length === 1 && this.scheme.name === 'semver') {
      const plain = this.plainRun(text);
      if (plain) return plain;
    }
    const runs: number[] = [];
    if (parts.length < PLAIN_LIST_ALTERNATIVES_MIN) {
      for (const alternative of this.scheme.range(text).alternatives) this.addRuns(alternative, runs);
      return joinRuns(runs);
    }
    // Upgrade graphs name their predecessors one by one: long lists of plain versions are looked up.
    const exact: number[] = [];
    const rest: string[] = [];
    for (const part of parts) {
      const index = this.indexByText.get(part.trim());
      if (index === undefined) rest.push(part);
      else exact.push(index);
    }
    if (rest.length > 0) {
      const { alternatives } = this.scheme.range(rest.join('||'));
      for (const alternative of alternatives) this.addRuns(alternative, runs);
      // node-semver: one "any" alternative makes the whole range "any", which excludes prereleases.
      if (
        this.scheme.name === 'semver' &&
        alternatives.length === 1 &&
        alternatives[0]!.bounds.length === 0
      ) {
        return joinRuns(runs);
      }
    }
    for (const index of exact) {
      runs.push(this.firstFrom(this.keys[index]!, false), this.firstFrom(this.keys[index]!, true) - 1);
    }
    return joinRuns(runs);
  }

  /** The span of a semver range of full versions and operators; undefined for any other range. */
  private plainRun(text: string): Span | undefined {
    const bounds: Bound[] = [];
    let prereleaseTuples = NO_TUPLES;
    for (const token of text.trim().split(' ')) {
      const match = PLAIN_COMPARATOR.exec(token);
      if (!match) return undefined;
      const version = match[2]!;
      const index = this.indexByText.get(version);
      const key = index === undefined ? semver.parse(version) : (this.keys[index] as SemVer);
      if (!key) return undefined;
      bounds.push({ operator: OPERATORS[match[1] ?? '']!, key, version });
      if (key.prerelease.length === 0) continue;
      if (prereleaseTuples === NO_TUPLES) prereleaseTuples = new Set();
      prereleaseTuples.add(tupleOf(key));
    }
    const runs: number[] = [];
    this.addRuns({ bounds, prereleaseTuples }, runs);
    return runs;
  }

  /** First index whose key is not older than `key` (or newer, with `after`). */
  private firstFrom(key: VersionKey, after: boolean): number {
    const { keys, scheme } = this;
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

  private addRuns(alternative: Alternative, runs: number[]): void {
    let low = 0;
    let high = this.keys.length;
    for (const { operator, key } of alternative.bounds) {
      if (operator === '>' || operator === '>=' || operator === '=') {
        low = Math.max(low, this.firstFrom(key, operator === '>'));
      }
      if (operator === '<' || operator === '<=' || operator === '=') {
        high = Math.min(high, this.firstFrom(key, operator !== '<'));
      }
    }
    // Excludes prereleases whose tuple the range does not name.
    for (const i of this.prereleases) {
      if (i < low || i >= high || prereleaseAllowed(this.scheme, this.keys[i]!, alternative)) continue;
      if (i > low) runs.push(low, i - 1);
      low = i + 1;
    }
    if (low < high) runs.push(low, high - 1);
  }
}

/** A total order over version texts: the scheme's order, with ties broken by text. */
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
