/**
 * One buffer that all plain TCP sockets read into. For each read of an accepted socket Node takes 64 KiB, gives back
 * what wasn't filled and wraps the rest in three objects. `net.connect` can be told to read into one buffer (`onread`);
 * for accepted sockets there is no such option, so what it would set is set here. A version of Node that keeps it
 * elsewhere is noticed, and its sockets are read as usual.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

const BYTES = 64 * 1024;
const BUFFER = Buffer.allocUnsafeSlow(BYTES);

/** The handle of a socket in libuv, as far as it is used. */
interface Handle {
  reading?: boolean;
  useUserBuffer?(buffer: Buffer): void;
}

interface Inside {
  _handle: Handle | null;
  [place: symbol]: unknown;
}

const PLACES = Object.getOwnPropertySymbols(new Socket());
const placeOf = (name: string) => PLACES.find(({ description }) => description === name);
const BUFFER_PLACE = placeOf('kBuffer');
const TAKE_PLACE = placeOf('kBufferCb');

/**
 * Has a socket that nothing was read from read into the shared buffer. `take` gets what came; its memory is used again
 * when it returns.
 * @returns false when that can't be done: TLS, a socket that was read from, another kind of stream
 */
export function readShared(stream: Duplex, take: (bytes: Buffer) => void): boolean {
  if (!BUFFER_PLACE || !TAKE_PLACE || !(stream instanceof Socket)) return false;
  const inside = stream as unknown as Inside;
  const handle = inside._handle;
  const fresh = stream.bytesRead === 0 && stream.readableLength === 0 && handle?.reading !== true;
  if (!fresh || handle?.constructor.name !== 'TCP' || !handle.useUserBuffer) return false;
  handle.useUserBuffer(BUFFER);
  inside[BUFFER_PLACE] = BUFFER;
  inside[TAKE_PLACE] = (bytes: number) => take(BUFFER.subarray(0, bytes));
  return true;
}
