/**
 * Verdicts: every structure is judged against the current catalog; the verdict is stored, published as retained and
 * announced. Printers wait in a set, not in a list: of several structures of a printer only the newest is judged, and a
 * verdict never overtakes a newer one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { Serial } from '../../base/serial.ts';
import { reasonOf } from '../../schemas/errors.ts';
import { printerTopic } from '../../schemas/topics.ts';
import type { Structure, Verdict } from '../../schemas/types.ts';
import type { Conclude, Conclusion } from '../conclusions.ts';
import type { FleetEvents } from '../fleet/events.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Link } from '../link/link.ts';
import { giveWay } from './background-share.ts';
import { ComputeShare } from './compute-share.ts';

/** The outcome of judging and choosing for one structure, cached by the compatibility engine. */
export type Assessment = Pick<Verdict, 'status' | 'findings' | 'unknown' | 'remedy' | 'explanation'>;

/** The compatibility engine with its current catalog. */
export interface Assessor {
  /** Name of the catalog, '' when there is none. */
  readonly catalog: string;
  /**
   * Returns a promise when a remedy has to be chosen, which happens in another thread.
   * @param took called with the thread's time in milliseconds
   */
  assess(structure: Structure, took?: (ms: number) => void): Assessment | Promise<Assessment>;
  /** The earlier outcome for an equal structure; undefined when it has to be assessed. Takes microseconds. */
  known(structure: Structure): Assessment | undefined;
}

/** The durable store of verdicts. */
export interface VerdictStore {
  /** Stores a verdict, unless the printer has another structure by now. @returns the verdict before */
  putVerdict(printer: string, verdict: Verdict): Promise<{ stored: boolean; previous?: Verdict }>;
  currentStructure(printer: string): Promise<Structure | undefined>;
  /** Current structures without a verdict under this catalog, by printer id. */
  unjudgedPage(
    catalog: string,
    after: string,
    limit: number,
  ): Promise<{ printer: string; structure: Structure }[]>;
}

/** Longest time of judging without yielding to the event loop. */
const TURN_MS_MAX = 10;
/** Pause of a round through the fleet when the database did not answer. */
const REJUDGE_RETRY_MS = 1_000;

/** Whether two verdicts say the same of the same structure, apart from their times. */
export function saysTheSame(a: Verdict, b: Verdict): boolean {
  // Through JSON, so that what is undefined here and missing there counts as the same.
  const told = (verdict: Verdict) => JSON.parse(JSON.stringify({ ...verdict, at: undefined })) as object;
  return isDeepStrictEqual(told(a), told(b));
}

/** Whether a verdict differs from the one before only in the revision. */
function onlyRenames(previous: Verdict, verdict: Verdict): boolean {
  return (
    previous.structure.session === verdict.structure.session &&
    saysTheSame({ ...previous, structure: verdict.structure }, verdict)
  );
}

export class Verdicts {
  readonly #store: VerdictStore;
  readonly #assessor: () => Assessor;
  readonly #link: Link;
  readonly #events: FleetEvents;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #conclude: Conclude;
  /** Waiting printers, with the structure if at hand; otherwise it is read from the store. */
  readonly #waiting = new Map<string, Structure | undefined>();
  /** Printers that have used up their share of computing, with the structure to judge when they may go on. */
  readonly #held = new Map<string, { structure: Structure | undefined; timer: NodeJS.Timeout }>();
  readonly #share = new ComputeShare();
  /** Printers whose remedy is being chosen. */
  readonly #choosing = new Set<Promise<void>>();
  #working: Promise<void> | undefined;
  readonly #rejudging = new Serial();
  #stopped = false;

  constructor(parts: {
    store: VerdictStore;
    assessor: () => Assessor;
    link: Link;
    events: FleetEvents;
    conclude: Conclude;
    log: Logger;
    now: () => number;
  }) {
    this.#store = parts.store;
    this.#assessor = parts.assessor;
    this.#link = parts.link;
    this.#events = parts.events;
    this.#conclude = parts.conclude;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  /** Acts on what other parts concluded. */
  hear(conclusion: Conclusion): void {
    if (conclusion.kind === 'catalog') this.judgeFleet();
    if (conclusion.kind !== 'structure') return;
    const { printer, structure, judged } = conclusion;
    // A verdict names the revision it judges, so an unchanged revision gets a new verdict too.
    if (judged) this.concluded(printer, structure, judged.verdict, judged.previous);
    else this.judge(printer, structure);
  }

  /**
   * The verdict on a structure equal to one assessed under this catalog, at once, so that both can be stored together.
   * Undefined when it has to be judged.
   */
  known(structure: Structure): Verdict | undefined {
    const assessor = this.#assessor();
    const assessment = assessor.known(structure);
    return assessment && this.#verdictOf(structure, assessor.catalog, assessment);
  }

  /** A verdict from `known` was stored together with its structure and replaced `previous`. */
  concluded(printer: string, structure: Structure, verdict: Verdict, previous: Verdict | undefined): void {
    // Another catalog may be in force by now, whose round through the fleet came before this structure.
    if (verdict.catalog !== this.#assessor().catalog) this.judge(printer, structure);
    if (previous !== undefined && saysTheSame(previous, verdict)) return;
    this.#tell(printer, structure, verdict, previous).catch((error: unknown) =>
      this.#log.error({ printer, reason: reasonOf(error) }, 'cannot announce a verdict'),
    );
  }

  /** Judges a printer soon. */
  judge(printer: string, structure?: Structure): void {
    if (this.#stopped || this.#hold(printer, structure)) return;
    this.#waiting.set(printer, structure);
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** Holds back a printer's newest structure until its turn. */
  #hold(printer: string, structure: Structure | undefined): boolean {
    const held = this.#held.get(printer);
    if (held) {
      held.structure = structure;
      return true;
    }
    const wait_ms = this.#share.wait(printer, performance.now());
    if (wait_ms === 0) return false;
    const timer = setTimeout(() => {
      const { structure: newest } = this.#held.get(printer) ?? {};
      this.#held.delete(printer);
      this.judge(printer, newest);
    }, wait_ms + 1);
    timer.unref();
    this.#held.set(printer, { structure, timer });
    return true;
  }

  /** Judges the whole fleet again in the background, after the catalog changed or a start. */
  judgeFleet(): void {
    this.#rejudging
      .run(() => this.#judgeFleet())
      .catch((error: unknown) =>
        this.#log.error(
          { reason: reasonOf(error) },
          'the fleet was not judged again; the next start does it',
        ),
      );
  }

  async #judgeFleet(): Promise<void> {
    const { catalog } = this.#assessor();
    let after = '';
    while (!this.#stopped && this.#assessor().catalog === catalog) {
      const began_ms = performance.now();
      let page: { printer: string; structure: Structure }[];
      try {
        page = await this.#store.unjudgedPage(catalog, after, CENTER_LIMITS.rejudge_page_printers);
      } catch (error) {
        // The printers that have no verdict under this catalog are found again when the database is back.
        this.#log.warn({ reason: reasonOf(error) }, 'judging the fleet again is waiting for the database');
        await sleep(REJUDGE_RETRY_MS);
        continue;
      }
      if (page.length === 0) return;
      for (const { printer, structure } of page) {
        if (!this.#waiting.has(printer)) this.judge(printer, structure);
      }
      after = page.at(-1)?.printer ?? after;
      // One page at a time, so that structures that arrive now don't wait for the whole fleet.
      await this.#working;
      await giveWay(performance.now() - began_ms, () => this.#stopped);
    }
  }

  async #work(): Promise<void> {
    while (this.#waiting.size > 0 && !this.#stopped) {
      const batch = [...this.#waiting].slice(0, CENTER_LIMITS.verdict_page_printers);
      for (const [printer] of batch) this.#waiting.delete(printer);
      const stored: Promise<void>[] = [];
      let turn_ms = performance.now();
      for (const [printer, structure] of batch) {
        stored.push(this.#judgeOne(printer, structure));
        // Wait for room before holding more structures in memory.
        while (this.#choosing.size >= CENTER_LIMITS.choose_waiting_printers_max) {
          await Promise.race(this.#choosing);
        }
        // Choosing can take long: yield to the event loop in between.
        if (performance.now() - turn_ms > TURN_MS_MAX) {
          await new Promise(setImmediate);
          turn_ms = performance.now();
        }
      }
      await Promise.all(stored);
    }
  }

  /** Judges; if a remedy has to be chosen, returns once that has started. */
  async #judgeOne(printer: string, given: Structure | undefined): Promise<void> {
    try {
      const structure = given ?? (await this.#store.currentStructure(printer));
      if (!structure) return;
      const assessor = this.#assessor();
      const took = (ms: number): void => this.#share.took(printer, ms, performance.now());
      const started_ms = performance.now();
      const assessment = assessor.assess(structure, took);
      took(performance.now() - started_ms);
      if (assessment instanceof Promise) this.#storeLater(printer, structure, assessor.catalog, assessment);
      else await this.#storeVerdict(printer, structure, assessor.catalog, assessment);
    } catch (error) {
      this.#failed(printer, error);
    }
  }

  #failed(printer: string, error: unknown): void {
    this.#log.error(
      { printer, reason: reasonOf(error) },
      'a structure was not judged; the next start judges it',
    );
  }

  #storeLater(printer: string, structure: Structure, catalog: string, assessment: Promise<Assessment>): void {
    const concluded = assessment
      // While stopping, giving up is no answer: the next start judges it.
      .then((found) => (this.#stopped ? undefined : this.#storeVerdict(printer, structure, catalog, found)))
      .catch((error: unknown) => this.#failed(printer, error))
      .finally(() => this.#choosing.delete(concluded));
    this.#choosing.add(concluded);
  }

  /** Stores and announces a verdict, unless the printer has another structure by now: the newest verdict wins. */
  async #storeVerdict(
    printer: string,
    structure: Structure,
    catalog: string,
    assessment: Assessment,
  ): Promise<void> {
    const verdict = this.#verdictOf(structure, catalog, assessment);
    const { stored, previous } = await this.#store.putVerdict(printer, verdict);
    if (!stored) {
      // Another structure came meanwhile. It may be an equal one that nothing else causes to be judged.
      this.judge(printer);
      return;
    }
    // The round for another catalog may have passed this printer while it had no verdict.
    if (verdict.catalog !== this.#assessor().catalog) this.judge(printer);
    if (previous !== undefined && saysTheSame(previous, verdict)) return;
    await this.#tell(printer, structure, verdict, previous);
  }

  #verdictOf(structure: Structure, catalog: string, assessment: Assessment): Verdict {
    return {
      structure: { session: structure.session, revision: structure.revision },
      catalog,
      at: new Date(this.#now()).toISOString(),
      ...assessment,
      findings: assessment.findings.slice(0, CENTER_LIMITS.verdict_findings_max),
      unknown: assessment.unknown?.slice(0, CENTER_LIMITS.verdict_findings_max),
    };
  }

  async #tell(
    printer: string,
    structure: Structure,
    verdict: Verdict,
    previous: Verdict | undefined,
  ): Promise<void> {
    await this.#link.publish(printerTopic.verdict(printer), JSON.stringify(verdict), {
      qos: 1,
      retain: true,
    });
    if (previous?.status !== verdict.status || !isDeepStrictEqual(previous.findings, verdict.findings)) {
      const first = verdict.findings[0] ?? verdict.unknown?.[0];
      this.#events.tell('verdict', verdict.status, {
        printer,
        data: { findings: verdict.findings.length, first: first?.message, remedy: verdict.remedy },
      });
    }
    // No reason to act on an unchanged revision: what a printer refused, it would refuse every six hours.
    if (previous !== undefined && onlyRenames(previous, verdict)) return;
    this.#conclude({ kind: 'verdict', printer, structure, verdict });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#held.values()) clearTimeout(timer);
    await this.#working;
    await this.#rejudging.idle();
    await Promise.all(this.#choosing);
  }
}
