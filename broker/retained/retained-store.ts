/**
 * Retained documents in memory. An exact topic is one map lookup; a wildcard walks a trie, and its cost depends on what
 * matches. Changes go to the backend in group writes: those that arrive during one write form the next.
 */
import type { QoS } from '../../mqtt/packet.ts';
import type { BackendDamage, RetainedBackend, RetainedChange } from './retained-backend.ts';

/** A retained document as the broker holds it. Never changed in place. */
export interface Retained {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: QoS;
}

interface Node {
  children: Map<string, Node> | undefined;
  retained: Retained | undefined;
}

interface Group {
  changes: Map<string, RetainedChange>;
  done: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

export interface RetainedLimits {
  retainedMax: number;
  retainedBytesMax: number;
}

const NONE: readonly string[] = [];

export class RetainedStore {
  readonly #limits: RetainedLimits;
  readonly #backend: RetainedBackend | undefined;
  readonly #documents = new Map<string, Node>();
  readonly #root: Node = { children: undefined, retained: undefined };
  #bytes = 0;
  #next: Group | undefined;
  #writing: Promise<void> | undefined;
  /** Called with the duration of each group write, in seconds. */
  onWritten: (seconds: number, changes: number) => void = () => {};

  constructor(limits: RetainedLimits, backend?: RetainedBackend) {
    this.#limits = limits;
    this.#backend = backend;
  }

  get size(): number {
    return this.#documents.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Loads everything from the backend. Returns the records that are not documents, by name. */
  async load(): Promise<Map<string, Buffer>> {
    const records = new Map<string, Buffer>();
    if (!this.#backend) return records;
    for await (const document of this.#backend.load()) {
      if (document.topic.startsWith('#')) records.set(document.topic, document.payload);
      else this.#put(document);
    }
    return records;
  }

  /** The damage the backend found. */
  get damage(): BackendDamage {
    return this.#backend?.damage ?? { repaired: 0, lost: 0, lostBytes: 0 };
  }

  /** Whether a backend makes changes durable. */
  get isDurable(): boolean {
    return this.#backend !== undefined;
  }

  /**
   * Writes or removes a record that is not a document; its name begins with `#`, which no topic can contain. Resolves
   * when that is durable. Needs a backend.
   */
  record(name: string, payload: Buffer | undefined): Promise<void> {
    const group = this.#group();
    group.changes.set(name, { topic: name, payload, qos: 0 });
    return group.done;
  }

  /** Settles when all changes of this turn of the event loop are durable; undefined when there are none. */
  get pending(): Promise<void> | undefined {
    return this.#next?.done;
  }

  get(topic: string): Retained | undefined {
    return this.#documents.get(topic)?.retained;
  }

  /** Whether a document of `bytes` for `topic` would exceed a limit. */
  full(topic: string, bytes: number): boolean {
    if (bytes === 0) return false;
    const known = this.get(topic);
    if (!known && this.#documents.size >= this.#limits.retainedMax) return true;
    return this.#bytes - (known?.payload.length ?? 0) + bytes > this.#limits.retainedBytesMax;
  }

  /**
   * Replaces a topic's document; an empty payload removes it [MQTT-3.3.1-10]. Visible at once, durable when the promise
   * resolves. Undefined when there is nothing to wait for.
   */
  set(topic: string, payload: Buffer, qos: QoS): Promise<void> | undefined {
    if (payload.length === 0) {
      if (!this.#delete(topic)) return undefined;
    } else {
      this.#put({ topic, payload: owned(payload), qos });
      if (this.#backend?.lasts?.(topic) && !this.#next?.changes.has(topic)) return undefined;
    }
    if (!this.#backend) return undefined;
    const group = this.#group();
    const kept = this.get(topic);
    group.changes.set(topic, { topic, payload: kept?.payload, qos });
    return group.done;
  }

  /** Replaces a document in memory only, for values that are meaningless after a restart. */
  keep(topic: string, payload: Buffer): void {
    this.#put({ topic, payload: owned(payload), qos: 0 });
  }

  /** A snapshot of the topics that match a filter. */
  match(filter: string): readonly string[] {
    if (filter.indexOf('+') < 0 && filter.indexOf('#') < 0) {
      return this.#documents.has(filter) ? [filter] : NONE;
    }
    const found: string[] = [];
    descend(this.#root, filter.split('/'), 0, found);
    return found;
  }

  /** Resolves when everything is written and the backend is closed. */
  async close(): Promise<void> {
    while (this.#writing) await this.#writing;
    await this.#backend?.close?.();
  }

  #put(document: Retained): void {
    let at = this.#documents.get(document.topic);
    if (!at) {
      at = this.#root;
      for (const level of document.topic.split('/')) {
        at.children ??= new Map();
        let child: Node | undefined = at.children.get(level);
        if (!child) {
          child = { children: undefined, retained: undefined };
          at.children.set(level, child);
        }
        at = child;
      }
      this.#documents.set(document.topic, at);
    }
    this.#bytes += document.payload.length - (at.retained?.payload.length ?? 0);
    at.retained = document;
  }

  #delete(topic: string): boolean {
    const found = this.#documents.get(topic);
    if (!found) return false;
    this.#bytes -= found.retained?.payload.length ?? 0;
    found.retained = undefined;
    this.#documents.delete(topic);
    const levels = topic.split('/');
    const path: Node[] = [this.#root];
    for (const level of levels) {
      const next = path[path.length - 1]?.children?.get(level);
      if (!next) return true;
      path.push(next);
    }
    for (let depth = path.length - 1; depth > 0; depth--) {
      const at = path[depth] as Node;
      if (at.retained || at.children) break;
      const parent = path[depth - 1] as Node;
      parent.children?.delete(levels[depth - 1] as string);
      if (parent.children?.size === 0) parent.children = undefined;
    }
    return true;
  }

  #group(): Group {
    if (this.#next) return this.#next;
    let resolve = () => {};
    let reject: (error: unknown) => void = () => {};
    const done = new Promise<void>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    // Callers see the rejection. Without callers (QoS 0) it must not crash the process.
    done.catch(() => {});
    this.#next = { changes: new Map(), done, resolve, reject };
    this.#writing ??= this.#writeAll();
    return this.#next;
  }

  async #writeAll(): Promise<void> {
    // Collects the changes of this turn of the event loop.
    await new Promise<void>((resume) => setImmediate(resume));
    while (this.#next) {
      const group = this.#next;
      this.#next = undefined;
      const started = performance.now();
      try {
        await this.#backend?.write([...group.changes.values()]);
        group.resolve();
      } catch (error) {
        group.reject(error);
      }
      this.onWritten((performance.now() - started) / 1000, group.changes.size);
    }
    this.#writing = undefined;
  }
}

/** Copies a payload unless it owns its whole buffer: a slice would retain the entire chunk. */
export function owned(payload: Buffer): Buffer {
  if (payload.buffer.byteLength <= payload.length * 2 + 64) return payload;
  const copy = Buffer.allocUnsafeSlow(payload.length);
  payload.copy(copy);
  return copy;
}

function descend(at: Node, levels: string[], depth: number, found: string[]): void {
  if (depth === levels.length) {
    if (at.retained) found.push(at.retained.topic);
    return;
  }
  const level = levels[depth] as string;
  if (level === '#') {
    collect(at, depth === 0, found);
    return;
  }
  if (level !== '+') {
    const child = at.children?.get(level);
    if (child) descend(child, levels, depth + 1, found);
    return;
  }
  if (!at.children) return;
  for (const [name, child] of at.children) {
    if (depth === 0 && name.startsWith('$')) continue;
    descend(child, levels, depth + 1, found);
  }
}

/** Everything at and below a node. */
function collect(at: Node, root: boolean, found: string[]): void {
  if (at.retained) found.push(at.retained.topic);
  if (!at.children) return;
  for (const [name, child] of at.children) {
    if (root && name.startsWith('$')) continue;
    collect(child, false, found);
  }
}
