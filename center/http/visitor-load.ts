/**
 * Limits the load of one visitor outside the dispatcher: bodies being received, and lists being sent. Pure: time is
 * passed in.
 */
import { PlatenError } from '../../schemas/errors.ts';

export interface VisitorLoadLimits {
  requests_max: number;
  /** Bytes of bodies being received or processed, of one visitor and of all. */
  bytes_max: number;
  bytes_total_max: number;
  /** Rate of parsed body bytes: parsing blocks the event loop. */
  bytes_per_second_max: number;
  bytes_burst_max: number;
  lists_max: number;
  lists_total_max: number;
}

interface Taken {
  requests: number;
  bytes: number;
  lists: number;
  /** Bytes that may be parsed now (token bucket). */
  credit: number;
  at_ms: number;
}

export class VisitorLoad {
  readonly #limits: VisitorLoadLimits;
  /** By name, so there are at most as many as accounts. */
  readonly #visitors = new Map<string, Taken>();
  #bytes = 0;
  #lists = 0;
  /** Requests answered request/busy, by reason. */
  readonly refused = { requests: 0, bytes: 0, 'bytes-total': 0, 'bytes-rate': 0, lists: 0 };

  constructor(limits: VisitorLoadLimits) {
    this.#limits = limits;
  }

  /**
   * Admits a request before its body is read. Call the returned function once, at the end of the response.
   * @param bytes the most that the body may have
   * @throws PlatenError request/busy
   */
  enter(name: string, bytes: number, now_ms: number): () => void {
    const { requests_max, bytes_max, bytes_total_max } = this.#limits;
    const taken = this.#of(name, now_ms);
    if (taken.requests >= requests_max) this.#refuse('requests');
    if (bytes > 0 && taken.credit <= 0) this.#refuse('bytes-rate');
    if (taken.bytes + bytes > bytes_max) this.#refuse('bytes');
    if (this.#bytes + bytes > bytes_total_max) this.#refuse('bytes-total');
    taken.requests += 1;
    taken.bytes += bytes;
    this.#bytes += bytes;
    return () => {
      taken.requests -= 1;
      taken.bytes -= bytes;
      this.#bytes -= bytes;
    };
  }

  /** Charges a received body. Until a debt is paid back no other body is read. */
  charge(name: string, bytes: number, now_ms: number): void {
    this.#of(name, now_ms).credit -= bytes;
  }

  /**
   * Admits a whole list. Call the returned function when it was read or abandoned.
   * @throws PlatenError request/busy
   */
  list(name: string, now_ms: number): () => void {
    const taken = this.#of(name, now_ms);
    const { lists_max, lists_total_max } = this.#limits;
    if (taken.lists >= lists_max || this.#lists >= lists_total_max) this.#refuse('lists');
    taken.lists += 1;
    this.#lists += 1;
    return () => {
      taken.lists -= 1;
      this.#lists -= 1;
    };
  }

  #refuse(why: keyof VisitorLoad['refused']): never {
    this.refused[why] += 1;
    throw new PlatenError('request/busy');
  }

  #of(name: string, now_ms: number): Taken {
    const { bytes_burst_max, bytes_per_second_max } = this.#limits;
    let taken = this.#visitors.get(name);
    if (!taken) {
      taken = { requests: 0, bytes: 0, lists: 0, credit: bytes_burst_max, at_ms: now_ms };
      this.#visitors.set(name, taken);
    }
    const passed_ms = Math.max(0, now_ms - taken.at_ms);
    taken.credit = Math.min(bytes_burst_max, taken.credit + (passed_ms / 1_000) * bytes_per_second_max);
    taken.at_ms = now_ms;
    return taken;
  }
}
