/**
 * Judges an order against the structure of the agent's own printer, independently of the center. Pure.
 */
import { PlatenError } from '../../schemas/errors.ts';
import { isImageStep, isSwitch, isSwitched } from '../../schemas/order-steps.ts';
import { installedVersion } from '../../schemas/subject.ts';
import type { Order, OrderStep } from '../../schemas/types.ts';
import type { Driver, PrinterStructure } from '../driver.ts';

/** Steps that are installed together, in the order of installation. */
export type StepGroup = readonly OrderStep[];

/** The order's steps in groups: neighbours with the same `together` are one transaction. */
export function groupsOf(steps: readonly OrderStep[]): StepGroup[] {
  const groups: OrderStep[][] = [];
  let last: number | undefined;
  for (const step of steps) {
    const group = groups.at(-1);
    if (group && step.together !== undefined && step.together === last) group.push(step);
    else groups.push([step]);
    last = step.together;
  }
  return groups;
}

/** Whether every subject of the order already has its final version. */
export function isThere(order: Order, structure: PrinterStructure): boolean {
  const wanted = new Map(order.steps.map(({ subject, to }) => [subject, to]));
  return [...wanted].every(([subject, to]) =>
    isSwitch({ subject })
      ? isSwitched(structure.units, { subject, to })
      : installedVersion(structure, subject) === to,
  );
}

/** The last step of every subject: the order's result without the steps between. */
export function lastSteps({ steps }: Order): OrderStep[] {
  return steps.filter((step, at) => !steps.slice(at + 1).some(({ subject }) => subject === step.subject));
}

function judgeSwitch({ units }: PrinterStructure, { subject, to, target }: OrderStep): void {
  const unit = units.find((each) => each.symbol === subject);
  const spare = units.find((each) => each.symbol === to);
  if (target !== undefined || !unit || !spare || unit.kind !== spare.kind) {
    throw new PlatenError('update/bad-order', { reason: `${subject} cannot be switched to "${to}"` });
  }
  if (unit.state === 'spare' || spare.state !== 'spare') {
    throw new PlatenError('update/structure-changed', {
      subject,
      actual: unit.state === 'spare' ? 'been switched already' : `no spare in ${to}`,
      expected: `${to} to be its spare`,
    });
  }
}

/**
 * Refuses an order that doesn't fit this printer.
 * @param done how many of the steps are installed already (after a power loss)
 * @throws PlatenError update/unknown-subject, update/structure-changed, update/cannot-install, update/bad-order
 */
export function judgeOrder(
  order: Order,
  structure: PrinterStructure,
  driver: Pick<Driver, 'cannotInstall'>,
  done = 0,
): void {
  const versions = new Map<string, string | null>();
  for (const [index, step] of order.steps.entries()) {
    const { subject, from, to } = step;
    const refusal = driver.cannotInstall(subject);
    if (isSwitch(step)) {
      if (index >= done) judgeSwitch(structure, step);
      if (refusal) throw new PlatenError('update/cannot-install', { subject, reason: refusal.message });
      continue;
    }
    if (!isImageStep(step)) {
      throw new PlatenError('update/bad-order', { reason: `the step for ${subject} names no image` });
    }
    if (refusal) throw new PlatenError('update/cannot-install', { subject, reason: refusal.message });
    let current = versions.get(subject);
    if (current === undefined) {
      const installed = installedVersion(structure, subject);
      if (installed === undefined) throw new PlatenError('update/unknown-subject', { subject });
      current = installed;
    }
    if (index >= done && from !== undefined && current !== from) {
      throw new PlatenError('update/structure-changed', {
        subject,
        actual: current ?? 'no known version',
        expected: from,
      });
    }
    if (index >= done || current === to) versions.set(subject, to);
  }
}
