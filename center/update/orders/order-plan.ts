/**
 * Turns a remedy into the order document for a printer. Pure.
 */

import type { ReleaseTarget } from '../../../releases/targets.ts';
import { installedVersion, parseSubject } from '../../../schemas/subject.ts';
import type {
  MaintenanceWindow,
  Order,
  OrderCause,
  OrderStep,
  Remedy,
  Structure,
} from '../../../schemas/types.ts';
import { type Execution, isEnd } from './order-state.ts';

/** What an execution does; fixed at creation. */
export interface ExecutionPlan {
  steps: OrderStep[];
  /** The judged structure. Proof must come from a later session. */
  structure: { session: string; revision: number };
  window?: MaintenanceWindow;
  /** Earliest start of the download, ms since the epoch, to spread the load. */
  notBefore?: number;
  /** Who or what asked for it. */
  cause?: OrderCause;
}

export type PlanOutcome =
  | { ok: true; steps: OrderStep[] }
  /** `withdrawn`: one of its releases was revoked. */
  | { ok: false; reason: string; missing?: string; withdrawn?: true };

/**
 * The steps of an order. A step of a remedy is `[subject, version]`, or several such pairs in one list when they must be
 * installed together.
 * @param find looks up the signed target of a release
 */
export function orderSteps(
  structure: Structure,
  remedy: Pick<Remedy, 'software' | 'steps'> & Partial<Pick<Remedy, 'structure'>>,
  find: (software: string, version: string) => ReleaseTarget | undefined,
): PlanOutcome {
  const steps: OrderStep[] = [];
  const now = new Map<string, string | undefined>();
  let group = 0;
  const lists =
    remedy.steps.length > 0 ? remedy.steps : remedy.software.map(({ subject, to }) => [subject, to]);
  // The order switches to spare units at the point that the remedy names.
  const switches = (remedy.structure ?? []).filter(({ switchTo }) => switchTo !== undefined);
  const switchAfter = (done: number) => {
    for (const { symbol, switchTo = '', afterSteps = 0 } of switches) {
      if (afterSteps === done) steps.push({ subject: symbol, to: switchTo });
    }
  };
  switchAfter(0);
  for (const [index, list] of lists.entries()) {
    if (list.length === 0 || list.length % 2 !== 0)
      return { ok: false, reason: 'a step of the remedy is not made of pairs' };
    if (list.length > 2) group++;
    for (let at = 0; at < list.length; at += 2) {
      const [subject, to] = [list[at] ?? '', list[at + 1] ?? ''];
      const { software } = parseSubject(subject);
      if (software === undefined) return { ok: false, reason: `"${subject}" names no software` };
      const release = find(software, to);
      if (!release)
        return {
          ok: false,
          reason: `${software} ${to} is not in the repository`,
          missing: subject,
        };
      if (release.custom.revoked !== undefined) {
        return {
          ok: false,
          reason: `${software} ${to} was revoked: ${release.custom.revoked}`,
          withdrawn: true,
        };
      }
      const from = now.has(subject) ? now.get(subject) : (installedVersion(structure, subject) ?? undefined);
      steps.push({
        subject,
        ...(from === undefined ? {} : { from }),
        to,
        target: release.target,
        length: release.length,
        sha256: release.sha256,
        ...(list.length > 2 ? { together: group } : {}),
      });
      now.set(subject, to);
    }
    switchAfter(index + 1);
  }
  return steps.length > 0 ? { ok: true, steps } : { ok: false, reason: 'the remedy has nothing to install' };
}

/**
 * The retained order of an execution; undefined while it is planned and after it ended.
 * @param repository base URL with a trailing slash
 */
export function orderDocument(
  id: string,
  printer: string,
  execution: Execution,
  plan: ExecutionPlan,
  campaign: string | undefined,
  repository: string,
): Order | undefined {
  if (execution.state === 'planned' || isEnd(execution.state)) return undefined;
  return {
    execution: id,
    attempt: execution.attempt,
    printer,
    ...(campaign === undefined ? {} : { campaign }),
    ...(plan.cause === undefined ? {} : { cause: plan.cause }),
    deadline: new Date(execution.deadlineAt).toISOString(),
    repository,
    structure: plan.structure,
    ...(plan.notBefore === undefined ? {} : { notBefore: new Date(plan.notBefore).toISOString() }),
    ...(plan.window === undefined ? {} : { window: plan.window }),
    ...(execution.cancel === undefined ? {} : { cancel: true }),
    steps: plan.steps,
  };
}
