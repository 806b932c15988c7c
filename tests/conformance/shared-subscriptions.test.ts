/**
 * Shared subscriptions, which MQTT 3.1.1 does not define: as brokers commonly implement them, on raw bytes. Each test
 * is named after the statement that it checks.
 */
import { openBroker } from './open-broker.ts';
import { packet, publishPacket, uint16 } from './raw-client.ts';

const { connected, fresh } = openBroker();

describe('shared subscriptions', () => {
  test('each message goes to one member, in turn; those of a member that leaves go to another', async () => {
    const topic = fresh('t');
    const filter = `$share/g/${topic}/#`;
    const [one, two, plain] = [await connected(), await connected(), await connected()];
    expect(await one.subscribe([filter, 1])).toEqual([1]);
    expect(await two.subscribe([filter, 1])).toEqual([1]);
    await plain.subscribe([`${topic}/#`, 0]);
    const sender = await connected();
    for (let n = 0; n < 4; n++)
      await sender.send(publishPacket(`${topic}/x`, String(n), { qos: 1, id: 1 })).next();
    const ones = [await one.nextPublish(), await one.nextPublish()];
    const twos = [await two.nextPublish(), await two.nextPublish()];
    expect([...ones, ...twos].map(({ payload }) => payload).sort()).toEqual(['0', '1', '2', '3']);
    for (let n = 0; n < 4; n++) expect((await plain.nextPublish()).payload).toBe(String(n));
    one.send(packet(0x40, uint16(ones[0]?.id ?? 0)));
    one.vanish();
    expect((await two.nextPublish()).payload).toBe(ones[1]?.payload);
    await two.quiet();
  });

  test('a malformed one is refused', async () => {
    const client = await connected();
    expect(await client.subscribe(['$share//a', 0], ['$share/g', 0], ['$share/+/a', 0])).toEqual([
      0x80, 0x80, 0x80,
    ]);
  });
});
