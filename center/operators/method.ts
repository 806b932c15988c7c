/**
 * A request method: `platen/v1/ops/{operator}/request/{method}`. Methods are declared with `defineMethod` and listed in
 * `methods.ts`; `dispatch.ts` checks role and parameters, calls the method and replies exactly once.
 */
import type { Method, Role } from '../../schemas/roles.ts';
import type { MethodParams } from '../../schemas/validate.ts';
import type { Gone } from '../queries.ts';
import type { Capabilities } from './capabilities.ts';

/** The caller of a method. */
export interface Caller {
  name: string;
  role: Role;
  /** The id of the API token that the request came with. */
  token?: string;
  /** Aborted when the caller has disconnected; heavy methods then stop. */
  signal?: Gone;
}

export interface MethodReply {
  /** `accepted` when the work goes on after the reply; default `ok`. */
  status?: 'ok' | 'accepted';
  data: Record<string, unknown>;
}

export interface MethodDefinition<M extends Method = Method> {
  method: M;
  /** Recorded in the audit log with its parameters when it succeeds; set for every method that changes something. */
  audited: boolean;
  /** Its cost depends on its parameters: one at a time per operator. */
  heavy: boolean;
  /**
   * @throws PlatenError sent to the operator; anything else is logged and sent as request/internal
   */
  handle(params: MethodParams[M], caller: Caller, capabilities: Capabilities): Promise<MethodReply>;
}

/** Declares a method with typed parameters. */
export function defineMethod<M extends Method>(
  method: M,
  kind: 'reads' | 'changes',
  handle: MethodDefinition<M>['handle'],
  { heavy = false }: { heavy?: boolean } = {},
): MethodDefinition<M> {
  return { method, audited: kind === 'changes', heavy, handle };
}
