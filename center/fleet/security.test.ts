import type { FleetEvents } from './events.ts';
import { SecurityNews } from './security.ts';

test('only so many a second are told; the next one says how many were not', () => {
  let now = 0;
  const told: unknown[] = [];
  const events = { tell: (...event: unknown[]) => told.push(event) } as unknown as FleetEvents;
  const news = new SecurityNews(events, () => now, 2);
  const refusal = { reason: 'bad-credentials', name: 'p', clientId: 'p', address: '127.0.0.1' };
  for (let turn = 0; turn < 5; turn++) news.tell(refusal, false);
  expect(told).toHaveLength(2);
  now = 1_000;
  news.tell(refusal, true);
  expect(told).toHaveLength(3);
  expect(told[0]).toEqual([
    'security',
    'bad-credentials',
    { data: expect.not.objectContaining({ untold: 3 }) },
  ]);
  expect(told[2]).toEqual([
    'security',
    'bad-credentials',
    { printer: 'p', data: expect.objectContaining({ untold: 3, address: '127.0.0.1' }) },
  ]);
});
