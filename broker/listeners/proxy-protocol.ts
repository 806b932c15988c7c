/**
 * PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt, section 2.2): the address of the client behind a load
 * balancer. Only read from trusted addresses: anybody else could forge it.
 */
import type { Socket } from 'node:net';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const HEADER_BYTES = 16;
/** Addresses and extensions. The standard asks receivers to accept at least 536 bytes. */
const BODY_BYTES_MAX = 4_096;

/** The client's address, or LOCAL: a health check of the balancer itself. */
export type ProxyHeader = { local: true } | { local: false; address: string };

/** How many bytes follow these first 16; undefined when they are no header of version 2. */
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
  // Unspecified or a Unix socket: the connection is valid, its origin unknown.
  return family === 0 || family === 3 ? { local: true } : undefined;
}

/** Reads the header from a socket and not a byte more. Resolves to undefined when none comes in time. */
export function readProxyHeader(socket: Socket, timeoutMs: number): Promise<ProxyHeader | undefined> {
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
    const timer = setTimeout(gone, timeoutMs);
    socket.on('readable', read);
    socket.on('close', gone);
    socket.on('error', gone);
    read();
  });
}
