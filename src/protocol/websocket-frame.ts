/**
 * Text frames as a WebSocket server sends them (RFC 6455, section 5): final, unmasked, without extensions. An event's
 * frame is made once and shared by every connection, so nothing here depends on one.
 */

const FINAL_TEXT = 0x81;

/** A whole text frame around one payload, to be shared and kept. */
export function encodeTextFrame(payload: string): Buffer {
  const bytes = Buffer.byteLength(payload);
  return filled(Buffer.allocUnsafeSlow(textHeaderBytes(bytes) + bytes), payload, bytes);
}

/** The same for one client, gone as soon as it is written: its bytes come from Node's pool. */
export function encodePassingFrame(payload: string): Buffer {
  const bytes = Buffer.byteLength(payload);
  return filled(Buffer.allocUnsafe(textHeaderBytes(bytes) + bytes), payload, bytes);
}

function filled(frame: Buffer, payload: string, bytes: number): Buffer {
  frame.write(payload, writeTextHeader(frame, bytes));
  return frame;
}

/** A whole text frame around a payload that comes in pieces, to be shared and kept. */
function encodeTextFrameOf(pieces: readonly Buffer[]): Buffer {
  const bytes = lengthOf(pieces);
  return filledWith(Buffer.allocUnsafeSlow(textHeaderBytes(bytes) + bytes), pieces, bytes);
}

/** The same for one client, gone as soon as it is written. */
export function encodePassingFrameOf(pieces: readonly Buffer[]): Buffer {
  const bytes = lengthOf(pieces);
  return filledWith(Buffer.allocUnsafe(textHeaderBytes(bytes) + bytes), pieces, bytes);
}

function lengthOf(pieces: readonly Buffer[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}

function filledWith(frame: Buffer, pieces: readonly Buffer[], bytes: number): Buffer {
  let at = writeTextHeader(frame, bytes);
  for (const piece of pieces) at += piece.copy(frame, at);
  return frame;
}

/** A whole text frame around a payload that is compressed (RFC 7692, section 6: the bit RSV1). */
export function encodeDeflatedFrame(deflated: Buffer): Buffer {
  const frame = encodeTextFrameOf([deflated]);
  frame[0] = FINAL_TEXT | 0x40;
  return frame;
}

/** A text frame's payload, as a view. The frame must be one that this module made. */
export function payloadOf(frame: Buffer): Buffer {
  const short = frame[1] as number;
  return frame.subarray(short < 126 ? 2 : short === 126 ? 4 : 10);
}

function textHeaderBytes(payloadBytes: number): number {
  return payloadBytes < 126 ? 2 : payloadBytes < 65536 ? 4 : 10;
}

function writeTextHeader(frame: Buffer, payloadBytes: number): number {
  frame[0] = FINAL_TEXT;
  if (payloadBytes < 126) {
    frame[1] = payloadBytes;
    return 2;
  }
  if (payloadBytes < 65536) {
    frame[1] = 126;
    frame.writeUInt16BE(payloadBytes, 2);
    return 4;
  }
  frame[1] = 127;
  frame.writeUInt32BE(Math.floor(payloadBytes / 2 ** 32), 2);
  frame.writeUInt32BE(payloadBytes % 2 ** 32, 6);
  return 10;
}
