/**
 * PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt, section 2.2): what a load balancer says about the client
 * it speaks for. Only heard from addresses that are trusted; everybody else would write their own origin.
 */
import type { Socket } from 'node:net';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const HEADER_BYTES = 16;
/** Addresses and extensions; the standard asks receivers to take 536 bytes at least. */
const BODY_BYTES_MAX = 4_096;

/** What the header says: who is spoken for, or LOCAL, the balancer's own health check. */
export type ProxyHeader = { local: true } | { local: false; address: string };

/** The first 16 bytes: how many follow. Undefined when it isn't a header that can be understood. */
export function proxyBodyBytes(header: Buffer): number | undefined {
  if (header.length < HEADER_BYTES || !header.subarray(0, 12).equals(SIGNATURE)) return undefined;
  const version = (header[12] as number) >> 4;
  const command = (header[12] as number) & 0x0f;
  if (version !== 2 || command > 1) return undefined;
  const length = header.readUInt16BE(14);
  return length <= BODY_BYTES_MAX ? length : undefined;
}

/** Parses header and body. Undefined when they don't belong together. */
export function parseProxy(header: Buffer, body: Buffer): ProxyHeader | undefined {
  if (((header[12] as number) & 0x0f) === 0) return { local: true };
  const family = (header[13] as number) >> 4;
  if (family === 1 && body.length >= 12) return { local: false, address: body.subarray(0, 4).join('.') };
  if (family === 2 && body.length >= 36) {
    const groups = Array.from({ length: 8 }, (_, index) => body.readUInt16BE(index * 2).toString(16));
    return { local: false, address: groups.join(':') };
  }
  // Unspecified or a Unix socket: the connection is good, the origin unknown.
  return family === 0 || family === 3 ? { local: true } : undefined;
}

/** Reads the header off a socket, and not a byte more. Resolves to undefined when there is none in time. */
export function readProxyHeader(socket: Socket, timeout_ms: number): Promise<ProxyHeader | undefined> {
  return new Promise((resolve) => {
    let header: Buffer | undefined;
    const finish = (result: ProxyHeader | undefined) => {
      clearTimeout(timer);
      socket.off('readable', read);
      socket.off('close', gone);
      socket.off('error', gone);
      resolve(result);
    };
    const gone = () => finish(undefined);
    const read = () => {
      if (!header) {
        header = (socket.read(HEADER_BYTES) as Buffer | null) ?? undefined;
        if (!header) return;
      }
      const bytes = proxyBodyBytes(header);
      if (bytes === undefined) {
        finish(undefined);
        return;
      }
      const body = bytes === 0 ? Buffer.alloc(0) : (socket.read(bytes) as Buffer | null);
      if (body) finish(parseProxy(header, body));
    };
    const timer = setTimeout(gone, timeout_ms);
    socket.on('readable', read);
    socket.on('close', gone);
    socket.on('error', gone);
    read();
  });
}
