/**
 * Requests of operators: exactly one reply to each, whatever happens. Role and parameters are checked here, so that a
 * method only does its work.
 */
import type { Logger } from 'pino';
import { type ErrorCode, PlatenError, reasonOf } from '../../schemas/errors.ts';
import { isMethod, mayCall, type Role } from '../../schemas/roles.ts';
import { opsTopic } from '../../schemas/topics.ts';
import type { OperatorReply } from '../../schemas/types.ts';
import { checkNoNul, checkParams, parsePayload } from '../../schemas/validate.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { LinkMessage } from '../link/link.ts';
import type { Caller, MethodDefinition } from './method.ts';
import type { Services } from './services.ts';

/** Writes who changed what. */
export interface Audit {
  record(entry: {
    actor: string;
    role: Role;
    method: string;
    params: Record<string, unknown>;
    outcome: 'ok' | 'accepted';
  }): Promise<void>;
}

/** Finds the role of an operator where the broker doesn't tell it (a foreign one). */
export type RoleLookup = (operator: string) => Promise<Role | undefined>;

/** Documents are kept as revisions in the store; the audit names them instead of repeating them. */
function auditable(params: Record<string, unknown>): Record<string, unknown> {
  if (typeof params['document'] !== 'object' || params['document'] === null) return params;
  const { document, ...rest } = params;
  const named = document as { catalog?: unknown; rules?: unknown };
  return { ...rest, document: named.catalog ?? named.rules ?? 'document' };
}

export class Dispatcher {
  readonly #services: Services;
  readonly #methods: ReadonlyMap<string, MethodDefinition>;
  readonly #audit: Audit;
  readonly #roleOf: RoleLookup;
  readonly #log: Logger;
  #underWay = 0;

  constructor(parts: {
    services: Services;
    methods: ReadonlyMap<string, MethodDefinition>;
    audit: Audit;
    roleOf: RoleLookup;
    log: Logger;
  }) {
    this.#services = parts.services;
    this.#methods = parts.methods;
    this.#audit = parts.audit;
    this.#roleOf = parts.roleOf;
    this.#log = parts.log;
  }

  /**
   * Handles one request. The promise settles when the reply is published.
   * @returns 'refused' when the payload has no id to reply to: it is dropped and logged
   */
  async handle(message: LinkMessage, operator: string, method: string): Promise<'refused' | undefined> {
    let id: string;
    let params: Record<string, unknown>;
    try {
      if (message.payload.length > CENTER_LIMITS.request_payload_bytes_max) {
        throw new PlatenError('payload/too-large', {
          bytes: message.payload.length,
          limit: CENTER_LIMITS.request_payload_bytes_max,
        });
      }
      const request = parsePayload('operator-request', message.payload);
      id = request.id;
      params = (request.params ?? {}) as Record<string, unknown>;
    } catch (error) {
      this.#log.warn(
        { operator, method, reason: reasonOf(error) },
        'a request without a usable id was dropped',
      );
      return 'refused';
    }
    const reply = await this.#reply(message, operator, method, id, params);
    await this.#services.link.publish(opsTopic.reply(operator, id), JSON.stringify(reply), {
      qos: 1,
      retain: false,
    });
    return undefined;
  }

  async #reply(
    message: LinkMessage,
    operator: string,
    method: string,
    id: string,
    params: Record<string, unknown>,
  ): Promise<OperatorReply> {
    try {
      if (this.#underWay >= CENTER_LIMITS.requests_under_way_max) throw new PlatenError('request/busy');
      const definition = this.#methods.get(method);
      if (!isMethod(method) || !definition) throw new PlatenError('request/unknown-method', { method });
      const role = message.publisher?.role ?? (await this.#roleOf(operator));
      if (role === undefined || !mayCall(role, method)) {
        throw new PlatenError('request/not-allowed', { role: role ?? 'unknown', method });
      }
      checkNoNul(params, message.payload);
      const caller: Caller = { name: operator, role };
      this.#underWay += 1;
      try {
        return await this.#call(definition, caller, id, params);
      } finally {
        this.#underWay -= 1;
      }
    } catch (error) {
      if (error instanceof PlatenError) return { id, status: 'error', error: error.body };
      this.#log.error({ operator, method, err: error }, 'a request failed');
      const internal = new PlatenError('request/internal' satisfies ErrorCode, { reason: reasonOf(error) });
      return { id, status: 'error', error: internal.body };
    }
  }

  async #call(
    definition: MethodDefinition,
    caller: Caller,
    id: string,
    params: Record<string, unknown>,
  ): Promise<OperatorReply> {
    const checked = checkParams(definition.method, params);
    const { status = 'ok', data } = await definition.handle(checked, caller, this.#services);
    if (definition.audited) {
      await this.#audit.record({
        actor: caller.name,
        role: caller.role,
        method: definition.method,
        params: auditable(params),
        outcome: status,
      });
    }
    return { id, status, data };
  }
}
