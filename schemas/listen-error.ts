/** Explains why a listener can't be opened, naming the setting to change. */
import { networkInterfaces } from 'node:os';
import { PlatenError, reasonOf } from './errors.ts';

/** Lower ports need privileges. */
const FREE_PORT_MIN = 1_024;

/** The error for a listener that failed to open: start/address if the address is at fault, else start/port. */
export function listenError(
  error: unknown,
  { host, port, setting }: { host: string; port: number; setting: string },
): PlatenError {
  const { code } = error as { code?: unknown };
  const reason = reasonOf(error);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const own = addresses.filter(({ family }) => family === 'IPv4').map(({ address }) => address);
    return new PlatenError(
      'start/address',
      { host, reason, addresses: [...new Set(['127.0.0.1', ...own])].join(', ') },
      { cause: error },
    );
  }
  const hint =
    code === 'EACCES' && port < FREE_PORT_MIN
      ? `Ports below ${FREE_PORT_MIN} need rights of root (CAP_NET_BIND_SERVICE): set ${setting} to a higher one.`
      : `Set ${setting} to a free port.`;
  return new PlatenError('start/port', { port, host, reason, hint }, { cause: error });
}
