import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Parser } from '@asyncapi/parser';
import { CENTER_FILTERS, downlinkFilters, fleetTopic, opsTopic, parseTopic, printerTopic } from './topics.ts';

const file = new URL('./asyncapi.json', import.meta.url);
const text = readFileSync(file, 'utf8');
const { channels, operations } = JSON.parse(text) as {
  channels: Record<string, { address: string }>;
  operations: Record<string, { action: string; channel: { $ref: string } }>;
};

test('the AsyncAPI document is right, and so is every schema it refers to', async () => {
  const { document, diagnostics } = await new Parser().parse(text, { source: fileURLToPath(file) });
  expect(diagnostics.filter(({ severity }) => severity === 0)).toEqual([]);
  expect(document?.allMessages().length).toBe(Object.keys(channels).length);
});

test('it names exactly the topics that the code builds', () => {
  const built = [
    ...Object.entries(printerTopic).map(([name, build]) =>
      name === 'ask' ? printerTopic.ask('{printer}', '{method}') : build('{printer}', '{id}'),
    ),
    opsTopic.request('{operator}', '{method}'),
    opsTopic.reply('{operator}', '{id}'),
    fleetTopic.summary,
    fleetTopic.campaign('{campaign}'),
    fleetTopic.trouble('{trouble}'),
    fleetTopic.event('{kind}' as 'security'),
  ];
  expect(
    Object.values(channels)
      .map(({ address }) => address)
      .sort(),
  ).toEqual(built.sort());
});

test('what the center receives is what it parses and subscribes to; the rest it does not take for an uplink', () => {
  const matches = (filter: string, topic: string) =>
    new RegExp(`^${filter.replaceAll('+', '[^/]+').replaceAll('.', '\\.')}$`).test(topic);
  for (const { action, channel } of Object.values(operations)) {
    const address = channels[channel.$ref.replace('#/channels/', '')]!.address;
    const topic = address.replaceAll(/\{(\w+)\}/g, 'x-$1');
    expect(parseTopic(topic) !== undefined).toBe(action === 'receive');
    expect(CENTER_FILTERS.some((filter) => matches(filter, topic))).toBe(action === 'receive');
    if (address.includes('{printer}') && action === 'send') {
      expect(downlinkFilters('x-printer').some((filter) => matches(filter, topic))).toBe(true);
    }
  }
});

test.each([
  'platen/v1/printers/a',
  'platen/v1/printers/a/structure/x',
  'platen/v1/printers/a/ask/',
  'platen/v1/printers/a/ask/x/y',
  'platen/v1/ops/a/request/',
  'platen/v1/ops//request/x',
  'platen/v2/printers/a/structure',
  'structure',
])('%s means nothing to the center', (topic) => expect(parseTopic(topic)).toBeUndefined());
