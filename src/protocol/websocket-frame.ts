/**
 * Text frames as a WebSocket server sends them (RFC 6455, section 5): final, unmasked, without extensions. An event's
 * frame is made once and shared by every connection, so nothing here depends on one.
 */

const FINAL_TEXT = 0x81;

/** A whole text frame around one payload. */
export function encodeTextFrame(payload: string): Buffer {
  const bytes = Buffer.byteLength(payload);
  const headerBytes = textHeaderBytes(bytes);
  const frame = Buffer.allocUnsafeSlow(headerBytes + bytes);
  writeTextHeader(frame, bytes);
  frame.write(payload, headerBytes);
  return frame;
}

/** A whole text frame around a payload that comes in pieces. */
export function encodeTextFrameOf(pieces: readonly Buffer[]): Buffer {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  const frame = Buffer.allocUnsafeSlow(textHeaderBytes(bytes) + bytes);
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
