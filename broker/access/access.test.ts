/** Checks every role, topic kind and action against the access table of the wire contract. */
import { METHOD_ROLES, type Method, mayCall, ROLES, type Role } from '../../schemas/roles.ts';
import {
  downlinkFilters,
  FLEET_EVENTS,
  fleetTopic,
  opsTopic,
  printerTopic,
  UPLINKS,
} from '../../schemas/topics.ts';
import { filterWithin, mayPublish, mayReceive, maySubscribe } from './access.ts';

const SELF = 'self';
const OTHER = 'other';
const uplinks = (name: string) =>
  UPLINKS.map((kind) =>
    kind === 'ask' ? printerTopic.ask(name, 'history') : `platen/v1/printers/${name}/${kind}`,
  );
const downlinks = (name: string) => [
  printerTopic.policy(name),
  printerTopic.requestStructure(name),
  printerTopic.requestErrors(name),
  printerTopic.requestReadings(name),
  printerTopic.errorsAck(name),
  printerTopic.verdict(name),
  printerTopic.order(name),
  printerTopic.answer(name, '1'),
  printerTopic.refused(name),
];
const fleet = [
  fleetTopic.summary,
  fleetTopic.campaign('c'),
  fleetTopic.trouble('t'),
  ...FLEET_EVENTS.map(fleetTopic.event),
];
const strange = [
  'x',
  'platen',
  'platen/v1',
  'platen/v2/printers/self/structure',
  '$SYS/broker/uptime',
  '/',
  'platen/v1/printers//structure',
];
const methods = Object.keys(METHOD_ROLES) as Method[];

const operators = ROLES.filter((role) => role !== 'printer');
const TOPICS: [kind: string, topics: string[], publish: Role[], receive: Role[]][] = [
  ['own uplinks', uplinks(SELF), ['printer'], operators],
  ["another's uplinks", uplinks(OTHER), [], operators],
  ['own downlinks', downlinks(SELF), [], [...ROLES]],
  ["another's downlinks", downlinks(OTHER), [], operators],
  ['fleet topics', fleet, [], operators],
  ['own replies', [opsTopic.reply(SELF, '1')], [], operators],
  ["another's replies", [opsTopic.reply(OTHER, '1')], [], []],
  ["another's requests", methods.map((method) => opsTopic.request(OTHER, method)), [], []],
  ['$SYS', ['$SYS/broker/uptime'], [], operators],
  ['strange topics', strange.filter((topic) => !topic.startsWith('$')), [], []],
];

describe.each(ROLES)('%s', (role) => {
  const principal = { name: SELF, role };

  test.each(TOPICS)('%s', (_kind, topics, publish, receive) => {
    for (const topic of topics) {
      expect([topic, mayPublish(principal, topic)]).toEqual([topic, publish.includes(role)]);
      expect([topic, mayReceive(principal, topic)]).toEqual([topic, receive.includes(role)]);
      expect([topic, maySubscribe(principal, topic)]).toEqual([topic, receive.includes(role)]);
    }
  });

  test('requests: the methods of its role and no others; one that nobody knows is for the center to answer', () => {
    for (const method of methods) {
      expect([method, mayPublish(principal, opsTopic.request(SELF, method))]).toEqual([
        method,
        mayCall(role, method),
      ]);
    }
    expect(mayPublish(principal, opsTopic.request(SELF, 'no.such'))).toBe(role !== 'printer');
    expect(mayReceive(principal, opsTopic.request(SELF, 'fleet.summary'))).toBe(false);
  });

  test('filters: only those within what it may receive', () => {
    const printer = role === 'printer';
    const cases: [string, boolean][] = [
      ['#', false],
      ['+/#', false],
      ['platen/#', false],
      ['platen/v1/printers/#', false],
      ['platen/v1/printers/+/structure', false],
      ['platen/v1/printers/+/#', false],
      ['platen/v1/+/self/order', false],
      ['platen/v1/printers/self/#', !printer],
      ['platen/v1/printers/self/+', !printer],
      ['platen/v1/printers/other/#', !printer],
      ['platen/v1/fleet/#', !printer],
      ['platen/v1/fleet/events/+', !printer],
      ['platen/v1/ops/self/reply/#', !printer],
      ['platen/v1/ops/self/#', false],
      ['platen/v1/ops/+/reply/#', false],
      ['$SYS/#', !printer],
      ['$share/g/platen/v1/fleet/#', !printer],
      ['$share/g/#', false],
      ...downlinkFilters(SELF).map((filter): [string, boolean] => [filter, true]),
      ...downlinkFilters(OTHER).map((filter): [string, boolean] => [filter, !printer]),
    ];
    for (const [filter, allowed] of cases) {
      expect([filter, maySubscribe(principal, filter)]).toEqual([filter, allowed]);
    }
  });
});

test('a filter is within another only when all its topics are', () => {
  const levels = ['a', 'b', '', '+', '#'];
  const filters: string[] = [];
  const grow = (prefix: string[]): void => {
    if (prefix.length > 0) filters.push(prefix.join('/'));
    if (prefix.length === 3 || prefix.at(-1) === '#') return;
    for (const level of levels) grow([...prefix, level]);
  };
  grow([]);
  const topics = filters
    .filter((filter) => !/[+#]/.test(filter))
    .concat('c', 'a/c', 'c/a', 'a/a/a/a', 'a/b/c', 'c/c/c', 'b/a/c/d');
  const matches = (filter: string, topic: string): boolean => {
    const [want, have] = [filter.split('/'), topic.split('/')];
    for (let at = 0; at < want.length; at++) {
      if (want[at] === '#') return true;
      if (at >= have.length || (want[at] !== '+' && want[at] !== have[at])) return false;
    }
    return want.length === have.length;
  };
  for (const filter of filters) {
    for (const allowed of filters) {
      if (!filterWithin(filter, allowed)) continue;
      for (const topic of topics) {
        if (matches(filter, topic))
          expect([filter, allowed, topic, matches(allowed, topic)]).toEqual([filter, allowed, topic, true]);
      }
    }
  }
});
