/**
 * An IPP server in raw bytes, for behaviour that no real program shows on demand: a System Service as in PWG 5100.22,
 * and responses that never end, arrive byte by byte, or are nonsense.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export const TAG = {
  system: 0x0a,
  integer: 0x21,
  enum: 0x23,
  octets: 0x30,
  text: 0x41,
  name: 0x42,
  keyword: 0x44,
  uri: 0x45,
};

/** An attribute in wire format; an empty name adds a value to the previous attribute. */
export function wire(tag: number, name: string, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.from([tag, name.length >> 8, name.length & 255]);
  return Buffer.concat([
    head,
    Buffer.from(name),
    Buffer.from([bytes.length >> 8, bytes.length & 255]),
    bytes,
  ]);
}

/** Several values of one attribute. */
export function wires(tag: number, name: string, values: (Buffer | string)[]): Buffer {
  return Buffer.concat(values.map((value, i) => wire(tag, i === 0 ? name : '', value)));
}

export function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** A response with its attributes in one printer group; `systemMessage` uses `TAG.system` instead. */
export function message(...attributes: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 1, 4]), ...attributes, Buffer.from([3])]);
}

export function systemMessage(...attributes: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 1, TAG.system]), ...attributes, Buffer.from([3])]);
}

export interface IppServer {
  /** `ipp://127.0.0.1:port`. */
  url: string;
  /** Requests by path. */
  asked: Record<string, number>;
  stop(): Promise<void>;
}

/** Answers every POST by its path. */
export async function startIppServer(
  answer: (path: string, response: ServerResponse, body: Buffer) => void,
): Promise<IppServer> {
  const asked: Record<string, number> = {};
  const server = createServer((request: IncomingMessage, response) => {
    const path = request.url ?? '';
    asked[path] = (asked[path] ?? 0) + 1;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.on('error', () => undefined); // A client that has read too much hangs up.
      answer(path, response, Buffer.concat(chunks));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    url: `ipp://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`,
    asked,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
