/** Ports for servers that restart on the same port, or whose port must be known before they start. */
import { createServer } from 'node:net';

/**
 * Below the ephemeral port range of Linux: a port in that range could be taken by a connection or another server while
 * its server is down.
 */
const PORT_MIN = 12_000;
const PORT_MAX = 31_999;
const given = new Set<number>();

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A port on 127.0.0.1 on which nobody listens and that no other test of this run gets. */
export async function freePort(): Promise<number> {
  const worker = Number(process.env['JEST_WORKER_ID'] ?? 0);
  for (;;) {
    // Workers run at the same time, so each uses every eighth port.
    const port = PORT_MIN + 8 * Math.floor((Math.random() * (PORT_MAX - PORT_MIN)) / 8) + (worker % 8);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}
