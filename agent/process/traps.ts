/**
 * Receives SNMP traps and informs for all printers of the process and hands each to the one it came from.
 */
import snmp from 'net-snmp';
import type { Logger } from 'pino';
import { valueOfVarbind } from '../drivers/snmp/session.ts';
import type { SnmpReader } from '../drivers/snmp/snmp-reader.ts';

interface Notification {
  pdu: { varbinds: { oid: string; type?: number; value?: unknown }[] };
  rinfo: { address: string };
}

export interface TrapReceiver {
  /** Port it listens on. */
  port: number;
  close(): Promise<void>;
}

/** SNMPv3 users whose notifications are taken. */
export interface TrapUser {
  name: string;
  level: number;
  authProtocol?: number;
  authKey?: string;
  privProtocol?: number;
  privKey?: string;
}

interface Receiver {
  close(done: () => void): void;
  listener: { sockets: Record<string, { address(): { port: number } }> };
  getAuthorizer(): { addUser(user: TrapUser): void };
}

/**
 * Listens for traps. `readers` by the address that the printer sends from. The content is never believed alone: a trap
 * makes the printer be read, and only an alert in it that was gone by then is taken from it.
 */
export function receiveTraps(
  options: { host?: string; port: number; users?: TrapUser[] },
  readers: Map<string, SnmpReader>,
  log: Logger,
): TrapReceiver {
  const take = (error: Error | null, notification?: Notification) => {
    if (error || !notification) {
      log.debug({ reason: error?.message }, 'a trap could not be read');
      return;
    }
    const reader = readers.get(notification.rinfo.address.replace(/^::ffff:/, ''));
    if (!reader) {
      log.debug({ address: notification.rinfo.address }, 'a trap of a printer that is not spoken for');
      return;
    }
    reader.trap(notification.pdu.varbinds.map(valueOfVarbind).filter((item) => item !== undefined));
  };
  const receiver = (
    snmp as unknown as { createReceiver(options: object, callback: typeof take): Receiver }
  ).createReceiver(
    {
      port: options.port,
      address: options.host ?? '0.0.0.0',
      // Communities of traps are no secret that protects anything: what comes is checked by asking the printer.
      disableAuthorization: true,
      accessControlModelType: snmp.AccessControlModelType.None,
    },
    take,
  );
  for (const user of options.users ?? []) receiver.getAuthorizer().addUser(user);
  const socket = Object.values(receiver.listener.sockets)[0];
  return {
    get port() {
      return socket?.address().port ?? options.port;
    },
    close: () => new Promise((resolve) => receiver.close(resolve)),
  };
}
