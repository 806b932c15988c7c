import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type HttpServer, startHttp } from '../center/http/server.ts';
import { createRegistry } from '../center/metrics.ts';
import { rangeOf } from './images.ts';

let folder: string;
let server: HttpServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'platen-images-'));
  for (const name of ['acme.engine', 'metadata']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'acme.engine', '2.5.0.bin'), '0123456789');
  writeFileSync(join(folder, 'acme.engine', 'large.bin'), Buffer.alloc(40 << 20, 'x'));
  writeFileSync(join(folder, 'metadata', 'timestamp.json'), '{}');
  const log = pino({ level: 'silent' });
  server = await startHttp({
    host: '127.0.0.1',
    port: 0,
    repository: folder,
    registry: createRegistry(),
    readiness: {},
    log,
  });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`http://127.0.0.1:${server.port}/repository/${path}`, { headers });
  return [response.status, await response.text(), response.headers.get('content-range')] as const;
}

test('the whole image, a part, its end, and a part beyond it', async () => {
  const path = 'acme.engine/2.5.0.bin';
  expect(await get(path)).toEqual([200, '0123456789', null]);
  expect(await get(path, { range: 'bytes=4-' })).toEqual([206, '456789', 'bytes 4-9/10']);
  expect(await get(path, { range: 'bytes=2-3' })).toEqual([206, '23', 'bytes 2-3/10']);
  expect(await get(path, { range: 'bytes=-3' })).toEqual([206, '789', 'bytes 7-9/10']);
  expect(await get(path, { range: 'bytes=10-' })).toEqual([416, '', 'bytes */10']);
  // The part was of another image: the whole is sent.
  expect(await get(path, { range: 'bytes=4-', 'if-range': '"other"' })).toEqual([200, '0123456789', null]);
  expect((await get('acme.engine/9.bin'))[0]).toBe(404);
  expect((await get('acme.engine/..%2f..%2fetc%2fpasswd'))[0]).toBe(403);
});

test('large images and metadata are served too, and a file that changed is seen', async () => {
  const [status, text, range] = await get('acme.engine/large.bin', { range: `bytes=${(40 << 20) - 4}-` });
  expect([status, text, range]).toEqual([
    206,
    'xxxx',
    `bytes ${(40 << 20) - 4}-${(40 << 20) - 1}/${40 << 20}`,
  ]);
  expect((await get('metadata/timestamp.json'))[1]).toBe('{}');
  writeFileSync(join(folder, 'acme.engine', '2.5.0.bin'), 'abc');
  expect((await get('acme.engine/2.5.0.bin'))[1]).toBe('abc');
});

test('ranges', () => {
  expect(rangeOf(undefined, 10)).toBe('all');
  expect(rangeOf('bytes=0-0', 10)).toEqual({ from: 0, to: 1 });
  expect(rangeOf('bytes=5-99', 10)).toEqual({ from: 5, to: 10 });
  expect(rangeOf('bytes=-0', 10)).toBe('unsatisfiable');
  expect(rangeOf('bytes=-99', 10)).toEqual({ from: 0, to: 10 });
  for (const odd of ['bytes=5-4', 'bytes=-', 'bytes=1-2,4-5', 'pages=1-2'])
    expect(rangeOf(odd, 10)).toBe('all');
});
