import { rmSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { prepareDatabase } from '../../tests/harness/prepared.ts';
import { readMigrations } from './migrate.ts';
import { openStore } from './store.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const MIGRATION = '060-audit-without-secrets.sql';

test('the migration removes secrets from existing audit rows, and nothing else', async () => {
  const folder = temporaryFolder('platen-audit-');
  await prepareDatabase(folder);
  const store = await openStore({ source: { dataFolder: folder }, log });
  try {
    const rows: [string, object, object][] = [
      [
        'users.put',
        { name: 'lena', role: 'viewer', password: 'canary-1' },
        { name: 'lena', role: 'viewer', password: '[secret]' },
      ],
      ['users.put', { name: 'ida', role: 'admin', passwort: 'canary-2' }, { name: 'ida', role: 'admin' }],
      ['policy.set', { policy: { errors: { mode: 'stream' } } }, { policy: { errors: { mode: 'stream' } } }],
      [
        'errors.request',
        { filter: {}, list: [{ apiToken: 'canary-3', n: 1 }, 'text', null] },
        { filter: {}, list: [{ apiToken: '[secret]', n: 1 }, 'text', null] },
      ],
    ];
    for (const [method, params] of rows) {
      await store.audit.add({ actor: 'admin', role: 'admin', method, params, outcome: 'ok' });
    }
    const sql = readMigrations().find(({ name }) => name === MIGRATION)?.sql ?? '';
    await store.database.transaction((client) => client.query(sql));
    const { items } = await store.audit.list({}, { limit: 10, cursor: undefined });
    expect(items.map(({ method, params }) => [method, params])).toEqual(
      rows.map(([method, , kept]) => [method, kept]).reverse(),
    );
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
