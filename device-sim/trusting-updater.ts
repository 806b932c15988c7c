/**
 * An updater for load tests. It trusts every order and downloads nothing, but installs, restarts, self-tests and reports
 * like a real one. The real checks are in `agent/updater/`.
 */

import type { Updater, UpdaterContext } from '../agent/updater-seam.ts';
import { Serial } from '../base/serial.ts';
import { reasonOf } from '../schemas/errors.ts';
import type { Order, OrderStep } from '../schemas/types.ts';

/** Steps in installation order. Steps with the same `together` form one transaction. */
function groupsOf(steps: OrderStep[]): OrderStep[][] {
  const groups: OrderStep[][] = [];
  for (const step of steps) {
    const group = groups.find(([first]) => step.together !== undefined && first?.together === step.together);
    if (group) group.push(step);
    else groups.push([step]);
  }
  return groups;
}

class TrustingUpdater implements Updater {
  readonly #context: UpdaterContext;
  #currentOrder = '';
  readonly #serial = new Serial();
  #stopped = false;

  constructor(context: UpdaterContext) {
    this.#context = context;
  }

  onOrder(order: Order | undefined): void {
    if (!order) return;
    const key = `${order.execution}/${order.attempt}`;
    if (key === this.#currentOrder || order.cancel || this.#stopped) return;
    this.#currentOrder = key;
    // Installing reports its own failures and never rejects.
    void this.#serial.run(() => this.#install(order));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#serial.idle();
  }

  async #install(order: Order): Promise<void> {
    const { driver, report } = this.#context;
    const { execution, attempt } = order;
    const refusal = order.steps.map((step) => driver.cannotInstall(step.subject)).find(Boolean);
    if (refusal) {
      report({ execution, attempt, state: 'rejected', error: refusal });
      return;
    }
    report({ execution, attempt, state: 'accepted' });
    const done: OrderStep[] = [];
    try {
      for (const [index, group] of groupsOf(order.steps).entries()) {
        report({ execution, attempt, state: 'installing', step: index, progress: 0 });
        await driver.install(
          group.map((step) => ({ step })),
          (progress) => report({ execution, attempt, state: 'installing', step: index, progress }),
        );
        done.push(...group);
        await driver.restart();
        report({ execution, attempt, state: 'self-testing', step: index });
        await driver.selfTest();
        this.#context.structureChanged();
      }
      report({ execution, attempt, state: 'claimed' });
    } catch (error) {
      await this.#rollBack(order, done, reasonOf(error));
    }
  }

  async #rollBack(order: Order, done: OrderStep[], message: string): Promise<void> {
    const { driver, report } = this.#context;
    const { execution, attempt } = order;
    const error = { code: 'install/failed', message };
    try {
      await driver.rollback(done.map((step) => ({ step })));
      await driver.restart();
      report({ execution, attempt, state: 'rolled-back', error });
    } catch (second) {
      report({ execution, attempt, state: 'failed', error: { ...error, message: reasonOf(second) } });
    }
  }
}

/** The updater factory for `createAgent`. */
export function trustingUpdater(context: UpdaterContext): Updater {
  return new TrustingUpdater(context);
}
