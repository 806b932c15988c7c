import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { startEmbeddedPostgres } from '../../center/database/embedded-postgres.ts';
import { printerTopic } from '../../schemas/topics.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { sampleEntries, TestPrinter } from '../harness/printer.ts';
import { platen, startProduct } from '../harness/product.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

async function readiness(http: string): Promise<{ status: number; body: string }> {
  const response = await fetch(new URL('readyz', http));
  return { status: response.status, body: await response.text() };
}

async function untilReadiness(http: string, status: number): Promise<string> {
  const end = Date.now() + 60_000;
  for (;;) {
    const now = await readiness(http);
    if (now.status === status) return now.body;
    if (Date.now() > end) throw new Error(`/readyz stays ${now.status}: ${now.body}`);
    await sleep(50);
  }
}

test('a database that goes away: no PUBACK and not ready, and when it returns the work goes on', async () => {
  const folder = temporaryFolder('platen-lost-');
  let server = await startEmbeddedPostgres(join(folder, 'server'), log);
  const product = await startProduct({
    data: join(folder, 'data'),
    env: { PLATEN_DATABASE_URL: server.url },
  });
  try {
    const operator = await product.operator();
    const { password } = await operator.call('printers.enroll', { printer: 'lost-1' });
    const printer = await TestPrinter.connect(product.mqtt, 'lost-1', String(password));
    const send = (from: number, to: number) =>
      printer.client.publishAsync(
        printerTopic.errors('lost-1'),
        JSON.stringify({ log: 'L', first: 1, reason: 'event', entries: sampleEntries(from, to) }),
        { qos: 1 },
      );
    await send(1, 3);
    expect((await readiness(product.http)).status).toBe(200);

    await server.stop();
    let acknowledged = false;
    const sending = send(4, 6).then(() => {
      acknowledged = true;
    });
    expect(await untilReadiness(product.http, 503)).toContain('the database is not reachable');
    await sleep(1_000);
    expect(acknowledged).toBe(false);
    expect(product.process.exitCode).toBeNull();

    server = await startEmbeddedPostgres(join(folder, 'server'), log);
    await sending;
    await untilReadiness(product.http, 200);
    const { items } = await operator.call('printers.errors', { printer: 'lost-1' });
    expect((items as { seq: number }[]).map((entry) => entry.seq)).toEqual([6, 5, 4, 3, 2, 1]);

    // A Postgres that hangs breaks no connection, and must be noticed too.
    process.kill(-(server.pid as number), 'SIGSTOP');
    await untilReadiness(product.http, 503);
    process.kill(-(server.pid as number), 'SIGCONT');
    await untilReadiness(product.http, 200);
    await send(7, 7);
    await printer.close();
  } finally {
    expect(await product.stop()).toBe(0);
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a database that cannot be reached at the start is said, with the setting, and the exit code is 1', async () => {
  const folder = temporaryFolder('platen-lost-');
  const { code, stderr } = await platen(['up'], {
    env: {
      PLATEN_DATA: join(folder, 'data'),
      PLATEN_DATABASE_URL: 'postgresql://ann:secret@127.0.0.1:9/platen',
      PLATEN_MQTT_PORT: '0',
      PLATEN_HTTP_PORT: '0',
    },
  });
  rmSync(folder, { recursive: true, force: true });
  expect(code).toBe(1);
  expect(stderr).toMatch(/The database cannot be used: .*127\.0\.0\.1:9/);
  expect(stderr).toContain('PLATEN_DATABASE_URL');
  expect(stderr).not.toContain('secret');
});
