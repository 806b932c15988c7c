/**
 * Network cuts of some printers: their connection to the release repository breaks several times in the middle of an
 * image, and with it their connection to the broker. Images pass through a real proxy that stops in the middle of a
 * response.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomFor } from '../../base/random.ts';

export interface NetworkCuts {
  /** Whether this printer's network is cut. */
  has(printer: string): boolean;
  /** The repository's address for this printer, through the proxy. */
  through(printer: string, repository: string): string;
  /** Interrupted downloads, by printer. */
  readonly downloads: ReadonlyMap<string, number>;
  /** Downloads that resumed after an interruption. */
  readonly resumed: number;
  close(): Promise<void>;
}

export interface NetworkCutsOptions {
  seed: number;
  /** Share of the printers whose network is cut. */
  share: number;
  /** How many of its downloads are interrupted. */
  each: number;
  /** Called when a download is interrupted: cut the printer's connection too. */
  onCut(printer: string): void;
}

export async function networkCuts(options: NetworkCutsOptions): Promise<NetworkCuts> {
  const { seed, share, each, onCut } = options;
  const has = (printer: string) => randomFor(seed, `cut/${printer}`)() < share;
  const where = randomFor(seed, 'cut/where');
  const downloads = new Map<string, number>();
  let resumed = 0;
  let origin = '';

  /** Forwards `most` bytes of a response, then closes without notice. */
  const breakOff = (printer: string, answer: IncomingMessage, response: ServerResponse, most: number) => {
    let left = most;
    answer.on('data', (chunk: Buffer) => {
      if (left === 0) return;
      const part = chunk.subarray(0, left);
      left -= part.length;
      response.write(part, () => {
        if (left > 0) return;
        answer.destroy();
        response.destroy();
      });
      if (left > 0) return;
      downloads.set(printer, (downloads.get(printer) ?? 0) + 1);
      onCut(printer);
    });
  };

  const server = createServer((request, response) => {
    const [, printer = '', ...path] = (request.url ?? '').split('/');
    const { range } = request.headers;
    const forward = httpRequest(new URL(path.join('/'), origin), { headers: range ? { range } : {} });
    // The product may be killed at any moment; then this request ends too.
    forward.on('error', () => response.destroy());
    response.on('close', () => forward.destroy());
    forward.on('response', (answer) => {
      answer.on('error', () => response.destroy());
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      const length = Number(answer.headers['content-length'] ?? 0);
      const isImage = path.at(-1)?.endsWith('.bin') === true;
      if (isImage && answer.statusCode === 206) resumed++;
      if (isImage && length > 1 && (downloads.get(printer) ?? 0) < each) {
        breakOff(printer, answer, response, 1 + Math.floor(where() * (length - 1)));
      } else answer.pipe(response);
    });
    forward.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    has,
    through: (printer, repository) => {
      if (!has(printer)) return repository;
      const { origin: product, pathname } = new URL(repository);
      origin = product;
      return `http://127.0.0.1:${port}/${printer}${pathname}`;
    },
    downloads,
    get resumed() {
      return resumed;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
