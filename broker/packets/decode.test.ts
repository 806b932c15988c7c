import { expect, test } from '@jest/globals';
import mqttPacket from 'mqtt-packet';
import { Decoder } from './decode.ts';

const limits = { packetBytesMax: 1_000, topicBytesMax: 100, topicLevelsMax: 10 };

function publish(topic: string, payload: string, messageId: number): Buffer {
  return mqttPacket.generate({
    cmd: 'publish',
    topic,
    payload,
    qos: 1,
    messageId,
    retain: false,
    dup: false,
  });
}

test('topics that come again, change in a character, grow and shrink are each read as they are', () => {
  const topics = ['a/b', 'a/b', 'a/c', 'a/cc', 'a/c', 'a/é', 'a/é', 'a/b', 'b/b', 'a/b'];
  const decoder = new Decoder(limits);
  decoder.push(Buffer.concat(topics.map((topic, index) => publish(topic, `p${index}`, index + 1))));
  const read = topics.map(() => decoder.next());
  expect(read.map((packet) => packet?.cmd === 'publish' && [packet.topic, packet.messageId])).toEqual(
    topics.map((topic, index) => [topic, index + 1]),
  );
  expect(read.map((packet) => packet?.cmd === 'publish' && packet.payload.toString())).toEqual(
    topics.map((_, index) => `p${index}`),
  );
  expect(decoder.next()).toBeUndefined();
});

test('a topic whose bytes are the Latin-1 of the last one is not taken for it', () => {
  const decoder = new Decoder(limits);
  decoder.push(publish('é', 'first', 1));
  expect(decoder.next()).toMatchObject({ topic: 'é' });
  const wrong = publish('x', 'second', 2);
  wrong[4] = 0xe9;
  decoder.push(wrong);
  expect(() => decoder.next()).toThrow('Ill-formed UTF-8');
});
