import fc from 'fast-check';
import { fleetTopic, opsTopic, printerTopic } from './topics.ts';

const builders: [string, (text: string) => string][] = [
  ['a downlink', (text) => printerTopic.verdict(text)],
  ['an answer', (text) => printerTopic.answer('p', text)],
  ['an ask', (text) => printerTopic.ask('p', text)],
  ['a reply', (text) => opsTopic.reply('admin', text)],
  ['a reply to somebody', (text) => opsTopic.reply(text, '1')],
  ['a request', (text) => opsTopic.request('admin', text)],
  ['a campaign', (text) => fleetTopic.campaign(text)],
  ['a trouble', (text) => fleetTopic.trouble(text)],
];
const LONG = 'x'.repeat(257);

test.each(builders)('no topic of %s is made of what could be a wildcard or more than a level', (_, build) => {
  for (const text of [
    '',
    '#',
    '+',
    'a+',
    'a#b',
    'a/b',
    '/',
    'a\0',
    '\n',
    '\u0085',
    '\ud800',
    '\uffff',
    LONG,
  ]) {
    expect(() => build(text)).toThrow(expect.objectContaining({ code: 'topic/invalid' }));
  }
});

test.each(builders)('a topic of %s is one that any broker takes, whatever the text', (_, build) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      let topic: string;
      try {
        topic = build(text);
      } catch {
        return;
      }
      expect(topic.split('/').length).toBe(build('x').split('/').length);
      expect(topic).not.toMatch(/[+#\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u);
      expect(Buffer.byteLength(topic)).toBeLessThan(65_536);
    }),
    { seed: 20261130 },
  );
});
