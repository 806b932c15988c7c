/** What a connection sends in one turn of the event loop, collected so that it leaves in one write. */
import type { Writable } from 'node:stream';
import { writeAcknowledgement } from '../../mqtt/encode.ts';
import { TYPE } from '../../mqtt/packet.ts';

/** Larger output is written piece by piece instead of being copied into one buffer. */
const JOIN_BYTES_MAX = 64 * 1024;
/** PUBACKs in one buffer. */
const ACKNOWLEDGEMENTS_TOGETHER = 32;
const ACKNOWLEDGEMENT_BYTES = 4;

export class Outbox {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #packets = 0;
  /** The last piece, as long as it holds only PUBACKs and has room for more. */
  #acknowledgements: Buffer | undefined;
  #acknowledgementsBytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get packets(): number {
    return this.#packets;
  }

  /** Adds one whole packet. */
  push(packet: Buffer): void {
    if (this.#acknowledgements) this.#closeAcknowledgements();
    this.#pieces.push(packet);
    this.#bytes += packet.length;
    this.#packets++;
  }

  /** Adds a PUBACK. They come in series, and a buffer for each would cost more than its content. */
  acknowledge(id: number): void {
    if (!this.#acknowledgements) {
      this.#acknowledgements = Buffer.allocUnsafe(ACKNOWLEDGEMENT_BYTES * ACKNOWLEDGEMENTS_TOGETHER);
      this.#acknowledgementsBytes = 0;
      this.#pieces.push(this.#acknowledgements);
    }
    writeAcknowledgement(this.#acknowledgements, this.#acknowledgementsBytes, TYPE.puback, id);
    this.#acknowledgementsBytes += ACKNOWLEDGEMENT_BYTES;
    this.#bytes += ACKNOWLEDGEMENT_BYTES;
    this.#packets++;
    if (this.#acknowledgementsBytes === this.#acknowledgements.length) this.#acknowledgements = undefined;
  }

  /** Writes everything to the socket and empties the outbox. */
  writeTo(socket: Writable): void {
    if (this.#acknowledgements) this.#closeAcknowledgements();
    const pieces = this.#pieces;
    const bytes = this.#bytes;
    this.#pieces = [];
    this.#bytes = 0;
    this.#packets = 0;
    if (pieces.length === 1) {
      socket.write(pieces[0] as Buffer);
    } else if (bytes <= JOIN_BYTES_MAX) {
      socket.write(Buffer.concat(pieces, bytes));
    } else {
      socket.cork();
      for (const piece of pieces) socket.write(piece);
      socket.uncork();
    }
  }

  #closeAcknowledgements(): void {
    const last = this.#pieces.length - 1;
    this.#pieces[last] = (this.#acknowledgements as Buffer).subarray(0, this.#acknowledgementsBytes);
    this.#acknowledgements = undefined;
  }
}
