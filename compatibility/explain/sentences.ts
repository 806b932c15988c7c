/**
 * A derivation as sentences, in the manner of PubGrub: because of this and that, only so much is left.
 */
import { type Instance, type Part, type Requirement, type Variable, versionAt } from '../instance.ts';
import type { Crowd } from '../solver/pigeonhole.ts';
import type { Rule } from '../tables.ts';
import { listText, shortRange } from '../wording.ts';
import { type Core, isSlotDemand, type Origin } from './core.ts';
import { type Deduction, type Derivation, deriveContradiction } from './derivation.ts';

const EXPLANATION_CHARACTERS_MAX = 8_000;

/** Versions of a variable: `2.4.0`, `2.4.0 to 2.6.1`, `2.4.0 or 2.6.1`. */
function versionsText(variable: Variable, candidates: readonly number[]): string {
  if (candidates.length === 0) return 'no version';
  const first = candidates[0]!;
  const last = candidates.at(-1)!;
  if (candidates.length > 2 && last - first === candidates.length - 1) {
    return `${versionAt(variable, first)} to ${versionAt(variable, last)}`;
  }
  return listText(
    candidates.map((candidate) => versionAt(variable, candidate)),
    'or',
  );
}

function partText({ host }: Part): string {
  return host.index === 0 ? host.model : `${host.symbol} (${host.model})`;
}

/** What a rule says, without who says it. */
function demandText(rule: Rule): string {
  const from = rule.text.search(/ (requires|conflicts with) /);
  const because = rule.because === undefined ? '' : ` (${rule.because})`;
  return `${rule.text.slice(from + 1)}${because}`;
}

/** Who declares a requirement, with those of its versions that are still possible. */
function declarerText(requirement: Requirement, left: readonly number[] | undefined): string {
  if (!requirement.variable) return requirement.part ? partText(requirement.part) : 'The printer';
  const bound = (left ?? [...requirement.variable.candidates.keys()]).filter(
    (candidate) => candidate >= requirement.first && candidate <= requirement.last,
  );
  const all = [...requirement.variable.candidates.keys()].filter(
    (candidate) => candidate >= requirement.first && candidate <= requirement.last,
  );
  return `${requirement.variable.name} ${versionsText(requirement.variable, bound.length > 0 ? bound : all)}`;
}

/** An origin as a statement of its own. */
export function originText(origin: Origin): string {
  if (isSlotDemand(origin)) {
    const { slot, part, demand, places } = origin;
    if (demand === 'accepts') return `no slot accepts ${partText(part!)}`;
    const there =
      places.length === 0
        ? 'there is none'
        : `there ${places.length === 1 ? 'is only' : 'are'} ${listText(places.map(partText), 'and')}`;
    return demand === 'max'
      ? `the apparatus takes at most ${slot!.max} in its ${slot!.text}, and ${there}`
      : `the apparatus needs at least ${slot!.min} in its ${slot!.text}, and ${there}`;
  }
  const { reason, variable, targets } = origin;
  switch (reason.type) {
    case 'rule':
      return `${declarerText(origin, undefined)} ${demandText(reason.rule)}`;
    case 'pin':
      return `${reason.subject} is pinned to ${shortRange(reason.range)}`;
    case 'require':
      return `${shortRange(reason.range)} is wanted of ${reason.subject}`;
    case 'absent':
      return `${shortRange(reason.range)} is wanted of ${reason.subject}, which this printer does not have`;
    case 'no-downgrade': {
      const target = targets[0]!.variable!;
      return `${target.name} may not be downgraded below ${target.installed}`;
    }
    case 'placement':
      return `${variable!.id} runs on ${variable!.product!.on!.text}, not on ${partText(variable!.part)}`;
    case 'unreachable':
      return `no steps lead ${targets[0]!.variable!.name} elsewhere`;
    case 'no-release':
      return `no release of ${variable!.name} may be installed`;
  }
}

function conclusionText({ about, left, inUse }: Deduction): string {
  if ('candidates' in about) {
    if (left.length === 0) return `no version of ${about.name} is left`;
    return `${about.name} must be ${versionsText(about, left)}`;
  }
  return inUse === true ? `${partText(about)} must be used` : `${partText(about)} cannot be used`;
}

/** Why a deduction leaves nothing of a variable: what was left of it before, or that none of its releases will do. */
function clashText({ about, left, before }: Deduction): string | undefined {
  if (!('candidates' in about) || left.length > 0) return undefined;
  if (before.length < about.candidates.length)
    return `${about.name} can only be ${versionsText(about, before)}`;
  const installed = about.installed === undefined ? '' : ` (now ${about.installed})`;
  return `${about.name}${installed} has no release that satisfies this and may be chosen`;
}

/** A deduction about what is in the printer for good: that it cannot be used says nothing more. */
function isPlain({ about }: Deduction): boolean {
  return !('candidates' in about) && about.always;
}

function deductionText(deduction: Deduction): string {
  const { origin, about, read, target } = deduction;
  const plain = isPlain(deduction);
  const clash = clashText(deduction);
  if ('ways' in origin) {
    if (deduction.inUse === false) return `Nothing else can stand at ${origin.ways[0]!.host.symbol}.`;
    const ways = listText(origin.ways.map(partText), 'or');
    return `One of ${ways} must stand at ${origin.ways[0]!.host.symbol}, so ${conclusionText(deduction)}.`;
  }
  if (isSlotDemand(origin)) {
    const demand = capital(originText(origin));
    if (plain) return `${demand}.`;
    return `${demand}, so ${conclusionText(deduction)}.`;
  }
  if (origin.reason.type !== 'rule') {
    if (clash !== undefined) return `${originText(origin)}, but ${clash}.`;
    return `${originText(origin)}${plain ? '' : `, so ${conclusionText(deduction)}`}.`;
  }
  const declarerRead = read.find(({ variable }) => variable === origin.variable);
  const rule = `${declarerText(origin, declarerRead?.left)} ${demandText(origin.reason.rule)}`;
  const fact = read.find(({ variable }) => variable !== origin.variable && variable !== about);
  let but: string | undefined;
  if (fact) {
    const stuck = fact.variable.candidates.length === 1 ? 'is' : 'can only be';
    but = `${fact.variable.name} ${stuck} ${versionsText(fact.variable, fact.left)}`;
  } else if (origin.targets.length === 0) but = 'there is none';
  else if (target && !target.variable) {
    const { host } = target.part;
    const hardware = host.hardware === undefined ? '' : ` of hardware ${host.hardware}`;
    but = `${host.symbol} is ${host.model}${hardware}`;
  }
  if (clash !== undefined) return `${rule}${but === undefined ? '' : `, and ${but}`}, but ${clash}.`;
  if (plain) return but === undefined ? `${rule}.` : `${rule}, but ${but}.`;
  return `Because ${rule}${but === undefined ? '' : `, and ${but}`}, ${conclusionText(deduction)}.`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function derivationText(derivation: Derivation): string | undefined {
  const sentences = derivation.deductions.map(deductionText);
  if (derivation.end) return sentences.join(' ');
  if (!derivation.cases) return undefined;
  for (const { candidate, derivation: inner } of derivation.cases.derivations) {
    const text = derivationText(inner);
    if (text === undefined) return undefined;
    sentences.push(
      `Were ${derivation.cases.variable.name} ${versionAt(derivation.cases.variable, candidate)}: ${text}`,
    );
  }
  return sentences.join(' ');
}

/** Members of a core that are told; more are counted. */
const CONFLICTS_TOLD_MAX = 500;

/** The members of a core, each as a statement. */
export function conflictTexts(core: Core): string[] {
  const all = [...new Set(core.origins.map(originText))];
  if (all.length <= CONFLICTS_TOLD_MAX) return all;
  return [...all.slice(0, CONFLICTS_TOLD_MAX), `${all.length - CONFLICTS_TOLD_MAX} more`];
}

/** Pieces of software that are named; more are counted. */
const CROWD_NAMED_MAX = 4;

/** Why there are more pieces of software than versions that go together. */
function crowdText({ variables, places }: Crowd): string {
  const names = variables.slice(0, CROWD_NAMED_MAX).map(({ name }) => name);
  const more = variables.length - names.length;
  const all = listText(more > 0 ? [...names, `${more} more`] : names, 'and');
  return `${all} each need a version, but all versions they can have fall into ${places} sets, and no two of one set go together: that is enough for ${places} of them, not for ${variables.length}.`;
}

/** Why nothing fits, in sentences. */
export function explanationText(instance: Instance, core: Core, exhausted?: () => boolean): string {
  if (core.crowd) return crowdText(core.crowd);
  const told = derivationText(deriveContradiction(instance, core.origins, exhausted));
  const text =
    told !== undefined && told.length <= EXPLANATION_CHARACTERS_MAX
      ? told
      : `These cannot hold together: ${conflictTexts(core).join('; ')}.`;
  const hint = core.minimal ? '' : ' (There was no time to find the smallest such set.)';
  return `${text.slice(0, EXPLANATION_CHARACTERS_MAX)}${hint}`;
}
