import { barringLink } from './barring-link.ts';
import type { Link } from './link.ts';

test('nothing is retained for removed printers, everything else passes', async () => {
  const published: string[] = [];
  const link: Link = {
    start: async () => undefined,
    stop: async () => undefined,
    publish: async (topic, payload, { retain }) => {
      published.push(`${topic.split('/').slice(3).join('/')} ${String(payload)} ${retain}`);
    },
    forget: async (printer) => void published.push(`forget ${printer}`),
  };
  const barring = barringLink(link, (printer) => printer === 'gone');
  const say = (topic: string, payload: string, retain: boolean) =>
    barring.publish(`platen/v1/${topic}`, payload, { qos: 1, retain });
  await say('printers/gone/verdict', '{}', true);
  await say('printers/gone/verdict', '', true);
  await say('printers/gone/refused', '{}', false);
  await say('printers/here/verdict', '{}', true);
  await say('fleet/campaigns/gone', '{}', true);
  await barring.forget?.('gone');
  expect(published).toEqual([
    'gone/verdict  true',
    'gone/refused {} false',
    'here/verdict {} true',
    'campaigns/gone {} true',
    'forget gone',
  ]);
  // A foreign broker's link has no `heard`, so neither does this one.
  expect(barring.heard).toBeUndefined();
});
