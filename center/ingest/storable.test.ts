import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parsePayload } from '../../schemas/validate.ts';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { prepareDatabase } from '../../tests/harness/prepared.ts';
import { sampleStructure } from '../../tests/harness/printer.ts';
import { openStore, type Store } from '../database/store.ts';
import { parseTime } from '../trouble/engine/index.ts';
import { TroubleStore } from '../trouble/store.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let folder: string;
let store: Store;

beforeAll(async () => {
  folder = temporaryFolder('platen-storable-');
  await prepareDatabase(folder);
  store = await openStore({ source: { dataFolder: folder }, log: silent });
});

afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

test('every time that the schemas accept is stored with its meaning', async () => {
  const ends = ['Z', 'z', '+00:00', '+0100', '+01', '-15:59', '+16:00', '+23:59', '-23:59', '-1200'];
  const clocks = ['00:00:00', '23:59:59.5', '12:30:00.123456789', `07:00:00.${'7'.repeat(200)}`];
  const days = ['2026-11-22', '0000-01-01', '0001-01-01', '1000-01-01', '2999-12-31', '9999-12-31'];
  const times = days.flatMap((day) =>
    ['T', 't', ' '].flatMap((between) =>
      clocks.flatMap((clock) => ends.map((end) => `${day}${between}${clock}${end}`)),
    ),
  );
  times.push('2016-12-31T23:59:60Z', '2017-01-01t00:59:60.7+01', '2016-12-31 23:59:60-00:00');
  const entries = times.map((at, index) => ({ seq: index + 1, at, code: 'J-7201', severity: 'error' }));
  for (let from = 0; from < entries.length; from += 100) {
    const taken = { log: 'L', first: 1, reason: 'event', entries: entries.slice(from, from + 100) };
    await store.ingest.errors('times', parsePayload('errors', Buffer.from(JSON.stringify(taken))));
  }
  const rows = await store.database.query<{ seq: number; ms: number }>(
    `SELECT seq, (extract(epoch FROM at) * 1000)::float8 AS ms FROM error_entries WHERE printer = 'times'`,
  );
  const stored_ms = new Map(rows.map(({ seq, ms }) => [seq, ms]));
  expect(stored_ms.size).toBe(times.length);
  for (const [index, at] of times.entries()) {
    if (!/^(1000-|2)/.test(at)) continue;
    expect({ at, ms: Math.floor(stored_ms.get(index + 1) ?? 0) }).toEqual({ at, ms: parseTime(at) });
  }
  // The time of a structure is read again when the center starts.
  for (const [index, at] of times.entries()) {
    if (index % 20 !== 0) continue;
    const shown = { ...sampleStructure(), session: 's1', at };
    await store.ingest.structure(`times-${index}`, shown, Buffer.from(JSON.stringify(shown)));
    await store.ingest.presence(`times-${index}`, { state: 'online', session: 's1', at });
  }
  const read: string[] = [];
  await new TroubleStore(store.database).eachStructure(new Date(0), (printer) => read.push(printer));
  expect(read).toHaveLength(Math.ceil(times.length / 20));
});
