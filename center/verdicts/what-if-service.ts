/** Judges a printer with exchanged parts, for operators who plan an exchange. */
import { attainable } from '../../compatibility/index.ts';
import { PlatenError } from '../../schemas/errors.ts';
import type { PrintersWhatifReply } from '../../schemas/types.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { FleetQueries, WhatIfQueries } from '../queries.ts';
import type { Catalogs } from './catalogs.ts';
import type { Questions } from './questions.ts';
import type { Exchange } from './what-if.ts';

export class WhatIfService implements WhatIfQueries {
  readonly #catalogs: Pick<Catalogs, 'current'>;
  readonly #questions: Pick<Questions, 'whatIf'>;
  readonly #fleet: Pick<FleetQueries, 'get'>;
  readonly #now: () => number;

  /** @param now the center's clock, in milliseconds since the epoch */
  constructor(
    catalogs: Pick<Catalogs, 'current'>,
    questions: Pick<Questions, 'whatIf'>,
    fleet: Pick<FleetQueries, 'get'>,
    now: () => number,
  ) {
    this.#catalogs = catalogs;
    this.#questions = questions;
    this.#fleet = fleet;
    this.#now = now;
  }

  async ask(printer: string, exchange: Exchange): Promise<PrintersWhatifReply> {
    const { structure } = (await this.#fleet.get(printer)) ?? {};
    if (!structure) {
      throw new PlatenError('request/conflict', { reason: `"${printer}" has never sent its structure` });
    }
    const { current } = this.#catalogs;
    if (!current) throw new PlatenError('request/conflict', { reason: 'No catalog was put yet' });
    const {
      before,
      after,
      way,
      structure: changed,
    } = await this.#questions.whatIf(current, structure, exchange);
    const doable = attainable(way);
    const texts = [way.explanation, ...(way.suggestions ?? []).map(({ text }) => text)];
    const explanation = texts.filter((text) => text !== undefined && text !== '').join('\n');
    return {
      printer,
      before: before.status,
      verdict: {
        structure: { session: structure.session, revision: structure.revision },
        catalog: current.catalog,
        status: after.status,
        findings: after.findings.slice(0, CENTER_LIMITS.verdict_findings_max),
        unknown: after.unknown.slice(0, CENTER_LIMITS.verdict_findings_max),
        at: new Date(this.#now()).toISOString(),
      },
      structure: changed,
      outcome: way.outcome,
      ...(doable ? { remedy: doable.remedy, cost: doable.cost } : {}),
      ...(explanation === '' ? {} : { explanation }),
    };
  }
}
