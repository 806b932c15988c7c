/**
 * A request method: `platen/v1/ops/{operator}/request/{method}`. One file a method, each made with `defineMethod`;
 * `methods.ts` lists them all, `dispatch.ts` checks role and parameters, calls them and replies exactly once.
 */
import type { Method, Role } from '../../schemas/roles.ts';
import type { MethodParams } from '../../schemas/validate.ts';
import type { Gone } from '../queries.ts';
import type { Capabilities } from './capabilities.ts';

/** Who asks. */
export interface Caller {
  name: string;
  role: Role;
  /** The id of the program's token that the request came with. */
  token?: string;
  /** Aborted when the caller has gone: what is heavy may then be given up. */
  signal?: Gone;
}

export interface MethodReply {
  /** `accepted` when the work goes on after the reply; default `ok`. */
  status?: 'ok' | 'accepted';
  data: Record<string, unknown>;
}

export interface MethodDefinition<M extends Method = Method> {
  method: M;
  /** Written to the audit log with its parameters when it succeeds: every method that changes something. */
  audited: boolean;
  /** What it costs is up to whoever asks: one at a time an operator. */
  heavy: boolean;
  /**
   * @throws PlatenError what the operator is told; anything else is told as request/internal and logged
   */
  handle(params: MethodParams[M], caller: Caller, capabilities: Capabilities): Promise<MethodReply>;
}

/** Declares a method, so that its parameters have their type. */
export function defineMethod<M extends Method>(
  method: M,
  kind: 'reads' | 'changes',
  handle: MethodDefinition<M>['handle'],
  { heavy = false }: { heavy?: boolean } = {},
): MethodDefinition<M> {
  return { method, audited: kind === 'changes', heavy, handle };
}
