/** Our broker by itself, on a free port, for benchmarks: structure is on disk before PUBACK. Prints its port. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createBroker } from '../../broker/broker.ts';
import { FileBackend } from '../../broker/file-backend.ts';

const folder = mkdtempSync(join(tmpdir(), 'platen-bench-'));
const broker = await createBroker({
  tcp: { host: '127.0.0.1', port: 0 },
  log: pino({ level: 'warn' }),
  identity: 'open',
  retained: new FileBackend(join(folder, 'retained.log')),
});
await broker.listen();
process.stdout.write(`${new URL(broker.addresses['tcp'] as string).port}\n`);
process.once('SIGTERM', () => {
  void broker.close().then(() => {
    rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  });
});
