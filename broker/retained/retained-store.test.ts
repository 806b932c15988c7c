import { expect, test } from '@jest/globals';
import type { RetainedBackend, RetainedChange } from './retained-backend.ts';
import { RetainedStore } from './retained-store.ts';

const LIMITS = { retainedMax: 100, retainedBytesMax: 100_000 };

/** A backend that already has every topic ending in `/kept`, unless it was emptied. */
class PartlyKept implements RetainedBackend {
  readonly written: [string, string | undefined][] = [];
  readonly #emptied = new Set<string>();

  async *load() {}

  async write(changes: RetainedChange[]): Promise<void> {
    for (const { topic, payload } of changes) {
      this.written.push([topic, payload?.toString()]);
      if (payload === undefined) this.#emptied.add(topic);
      else this.#emptied.delete(topic);
    }
  }

  lasts(topic: string): boolean {
    return topic.endsWith('/kept') && !this.#emptied.has(topic);
  }
}

test('a document that lasts already is seen and nobody waits for it', async () => {
  const backend = new PartlyKept();
  const store = new RetainedStore(LIMITS, backend);
  expect(store.set('a/kept', Buffer.from('1'), 1)).toBeUndefined();
  expect(store.get('a/kept')?.payload.toString()).toBe('1');
  await store.set('a/other', Buffer.from('2'), 1);
  expect(backend.written).toEqual([['a/other', '2']]);
});

test('a document that was emptied is written when there is one again, also while the emptying still waits', async () => {
  const backend = new PartlyKept();
  const store = new RetainedStore(LIMITS, backend);
  expect(store.set('a/kept', Buffer.from('1'), 1)).toBeUndefined();
  const emptied = store.set('a/kept', Buffer.alloc(0), 1);
  await Promise.all([emptied, store.set('a/kept', Buffer.from('2'), 1)]);
  expect(backend.written).toEqual([['a/kept', '2']]);
  await store.set('a/kept', Buffer.alloc(0), 1);
  await store.set('a/kept', Buffer.from('3'), 1);
  expect(backend.written.slice(1)).toEqual([
    ['a/kept', undefined],
    ['a/kept', '3'],
  ]);
  expect(store.set('a/kept', Buffer.from('4'), 1)).toBeUndefined();
});
