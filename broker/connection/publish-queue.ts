/**
 * The publishes of one client between reading and acknowledgement. They go to the center in the order of arrival, and
 * several may be in flight there; they are routed and acknowledged in that order too ([MQTT-4.6.0-2], [MQTT-4.6.0-5]).
 * The queue belongs to the client and not to its connection: the will of an old connection must not be routed after
 * the first publishes of its successor.
 */
import type { Answer } from '../embedding.ts';
import type { Message } from '../routing/message.ts';

/** Called when a message may be acknowledged; with an error if it failed and the client must send it again. */
export type Acknowledge = (error?: Error) => void;

/** What a queue needs from the broker. */
export interface PublishQueueOwner {
  /** Delivers and retains. The promise, if any, settles when that is durable. */
  route(message: Message): Promise<void> | undefined;
  /** The waiting payload bytes changed by `bytes`. */
  held(bytes: number): void;
  /** The queue became empty, or stopped being empty. */
  queueChanged(queue: PublishQueue): void;
}

interface Entry {
  message: Message | undefined;
  acknowledge: Acknowledge;
  state: 'asked' | 'answered' | 'routed' | 'durable';
  refused: boolean;
  error: Error | undefined;
}

export class PublishQueue {
  readonly key: string;
  readonly #owner: PublishQueueOwner;
  readonly #entries: Entry[] = [];
  /** Entries before this one are routed. */
  #routed = 0;
  #bytes = 0;

  constructor(owner: PublishQueueOwner, key: string) {
    this.#owner = owner;
    this.key = key;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Waiting payload bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a message. `answer` comes from the center; undefined when the message is not for the center. Without a message
   * the entry is only an acknowledgement that must keep its place in the order.
   */
  push(message: Message | undefined, acknowledge: Acknowledge, answer: Answer | undefined): void {
    if (!answer && this.#entries.length === 0) {
      const durable = message && this.#owner.route(message);
      if (!durable) {
        acknowledge();
        return;
      }
      const entry = this.#append({ message, acknowledge, state: 'routed', refused: false, error: undefined });
      this.#routed++;
      this.#await(entry, durable, 'durable');
      return;
    }
    const state = answer ? 'asked' : 'answered';
    const entry = this.#append({ message, acknowledge, state, refused: false, error: undefined });
    if (answer) this.#await(entry, answer, 'answered');
  }

  #hold(bytes: number): void {
    this.#bytes += bytes;
    this.#owner.held(bytes);
  }

  #append(entry: Entry): Entry {
    this.#entries.push(entry);
    this.#hold(entry.message?.payload.length ?? 0);
    if (this.#entries.length === 1) this.#owner.queueChanged(this);
    return entry;
  }

  #await(entry: Entry, settled: Answer | Promise<void>, next: Entry['state']): void {
    settled.then(
      (disposition: unknown) => {
        entry.refused = disposition === 'refused';
        entry.state = next;
        this.#advance();
      },
      (error: unknown) => {
        entry.error = error instanceof Error ? error : new Error(String(error));
        entry.state = 'durable';
        this.#advance();
      },
    );
  }

  #advance(): void {
    const entries = this.#entries;
    for (; this.#routed < entries.length; this.#routed++) {
      const entry = entries[this.#routed] as Entry;
      if (entry.state === 'asked') break;
      if (entry.state === 'durable') continue;
      entry.state = 'durable';
      const durable = entry.message && !entry.refused ? this.#owner.route(entry.message) : undefined;
      if (!durable) continue;
      entry.state = 'routed';
      this.#await(entry, durable, 'durable');
    }
    let done = 0;
    while (done < this.#routed && (entries[done] as Entry).state === 'durable') done++;
    if (done === 0) return;
    if (done === 1) {
      // The usual case: answers arrive one by one.
      const { message, acknowledge, error } = entries.shift() as Entry;
      this.#routed--;
      this.#hold(-(message?.payload.length ?? 0));
      if (entries.length === 0) this.#owner.queueChanged(this);
      acknowledge(error);
      return;
    }
    const finished = entries.splice(0, done);
    this.#routed -= done;
    for (const { message } of finished) this.#hold(-(message?.payload.length ?? 0));
    if (entries.length === 0) this.#owner.queueChanged(this);
    for (const { acknowledge, error } of finished) acknowledge(error);
  }
}
