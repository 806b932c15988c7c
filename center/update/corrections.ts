/**
 * Corrections that follow from verdicts (claim 12). When the remedy is software alone, or a spare unit that is already in
 * the printer (claim 16), the printer joins the campaign for its misfit and cure. A remedy that needs hands is left to
 * people: the verdict names it. Structures and reports about orders pass through here too, so that a verdict never
 * overtakes them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Serial, SerialByKey } from '../../base/serial.ts';
import { reasonOf } from '../../schemas/errors.ts';
import type { Structure, UpdateReport, Verdict } from '../../schemas/types.ts';
import type { Conclusion } from '../conclusions.ts';
import type { Answer, Question } from './campaigns/campaign-asks.ts';
import { type Misfit, misfitOf } from './campaigns/misfit.ts';
import { correctionMode, type RolloutSettings } from './campaigns/rollout-settings.ts';
import { misfitQuestion, type UnaskedMisfit } from './campaigns/unasked-misfits.ts';
import { ASK_AGAIN_MS, REFUSALS_REMEMBERED_MAX, UNASKED_PAGE } from './limits.ts';
import type { OrderService } from './orders/order-service.ts';

/** How long messages are collected before one query finds the orders of all their printers. */
const LOOK_PATIENCE_MS = 50;

/** How long misfits are collected before their campaigns are asked. */
const ASK_PATIENCE_MS = 30;
const TITLE_CHARACTERS_MAX = 200;

/** A printer whose verdict asks for a correction. */
interface Wish {
  printer: string;
  structure: Structure;
  catalog: string;
  misfit: Misfit;
}

/** Printers with the same misfit, and whether their campaign needs approval. */
interface WishGroup {
  wishes: Wish[];
  mode: 'automatic' | 'propose';
  confirm: boolean;
}

/** What corrections need from other parts. */
export interface CorrectionSources {
  settings(): Promise<RolloutSettings>;
  /** Whether corrections under this catalog wait for approval. */
  isHeld(catalog: string): Promise<boolean>;
  ask(question: Question): Promise<Answer>;
  /** A page of misfits that no campaign was asked about since their verdict, in order of printers. */
  unasked(after: string, limit: number): Promise<{ unasked: UnaskedMisfit[]; next?: string }>;
  tell(what: string, data: Record<string, unknown>): void;
}

/** Work that a message from a printer causes. */
interface Task {
  what: string;
  /** @param executions those of the printer that had not ended when it came */
  work: (executions: readonly string[]) => Promise<unknown>;
  /** It moves an order on that is there; without one nothing is to be done. */
  forOrder: boolean;
}

export class Corrections {
  readonly #orders: OrderService;
  readonly #log: Logger;
  /** Work by printer, one after the other: a verdict must not overtake the structure it was made on. */
  readonly #turns = new SerialByKey();
  /**
   * What came, in its order, from printers of which it isn't known yet whether they have an order. In a storm nearly
   * none of them has.
   */
  #arrivals = new Map<string, Task[]>();
  /** The part of it that the query in progress is about. */
  #asked = new Map<string, Task[]>();
  /** Ends when it is known of all that came until now; looks follow one another. */
  readonly #looks = new Serial();

  readonly #sources: CorrectionSources;
  #wishes: Wish[] = [];
  #correcting: Promise<void> | undefined;
  /** Questions that failed and wait for their next try. */
  readonly #retries = new Set<NodeJS.Timeout>();
  /** Resolves when the misfits that the last run left unasked have been asked about. */
  #catchingUp: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  #started = false;
  #looksWaiting = 0;
  /** Why nobody got a correction, as it was told last, by misfit. */
  readonly #refused = new Map<string, string>();

  constructor(orders: OrderService, sources: CorrectionSources, log: Logger) {
    this.#orders = orders;
    this.#sources = sources;
    this.#log = log;
  }

  /** Acts on what other parts concluded. */
  hear(conclusion: Conclusion): void {
    switch (conclusion.kind) {
      case 'structure':
        this.onStructure(conclusion.printer, conclusion.structure);
        break;
      case 'verdict':
        this.onVerdict(conclusion.printer, conclusion.structure, conclusion.verdict);
        break;
      case 'update-report':
        this.onUpdateReport(conclusion.printer, conclusion.report);
        break;
      case 'presence':
        this.onPresence(conclusion.printer, conclusion.online);
        break;
    }
  }

  /** Runs work for a printer after everything that came from it before. */
  #then(printer: string, what: string, work: () => Promise<unknown>): void {
    const waiting = this.#arrivals.get(printer) ?? this.#asked.get(printer);
    if (waiting) waiting.push({ what, work, forOrder: false });
    else this.#inTurn(printer, what, work);
  }

  #inTurn(printer: string, what: string, work: () => Promise<unknown>): void {
    this.#turns
      .run(printer, work)
      .catch((error: unknown) =>
        this.#log.error({ printer, what, reason: reasonOf(error) }, 'an order was not moved on'),
      );
  }

  onVerdict(printer: string, structure: Structure, verdict: Verdict): void {
    const misfit = misfitOf(verdict);
    if (misfit === undefined) return;
    this.#then(printer, 'verdict', () =>
      this.#correct({ printer, structure, catalog: verdict.catalog, misfit }),
    );
  }

  /** Asks for a printer's correction, in a batch with others. */
  #correct(wish: Wish): Promise<void> {
    this.#wishes.push(wish);
    this.#correcting ??= sleep(ASK_PATIENCE_MS).then(() => {
      const wishes = this.#wishes;
      this.#wishes = [];
      this.#correcting = undefined;
      return this.#correctAll(wishes);
    });
    return this.#correcting;
  }

  /** One question to the campaigns for each pair. A question that fails is asked again later. */
  async #correctAll(wishes: readonly Wish[]): Promise<void> {
    let groups: WishGroup[];
    try {
      groups = await this.#grouped(wishes);
    } catch (error) {
      this.#askLater(wishes, error);
      return;
    }
    for (const group of groups) {
      try {
        await this.#ask(group);
      } catch (error) {
        this.#askLater(group.wishes, error);
      }
    }
  }

  #askLater(wishes: readonly Wish[], error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const printers = wishes.map(({ printer }) => printer);
    this.#log.warn(
      { printers: printers.slice(0, 5), count: printers.length, reason: reasonOf(error) },
      'corrections could not be asked for; the next try follows',
    );
    const timer = setTimeout(() => {
      this.#retries.delete(timer);
      for (const wish of wishes) this.#then(wish.printer, 'verdict', () => this.#correct(wish));
    }, ASK_AGAIN_MS);
    this.#retries.add(timer);
  }

  /** Groups wishes that ask the same under the same conditions. */
  async #grouped(wishes: readonly Wish[]): Promise<WishGroup[]> {
    const { settings, isHeld } = this.#sources;
    const rollout = await settings();
    const held = new Map<string, boolean>();
    const groups = new Map<string, WishGroup>();
    for (const wish of wishes) {
      const { printer, structure, misfit, catalog } = wish;
      const mode = correctionMode(rollout, printer, structure, misfit.wrong);
      if (mode === 'off') continue;
      const confirm = held.get(catalog) ?? (await isHeld(catalog));
      held.set(catalog, confirm);
      const name = `${misfit.key} ${mode} ${confirm}`;
      const group = groups.get(name);
      if (group) group.wishes.push(wish);
      else groups.set(name, { wishes: [wish], mode, confirm });
    }
    return [...groups.values()];
  }

  async #ask({ wishes, mode, confirm }: WishGroup): Promise<void> {
    const [first] = wishes;
    if (first === undefined) return;
    const { wrong, mends, key } = first.misfit;
    const printers = wishes.map(({ printer }) => printer);
    const answer = await this.#sources.ask({
      key: misfitQuestion(key),
      request: {
        title: `correction: ${mends.join(', ')}`.slice(0, TITLE_CHARACTERS_MAX),
        printers,
        misfit: key,
        cause: { kind: 'verdict', catalog: first.catalog, wrong, mends },
      },
      mode,
      confirm,
    });
    if (answer.why !== undefined) {
      this.#log.warn(
        { printers: printers.slice(0, 5), campaign: answer.campaign },
        `no correction: ${answer.why}`,
      );
    }
    this.#tellRefusal(key, mends, printers, answer);
  }

  /** Tells operators once that nobody gets a correction, and why. */
  #tellRefusal(key: string, mends: string[], printers: string[], { outcome, why }: Answer): void {
    if (outcome !== 'nobody' || why === undefined) {
      this.#refused.delete(key);
      return;
    }
    if (this.#refused.get(key) === why) return;
    if (this.#refused.size >= REFUSALS_REMEMBERED_MAX) this.#refused.clear();
    this.#refused.set(key, why);
    this.#sources.tell('not-corrected', {
      mends,
      reason: why,
      printers: printers.length,
      examples: printers.slice(0, 5),
    });
  }

  /** Asks about misfits whose verdict was stored by a run that was killed before it could ask. */
  async #askUnasked(): Promise<void> {
    const { signal } = this.#stopping;
    for (let after: string | undefined = ''; after !== undefined && !signal.aborted; ) {
      try {
        const page = await this.#sources.unasked(after, UNASKED_PAGE);
        for (const { printer, structure, verdict } of page.unasked)
          this.onVerdict(printer, structure, verdict);
        after = page.next;
      } catch (error) {
        if (signal.aborted) return;
        this.#log.warn({ reason: reasonOf(error) }, 'misfits could not be read; the next try follows');
        await sleep(ASK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  onStructure(printer: string, structure: Structure): void {
    this.#ifOrdered(printer, 'structure', (executions) => this.#orders.onStructure(structure, executions));
  }

  onUpdateReport(printer: string, report: UpdateReport): void {
    this.#then(printer, 'report', () => this.#orders.onUpdateReport(printer, report));
  }

  onPresence(printer: string, online: boolean): void {
    // Going changes nothing: an order waits for progress, however it is missing.
    if (online) this.#ifOrdered(printer, 'presence', (executions) => this.#orders.onOnline(executions));
  }

  /** The same as `#then`, for what concerns only a printer that has an order. */
  #ifOrdered(printer: string, what: string, work: (executions: readonly string[]) => Promise<unknown>): void {
    const task = { what, work, forOrder: true };
    const waiting = this.#arrivals.get(printer);
    if (waiting) {
      waiting.push(task);
      return;
    }
    if (this.#arrivals.size === 0) {
      this.#looks
        .run(() => this.#look())
        .catch((error: unknown) => this.#log.error({ reason: reasonOf(error) }, 'orders were not moved on'));
    }
    this.#arrivals.set(printer, [task]);
  }

  /** Finds which of the collected printers have an order, and runs their work. */
  async #look(): Promise<void> {
    await sleep(LOOK_PATIENCE_MS);
    const asked = this.#arrivals;
    this.#asked = asked;
    this.#arrivals = new Map();
    let ordered = new Map<string, string[]>();
    try {
      ordered = await this.#orders.store.activeIds([...asked.keys()]);
    } catch (error) {
      this.#log.error(
        { printers: asked.size, reason: reasonOf(error) },
        'messages about orders were not processed',
      );
    }
    this.#asked = new Map();
    for (const [printer, tasks] of asked) {
      const executions = ordered.get(printer);
      for (const { what, work, forOrder } of tasks) {
        if (executions || !forOrder) this.#inTurn(printer, what, () => work(executions ?? []));
      }
    }
  }

  /** Looks for misfits that were left unasked; doesn't wait for that. */
  start(): void {
    this.#started = true;
    this.askUnasked();
  }

  /** Looks again: what no campaign took may be taken now. Requests that come during a look share the next one. */
  askUnasked(): void {
    if (!this.#started || this.#looksWaiting > 0) return;
    this.#looksWaiting += 1;
    this.#catchingUp = this.#catchingUp.then(() => {
      this.#looksWaiting -= 1;
      return this.#askUnasked();
    });
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#retries) clearTimeout(timer);
    await this.#catchingUp;
    await this.#looks.idle();
    await this.#turns.idle();
  }
}
