import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import mqttPacket from 'mqtt-packet';
import { seededRandom as seeded } from '../base/random.ts';
import { Decoder } from './decode.ts';

const SEED = Number(process.env['DECODE_SEED'] ?? 20261126);
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

test(`nothing that was read changes when the memory it was read into is used again (seed ${SEED})`, () => {
  const random = seeded(SEED);
  const below = (most: number) => Math.floor(random() * most);
  const memory = Buffer.allocUnsafeSlow(64 * 1024);
  for (let round = 0; round < 60; round++) {
    const decoder = new Decoder({ ...limits, packetBytesMax: 300_000 });
    const payloads = Array.from({ length: 40 }, (_, index) =>
      String.fromCharCode(97 + (index % 26)).repeat(random() < 0.1 ? below(200_000) : below(600)),
    );
    const bytes = Buffer.concat(
      payloads.map((payload, index) => publish(`t/${index % 3}`, payload, index + 1)),
    );
    const read: Buffer[] = [];
    const readAll = () => {
      for (let packet = decoder.next(); packet; packet = decoder.next()) {
        if (packet.cmd === 'publish') read.push(packet.payload);
      }
    };
    for (let at = 0; at < bytes.length; ) {
      const chunk = bytes.subarray(at, at + 1 + below(random() < 0.5 ? 40 : memory.length));
      chunk.copy(memory);
      decoder.push(memory.subarray(0, chunk.length));
      // While a connection is held nothing is taken out.
      if (random() < 0.8) readAll();
      decoder.keep();
      memory.fill('!');
      at += chunk.length;
      expect(decoder.held).toBeLessThanOrEqual(at);
    }
    readAll();
    expect(decoder.held).toBe(0);
    expect(read.map((payload) => payload.toString())).toEqual(payloads);
  }
});

test('a packet that comes byte by byte takes no more memory than its bytes', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const decoder = new Decoder({ ...limits, packetBytesMax: 200_000 });
  const bytes = publish('a', 'x'.repeat(150_000), 1);
  const chunk = Buffer.allocUnsafeSlow(1);
  const before = used();
  for (const byte of bytes.subarray(0, -1)) {
    chunk[0] = byte;
    decoder.push(chunk);
    decoder.next();
    decoder.keep();
  }
  expect(used() - before).toBeLessThan(1_500_000);
  expect(decoder.held).toBe(bytes.length - 1);
});
