import { Duplex } from "node:stream";

/** Bytes that a socket keeps before it says that it is full, as Node's do. */
export const HIGH_WATER_BYTES = 16 * 1024;

/** Where a socket's bytes go. */
export interface SocketPeer {
  /** @param done called when there is room for more */
  written(bytes: Buffer, done: () => void): void;
  ended(): void;
  destroyed(): void;
}

/** The gateway's end of a client's connection: what `net.Socket` is to it, with no descriptor behind it. */
export class SimulatedSocket extends Duplex {
  readonly remoteAddress: string;
  readonly #peer: SocketPeer;

  constructor(peer: SocketPeer, remoteAddress: string) {
    super({
      allowHalfOpen: true,
      readableHighWaterMark: HIGH_WATER_BYTES,
      writableHighWaterMark: HIGH_WATER_BYTES,
    });
    this.#peer = peer;
    this.remoteAddress = remoteAddress;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#peer.written(chunk, done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.#peer.written(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.#peer.ended();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#peer.destroyed();
    done(error);
  }
}
