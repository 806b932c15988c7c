/**
 * Judges whether the parts of a printer fit together.
 *
 * Three-valued (Kleene): a rule is held, broken or unknown; what is not known never counts as held. Spares are not in
 * use: no rule looks at them.
 */
import type { Finding } from '../schemas/types.ts';
import { findSlotFaults } from './slots.ts';
import { spanHas } from './spans.ts';
import type { CompiledCatalog, Rule } from './tables.ts';
import type { Judgement, PrinterStructureLike } from './types.ts';
import { inRange, SCHEMES, type VersionRange } from './versions.ts';
import { listText, shortRange } from './wording.ts';
import { APPARATUS, type Host, hardwareKeyOf, resolveWorld, type Subject, type World } from './world.ts';

/** 1 in range, 0 out of range, -1 unknown. */
type Truth = 1 | 0 | -1;

/** Whether software of vendor `is` is of the vendor `asked` that a rule names. */
export function vendorMatches(is: string | undefined, asked: string | undefined): Truth {
  if (asked === undefined) return 1;
  if (is === undefined) return -1;
  return is === asked ? 1 : 0;
}

function softwareInRange(subject: Subject, range: string | undefined): Truth {
  if (range === undefined) return 1;
  if (subject.product === undefined || subject.release < 0) return -1;
  return spanHas(subject.product.versions.span(range), subject.release) ? 1 : 0;
}

/** Whether the host's hardware is in a range. */
export function hardwareInRange(host: Host, range: VersionRange): Truth {
  const key = hardwareKeyOf(host);
  if (key === undefined) return -1;
  return inRange(SCHEMES.hardware, range, key) ? 1 : 0;
}

/** Whether the host is one that a unit constraint speaks of. Units only, unless the kind says apparatus. */
export function hostMatches(host: Host, kind: string | undefined, model: string | undefined): boolean {
  if (host.kind === APPARATUS && kind !== APPARATUS) return false;
  return (kind === undefined || host.kind === kind) && (model === undefined || host.model === model);
}

interface Instance {
  name: string;
  /** What it is now, for the message. */
  state: string;
  truth: Truth;
}

/** Everything a rule's target matches in this world. A doubtful vendor makes the match itself unknown. */
function instancesOf(rule: Rule, world: World): Instance[] {
  const { target } = rule;
  if (target.type === 'apparatus') {
    const apparatus = world.hosts[0]!;
    return [
      {
        name: APPARATUS,
        state: apparatus.model,
        truth: target.models.has(apparatus.model) ? 1 : 0,
      },
    ];
  }
  const instances: Instance[] = [];
  if (target.type === 'software') {
    for (const subject of world.mayBe(target.id)) {
      if (subject.id !== target.id || subject.host.spare) continue;
      const vendor = vendorMatches(subject.vendor, target.vendor);
      if (vendor === 0) continue;
      const state = subject.version ?? 'of unknown version';
      instances.push({
        name: subject.name,
        state,
        truth: vendor === -1 ? -1 : softwareInRange(subject, target.range),
      });
    }
    return instances;
  }
  for (const host of world.hosts) {
    if (host.spare || !hostMatches(host, target.kind, target.model)) continue;
    let truth: Truth = 1;
    let state = host.model;
    if (target.hardware !== undefined) {
      truth = hardwareInRange(host, target.hardware);
      state = `${host.model} of ${host.hardware === undefined ? 'unknown hardware' : `hardware ${host.hardware}`}`;
    }
    instances.push({ name: host.symbol, state, truth });
  }
  return instances;
}

/**
 * Whether a rule holds. Who breaks it is gathered apart, because nearly every rule of a fleet holds, and then nobody
 * is to be named.
 */
function truthOf(rule: Rule, world: World): Truth {
  const { target } = rule;
  let yes = 0;
  let no = 0;
  let maybe = 0;
  if (target.type === 'software') {
    for (const subject of world.mayBe(target.id)) {
      if (subject.id !== target.id || subject.host.spare) continue;
      const vendor = vendorMatches(subject.vendor, target.vendor);
      if (vendor === 0) continue;
      const truth = vendor === -1 ? -1 : softwareInRange(subject, target.range);
      if (truth === 1) yes++;
      else if (truth === 0) no++;
      else maybe++;
    }
  } else if (target.type === 'apparatus') {
    if (target.models.has(world.hosts[0]!.model)) yes++;
    else no++;
  } else {
    for (const host of world.hosts) {
      if (host.spare || !hostMatches(host, target.kind, target.model)) continue;
      const truth = target.hardware === undefined ? 1 : hardwareInRange(host, target.hardware);
      if (truth === 1) yes++;
      else if (truth === 0) no++;
      else maybe++;
    }
  }
  if (rule.kind === 'conflicts') return yes > 0 ? 0 : maybe > 0 ? -1 : 1;
  if (yes + no + maybe === 0) return rule.optional ? 1 : 0;
  if (rule.every) return no > 0 ? 0 : maybe > 0 ? -1 : 1;
  return yes > 0 ? 1 : maybe > 0 ? -1 : 0;
}

/** Through which instances a rule does not hold. */
function culprits(rule: Rule, truth: Truth, world: World): Instance[] {
  const wanted = truth === -1 ? -1 : rule.kind === 'conflicts' ? 1 : 0;
  return instancesOf(rule, world).filter((instance) => instance.truth === wanted);
}

function isAre(through: readonly Instance[]): string {
  return listText(
    through.map((instance) => `${instance.name} is ${instance.state}`),
    'and',
  );
}

function ruleMessage(declarer: string, rule: Rule, truth: Truth, through: readonly Instance[]): string {
  const because = rule.because === undefined ? '' : ` (because ${rule.because})`;
  const said = `${declarer}: ${rule.text}${because}`;
  if (truth === -1) return `${said}, which cannot be judged: ${isAre(through)}.`;
  return through.length === 0 ? `${said}, but there is none.` : `${said}, but ${isAre(through)}.`;
}

/** Judges one structure against a compiled catalog. */
export function judge(catalog: CompiledCatalog, structure: PrinterStructureLike): Judgement {
  return judgeWorld(catalog, resolveWorld(catalog, structure));
}

/** `declarer rule` of every rule that cannot be judged in this world. */
export function unknownRules(catalog: CompiledCatalog, world: World): Set<string> {
  const unknown = new Set<string>();
  const look = (declarer: string, rules: readonly Rule[] | undefined): void => {
    for (const rule of rules ?? []) {
      if (truthOf(rule, world) === -1) unknown.add(`${declarer} ${rule.text}`);
    }
  };
  look(APPARATUS, catalog.apparatus.get(world.hosts[0]!.model)?.rules);
  for (const host of world.hosts) {
    if (host.index > 0 && !host.spare) look(host.symbol, catalog.units.get(host.model));
  }
  for (const { host, name, release, product } of world.subjects) {
    if (!host.spare && release >= 0) look(name, product!.releases[release]!.rules);
  }
  return unknown;
}

function judgeRules(
  declarer: string,
  rules: readonly Rule[] | undefined,
  world: World,
  findings: Finding[],
  unknown: Finding[],
): void {
  if (!rules) return;
  for (const rule of rules) {
    const truth = truthOf(rule, world);
    if (truth === 1) continue;
    const through = culprits(rule, truth, world);
    (truth === 0 ? findings : unknown).push({
      rule: rule.text,
      subjects: [declarer, ...through.map((instance) => instance.name).filter((name) => name !== declarer)],
      severity: rule.severity,
      message: ruleMessage(declarer, rule, truth, through),
    });
  }
}

/** Judges a resolved structure. */
export function judgeWorld(catalog: CompiledCatalog, world: World): Judgement {
  const findings: Finding[] = [];
  const unknown: Finding[] = [];
  judgeApparatus(catalog, world, findings, unknown);
  for (const subject of world.subjects) {
    if (!subject.host.spare) judgeSubject(subject, findings, unknown);
  }
  judgeRules(APPARATUS, catalog.apparatus.get(world.hosts[0]!.model)?.rules, world, findings, unknown);
  for (const host of world.hosts) {
    if (host.index === 0 || host.spare) continue;
    judgeRules(host.symbol, catalog.units.get(host.model), world, findings, unknown);
  }
  for (const { host, name, release, product } of world.subjects) {
    if (host.spare || release < 0) continue;
    judgeRules(name, product!.releases[release]!.rules, world, findings, unknown);
  }
  const status = findings.length > 0 ? 'incompatible' : unknown.length > 0 ? 'unknown' : 'compatible';
  return { status, findings, unknown };
}

function judgeApparatus(
  catalog: CompiledCatalog,
  world: World,
  findings: Finding[],
  unknown: Finding[],
): void {
  const host = world.hosts[0]!;
  const apparatus = catalog.apparatus.get(host.model);
  if (apparatus?.slots) findings.push(...findSlotFaults(apparatus, world.hosts));
  // A catalog without any apparatus says nothing of them; one that lists some should list this one.
  if (!apparatus && catalog.apparatus.size > 0) {
    unknown.push({
      rule: `apparatus ${host.model} is in the catalog`,
      subjects: [APPARATUS],
      severity: 'boot',
      message: `The catalog does not list apparatus ${host.model}: what fits it is not known.`,
    });
  }
}

/** Whether the placement names this host; unknown when only its hardware is in doubt. */
export function placementTruth(subject: Subject, host: Host): Truth {
  const on = subject.product?.on;
  if (!on) return 1;
  if (on.kind !== undefined && on.kind !== host.kind) return 0;
  if (on.models !== undefined && !on.models.has(host.model)) return 0;
  return on.hardware === undefined ? 1 : hardwareInRange(host, on.hardware);
}

function note(
  list: Finding[],
  subject: string,
  severity: 'boot' | 'function',
  rule: string,
  message: string,
): void {
  list.push({ rule, subjects: [subject], severity, message });
}

/** What is said of a subject for itself: listed, its version known and not withdrawn, in its place. */
function judgeSubject(subject: Subject, findings: Finding[], unknown: Finding[]): void {
  const { product, name, host, id, version } = subject;
  if (!product) {
    const by = subject.vendor === undefined ? '' : ` by ${subject.vendor}`;
    const message = `The catalog does not list ${id}${by}, which is on ${host.symbol}.`;
    note(unknown, name, 'function', `${id}${by} is in the catalog`, message);
    return;
  }
  const place = placementTruth(subject, host);
  if (place !== 1) {
    const on = product.on!.text;
    const hardware = host.hardware === undefined ? 'unknown hardware' : `hardware ${host.hardware}`;
    const message = `${id} runs on ${on}, but ${host.symbol} is ${host.model} of ${hardware}.`;
    note(place === 0 ? findings : unknown, name, 'boot', `${id} runs on ${on}`, message);
  }
  if (version === undefined) {
    note(unknown, name, 'function', `${id} has a known version`, `The version of ${name} is not known.`);
  } else if (subject.release < 0) {
    const rule = `${id} ${shortRange(version)} is a release in the catalog`;
    note(unknown, name, 'function', rule, `${name} is ${version}, which is no release in the catalog.`);
  } else if (product.releases[subject.release]!.status === 'withdrawn') {
    const message = `${name} is ${version}, which was withdrawn.`;
    note(findings, name, 'function', `${id}@${version} is withdrawn`, message);
  }
}
