/** Ports for servers that are started anew on the port that they had, or whose port must be known before they start. */
import { createServer } from 'node:net';

/**
 * Below the range from which Linux gives ports to connections and to servers that ask for any: there somebody else
 * could get the port while its server is down.
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

/** A port on 127.0.0.1 that nobody listens on, and that no other test of this run is given. */
export async function freePort(): Promise<number> {
  const worker = Number(process.env['JEST_WORKER_ID'] ?? 0);
  for (;;) {
    // Workers run at the same time: each has every eighth port.
    const port = PORT_MIN + 8 * Math.floor((Math.random() * (PORT_MAX - PORT_MIN)) / 8) + (worker % 8);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}
