/**
 * Says why no order of steps leads to the best set.
 */
import { type Instance, versionAt } from '../instance.ts';
import type { Plan } from '../plan/plan.ts';
import type { Move } from '../plan/search.ts';
import { listText } from '../wording.ts';

/** More steps than these are counted, not told. */
const BLOCKERS_TOLD_MAX = 8;

const moveText = ({ variable, from, to }: Move): string =>
  `${variable.name} ${versionAt(variable, from)} → ${versionAt(variable, to)}`;

/** Why the plan failed, in sentences. */
export function blockedText(
  instance: Instance,
  plan: Extract<Plan, { result: 'unreachable' | 'blocked' }>,
): string {
  if (plan.result === 'unreachable') {
    return plan.moves
      .map(({ variable, from, to }) => {
        const down = to < from ? 'down ' : '';
        return `No steps lead ${variable.name} ${down}from ${versionAt(variable, from)} to ${versionAt(variable, to)}: the releases on the way may not be installed over it.`;
      })
      .join(' ');
  }
  const sentences = plan.blockers.slice(0, BLOCKERS_TOLD_MAX).map(({ move, broken }) => {
    if (!broken) return `${moveText(move)} could be installed by itself.`;
    const what = broken.reason.type === 'rule' ? broken.reason.rule.text : 'its place';
    return `${moveText(move)} alone would break "${what}".`;
  });
  const model = instance.parts[0]!.host.model;
  const together = listText(
    plan.blockers.map(({ move }) => moveText(move)),
    'and',
  );
  const transaction = instance.apparatus?.transactional
    ? 'not even with several installed at once'
    : `and ${model} does not install several at once`;
  return `There is no order of single steps for ${together}, ${transaction}. ${sentences.join(' ')}`;
}
