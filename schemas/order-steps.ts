/**
 * The two kinds of steps of an order: install an image on `symbol:softwareId`, or switch a unit (`symbol`) to a spare
 * in the printer (`to`, also a symbol).
 */
import type { OrderStep, Unit } from './types.ts';

/** A step that installs an image. */
export type ImageStep = OrderStep & Required<Pick<OrderStep, 'target' | 'length' | 'sha256'>>;

/** Whether a step switches a unit to a spare. */
export function isSwitch(step: Pick<OrderStep, 'subject'>): boolean {
  return !step.subject.includes(':');
}

/** Whether a step installs an image and names it. */
export function isImageStep(step: OrderStep): step is ImageStep {
  return (
    !isSwitch(step) && step.target !== undefined && step.length !== undefined && step.sha256 !== undefined
  );
}

/** Whether the spare is in use instead of the unit. */
export function isSwitched(
  units: readonly Unit[],
  { subject, to }: Pick<OrderStep, 'subject' | 'to'>,
): boolean {
  const [unit, spare] = [subject, to].map((symbol) => units.find((each) => each.symbol === symbol));
  return unit?.state === 'spare' && spare !== undefined && spare.state !== 'spare';
}
