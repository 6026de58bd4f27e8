/** Reads what a WebSocket server sends, handshake included, and makes a client's frames (RFC 6455): independent of the gateway's own. */
export class WebSocketReader {
  /** Null until the handshake's answer has come. */
  status: number | null = null;
  #bytes: Buffer = Buffer.alloc(0);

  /** Bytes that came; answers the text messages that are complete, and the code of a close frame. */
  read(bytes: Buffer): (string | { readonly closeCode: number })[] {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    if (this.status === null) {
      const end = this.#bytes.indexOf("\r\n\r\n");
      if (end < 0) return [];
      this.status = Number(this.#bytes.toString("latin1", 9, 12));
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    const messages: (string | { readonly closeCode: number })[] = [];
    while (this.status === 101) {
      const frame = frameOf(this.#bytes);
      if (frame === null) break;
      this.#bytes = this.#bytes.subarray(frame.end);
      if (frame.opcode === TEXT) messages.push(frame.payload.toString("utf8"));
      else if (frame.opcode === CLOSE)
        messages.push({ closeCode: frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0) });
    }
    return messages;
  }
}

const TEXT = 1;
const CLOSE = 8;

/** A client's text frame. */
export function textFrame(text: string): Buffer {
  return clientFrame(TEXT, Buffer.from(text));
}

/** A client's close frame, with code 1000. */
export function closeFrame(): Buffer {
  return clientFrame(CLOSE, Buffer.from([0x03, 0xe8]));
}

function clientFrame(opcode: number, payload: Buffer): Buffer {
  const isLong = payload.length >= 126;
  const head = Buffer.alloc(isLong ? 8 : 6);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (isLong ? 126 : payload.length);
  if (isLong) head.writeUInt16BE(payload.length, 2);
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([head, payload]);
}

function frameOf(
  bytes: Buffer,
): { readonly opcode: number; readonly payload: Buffer; readonly end: number } | null {
  if (bytes.length < 2) return null;
  const short = (bytes[1] as number) & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return null;
  const length =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const end = start + length;
  return bytes.length < end
    ? null
    : { opcode: (bytes[0] as number) & 0x0f, payload: bytes.subarray(start, end), end };
}
