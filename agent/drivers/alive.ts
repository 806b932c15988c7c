/**
 * Checks whether a printer is on although its management doesn't answer: many printers accept connections while SNMP
 * sleeps.
 */
import { connect } from 'node:net';
import { DRIVER_LIMITS } from './limits.ts';

/** Ports that stay open while a printer sleeps: raw printing, IPP, its web page. */
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

/** True when one of the ports accepts a connection; nothing is sent. A refusal doesn't count: it may come from a router. */
export async function takesConnections(host: string, ports: number[]): Promise<boolean> {
  const taken = await Promise.all(ports.map((port) => takes(host, port)));
  return taken.includes(true);
}
