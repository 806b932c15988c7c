import fc from 'fast-check';
import type { PrinterEvent } from './driver.ts';
import { cleanEvent } from './entry.ts';
import { ENTRY_DETAIL_BYTES_MAX } from './limits.ts';
import { MemoryLog, storedEntry } from './log-memory.ts';

const NOW = Date.parse('2026-11-22T07:00:00Z');

function event(code = 'J-1', detail?: object): PrinterEvent {
  return { at: '2026-11-22T07:00:00Z', code, severity: 'error', detail };
}

const seqs = (memory: MemoryLog, from = 1) =>
  memory.read(from, 1_000_000, Number.POSITIVE_INFINITY).map(({ seq }) => seq);

test('numbers from 1, keeps the order, holds what was said', () => {
  const memory = new MemoryLog();
  expect([memory.first, memory.last]).toEqual([1, 0]);
  memory.append(event('A'), NOW);
  memory.append(event('B'), NOW);
  expect([memory.first, memory.last, memory.durable]).toEqual([1, 2, 2]);
  expect(JSON.parse(memory.read(2, 10, 1_000)[0]?.text ?? '')).toMatchObject({ seq: 2, code: 'B' });
});

test('the oldest gives way; what the center lacked of it is counted as lost', () => {
  const memory = new MemoryLog({ entriesMax: 4 });
  for (let n = 0; n < 4; n++) memory.append(event(), NOW);
  memory.acknowledge(2);
  for (let n = 0; n < 4; n++) memory.append(event(), NOW);
  expect(seqs(memory)).toEqual([5, 6, 7, 8]);
  expect(memory.first).toBe(5);
  expect(memory.lost).toBe(2);
});

test('bytes bound it as well as entries', () => {
  const memory = new MemoryLog({ bytesMax: 1_024 });
  for (let n = 0; n < 100; n++) memory.append(event('A', { text: 'x'.repeat(200) }), NOW);
  expect(seqs(memory)).toEqual([98, 99, 100]);
  expect(memory.fullness(97)).toBeGreaterThan(0.7);
});

test('an acknowledged entry can be read again until its room is needed, or not, as one likes', () => {
  const keeping = new MemoryLog();
  const freeing = new MemoryLog({ freeAcknowledged: true });
  for (const memory of [keeping, freeing]) {
    for (let n = 0; n < 3; n++) memory.append(event(), NOW);
    memory.acknowledge(2);
  }
  expect(seqs(keeping)).toEqual([1, 2, 3]);
  expect(seqs(freeing)).toEqual([3]);
  expect(freeing.first).toBe(3);
});

test('reads at least one entry, however small the limit, and no more than the limits', () => {
  const memory = new MemoryLog();
  for (let n = 0; n < 10; n++) memory.append(event(), NOW);
  const one = storedEntry(1, event()).bytes;
  expect(memory.read(1, 100, 1).map(({ seq }) => seq)).toEqual([1]);
  expect(memory.read(1, 100, 3 * (one + 1)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  expect(memory.read(4, 2, 1_000).map(({ seq }) => seq)).toEqual([4, 5]);
  expect(memory.read(11, 2, 1_000)).toEqual([]);
});

test('refuses limits that make no sense', () => {
  expect(() => new MemoryLog({ entriesMax: 0 })).toThrow(RangeError);
  expect(() => new MemoryLog({ bytesMax: 10 })).toThrow(RangeError);
});

test('behaves like a list that is cut at its front (model-based)', () => {
  const step = fc.oneof(
    fc.record({ append: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ acknowledge: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ read: fc.integer({ min: 0, max: 60 }) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 40 }), (entriesMax, steps) => {
      const memory = new MemoryLog({ entriesMax });
      let model: number[] = [];
      let [last, acknowledged, lost] = [0, 0, 0];
      for (const one of steps) {
        if ('append' in one) {
          for (let n = 0; n < one.append; n++) {
            memory.append(event(), NOW);
            last++;
            model.push(last);
            const gone = model.slice(0, Math.max(0, model.length - entriesMax));
            lost += gone.filter((seq) => seq > acknowledged).length;
            model = model.slice(gone.length);
          }
        } else if ('acknowledge' in one) {
          acknowledged = Math.floor(one.acknowledge * last);
          memory.acknowledge(acknowledged);
        } else {
          expect(seqs(memory, one.read)).toEqual(model.filter((seq) => seq >= one.read));
        }
        expect(memory.first).toBe(model[0] ?? last + 1);
        expect(memory.last).toBe(last);
        expect(memory.lost).toBe(lost);
      }
    }),
    { seed: 20261122, numRuns: 300 },
  );
});

test('mends what a driver reports so that the center takes it', () => {
  const clean = cleanEvent(
    {
      at: '2026-11-22T09:00:00+02:00',
      code: 'x'.repeat(100),
      severity: 'terrible' as PrinterEvent['severity'],
      unit: 'no:colon',
      pages: 12.4,
      detail: { text: 'y'.repeat(ENTRY_DETAIL_BYTES_MAX) },
    },
    NOW,
  );
  expect(clean).toEqual({
    at: '2026-11-22T07:00:00.000Z',
    code: 'x'.repeat(64),
    severity: 'error',
    pages: 12,
    detail: { truncated: true, bytes: ENTRY_DETAIL_BYTES_MAX + 11 },
  });
  expect(cleanEvent({ at: 'yesterday', code: '', severity: 'info', pages: -1 }, NOW)).toEqual({
    at: '2026-11-22T07:00:00.000Z',
    code: 'unknown',
    severity: 'info',
  });
});
