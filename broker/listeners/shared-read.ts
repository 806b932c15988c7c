/**
 * Lets all plain TCP sockets read into one buffer. For each read of an accepted socket Node allocates 64 KiB, returns
 * what wasn't filled and wraps the rest in three objects. `net.connect` has an option for this (`onread`); accepted
 * sockets don't, so this sets what that option would set. On a version of Node that keeps it elsewhere, sockets are read
 * the usual way.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

const BYTES = 64 * 1024;
const BUFFER = Buffer.allocUnsafeSlow(BYTES);

/** The parts of a socket's libuv handle that are used here. */
interface Handle {
  reading?: boolean;
  useUserBuffer?(buffer: Buffer): void;
}

interface Inside {
  _handle: Handle | null;
  [key: symbol]: unknown;
}

const SYMBOLS = Object.getOwnPropertySymbols(new Socket());
const symbolOf = (name: string) => SYMBOLS.find(({ description }) => description === name);
const BUFFER_SYMBOL = symbolOf('kBuffer');
const CALLBACK_SYMBOL = symbolOf('kBufferCb');

/**
 * Makes a fresh socket read into the shared buffer. `take` gets the bytes; their memory is reused when it returns.
 * @returns false where that isn't possible: TLS, a socket that was read from, another kind of stream
 */
export function readShared(stream: Duplex, take: (bytes: Buffer) => void): boolean {
  if (!BUFFER_SYMBOL || !CALLBACK_SYMBOL || !(stream instanceof Socket)) return false;
  const inside = stream as unknown as Inside;
  const handle = inside._handle;
  const fresh = stream.bytesRead === 0 && stream.readableLength === 0 && handle?.reading !== true;
  if (!fresh || handle?.constructor.name !== 'TCP' || !handle.useUserBuffer) return false;
  handle.useUserBuffer(BUFFER);
  inside[BUFFER_SYMBOL] = BUFFER;
  inside[CALLBACK_SYMBOL] = (bytes: number) => take(BUFFER.subarray(0, bytes));
  return true;
}
