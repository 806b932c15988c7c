/** Our broker alone, on a free port, for benchmarks: a structure is on disk before its PUBACK. Prints its port. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { createBroker } from '../../broker/broker.ts';
import { FileBackend } from '../../broker/retained/file-backend.ts';
import { temporaryFolder } from '../../tests/harness/folder.ts';

const folder = temporaryFolder('platen-bench-');
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
