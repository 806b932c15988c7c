/**
 * Whether a printer is there although its management says nothing: many leave SNMP asleep and still take connections.
 */
import { connect } from 'node:net';
import { DRIVER_LIMITS } from './limits.ts';

/** Ports that a printer listens on whatever it is doing: raw printing, IPP, its web page. */
export const PRINTER_PORTS = [9100, 631, 80, 443];

function takes(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (taken: boolean) => {
      socket.destroy();
      resolve(taken);
    };
    socket.setTimeout(DRIVER_LIMITS.aliveMs, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** True when one of the ports takes a connection; nothing is sent over it. A refusal may come from a router: it is none. */
export async function takesConnections(host: string, ports: number[]): Promise<boolean> {
  const taken = await Promise.all(ports.map((port) => takes(host, port)));
  return taken.includes(true);
}
