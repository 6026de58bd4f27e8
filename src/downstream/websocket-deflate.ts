import { constants, deflateRawSync } from "node:zlib";
import { encodeDeflatedFrame, payloadOf } from "#protocol/websocket-frame.ts";

/** Bytes of compressed frames that are kept for the next client: those of a few turns, since a frame goes to all at once. */
const KEPT_BYTES_MAX = 1024 * 1024;

/** Bounds of compression (RFC 7692). What they cost is memory while a frame is compressed: 2^(windowBits+2) + 2^(memLevel+9). */
export interface CompressionSettings {
  /** Payloads below this are sent as they are, in bytes. */
  readonly thresholdBytes: number;
  /** 9 to 15. */
  readonly windowBits: number;
  /** 1 to 9. */
  readonly memLevel: number;
  /** Messages of clients that are inflated at once. */
  readonly inflationsMax: number;
}

/**
 * Compresses frames. Nothing is carried over from one to the next, so that a frame is compressed once for all its clients,
 * and a client that is idle costs nothing.
 */
export class Deflater {
  readonly #settings: CompressionSettings;
  /** The oldest first. */
  readonly #kept = new Map<Buffer, Buffer>();
  #keptBytes = 0;

  constructor(settings: CompressionSettings) {
    this.#settings = settings;
  }

  /** The frame, compressed where that makes it smaller. @param frame a whole text frame, not compressed */
  deflated(frame: Buffer): Buffer {
    if (frame.length < this.#settings.thresholdBytes) return frame;
    const known = this.#kept.get(frame);
    if (known !== undefined) return known;
    const payload = payloadOf(frame);
    if (payload.length < this.#settings.thresholdBytes) return frame;
    const { windowBits, memLevel } = this.#settings;
    const bytes = deflateRawSync(payload, { windowBits, memLevel, finishFlush: constants.Z_SYNC_FLUSH });
    // The flush's last four bytes are left away (RFC 7692, section 7.2.1).
    const smaller = bytes.length - 4 < payload.length ? encodeDeflatedFrame(bytes.subarray(0, -4)) : frame;
    this.#keep(frame, smaller);
    return smaller;
  }

  #keep(frame: Buffer, smaller: Buffer): void {
    this.#kept.set(frame, smaller);
    this.#keptBytes += frame.length + smaller.length;
    for (const [oldest, its] of this.#kept) {
      if (this.#keptBytes <= KEPT_BYTES_MAX) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= oldest.length + its.length;
    }
  }
}

/**
 * Whether what a client offers can be agreed to: some want the server to use a smaller window than ours.
 *
 * @param offer the field `Sec-WebSocket-Extensions`
 */
export function isAgreeable(offer: string, { windowBits }: CompressionSettings): boolean {
  const windows = offer.matchAll(/server_max_window_bits\s*=\s*"?(\d+)/gi);
  return [...windows].every(([, bits]) => Number(bits) >= windowBits);
}
