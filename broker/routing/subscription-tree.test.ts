import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Subscription, SubscriptionTree } from './subscription-tree.ts';

/** Whether `filter` matches `topic` (4.7), level by level as the standard defines it. */
function matches(filter: string, topic: string): boolean {
  const [wanted, given] = [filter.split('/'), topic.split('/')];
  if (topic.startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return given.length >= index;
    if (index >= given.length || (level !== '+' && level !== given[index])) return false;
  }
  return wanted.length === given.length;
}

const level = fc.constantFrom('a', 'b', '', '$SYS');
const topics = fc.array(level, { minLength: 1, maxLength: 3 }).map((levels) => levels.join('/'));
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([levels, below]) => [...levels, ...(below ? ['#'] : [])].join('/'));
const step = fc.record({
  subscriber: fc.constantFrom('x', 'y', 'z'),
  filter: filters,
  group: fc.constantFrom('', '', 'g', 'h'),
  ends: fc.boolean(),
});

test('whoever subscribed to what matches is visited, and nobody else, whatever came and went before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.array(topics, { maxLength: 8 }), (steps, published) => {
      const tree = new SubscriptionTree<string>();
      const held = new Map<string, Subscription<string>>();
      for (const { subscriber, filter, group, ends } of steps) {
        const key = `${subscriber} ${group} ${filter}`;
        const known = held.get(key);
        if (known && ends) {
          tree.remove(known);
          held.delete(key);
          // Removing it twice changes nothing.
          tree.remove(known);
        } else if (!known && !ends) {
          const subscription = { subscriber, filter, group, qos: 0 as const, index: 0 };
          tree.add(subscription);
          held.set(key, subscription);
        }
      }
      expect(tree.size).toBe(held.size);
      expect(tree.shared).toBe([...held.values()].filter(({ group }) => group !== '').length);
      for (const topic of published) {
        const found: string[] = [];
        tree.match(topic, {
          plain: ({ subscriber, filter }) => found.push(`${subscriber}  ${filter}`),
          shared: ({ name, filter, members }) => {
            for (const { subscriber } of members) found.push(`${subscriber} ${name} ${filter}`);
          },
        });
        const expected = [...held].filter(([, { filter }]) => matches(filter, topic)).map(([key]) => key);
        expect(found.sort()).toEqual(expected.sort());
        expect(tree.matches(topic)).toBe(expected.length > 0);
      }
    }),
    { seed: 20261126, numRuns: 2_000 },
  );
});
