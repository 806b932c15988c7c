import { afterEach, expect, test } from '@jest/globals';
import mqtt, { type MqttClient } from 'mqtt';
import { type Mosquitto, startMosquitto } from '../../tests/mosquitto.ts';
import type { LinkMessage } from './link.ts';
import { MqttLink } from './link-mqtt.ts';

const log = { info: () => undefined, warn: () => undefined };
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function broker(config: string[] = []): Promise<Mosquitto> {
  const mosquitto = await startMosquitto({ config });
  cleanups.push(() => mosquitto.stop());
  return mosquitto;
}

async function printer(url: string): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url);
  cleanups.push(() => client.endAsync(true));
  return client;
}

async function until(condition: () => boolean, ms = 60_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error('waited too long');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('many messages are under way at once, in order, and acknowledged only when handled', async () => {
  const mosquitto = await broker(['max_inflight_messages 0']);
  const client = await printer(mosquitto.url);
  const heard: string[] = [];
  const release: (() => void)[] = [];
  const link = new MqttLink({ url: mosquitto.url, name: 'one', log });
  await link.start((message) => {
    heard.push(message.payload.toString());
    return new Promise((resolve) => release.push(() => resolve(undefined)));
  });
  for (let n = 0; n < 200; n += 1)
    await client.publishAsync('platen/v1/printers/p/errors', String(n), { qos: 1 });
  await until(() => heard.length === 200);
  expect(heard).toEqual(Array.from({ length: 200 }, (_, n) => String(n)));
  // The center dies with all of them under way: none was acknowledged, so all of them come again.
  for (const one of release.splice(0, 50)) one();
  // Their acknowledgements are on their way; mosquitto must get them before the successor connects.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const again: string[] = [];
  const successor = new MqttLink({ url: mosquitto.url, name: 'one', log });
  await successor.start((message) => {
    again.push(message.payload.toString());
    return Promise.resolve(undefined);
  });
  cleanups.push(() => successor.stop());
  await until(() => again.length === 150);
  expect(again.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 150 }, (_, n) => n + 50));
  for (const one of release) one();
  await link.stop();
});

test('what could not be stored comes again', async () => {
  const mosquitto = await broker();
  const client = await printer(mosquitto.url);
  let tries = 0;
  const link = new MqttLink({ url: mosquitto.url, name: 'one', log });
  await link.start(() => {
    tries += 1;
    return tries < 3 ? Promise.reject(new Error('the store is gone')) : Promise.resolve(undefined);
  });
  cleanups.push(() => link.stop());
  await client.publishAsync('platen/v1/printers/p/errors', 'x', { qos: 1 });
  await until(() => tries === 3);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(tries).toBe(3);
});

test('retained structures that exist at the start are read, and marked as replayed', async () => {
  const mosquitto = await broker();
  const client = await printer(mosquitto.url);
  const topic = 'platen/v1/printers/p/structure';
  await client.publishAsync(topic, 'old', { qos: 1, retain: true });
  const heard: LinkMessage[] = [];
  const link = new MqttLink({ url: mosquitto.url, name: 'one', log });
  await link.start((message) => {
    heard.push(message);
    return Promise.resolve(undefined);
  });
  cleanups.push(() => link.stop());
  await until(() => heard.length >= 1);
  expect(heard[0]).toEqual({ topic, payload: Buffer.from('old'), replayed: true });
  await client.publishAsync(topic, 'new', { qos: 1, retain: true });
  await until(() => heard.some((message) => message.payload.toString() === 'new'));
  expect(heard.find((message) => message.payload.toString() === 'new')).toMatchObject({ replayed: false });
});

test('two centers share the work, and reconnect to a broker that restarts', async () => {
  const mosquitto = await broker();
  const counts = [0, 0];
  const links = counts.map((_, index) => new MqttLink({ url: mosquitto.url, name: `c${index}`, log }));
  for (const [index, link] of links.entries()) {
    await link.start(() => {
      counts[index] = (counts[index] ?? 0) + 1;
      return Promise.resolve(undefined);
    });
    cleanups.push(() => link.stop());
  }
  const total = () => (counts[0] ?? 0) + (counts[1] ?? 0);
  const client = await printer(mosquitto.url);
  const speak = (n: number) =>
    Promise.all(
      Array.from({ length: n }, () => client.publishAsync('platen/v1/printers/p/errors', 'x', { qos: 1 })),
    );
  await speak(100);
  await until(() => total() === 100);
  expect(Math.min(...counts)).toBeGreaterThan(0);
  await mosquitto.restart();
  await until(() => links.every((link) => link.connected) && client.connected);
  await speak(10);
  await until(() => total() >= 110);
  await links[0]?.publish('platen/v1/printers/p/verdict', '{}', { qos: 1, retain: true });
});

test('a broker that is away, or refuses the password, is reported', async () => {
  await expect(
    new MqttLink({ url: 'mqtt://127.0.0.1:9', name: 'one', log }).start(() => Promise.resolve(undefined)),
  ).rejects.toMatchObject({ code: 'start/broker', message: expect.stringContaining('ECONNREFUSED') });
  const mosquitto = await startMosquitto({ users: { center: 'right' } });
  cleanups.push(() => mosquitto.stop());
  const url = mosquitto.url.replace('mqtt://', 'mqtt://center:wrong@');
  await expect(
    new MqttLink({ url, name: 'one', log }).start(() => Promise.resolve(undefined)),
  ).rejects.toMatchObject({ code: 'start/broker' });
  expect(() => new MqttLink({ url: 'http://x', name: 'one', log })).toThrow(/mqtt:/);
});
