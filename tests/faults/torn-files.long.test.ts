/**
 * Every small file that a start needs, damaged in every way after a kill that leaves Postgres behind: the next start
 * succeeds.
 */
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../center/database/embedded-postgres.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { platen, startProduct } from '../harness/product.ts';

const FILES = [
  'running.json',
  'admin.json',
  'postgres/owner.json',
  'postgres/password',
  'postgres/initialised',
];
const DAMAGES: Record<string, (file: string) => void> = {
  'cut to nothing': (file) => truncateSync(file, 0),
  'cut in the middle': (file) => truncateSync(file, Math.floor(readFileSync(file).length / 2)),
  'all zeros': (file) => writeFileSync(file, Buffer.alloc(readFileSync(file).length)),
  missing: (file) => rmSync(file),
};
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const folder = temporaryFolder('platen-torn-');
const data = join(folder, 'data');
/** Number of printers enrolled so far: each start must find all of them. */
let enrolled = 0;

afterAll(async () => {
  await (await startEmbeddedPostgres(data, silent)).stop();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(FILES)('%s', (name) => {
  test.each(Object.entries(DAMAGES))(
    '%s: the next start goes well, and everything is there',
    async (_how, damage) => {
      const before = await startProduct({ data });
      const operator = await before.operator();
      await operator.call('printers.enroll', { printers: [`torn-${enrolled}`] });
      enrolled += 1;
      await operator.close();
      await before.kill();
      damage(join(data, name));
      if (name === 'admin.json') {
        const { code } = await platen(['admin', 'reset'], { env: { PLATEN_DATA: data } });
        expect(code).toBe(0);
      }
      const after = await startProduct({ data });
      const { items } = await (await after.operator()).call('printers.list', { limit: 100 });
      expect(items).toHaveLength(enrolled);
      expect(await after.stop()).toBe(0);
    },
  );
});
