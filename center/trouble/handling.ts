/**
 * What operators do about open troubles: acknowledge, assign and snooze them. A snooze ends by itself: one timer waits
 * for the next end, and the store keeps all of them across restarts.
 */
import type { Logger } from 'pino';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type { Trouble } from '../../schemas/types.ts';
import type { Handled, TroubleHandling } from '../queries.ts';
import { isOpen, type TroubleAct, type TroubleRow, troubleOf } from './rows.ts';
import type { TroubleSaver } from './saver.ts';
import type { TroubleStore } from './store.ts';
import type { TroubleWriter } from './writer.ts';

export interface HandlingParts {
  store: TroubleStore;
  saver: TroubleSaver;
  writer: TroubleWriter;
  log: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Longest delay of a timer. It also bounds the error when the clock is set meanwhile. */
const TIMER_MS_MAX = 3_600_000;
const RETRY_MS = 5_000;

function marked({ by, reason }: Handled, at: string): { by: string; at: string; reason?: string } {
  return { by, at, ...(reason ? { reason } : {}) };
}

export class Handling implements TroubleHandling {
  readonly #parts: HandlingParts;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: HandlingParts) {
    this.#parts = parts;
  }

  /** Ends snoozes that are over, and waits for the next. */
  start(): Promise<void> {
    return this.settle(this.#parts.now());
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  acknowledge(id: string, how: Handled): Promise<Trouble> {
    return this.#act(id, 'acknowledged', how, (_row, at) => ({ acknowledged: marked(how, at) }));
  }

  unacknowledge(id: string, how: Handled): Promise<Trouble> {
    return this.#act(id, 'unacknowledged', how, ({ acknowledged }) => {
      if (!acknowledged) throw new PlatenError('request/conflict', { reason: 'Nobody has acknowledged it' });
      return { acknowledged: null };
    });
  }

  assign(id: string, owner: string | undefined, how: Handled): Promise<Trouble> {
    return this.#act(id, owner === undefined ? 'unassigned' : 'assigned', how, (row) => {
      if (owner === undefined && row.owner === null) {
        throw new PlatenError('request/conflict', { reason: 'It has no owner' });
      }
      return { owner: owner ?? null };
    });
  }

  async snooze(id: string, until: Date, how: Handled): Promise<Trouble> {
    const trouble = await this.#act(id, 'snoozed', how, (_row, at) => ({
      snoozed: { ...marked(how, at), until: until.toISOString() },
    }));
    await this.#wait();
    return trouble;
  }

  wake(id: string, how: Handled): Promise<Trouble> {
    return this.#act(id, 'awake', how, ({ snoozed }) => {
      if (!snoozed) throw new PlatenError('request/conflict', { reason: 'It is not snoozed' });
      return { snoozed: null };
    });
  }

  #act(
    id: string,
    act: TroubleAct,
    { by }: Handled,
    change: (row: TroubleRow, at: string) => Partial<TroubleRow>,
  ): Promise<Trouble> {
    const { store, saver, writer, now } = this.#parts;
    return saver.inTurn(async () => {
      const at = new Date(now()).toISOString();
      const row = await store.transaction(async (client) => {
        const found = (await store.byId([id], client)).get(id);
        if (!found) throw new PlatenError('request/not-found', { kind: 'trouble', id });
        if (!isOpen(found)) {
          throw new PlatenError('request/conflict', { reason: `The trouble is ${found.state} already` });
        }
        const changed = { ...found, ...change(found, at), updated_at: at };
        await store.put(client, [changed]);
        return changed;
      });
      if (!(await writer.tellActs([{ act, row, by }]))) saver.publishDueSoon();
      return troubleOf(row);
    });
  }

  /** Ends the snoozes that are over at `now` (ms). Troubles that ended meanwhile cause no event. */
  async settle(now: number): Promise<void> {
    const { store, saver, writer } = this.#parts;
    await saver.inTurn(async () => {
      const at = new Date(now).toISOString();
      const awake = await store.transaction(async (client) => {
        const over = await store.snoozedUntil(new Date(now), client);
        const rows = over.map((row): TroubleRow => ({ ...row, snoozed: null, updated_at: at }));
        await store.put(client, rows);
        return rows;
      });
      const told = awake.filter(isOpen).map((row) => ({ act: 'awake' as const, row }));
      if (!(await writer.tellActs(told))) saver.publishDueSoon();
    });
    await this.#wait();
  }

  async #wait(): Promise<void> {
    const { store, now, log } = this.#parts;
    const next_ms = await store.nextAwake();
    clearTimeout(this.#timer);
    if (next_ms === undefined || this.#stopped) return;
    const settle = () => {
      this.settle(now()).catch((error: unknown) => {
        log.error({ reason: reasonOf(error) }, 'cannot end expired snoozes');
        if (!this.#stopped) this.#timer = setTimeout(settle, RETRY_MS).unref();
      });
    };
    this.#timer = setTimeout(settle, Math.min(Math.max(next_ms - now(), 0), TIMER_MS_MAX)).unref();
  }
}
