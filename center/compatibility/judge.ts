/**
 * Judges whether the parts of a printer fit together.
 *
 * Three-valued (Kleene): a rule is held, broken or unknown; what is not known never counts as held. Spares are not in
 * use: no rule looks at them.
 */
import type { Finding } from '../../schemas/types.ts';
import { findSlotFaults } from './slots.ts';
import { spanHas } from './spans.ts';
import type { CompiledCatalog, Rule } from './tables.ts';
import type { Judgement, PrinterStructureLike } from './types.ts';
import { inRange, SCHEMES } from './versions.ts';
import { listText, shortRange } from './wording.ts';
import { APPARATUS, type Host, resolveWorld, type Subject, type World } from './world.ts';

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
    for (const subject of world.bySoftware.get(target.id) ?? []) {
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
      if (host.hardwareKey === undefined) truth = -1;
      else truth = inRange(SCHEMES.hardware, target.hardware, host.hardwareKey) ? 1 : 0;
      state = `${host.model} of ${host.hardware === undefined ? 'unknown hardware' : `hardware ${host.hardware}`}`;
    }
    instances.push({ name: host.symbol, state, truth });
  }
  return instances;
}

/** Whether a rule holds, and through which instances it does not. */
function evaluate(rule: Rule, instances: readonly Instance[]): { truth: Truth; through: Instance[] } {
  const no = instances.filter((instance) => instance.truth === 0);
  const maybe = instances.filter((instance) => instance.truth === -1);
  const yes = instances.length - no.length - maybe.length;
  if (rule.kind === 'conflicts') {
    if (yes > 0) return { truth: 0, through: instances.filter((instance) => instance.truth === 1) };
    return maybe.length > 0 ? { truth: -1, through: maybe } : { truth: 1, through: [] };
  }
  if (instances.length === 0) return { truth: rule.optional ? 1 : 0, through: [] };
  if (rule.every) {
    if (no.length > 0) return { truth: 0, through: no };
    return maybe.length > 0 ? { truth: -1, through: maybe } : { truth: 1, through: [] };
  }
  if (yes > 0) return { truth: 1, through: [] };
  return maybe.length > 0 ? { truth: -1, through: maybe } : { truth: 0, through: no };
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

/** Every rule in force in this world, with who declares it. */
function* rulesInForce(catalog: CompiledCatalog, world: World): Generator<[string, readonly Rule[]]> {
  yield [APPARATUS, catalog.apparatus.get(world.hosts[0]!.model)?.rules ?? []];
  for (const host of world.hosts) {
    if (host.index > 0 && !host.spare) yield [host.symbol, catalog.units.get(host.model) ?? []];
  }
  for (const { host, name, release, product } of world.subjects) {
    if (!host.spare && release >= 0) yield [name, product!.releases[release]!.rules];
  }
}

/** `declarer rule` of every rule that cannot be judged in this world. */
export function unknownRules(catalog: CompiledCatalog, world: World): Set<string> {
  const unknown = new Set<string>();
  for (const [declarer, rules] of rulesInForce(catalog, world)) {
    for (const rule of rules) {
      if (evaluate(rule, instancesOf(rule, world)).truth === -1) unknown.add(`${declarer} ${rule.text}`);
    }
  }
  return unknown;
}

/** Judges a resolved structure. */
export function judgeWorld(catalog: CompiledCatalog, world: World): Judgement {
  const findings: Finding[] = [];
  const unknown: Finding[] = [];
  judgeApparatus(catalog, world, findings, unknown);
  for (const subject of world.subjects) {
    if (!subject.host.spare) judgeSubject(subject, findings, unknown);
  }
  for (const [declarer, rules] of rulesInForce(catalog, world)) {
    for (const rule of rules) {
      const { truth, through } = evaluate(rule, instancesOf(rule, world));
      if (truth === 1) continue;
      (truth === 0 ? findings : unknown).push({
        rule: rule.text,
        subjects: [declarer, ...through.map((instance) => instance.name).filter((name) => name !== declarer)],
        severity: rule.severity,
        message: ruleMessage(declarer, rule, truth, through),
      });
    }
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
  if (on.hardware === undefined) return 1;
  if (host.hardwareKey === undefined) return -1;
  return inRange(SCHEMES.hardware, on.hardware, host.hardwareKey) ? 1 : 0;
}

/** What is said of a subject for itself: listed, its version known and not withdrawn, in its place. */
function judgeSubject(subject: Subject, findings: Finding[], unknown: Finding[]): void {
  const { product, name, host } = subject;
  const note = (list: Finding[], severity: 'boot' | 'function', rule: string, message: string): void => {
    list.push({ rule, subjects: [name], severity, message });
  };
  if (!product) {
    const by = subject.vendor === undefined ? '' : ` by ${subject.vendor}`;
    const rule = `${subject.id}${by} is in the catalog`;
    note(
      unknown,
      'function',
      rule,
      `The catalog does not list ${subject.id}${by}, which is on ${host.symbol}.`,
    );
    return;
  }
  const place = placementTruth(subject, host);
  if (place !== 1) {
    const hardware = host.hardware === undefined ? 'unknown hardware' : `hardware ${host.hardware}`;
    const rule = `${subject.id} runs on ${product.on!.text}`;
    const message = `${subject.id} runs on ${product.on!.text}, but ${host.symbol} is ${host.model} of ${hardware}.`;
    note(place === 0 ? findings : unknown, 'boot', rule, message);
  }
  if (subject.version === undefined) {
    note(unknown, 'function', `${subject.id} has a known version`, `The version of ${name} is not known.`);
  } else if (subject.release < 0) {
    const rule = `${subject.id} ${shortRange(subject.version)} is a release in the catalog`;
    const message = `${name} is ${subject.version}, which is no release in the catalog.`;
    note(unknown, 'function', rule, message);
  } else if (product.releases[subject.release]!.status === 'withdrawn') {
    const rule = `${subject.id}@${subject.version} is withdrawn`;
    note(findings, 'function', rule, `${name} is ${subject.version}, which was withdrawn.`);
  }
}
