import fc from 'fast-check';
import { schemaFault } from '../../schemas/validate.ts';
import {
  type IppServer,
  message,
  startIppServer,
  TAG,
  wire,
  wires,
} from '../../tests/far-sides/ipp-server.ts';
import { compareReading, EMPTY_MEMORY } from '../mapping/conditions.ts';
import type { Reading } from '../mapping/reading.ts';
import { OID, SnmpAnswer, type SnmpValue } from '../mapping/snmp-answer.ts';
import { snmpReading } from '../mapping/snmp-reading.ts';
import { MappingTables } from '../mapping/tables.ts';
import { IppReader } from './ipp/ipp-reader.ts';
import { DRIVER_LIMITS } from './limits.ts';
import { playRecorded } from './recorded.ts';
import { readSnmp } from './snmp/snmp-reader.ts';
import { type SnmpRequests, walkColumns } from './snmp/walk.ts';

// A printer runs software that we don't control. Whatever it answers, the agent stays within its limits and keeps
// working.

const mapping = new MappingTables();
let server: IppServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

/** A reading as sent to the center. If it violated the wire contract, the center would refuse it again and again. */
function fits({ structure, ...reading }: Reading): void {
  const sent = {
    session: 's',
    revision: 1,
    at: new Date(0).toISOString(),
    reason: 'connect',
    ...structure,
  };
  expect(schemaFault('structure', sent)).toBeUndefined();
  const { events, memory } = compareReading(EMPTY_MEMORY, reading, Date.now(), DRIVER_LIMITS);
  expect(Object.keys(memory.held).length).toBeLessThanOrEqual(DRIVER_LIMITS.conditionsMax);
  for (const [i, event] of events.entries()) {
    const batch = { log: 'l', first: 1, reason: 'event', entries: [{ seq: i + 1, ...event }] };
    expect(schemaFault('errors', batch)).toBeUndefined();
  }
}

const playIpp = (bytes: Buffer) => playRecorded(bytes, 'hostile', mapping).reading;

/** Runs it and measures how long it blocks the event loop, in CPU time, so that other processes don't count. */
function timed<T>(task: () => T): { result: T; ms: number } {
  const started = process.cpuUsage();
  const result = task();
  const { user, system } = process.cpuUsage(started);
  return { result, ms: (user + system) / 1_000 };
}

const SEED = 20261201;

describe('over IPP', () => {
  test('an answer without end is cut off, one that comes drop by drop is given up, another address is not followed', async () => {
    let ended = 0;
    server = await startIppServer((path, response) => {
      response.on('close', () => ended++);
      if (path === '/elsewhere') {
        response.writeHead(301, { location: '/endless' });
        response.end();
        return;
      }
      const [bytes, everyMs] =
        path === '/endless' ? [Buffer.alloc(64 * 1024, 0x41), 0] : [Buffer.from([2]), 20];
      const more = () => {
        if (response.destroyed) return;
        response.write(bytes);
        setTimeout(more, everyMs);
      };
      more();
    });
    const read = (path: string) =>
      new IppReader({ url: `${server?.url}${path}`, timeoutMs: 1_000 }, mapping).read();
    await expect(read('/endless')).rejects.toThrow(/longer than 4194304 bytes/);
    const started = performance.now();
    await expect(read('/drops')).rejects.toThrow(/no answer within 1000 ms/);
    expect(performance.now() - started).toBeLessThan(20_000);
    await expect(read('/elsewhere')).rejects.toThrow(/HTTP 301/);
    expect(server.asked['/endless']).toBe(1);
    for (let i = 0; i < 2_000 && ended < 3; i++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ended).toBe(3);
  });

  test('tens of thousands of values become a bounded reading in a moment', () => {
    const count = 50_000;
    const many = (make: (i: number) => string) => Array.from({ length: count }, (_, i) => make(i));
    const bytes = message(
      wires(
        TAG.keyword,
        'printer-state-reasons',
        many((i) => `reason-${i}-error`),
      ),
      wires(
        TAG.octets,
        'printer-alert',
        many((i) => `code=jam;index=${i};severity=critical`),
      ),
      wires(
        TAG.octets,
        'printer-input-tray',
        many((i) => `type=other;name=T${i};version=1.${i}`),
      ),
    );
    const { result, ms } = timed(() => playIpp(bytes));
    expect(result.structure.units.length).toBe(512);
    expect(result.conditions.length).toBeLessThanOrEqual(2 * DRIVER_LIMITS.ippValuesMax);
    fits(result);
    expect(ms).toBeLessThan(3_000);
  });

  test('attributes without end, nested without end, and texts as long as IPP can make them', () => {
    const attributes = Array.from({ length: 20_000 }, (_, i) => wire(TAG.text, `printer-x${i}`, 'v'));
    const first = wire(TAG.keyword, 'printer-state-reasons', 'none');
    const cut = playIpp(message(first, ...attributes));
    expect(cut.conditionsWhole).toBe(false);
    fits(cut);
    const nested = Buffer.concat(
      Array.from({ length: 100_000 }, () => Buffer.concat([wire(0x34, '', ''), wire(0x4a, '', 'm')])),
    );
    fits(playIpp(message(first, wire(0x34, 'media-col-default', ''), nested)));
    const long = 'x9 '.repeat(21_000);
    const texts = [
      'printer-make-and-model',
      'printer-serial-number',
      'printer-firmware-name',
      'printer-firmware-string-version',
      'printer-firmware-patches',
      'printer-input-tray',
      'printer-finisher',
      'printer-alert',
      'printer-alert-description',
    ].map((name) =>
      wire(TAG.text, name, name.endsWith('tray') ? `name=${long};model=${long};serial=${long}` : long),
    );
    const { result, ms } = timed(() =>
      playIpp(message(first, ...texts, wire(TAG.octets, 'printer-alert', `code=${long};severity=critical`))),
    );
    fits(result);
    expect(ms).toBeLessThan(2_000);
  });

  test('any bytes are an answer that fits, or refused with a reason', () => {
    const message7 = message(
      wire(TAG.text, 'printer-make-and-model', 'HP 7'),
      wires(TAG.keyword, 'printer-state-reasons', ['media-jam-error', 'other-warning']),
      wires(TAG.name, 'printer-firmware-name', ['Engine', 'Finisher FS-1']),
      wires(TAG.octets, 'printer-alert', ['code=jam;severity=critical;group=input;groupindex=1']),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(message7.length - 1), fc.nat(255)), { maxLength: 20 }),
        fc.nat(message7.length),
        (changes, length) => {
          const bytes = Buffer.from(message7);
          for (const [at, value] of changes) bytes[at] = value;
          let reading: Reading;
          try {
            reading = playIpp(bytes.subarray(0, length));
          } catch (error) {
            expect(error).toMatchObject({ code: 'agent/recording' });
            return;
          }
          fits(reading);
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });
});

describe('over SNMP', () => {
  const octets = (text: string): SnmpValue => ({ type: 'octets', value: Buffer.from(text) });
  /** A printer that answers every GETNEXT for `oid` with the result of `next`. */
  const agent = (next: (oid: string) => [string, SnmpValue] | undefined, get: [string, SnmpValue][] = []) => {
    let requests = 0;
    const session: SnmpRequests = {
      get: async (oids) => {
        requests++;
        return get.filter(([oid]) => oids.includes(oid));
      },
      bulk: async (oids, _, repetitions) => {
        requests++;
        return oids.map((oid) => {
          const list: ([string, SnmpValue] | undefined)[] = [];
          let at = oid;
          for (let i = 0; i < repetitions; i++) {
            const item = next(at);
            list.push(item);
            if (!item) break;
            at = item[0];
          }
          return list;
        });
      },
    };
    return { session, requests: () => requests };
  };
  const numbered = (oid: string, step = 1): string => {
    const parts = oid.split('.');
    // A column OID is followed by its first row.
    if (parts.length < 12) return `${oid}.1`;
    return [...parts.slice(0, -1), Number(parts[parts.length - 1]) + step].join('.');
  };

  test('a table without end does not cost the others their place, and a walk in circles ends', async () => {
    const endless = agent((oid) => {
      const row = Number(oid.split('.')[11] ?? 0);
      return oid.startsWith(OID.prtInput) || row < 3 ? [numbered(oid), octets('a tray')] : undefined;
    });
    const answer = await readSnmp(endless.session, mapping);
    expect(answer.brokenOff).toContain(OID.prtInput);
    expect(answer.size).toBeLessThanOrEqual(DRIVER_LIMITS.snmpValuesMax + 100);
    expect(answer.rows(OID.hrSWInstalled).size).toBe(3);
    fits(snmpReading(answer, mapping));

    for (const step of [0, -1]) {
      const circle = agent((oid) => [numbered(oid, step), octets('again')]);
      const walked = new SnmpAnswer();
      await walkColumns(circle.session, [`${OID.prtInput}.13`], walked);
      expect(walked.brokenOff).toContain(OID.prtInput);
      expect(circle.requests()).toBeLessThan(10);
    }
  });

  test('values as large as a packet are bounded by their bytes', async () => {
    const large = octets('Tray '.repeat(12_000));
    const heavy = agent((oid) => [numbered(oid), large]);
    const answer = await readSnmp(heavy.session, mapping);
    expect(answer.bytes).toBeLessThan(2 * DRIVER_LIMITS.snmpBytesMax);
    const { result, ms } = timed(() => snmpReading(answer, mapping));
    fits(result);
    expect(ms).toBeLessThan(3_000);
  });

  test('one that takes its time with every packet is a half-answer after its time', async () => {
    let nowMs = 0;
    const slow = agent((oid) => [numbered(oid), octets('slow')], [[OID.sysDescr, octets('Acme 7')]]);
    const { session } = slow;
    const late: SnmpRequests = {
      get: (oids) => {
        nowMs += 2_000;
        return session.get(oids);
      },
      bulk: (...asked) => {
        nowMs += 2_000;
        return session.bulk(...asked);
      },
    };
    const answer = await readSnmp(late, mapping, () => nowMs);
    expect(nowMs).toBeLessThanOrEqual(DRIVER_LIMITS.snmpReadMs + 2_000);
    expect(answer.brokenOff).toContain(OID.prtAlert);
    const reading = snmpReading(answer, mapping);
    expect(reading.conditionsWhole).toBe(false);
    fits(reading);
  });

  test('any values at any place of the tables become a reading that fits', () => {
    const entries = [OID.hrDevice, OID.hrPrinter, OID.hrSWInstalled, OID.prtGeneral, OID.prtLocalization];
    const tables = [...entries, OID.prtInput, OID.prtOutput, OID.prtMarker, OID.prtAlert, OID.finDevice];
    const value: fc.Arbitrary<SnmpValue> = fc.oneof(
      fc.integer().map((number): SnmpValue => ({ type: 'integer', value: number })),
      fc.uint8Array({ maxLength: 40 }).map((bytes): SnmpValue => ({ type: 'octets', value: bytes })),
      fc.string().map((text): SnmpValue => ({ type: 'octets', value: Buffer.from(text) })),
      fc
        .bigInt({ min: 0n, max: 2n ** 64n - 1n })
        .map((number): SnmpValue => ({ type: 'counter64', value: number })),
      fc.constant<SnmpValue>({ type: 'oid', value: '1.3.6.1.2.1.25.3.1.5' }),
    );
    const place = fc
      .tuple(fc.constantFrom(...tables), fc.integer({ min: 1, max: 20 }), fc.integer({ min: -1, max: 3 }))
      .map(([entry, column, index]) => `${entry}.${column}.1.${index}`);
    // More pages than the wire schema allows, in the entry of an alert.
    const hugeCount: [string, SnmpValue][] = [
      [`${OID.prtMarker}.4.1.0`, { type: 'counter64', value: 2n ** 53n }],
      [`${OID.prtAlert}.7.1.0`, { type: 'counter64', value: 0n }],
    ];
    fc.assert(
      fc.property(fc.array(fc.tuple(place, value), { maxLength: 60 }), (values) => {
        const answer = new SnmpAnswer();
        for (const [oid, found] of values) answer.set(oid, found);
        fits(snmpReading(answer, mapping));
      }),
      { seed: SEED, numRuns: 300, examples: [[hugeCount]] },
    );
  });
});
