/** The product's HTTP server alone: serves a folder under /repository/ and reports its port to the parent process. */
import { pino } from 'pino';
import { startHttp } from '../../center/http/server.ts';
import { createRegistry } from '../../center/metrics.ts';

const server = await startHttp({
  host: '127.0.0.1',
  port: 0,
  repository: process.argv[2],
  registry: createRegistry(),
  readiness: {},
  log: pino({ level: 'silent' }),
});
process.send?.(server.port);
process.on('SIGTERM', () => process.exit(0));
