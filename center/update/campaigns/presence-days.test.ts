import { type TestStore, testStore } from '../../../tests/harness/orders.ts';
import { DAY_MS } from '../../statistics/code-watch.ts';
import { daysOf, notePresence } from './presence-days.ts';

let test_: TestStore;
beforeAll(async () => {
  test_ = await testStore();
});
afterAll(() => test_.close());

test('the days on which a printer was on are noted once each, two weeks of them', async () => {
  const { database } = test_.store;
  await database.query(
    "INSERT INTO printers (id, online) VALUES ('on', true), ('off', false), ('comes', false)",
  );
  const note = (day: number) => notePresence(database, day * DAY_MS + 5);
  for (const day of [100, 100, 101]) await note(day);
  await database.query("UPDATE printers SET online = true WHERE id = 'comes'");
  await database.query("UPDATE printers SET online = false WHERE id = 'on'");
  for (let day = 103; day <= 125; day++) await note(day);
  const days = async (printer: string) => {
    const [row] = await database.query<{ day: number; days: number }>(
      'SELECT day, days FROM presence_days WHERE printer = $1',
      [printer],
    );
    return row && daysOf(row);
  };
  expect(await days('on')).toEqual([101, 100]);
  expect(await days('off')).toBeUndefined();
  expect(await days('comes')).toEqual(Array.from({ length: 16 }, (_, back) => 125 - back));
});
