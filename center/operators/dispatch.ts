/**
 * Dispatches operators' requests, over MQTT and HTTP alike. Each gets exactly one reply. Role and parameters are
 * checked here, so that a method only does its work.
 */
import type { Logger } from 'pino';
import { type ErrorBody, type ErrorCode, PlatenError, reasonOf } from '../../schemas/errors.ts';
import { didYouMean } from '../../schemas/nearest-name.ts';
import { isMethod, METHOD_ROLES, type Method, mayCall, type Role } from '../../schemas/roles.ts';
import { recordable } from '../../schemas/secrets.ts';
import { opsTopic } from '../../schemas/topics.ts';
import type { OperatorReply } from '../../schemas/types.ts';
import {
  checkNoNul,
  checkParams,
  checkReply,
  checkSchema,
  paramsSchema,
  parseObject,
  parsePayload,
} from '../../schemas/validate.ts';
import { answering } from '../database/answering.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { LinkMessage } from '../link/link.ts';
import { sendAnswer } from '../link/send-answer.ts';
import type { Gone } from '../queries.ts';
import { Admission } from './admission.ts';
import type { Capabilities } from './capabilities.ts';
import type { Caller, MethodDefinition } from './method.ts';

/** Writes the audit log. */
export interface Audit {
  add(entry: {
    actor: string;
    role: Role;
    method: string;
    params: Record<string, unknown>;
    outcome: 'ok' | 'accepted';
  }): Promise<void>;
}

/** One request, over MQTT or HTTP. */
export interface Asked {
  name: string;
  /** Missing when the transport doesn't know it. */
  role?: Role;
  /** The id of the API token that the request came with. */
  token?: string;
  /** Aborted when the caller has disconnected. */
  signal?: Gone;
  method: string;
  params: Record<string, unknown>;
  /** The text that the parameters were parsed from. */
  payload: Buffer;
}

/** A reply without its id, which only MQTT needs. */
export type Answered =
  | { status: 'ok' | 'accepted'; data: Record<string, unknown> }
  | { status: 'error'; error: ErrorBody };

/** Looks up the role of an operator when the broker is a foreign one, which doesn't tell it. */
export type RoleLookup = (operator: string) => Promise<Role | undefined>;

/**
 * Parameters as recorded in the audit log: without secrets, and a document by its name only, because the store keeps
 * every revision.
 */
function auditable(method: Method, params: Record<string, unknown>): Record<string, unknown> {
  const { document, ...rest } = params;
  const kept = recordable(paramsSchema(method), rest) as Record<string, unknown>;
  if (document === undefined) return kept;
  const named = (typeof document === 'object' && document !== null ? document : {}) as {
    catalog?: unknown;
    rules?: unknown;
  };
  return { ...kept, document: named.catalog ?? named.rules ?? 'document' };
}

/** The topic level for replies to a request without a readable id: `platen/v1/ops/{operator}/reply/invalid`. */
const UNREADABLE_ID = 'invalid';

/** @throws PlatenError topic/invalid for an id that can't be a topic level */
function checkReplyId(id: string): string {
  opsTopic.reply('anybody', id);
  return id;
}

/** The id of a payload that is no valid request, if it is readable. */
function idIn(payload: Buffer): string | undefined {
  if (payload.length > CENTER_LIMITS.request_payload_bytes_max) return undefined;
  try {
    const { id } = parseObject(payload);
    return checkReplyId(checkSchema('operator-request', { id }).id);
  } catch {
    // No readable id: the caller replies with the error of the payload.
    return undefined;
  }
}

/** A fault of a whole request, as a request error. */
function requestFault(error: PlatenError): PlatenError {
  if (error.code !== 'payload/schema') return error;
  const reason = error.message.replace(/^The payload breaks its schema: /, '');
  return new PlatenError('request/invalid', {
    reason: `${reason} (a request is {"id", "params"}: parameters stand in "params")`,
  });
}

export class Dispatcher {
  readonly #capabilities: Capabilities;
  readonly #methods: ReadonlyMap<string, MethodDefinition>;
  readonly #audit: Audit;
  readonly #roleOf: RoleLookup;
  readonly #log: Logger;
  readonly #checksReplies: boolean;
  /** Limits each operator's requests. */
  readonly admission = new Admission({
    under_way_max: CENTER_LIMITS.requests_under_way_max,
    under_way_operator_max: CENTER_LIMITS.requests_under_way_operator_max,
    operator_per_second_max: CENTER_LIMITS.requests_operator_per_second_max,
    operator_burst_max: CENTER_LIMITS.requests_operator_burst_max,
    changes_per_second_max: CENTER_LIMITS.changes_per_second_max,
    changes_burst_max: CENTER_LIMITS.changes_burst_max,
  });

  constructor(parts: {
    capabilities: Capabilities;
    methods: ReadonlyMap<string, MethodDefinition>;
    audit: Audit;
    roleOf: RoleLookup;
    log: Logger;
    /** Validates every reply against its schema. Used in tests: an invalid reply is a fault of the method. */
    checksReplies?: boolean;
  }) {
    this.#capabilities = parts.capabilities;
    this.#methods = parts.methods;
    this.#audit = parts.audit;
    this.#roleOf = parts.roleOf;
    this.#log = parts.log;
    this.#checksReplies = parts.checksReplies ?? process.env['PLATEN_TEST_REPLIES'] === '1';
  }

  /**
   * Handles one request. Settles when the reply is published.
   * @returns 'refused' when the payload is no valid request; that gets a reply too, on `reply/invalid` if it has no id
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
      checkReplyId(id);
      params = (request.params ?? {}) as Record<string, unknown>;
    } catch (error) {
      if (!(error instanceof PlatenError)) throw error;
      this.#log.warn({ operator, method, reason: error.message }, 'a payload that is no request was refused');
      const answered = idIn(message.payload) ?? UNREADABLE_ID;
      await this.#send(operator, method, { id: answered, status: 'error', error: requestFault(error).body });
      return 'refused';
    }
    const answer = await this.answer({
      name: operator,
      ...(message.publisher ? { role: message.publisher.role } : {}),
      signal: {
        get aborted() {
          return message.source?.gone === true;
        },
      },
      method,
      params,
      payload: message.payload,
    });
    await this.#send(operator, method, { id, ...answer });
    return undefined;
  }

  async #send(operator: string, method: string, reply: OperatorReply): Promise<void> {
    const failed = (reason: string) => this.#log.warn({ operator, method, reason }, 'a reply was not sent');
    // A message quotes input, which may be longer than a message may be.
    if (reply.error)
      reply.error.message = reply.error.message.slice(0, CENTER_LIMITS.reply_message_characters_max);
    let topic: string;
    try {
      topic = opsTopic.reply(operator, reply.id);
    } catch (error) {
      // The name in the request's topic can be invalid when a foreign broker let it through.
      failed(reasonOf(error));
      return;
    }
    await sendAnswer(this.#capabilities.link, topic, reply, failed);
  }

  /** Answers one request, over MQTT or HTTP. Never throws: errors are part of the answer. */
  async answer(asked: Asked): Promise<Answered> {
    const { name, method, params } = asked;
    try {
      const definition = this.#methods.get(method);
      if (!isMethod(method) || !definition) {
        const nearest = didYouMean(method, this.#methods.keys());
        throw new PlatenError('request/unknown-method', { method, nearest });
      }
      const role = asked.role ?? (await this.#roleOf(name));
      if (role === undefined || !mayCall(role, method)) {
        const needed = METHOD_ROLES[method];
        throw new PlatenError('request/not-allowed', { role: role ?? 'unknown', method, needed });
      }
      checkNoNul(params, asked.payload);
      const { token, signal } = asked;
      const caller: Caller = {
        name,
        role,
        ...(token === undefined ? {} : { token }),
        ...(signal === undefined ? {} : { signal }),
      };
      const { heavy, audited: changes } = definition;
      const admitted = this.admission.enter(
        { operator: name, role, heavy, changes },
        this.#capabilities.now(),
      );
      try {
        return await this.#call(definition, caller, params);
      } finally {
        admitted.done();
      }
    } catch (error) {
      if (error instanceof PlatenError) return { status: 'error', error: error.body };
      this.#log.error({ operator: name, method, err: error }, 'a request failed');
      const internal = new PlatenError('request/internal' satisfies ErrorCode, { reason: reasonOf(error) });
      return { status: 'error', error: internal.body };
    }
  }

  async #call(
    definition: MethodDefinition,
    caller: Caller,
    params: Record<string, unknown>,
  ): Promise<Answered> {
    const { method, audited } = definition;
    const checked = checkParams(method, params);
    const work = () => definition.handle(checked, caller, this.#capabilities);
    const { status = 'ok', data } = audited ? await work() : await answering(caller.name, work);
    if (this.#checksReplies) checkReply(method, data);
    if (audited) {
      this.#capabilities.summary.touch();
      await this.#audit.add({
        actor: caller.name,
        role: caller.role,
        method,
        params: auditable(method, params),
        outcome: status,
      });
    }
    return { status, data };
  }
}
