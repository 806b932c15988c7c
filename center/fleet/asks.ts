/**
 * Lets a printer read what the center concluded from its reports (claim 4): `ask/{method}` → `answer/{id}`. A printer
 * sees only its own data.
 */
import type { Logger } from 'pino';
import { readChunk } from '../../releases/chunks.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { Tally } from '../../schemas/tally.ts';
import { printerTopic } from '../../schemas/topics.ts';
import type { Answer, Structure } from '../../schemas/types.ts';
import { checkNoNul, parsePayload } from '../../schemas/validate.ts';
import { CENTER_LIMITS } from '../limits.ts';
import { sendAnswer } from '../link/send-answer.ts';
import type { Capabilities } from '../operators/capabilities.ts';
import type { StoredEntry } from '../queries.ts';
import { ComputeShare } from '../verdicts/compute-share.ts';

/** Options for a structure: versions by software subject, models by unit. */
export type OptionsOf = (structure: Structure) => Record<string, unknown>;

const HOUR_MS = 3_600_000;

/** Errors per 1,000 pages, and by code, over the given entries (newest first). */
export function ratesOf(entries: StoredEntry[]): Record<string, unknown> {
  const byCode = new Tally();
  for (const { code } of entries) byCode.add(code);
  const pages = entries.flatMap(({ pages }) => (pages === undefined ? [] : [pages]));
  const printed = pages.length > 1 ? Math.max(...pages) - Math.min(...pages) : 0;
  const times = entries.map(({ at }) => Date.parse(at));
  const span_h = times.length > 1 ? (Math.max(...times) - Math.min(...times)) / HOUR_MS : 0;
  return {
    byCode: byCode.counts,
    per1000Pages: printed > 0 ? (entries.length * 1_000) / printed : null,
    perHour: span_h > 0 ? entries.length / span_h : null,
  };
}

/** @throws PlatenError payload/schema when the id cannot be part of a topic */
function answerTopic(printer: string, id: string): string {
  try {
    return printerTopic.answer(printer, id);
  } catch (error) {
    throw new PlatenError('payload/schema', { reason: `/id: ${reasonOf(error)}`, schema: 'wire/ask' });
  }
}

export class Asks {
  readonly #capabilities: Capabilities;
  readonly #optionsOf: OptionsOf;
  readonly #log: Logger;
  readonly #share = new ComputeShare();

  constructor(capabilities: Capabilities, optionsOf: OptionsOf) {
    this.#capabilities = capabilities;
    this.#optionsOf = optionsOf;
    this.#log = capabilities.log;
  }

  /**
   * Answers one ask.
   * @throws PlatenError payload/* when the request has no id to answer
   */
  async handle(printer: string, method: string, payload: Buffer): Promise<void> {
    const { id, params = {} } = parsePayload('ask', payload);
    const topic = answerTopic(printer, id);
    let answer: Answer;
    try {
      checkNoNul(params, payload);
      answer = {
        id,
        status: 'ok',
        data: await this.#answer(printer, method, params as Record<string, unknown>),
      };
    } catch (error) {
      if (!(error instanceof PlatenError))
        this.#log.error({ printer, method, reason: reasonOf(error) }, 'an ask failed');
      const { code, message } =
        error instanceof PlatenError
          ? error.body
          : new PlatenError('request/internal', { reason: reasonOf(error) }).body;
      answer = { id, status: 'error', error: { code, message } };
    }
    await sendAnswer(this.#capabilities.link, topic, answer, (reason) =>
      this.#log.warn({ printer, method, reason }, 'an answer was not sent'),
    );
  }

  async #answer(
    printer: string,
    method: string,
    params: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const { fleet, troubles } = this.#capabilities;
    const limit = CENTER_LIMITS.answer_items_max;
    switch (method) {
      case 'history': {
        const code = typeof params['code'] === 'string' ? { code: params['code'] } : {};
        const { items } = await fleet.errors(printer, code, { limit, cursor: undefined });
        const details = await fleet.get(printer);
        return { items, rates: ratesOf(items), logs: details?.logs ?? [], changes: details?.changes ?? [] };
      }
      case 'troubles': {
        const { items } = await troubles.list({ printer }, { limit, cursor: undefined });
        return {
          open: items.filter(({ state }) => state === 'open' || state === 'escalated'),
          closed: items.filter(({ state }) => state !== 'open' && state !== 'escalated'),
        };
      }
      case 'verdict': {
        const details = await fleet.get(printer);
        if (!details?.verdictDocument)
          throw new PlatenError('request/not-found', { kind: 'verdict', id: printer });
        return { ...details.verdictDocument };
      }
      case 'options': {
        const details = await fleet.get(printer);
        if (!details?.structure)
          throw new PlatenError('request/not-found', { kind: 'structure', id: printer });
        return this.#options(printer, details.structure);
      }
      case 'chunk':
        return { ...(await readChunk(this.#capabilities.releases.dir, params)) };
      default:
        throw new PlatenError('request/unknown-method', { method });
    }
  }

  /** @throws PlatenError request/busy when the printer has used its share of computing */
  #options(printer: string, structure: Structure): Record<string, unknown> {
    const started_ms = performance.now();
    if (this.#share.wait(printer, started_ms) > 0) throw new PlatenError('request/busy');
    const options = this.#optionsOf(structure);
    const now_ms = performance.now();
    this.#share.took(printer, now_ms - started_ms, now_ms);
    return options;
  }
}
